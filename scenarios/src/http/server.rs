//! The server, and an application that tells what becomes of its requests.

use simurgh::prelude::*;
use simurgh::runtime::random;
use simurgh_http::ws::{self, CloseCode};
use simurgh_http::{Client, Options, Request, Response, Server, Service, Upgraded};

use super::PORT;

/// The program of the server's node.
pub(crate) async fn main() -> Result<(), String> {
    let options =
        Options { head_timeout: 1.secs(), body_timeout: 1.secs(), keep_alive_timeout: 3.secs(), ..Options::default() };
    serve(options, App).await
}

/// Serves an application until the node is asked to end, and drains; nothing is to be left then.
pub(super) async fn serve(options: Options, app: impl Service) -> Result<(), String> {
    let words = |error: &dyn std::fmt::Display| error.to_string();
    let end = runtime::signal::shutdown().map_err(|error| words(&error))?;
    let server = Server::start(([0, 0, 0, 0], PORT).into(), options, app).await.map_err(|error| words(&error))?;
    runtime::ready();
    end.await;
    let report = server.drain().await;
    match (report.killed, server.listener().count(), server.shielded()) {
        (0, 0, 0) => Ok(()),
        left => Err(format!("killed, connections and handlers that are left: {left:?}")),
    }
}

/// `/<what>/<number>`: the answer is the number.
struct App;

impl Service for App {
    async fn call(&self, request: Request, _: &Client) -> Response {
        let path = request.uri().path().to_owned();
        let mut words = path.split('/').skip(1);
        let what = words.next().unwrap_or_default();
        let number = words.next().and_then(|number| number.parse().ok()).unwrap_or_default();
        if what == "socket" {
            let answer = ws::upgrade(&request, &ws::Options::default(), move |socket| talk(socket, number));
            return answer.unwrap_or_else(|error| error.response());
        }
        event!("http.app.begin", {}, { request: number });
        let is_write = !request.method().is_safe();
        let mut work = Work { number, is_write, result: "dropped" };
        let status = match request.into_body().collect(1 << 20).await {
            Ok(_) => http::StatusCode::OK,
            Err(error) => error.status(),
        };
        let ticks = if what == "long" { 1_200 } else { random::range(0..12) };
        for _ in 0..ticks {
            sleep(25.millis()).await;
            if !is_write {
                event!("http.app.runs", {}, { request: number });
            }
        }
        work.result = "done";
        let mut response = Response::new(number.to_string().into());
        *response.status_mut() = status;
        response
    }
}

/// A handler at work.
struct Work {
    number: u64,
    is_write: bool,
    result: &'static str,
}

impl Drop for Work {
    fn drop(&mut self) {
        event!("http.app.end", {}, { request: self.number, is_write: u64::from(self.is_write), result: self.result });
    }
}

/// Counts messages, answers some, and now and then closes in the middle.
async fn talk(mut socket: ws::Socket<Upgraded>, number: u64) {
    let closes_after = random::range(0..12);
    let mut received = 0;
    loop {
        match socket.recv().await {
            Ok(Some(message)) => {
                received += 1;
                if received == closes_after {
                    socket.begin_close(CloseCode::NORMAL, "enough").expect("the code may be sent");
                } else if socket.is_open() && socket.send(message).await.is_err() {
                    return;
                }
            }
            Ok(None) => {
                event!("ws.app.closed", {}, { socket: number, received: received });
                return;
            }
            Err(_) => return,
        }
    }
}
