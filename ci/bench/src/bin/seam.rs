//! What the seam costs: both ends of one connection in one process, in three forms, for callgrind;
//! and polls, for the clock.
//!
//! - `seam echo tokio|runtime|header K`: a client task and a server task exchange K lines of 64
//!   bytes over loopback. `tokio` is plain; `runtime` has the runtime's sockets in tokio's tasks;
//!   `header` has them in the runtime's tasks.
//! - `seam polls tokio|header N`: a task that yields N times: prints the nanoseconds per poll.
//!
//! Run it with one worker thread (`TOKIO_WORKER_THREADS=1`), so that what runs when is the same
//! each time.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::task::Poll;
use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

const USAGE: &str = "usage: seam echo tokio|runtime|header K, seam polls tokio|header N";

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let [what, variant, count] = args[..] else { panic!("{USAGE}") };
    let count: u64 = count.parse().expect(USAGE);
    match (what, variant) {
        ("echo", "tokio") => bench::runtime().block_on(async {
            let listener = tokio::net::TcpListener::bind(any_port()).await.expect("a port");
            let addr = listener.local_addr().expect("an address");
            let client = tokio::net::TcpStream::connect(addr).await.expect("a connection");
            let (server, _) = listener.accept().await.expect("a connection");
            client.set_nodelay(true).and(server.set_nodelay(true)).expect("an option");
            let server = tokio::spawn(serve(server));
            tokio::spawn(ask(client, count)).await.expect("an end");
            server.await.expect("an end");
        }),
        ("echo", "runtime") => bench::runtime().block_on(async {
            let (client, server) = ends().await;
            let server = tokio::spawn(serve(server));
            tokio::spawn(ask(client, count)).await.expect("an end");
            server.await.expect("an end");
        }),
        ("echo", "header") => simurgh_runtime::run("seam", async move {
            let (client, server) = ends().await;
            let server = simurgh_runtime::spawn(serve(server));
            simurgh_runtime::spawn(ask(client, count)).await.expect("an end");
            server.await.expect("an end");
        }),
        ("polls", "tokio") => {
            println!(
                "{}",
                bench::runtime().block_on(async move { tokio::spawn(yields(count)).await.expect("a time") })
            );
        }
        ("polls", "header") => {
            let polled = async move { simurgh_runtime::spawn(yields(count)).await.expect("a time") };
            println!("{}", simurgh_runtime::run("seam", polled));
        }
        _ => panic!("{USAGE}"),
    }
}

fn any_port() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

async fn ends() -> (simurgh_runtime::net::TcpStream, simurgh_runtime::net::TcpStream) {
    let mut listener = simurgh_runtime::net::TcpListener::bind(any_port()).await.expect("a port");
    let addr = listener.local_addr().expect("an address");
    let client = simurgh_runtime::net::TcpStream::connect(addr).await.expect("a connection");
    let (server, _) = listener.accept().await.expect("a connection");
    client.set_nodelay(true).and(server.set_nodelay(true)).expect("an option");
    (client, server)
}

/// The same code for all.
async fn serve(mut stream: impl AsyncReadExt + AsyncWriteExt + Unpin) {
    let mut buffer = [0u8; 4096];
    while let Ok(len @ 1..) = stream.read(&mut buffer).await {
        if stream.write_all(&buffer[..len]).await.is_err() {
            return;
        }
    }
}

/// The same code for all.
async fn ask(mut stream: impl AsyncReadExt + AsyncWriteExt + Unpin, count: u64) {
    let mut heard = [0u8; 64];
    for _ in 0..count {
        stream.write_all(&[b'x'; 64]).await.expect("written");
        stream.read_exact(&mut heard).await.expect("read");
    }
    assert_eq!(heard, [b'x'; 64], "what came back is what was said");
}

/// Nanoseconds per poll of a task that does nothing else.
async fn yields(count: u64) -> f64 {
    let start = Instant::now();
    for _ in 0..count {
        let mut yielded = false;
        poll_fn(|cx| {
            if std::mem::replace(&mut yielded, true) {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }
    start.elapsed().as_nanos() as f64 / count as f64
}
