//! Our simulator, in a world without faults.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use simurgh_runtime as runtime;
use simurgh_runtime::net::{OwnedReadHalf, OwnedWriteHalf, TcpListener, TcpStream, UdpSocket};
use simurgh_sim::{Body, Exit, Profile, RunConfig, run_once};

use super::{HANGS, outcome};
use crate::arm::{Arm, Scene};
use crate::cases::Case;

pub struct Ours;

impl Arm for Ours {
    type Listener = TcpListener;
    type Stream = TcpStream;
    type ReadHalf = OwnedReadHalf;
    type WriteHalf = OwnedWriteHalf;
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
    fn split(stream: TcpStream) -> (OwnedReadHalf, OwnedWriteHalf) {
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
        runtime::sleep(time).await;
    }
    fn now() -> Duration {
        runtime::Instant::now().elapsed_since_start()
    }
}

trait SinceStart {
    fn elapsed_since_start(self) -> Duration;
}

impl SinceStart for runtime::Instant {
    fn elapsed_since_start(self) -> Duration {
        // The clock of the wall starts at a fixed moment in each run and goes with the other.
        Duration::from_nanos(runtime::Timestamp::now().as_nanos() as u64)
    }
}

pub fn run(case: &Case, port: u16) -> Result<Vec<String>, String> {
    // Nodes have the addresses 10.0.0.0 (the world), 10.0.0.1 (the server) and 10.0.0.2 (the client).
    let server = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
    let scene = Scene::new(server, IpAddr::V4(Ipv4Addr::UNSPECIFIED), port);
    let (case, both) = (*case, scene.clone());
    let body: Body = Arc::new(move |sim| {
        let scene = both.clone();
        Box::pin(async move {
            let here = scene.clone();
            let server = sim.node("server", move || case.server::<Ours>(here.clone()));
            if server.ip() != scene.server {
                return Err(format!("the server is at {}", server.ip()));
            }
            let here = scene.clone();
            let client = sim.node("client", move || case.client::<Ours>(here.clone()));
            let ends = runtime::timeout(HANGS, async { [server.ended().await, client.ended().await] }).await;
            match ends {
                Ok(ends) if ends == [Exit::Finished, Exit::Finished] => Ok(()),
                Ok(ends) => Err(format!("{ends:?}")),
                Err(_) => Err("hangs".into()),
            }
        })
    });
    let report = run_once(&RunConfig::new(1, Profile::calm()), &body);
    outcome(&scene, report.failure.map_or(Ok(()), |failure| Err(failure.to_string().replace("failed: ", ""))))
}
