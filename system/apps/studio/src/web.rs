//! The endpoint: who gets which page, and what balancers ask.
//!
//! | path | |
//! | --- | --- |
//! | `/` | what runs here |
//! | `/rooms`, `/rooms/:name` | a room |
//! | `/socket` | channels: WebSocket, long-poll |
//! | `/node`, `/node.json` | for operators: open on loopback in development, else with a password, else not there |
//! | `/healthz` | 200 as long as the studio's processes answer |
//! | `/readyz` | 200 if it may get requests: it has started, is not asked to end, and the disk takes messages |
//! | `/assets` | what pages need |

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;
use simurgh::channels::Sockets;
use simurgh::http;
use simurgh::prelude::*;
use simurgh::runtime::sync::Mutex;
use simurgh::web::{
    BasicAuth, Conn, Endpoint, Error, Json, Plug, RequestLog, Result, SecureHeaders, StatusCode, pages, request_id,
    router,
};

use crate::browser::{self, Browser};
use crate::channel::{self, User};
use crate::pulse::Pulse;
use crate::rooms::Rooms;
use crate::settings::Settings;

/// What requests have in common. Cheap to clone.
#[derive(Clone)]
pub struct State {
    inner: Arc<Inner>,
}

struct Inner {
    rooms: Rooms,
    sockets: Sockets<User>,
    started: Instant,
    is_ready: AtomicBool,
    browser: Mutex<Browser>,
    server: Mutex<Option<http::Server>>,
    operators: Option<BasicAuth>,
    is_development: bool,
}

impl State {
    /// Of a studio with these rooms.
    pub fn new(settings: &Settings, rooms: Rooms) -> Self {
        let auth = |password| BasicAuth::new("operator", password).realm("Studio");
        let inner = Inner {
            sockets: channel::sockets(settings, &rooms),
            rooms,
            started: Instant::now(),
            is_ready: AtomicBool::new(false),
            browser: Mutex::new(Browser::Fetching),
            server: Mutex::new(None),
            operators: settings.node_password.clone().map(auth),
            is_development: settings.is_development(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// The rooms.
    pub fn rooms(&self) -> &Rooms {
        &self.inner.rooms
    }

    /// The sockets of all pages.
    pub fn sockets(&self) -> &Sockets<User> {
        &self.inner.sockets
    }

    /// Since when it runs.
    pub fn started(&self) -> Instant {
        self.inner.started
    }

    /// How far the browser's client is.
    pub fn browser(&self) -> Browser {
        self.inner.browser.lock().clone()
    }

    /// Says how far the browser's client is.
    pub fn set_browser(&self, browser: Browser) {
        *self.inner.browser.lock() = browser;
    }

    /// The server that it is served by, once it is.
    pub fn server(&self) -> Option<http::Server> {
        self.inner.server.lock().clone()
    }

    /// Says by which server it is served; none breaks the circle at the end.
    pub fn set_server(&self, server: Option<http::Server>) {
        *self.inner.server.lock() = server;
    }

    /// Says whether it may get requests.
    pub fn set_ready(&self, is_ready: bool) {
        self.inner.is_ready.store(is_ready, Ordering::Release);
    }

    /// Whether the node page is shown to this client. None: it is not there for anybody.
    fn is_operator(&self, conn: &Conn) -> bool {
        let is_local = matches!(conn.host(), Some("localhost" | "127.0.0.1" | "[::1]" | "::1"));
        let is_forwarded = ["forwarded", "x-forwarded-for"].iter().any(|name| conn.header(*name).is_some());
        self.inner.is_development && conn.client().peer().ip().is_loopback() && is_local && !is_forwarded
    }

    /// Whether there is a node page for this client, with or without a password.
    pub fn has_node_page(&self, conn: &Conn) -> bool {
        self.inner.operators.is_some() || self.is_operator(conn)
    }

    async fn why_not_ready(&self) -> Option<&'static str> {
        if self.inner.rooms.is_draining() {
            return Some("draining");
        }
        if !self.inner.is_ready.load(Ordering::Acquire) {
            return Some("starting");
        }
        (!self.inner.rooms.is_storing().await).then_some("the disk takes no messages")
    }
}

/// The state of the studio that got this request.
pub fn state(conn: &Conn) -> &State {
    conn.assigned::<State>().expect("the endpoint assigns it to each conn")
}

struct Assign(State);

impl Plug for Assign {
    async fn call(&self, conn: &mut Conn) -> Result {
        conn.assign(self.0.clone());
        Ok(())
    }
}

/// The sockets, which are made at the start and not by the router.
struct Channels;

impl Plug for Channels {
    async fn call(&self, conn: &mut Conn) -> Result {
        let sockets = state(conn).sockets().clone();
        sockets.call(conn).await
    }
}

/// Lets operators in.
async fn operators_only(conn: &mut Conn) -> Result {
    let state = state(conn).clone();
    match &state.inner.operators {
        Some(auth) => auth.call(conn).await,
        None if state.is_operator(conn) => Ok(()),
        None => Err(Error::not_found()),
    }
}

/// What has to be asked for anew each time.
async fn no_store(conn: &mut Conn) {
    conn.put_header("cache-control", "no-store");
}

/// Browsers that came by https come by https for a year.
async fn strict_transport(conn: &mut Conn) {
    if conn.scheme() == "https" {
        conn.put_header("strict-transport-security", "max-age=31536000");
    }
}

fn careful() -> SecureHeaders {
    SecureHeaders::new()
        .content_security_policy(
            "default-src 'none'; script-src 'self' 'nonce-{nonce}'; style-src 'self'; img-src 'self'; connect-src 'self'; \
             form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        )
        .header("cross-origin-opener-policy", "same-origin")
        .header("cross-origin-resource-policy", "same-origin")
        .header("permissions-policy", "camera=(), geolocation=(), microphone=()")
}

mod handlers {
    use super::{Browser, Conn, DurationExt, Json, Pulse, Result, StatusCode, json, state};
    pub(super) use crate::node::{data as node_data, page as node_page};
    pub(super) use crate::pages::{front, open, room};

    /// `GET /healthz`
    pub(super) async fn alive(conn: &mut Conn) -> (StatusCode, Json<serde_json::Value>) {
        let uptime_s = state(conn).started().elapsed().as_secs();
        if Pulse::beats_within(2.secs()).await {
            (StatusCode::OK, Json(json!({ "status": "alive", "uptime_s": uptime_s })))
        } else {
            (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "status": "stuck", "uptime_s": uptime_s })))
        }
    }

    /// `GET /readyz`
    pub(super) async fn ready(conn: &mut Conn) -> (StatusCode, Json<serde_json::Value>) {
        let state = state(conn).clone();
        match state.why_not_ready().await {
            None => (StatusCode::OK, Json(json!({ "status": "ready" }))),
            Some(why) => (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "status": "not ready", "reason": why }))),
        }
    }

    /// `GET /assets/phoenix.mjs`
    pub(super) async fn phoenix(conn: &mut Conn) -> Result {
        match state(conn).browser() {
            Browser::Ready(bytes) => {
                conn.put_header("cache-control", "no-cache");
                conn.respond_with("text/javascript; charset=utf-8".parse()?, bytes.to_vec());
            }
            absent => {
                conn.put_status(StatusCode::SERVICE_UNAVAILABLE);
                conn.text(absent.advice().unwrap_or_default());
            }
        }
        Ok(())
    }
}

router! {
    pipeline browser { careful(); strict_transport; no_store; }
    pipeline operators { operators_only; }
    pipeline probes { no_store; }

    scope "/" through browser {
        get "/" => handlers::front;
        get "/rooms" => handlers::open;
        get "/rooms/:name" => handlers::room;
        scope "/" through operators {
            get "/node" => handlers::node_page;
            get "/node.json" => handlers::node_data;
        }
    }
    scope "/" through probes {
        get "/healthz" => handlers::alive;
        get "/readyz" => handlers::ready;
    }
    get "/assets/phoenix.mjs" => handlers::phoenix;
    forward "/socket" => Channels;
}

/// The endpoint of a studio.
pub fn endpoint(settings: &Settings, state: State) -> Endpoint<impl Plug> {
    let assets = browser::assets().header("x-content-type-options", "nosniff");
    let plugs = (request_id, settings.proxies(), Assign(state), assets, router());
    let log = RequestLog::new().except("/healthz").except("/readyz").except("/node.json");
    let endpoint = Endpoint::new(plugs).log(log);
    if settings.is_development() {
        endpoint.pages(pages::Development::new())
    } else {
        endpoint.pages(pages::Production::new())
    }
}
