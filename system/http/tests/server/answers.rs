//! What a request is answered with.

use simurgh_http::Options;
use simurgh_http::client::{self, Connection};
use simurgh_runtime::net::TcpStream;
use tokio::io::AsyncWriteExt;

use crate::shared::{App, exchange, hear, heard, run, start, statuses};

#[test]
fn a_page_has_a_date_and_a_length_and_the_connection_stays() {
    run(async {
        let server = start(Options::default(), App::default()).await;
        let mut connection = Connection::connect(server.local_addr()).await?;
        for _ in 0..3 {
            let response = connection.send(http::Request::get("/").body("".into())?).await?;
            assert_eq!(response.status(), 200);
            assert_eq!(response.headers()["content-length"], "5");
            assert!(response.headers()["date"].to_str()?.ends_with(" GMT"));
            assert!(!response.headers().contains_key("connection"));
            assert_eq!(response.into_body().collect(10).await?, "hello");
        }
        assert_eq!(server.listener().count(), 1);
        Ok(())
    });
}

#[test]
fn bodies_arrive_whole_by_length_and_in_chunks() {
    run(async {
        let server = start(Options::default(), App::default()).await;
        for len in [0, 1, 1_000, 100_000, 1 << 20] {
            let said = vec![b'y'; len];
            let mut connection = Connection::connect(server.local_addr()).await?;
            let by_length = http::Request::post("/echo").body(said.clone().into())?;
            assert_eq!(connection.send(by_length).await?.into_body().collect(2 << 20).await?, said);
            let parts: Vec<Vec<u8>> = said.chunks(700).map(<[u8]>::to_vec).collect();
            let chunked =
                http::Request::post("/echo").body(simurgh_http::Body::stream(move |mut chunks| async move {
                    for part in parts {
                        chunks.send(part).await?;
                    }
                    Ok(())
                }))?;
            assert_eq!(connection.send(chunked).await?.into_body().collect(2 << 20).await?, said);
        }
        Ok(())
    });
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    run(async {
        let server = start(Options::default(), App::default()).await;
        let said = "POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\none\
                    GET /slow HTTP/1.1\r\nhost: a\r\n\r\n\
                    POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5\r\nthree\r\n0\r\n\r\n\
                    GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
        let heard = exchange(&server, said).await;
        assert_eq!(statuses(&heard), [200, 200, 200, 200]);
        let bodies: Vec<_> = heard.split("\r\n\r\n").skip(1).collect();
        for (body, want) in bodies.iter().zip(["one", "slow", "three", "hello"]) {
            assert!(body.starts_with(want), "{heard}");
        }
        Ok(())
    });
}

#[test]
fn a_client_that_asks_for_it_is_told_to_go_on() {
    run(async {
        let server = start(Options::default(), App::default()).await;
        let mut stream = TcpStream::connect(server.local_addr()).await?;
        let head =
            "POST /echo HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 2\r\nconnection: close\r\n\r\n";
        stream.write_all(head.as_bytes()).await?;
        hear(&mut stream, "HTTP/1.1 100 Continue\r\n\r\n").await;
        stream.write_all(b"ok").await?;
        assert!(heard(&mut stream).await.ends_with("\r\n\r\nok"));
        Ok(())
    });
}

#[test]
fn an_absolute_target_says_which_host_is_meant() {
    run(async {
        let server = start(Options::default(), App::default()).await;
        let heard = exchange(&server, "GET http://b.test/host HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
        assert!(heard.ends_with("\"b.test\""), "{heard}");
        Ok(())
    });
}

#[test]
fn a_panic_is_500_and_ends_that_connection_only() {
    run(async {
        let server = start(Options::default(), App::default()).await;
        let mut other = Connection::connect(server.local_addr()).await?;
        let heard = exchange(&server, "GET /panic HTTP/1.1\r\nhost: a\r\n\r\n").await;
        assert_eq!(statuses(&heard), [500]);
        assert!(heard.contains("connection: close\r\n"));
        assert_eq!(other.send(http::Request::get("/").body("".into())?).await?.status(), 200);
        Ok(())
    });
}

#[test]
fn head_gets_no_body_and_options_of_the_server_no_handler() {
    run(async {
        let app = App::default();
        let server = start(Options::default(), app.clone()).await;
        let heard = exchange(&server, "HEAD / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
        assert!(heard.contains("content-length: 5\r\n") && heard.ends_with("\r\n\r\n"), "{heard}");
        let heard = exchange(&server, "OPTIONS * HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
        assert_eq!((statuses(&heard), app.0.begun()), (vec![204], 1));
        Ok(())
    });
}

#[test]
fn the_last_of_many_requests_says_so() {
    run(async {
        let server = start(Options { requests_max: 2, ..Options::default() }, App::default()).await;
        let heard = exchange(&server, "GET / HTTP/1.1\r\nhost: a\r\n\r\n".repeat(3)).await;
        assert_eq!(statuses(&heard), [200, 200]);
        assert_eq!(heard.matches("connection: close").count(), 1);
        Ok(())
    });
}

#[test]
fn http_1_0_is_spoken() {
    run(async {
        let server = start(Options::default(), App::default()).await;
        let heard = exchange(&server, "GET / HTTP/1.0\r\n\r\n").await;
        assert!(heard.ends_with("\r\n\r\nhello"), "{heard}");
        Ok(())
    });
}

#[test]
fn a_client_needs_an_address() {
    run(async {
        for uri in ["https://127.0.0.1/", "/path", "http://example.org/", ""] {
            assert!(matches!(client::get(uri).await, Err(client::ClientError::Uri { .. })), "{uri}");
        }
        Ok(())
    });
}
