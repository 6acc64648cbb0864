//! Another protocol after HTTP.

use simurgh_http::{Body, Client, OnUpgrade, Options, Request, Response};
use simurgh_runtime::net::TcpStream;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::shared::{exchange, heard, run, start, statuses};

async fn shout(request: Request, _: Client) -> Response {
    let mut response = Response::new(Body::empty());
    if request.uri().path() == "/no" {
        return Response::new("no".into());
    }
    *response.status_mut() = http::StatusCode::SWITCHING_PROTOCOLS;
    response.headers_mut().insert("connection", "upgrade".parse().unwrap());
    response.headers_mut().insert("upgrade", "shout".parse().unwrap());
    response.extensions_mut().insert(OnUpgrade::new(async |mut connection| {
        let mut said = String::new();
        if connection.read_to_string(&mut said).await.is_ok() {
            let _ = connection.write_all(said.to_uppercase().as_bytes()).await;
        }
    }));
    response
}

#[test]
fn what_was_sent_early_is_read_first() {
    run(async {
        let server = start(Options::default(), shout).await;
        let mut stream = TcpStream::connect(server.local_addr()).await?;
        stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: shout\r\n\r\near").await?;
        stream.write_all(b"ly, late").await?;
        // Its end is the other protocol's affair; with HTTP it would be the client's leaving.
        crate::shared::hear(&mut stream, "\r\n\r\n").await;
        stream.shutdown().await?;
        assert_eq!(heard(&mut stream).await, "EARLY, LATE");
        Ok(())
    });
}

#[test]
fn a_protocol_that_nobody_asked_for_is_a_failure() {
    run(async {
        let server = start(Options::default(), shout).await;
        for said in [
            "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
            "GET / HTTP/1.1\r\nhost: a\r\nupgrade: shout\r\nconnection: close\r\n\r\n",
            "POST / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: shout\r\ncontent-length: 1\r\n\r\nx",
        ] {
            assert_eq!(statuses(&exchange(&server, said).await), [500], "{said}");
        }
        Ok(())
    });
}

#[test]
fn a_protocol_that_is_refused_leaves_http() {
    run(async {
        let server = start(Options::default(), shout).await;
        let said = "GET /no HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: shout\r\n\r\n\
                    GET /no HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
        assert_eq!(statuses(&exchange(&server, said).await), [200, 200]);
        Ok(())
    });
}
