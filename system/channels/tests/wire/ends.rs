//! Sections 5.1 and 8: how channels and sockets end.

use std::time::Duration;

use serde_json::json;
use simurgh_channels::{DrainOptions, SocketOptions};
use simurgh_pubsub::Message;
use simurgh_runtime::timeout;

use crate::app::{App, run};

/// After this event the client gets these frames, and then has no channel.
async fn check(event: &str, frames: &[&str]) {
    let app = App::start(SocketOptions::default()).await;
    let mut client = app.client().await;
    client.join("room:1", "3").await;
    client.send(&format!(r#"["3","4","room:1","{event}",{{}}]"#)).await;
    for frame in frames {
        client.expect(frame).await;
    }
    client
        .ask(
            r#"["3","9","room:1","echo",{}]"#,
            r#"[null,"9","room:1","phx_reply",{"status":"error","response":{"reason":"unmatched topic"}}]"#,
        )
        .await;
}

const CLOSE: &str = r#"["3","3","room:1","phx_close",{}]"#;
const CRASH: &str = r#"["3","3","room:1","phx_error",{"reason":"channel_crash"}]"#;
const OK: &str = r#"["3","4","room:1","phx_reply",{"status":"ok","response":{}}]"#;

#[test]
fn a_channel_ends_as_its_cause_says() {
    run(async {
        let last = |why: &str| format!(r#"["3",null,"room:1","last_words",{{"why":"{why}"}}]"#);
        check("stop", &[CLOSE, &last("Stopped")]).await;
        check("stop_reply", &[OK, CLOSE, &last("Stopped")]).await;
        check("phx_leave", &[OK, CLOSE, &last("Left")]).await;
        check("crash", &[CRASH]).await;
        check("kill", &[CRASH]).await;
        check("fail", &[&last("Failed"), CRASH]).await;
    });
}

#[test]
fn a_second_join_closes_the_first_with_its_own_reference() {
    run(async {
        let app = App::start(SocketOptions::default()).await;
        let mut client = app.client().await;
        client.join("room:1", "3").await;
        client.send(r#"["5","5","room:1","phx_join",{}]"#).await;
        client.expect(r#"["3",null,"room:1","last_words",{"why":"Duplicate"}]"#).await;
        client.expect(CLOSE).await;
        client.expect(r#"["5","5","room:1","phx_reply",{"status":"ok","response":{}}]"#).await;
        client.send(r#"["3","6","room:1","echo",{}]"#).await; // of the former life
        client
            .ask(r#"["5","7","room:1","echo",{}]"#, r#"["5","7","room:1","phx_reply",{"status":"ok","response":{}}]"#)
            .await;
        assert_eq!(app.pubsub.topic("room:1").map(|topic| topic.subscribers), Some(1));
    });
}

#[test]
fn a_connection_that_ends_takes_its_channels_along() {
    run(async {
        let app = App::start(SocketOptions::default()).await;
        let (mut alice, mut bob) = (app.client().await, app.client().await);
        alice.join("room:1", "3").await;
        bob.join("room:1", "3").await;
        drop(alice);
        bob.expect(r#"[null,null,"room:1","gone",{"why":"Closed"}]"#).await;
        assert_eq!(app.sockets.counts().sockets, 1);
    });
}

#[test]
fn disconnect_ends_all_sockets_of_an_id_with_1001() {
    run(async {
        let app = App::start(SocketOptions::default()).await;
        let mut alice = [app.client_with("vsn=2.0.0&user=alice").await, app.client_with("vsn=2.0.0&user=alice").await];
        let mut bob = app.client_with("vsn=2.0.0&user=bob").await;
        for client in &mut alice {
            client.join("room:1", "1").await;
        }
        app.pubsub.broadcast(Message::json("users_socket:alice", "other", &json!({})).unwrap()).unwrap();
        alice[0].expect_nothing().await;
        app.pubsub.broadcast(Message::json("users_socket:alice", "disconnect", &json!({})).unwrap()).unwrap();
        for client in &mut alice {
            assert!(client.message().await.unwrap().is_none(), "no frame comes first");
            client.expect_close(1001).await;
        }
        bob.expect_nothing().await;
    });
}

#[test]
fn a_drain_closes_with_1012_in_batches() {
    run(async {
        let drain = DrainOptions { batch: 2, interval: Duration::from_millis(300), ..DrainOptions::default() };
        let app = App::start(SocketOptions { drain, ..SocketOptions::default() }).await;
        let mut clients = Vec::new();
        for _ in 0..3 {
            let mut client = app.client().await;
            client.join("room:1", "1").await;
            clients.push(client);
        }
        let sockets = app.sockets.clone();
        let drained = simurgh_runtime::spawn(async move { sockets.drain().await });
        let mut last = clients.pop().unwrap();
        for client in &mut clients {
            assert!(client.message().await.unwrap().is_none(), "neither phx_close nor phx_error");
            client.expect_close(1012).await;
        }
        last.expect(r#"[null,null,"room:1","gone",{"why":"Closed"}]"#).await; // still there
        last.expect_close(1012).await;
        timeout(Duration::from_secs(10), drained).await.expect("it returns").unwrap();
        app.client().await.expect_close(1012).await; // whoever still comes
    });
}

#[test]
fn a_listener_that_drains_drains_its_sockets() {
    run(async {
        let app = App::start(SocketOptions::default()).await;
        let mut client = app.client().await;
        client.join("room:1", "1").await;
        let server = app.server;
        let drained = simurgh_runtime::spawn(async move { server.drain().await });
        client.expect_close(1012).await;
        assert_eq!(drained.await.unwrap().killed, 0);
    });
}

#[test]
fn the_client_may_close_and_is_answered() {
    run(async {
        let app = App::start(SocketOptions::default()).await;
        let mut client = app.client().await;
        client.join("room:1", "1").await;
        client.socket.close(simurgh_http::ws::CloseCode::NORMAL, "").await.unwrap();
        client.expect_close(1000).await; // the echo of its own
    });
}
