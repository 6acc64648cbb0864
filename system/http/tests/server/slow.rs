//! Clients that are slow.

use simurgh_http::Options;
use simurgh_runtime::DurationExt;
use simurgh_runtime::net::TcpStream;
use tokio::io::AsyncWriteExt;

use crate::shared::{App, heard, run, start, statuses, until};

#[test]
fn a_head_that_does_not_end_is_408() {
    run(async {
        let server = start(Options { head_timeout: 50.millis(), ..Options::default() }, App::default()).await;
        let mut stream = TcpStream::connect(server.local_addr()).await?;
        stream.write_all(b"GET / HTTP/1.1\r\nhos").await?;
        assert_eq!(statuses(&heard(&mut stream).await), [408]);
        Ok(())
    });
}

#[test]
fn a_body_that_does_not_come_is_an_error_for_its_handler() {
    run(async {
        let server = start(Options { body_timeout: 50.millis(), ..Options::default() }, App::default()).await;
        for head in ["content-length: 9\r\n\r\nhalf", "transfer-encoding: chunked\r\n\r\n9\r\nhalf"] {
            let mut stream = TcpStream::connect(server.local_addr()).await?;
            stream.write_all(format!("POST /echo HTTP/1.1\r\nhost: a\r\n{head}").as_bytes()).await?;
            let heard = heard(&mut stream).await;
            assert_eq!(statuses(&heard), [408], "{heard}");
            assert!(heard.ends_with("body_timeout"), "{heard}");
        }
        Ok(())
    });
}

#[test]
fn an_idle_connection_is_closed() {
    run(async {
        let server = start(Options { keep_alive_timeout: 50.millis(), ..Options::default() }, App::default()).await;
        let mut stream = TcpStream::connect(server.local_addr()).await?;
        stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await?;
        assert_eq!(statuses(&heard(&mut stream).await), [200]);
        Ok(())
    });
}

#[test]
fn a_client_that_does_not_read_is_let_go() {
    run(async {
        let server = start(Options { write_timeout: 50.millis(), ..Options::default() }, App::default()).await;
        let mut stream = TcpStream::connect(server.local_addr()).await?;
        stream.write_all(b"GET /large HTTP/1.1\r\nhost: a\r\n\r\n").await?;
        until(|| server.listener().counters().accepted == 1 && server.listener().count() == 0).await;
        assert!(heard(&mut stream).await.len() < 8 << 20);
        Ok(())
    });
}

#[test]
fn a_connection_that_says_nothing_is_closed() {
    run(async {
        let mut options = Options::default();
        options.listener.handshake_timeout = 50.millis();
        let server = start(options, App::default()).await;
        let mut stream = TcpStream::connect(server.local_addr()).await?;
        assert_eq!(heard(&mut stream).await, "");
        Ok(())
    });
}
