//! What the tests of the server share.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use simurgh_http::{Body, Client, Options, Request, Response, Server, Service};
use simurgh_runtime::net::TcpStream;
use simurgh_runtime::{DurationExt, sleep, timeout};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

pub(crate) type Checked = Result<(), Box<dyn std::error::Error + Send + Sync>>;

pub(crate) fn run(body: impl Future<Output = Checked> + Send + 'static) {
    simurgh_runtime::run("test", async { timeout(Duration::from_secs(30), body).await.expect("in half a minute") })
        .unwrap();
}

pub(crate) async fn start(options: Options, service: impl Service) -> Server {
    Server::start("127.0.0.1:0".parse().unwrap(), options, service).await.unwrap()
}

/// What handlers have done.
#[derive(Clone, Default)]
pub(crate) struct Seen {
    pub(crate) begun: Arc<AtomicUsize>,
    pub(crate) done: Arc<AtomicUsize>,
    pub(crate) dropped: Arc<AtomicUsize>,
}

impl Seen {
    pub(crate) fn begun(&self) -> usize {
        self.begun.load(Ordering::SeqCst)
    }

    pub(crate) fn done(&self) -> usize {
        self.done.load(Ordering::SeqCst)
    }

    pub(crate) fn dropped(&self) -> usize {
        self.dropped.load(Ordering::SeqCst)
    }
}

/// Counts a handler's end, whichever it is.
struct Guard(Seen, bool);

impl Drop for Guard {
    fn drop(&mut self) {
        let counter = if self.1 { &self.0.done } else { &self.0.dropped };
        counter.fetch_add(1, Ordering::SeqCst);
    }
}

/// Answers by path; what the paths do is said where they are used.
#[derive(Clone, Default)]
pub(crate) struct App(pub(crate) Seen);

impl Service for App {
    async fn call(&self, request: Request, _: &Client) -> Response {
        self.0.begun.fetch_add(1, Ordering::SeqCst);
        let mut guard = Guard(self.0.clone(), false);
        let path = request.uri().path().to_owned();
        let response = match path.as_str() {
            "/echo" => match request.into_body().collect(1 << 20).await {
                Ok(bytes) => Response::new(bytes.into()),
                Err(error) => {
                    let mut response = Response::new(error.code().into());
                    *response.status_mut() = error.status();
                    response
                }
            },
            "/slow" => {
                sleep(200.millis()).await;
                Response::new("slow".into())
            }
            "/never" => {
                std::future::pending::<()>().await;
                Response::new("never".into())
            }
            "/stream" => {
                let guard = std::mem::replace(&mut guard, Guard(Seen::default(), true));
                Response::new(Body::stream(move |mut chunks| async move {
                    let _guard = guard;
                    loop {
                        chunks.send(vec![b'x'; 1_000]).await?;
                        sleep(1.millis()).await;
                    }
                }))
            }
            "/large" => Response::new(vec![b'x'; 8 << 20].into()),
            "/panic" => panic!("as asked"),
            "/host" => Response::new(format!("{:?}", request.headers().get("host").unwrap()).into()),
            _ => Response::new("hello".into()),
        };
        guard.1 = true;
        response
    }
}

/// Says it, and hears all that comes until the connection ends.
pub(crate) async fn exchange(server: &Server, said: impl AsRef<[u8]>) -> String {
    let mut stream = TcpStream::connect(server.local_addr()).await.unwrap();
    stream.write_all(said.as_ref()).await.unwrap();
    heard(&mut stream).await
}

/// All that comes until the connection ends.
pub(crate) async fn heard(stream: &mut TcpStream) -> String {
    let mut heard = Vec::new();
    let _ = stream.read_to_end(&mut heard).await; // what came before a reset counts
    String::from_utf8_lossy(&heard).into_owned()
}

/// Reads until the text has come.
pub(crate) async fn hear(stream: &mut TcpStream, text: &str) -> String {
    let mut heard = Vec::new();
    while !String::from_utf8_lossy(&heard).contains(text) {
        let read = stream.read_buf(&mut heard).await.unwrap();
        assert!(read > 0, "ended after {:?} and without {text:?}", String::from_utf8_lossy(&heard));
    }
    String::from_utf8_lossy(&heard).into_owned()
}

pub(crate) async fn until(condition: impl Fn() -> bool) {
    while !condition() {
        sleep(1.millis()).await;
    }
}

pub(crate) fn statuses(heard: &str) -> Vec<u16> {
    heard.split("HTTP/1.1 ").skip(1).filter_map(|rest| rest.get(..3)?.parse().ok()).collect()
}
