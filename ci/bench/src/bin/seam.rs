//! One connection's echo server in three forms, for callgrind, and polls, for the clock.
//!
//! - `seam echo tokio|runtime|header`: prints its port, serves one connection, ends with it.
//! - `seam polls tokio|header N`: a task that yields N times: prints the nanoseconds per poll.

use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[1..] {
        ["echo", "tokio"] => tokio_runtime().block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
            println!("{}", listener.local_addr().expect("an address").port());
            let (stream, _) = listener.accept().await.expect("a connection");
            tokio::spawn(serve(stream)).await.expect("an end");
        }),
        ["echo", "runtime"] => tokio_runtime().block_on(async { tokio::spawn(serve(accept().await)).await.expect("an end") }),
        ["echo", "header"] => {
            simurgh_runtime::run("seam", async {
                let stream = accept().await;
                simurgh_runtime::spawn(serve(stream)).await.expect("an end");
            });
        }
        ["polls", "tokio", count] => {
            let count = count.parse().expect("a number");
            println!("{}", tokio_runtime().block_on(async move { tokio::spawn(yields(count)).await.expect("a time") }));
        }
        ["polls", "header", count] => {
            let count = count.parse().expect("a number");
            let ns = simurgh_runtime::run("seam", async move { simurgh_runtime::spawn(yields(count)).await.expect("a time") });
            println!("{ns}");
        }
        _ => panic!("usage: seam echo tokio|runtime|header, seam polls tokio|header N"),
    }
}

fn tokio_runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime")
}

async fn accept() -> simurgh_runtime::net::TcpStream {
    let addr = "127.0.0.1:0".parse().expect("an address");
    let mut listener = simurgh_runtime::net::TcpListener::bind(addr).await.expect("a port");
    println!("{}", listener.local_addr().expect("an address").port());
    listener.accept().await.expect("a connection").0
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

/// Nanoseconds per poll of a task that does nothing else.
async fn yields(count: u64) -> f64 {
    let start = Instant::now();
    for _ in 0..count {
        let mut yielded = false;
        std::future::poll_fn(|cx| {
            if std::mem::replace(&mut yielded, true) {
                return std::task::Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            std::task::Poll::Pending
        })
        .await;
    }
    start.elapsed().as_nanos() as f64 / count as f64
}
