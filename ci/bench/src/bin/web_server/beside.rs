//! The peers, each as its documentation would have it.

use std::convert::Infallible;

use axum::Json;
use axum::routing::get;
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::Builder;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use crate::{PLAIN, answer};

/// On a scheduler with one worker thread, of several possible ones, or on one that can have no other.
pub fn run(is_alone: bool, serve: impl Future<Output = ()> + Send + 'static) {
    let mut runtime = if is_alone { Builder::new_current_thread() } else { Builder::new_multi_thread() };
    let runtime = runtime.enable_all().build().expect("a runtime");
    // On a worker, as ours: an accept loop on the main thread would pay a wake-up for each connection.
    runtime.block_on(async { tokio::spawn(serve).await.expect("an end") });
}

fn listen() -> TcpListener {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind("127.0.0.1:0".parse().expect("an address")).expect("a free port");
    let listener = socket.listen(1024).expect("a listener");
    println!("{}", listener.local_addr().expect("bound").port());
    listener
}

async fn each<F: Future<Output = ()> + Send + 'static>(serve: impl Fn(TcpStream) -> F) {
    let listener = listen();
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let _ = stream.set_nodelay(true);
        tokio::spawn(serve(stream));
    }
}

pub async fn hyper() {
    each(|stream| async move {
        let serving = hyper::server::conn::http1::Builder::new();
        let _ = serving.serve_connection(TokioIo::new(stream), service_fn(bare)).await;
    })
    .await;
}

async fn bare(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (content_type, body) = match request.uri().path() {
        "/plain" => ("text/plain; charset=utf-8", Bytes::from_static(PLAIN.as_bytes())),
        "/json" => ("application/json", serde_json::to_vec(&answer()).expect("it serializes").into()),
        _ => {
            let mut response = Response::new(Full::default());
            *response.status_mut() = StatusCode::NOT_FOUND;
            return Ok(response);
        }
    };
    let mut response = Response::new(Full::new(body));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    Ok(response)
}

pub async fn axum() {
    let routes = axum::Router::new().route("/plain", get(async || PLAIN)).route("/json", get(async || Json(answer())));
    let listener = axum::serve::ListenerExt::tap_io(listen(), |stream| {
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, routes).await.expect("a server");
}

pub async fn tungstenite() {
    each(|stream| async move {
        let config = WebSocketConfig::default().read_buffer_size(4 << 10);
        let Ok(mut socket) = tokio_tungstenite::accept_async_with_config(stream, Some(config)).await else { return };
        while let Some(Ok(message)) = socket.next().await {
            if (message.is_text() || message.is_binary()) && socket.send(message).await.is_err() {
                return;
            }
        }
    })
    .await;
}

pub async fn fastwebsockets() {
    use fastwebsockets::{Frame, OpCode, Role, WebSocket};

    each(|mut stream| async move {
        if shake_hands(&mut stream).await.is_none() {
            return;
        }
        let mut socket = WebSocket::after_handshake(stream, Role::Server);
        socket.set_auto_close(true);
        socket.set_auto_pong(true);
        while let Ok(frame) = socket.read_frame().await {
            let is_echoed = matches!(frame.opcode, OpCode::Text | OpCode::Binary);
            // A new frame: the old one has the client's mask, which a server must not send (RFC 6455, 5.1).
            let answer = Frame::new(true, frame.opcode, None, frame.payload);
            if !is_echoed || socket.write_frame(answer).await.is_err() {
                return;
            }
        }
    })
    .await;
}

/// By hand, as `fastwebsockets` leaves it to whoever speaks HTTP.
async fn shake_hands(stream: &mut TcpStream) -> Option<()> {
    let (mut head, mut len) = ([0; 2 << 10], 0);
    while !head[..len].ends_with(b"\r\n\r\n") {
        len += stream.read(&mut head[len..]).await.ok().filter(|len| *len > 0)?;
    }
    let text = std::str::from_utf8(&head[..len]).ok()?;
    let key = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("sec-websocket-key").then(|| value.trim())
    })?;
    let accept = tokio_tungstenite::tungstenite::handshake::derive_accept_key(key.as_bytes());
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: {accept}\r\n\r\n"
    );
    stream.write_all(answer.as_bytes()).await.ok()
}
