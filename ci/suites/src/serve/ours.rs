//! Ours.

use std::net::SocketAddr;
use std::time::Duration;

use simurgh::http::ws::{self, DeflatePolicy};
use simurgh::http::{Client, Options, Request, Response, Server, Service};
use simurgh::runtime;
use simurgh::web::{Body, Compress, Conn, Endpoint, Error, Result, Static};

use crate::{BODY_LEN_MAX, LARGE_LEN};

mod routes {
    use simurgh::web::router;

    router! {
        get "/" => super::hello;
        post "/echo" => super::echo;
        get "/large" => super::large;
        get "/redirect" => super::redirect;
        get "/compressed" => super::compressed;
    }

    pub(super) use router as all;
}

async fn hello(conn: &mut Conn) {
    conn.text("hello");
}

async fn echo(conn: &mut Conn) -> Result {
    let body = conn.take_body().unwrap_or_default().collect(BODY_LEN_MAX).await?;
    conn.text(body);
    Ok(())
}

async fn large(conn: &mut Conn) {
    conn.text(vec![b'a'; LARGE_LEN]);
}

async fn compressed(conn: &mut Conn) {
    conn.put_header("cache-control", "max-age=60");
    conn.text("the same again and again; ".repeat(200));
}

async fn redirect(conn: &mut Conn) -> Result {
    let query = conn.query_string().strip_prefix("to=").unwrap_or_default().to_owned();
    let to = percent_decoded(&query).ok_or_else(|| Error::bad_request("malformed", "The address is malformed."))?;
    conn.put_status(http::StatusCode::FOUND);
    conn.try_put_header(http::header::LOCATION, to)?;
    conn.put_body(Body::empty());
    Ok(())
}

fn percent_decoded(text: &str) -> Option<Vec<u8>> {
    let mut bytes = text.bytes();
    let mut out = Vec::new();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'%' => {
                let digits = [bytes.next()?, bytes.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            byte => byte,
        });
    }
    Some(out)
}

/// Short limits, so that a suite need not wait for them.
fn options() -> Options {
    let second = Duration::from_secs(1);
    let mut options = Options { body_len_max: BODY_LEN_MAX as u64, ..Options::default() };
    options.listener.handshake_timeout = second;
    options.head_timeout = second;
    options.keep_alive_timeout = second;
    options.body_timeout = second;
    options.write_timeout = second;
    options
}

pub fn http(address: SocketAddr, until: fn()) {
    // Longer than the parts that redbot asks for.
    let page = format!("<!doctype html><html lang=en><title>A page</title>{}</html>", "<p>A paragraph.".repeat(500));
    let files = Static::embedded("/static", [("page.html", page), ("plain.txt", "A line of text.\n".repeat(500))]);
    serve(address, options(), Endpoint::new((Compress::new(), files, routes::all())), until);
}

/// Echoes text as text and binary as binary, compressed if the client likes.
pub fn websocket(address: SocketAddr, until: fn()) {
    serve(address, Options::default(), echo_messages, until);
}

async fn echo_messages(request: Request, _: Client) -> Response {
    let options = ws::Options { deflate: Some(DeflatePolicy::default()), ..ws::Options::default() };
    let answer = ws::upgrade(&request, &options, async |mut socket| {
        while let Ok(Some(message)) = socket.recv().await {
            if socket.send(message).await.is_err() {
                break;
            }
        }
    });
    answer.unwrap_or_else(|error| error.response())
}

fn serve(address: SocketAddr, options: Options, service: impl Service, until: fn()) {
    runtime::run("suites", async move {
        let server = Server::start(address, options, service).await.expect("a free address");
        println!("listening on {}", server.local_addr());
        runtime::blocking(until).await;
        server.stop().await;
    });
}
