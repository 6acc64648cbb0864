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

    calls_as_tokio_has_them!();
    calls_that_turmoil_lacks!();

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
    let scene = Scene::new(loopback, loopback, port).on_the_machine();
    std::fs::create_dir_all(scene.folder()).map_err(|error| error.to_string())?;
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
    let _ = std::fs::remove_dir_all(scene.folder());
    outcome(&scene, ended)
}
