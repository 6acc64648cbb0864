//! Answers and request bodies in gzip.

#![allow(clippy::unwrap_used)] // in a test, a panic is the message

use std::io::{Read, Write};

use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use http::{HeaderMap, Method};
use simurgh_web::{Body, BodyError, Compress, Conn, ETag, Endpoint, Event, Inflate, Plug, Result, Version, test};

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn plain(bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    MultiGzDecoder::new(bytes).read_to_end(&mut plain).unwrap();
    plain
}

fn text(len: usize) -> Vec<u8> {
    (0..len as u32).map(|at| b"the text"[(at.wrapping_mul(2_654_435_761) >> 29) as usize]).collect()
}

async fn pages(conn: &mut Conn) -> Result {
    let len = conn.query_string().parse().unwrap_or(2_000);
    match conn.path() {
        "/short" => conn.text("short"),
        "/image" => conn.respond_with("image/png".parse().unwrap(), text(len)),
        "/coded" => {
            conn.put_header("content-encoding", "br").text(text(len));
        }
        "/fixed" => {
            conn.put_header("cache-control", "private, no-transform").text(text(len));
        }
        "/part" => {
            conn.put_status(http::StatusCode::PARTIAL_CONTENT)
                .put_header("content-range", "bytes 0-1/3")
                .text(text(len));
        }
        "/stream" => {
            conn.put_header("content-type", "text/plain").stream(move |mut chunks| async move {
                for chunk in text(len).chunks(1_000) {
                    chunks.send(chunk.to_vec()).await?;
                }
                Ok(())
            });
        }
        "/fails" => {
            conn.put_header("content-type", "text/plain").stream(|mut chunks| async move {
                chunks.send(text(3_000)).await?;
                Err(BodyError::Gone)
            });
        }
        _ => {
            if !conn.fresh(&Version::etag(ETag::strong("v")?)) {
                conn.put_header("accept-ranges", "bytes").text(text(len));
            }
        }
    }
    Ok(())
}

fn get(target: &str, headers: &[(&'static str, &str)]) -> (u16, HeaderMap, Result<Vec<u8>, BodyError>) {
    let mut request = test::request(Method::GET, target, Body::empty());
    request.headers_mut().insert("accept-encoding", "gzip".parse().unwrap());
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    simurgh_runtime::run("test", async move {
        let response = test::send(&Endpoint::new((Compress::new(), pages)), request).await;
        let (parts, body) = response.into_parts();
        (parts.status.as_u16(), parts.headers, body.collect(1 << 20).await.map(Into::into))
    })
}

#[test]
fn what_is_text_is_compressed() {
    for target in ["/", "/?1024", "/?65536", "/?65537", "/?300000", "/stream?1", "/stream?50000"] {
        let (_, headers, body) = get(target, &[]);
        let body = body.unwrap();
        let len = target.split('?').nth(1).map_or(2_000, |len| len.parse().unwrap());
        assert_eq!(
            (&headers["content-encoding"], &headers["vary"]),
            (&"gzip".parse().unwrap(), &"accept-encoding".parse().unwrap()),
            "{target}"
        );
        assert!(plain(&body) == text(len), "{target}");
        assert!(len < 100 || body.len() < len, "{target}");
    }
    let (_, headers, _) = get("/", &[]);
    assert_eq!((&headers["etag"], headers.get("accept-ranges")), (&"W/\"v\"".parse().unwrap(), None));
}

#[test]
fn what_is_not_to_be_compressed_is_left_alone() {
    for target in ["/short", "/image", "/coded", "/fixed", "/?1023"] {
        let (_, headers, _) = get(target, &[]);
        assert!(headers.get("content-encoding").is_none_or(|coding| coding == "br"), "{target}");
        assert_eq!(headers.get("vary"), None, "{target}");
    }
    let (_, headers, body) = get("/", &[("accept-encoding", "br")]);
    assert_eq!((headers.get("content-encoding"), &headers["vary"]), (None, &"accept-encoding".parse().unwrap()));
    assert_eq!((&headers["etag"], body.unwrap().len()), (&"\"v\"".parse().unwrap(), 2_000));
    let (_, headers, _) = get("/part", &[]);
    assert_eq!((headers.get("content-encoding"), &headers["vary"]), (None, &"accept-encoding".parse().unwrap()));
    let (status, headers, _) = get("/", &[("if-none-match", "W/\"v\"")]);
    assert_eq!(
        (status, headers.get("content-encoding"), &headers["vary"]),
        (304, None, &"accept-encoding".parse().unwrap())
    );
    assert!(matches!(get("/fails", &[]).2, Err(BodyError::Gone)), "an error is no end");
}

#[test]
fn events_flow() {
    async fn events(conn: &mut Conn) {
        conn.sse(|mut events| async move {
            events.send(Event::data("one")).await?;
            std::future::pending::<()>().await;
            Ok(())
        });
    }
    simurgh_runtime::run("test", async {
        let mut request = test::request(Method::GET, "/", Body::empty());
        request.headers_mut().insert("accept-encoding", "gzip".parse().unwrap());
        let mut body = test::send(&Endpoint::new((Compress::new(), events)), request).await.into_body();
        let chunk = body.chunk().await.unwrap().unwrap();
        let mut plain = [0; 11];
        MultiGzDecoder::new(&chunk[..]).read_exact(&mut plain).unwrap();
        assert_eq!(&plain, b"data: one\n\n");
    });
}

async fn echo(conn: &mut Conn) -> Result {
    let body = conn.take_body().unwrap().collect(1 << 20).await?;
    assert!(!conn.request_headers().contains_key("content-encoding"));
    conn.respond_with("application/octet-stream".parse().unwrap(), body);
    Ok(())
}

fn post(inflate: impl Plug, coding: &'static str, pieces: Vec<Vec<u8>>) -> (u16, Vec<u8>) {
    let body = Body::stream(|mut chunks| async move {
        for piece in pieces {
            chunks.send(piece).await?;
        }
        Ok(())
    });
    let mut request = test::request(Method::POST, "/", body);
    request.headers_mut().insert("content-encoding", coding.parse().unwrap());
    simurgh_runtime::run("test", async move {
        let response = test::send(&Endpoint::new((inflate, echo)), request).await;
        (response.status().as_u16(), response.into_body().collect(1 << 20).await.unwrap().into())
    })
}

#[test]
fn a_body_is_the_same_at_every_split() {
    let coded = gzipped(&text(1_000));
    for at in 0..=coded.len() {
        let (left, right) = coded.split_at(at);
        assert_eq!(post(Inflate::new(), "gzip", vec![left.to_vec(), right.to_vec()]), (200, text(1_000)), "{at}");
        if at > 0 && at < coded.len() {
            assert_eq!(post(Inflate::new(), "gzip", vec![left.to_vec()]).0, 400, "cut off at {at}");
        }
    }
    let twice = [gzipped(b"one"), gzipped(b"two")].concat();
    let bytes = twice.iter().map(|byte| vec![*byte]).collect();
    assert_eq!(post(Inflate::new(), "GZIP", bytes), (200, b"onetwo".to_vec()));
    assert_eq!(post(Inflate::new(), "x-gzip", vec![gzipped(b"")]), (200, Vec::new()));
    assert_eq!(post(Inflate::new(), "gzip", vec![]), (200, Vec::new()));
}

#[test]
fn bombs_and_what_is_no_gzip_are_refused() {
    let bomb = gzipped(&vec![0; 20 << 20]);
    assert_eq!(post(Inflate::new(), "gzip", vec![bomb.clone()]).0, 413);
    assert_eq!(post(Inflate::new().ratio_max(5_000), "gzip", vec![bomb]).0, 413);
    assert_eq!(post(Inflate::new().len_max(999), "gzip", vec![gzipped(&text(1_000))]).0, 413);
    assert_eq!(post(Inflate::new().len_max(1_000), "gzip", vec![gzipped(&text(1_000))]).0, 200);
    assert_eq!(post(Inflate::new(), "gzip", vec![gzipped(&vec![0; 60_000])]).0, 200, "a short one may repeat a lot");
    for body in [b"no gzip".to_vec(), [gzipped(b"one"), b"rest".to_vec()].concat()] {
        assert_eq!(post(Inflate::new(), "gzip", vec![body]).0, 400);
    }
    assert_eq!(post(Inflate::new(), "gzip", vec![gzipped(b"").repeat(64)]).0, 200);
    assert_eq!(post(Inflate::new(), "gzip", vec![gzipped(b"").repeat(65)]).0, 400);
    let mut wrong = gzipped(&text(1_000));
    let at = wrong.len() - 6;
    wrong[at] ^= 1;
    assert_eq!(post(Inflate::new(), "gzip", vec![wrong]).0, 400, "its checksum is wrong");
    for coding in ["br", "gzip, gzip", "", "deflate"] {
        assert_eq!(post(Inflate::new(), coding, vec![]).0, 415, "{coding}");
    }
}
