//! The peer: an echo server on bare tokio, a task and a buffer (4096 or 16384 bytes) per connection.
//! `peer BUFFER_BYTES`

use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn main() -> std::io::Result<()> {
    // On a worker, as ours: an accept loop on the main thread would pay a wake-up for each connection.
    bench::runtime().block_on(async { tokio::spawn(serve()).await.expect("an end") })
}

async fn serve() -> std::io::Result<()> {
    let big = std::env::args().nth(1).as_deref() == Some("16384");
    let listener = tokio::net::TcpSocket::new_v4()?;
    listener.bind("127.0.0.1:0".parse().expect("an address"))?;
    let listener = listener.listen(1024)?;
    println!("{}", listener.local_addr()?.port());
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        if big {
            tokio::spawn(echo::<16384>(stream));
        } else {
            tokio::spawn(echo::<4096>(stream));
        }
    }
}

async fn echo<const N: usize>(mut stream: tokio::net::TcpStream) {
    let mut buffer = [0u8; N];
    while let Ok(len @ 1..) = stream.read(&mut buffer).await {
        if stream.write_all(&buffer[..len]).await.is_err() {
            return;
        }
    }
}
