//! Processes, and what is left of them.

use simurgh_channels::SocketOptions;

use crate::app::{App, run};

#[test]
fn nothing_is_left_of_those_who_have_gone() {
    run(async {
        let app = App::start(SocketOptions::default()).await;
        let before = simurgh_otp::count();
        for round in 0..3 {
            let mut clients = Vec::new();
            for at in 0..20 {
                let mut client = app.client_with(&format!("vsn=2.0.0&user={at}")).await;
                client.join("room:1", "1").await;
                clients.push(client);
            }
            assert_eq!(simurgh_otp::count(), before + 40, "round {round}");
            drop(clients);
            while simurgh_otp::count() > before {
                simurgh_runtime::sleep(std::time::Duration::from_millis(5)).await;
            }
            assert_eq!(app.sockets.counts().sockets, 0);
            assert!(app.pubsub.topics().is_empty());
        }
    });
}

#[test]
fn a_socket_that_is_closed_while_it_joins_leaves_no_channel() {
    run(async {
        let app = App::start(SocketOptions::default()).await;
        let before = simurgh_otp::count();
        let mut client = app.client_with("vsn=2.0.0&user=alice").await;
        client.join("room:1", "1").await;
        client.send(r#"["2","2","picky:slow","phx_join",{}]"#).await;
        client.send(r#"["1","3","room:1","echo",{}]"#).await; // waits for the join
        while simurgh_otp::count() < before + 3 {
            simurgh_runtime::sleep(std::time::Duration::from_millis(5)).await;
        }
        let disconnect = simurgh_pubsub::Message::json("users_socket:alice", "disconnect", &serde_json::json!({}));
        app.pubsub.broadcast(disconnect.unwrap()).unwrap();
        client.expect_close(1001).await;
        while simurgh_otp::count() > before {
            simurgh_runtime::sleep(std::time::Duration::from_millis(5)).await;
        }
        assert!(app.pubsub.topics().is_empty());
    });
}
