//! Clients that go away.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use simurgh_http::Server;
use simurgh_runtime::net::TcpStream;
use simurgh_runtime::{DurationExt, Instant, sleep};
use simurgh_web::{Conn, Endpoint, Plug, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::case::{Arm, Only, Stage, cases};

const CONNECTED: Only =
    Only { arms: &[Arm::Sockets, Arm::Simulator], because: "in memory there is no connection that could end" };

/// After its client has gone.
const CANCELLED_WITHIN: Duration = Duration::from_millis(50);

cases! {
    "lives.get_is_cancelled": "a GET whose client goes away is dropped within 50 ms" => get_is_cancelled only CONNECTED;
    "lives.stream_is_cancelled": "a stream whose client goes away is dropped within 50 ms" => stream_is_cancelled only CONNECTED;
    "lives.post_is_shielded": "a POST that began ends, though its client has gone" => post_is_shielded only CONNECTED;
    "lives.body_breaks_off": "a body that breaks off is an error for its handler" => body_breaks_off only CONNECTED;
    "lives.drain": "a drain answers what is under way" => drain only CONNECTED;
}

/// What became of handlers.
#[derive(Clone, Default)]
struct Lives {
    begun: Arc<AtomicUsize>,
    done: Arc<AtomicUsize>,
    dropped: Arc<AtomicUsize>,
    broken: Arc<AtomicUsize>,
}

/// Counts an end, whichever it is.
struct Life(Lives, bool);

impl Drop for Life {
    fn drop(&mut self) {
        let counter = if self.1 { &self.0.done } else { &self.0.dropped };
        counter.fetch_add(1, Ordering::SeqCst);
    }
}

impl Plug for Lives {
    async fn call(&self, conn: &mut Conn) -> Result {
        self.begun.fetch_add(1, Ordering::SeqCst);
        let mut life = Life(self.clone(), false);
        match conn.path() {
            "/never" => std::future::pending::<()>().await,
            "/slow" => sleep(200.millis()).await,
            "/stream" => {
                conn.stream(move |mut chunks| async move {
                    let _life = life;
                    loop {
                        chunks.send(vec![b'x'; 1_000]).await?;
                        sleep(1.millis()).await;
                    }
                });
                return Ok(());
            }
            _ => {
                if let Err(error) = conn.take_body().unwrap_or_default().collect(1_024).await {
                    self.broken.fetch_add(1, Ordering::SeqCst);
                    life.1 = true;
                    return Err(error.into());
                }
            }
        }
        life.1 = true;
        conn.text("done");
        Ok(())
    }
}

impl Lives {
    fn counts(&self) -> (usize, usize) {
        (self.done.load(Ordering::SeqCst), self.dropped.load(Ordering::SeqCst))
    }
}

/// A client that has asked for this, and a handler that has begun.
async fn begin(stage: &Stage, request: &str) -> (Server, Lives, TcpStream) {
    let lives = Lives::default();
    let server = stage.server(Endpoint::new(lives.clone())).await;
    let mut stream = TcpStream::connect(server.local_addr()).await.unwrap();
    stream.write_all(format!("{request}\r\nhost: localhost\r\n").as_bytes()).await.unwrap();
    let rest = if request.starts_with("PUT") { "content-length: 9\r\n\r\nhalf" } else { "\r\n" };
    stream.write_all(rest.as_bytes()).await.unwrap();
    until(|| lives.begun.load(Ordering::SeqCst) == 1).await;
    (server, lives, stream)
}

async fn until(condition: impl Fn() -> bool) {
    let since = Instant::now();
    while !condition() {
        assert!(since.elapsed() < Duration::from_secs(20), "it has not come to that");
        sleep(1.millis()).await;
    }
}

async fn get_is_cancelled(stage: Stage) {
    let (server, lives, stream) = begin(&stage, "GET /never HTTP/1.1").await;
    let since = Instant::now();
    drop(stream);
    until(|| lives.counts() == (0, 1)).await;
    assert!(since.elapsed() < CANCELLED_WITHIN, "{:?}", since.elapsed());
    assert_eq!(server.shielded(), 0);
}

async fn stream_is_cancelled(stage: Stage) {
    let (_server, lives, mut stream) = begin(&stage, "GET /stream HTTP/1.1").await;
    let mut some = [0; 1_000];
    stream.read_exact(&mut some).await.unwrap();
    let since = Instant::now();
    drop(stream);
    until(|| lives.counts() == (0, 1)).await;
    assert!(since.elapsed() < CANCELLED_WITHIN, "{:?}", since.elapsed());
}

async fn post_is_shielded(stage: Stage) {
    let (server, lives, stream) = begin(&stage, "POST /slow HTTP/1.1").await;
    drop(stream);
    until(|| lives.counts() == (1, 0)).await;
    until(|| server.shielded() == 0).await;
}

async fn body_breaks_off(stage: Stage) {
    let (_server, lives, stream) = begin(&stage, "PUT /body HTTP/1.1").await;
    drop(stream);
    until(|| lives.broken.load(Ordering::SeqCst) == 1).await;
}

async fn drain(stage: Stage) {
    let (server, lives, mut stream) = begin(&stage, "GET /slow HTTP/1.1").await;
    let report = server.drain().await;
    assert_eq!((report.killed, lives.counts()), (0, (1, 0)));
    let mut heard = String::new();
    stream.read_to_string(&mut heard).await.unwrap();
    assert!(heard.starts_with("HTTP/1.1 200 OK\r\n") && heard.ends_with("done"), "{heard}");
}
