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

    calls_as_tokio_has_them!();
    calls_that_turmoil_lacks!();

    async fn sleep(time: Duration) {
        runtime::sleep(time).await;
    }
    fn now() -> Duration {
        // The wall clock starts at a fixed moment in each run, and here goes with the other.
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
        crate::children::register(sim);
        Box::pin(async move {
            let here = scene.clone();
            let server = sim.node("server", move || case.server::<Ours>(here.clone()));
            if server.ip() != scene.server {
                return Err(format!("the server is at {}", server.ip()));
            }
            let here = scene.clone();
            let client = sim.node("client", move || {
                let here = here.clone();
                async move {
                    runtime::fs::create_dir_all(here.folder()).expect("an empty disk");
                    case.client::<Ours>(here).await;
                }
            });
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
