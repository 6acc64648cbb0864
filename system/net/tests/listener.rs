//! The listener on real sockets.

#![allow(clippy::unwrap_used)] // in a test, a panic is the message

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use simurgh_net::{Connection, ConnectionState, ListenError, Listener, Options};
use simurgh_otp as otp;
use simurgh_runtime::net::TcpStream;
use simurgh_runtime::{self as runtime, DurationExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

type Checked = Result<(), Box<dyn std::error::Error + Send + Sync>>;

async fn echo(mut connection: Connection) -> io::Result<()> {
    let mut buffer = [0; 256];
    loop {
        let len = runtime::select! {
            biased;
            read = connection.read(&mut buffer) => read?,
        };
        match &buffer[..len] {
            [] => return Ok(()),
            b"panic" => panic!("as asked"),
            b"error" => return Err(io::Error::other("as asked")),
            said => connection.write_all(said).await?,
        }
    }
}

/// Echoes until the listener drains.
async fn polite(mut connection: Connection) -> io::Result<()> {
    let mut buffer = [0; 256];
    loop {
        let len = {
            let mut connection = &mut connection;
            std::future::poll_fn(|cx| {
                let mut into = tokio::io::ReadBuf::new(&mut buffer);
                if let std::task::Poll::Ready(read) =
                    tokio::io::AsyncRead::poll_read(std::pin::Pin::new(&mut connection), cx, &mut into)
                {
                    return std::task::Poll::Ready(read.map(|()| into.filled().len()));
                }
                connection.poll_draining(cx).map(|()| Ok(0))
            })
            .await?
        };
        if len == 0 {
            return Ok(());
        }
        connection.write_all(&buffer[..len]).await?;
    }
}

/// Echoes, with no buffer while the peer is silent.
async fn lean(mut connection: Connection) -> io::Result<()> {
    loop {
        connection.readable().await?;
        let mut buffer = vec![0; 256];
        match connection.read(&mut buffer).await? {
            0 => return Ok(()),
            len => connection.write_all(&buffer[..len]).await?,
        }
    }
}

fn local() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

async fn say(client: &mut TcpStream, text: &str) -> io::Result<String> {
    client.write_all(text.as_bytes()).await?;
    let mut back = vec![0; text.len()];
    client.read_exact(&mut back).await?;
    Ok(String::from_utf8_lossy(&back).into_owned())
}

async fn until(condition: impl Fn() -> bool) {
    while !condition() {
        runtime::sleep(1.millis()).await;
    }
}

#[test]
fn each_connection_is_a_process_and_one_that_fails_hurts_no_other() -> Checked {
    runtime::run("test", async {
        let listener = Listener::start(local(), Options::default(), echo).await?;
        let mut clients = Vec::new();
        for number in 0..5 {
            let mut client = TcpStream::connect(listener.local_addr()).await?;
            assert_eq!(say(&mut client, &format!("hello {number}")).await?, format!("hello {number}"));
            clients.push(client);
        }
        let connections = listener.connections();
        assert_eq!((connections.len(), listener.count()), (5, 5));
        assert!(connections.iter().all(|one| one.state == ConnectionState::Active && one.bytes_in == 7));
        // A client may hear its echo before the server's write has returned and is counted.
        until(|| listener.connections().iter().all(|one| one.bytes_out == 7)).await;

        clients[0].write_all(b"panic").await?;
        clients[1].write_all(b"error").await?;
        otp::kill(connections[2].pid.unwrap());
        for client in &mut clients[..3] {
            assert!(!matches!(client.read(&mut [0; 1]).await, Ok(1..)), "the connection is over");
        }
        until(|| listener.count() == 2).await;
        for client in &mut clients[3..] {
            assert_eq!(say(client, "still here").await?, "still here");
        }
        drop(clients);
        until(|| listener.count() == 0).await;
        assert_eq!(otp::count(), 4, "the supervisors, the acceptor and the drain");
        Ok(())
    })
}

#[test]
fn at_the_cap_further_ones_wait_and_at_an_addresss_cap_they_are_reset() -> Checked {
    runtime::run("test", async {
        let listener = Listener::start(local(), Options { max_connections: 1, ..Options::default() }, echo).await?;
        let mut first = TcpStream::connect(listener.local_addr()).await?;
        assert_eq!(say(&mut first, "one").await?, "one");
        let mut second = TcpStream::connect(listener.local_addr()).await?;
        second.write_all(b"two").await?;
        assert!(runtime::timeout(30.millis(), second.read(&mut [0; 1])).await.is_err(), "it waits");
        assert_eq!(listener.counters().accepted, 1);
        drop(first);
        let mut back = [0; 3];
        second.read_exact(&mut back).await?;

        let one_each = Options { max_per_address: 1, ..Options::default() };
        let listener = Listener::start(local(), one_each, echo).await?;
        let mut first = TcpStream::connect(listener.local_addr()).await?;
        assert_eq!(say(&mut first, "one").await?, "one");
        // The reset may be there before the connection is known to be made.
        let second = async {
            let mut second = TcpStream::connect(listener.local_addr()).await?;
            second.read(&mut [0; 1]).await
        };
        assert_eq!(second.await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
        assert_eq!(listener.counters().refused, 1);
        assert_eq!(say(&mut first, "still").await?, "still");
        Ok(())
    })
}

#[test]
fn suspended_it_accepts_nobody_and_resumed_it_serves_those_who_waited() -> Checked {
    runtime::run("test", async {
        let listener = Listener::start(local(), Options::default(), echo).await?;
        listener.suspend();
        let mut client = TcpStream::connect(listener.local_addr()).await?;
        client.write_all(b"hello").await?;
        assert!(runtime::timeout(30.millis(), client.read(&mut [0; 1])).await.is_err());
        listener.resume();
        let mut back = [0; 5];
        client.read_exact(&mut back).await?;
        assert_eq!(&back, b"hello");
        Ok(())
    })
}

#[test]
fn a_drain_lets_the_polite_finish_and_kills_the_rest() -> Checked {
    runtime::run("test", async {
        for (killed, timeout) in [(0, 60.secs()), (3, 20.millis())] {
            let options = Options { drain_timeout: timeout, ..Options::default() };
            let listener = if killed == 0 {
                Listener::start(local(), options, polite).await?
            } else {
                Listener::start(local(), options, echo).await?
            };
            let mut clients = Vec::new();
            for number in 0..3 {
                let mut client = TcpStream::connect(listener.local_addr()).await?;
                if number > 0 {
                    say(&mut client, "hello").await?;
                }
                clients.push(client);
            }
            until(|| listener.count() == 3).await;
            let report = listener.drain().await;
            assert_eq!((report.finished, report.killed), (3 - killed, killed));
            assert_eq!(listener.count(), 0);
            assert!(TcpStream::connect(listener.local_addr()).await.is_err(), "the socket is closed");
            assert!(!otp::is_alive(listener.acceptor().unwrap()));
        }
        Ok(())
    })
}

#[test]
fn a_drain_that_was_given_up_can_be_called_again() -> Checked {
    runtime::run("test", async {
        let listener = Listener::start(local(), Options::default(), polite).await?;
        // Asked once and given up, before the acceptor can have heard of it.
        let mut drain = Box::pin(listener.drain());
        std::future::poll_fn(|cx| std::task::Poll::Ready(drain.as_mut().poll(cx).is_pending())).await;
        drop(drain);
        listener.drain().await;
        assert!(!otp::is_alive(listener.acceptor().unwrap()), "it no longer accepts");
        assert!(TcpStream::connect(listener.local_addr()).await.is_err(), "the socket is closed");
        Ok(())
    })
}

#[test]
fn a_stop_waits_for_nobody() -> Checked {
    runtime::run("test", async {
        let listener = Listener::start(local(), Options::default(), echo).await?;
        let mut client = TcpStream::connect(listener.local_addr()).await?;
        say(&mut client, "hello").await?;
        let report = listener.stop().await;
        assert_eq!((report.finished, report.killed, listener.count()), (0, 1, 0));
        assert!(!matches!(client.read(&mut [0; 1]).await, Ok(1..)), "the connection is over");
        Ok(())
    })
}

#[test]
fn a_handler_may_wait_without_a_buffer_within_the_same_limit() -> Checked {
    runtime::run("test", async {
        let options = Options { read_timeout: Duration::from_millis(20), ..Options::default() };
        let listener = Listener::start(local(), options, lean).await?;
        let mut client = TcpStream::connect(listener.local_addr()).await?;
        assert_eq!(say(&mut client, "hello").await?, "hello");
        assert_eq!(client.read(&mut [0; 1]).await?, 0, "the server closed it");
        Ok(())
    })
}

#[test]
fn the_limits_of_time_end_a_connection_that_is_too_slow() -> Checked {
    runtime::run("test", async {
        let short = Duration::from_millis(20);
        let long = Duration::from_mins(10);
        let cases = [
            (Options { handshake_timeout: short, read_timeout: long, ..Options::default() }, ""),
            (Options { handshake_timeout: long, read_timeout: short, ..Options::default() }, "hello"),
            (
                Options {
                    handshake_timeout: long,
                    read_timeout: long,
                    idle_timeout: Some(short),
                    ..Options::default()
                },
                "hello",
            ),
        ];
        for (options, said) in cases {
            let listener = Listener::start(local(), options, echo).await?;
            let mut client = TcpStream::connect(listener.local_addr()).await?;
            assert_eq!(say(&mut client, said).await?, said);
            assert_eq!(client.read(&mut [0; 1]).await?, 0, "the server closed it");
            until(|| listener.count() == 0).await;
        }
        Ok(())
    })
}

#[test]
fn a_port_in_use_is_said_in_one_line() -> Checked {
    runtime::run("test", async {
        let listener = Listener::start(local(), Options::default(), echo).await?;
        let error = Listener::start(listener.local_addr(), Options::default(), echo).await.unwrap_err();
        assert!(matches!(error, ListenError::InUse(_)));
        let port = listener.local_addr().port();
        assert_eq!(
            error.to_string(),
            format!("port {port} is in use; stop the other program or choose another port (0 takes a free one)")
        );
        let elsewhere = Listener::start("192.0.2.1:0".parse()?, Options::default(), echo).await.unwrap_err();
        assert_eq!(elsewhere.code(), "net.not_here");
        Ok(())
    })
}

#[test]
fn a_tree_that_is_started_again_listens_again() -> Checked {
    runtime::run("test", async {
        let listener = Listener::bind(local(), Options::default(), polite).await?;
        let store = otp::ChildSpec::task(std::future::pending::<()>);
        let tree = otp::Supervisor::rest_for_one().child("store", store).child("listener", listener.child());
        let tree = tree.start("root").await?;
        let mut before = TcpStream::connect(listener.local_addr()).await?;
        assert_eq!(say(&mut before, "before").await?, "before");

        // What the listener stands on crashes: it is stopped, and started again after that.
        let store = tree.which_children().await?[0].pid.unwrap();
        otp::kill(store);
        assert_eq!(before.read(&mut [0; 1]).await?, 0, "it was drained");
        let mut after = loop {
            match TcpStream::connect(listener.local_addr()).await {
                Ok(stream) => break stream,
                Err(_) => runtime::sleep(1.millis()).await,
            }
        };
        assert_eq!(say(&mut after, "after").await?, "after");
        drop(after);

        assert_eq!(listener.drain().await.killed, 0);
        assert!(TcpStream::connect(listener.local_addr()).await.is_err(), "whoever drains it has ended it");
        tree.stop(5.secs()).await;
        Ok(())
    })
}
