//! Requests that are none, or that two programs could read in two ways: refused, and the connection closed.

use simurgh_http::Options;

use crate::shared::{App, exchange, run, start, statuses};

/// What is said, and the statuses that come back.
fn check(cases: &'static [(&'static str, &'static [u16])]) {
    run(async move {
        let options = Options { body_len_max: 100, head_len_max: 2_000, uri_len_max: 200, ..Options::default() };
        let server = start(options, App::default()).await;
        for (said, want) in cases {
            let heard = exchange(&server, said).await;
            assert_eq!(statuses(&heard), *want, "{said:?}: {heard}");
            assert!(heard.contains("connection: close\r\n"), "{said:?}: {heard}");
        }
        Ok(())
    });
}

#[test]
fn lines_and_targets() {
    check(&[
        ("GET / HTTP/1.1\nhost: a\n\n", &[400]),
        ("GET / HTTP/1.1\r\nhost: a\n\r\n", &[400]),
        ("GET  / HTTP/1.1\r\nhost: a\r\n\r\n", &[400]),
        ("GET / HTTP/1.1 \r\nhost: a\r\n\r\n", &[400]),
        ("GET / HTTP/2.0\r\nhost: a\r\n\r\n", &[505]),
        ("GET / HTCPCP/1.0\r\nhost: a\r\n\r\n", &[400]),
        ("GET\t/ HTTP/1.1\r\nhost: a\r\n\r\n", &[400]),
        ("G@T / HTTP/1.1\r\nhost: a\r\n\r\n", &[400]),
        ("GET /a#b HTTP/1.1\r\nhost: a\r\n\r\n", &[400]),
        ("GET a HTTP/1.1\r\nhost: a\r\n\r\n", &[400]),
        ("GET * HTTP/1.1\r\nhost: a\r\n\r\n", &[400]),
        ("CONNECT a:1 HTTP/1.1\r\nhost: a\r\n\r\n", &[501]),
        ("\r\n\r\n\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\nhost: a\r\n\r\n", &[400]),
        ("\r\nGET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n", &[200]),
        ("GET / HTTP/1.3\r\nhost: a\r\nconnection: close\r\n\r\n", &[200]),
    ]);
}

#[test]
fn hosts_and_fields() {
    check(&[
        ("GET / HTTP/1.1\r\n\r\n", &[400]),
        ("GET / HTTP/1.1\r\nhost: a\r\nhost: a\r\n\r\n", &[400]),
        ("GET / HTTP/1.1\r\nhost: a b\r\n\r\n", &[400]),
        ("GET / HTTP/1.1\r\nhost: u@a\r\n\r\n", &[400]),
        ("GET / HTTP/1.1\r\nhost : a\r\n\r\n", &[400]),
        ("GET / HTTP/1.1\r\nhost: a\r\nx: 1\r\n y\r\n\r\n", &[400]),
        ("GET / HTTP/1.1\r\nhost: a\r\nx\r\n\r\n", &[400]),
        ("GET / HTTP/1.1\r\nhost: a\r\n: x\r\n\r\n", &[400]),
        ("GET / HTTP/1.1\r\nhost: a\r\nx: \0\r\n\r\n", &[400]),
        ("GET / HTTP/1.1\r\nhost: a\r\nx: a\rb\r\n\r\n", &[400]),
        ("GET / HTTP/1.1\r\nhost: a\r\nexpect: tea\r\n\r\n", &[417]),
    ]);
}

#[test]
fn lengths_and_codings() {
    check(&[
        ("POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", &[400]),
        ("POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 1\r\n\r\nx", &[400]),
        ("POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 1, 1\r\n\r\nx", &[400]),
        ("POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: +1\r\n\r\nx", &[400]),
        ("POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\nx", &[400]),
        ("POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 0x1\r\n\r\nx", &[400]),
        ("POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 101\r\n\r\n", &[413]),
        ("POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 99999999999999999999999\r\n\r\n", &[413]),
        ("POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip\r\n\r\n", &[400]),
        ("POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip, chunked\r\n\r\n", &[501]),
        ("POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked, gzip\r\n\r\n", &[400]),
        ("POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n", &[400]),
        ("POST /echo HTTP/1.0\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", &[400]),
        ("POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: xchunked\r\n\r\n0\r\n\r\n", &[400]),
    ]);
}

/// The handler hears of it, and answers as it thinks right.
#[test]
fn chunks() {
    check(&[
        ("POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nx\r\n", &[400]),
        ("POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n1\nx\r\n0\r\n\r\n", &[400]),
        ("POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n1\r\nxy\r\n0\r\n\r\n", &[400]),
        ("POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0x1\r\nx\r\n0\r\n\r\n", &[400]),
        ("POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n11111111111111111\r\n", &[400]),
        ("POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n65\r\n", &[413]),
        ("POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n1;a=\0\r\nx\r\n0\r\n\r\n", &[400]),
        ("POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\nx y: 1\r\n\r\n", &[400]),
        (
            "POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n1;a=b\r\nx\r\n0\r\nx: 1\r\n\r\n",
            &[200],
        ),
    ]);
}

#[test]
fn what_is_too_large() {
    run(async {
        let options = Options { head_len_max: 2_000, uri_len_max: 200, fields_max: 20, ..Options::default() };
        let server = start(options, App::default()).await;
        let long = "x".repeat(3_000);
        for (said, want) in [
            (format!("GET /{long} HTTP/1.1\r\nhost: a\r\n\r\n"), 414),
            (format!("GET / HTTP/1.1\r\nhost: a\r\nx: {long}\r\n\r\n"), 431),
            (format!("GET / HTTP/1.1\r\nhost: a\r\n{}\r\n", "x: y\r\n".repeat(30)), 431),
            (long.clone(), 414),
        ] {
            assert_eq!(statuses(&exchange(&server, said).await), [want]);
        }
        Ok(())
    });
}

#[test]
fn after_a_refusal_nothing_is_served() {
    run(async {
        let app = App::default();
        let server = start(Options::default(), app.clone()).await;
        let smuggled = "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n\
                        GET /admin HTTP/1.1\r\nhost: a\r\n\r\n";
        assert_eq!(statuses(&exchange(&server, smuggled).await), [400]);
        assert_eq!(app.0.begun(), 0);
        Ok(())
    });
}

#[test]
fn an_unread_body_ends_the_connection_so_that_it_is_no_request() {
    run(async {
        let app = App::default();
        let server = start(Options::default(), app.clone()).await;
        let inner = "GET /admin HTTP/1.1\r\nhost: a\r\n\r\n";
        let said = format!("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n{inner}", inner.len());
        let heard = exchange(&server, said).await;
        assert_eq!((statuses(&heard), app.0.begun()), (vec![200], 1), "{heard}");
        Ok(())
    });
}
