//! The real thing: tokio on the loopback device.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpStream, UdpSocket, tcp};

use super::{HANGS, outcome};
use crate::arm::{Arm, Scene};
use crate::cases::Case;

pub struct Kernel;

impl Arm for Kernel {
    type Listener = TcpListener;
    type Stream = TcpStream;
    type ReadHalf = tcp::OwnedReadHalf;
    type WriteHalf = tcp::OwnedWriteHalf;
    type Udp = UdpSocket;

    async fn bind(addr: SocketAddr) -> io::Result<TcpListener> {
        TcpListener::bind(addr).await
    }
    async fn accept(listener: &mut TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
        listener.accept().await
    }
    async fn connect(addr: SocketAddr) -> io::Result<TcpStream> {
        TcpStream::connect(addr).await
    }
    fn split(stream: TcpStream) -> (tcp::OwnedReadHalf, tcp::OwnedWriteHalf) {
        stream.into_split()
    }
    fn addresses(stream: &TcpStream) -> io::Result<(SocketAddr, SocketAddr)> {
        Ok((stream.local_addr()?, stream.peer_addr()?))
    }
    fn zero_linger(stream: &mut TcpStream) -> bool {
        stream.set_zero_linger().is_ok()
    }
    async fn udp(addr: SocketAddr) -> io::Result<UdpSocket> {
        UdpSocket::bind(addr).await
    }
    fn udp_addr(socket: &UdpSocket) -> io::Result<SocketAddr> {
        socket.local_addr()
    }
    async fn send_to(socket: &UdpSocket, bytes: &[u8], to: SocketAddr) -> io::Result<usize> {
        socket.send_to(bytes, to).await
    }
    async fn recv_from(socket: &UdpSocket, into: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        socket.recv_from(into).await
    }
    async fn udp_connect(socket: &UdpSocket, to: SocketAddr) -> Option<io::Result<()>> {
        Some(socket.connect(to).await)
    }
    async fn send(socket: &UdpSocket, bytes: &[u8]) -> io::Result<usize> {
        socket.send(bytes).await
    }
    async fn recv(socket: &UdpSocket, into: &mut [u8]) -> io::Result<usize> {
        socket.recv(into).await
    }
    async fn sleep(time: Duration) {
        tokio::time::sleep(time).await;
    }
    fn now() -> Duration {
        static START: OnceLock<Instant> = OnceLock::new();
        START.get_or_init(Instant::now).elapsed()
    }
}

pub fn run(case: &Case, port: u16) -> Result<Vec<String>, String> {
    let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let scene = Scene::new(loopback, loopback, port);
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
    let (server, client) = (case.server::<Kernel>(scene.clone()), case.client::<Kernel>(scene.clone()));
    let ended = runtime.block_on(async {
        let server = tokio::spawn(server);
        let client = tokio::spawn(client);
        let both = async { (server.await, client.await) };
        match tokio::time::timeout(HANGS, both).await {
            Ok((Ok(()), Ok(()))) => Ok(()),
            Ok(_) => Err("a side panicked".to_owned()),
            Err(_) => Err("hangs".to_owned()),
        }
    });
    outcome(&scene, ended)
}
