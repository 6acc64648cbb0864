//! A client that goes away.

use simurgh_http::Options;
use simurgh_runtime::net::TcpStream;
use simurgh_runtime::{DurationExt, Instant};
use tokio::io::AsyncWriteExt;

use crate::shared::{App, exchange, hear, run, start, statuses, until};

/// How the client goes.
#[derive(Debug, Clone, Copy)]
enum Leave {
    Reset,
    End,
    EndWithMore,
}

async fn leave(mut stream: TcpStream, how: Leave) -> std::io::Result<Option<TcpStream>> {
    match how {
        Leave::Reset => stream.set_zero_linger().map(|()| None),
        Leave::End => stream.shutdown().await.map(|()| Some(stream)),
        Leave::EndWithMore => {
            stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await?;
            stream.shutdown().await.map(|()| Some(stream))
        }
    }
}

#[test]
fn reading_is_cancelled_within_50_ms() {
    run(async {
        for method in ["GET", "HEAD", "OPTIONS"] {
            for how in [Leave::Reset, Leave::End, Leave::EndWithMore] {
                let app = App::default();
                let server = start(Options::default(), app.clone()).await;
                let mut stream = TcpStream::connect(server.local_addr()).await?;
                stream.write_all(format!("{method} /never HTTP/1.1\r\nhost: a\r\n\r\n").as_bytes()).await?;
                until(|| app.0.begun() == 1).await;
                let since = Instant::now();
                let _stream = leave(stream, how).await?;
                until(|| app.0.dropped() == 1).await;
                assert!(since.elapsed() < 50.millis(), "{method} {how:?}: {:?}", since.elapsed());
                until(|| server.listener().count() == 0).await;
                assert_eq!((app.0.begun(), app.0.done(), server.shielded()), (1, 0, 0));
            }
        }
        Ok(())
    });
}

#[test]
fn a_streamed_answer_is_cancelled_within_50_ms() {
    run(async {
        for how in [Leave::Reset, Leave::End] {
            let app = App::default();
            let server = start(Options::default(), app.clone()).await;
            let mut stream = TcpStream::connect(server.local_addr()).await?;
            stream.write_all(b"POST /stream HTTP/1.1\r\nhost: a\r\n\r\n").await?;
            hear(&mut stream, "xxx").await;
            let since = Instant::now();
            let _stream = leave(stream, how).await?;
            until(|| app.0.dropped() == 1).await;
            assert!(since.elapsed() < 50.millis(), "{how:?}: {:?}", since.elapsed());
        }
        Ok(())
    });
}

#[test]
fn a_write_that_began_goes_on_and_a_drain_waits_for_it() {
    run(async {
        for method in ["POST", "PUT", "PATCH", "DELETE"] {
            for how in [Leave::Reset, Leave::End] {
                let app = App::default();
                let server = start(Options::default(), app.clone()).await;
                let mut stream = TcpStream::connect(server.local_addr()).await?;
                stream.write_all(format!("{method} /slow HTTP/1.1\r\nhost: a\r\n\r\n").as_bytes()).await?;
                until(|| app.0.begun() == 1).await;
                let _stream = leave(stream, how).await?;
                until(|| server.listener().count() == 0).await;
                assert_eq!((app.0.done(), server.shielded()), (0, 1), "{method} {how:?}");
                server.drain().await;
                assert_eq!((app.0.done(), app.0.dropped(), server.shielded()), (1, 0, 0), "{method} {how:?}");
            }
        }
        Ok(())
    });
}

#[test]
fn a_write_without_a_client_has_its_limits() {
    run(async {
        let app = App::default();
        let options = Options { shield_timeout: 50.millis(), shielded_max: 1, ..Options::default() };
        let server = start(options, app.clone()).await;
        let mut streams = Vec::new();
        for begun in 1..=2 {
            let mut stream = TcpStream::connect(server.local_addr()).await?;
            stream.write_all(b"POST /never HTTP/1.1\r\nhost: a\r\n\r\n").await?;
            until(|| app.0.begun() == begun).await;
            streams.push(stream);
        }
        drop(streams);
        until(|| server.listener().count() == 0).await;
        assert_eq!((app.0.dropped(), server.shielded()), (1, 1), "there is room for one");
        until(|| app.0.dropped() == 2).await;
        Ok(())
    });
}

#[test]
fn a_body_that_breaks_off_is_an_error_for_its_handler() {
    run(async {
        let app = App::default();
        let server = start(Options::default(), app.clone()).await;
        let mut stream = TcpStream::connect(server.local_addr()).await?;
        stream.write_all(b"POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nhalf").await?;
        until(|| app.0.begun() == 1).await;
        drop(stream);
        until(|| app.0.done() == 1).await;
        Ok(())
    });
}

#[test]
fn with_half_close_the_answer_still_comes() {
    run(async {
        let server = start(Options { half_close: true, ..Options::default() }, App::default()).await;
        let mut stream = TcpStream::connect(server.local_addr()).await?;
        stream.write_all(b"GET /slow HTTP/1.1\r\nhost: a\r\n\r\nGET / HTTP/1.1\r\nhost: a\r\n\r\n").await?;
        stream.shutdown().await?;
        assert_eq!(statuses(&crate::shared::heard(&mut stream).await), [200, 200]);
        let _ = exchange(&server, "").await;
        Ok(())
    });
}
