//! Sections 4 and 5: frames, and what is done with them.

use simurgh_channels::SocketOptions;
use simurgh_http::ws::Message;

use crate::app::{App, run};

#[test]
fn replies_pushes_and_broadcasts_bear_their_references() {
    run(async {
        let app = App::start(SocketOptions::default()).await;
        let (mut alice, mut bob) = (app.client().await, app.client().await);
        alice.join("room:1", "3").await;
        bob.join("room:1", "7").await;
        for (text, want) in [
            (
                r#"["3","4","room:1","echo",{"a":[1,2]}]"#,
                r#"["3","4","room:1","phx_reply",{"status":"ok","response":{"a":[1,2]}}]"#,
            ),
            (r#"[null,5,"room:1","echo",7]"#, r#"["3",5,"room:1","phx_reply",{"status":"ok","response":7}]"#),
            (r#"["3","6","room:1","custom",{}]"#, r#"["3","6","room:1","phx_reply",{"status":"odd","response":{}}]"#),
            (
                r#"["3","7","room:1","any",{}]"#,
                r#"["3","7","room:1","phx_reply",{"status":"ok","response":[1,null,"x"]}]"#,
            ),
            (
                r#"["3","8","room:1","error",{}]"#,
                r#"["3","8","room:1","phx_reply",{"status":"error","response":{"reason":"no"}}]"#,
            ),
            (
                r#"["3","9","room:1","what",{}]"#,
                r#"["3","9","room:1","phx_reply",{"status":"error","response":{"reason":"unknown event"}}]"#,
            ),
            (r#"["3","10","room:1","push",{"b":1}]"#, r#"["3",null,"room:1","pushed",{"b":1}]"#),
            (r#"["3","11","room:1","info",{}]"#, r#"["3",null,"room:1","info",{"came":"by mail"}]"#),
            (
                r#"["3","12","room:1","typed",5]"#,
                r#"["3","12","room:1","phx_reply",{"status":"ok","response":{"n":5}}]"#,
            ),
        ] {
            alice.ask(text, want).await;
        }
        alice.send(r#"["3","13","room:1","typed","five"]"#).await;
        let Ok(Some(Message::Text(text))) = alice.message().await else { panic!("a reply") };
        assert!(text.as_str().contains("bad payload"), "{text}");
        alice.send(r#"["3","14","room:1","later",{}]"#).await;
        for n in [1, 2] {
            alice.expect(&format!(r#"["3","14","room:1","phx_reply",{{"status":"ok","response":{{"n":{n}}}}}]"#)).await;
        }

        alice.send(r#"["3","15","room:1","all",{"c":1}]"#).await;
        let broadcast = r#"[null,null,"room:1","all",{"c":1}]"#;
        alice.expect(broadcast).await;
        bob.expect(broadcast).await;
        alice.send(r#"["3","16","room:1","others",{"d":1}]"#).await;
        bob.expect(r#"[null,null,"room:1","others",{"d":1}]"#).await;
        alice.expect_nothing().await;
        alice.send(r#"["3","17","room:1","intercepted",{"e":1}]"#).await;
        alice.expect(r#"["3",null,"room:1","intercepted",{"was":{"e":1}}]"#).await;
        bob.expect(r#"["7",null,"room:1","intercepted",{"was":{"e":1}}]"#).await;
        alice.send(r#"["3","18","room:1","silent",{}]"#).await;
        let counted = r#"["3","19","room:1","phx_reply",{"status":"ok","response":{"said":16}}]"#;
        alice.ask(r#"["3","19","room:1","count",{}]"#, counted).await;
    });
}

#[test]
fn binary_frames_go_both_ways() {
    run(async {
        let app = App::start(SocketOptions::default()).await;
        let (mut alice, mut bob) = (app.client().await, app.client_with("vsn=1.0.0").await);
        alice.join("room:1", "3").await;
        bob.ask(
            r#"{"topic":"room:1","event":"phx_join","payload":{},"ref":0}"#,
            r#"{"topic":"room:1","event":"phx_reply","payload":{"status":"ok","response":{}},"ref":0}"#,
        )
        .await;
        let push = |event: &[u8]| {
            let mut frame = vec![0, 1, 1, 6, event.len() as u8];
            frame.extend_from_slice(b"35room:1");
            frame.extend_from_slice(event);
            frame.extend_from_slice(&[1, 2, 3]);
            Message::binary(frame)
        };
        let frame = |kind: u8, lens: &[u8], text: &[u8]| {
            let mut frame = [&[kind], lens, text].concat();
            frame.extend_from_slice(&[1, 2, 3]);
            Message::binary(frame)
        };
        for (event, want) in [
            (&b"bytes"[..], frame(1, &[1, 1, 6, 2], b"35room:1ok")),
            (b"push", frame(0, &[1, 6, 6], b"3room:1pushed")),
            (b"all", frame(2, &[6, 3], b"room:1all")),
        ] {
            alice.socket.send(push(event)).await.unwrap();
            assert_eq!(alice.message().await.unwrap(), Some(want));
        }
        // a client of version 1 takes no bytes: the broadcast is left out
        bob.ask(
            r#"{"topic":"phoenix","event":"heartbeat","payload":{},"ref":null}"#,
            r#"{"topic":"phoenix","event":"phx_reply","payload":{"status":"ok","response":{}},"ref":null}"#,
        )
        .await;
    });
}

#[test]
fn version_1_has_four_names_and_no_join_ref() {
    run(async {
        let app = App::start(SocketOptions::default()).await;
        let mut client = app.client_with("").await; // nothing said is version 1
        for (text, want) in [
            (
                r#"{"topic":"room:1","event":"phx_join","payload":{},"ref":1,"join_ref":1}"#,
                r#"{"topic":"room:1","event":"phx_reply","payload":{"status":"ok","response":{}},"ref":1}"#,
            ),
            (
                r#"{"topic":"room:1","event":"all","payload":{"x":1},"ref":2}"#,
                r#"{"topic":"room:1","event":"all","payload":{"x":1},"ref":null}"#,
            ),
            (
                r#"{"topic":"room:1","event":"echo","payload":{"x":1},"ref":"3","join_ref":1}"#,
                r#"{"topic":"room:1","event":"phx_reply","payload":{"status":"ok","response":{"x":1}},"ref":"3"}"#,
            ),
            (
                r#"{"topic":"nowhere","event":"x","payload":{},"ref":4}"#,
                r#"{"topic":"nowhere","event":"phx_reply","payload":{"status":"error","response":{"reason":"unmatched topic"}},"ref":4}"#,
            ),
        ] {
            client.ask(text, want).await;
        }
        client.send(r#"{"topic":"room:1","event":"phx_leave","payload":{},"ref":5}"#).await;
        client
            .expect(r#"{"topic":"room:1","event":"phx_reply","payload":{"status":"ok","response":{}},"ref":5}"#)
            .await;
        client.expect(r#"{"topic":"room:1","event":"phx_close","payload":{},"ref":1}"#).await;
    });
}

#[test]
fn joins_that_are_refused() {
    run(async {
        let app = App::start(SocketOptions { channels_max: 2, ..SocketOptions::default() }).await;
        let mut client = app.client().await;
        for (topic, response) in [
            ("picky:no", r#"{"reason":"unauthorized"}"#),
            ("picky:crash", r#"{"reason":"join crashed"}"#),
            (
                "picky:early",
                r#"{"reason":"nothing can be pushed until the client has joined; send it to the channel with `Socket::sender`"}"#,
            ),
        ] {
            client
                .ask(
                    &format!(r#"["1","2","{topic}","phx_join",{{}}]"#),
                    &format!(r#"["1","2","{topic}","phx_reply",{{"status":"error","response":{response}}}]"#),
                )
                .await;
        }
        client
            .ask(
                r#"["1","2","nowhere","phx_join",{}]"#,
                r#"[null,"2","nowhere","phx_reply",{"status":"error","response":{"reason":"unmatched topic"}}]"#,
            )
            .await;
        client.join("room:1", "3").await;
        client.join("room:secret", "4").await; // the first pattern that fits
        client
            .ask(
                r#"["5","5","room:3","phx_join",{}]"#,
                r#"["5","5","room:3","phx_reply",{"status":"error","response":{"reason":"too many channels joined"}}]"#,
            )
            .await;
        // a join without a join_ref: its ref serves
        client.send(r#"["3","6","room:1","phx_leave",{}]"#).await;
        client.expect(r#"["3","6","room:1","phx_reply",{"status":"ok","response":{}}]"#).await;
        client.expect(r#"["3","3","room:1","phx_close",{}]"#).await;
        client.expect(r#"["3",null,"room:1","last_words",{"why":"Left"}]"#).await;
        client
            .ask(r#"[null,9,"room:2","phx_join",{}]"#, r#"[null,9,"room:2","phx_reply",{"status":"ok","response":{}}]"#)
            .await;
        client.ask(r#"[null,10,"room:2","push",{}]"#, r#"[9,null,"room:2","pushed",{}]"#).await;
    });
}

#[test]
fn what_the_server_publishes_reaches_all_who_have_joined() {
    run(async {
        let app = App::start(SocketOptions::default()).await;
        let mut clients = Vec::new();
        for _ in 0..3 {
            let mut client = app.client().await;
            client.join("room:1", "1").await;
            clients.push(client);
        }
        for n in 0..100 {
            let message = simurgh_pubsub::Message::json("room:1", "tick", &serde_json::json!({ "n": n })).unwrap();
            app.pubsub.broadcast(message).unwrap();
        }
        for client in &mut clients {
            for n in 0..100 {
                client.expect(&format!(r#"[null,null,"room:1","tick",{{"n":{n}}}]"#)).await;
            }
        }
        assert_eq!(app.sockets.counts().sockets, 3);
    });
}
