//! A link between the replicas for the simulation: a TCP connection to each other node, and little room before it. What
//! there is no room for is lost, and so is what was under way when a connection breaks.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use simurgh::channels::presence::{Link, Presence, ReplicaId};
use simurgh::prelude::*;
use simurgh::runtime::net::{TcpListener, TcpStream};
use simurgh::runtime::task;
use tokio::sync::mpsc;

/// Messages that wait for one connection.
const QUEUE_MAX: usize = 16;
/// Bytes of one message.
const FRAME_MAX: usize = 1 << 20;

/// The way to the others.
pub(super) struct Mesh {
    peers: Vec<(String, mpsc::Sender<Arc<[u8]>>)>,
}

impl Mesh {
    /// To these, each with its name.
    pub(super) fn to(peers: Vec<(String, SocketAddr)>) -> Self {
        let begin = |(name, addr): (String, SocketAddr)| {
            let (sender, queue) = mpsc::channel(QUEUE_MAX);
            let _detached = task::Builder::new().label("to a peer").spawn(carry(addr, queue));
            (name, sender)
        };
        Self { peers: peers.into_iter().map(begin).collect() }
    }
}

impl Link for Mesh {
    fn broadcast(&self, shard: usize, message: Vec<u8>) {
        let frame = frame(shard, &message);
        for (_, queue) in &self.peers {
            let _ = queue.try_send(Arc::clone(&frame));
        }
    }

    fn send(&self, shard: usize, to: &ReplicaId, message: Vec<u8>) {
        let frame = frame(shard, &message);
        for (_, queue) in self.peers.iter().filter(|(name, _)| **name == **to.name()) {
            let _ = queue.try_send(Arc::clone(&frame));
        }
    }
}

fn frame(shard: usize, message: &[u8]) -> Arc<[u8]> {
    let head = (message.len() as u32).to_be_bytes();
    head.iter().chain(&[shard as u8]).chain(message).copied().collect()
}

/// Writes what is queued, over one connection after the other.
async fn carry(addr: SocketAddr, mut queue: mpsc::Receiver<Arc<[u8]>>) {
    loop {
        if let Ok(Ok(mut stream)) = timeout(2.secs(), TcpStream::connect(addr)).await {
            loop {
                let Some(frame) = queue.recv().await else { return };
                // Each is acknowledged: else nobody would notice that a way is cut, and TCP tries again ever more seldom.
                if !matches!(timeout(3.secs(), exchange(&mut stream, &frame)).await, Ok(Ok(()))) {
                    break;
                }
            }
        }
        if queue.is_closed() {
            return;
        }
        sleep(200.millis()).await;
    }
}

async fn exchange(stream: &mut TcpStream, frame: &[u8]) -> io::Result<()> {
    stream.write_all(frame).await?;
    stream.read_u8().await.map(drop)
}

/// Takes what the others send.
pub(super) async fn listen(presence: Presence) {
    let addr = SocketAddr::from(([0, 0, 0, 0], super::PORT));
    loop {
        let Ok(mut listener) = TcpListener::bind(addr).await else {
            sleep(100.millis()).await;
            continue;
        };
        while let Ok((stream, _)) = listener.accept().await {
            let presence = presence.clone();
            let _detached = task::Builder::new().label("from a peer").spawn(async move {
                let _ = read(stream, &presence).await;
            });
        }
    }
}

async fn read(mut stream: TcpStream, presence: &Presence) -> io::Result<()> {
    loop {
        // There are heartbeats more often. What comes later is of a connection that its other side has given up.
        let frame = timeout(8.secs(), read_frame(&mut stream)).await;
        let (shard, message) = frame.map_err(|_| io::ErrorKind::TimedOut)??;
        presence.receive(shard, &message).map_err(io::Error::other)?;
        stream.write_u8(1).await?;
    }
}

async fn read_frame(stream: &mut TcpStream) -> io::Result<(usize, Vec<u8>)> {
    let len = stream.read_u32().await? as usize;
    let shard = stream.read_u8().await?;
    if len > FRAME_MAX {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut message = vec![0; len];
    stream.read_exact(&mut message).await?;
    Ok((usize::from(shard), message))
}
