//! What a delivery costs in a small world and in a large one, under the same load on each link.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use simurgh_runtime as runtime;
use simurgh_runtime::net::{TcpListener, TcpStream};
use simurgh_sim::{Body, Sim, run_once};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const PORT: u16 = 7;
/// Echoes of each link in one run, whatever its size.
const ROUNDS: usize = 500;

async fn serve() -> std::io::Result<()> {
    let mut listener = TcpListener::bind(([0, 0, 0, 0], PORT).into()).await?;
    loop {
        let (mut stream, _) = listener.accept().await?;
        drop(runtime::spawn(async move {
            let mut buffer = [0; 128];
            while let Ok(len @ 1..) = stream.read(&mut buffer).await {
                if stream.write_all(&buffer[..len]).await.is_err() {
                    return;
                }
            }
        }));
    }
}

async fn ask(to: Vec<SocketAddr>) {
    let links: Vec<_> = to
        .into_iter()
        .map(|addr| {
            runtime::spawn(async move {
                let mut stream = TcpStream::connect(addr).await.expect("a connection");
                let mut heard = [0; 64];
                for _ in 0..ROUNDS {
                    stream.write_all(&[b'x'; 64]).await.expect("written");
                    stream.read_exact(&mut heard).await.expect("read");
                }
            })
        })
        .collect();
    for link in links {
        link.await.expect("an end");
    }
}

async fn world(sim: Sim, nodes: usize, each: usize) -> Result<(), String> {
    let servers: Vec<_> = (0..nodes).map(|number| sim.node(&format!("server{number}"), serve).ip()).collect();
    let asking: Vec<_> = (0..nodes)
        .map(|number| {
            let to: Vec<_> =
                (1..=each).map(|step| SocketAddr::new(servers[(number + step) % nodes], PORT)).collect();
            sim.node(&format!("node{number}"), move || ask(to.clone()))
        })
        .collect();
    for node in asking {
        node.ended().await;
    }
    Ok(())
}

/// Nanoseconds per delivery with `nodes` nodes and `each` links from each of them.
pub fn ns_per_delivery(nodes: usize, each: usize, seconds: f64) -> f64 {
    let body: Body = Arc::new(move |sim| Box::pin(world(sim, nodes, each)));
    let start = Instant::now();
    let mut runs = 0;
    while runs == 0 || start.elapsed().as_secs_f64() < seconds {
        super::passed(run_once(&super::config(runs), &body));
        runs += 1;
    }
    start.elapsed().as_nanos() as f64 / (runs as usize * 2 * nodes * each * ROUNDS) as f64
}
