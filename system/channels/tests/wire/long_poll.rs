//! Section 7: long-poll.

use std::time::Duration;

use serde_json::{Value, json};
use simurgh_channels::{LongPollOptions, SocketOptions};
use simurgh_http::Body;
use simurgh_http::client::Connection;
use simurgh_web::Keys;

use crate::app::{App, run};

async fn start(window_ms: u64) -> App {
    let long_poll =
        LongPollOptions { window: Duration::from_millis(window_ms), ..LongPollOptions::new(Keys::random()) };
    App::start(SocketOptions { long_poll: Some(long_poll), ..SocketOptions::default() }).await
}

struct Poller {
    connection: Connection,
    token: String,
}

impl Poller {
    async fn new(app: &App) -> Self {
        Self { connection: Connection::connect(app.addr()).await.unwrap(), token: String::new() }
    }

    async fn open(app: &App) -> Self {
        let mut poller = Self::new(app).await;
        let first = poller.get("vsn=2.0.0").await;
        assert_eq!((&first["status"], &first["messages"]), (&json!(410), &json!([])));
        first["token"].as_str().unwrap().clone_into(&mut poller.token);
        poller
    }

    async fn send(
        &mut self,
        method: &str,
        query: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> (u16, http::HeaderMap, String) {
        let uri = format!("/socket/longpoll?token={}&{query}&", self.token);
        let mut request = http::Request::builder().method(method).uri(uri).header("host", "localhost");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body.to_owned())).unwrap();
        let (head, body) = self.connection.send(request).await.unwrap().into_parts();
        let body = body.collect(1 << 20).await.unwrap();
        (head.status.as_u16(), head.headers, String::from_utf8(body.to_vec()).unwrap())
    }

    async fn get(&mut self, query: &str) -> Value {
        let (status, headers, body) = self.send("GET", query, &[("accept", "application/json")], "").await;
        assert_eq!(status, 200);
        assert_eq!(headers["content-type"], "application/json; charset=utf-8");
        assert_eq!(headers["cache-control"], "no-store");
        assert_eq!(headers["access-control-allow-origin"], "*");
        serde_json::from_str(&body).unwrap()
    }

    /// The frames of the next poll.
    async fn poll(&mut self) -> Vec<String> {
        let answer = self.get("vsn=2.0.0").await;
        assert_eq!((&answer["status"], answer["token"].as_str()), (&json!(200), Some(&*self.token)), "{answer}");
        let messages = answer["messages"].as_array().unwrap();
        messages.iter().map(|message| message.as_str().unwrap().to_owned()).collect()
    }

    async fn post(&mut self, body: &str) -> Value {
        let (status, _, body) = self.send("POST", "vsn=2.0.0", &[("content-type", "application/x-ndjson")], body).await;
        assert_eq!(status, 200);
        serde_json::from_str(&body).unwrap()
    }
}

const JOIN: &str = r#"["1","1","room:1","phx_join",{}]"#;
const JOINED: &str = r#"["1","1","room:1","phx_reply",{"status":"ok","response":{}}]"#;

#[test]
fn a_session_opens_joins_and_talks() {
    run(async {
        let app = start(10_000).await;
        let mut poller = Poller::open(&app).await;
        assert_eq!(poller.post(JOIN).await, json!({"status": 200}));
        assert_eq!(poller.poll().await, [JOINED]);
        let lines = [
            r#"["1","2","room:1","echo",{"q":"\"é\n"}]"#,
            r#"["1","3","nowhere","echo",{}]"#,
            "AAEBBgQxNHJvb206MXB1c2gBAgM=", // a binary push: its answer cannot be polled
            r#"["1","5","room:1","count",{}]"#,
        ];
        assert_eq!(poller.post(&lines.join("\r\n")).await, json!({"status": 200}));
        let mut frames = Vec::new();
        while frames.len() < 3 {
            frames.extend(poller.poll().await);
        }
        let frames: Vec<Value> = frames.iter().map(|frame| serde_json::from_str(frame).unwrap()).collect();
        assert!(
            frames.contains(&json!(["1", "2", "room:1", "phx_reply", {"status": "ok", "response": {"q": "\"é\n"}}]))
        );
        assert!(frames.contains(
            &json!([null, "3", "nowhere", "phx_reply", {"status": "error", "response": {"reason": "unmatched topic"}}])
        ));
        assert!(frames.contains(&json!(["1", "5", "room:1", "phx_reply", {"status": "ok", "response": {"said": 3}}])));
        // another content type is one frame
        let (_, _, body) =
            poller.send("POST", "", &[("content-type", "application/json")], r#"["1","6","room:1","echo",{}]"#).await;
        assert_eq!((body.as_str(), poller.poll().await.len()), (r#"{"status":200}"#, 1));
        // a header takes the place of the parameter
        let token = std::mem::take(&mut poller.token);
        let header = [("x-phoenix-longpoll-token", &*token), ("content-type", "application/x-ndjson")];
        let (_, _, body) = poller.send("POST", "vsn=2.0.0", &header, r#"["1","7","room:1","echo",{}]"#).await;
        assert_eq!(body, r#"{"status":200}"#);
    });
}

#[test]
fn a_poll_waits_for_what_comes_and_no_longer_than_its_window() {
    run(async {
        let app = start(300).await;
        let mut poller = Poller::open(&app).await;
        poller.post(JOIN).await;
        assert_eq!(poller.poll().await, [JOINED]);
        let pubsub = app.pubsub.clone();
        drop(simurgh_runtime::spawn(async move {
            simurgh_runtime::sleep(Duration::from_millis(100)).await;
            pubsub.broadcast(simurgh_pubsub::Message::json("room:1", "tick", &json!({})).unwrap()).unwrap();
        }));
        assert_eq!(poller.poll().await, [r#"[null,null,"room:1","tick",{}]"#]);
        let nothing = poller.get("vsn=2.0.0").await;
        assert_eq!((&nothing["status"], &nothing["messages"]), (&json!(204), &json!([])));
        // after one and a half windows without a poll it is gone
        while app.sockets.counts().sessions > 0 {
            simurgh_runtime::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(poller.post(JOIN).await, json!({"status": 410}));
        let anew = poller.get("vsn=2.0.0").await;
        assert_eq!(anew["status"], 410);
        assert_ne!(anew["token"], json!(poller.token));
    });
}

#[test]
fn what_is_refused() {
    run(async {
        let app = start(10_000).await;
        let mut poller = Poller::new(&app).await;
        assert_eq!(poller.get("vsn=3.0.0").await, json!({"status": 403}));
        assert_eq!(poller.get("vsn=2.0.0&refuse=silently").await, json!({"status": 403}));
        let (status, _, body) = poller.send("GET", "vsn=2.0.0", &[("origin", "https://evil.example")], "").await;
        assert_eq!((status, body.as_str()), (200, r#"{"status":403}"#));
        assert_eq!(poller.post(JOIN).await, json!({"status": 410}));
        poller.token = "forged".into();
        assert_eq!(poller.post(JOIN).await, json!({"status": 410}));
        for (method, status) in [("PUT", 400), ("DELETE", 400), ("OPTIONS", 200)] {
            let asked = [("access-control-request-headers", "x-one, x-two")];
            let (got, headers, body) = poller.send(method, "", &asked, "").await;
            assert_eq!((got, body.as_str()), (status, ""), "{method}");
            if status == 200 {
                assert_eq!(headers["access-control-allow-headers"], "x-one, x-two");
                assert_eq!(headers["access-control-allow-methods"], "get, post, options");
                assert_eq!(headers["access-control-max-age"], "3600");
            }
        }
        let mut poller = Poller::open(&app).await;
        let (status, ..) = poller.send("POST", "", &[("content-type", "application/x-ndjson")], "not base64!").await;
        assert_eq!(status, 400);
        // malformed: the session ends without a word
        assert_eq!(poller.post(r#"["t"]"#).await, json!({"status": 410}));
        assert_eq!(app.sockets.counts().sessions, 0);
    });
}

#[test]
fn only_the_first_hundred_lines_are_read() {
    run(async {
        let app = start(10_000).await;
        let mut poller = Poller::open(&app).await;
        let lines: Vec<String> = (0..150).map(|n| format!(r#"[null,{n},"phoenix","heartbeat",{{}}]"#)).collect();
        assert_eq!(poller.post(&lines.join("\n")).await, json!({"status": 200}));
        assert_eq!(poller.poll().await.len(), 100);
        let (_, _, body) = poller.send("POST", "", &[("content-type", "application/x-ndjson")], JOIN).await;
        assert_eq!((body.as_str(), poller.poll().await), (r#"{"status":200}"#, vec![JOINED.to_owned()]));
    });
}

#[test]
fn a_client_that_never_polls_takes_no_more_than_its_outbox() {
    run(async {
        let outbox = simurgh_channels::OutboxOptions { frames_max: 32, ..Default::default() };
        let options =
            SocketOptions { outbox, long_poll: Some(LongPollOptions::new(Keys::random())), ..SocketOptions::default() };
        let app = App::start(options).await;
        let mut poller = Poller::open(&app).await;
        poller.post(JOIN).await;
        poller.post(r#"["1","2","room:1","many",1000]"#).await;
        while app.sockets.counts().sessions > 0 {
            simurgh_runtime::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!((app.sockets.counts().overflowed, app.sockets.counts().sockets), (1, 0));
        assert_eq!(poller.post(JOIN).await, json!({"status": 410}));
    });
}
