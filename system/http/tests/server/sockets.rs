//! The WebSocket over the server.

use bytes::Bytes;
use simurgh_http::ws::handshake::HandshakeError;
use simurgh_http::ws::{self, CloseCode, ConnectError, DeflatePolicy, Message, Prepared, SocketError};
use simurgh_http::{Client, Options, Request, Response, Server, Service, Upgraded};
use simurgh_runtime::net::TcpStream;
use simurgh_runtime::{DurationExt, Instant, join};
use tokio::io::AsyncWriteExt;

use crate::shared::{exchange, hear, heard, run, start, statuses, until};

/// Echoes; `bye` closes, `twice` sends a prepared message twice, `burst` a hundred messages in one flush.
#[derive(Clone, Default)]
struct Echo(ws::Options);

impl Service for Echo {
    async fn call(&self, request: Request, _: &Client) -> Response {
        ws::upgrade(&request, &self.0, talk).unwrap_or_else(|error| error.response())
    }
}

async fn talk(mut socket: ws::Socket<Upgraded>) {
    while let Ok(Some(message)) = socket.recv().await {
        let sent = match message.as_bytes() {
            b"bye" => socket.begin_close(CloseCode::NORMAL, "bye").map_err(SocketError::from),
            b"protocol" => socket.send(Message::text(socket.protocol().unwrap_or("none"))).await,
            b"twice" => {
                let prepared = Prepared::text("again");
                let first = socket.feed_prepared(&prepared).map_err(SocketError::from);
                first.and(socket.send_prepared(&prepared).await)
            }
            b"burst" => {
                for number in 0..100 {
                    socket.feed(Message::text(number.to_string())).expect("it is open and has room");
                }
                socket.flush().await
            }
            _ => socket.send(message).await,
        };
        if sent.is_err() {
            return;
        }
    }
}

async fn open(server: &Server, options: &ws::Options) -> Result<ws::Socket<TcpStream>, ConnectError> {
    ws::connect(&format!("ws://{}/", server.local_addr()), options).await
}

#[test]
fn messages_of_all_sizes_come_back_with_and_without_compression() {
    run(async {
        let deflates = ws::Options { deflate: Some(DeflatePolicy::default()), ..ws::Options::default() };
        let server = start(Options::default(), Echo(deflates.clone())).await;
        for options in [ws::Options::default(), deflates] {
            let mut socket = open(&server, &options).await?;
            for len in [0, 1, 125, 126, 4_000, 4_096, 5_000, 65_536, 1 << 20] {
                let said = Message::binary((0..len).map(|at: u32| (at % 251) as u8).collect::<Bytes>());
                let (sent, heard) = {
                    let (mut back, copy) = (None, said.clone());
                    socket.feed(copy)?;
                    // Reads while it writes: neither side's buffers hold it all.
                    while back.is_none() {
                        back = socket.recv().await?;
                    }
                    (said, back)
                };
                assert!(heard == Some(sent), "{len}");
            }
            socket.close(CloseCode::NORMAL, "").await?;
        }
        until(|| server.listener().count() == 0).await;
        Ok(())
    });
}

#[test]
fn prepared_messages_and_bursts() {
    run(async {
        let server = start(Options::default(), Echo::default()).await;
        let mut socket = open(&server, &ws::Options::default()).await?;
        socket.send(Message::text("twice")).await?;
        for _ in 0..2 {
            assert_eq!(socket.recv().await?, Some(Message::text("again")));
        }
        socket.send(Message::text("burst")).await?;
        for number in 0..100 {
            assert_eq!(socket.recv().await?, Some(Message::text(number.to_string())));
        }
        Ok(())
    });
}

#[test]
fn subprotocols_are_chosen_by_the_servers_liking() {
    run(async {
        let server = start(Options::default(), Echo(ws::Options::default().protocols(&["v2", "v1"]))).await;
        for (offered, want) in [(&["v1", "v2"][..], "v2"), (&["v1"], "v1"), (&["v3"], "none"), (&[], "none")] {
            let mut socket = open(&server, &ws::Options::default().protocols(offered)).await?;
            assert_eq!(socket.protocol().unwrap_or("none"), want);
            socket.send(Message::text("protocol")).await?;
            assert_eq!(socket.recv().await?, Some(Message::text(want)));
        }
        Ok(())
    });
}

#[test]
fn what_is_no_request_for_a_socket_is_refused() {
    run(async {
        let server = start(Options::default(), Echo::default()).await;
        let ask = |change: &str| {
            let head = "GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade, close\r\nupgrade: websocket\r\n\
                        sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
            let (from, to) = change.split_once("=>").unwrap();
            head.replace(from, to)
        };
        for (change, status, names) in [
            ("GET=>PUT", 405, "allow: GET"),
            ("upgrade: websocket=>upgrade: h2c", 426, "upgrade: websocket"),
            ("version: 13=>version: 8", 426, "sec-websocket-version: 13"),
            ("dGhl=>", 400, "Sec-WebSocket-Key"),
        ] {
            let heard = exchange(&server, ask(change)).await;
            assert_eq!(statuses(&heard), [status], "{change}: {heard}");
            assert!(heard.contains(names), "{change}: {heard}");
        }
        let (uri, options) = (format!("ws://{}/", server.local_addr()), ws::Options::default());
        let refused = ws::connect_with(&uri, &options, |request| {
            request.headers_mut().remove("upgrade");
        });
        let want = HandshakeError::BadStatus(http::StatusCode::UPGRADE_REQUIRED);
        assert!(matches!(refused.await, Err(ConnectError::Handshake(error)) if error == want));
        Ok(())
    });
}

#[test]
fn frames_that_come_with_the_handshake_are_read() {
    run(async {
        let server = start(Options::default(), Echo::default()).await;
        let mut stream = TcpStream::connect(server.local_addr()).await?;
        let mut said = b"GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
            sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            .to_vec();
        said.extend_from_slice(b"\x81\x82\0\0\0\0hi\x89\x80\0\0\0\0\x88\x82\0\0\0\0\x03\xe8");
        stream.write_all(&said).await?;
        let heard = heard(&mut stream).await;
        assert!(heard.contains("sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{heard}");
        assert!(heard.ends_with("\u{fffd}\u{2}hi\u{fffd}\0\u{fffd}\u{2}\u{3}\u{fffd}"), "{heard:?}");
        Ok(())
    });
}

#[test]
fn either_side_may_close_and_both_at_once() {
    run(async {
        let server = start(Options::default(), Echo::default()).await;
        let mut socket = open(&server, &ws::Options::default()).await?;
        socket.send(Message::text("bye")).await?;
        assert_eq!(socket.recv().await?, None);
        assert_eq!(socket.peer_close().map(|frame| frame.code), Some(CloseCode::NORMAL));

        let mut socket = open(&server, &ws::Options::default()).await?;
        socket.close(CloseCode::GOING_AWAY, "").await?;
        assert_eq!(socket.peer_close().map(|frame| frame.code), Some(CloseCode::GOING_AWAY));
        assert!(matches!(socket.send(Message::text("late")).await, Err(SocketError::Send(_))));
        assert_eq!(socket.recv().await?, None);

        let mut socket = open(&server, &ws::Options::default()).await?;
        for text in ["one", "two", "bye"] {
            socket.feed(Message::text(text))?;
        }
        socket.begin_close(CloseCode::NORMAL, "")?;
        for text in ["one", "two"] {
            assert_eq!(socket.recv().await?, Some(Message::text(text)), "what was said before a close is answered");
        }
        assert_eq!(socket.recv().await?, None);
        until(|| server.listener().count() == 0).await;
        Ok(())
    });
}

#[test]
fn a_drain_says_goodbye_with_1001() {
    run(async {
        let server = start(Options::default(), Echo::default()).await;
        let mut socket = open(&server, &ws::Options::default()).await?;
        socket.send(Message::text("hello")).await?;
        assert_eq!(socket.recv().await?, Some(Message::text("hello")));
        let (report, last) = join!(server.drain(), socket.recv());
        assert_eq!((report.finished, report.killed, last?), (1, 0, None));
        assert_eq!(socket.peer_close().map(|frame| frame.code), Some(CloseCode::GOING_AWAY));
        Ok(())
    });
}

#[test]
fn a_peer_that_breaks_the_rules_or_is_gone_or_silent() {
    run(async {
        let (limit, sockets) = (50.millis(), std::sync::Arc::new(simurgh_runtime::sync::Mutex::new(Vec::new())));
        let options = ws::Options { idle_timeout: Some(limit), close_timeout: limit, ..ws::Options::default() };
        let seen = sockets.clone();
        let server = start(Options::default(), move |request: Request, _: Client| {
            let seen = seen.clone();
            let response = ws::upgrade(&request, &options, async move |mut socket| {
                let error = loop {
                    match socket.recv().await {
                        Ok(Some(_)) => {}
                        Ok(None) => break "closed",
                        Err(error) => break error.code(),
                    }
                };
                seen.lock().push(error);
            });
            async move { response.unwrap_or_else(|error| error.response()) }
        })
        .await;
        for (said, want) in [
            (&b"\x81\x02hi"[..], "ws.unmasked"),
            (b"\x81\x82\0\0\0\0h", "ws.gone"),
            (b"\x81\x82\0\0\0\0hi", "ws.timeout"),
        ] {
            let mut stream = TcpStream::connect(server.local_addr()).await?;
            let head = "GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
                        sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
            stream.write_all(head.as_bytes()).await?;
            hear(&mut stream, "\r\n\r\n").await;
            stream.write_all(said).await?;
            let since = Instant::now();
            if want == "ws.gone" {
                stream.shutdown().await?;
            }
            until(|| !sockets.lock().is_empty()).await;
            assert_eq!(sockets.lock().pop(), Some(want));
            if want == "ws.timeout" {
                assert!(since.elapsed() >= limit);
            }
        }
        Ok(())
    });
}
