//! A broadcaster on tokio-tungstenite and a broadcast channel, as its documentation would have it.

use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::broadcast::{self, error::RecvError};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{Message, protocol::WebSocketConfig};

/// Messages that a slow subscriber may be behind.
const BEHIND_MAX: usize = 1_024;

type Shouts = broadcast::Sender<(u64, Message)>;

pub fn run() {
    // On a worker, as ours: an accept loop on the main thread would pay a wake-up for each connection.
    bench::runtime().block_on(async { tokio::spawn(serve()).await.expect("an end") });
}

async fn serve() {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind("127.0.0.1:0".parse().expect("an address")).expect("a free port");
    let listener = socket.listen(1024).expect("a listener");
    println!("{}", listener.local_addr().expect("bound").port());
    let (shouts, _) = broadcast::channel(BEHIND_MAX);
    for number in 0.. {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let _ = stream.set_nodelay(true);
        tokio::spawn(client(number, stream, shouts.clone()));
    }
}

async fn client(number: u64, stream: TcpStream, shouts: Shouts) {
    let config = WebSocketConfig::default().read_buffer_size(4 << 10);
    let Ok(mut socket) = tokio_tungstenite::accept_async_with_config(stream, Some(config)).await else { return };
    // Only who has joined is subscribed.
    let mut heard: Option<broadcast::Receiver<(u64, Message)>> = None;
    loop {
        let next = async {
            match &mut heard {
                Some(heard) => heard.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            message = socket.next() => {
                let Some(Ok(message)) = message else { return };
                if !message.is_text() {
                    continue;
                }
                let text = message.to_text().unwrap_or_default();
                if text.contains("\"shout\"") {
                    let _ = shouts.send((number, message));
                } else {
                    if text.contains("\"phx_join\"") {
                        heard = Some(shouts.subscribe());
                    }
                    if socket.send(message).await.is_err() {
                        return;
                    }
                }
            }
            shout = next => match shout {
                Ok((from, message)) if from != number => {
                    if socket.send(message).await.is_err() {
                        return;
                    }
                }
                Ok(_) => {}
                Err(RecvError::Lagged(_) | RecvError::Closed) => return end(socket).await,
            }
        }
    }
}

async fn end(mut socket: WebSocketStream<TcpStream>) {
    let _ = socket.close(None).await;
}
