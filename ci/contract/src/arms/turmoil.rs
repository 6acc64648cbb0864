//! turmoil.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use turmoil::net::{TcpListener, TcpStream, UdpSocket, tcp};

use super::{HANGS, outcome};
use crate::arm::{Arm, Scene};
use crate::cases::Case;

pub struct Turmoil;

const NO_SEND: &str = "its UdpSocket has no send and no recv";

impl Arm for Turmoil {
    type Listener = TcpListener;
    type Stream = TcpStream;
    type ReadHalf = tcp::OwnedReadHalf;
    type WriteHalf = tcp::OwnedWriteHalf;
    type Udp = UdpSocket;

    calls_as_tokio_has_them!();

    fn zero_linger(_: &mut TcpStream) -> bool {
        false
    }
    async fn udp_connect(_: &UdpSocket, _: SocketAddr) -> Option<io::Result<()>> {
        None
    }
    async fn send(_: &UdpSocket, _: &[u8]) -> io::Result<usize> {
        Err(io::Error::other(NO_SEND))
    }
    async fn recv(_: &UdpSocket, _: &mut [u8]) -> io::Result<usize> {
        Err(io::Error::other(NO_SEND))
    }
    async fn sleep(time: Duration) {
        tokio::time::sleep(time).await;
    }
    fn now() -> Duration {
        turmoil::elapsed()
    }
}

pub fn run(case: &Case, port: u16) -> Result<Vec<String>, String> {
    let mut sim = turmoil::Builder::new().rng_seed(1).simulation_duration(HANGS).build();
    let server = sim.lookup("server");
    let scene = Scene::new(server, IpAddr::V4(Ipv4Addr::UNSPECIFIED), port);
    let (case, here) = (*case, scene.clone());
    sim.client("server", async move {
        case.server::<Turmoil>(here).await;
        Ok(())
    });
    let here = scene.clone();
    sim.client("client", async move {
        case.client::<Turmoil>(here).await;
        Ok(())
    });
    let ended = match catch_unwind(AssertUnwindSafe(|| sim.run())) {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err("hangs".to_owned()),
        Err(_) => Err("a side panicked".to_owned()),
    };
    outcome(&scene, ended)
}
