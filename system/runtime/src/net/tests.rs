//! Sockets on the loopback device.

use std::future::poll_fn;
use std::io;

use rustix::io::Errno;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

async fn pair() -> (TcpStream, TcpStream) {
    let mut listener = TcpListener::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    (client, listener.accept().await.unwrap().0)
}

#[test]
fn dropping_the_writing_half_ends_the_stream_and_reading_goes_on() {
    crate::run("test", async {
        let (client, mut server) = pair().await;
        let (mut read, mut write) = client.into_split();
        write.write_all(b"question").await.unwrap();
        drop(write);
        let mut question = String::new();
        server.read_to_string(&mut question).await.unwrap();
        server.write_all(b"answer").await.unwrap();
        drop(server);
        let mut answer = String::new();
        read.read_to_string(&mut answer).await.unwrap();
        assert_eq!((question.as_str(), answer.as_str()), ("question", "answer"));
    });
}

#[test]
fn trying_does_not_wait() {
    crate::run("test", async {
        let (mut client, mut server) = pair().await;
        let mut buffer = [0; 8];
        assert_eq!(server.try_read(&mut buffer).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        client.write_all(b"x").await.unwrap();
        poll_fn(|cx| server.poll_read_ready(cx)).await.unwrap();
        assert_eq!(server.try_read(&mut buffer).unwrap(), 1);
    });
}

/// More than the kernel holds, so that both sides meet short counts and have to wait, with reads that are short of what is
/// there, as long as it, and longer.
#[test]
fn what_is_written_in_short_counts_is_read_in_short_counts() {
    const LEN: usize = 8 << 20;
    let byte = |at: usize| (at / 251 + at) as u8;
    crate::run("test", async move {
        let (mut client, mut server) = pair().await;
        let writes = crate::spawn(async move {
            let all: Vec<u8> = (0..LEN).map(byte).collect();
            let mut shortest = LEN;
            let mut rest = &all[..];
            while !rest.is_empty() {
                let written = client.write(rest).await.unwrap();
                shortest = shortest.min(written);
                rest = &rest[written..];
            }
            shortest
        });
        let mut at = 0;
        for room in [1, 7, 4_096, 65_536, 1 << 20].into_iter().cycle() {
            let mut buffer = Vec::with_capacity(room);
            let count = server.read_buf(&mut buffer).await.unwrap();
            if count == 0 {
                break;
            }
            assert!(buffer.iter().enumerate().all(|(index, is)| *is == byte(at + index)), "after {at} bytes");
            at += count;
        }
        assert_eq!(at, LEN);
        assert!(writes.await.unwrap() < LEN, "a write was short");
    });
}

/// After a short count the socket is taken for empty; what comes then has to be noticed.
#[test]
fn what_comes_after_a_short_read_wakes_the_reader() {
    crate::run("test", async {
        let (mut client, mut server) = pair().await;
        for round in 0..1_000_u32 {
            client.write_all(&round.to_le_bytes()).await.unwrap();
            let mut buffer = [0; 64];
            assert_eq!(server.read(&mut buffer).await.unwrap(), 4);
            assert_eq!(server.try_read(&mut buffer).unwrap_err().kind(), io::ErrorKind::WouldBlock);
            server.write_all(&buffer[..4]).await.unwrap();
            assert_eq!(client.read_u32_le().await.unwrap(), round);
        }
        drop(client);
        assert_eq!(server.read(&mut [0; 64]).await.unwrap(), 0, "the end comes after a short count, too");
    });
}

#[test]
fn a_listener_survives_the_way_through_its_descriptor() {
    crate::run("test", async {
        let listener = TcpListener::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let addr = listener.local_addr().unwrap();
        let mut inherited = TcpListener::from_fd(listener.into_fd().unwrap()).unwrap();
        assert_eq!(inherited.local_addr().unwrap(), addr);
        let client = TcpStream::connect(addr).await.unwrap();
        assert_eq!(inherited.accept().await.unwrap().1, client.local_addr().unwrap());
    });
}

#[test]
fn a_connected_udp_socket_learns_that_nobody_listens_and_one_that_is_not_does_not() {
    crate::run("test", async {
        let any = "127.0.0.1:0".parse().unwrap();
        let gone = UdpSocket::bind(any).await.unwrap().local_addr().unwrap();
        let connected = UdpSocket::bind(any).await.unwrap();
        connected.connect(gone).await.unwrap();
        assert_eq!(connected.peer_addr().unwrap(), gone);
        connected.send(b"anybody?").await.unwrap();
        let error = connected.recv(&mut [0; 8]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);

        let free = UdpSocket::bind(any).await.unwrap();
        free.send_to(b"anybody?", gone).await.unwrap();
        let error = free.try_recv_from(&mut [0; 8]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        assert_eq!(free.send(b"whom?").await.unwrap_err().raw_os_error(), Some(Errno::DESTADDRREQ.raw_os_error()));
        assert_eq!(
            free.send_to(&vec![0; 65_508], gone).await.unwrap_err().raw_os_error(),
            Some(Errno::MSGSIZE.raw_os_error())
        );
    });
}

#[test]
fn a_name_that_nobody_has_is_an_error() {
    crate::run("test", async {
        assert!(lookup_host("no such host", 80).await.is_err());
        assert_eq!(lookup_host("::1", 80).await.unwrap(), ["[::1]:80".parse().unwrap()]);
    });
}
