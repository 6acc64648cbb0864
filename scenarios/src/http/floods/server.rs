//! The server, and handlers that say how much they were given.

use std::collections::BTreeMap;

use simurgh::prelude::*;
use simurgh::web::{Conn, Endpoint, Extract, Form, MultipartLimits, Plug};
use simurgh_http::{Body, Client, Options, Request, Response, Service};

use super::{BODY_MAX, COLLECT_MAX, FILE_MAX, HEAD_MAX, PART_HEAD_MAX, PARTS_MAX, PIECES, TEXT_MAX, URI_MAX, WIRE_MAX};
use crate::http::server::serve;

/// Connections at once; the crowds are larger.
const CONNECTIONS_MAX: usize = 16;

/// Bytes of the answer that is too long for who does not read.
const BIG: u64 = 4 * WIRE_MAX;

/// The program of the server's node.
pub(super) async fn main() -> Result<(), String> {
    let listener = simurgh::net::Options { max_connections: CONNECTIONS_MAX, ..simurgh::net::Options::default() };
    let options = Options {
        listener,
        uri_len_max: URI_MAX,
        head_len_max: HEAD_MAX,
        fields_max: 32,
        body_len_max: BODY_MAX,
        head_timeout: 2.secs(),
        body_timeout: 2.secs(),
        keep_alive_timeout: 3.secs(),
        write_timeout: 2.secs(),
        // What is thrown away after the last answer would count as kept.
        linger_timeout: 0.secs(),
        ..Options::default()
    };
    let limits = MultipartLimits {
        parts_max: PARTS_MAX,
        head_len_max: PART_HEAD_MAX,
        text_len_max: TEXT_MAX,
        file_len_max: FILE_MAX,
        body_len_max: BODY_MAX,
        directory: Some("/uploads".into()),
        ..MultipartLimits::default()
    };
    serve(options, App { forms: Endpoint::new((limits, form)) }).await
}

/// `/<what>/<number>`: the answer is the number.
struct App<P> {
    forms: Endpoint<P>,
}

impl<P: Plug> Service for App<P> {
    async fn call(&self, request: Request, client: &Client) -> Response {
        let path = request.uri().path().to_owned();
        let mut words = path.split('/').skip(1);
        let what = words.next().unwrap_or_default();
        let number: u64 = words.next().and_then(|number| number.parse().ok()).unwrap_or_default();
        let (head, body) = request.into_parts();
        let mut body = counted(body, number, most(what));
        let read = match what {
            "sleep" => {
                sleep(3.secs()).await;
                Ok(())
            }
            "stream" => loop {
                match body.chunk().await {
                    Some(Ok(_)) => {}
                    Some(Err(error)) => break Err(error),
                    None => break Ok(()),
                }
            },
            "collect" => body.collect(COLLECT_MAX).await.map(drop),
            "big" => return Response::new(big(number)),
            "page" => Ok(()),
            _ => return self.forms.answer(Request::from_parts(head, body), client).await,
        };
        let mut response = Response::new(number.to_string().into());
        if let Err(error) = read {
            *response.status_mut() = error.status();
        }
        response
    }
}

/// Bytes that a handler may have been given, in all.
fn most(what: &str) -> u64 {
    let kept = match what {
        "collect" => COLLECT_MAX,
        "text" => TEXT_MAX,
        "head" => PART_HEAD_MAX,
        "parts" => PARTS_MAX * PART_HEAD_MAX,
        "file" => FILE_MAX as usize,
        _ => return BODY_MAX,
    };
    (kept + 2 * PIECES) as u64
}

/// The same body, which says how much of it was taken.
fn counted(mut body: Body, request: u64, most: u64) -> Body {
    Body::stream(move |mut chunks| async move {
        let mut took = 0;
        while let Some(chunk) = body.chunk().await {
            let chunk = chunk?;
            took += chunk.len();
            event!("http.app.took", { bytes: took, most: most }, { request: request });
            chunks.send(chunk).await?;
        }
        Ok(())
    })
}

/// An answer that says how much of it was made.
fn big(request: u64) -> Body {
    Body::sized(BIG, move |mut chunks| async move {
        let mut made = 0;
        while made < BIG {
            chunks.send(vec![b'b'; 16 << 10]).await?;
            made += 16 << 10;
            event!("http.app.made", { bytes: made }, { request: request });
        }
        Ok(())
    })
}

async fn form(conn: &mut Conn) -> simurgh::web::Result {
    let Form(fields) = Form::<BTreeMap<String, Vec<String>>>::extract(conn).await?;
    conn.text(fields.len().to_string());
    Ok(())
}
