//! `lab miniweb`: serves it, or shows points 3.1 to 3.11 on real sockets.

use std::net::SocketAddr;
use std::sync::Arc;

use serde_json::Value;
use simurgh::http::client::Connection;
use simurgh::http::{Options, Server};
use simurgh::prelude::*;
use simurgh::runtime::sync::Mutex;
use simurgh::web::{Body, Endpoint, Method, Plug, Router, Trace};

use super::app;
use crate::demo::Points;

/// What the lab can be told.
#[derive(Debug, Clone, Copy)]
pub struct LabOptions {
    /// Where it listens.
    pub port: u16,
    /// Whether it prints the way of each request.
    pub trace: bool,
}

/// Serves until it is asked to end.
///
/// # Errors
/// If it cannot listen.
pub async fn serve(options: LabOptions) -> Result<(), String> {
    let end = runtime::signal::shutdown().map_err(|error| error.to_string())?;
    let server = if options.trace {
        start(options.port, app::traced()).await?
    } else {
        start(options.port, app::endpoint()).await?
    };
    out!("{}", start_line(server.local_addr()));
    runtime::ready();
    end.await;
    let report = server.drain().await;
    out!("Stopped: {} connections finished, {} killed.", report.finished, report.killed);
    Ok(())
}

async fn start<P: Plug>(port: u16, endpoint: Endpoint<P>) -> Result<Server, String> {
    let addr = SocketAddr::from(([127, 0, 0, 1], port));
    Server::start(addr, Options::default(), endpoint).await.map_err(|error| error.to_string())
}

/// What it prints when it listens.
pub fn start_line(addr: SocketAddr) -> String {
    format!("Server running at http://localhost:{}", addr.port())
}

/// Prints the routes.
pub fn routes() {
    out!("{}", app::router().listing().trim_end());
}

/// Shows the points, on a free port.
///
/// # Errors
/// If a point fails, or it cannot listen.
pub async fn show() -> Result<(), String> {
    let mut points = Points::default();
    let traces = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&traces);
    let endpoint = app::endpoint().traced(move |_, trace| seen.lock().push(trace.clone()));
    let server = start(0, endpoint).await?;
    let line = start_line(server.local_addr());
    points.show("3.1", "the start line", &line, line.starts_with("Server running at http://localhost:"));
    let mut client = Client { addr: server.local_addr() };
    transcript(&mut points, &mut client).await?;
    middleware(&mut points, &mut client, &traces).await?;
    conn_and_router(&mut points, &mut client).await?;
    let report = server.drain().await;
    points.show(
        "3.11",
        "all of it on our own server",
        &format!("{} killed in its drain", report.killed),
        report.killed == 0,
    );
    points.end()
}

/// Points 3.2 to 3.5: the four calls, byte for byte.
async fn transcript(points: &mut Points, client: &mut Client) -> Result<(), String> {
    const FORM: &[(&str, &str)] = &[("content-type", "application/x-www-form-urlencoded")];
    for (number, method, target, headers, body, status, expected) in [
        ("3.2", Method::GET, "/", &[][..], "", 200, "Welcome to MiniWeb!"),
        ("3.3", Method::GET, "/hello/world", &[], "", 200, "Hello, world!"),
        ("3.4", Method::POST, "/users", FORM, r#"{"name": "Alice"}"#, 201, "Created user: Alice"),
        ("3.5", Method::GET, "/unknown", &[], "", 404, "404 Not Found"),
    ] {
        let what = format!("{method} {target}");
        let answer = client.send(method, target, headers, body).await?;
        points.show(number, &what, &format!("{} {:?}", answer.status, answer.body), answer.is(status, expected));
    }
    Ok(())
}

/// Points 3.6 and 3.9: functions and types, their order, and what halts.
async fn middleware(points: &mut Points, client: &mut Client, traces: &Mutex<Vec<Trace>>) -> Result<(), String> {
    let answer = client.send(Method::GET, "/", &[], "").await?;
    let (server, took) = (answer.header("server"), answer.header("x-response-time"));
    let passed = server == Some("MiniWeb") && took.is_some_and(|took| took.ends_with("us"));
    let fact = format!("server: {}, x-response-time: {}", server.unwrap_or("-"), took.unwrap_or("-"));
    points.show("3.6", "a function and a type with init and call", &fact, passed);

    let trace = traces.lock().last().cloned().ok_or("no way was recorded")?;
    let order: Vec<String> = trace.steps().iter().map(|step| format!("{} {}", step.way.arrow(), step.name)).collect();
    let expected = "-> endpoint, -> ResponseTime, -> server_name, -> router, -> pipeline browser, -> only_known_agents, \
                    -> handler pages::home, <- pipeline browser, <- only_known_agents, <- endpoint, <- router, \
                    <- server_name, <- ResponseTime";
    out!("{}", trace.to_string().trim_end());
    points.show("3.9", "in through the pipeline, out in reverse", "as above", order.join(", ") == expected);

    let shut = client.send(Method::GET, "/vault", &[], "").await?;
    let open = client.send(Method::GET, "/vault", &[("x-word", "sesame")], "").await?;
    let refused = client.send(Method::GET, "/", &[("user-agent", "scraper/1")], "").await?;
    let fact = format!("{:?}, {:?}, {:?}", shut.body, open.body, refused.body);
    let passed =
        shut.is(401, "The word, please.") && open.is(200, "Gold.") && refused.is(403, "403 No scrapers, please.");
    points.show("3.9", "a halt keeps the handler away, an error too", &fact, passed);
    Ok(())
}

/// Points 3.7, 3.8 and 3.10.
async fn conn_and_router(points: &mut Points, client: &mut Client) -> Result<(), String> {
    let answer = client.send(Method::GET, "/conn/7?page=2", &[("host", "shop:8080")], "").await?;
    let conn: Value = serde_json::from_str(&answer.body).map_err(|error| error.to_string())?;
    let passed = conn["host"] == "shop"
        && conn["port"] == 8080
        && conn["method"] == "GET"
        && conn["path_parts"] == serde_json::json!(["conn", "7"])
        && conn["path_params"]["id"] == "7"
        && conn["query_params"]["page"] == "2"
        && conn["request_headers"]["host"] == "shop:8080"
        && conn["response_headers"]["server"] == "MiniWeb"
        && conn["assigns"][0].as_str().is_some_and(|name| name.ends_with("Began"));
    points.show("3.7", "one conn has it all", &answer.body, passed);

    let hello = client.send(Method::GET, "/hello/J%C3%BCrgen", &[], "").await?;
    let file = client.send(Method::GET, "/files/a/b.txt", &[], "").await?;
    let wrong = client.send(Method::DELETE, "/users", &[], "").await?;
    let fact =
        format!("{:?}, {:?}, {} allow: {}", hello.body, file.body, wrong.status, wrong.header("allow").unwrap_or("-"));
    let passed = hello.is(200, "Hello, J\u{fc}rgen!") && file.is(200, "a/b.txt") && wrong.status == 405;
    points.show("3.8", "parameters, a catch-all, a wrong method", &fact, passed);

    let json = [("content-type", "application/json")];
    let right = client.send(Method::POST, "/users", &json, r#"{"name": "Bob"}"#).await?;
    let cut = client.send(Method::POST, "/users", &json, r#"{"name": "#).await?;
    let form = client
        .send(Method::POST, "/users", &[("content-type", "application/x-www-form-urlencoded")], "name=Eve+%26+Co")
        .await?;
    let fact = format!("{:?}, {} {:?}, {:?}", right.body, cut.status, cut.body, form.body);
    let passed = right.is(201, "Created user: Bob") && cut.status == 400 && form.is(201, "Created user: Eve & Co");
    points.show("3.10", "bodies of JSON and of forms", &fact, passed);
    Ok(())
}

/// Asks the server, over a connection for each request.
struct Client {
    addr: SocketAddr,
}

struct Answer {
    status: u16,
    headers: simurgh::web::HeaderMap,
    body: String,
}

impl Answer {
    fn is(&self, status: u16, body: &str) -> bool {
        self.status == status && self.body == body
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

impl Client {
    async fn send(
        &mut self,
        method: Method,
        target: &str,
        headers: &[(&'static str, &str)],
        body: &'static str,
    ) -> Result<Answer, String> {
        let wrong = |error: &dyn std::fmt::Display| format!("{method} {target}: {error}");
        let mut request = simurgh::http::Request::new(Body::from(body));
        *request.method_mut() = method.clone();
        *request.uri_mut() = target.parse().map_err(|error| wrong(&error as &dyn std::fmt::Display))?;
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().map_err(|_| wrong(&"no header"))?);
        }
        let mut connection = Connection::connect(self.addr).await.map_err(|error| wrong(&error))?;
        let response = connection.send(request).await.map_err(|error| wrong(&error))?;
        let (head, body) = response.into_parts();
        let body = body.collect(1 << 20).await.map_err(|error| wrong(&error))?;
        let body = String::from_utf8_lossy(&body).into_owned();
        Ok(Answer { status: head.status.as_u16(), headers: head.headers, body })
    }
}
