//! Ours, with its default limits but that of requests on a connection, its process per connection and its events.

use simurgh::http::{Client, Options, Request, Response, Server, Service, ws};
use simurgh::runtime;
use simurgh::web::{Conn, Endpoint, Result};

use crate::{PLAIN, answer};

mod routes {
    simurgh::web::router! {
        get "/plain" => super::plain;
        get "/json" => super::json;
    }

    pub fn all() -> impl simurgh::web::Plug {
        router()
    }
}

async fn plain(conn: &mut Conn) {
    conn.text(PLAIN);
}

async fn json(conn: &mut Conn) -> Result {
    conn.json(&answer())
}

pub fn http() {
    serve(Endpoint::new(routes::all()));
}

pub fn websocket() {
    serve(echo);
}

async fn echo(request: Request, _: Client) -> Response {
    let answer = ws::upgrade(&request, &ws::Options::default(), async |mut socket| {
        while let Ok(Some(message)) = socket.recv().await {
            if socket.send(message).await.is_err() {
                return;
            }
        }
    });
    answer.unwrap_or_else(|error| error.response())
}

fn serve(service: impl Service) {
    runtime::run("bench", async move {
        // The load stays on its connections for millions of requests, and expects no goodbye.
        let mut options = Options::default();
        options.requests_max = u64::MAX;
        let server = Server::start("127.0.0.1:0".parse().expect("an address"), options, service).await;
        let server = server.expect("a free port");
        println!("{}", server.local_addr().port());
        std::future::pending::<()>().await;
    });
}
