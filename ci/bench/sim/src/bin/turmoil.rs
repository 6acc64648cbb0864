//! The loads in turmoil.

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use bench_sim::work::{self, LATENCY, Load, PORT, SERVERS, World};
use turmoil::net::{TcpListener, TcpStream};

struct Turmoil;

impl World for Turmoil {
    type Stream = TcpStream;
    type Listener = TcpListener;

    async fn listen() -> io::Result<TcpListener> {
        TcpListener::bind(("0.0.0.0", PORT)).await
    }

    async fn accept(listener: &mut TcpListener) -> io::Result<TcpStream> {
        listener.accept().await.map(|(stream, _)| stream)
    }

    async fn connect(to: IpAddr) -> io::Result<TcpStream> {
        TcpStream::connect((to, PORT)).await
    }

    async fn sleep(time: Duration) {
        tokio::time::sleep(time).await;
    }

    fn spawn(task: impl Future<Output = ()> + Send + 'static) -> impl Future<Output = ()> + Send {
        let task = tokio::spawn(task);
        async move { task.await.expect("an end") }
    }
}

fn main() {
    let (figure, seconds, simulated) = work::arguments();
    work::figure(&figure, seconds, simulated, once);
}

fn once(load: Load, hosts: usize, clients: usize, seed: u64) {
    let mut builder = turmoil::Builder::new();
    builder.rng_seed(seed).min_message_latency(LATENCY.0).max_message_latency(LATENCY.1);
    builder.simulation_duration(Duration::from_secs(100_000));
    let mut sim = builder.build();
    let servers: [IpAddr; SERVERS] = std::array::from_fn(|number| {
        let name = format!("server{number}");
        sim.host(name.as_str(), move || async move {
            load.serve::<Turmoil>().await;
            Ok(())
        });
        sim.lookup(name.as_str())
    });
    let each = clients / hosts;
    for host in 0..hosts {
        sim.client(format!("clients{host}"), async move {
            load.ask::<Turmoil>(host * each, each, servers).await;
            Ok(())
        });
    }
    sim.run().expect("a run");
}
