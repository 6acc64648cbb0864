//! From a request to a socket.

use std::future::Future;

use http::{HeaderValue, StatusCode, header};

use super::handshake::{HandshakeError, ServerHandshake};
use super::{Options, Socket};
use crate::{Body, OnUpgrade, Request, Response, Upgraded};

/// Answers a request for a WebSocket with 101; `handler` then has the connection, in the connection's process.
/// Who may come (origin, session) is for the caller to say, before this.
///
/// ```
/// use simurgh_http::ws::{self, Message};
/// use simurgh_http::{Client, Options, Request, Response, Server};
///
/// async fn echo(request: Request, _: Client) -> Response {
///     let answer = ws::upgrade(&request, &ws::Options::default(), async |mut socket| {
///         while let Ok(Some(message)) = socket.recv().await {
///             if socket.send(message).await.is_err() {
///                 break;
///             }
///         }
///     });
///     answer.unwrap_or_else(|error| error.response())
/// }
///
/// simurgh_runtime::run("doc", async {
///     let server = Server::start("127.0.0.1:0".parse()?, Options::default(), echo).await?;
///     let uri = format!("ws://{}/socket", server.local_addr());
///     let mut socket = ws::connect(&uri, &ws::Options::default()).await?;
///     socket.send(Message::text("hello")).await?;
///     assert_eq!(socket.recv().await?, Some(Message::text("hello")));
///     socket.close(ws::CloseCode::NORMAL, "").await?;
///     Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
/// })
/// .unwrap();
/// ```
///
/// # Errors
/// What is wrong with the request (RFC 6455, 4.2.1); [`HandshakeError::response`] is the answer to that.
pub fn upgrade<F, R>(request: &Request, options: &Options, handler: F) -> Result<Response, HandshakeError>
where
    F: FnOnce(Socket<Upgraded>) -> R + Send + 'static,
    R: Future<Output = ()> + Send + 'static,
{
    let handshake = ServerHandshake::read(request.method(), request.version(), request.headers())?;
    let spoken = |offered: &str| handshake.protocols().any(|protocol| protocol == offered);
    let protocol = options.protocols.iter().find(|protocol| spoken(protocol)).cloned();
    let (headers, deflate) = handshake.accept(protocol.as_deref(), options.deflate);
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    *response.headers_mut() = headers;
    let options = options.clone();
    response.extensions_mut().insert(OnUpgrade::new(move |upgraded| {
        handler(
            Socket::server(upgraded, &options, deflate, protocol).leaves_on_drain(Upgraded::poll_draining, &options),
        )
    }));
    Ok(response)
}

impl HandshakeError {
    /// The answer to a request that is refused (RFC 6455, 4.2.2 and 4.4).
    pub fn response(&self) -> Response {
        let mut response = Response::new(format!("{self}\n").into());
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        if self.status() == StatusCode::UPGRADE_REQUIRED {
            headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
            headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        }
        if self.status() == StatusCode::METHOD_NOT_ALLOWED {
            headers.insert(header::ALLOW, HeaderValue::from_static("GET"));
        }
        response
    }
}
