//! madsim's sockets, clock and tasks.

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use madsim::net::{TcpListener, TcpStream};

use crate::work::{self, LATENCY, Load, PORT, SERVERS, World, address};

struct Madsim;

impl World for Madsim {
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
        madsim::time::sleep(time).await;
    }

    fn spawn(task: impl Future<Output = ()> + Send + 'static) -> impl Future<Output = ()> + Send {
        let task = madsim::task::spawn(task);
        async move { task.await.expect("an end") }
    }
}

pub fn main() {
    let (figure, seconds, simulated) = work::arguments();
    work::figure(&figure, seconds, simulated, once);
}

fn once(load: Load, hosts: usize, clients: usize, seed: u64) {
    let mut config = madsim::Config::default();
    config.net.send_latency = LATENCY.0..LATENCY.1;
    let runtime = madsim::runtime::Runtime::with_seed_and_config(seed, config);
    let servers: [IpAddr; SERVERS] = std::array::from_fn(|number| {
        let ip = address(number);
        let node = runtime.create_node().name(format!("server{number}")).ip(ip);
        drop(node.init(move || load.serve::<Madsim>()).build());
        ip
    });
    let each = clients / hosts;
    let hosts: Vec<_> = (0..hosts)
        .map(|host| {
            let node = runtime.create_node().name(format!("clients{host}")).ip(address(SERVERS + host)).build();
            node.spawn(load.ask::<Madsim>(host * each, each, servers))
        })
        .collect();
    runtime.block_on(async move {
        for host in hosts {
            host.await.expect("an end");
        }
    });
}
