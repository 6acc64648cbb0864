//! Sections 3.2 and 9: limits, and what is malformed.

use std::time::Duration;

use simurgh_channels::{Budget, OutboxOptions, Overflow, Rate, SocketOptions};
use simurgh_http::ws::Message;
use simurgh_runtime::{Instant, sleep};

use crate::app::{App, run};

#[test]
fn malformed_messages_end_the_socket_with_1011() {
    run(async {
        let app = App::start(SocketOptions::default()).await;
        for frame in [
            Message::text("hello"),
            Message::text("[]"),
            Message::text(r#"[null,null,"t","e"]"#),
            Message::text(r#"{"topic":"t","event":"e","payload":{},"ref":1}"#),
            Message::binary(vec![9, 0, 0, 1, 1, b't', b'e']),
            Message::binary(vec![0]),
            Message::binary(vec![]),
        ] {
            let mut client = app.client().await;
            client.join("room:1", "1").await;
            client.socket.send(frame.clone()).await.unwrap();
            client.expect_close(1011).await;
        }
        let mut client = app.client_with("vsn=1.0.0").await;
        client.send(r#"[null,null,"t","e",{}]"#).await;
        client.expect_close(1011).await;
    });
}

#[test]
fn a_frame_that_is_too_long_is_1009_and_invalid_text_1007() {
    run(async {
        let app = App::start(SocketOptions { frame_len_max: 1_000, ..SocketOptions::default() }).await;
        let mut client = app.client().await;
        client.socket.send(Message::binary(vec![0; 1_001])).await.unwrap();
        client.expect_close(1009).await;
    });
}

#[test]
fn silence_of_the_client_ends_the_socket_with_1002() {
    run(async {
        let app = App::start(SocketOptions { timeout: Duration::from_millis(400), ..SocketOptions::default() }).await;
        let mut client = app.client().await;
        client.join("room:1", "1").await;
        let since = Instant::now();
        for _ in 0..3 {
            sleep(Duration::from_millis(200)).await;
            client.expect_nothing().await;
        }
        // what the server sends does not count
        let pubsub = app.pubsub.clone();
        drop(simurgh_runtime::spawn(async move {
            loop {
                let message = simurgh_pubsub::Message::json("room:1", "tick", &serde_json::json!({})).unwrap();
                pubsub.broadcast(message).unwrap();
                sleep(Duration::from_millis(50)).await;
            }
        }));
        client.expect_close(1002).await;
        assert!(since.elapsed() >= Duration::from_millis(900));
    });
}

#[test]
fn a_client_that_does_not_read_is_bounded_as_the_policy_says() {
    run(async {
        for (overflow, closed) in [(Overflow::Close, true), (Overflow::DropOldest, false)] {
            let outbox = OutboxOptions { frames_max: 64, bytes_max: 1 << 20, overflow };
            let app = App::start(SocketOptions { outbox, ..SocketOptions::default() }).await;
            let mut client = app.client().await;
            client.join("room:1", "1").await;
            client.send(r#"["1","2","room:1","many",20000]"#).await;
            // it does not read until the server has had enough of it
            let counts = || app.sockets.counts();
            while counts().overflowed == 0 && counts().dropped == 0 {
                sleep(Duration::from_millis(5)).await;
            }
            if closed {
                client.expect_close(1013).await;
            } else {
                let mut last = None;
                while last != Some(19_999) {
                    let Ok(Some(Message::Text(text))) = client.message().await else { panic!("frames") };
                    let frame: serde_json::Value = serde_json::from_str(text.as_str()).unwrap();
                    last = frame[4]["n"].as_u64().or(last);
                }
                assert!(counts().dropped > 0 && counts().overflowed == 0);
            }
        }
    });
}

#[test]
fn a_flooder_is_refused_or_closed_and_its_neighbour_is_not() {
    run(async {
        let budget = Budget { topic: Some(Rate::per_second(1).burst(2)), refusals_max: Some(3), ..Budget::default() };
        let app = App::start(SocketOptions { budget, ..SocketOptions::default() }).await;
        let (mut flooder, mut neighbour) = (app.client().await, app.client().await);
        flooder.join("room:1", "1").await;
        neighbour.join("room:1", "1").await;
        let limited = r#"["1","3","room:1","phx_reply",{"status":"error","response":{"reason":"rate limited"}}]"#;
        let fine = r#"["1","3","room:1","phx_reply",{"status":"ok","response":{}}]"#;
        for want in [fine, fine] {
            flooder.ask(r#"["1","3","room:1","echo",{}]"#, want).await;
        }
        for _ in 0..3 {
            flooder.ask(r#"["1","3","room:1","echo",{}]"#, limited).await;
        }
        flooder.expect_nothing().await; // heartbeats are of no topic
        neighbour.ask(r#"["1","3","room:1","echo",{}]"#, fine).await;
        flooder.send(r#"["1","3","room:1","echo",{}]"#).await;
        flooder.expect_close(1008).await;
        neighbour.expect(r#"[null,null,"room:1","gone",{"why":"Closed"}]"#).await;
        neighbour.ask(r#"["1","3","room:1","echo",{}]"#, fine).await;
    });
}
