//! Sockets on the loopback device.

use std::future::poll_fn;
use std::io;

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
        assert_eq!(free.send(b"whom?").await.unwrap_err().raw_os_error(), Some(libc::EDESTADDRREQ));
        assert_eq!(free.send_to(&vec![0; 65_508], gone).await.unwrap_err().raw_os_error(), Some(libc::EMSGSIZE));
    });
}

#[test]
fn a_name_that_nobody_has_is_an_error() {
    crate::run("test", async {
        assert!(lookup_host("no such host", 80).await.is_err());
        assert_eq!(lookup_host("::1", 80).await.unwrap(), ["[::1]:80".parse().unwrap()]);
    });
}
