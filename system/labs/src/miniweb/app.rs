//! The application: what it answers, and how a request gets there.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use simurgh::prelude::*;
use simurgh::web::{Conn, Endpoint, HeaderMap, Plug, Trace, router};

use super::plugs::{Gate, ResponseTime, only_known_agents, server_name};

/// What the application answers.
pub mod pages {
    use std::collections::BTreeMap;

    use serde::Deserialize;
    use serde_json::Value;
    use simurgh::web::{Conn, Json, Params, Path, Query, StatusCode};

    /// `GET /`
    pub async fn home(_: &mut Conn) -> &'static str {
        "Welcome to MiniWeb!"
    }

    /// `GET /hello/:name`
    pub async fn hello(_: &mut Conn, Path(name): Path<String>) -> String {
        format!("Hello, {name}!")
    }

    /// A user to be made.
    #[derive(Debug, Deserialize)]
    pub struct NewUser {
        name: String,
    }

    /// `POST /users`, with JSON or a form. `curl -d '{"name": "Alice"}'` declares JSON to be a form: a form
    /// that is JSON is read as such.
    pub async fn create_user(_: &mut Conn, Params(user): Params<NewUser>) -> (StatusCode, String) {
        (StatusCode::CREATED, format!("Created user: {}", user.name))
    }

    /// `GET /files/*path`: the rest of the path.
    pub async fn file(_: &mut Conn, Path(path): Path<String>) -> String {
        path
    }

    /// `GET /vault`
    pub async fn vault(_: &mut Conn) -> &'static str {
        "Gold."
    }

    /// `GET /conn/:id`: what one conn knows.
    pub async fn conn(conn: &mut Conn, Query(query): Query<BTreeMap<String, String>>) -> Json<Value> {
        Json(super::described(conn, &query))
    }
}

router! {
    pipeline browser { only_known_agents; }
    pipeline locked { Gate::new("sesame"); }

    scope "/" through browser {
        get "/" => pages::home;
        get "/hello/:name" => pages::hello;
        post "/users" => pages::create_user;
        get "/files/*path" => pages::file;
        get "/conn/:id" => pages::conn;

        scope "/vault" through locked { get "/" => pages::vault; }
    }
}

/// The conn: request, response so far, and what plugs have left.
fn described(conn: &Conn, query: &BTreeMap<String, String>) -> Value {
    let headers = |headers: &HeaderMap| -> BTreeMap<String, String> {
        let text =
            headers.iter().map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into()));
        text.collect()
    };
    json!({
        "host": conn.host(),
        "port": conn.port(),
        "method": conn.method().as_str(),
        "path": conn.path(),
        "path_parts": conn.path_segments().collect::<Vec<_>>(),
        "path_params": conn.path_params().iter().cloned().collect::<BTreeMap<_, _>>(),
        "query_params": query,
        "request_headers": headers(conn.request_headers()),
        "response_headers": headers(conn.response_headers()),
        "status": conn.status().map(|status| status.as_u16()),
        "assigns": conn.assigns().names().collect::<Vec<_>>(),
    })
}

/// The endpoint: its own plugs, then the router.
pub fn endpoint() -> Endpoint<impl Plug> {
    Endpoint::new((ResponseTime::new("x-response-time"), server_name, router()))
}

/// The same, which prints the way of each request.
pub fn traced() -> Endpoint<impl Plug> {
    endpoint().traced(print)
}

fn print(conn: &Conn, trace: &Trace) {
    let status = conn.status().unwrap_or_default().as_u16();
    let took = trace.elapsed().as_nanos() as f64 / 1_000.0;
    out!("{} {} -> {status} in {took:.1} us\n{trace}", conn.method(), conn.path());
}
