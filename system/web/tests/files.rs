//! Files in answers: static ones, sent ones, downloads.

#![allow(clippy::unwrap_used)] // in a test, a panic is the message

use std::path::PathBuf;

use http::{HeaderMap, Method, Response};
use simurgh_runtime::fs;
use simurgh_web::{Body, Conn, Endpoint, Plug, Result, Static, test};

/// A directory that ends with the test.
struct Directory(PathBuf);

impl Directory {
    #[allow(clippy::disallowed_methods)] // a test of real links and real times
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("simurgh-web-{name}-{}", std::process::id()));
        fs::create_dir_all(path.join("public/sub")).unwrap();
        for (file, content) in [
            ("secret.txt", "secret"),
            ("public/app.css", "0123456789"),
            ("public/app.css.gz", "gzipped"),
            ("public/app.css.br", "brotli"),
            ("public/app-0123456789abcdef.js", "digested"),
            ("public/.hidden", "hidden"),
            ("public/sub/page.html", "<p>"),
            ("public/con.txt", "device"),
            ("public/two words.txt", "two"),
        ] {
            std::fs::write(path.join(file), content).unwrap();
        }
        std::os::unix::fs::symlink(path.join("secret.txt"), path.join("public/out.txt")).unwrap();
        std::os::unix::fs::symlink("app.css", path.join("public/in.css")).unwrap();
        std::os::unix::fs::symlink("..", path.join("public/up")).unwrap();
        Self(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

type Answer = (u16, HeaderMap, String);

fn ask<P: Plug>(plugs: P, method: Method, target: &str, headers: &[(&'static str, &str)]) -> Answer {
    let mut request = test::request(method, target, Body::empty());
    for (name, value) in headers {
        request.headers_mut().append(*name, value.parse().unwrap());
    }
    simurgh_runtime::run("test", async move {
        let response: Response<Body> = test::send(&Endpoint::new((plugs, rest)), request).await;
        let (parts, body) = response.into_parts();
        let promised = http_body::Body::size_hint(&body).exact();
        let body = body.collect(1 << 20).await.unwrap();
        assert_eq!(promised, Some(body.len() as u64), "the length is known");
        (parts.status.as_u16(), parts.headers, String::from_utf8(body.into()).unwrap())
    })
}

async fn rest(conn: &mut Conn) {
    conn.text("passed on");
}

#[test]
fn only_what_is_inside_is_served() {
    let directory = Directory::new("inside");
    let get = |method, target: &str| {
        let files = Static::new("/static", directory.0.join("public"));
        let (status, _, body) = ask(files, method, target, &[]);
        (status, body)
    };
    for (target, expected) in [
        ("/static/app.css", "0123456789"),
        ("/static/sub/page.html", "<p>"),
        ("/static/%61pp.css", "0123456789"),
        ("/static/two%20words.txt", "two"),
        ("/static/in.css", "0123456789"),
        ("/static/out.txt", "passed on"),
        ("/static/up/secret.txt", "passed on"),
        ("/static/up/public/app.css", "0123456789"),
        ("/static/.hidden", "passed on"),
        ("/static/%2ehidden", "passed on"),
        ("/static/con.txt", "passed on"),
        ("/static/app.css.", "passed on"),
        ("/static/sub", "passed on"),
        ("/static/sub/", "passed on"),
        ("/static/", "passed on"),
        ("/static//app.css", "passed on"),
        ("/static", "passed on"),
        ("/staticapp.css", "passed on"),
        ("/other/app.css", "passed on"),
        ("/static/app.css/x", "passed on"),
        ("/static/none.css", "passed on"),
    ] {
        assert_eq!(get(Method::GET, target), (200, expected.to_owned()), "{target}");
    }
    assert_eq!(get(Method::POST, "/static/app.css").1, "passed on");
    for target in [
        "/static/../secret.txt",
        "/static/sub/../../secret.txt",
        "/static/%2e%2e/secret.txt",
        "/static/%2E./secret.txt",
        "/static/..%2fsecret.txt",
        "/static/..%5csecret.txt",
        "/static/sub%2fpage.html",
        "/static/app.css%00",
        "/static/app.css%0a",
        "/static/C:%5csecret.txt",
        "/static/app.css::$DATA",
        "/static/%ff",
        "/static/%",
        "/static/%2",
        "/static/%zz",
        "/static/./app.css",
    ] {
        assert_eq!(get(Method::GET, target).0, 400, "{target}");
    }
}

#[test]
fn options_are_kept() {
    let directory = Directory::new("options");
    let public = directory.0.join("public");
    let files = || Static::new("/", public.clone());
    let (_, headers, body) = ask(files().only(["sub"]), Method::GET, "/app.css", &[]);
    assert_eq!((body.as_str(), headers.get("cache-control")), ("passed on", None));
    assert_eq!(ask(files().only(["sub"]), Method::GET, "/sub/page.html", &[]).2, "<p>");
    assert_eq!(ask(files().hidden(), Method::GET, "/.hidden", &[]).2, "hidden");
    let (_, headers, _) = ask(files(), Method::GET, "/app.css", &[]);
    assert_eq!(headers["cache-control"], "public");
    assert!(headers.contains_key("etag") && headers.contains_key("last-modified"));
    for target in ["/app-0123456789abcdef.js", "/app.css?vsn=d"] {
        let (_, headers, _) = ask(files(), Method::GET, target, &[]);
        assert_eq!(headers["cache-control"], "public, max-age=31536000, immutable", "{target}");
    }
    let own = files().cache_control("no-cache").header("x-a", "b").content_type("css", "text/x-css");
    let (_, headers, _) = ask(own, Method::GET, "/app.css", &[]);
    assert_eq!(
        (&headers["cache-control"], &headers["x-a"], &headers["content-type"]),
        (&"no-cache".parse().unwrap(), &"b".parse().unwrap(), &"text/x-css".parse().unwrap())
    );
}

#[test]
fn a_compressed_form_is_served_as_the_client_likes() {
    let directory = Directory::new("compressed");
    let check = |accepted: &str, coding: Option<&str>, expected: &str| {
        let files = Static::new("/", directory.0.join("public")).precompressed();
        let (_, headers, body) = ask(files, Method::GET, "/app.css", &[("accept-encoding", accepted)]);
        assert_eq!(body, expected, "{accepted}");
        assert_eq!(headers.get("content-encoding").map(|value| value.to_str().unwrap()), coding);
        assert_eq!(
            (&headers["vary"], &headers["content-type"]),
            (&"accept-encoding".parse().unwrap(), &"text/css; charset=utf-8".parse().unwrap())
        );
    };
    check("gzip, br, zstd", Some("br"), "brotli");
    check("gzip, zstd", Some("gzip"), "gzipped");
    check("gzip;q=1, br;q=0.5", Some("gzip"), "gzipped");
    check("zstd", None, "0123456789");
    check("", None, "0123456789");
    check("br;q=0, gzip;q=0", None, "0123456789");
}

fn embedded() -> Static {
    Static::embedded("/", [("a.txt", "0123456789"), ("empty.txt", "")])
}

#[test]
fn ranges_are_answered() {
    let get = |headers: &[(&'static str, &str)]| ask(embedded(), Method::GET, "/a.txt", headers);
    let (status, headers, body) = get(&[("range", "bytes=2-4")]);
    assert_eq!((status, body.as_str(), &headers["content-range"]), (206, "234", &"bytes 2-4/10".parse().unwrap()));
    assert_eq!(get(&[("range", "bytes=-3")]).2, "789");
    assert_eq!(get(&[("range", "bytes=x")]).0, 200);
    assert_eq!(get(&[("range", "bytes=0-1"), ("range", "bytes=2-3")]).0, 200);
    let (status, headers, _) = get(&[("range", "bytes=10-")]);
    assert_eq!((status, &headers["content-range"]), (416, &"bytes */10".parse().unwrap()));
    assert!(!headers.contains_key("cache-control"));
    assert_eq!(ask(embedded(), Method::GET, "/empty.txt", &[("range", "bytes=0-")]).0, 416);
    assert_eq!(ask(embedded(), Method::HEAD, "/a.txt", &[("range", "bytes=0-1")]).0, 200);

    let (status, headers, body) = get(&[("range", "bytes=0-1,8-")]);
    let media = headers["content-type"].to_str().unwrap();
    let boundary = media.strip_prefix("multipart/byteranges; boundary=").unwrap();
    let part = |range, data| {
        format!(
            "\r\n--{boundary}\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-range: bytes {range}/10\r\n\r\n{data}"
        )
    };
    let expected = format!("{}{}\r\n--{boundary}--\r\n", part("0-1", "01"), part("8-9", "89"));
    assert_eq!((status, body), (206, expected));
}

#[test]
fn conditions_are_answered() {
    let (_, headers, _) = ask(embedded(), Method::GET, "/a.txt", &[]);
    let etag = headers["etag"].to_str().unwrap();
    let status = |headers: &[(&'static str, &str)]| ask(embedded(), Method::GET, "/a.txt", headers).0;
    let weak = format!("W/{etag}");
    assert_eq!(status(&[("if-none-match", etag)]), 304);
    assert_eq!(status(&[("if-none-match", &weak)]), 304);
    assert_eq!(status(&[("if-none-match", "*")]), 304);
    assert_eq!(status(&[("if-none-match", "\"other\"")]), 200);
    assert_eq!(status(&[("if-match", "\"other\"")]), 412);
    assert_eq!(status(&[("if-match", etag)]), 200);
    assert_eq!(status(&[("if-match", &weak)]), 412);
    assert_eq!(status(&[("range", "bytes=0-1"), ("if-range", etag)]), 206);
    assert_eq!(status(&[("range", "bytes=0-1"), ("if-range", &weak)]), 200);
    assert_eq!(status(&[("range", "bytes=0-1"), ("if-range", "\"other\"")]), 200);

    let directory = Directory::new("conditions");
    let file = |headers: &[(&'static str, &str)]| {
        ask(Static::new("/", directory.0.join("public")), Method::GET, "/app.css", headers)
    };
    let (_, headers, _) = file(&[]);
    let date = headers["last-modified"].to_str().unwrap();
    let old = "Sun, 06 Nov 1994 08:49:37 GMT";
    assert_eq!(file(&[("if-modified-since", date)]).0, 304);
    assert_eq!(file(&[("if-modified-since", old)]).0, 200);
    assert_eq!(file(&[("if-modified-since", "soon")]).0, 200);
    assert_eq!(file(&[("if-modified-since", date), ("if-none-match", "\"other\"")]).0, 200);
    assert_eq!(file(&[("if-unmodified-since", old)]).0, 412);
    assert_eq!(file(&[("if-range", date), ("range", "bytes=0-1")]).2, "01");
    assert_eq!(file(&[("if-range", old), ("range", "bytes=0-1")]).2, "0123456789");
    assert_eq!(file(&[("range", "bytes=0-1,5-6")]).0, 206);
}

#[test]
fn a_handler_sends_a_file_in_pieces() {
    struct Send(PathBuf);

    impl Plug for Send {
        async fn call(&self, conn: &mut Conn) -> Result {
            conn.halt();
            match conn.query_string() {
                "" => conn.send_file(&*self.0).await,
                "none" => conn.send_file(self.0.join("none")).await,
                "directory" => conn.send_download("/", "x").await,
                _ => conn.send_download(&*self.0, "\u{fc}ber.csv").await,
            }
        }
    }

    let directory = Directory::new("send");
    let path = directory.0.join("large.bin");
    let content: String = (0..200_000u32).map(|at| char::from(b'a' + (at % 23) as u8)).collect();
    simurgh_runtime::run("test", fs::write(path.clone(), content.clone())).unwrap();
    let get = |target: &str, headers: &[(&'static str, &str)]| ask(Send(path.clone()), Method::GET, target, headers);
    let (status, headers, body) = get("/", &[]);
    assert_eq!((status, &headers["content-type"]), (200, &"application/octet-stream".parse().unwrap()));
    assert!(body == content, "all of it, in order");
    let (_, _, body) = get("/", &[("range", "bytes=65530-131080")]);
    assert!(body == content[65_530..131_081]);
    assert_eq!(get("/?none", &[]).0, 404);
    let (status, headers, _) = get("/?directory", &[]);
    assert_eq!((status, headers.get("content-disposition")), (404, None));
    let (_, headers, _) = get("/?as", &[]);
    assert_eq!(headers["content-disposition"], "attachment; filename=\"_ber.csv\"; filename*=UTF-8''%C3%BCber.csv");
    assert_eq!(headers["content-type"], "text/csv; charset=utf-8");
}
