//! An application with a channel for each case, and a client.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use simurgh_channels::prelude::*;
use simurgh_channels::{Ending, Fault};
use simurgh_http::ws::{self, CloseCode, Message, SocketError};
use simurgh_http::{Options, Server};
use simurgh_pubsub::PubSub;
use simurgh_runtime::net::TcpStream;
use simurgh_runtime::timeout;
use simurgh_web::Endpoint;

pub(crate) struct User {
    name: Option<String>,
    told: Value,
}

impl UserSocket for User {
    async fn connect(params: Params, info: &ConnectInfo) -> Result<Self, Refused> {
        match params.get("refuse") {
            Some("silently") => return Err(Refused::new()),
            Some(reason) => return Err(Refused::with(simurgh_web::StatusCode::TOO_MANY_REQUESTS, reason)),
            None => {}
        }
        let told = json!({
            "token": info.auth_token(),
            "x": info.header("x-app"),
            "agent": info.user_agent(),
            "cookie": info.header("cookie"),
            "user": info.session::<String>("user"),
            "params": params.as_value(),
        });
        Ok(Self { name: params.get("user").map(ToOwned::to_owned), told })
    }

    fn id(&self) -> Option<String> {
        self.name.as_ref().map(|name| format!("users_socket:{name}"))
    }

    fn channels() -> Channels {
        Channels::new().channel::<Room>("room:*").channel::<Secret>("room:secret").channel::<Picky>("picky:*")
    }
}

/// Never reached: a pattern before it fits too.
struct Secret;

impl Channel for Secret {
    type Info = ();

    async fn join(_: &Topic, _: Payload, _: &mut Socket) -> Joined<Self> {
        panic!("the first pattern that fits is taken")
    }
}

/// Refuses, in several ways.
struct Picky;

impl Channel for Picky {
    type Info = ();

    async fn join(topic: &Topic, params: Payload, socket: &mut Socket) -> Joined<Self> {
        match topic.name() {
            "no" => Err(Rejected::because("unauthorized")),
            "crash" => panic!("on purpose"),
            "quiet" => Ok(Self.into()),
            "slow" => {
                simurgh_runtime::sleep(Duration::from_millis(200)).await;
                Ok(Self.into())
            }
            "typed" => {
                let _: u32 = params.deserialize()?;
                Ok(Self.into())
            }
            "early" => {
                socket.push("too_early", &json!({}))?;
                Ok(Self.into())
            }
            _ => Ok(Accepted::with(Self, &socket.user::<User>().told)),
        }
    }
}

/// Does what it is told.
pub(crate) struct Room {
    said: u32,
}

impl Channel for Room {
    type Info = &'static str;
    const INTERCEPT: &'static [&'static str] = &["intercepted"];

    async fn join(_: &Topic, _: Payload, _: &mut Socket) -> Joined<Self> {
        Ok(Self { said: 0 }.into())
    }

    async fn handle_in(&mut self, event: &str, payload: Payload, socket: &mut Socket) -> Handled {
        self.said += 1;
        match event {
            "echo" => Handled::reply(&payload),
            "count" => Handled::reply(&json!({ "said": self.said })),
            "silent" => Handled::noreply(),
            "custom" => Handled::reply_status("odd", &json!({})),
            "any" => Handled::reply(&json!([1, null, "x"])),
            "error" => Handled::reply_error(&json!({ "reason": "no" })),
            "bytes" => Handled::reply_binary(payload.bytes()?.clone()),
            "push" => {
                socket.push("pushed", &payload)?;
                Handled::noreply()
            }
            "all" | "intercepted" => {
                socket.broadcast(event, &payload).await?;
                Handled::noreply()
            }
            "others" => {
                socket.broadcast_from(event, &payload).await?;
                Handled::noreply()
            }
            "later" => {
                let reply = socket.reply_ref();
                simurgh_otp::spawn("later", async move {
                    reply.ok(&json!({ "n": 1 })).map_err(|error| error.to_string())?;
                    reply.ok(&json!({ "n": 2 })).map_err(|error| error.to_string())
                });
                Handled::noreply()
            }
            "info" => {
                assert!(socket.sender::<Self>().send("by mail"));
                Handled::noreply()
            }
            "stop" => Handled::stop(),
            "stop_reply" => Handled::reply(&payload).and_stop(),
            "crash" => panic!("on purpose"),
            "fail" => Err(Fault::crash("on purpose")),
            "kill" => {
                simurgh_otp::kill(simurgh_otp::self_pid());
                Handled::noreply()
            }
            "typed" => {
                let n: u32 = payload.deserialize()?;
                Handled::reply(&json!({ "n": n }))
            }
            "many" => {
                let n: u32 = payload.deserialize()?;
                for n in 0..n {
                    socket.push("many", &json!({ "n": n, "filler": "x".repeat(1_000) }))?;
                }
                Handled::noreply()
            }
            _ => Handled::unknown(),
        }
    }

    async fn handle_out(&mut self, event: &str, payload: Payload, socket: &mut Socket) -> Handled {
        let was: Value = payload.deserialize()?;
        socket.push(event, &json!({ "was": was }))?;
        Handled::noreply()
    }

    async fn handle_info(&mut self, info: &'static str, socket: &mut Socket) -> Handled {
        socket.push("info", &json!({ "came": info }))?;
        Handled::noreply()
    }

    async fn terminate(&mut self, why: Ending, socket: &mut Socket) {
        let _ = socket.push("last_words", &json!({ "why": format!("{why:?}") }));
        let _ = socket.broadcast("gone", &json!({ "why": format!("{why:?}") })).await;
    }
}

/// A server with that application.
pub(crate) struct App {
    pub(crate) server: Server,
    pub(crate) sockets: Sockets<User>,
    pub(crate) pubsub: PubSub,
}

impl App {
    pub(crate) async fn start(options: SocketOptions) -> Self {
        let pubsub = PubSub::local("test");
        let sockets = Sockets::<User>::new(pubsub.clone(), options);
        let mounted = sockets.clone();
        let keys = simurgh_web::Keys::random();
        let sessions = simurgh_web::Sessions::cookie(keys);
        let endpoint = Endpoint::new((sessions, Mounted(mounted)));
        let server = Server::start("127.0.0.1:0".parse().unwrap(), Options::default(), endpoint).await.unwrap();
        Self { server, sockets, pubsub }
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.server.local_addr()
    }

    /// A client of version 2.
    pub(crate) async fn client(&self) -> Client {
        self.client_with("vsn=2.0.0").await
    }

    pub(crate) async fn client_with(&self, query: &str) -> Client {
        let uri = format!("ws://{}/socket/websocket?{query}", self.addr());
        Client { socket: ws::connect(&uri, &ws::Options::default()).await.unwrap() }
    }
}

/// The sockets at `/socket`, and at `/login` a session.
struct Mounted(Sockets<User>);

impl simurgh_web::Plug for Mounted {
    async fn call(&self, conn: &mut simurgh_web::Conn) -> simurgh_web::Result {
        if conn.path() == "/login" {
            simurgh_web::fetch_session(conn).await?;
            conn.session_mut().put("user", "alice")?;
            let token = conn.csrf_token();
            conn.text(token);
            return Ok(());
        }
        conn.mount("/socket".len());
        conn.run(&self.0).await;
        Ok(())
    }
}

pub(crate) struct Client {
    pub(crate) socket: ws::Socket<TcpStream>,
}

impl Client {
    pub(crate) async fn send(&mut self, text: &str) {
        self.socket.send(Message::text(text)).await.unwrap();
    }

    pub(crate) async fn message(&mut self) -> Result<Option<Message>, SocketError> {
        timeout(Duration::from_secs(10), self.socket.recv()).await.expect("a frame comes within 10 s")
    }

    /// The next frame is this text.
    pub(crate) async fn expect(&mut self, want: &str) {
        match self.message().await {
            Ok(Some(Message::Text(text))) => {
                let (got, want): (Value, Value) =
                    (serde_json::from_str(text.as_str()).unwrap(), serde_json::from_str(want).unwrap());
                assert_eq!(got, want);
            }
            other => panic!("{other:?} instead of {want}"),
        }
    }

    /// Sends, and the next frame is this text.
    pub(crate) async fn ask(&mut self, text: &str, want: &str) {
        self.send(text).await;
        self.expect(want).await;
    }

    pub(crate) async fn join(&mut self, topic: &str, join_ref: &str) {
        self.ask(
            &format!(r#"["{join_ref}","{join_ref}","{topic}","phx_join",{{}}]"#),
            &format!(r#"["{join_ref}","{join_ref}","{topic}","phx_reply",{{"status":"ok","response":{{}}}}]"#),
        )
        .await;
    }

    /// Nothing waits for the client: what it asks for now comes next.
    pub(crate) async fn expect_nothing(&mut self) {
        self.ask(
            r#"[null,"beat","phoenix","heartbeat",{}]"#,
            r#"[null,"beat","phoenix","phx_reply",{"status":"ok","response":{}}]"#,
        )
        .await;
    }

    /// The server closes with this code; what comes before does not matter.
    pub(crate) async fn expect_close(&mut self, code: u16) {
        while let Ok(Some(_)) = self.message().await {}
        assert_eq!(self.socket.peer_close().map(|frame| frame.code), Some(CloseCode(code)));
    }
}

pub(crate) fn run<F: Future<Output = ()> + Send + 'static>(test: F) {
    simurgh_runtime::run("test", test);
}
