//! Topics that can be resumed.

use serde_json::{Value, json};
use simurgh_channels::{ResumeOptions, SocketOptions};
use simurgh_http::ws::Message;

use crate::app::{App, Client, run};

/// A topic in which nobody says that he has gone.
const QUIET: &str = "picky:quiet";

async fn start(messages_max: usize) -> App {
    let resume = Some(ResumeOptions { messages_max, ..ResumeOptions::default() });
    App::start(SocketOptions { resume, ..SocketOptions::default() }).await
}

async fn frame(client: &mut Client) -> Value {
    let Ok(Some(Message::Text(text))) = client.message().await else { panic!("a frame") };
    serde_json::from_str(text.as_str()).unwrap()
}

/// Joins with this cursor: what `phx_resumed` says.
async fn join(client: &mut Client, topic: &str, cursor: &Value) -> Value {
    let params = json!({ "resume": cursor });
    client
        .ask(
            &json!(["1", "1", topic, "phx_join", params]).to_string(),
            &json!(["1", "1", topic, "phx_reply", {"status": "ok", "response": {}}]).to_string(),
        )
        .await;
    let resumed = frame(client).await;
    assert_eq!((&resumed[0], &resumed[3]), (&json!("1"), &json!("phx_resumed")));
    resumed[4].clone()
}

fn publish(app: &App, n: u64) {
    app.pubsub.broadcast(simurgh_pubsub::Message::json(QUIET, "tick", &json!({ "n": n })).unwrap()).unwrap();
}

/// The next broadcast, and the cursor after it.
async fn tick(client: &mut Client) -> (u64, Value) {
    let (tick, cursor) = (frame(client).await, frame(client).await);
    assert_eq!((&tick[0], &tick[3], &cursor[3]), (&Value::Null, &json!("tick"), &json!("phx_cursor")));
    (tick[4]["n"].as_u64().unwrap(), cursor[4]["cursor"].clone())
}

#[test]
fn what_was_missed_comes_after_the_join_or_its_loss_is_told() {
    run(async {
        let app = start(4).await;
        let mut client = app.client().await;
        let resumed = join(&mut client, QUIET, &Value::Null).await;
        assert_eq!((&resumed["replayed"], &resumed["gap"]), (&json!(0), &json!(false)));
        publish(&app, 0);
        publish(&app, 1);
        let (first, cursor) = tick(&mut client).await;
        assert_eq!((first, tick(&mut client).await.0), (0, 1));
        drop(client);
        publish(&app, 2);

        let mut client = app.client().await;
        let resumed = join(&mut client, QUIET, &cursor).await;
        assert_eq!((&resumed["replayed"], &resumed["gap"]), (&json!(2), &json!(false)));
        assert_eq!((tick(&mut client).await.0, tick(&mut client).await.0), (1, 2));
        publish(&app, 3);
        assert_eq!(tick(&mut client).await.0, 3);
        drop(client);
        for n in 4..8 {
            publish(&app, n);
        }

        let mut client = app.client().await;
        let resumed = join(&mut client, QUIET, &cursor).await;
        assert_eq!((&resumed["replayed"], &resumed["gap"]), (&json!(4), &json!(true)));
        for n in 4..8 {
            assert_eq!(tick(&mut client).await.0, n);
        }
        for stranger in ["0000000000000000.1", "x", "", ".5", "1.99999999999999999999"] {
            let mut client = app.client().await;
            let resumed = join(&mut client, QUIET, &json!(stranger)).await;
            assert_eq!((&resumed["replayed"], &resumed["gap"]), (&json!(4), &json!(true)), "{stranger}");
        }
    });
}

#[test]
fn who_does_not_ask_notices_nothing_and_own_messages_stay_out() {
    run(async {
        let app = start(4).await;
        let (mut resuming, mut plain) = (app.client().await, app.client().await);
        join(&mut resuming, "room:1", &Value::Null).await;
        plain.join("room:1", "1").await;
        resuming.send(r#"["1","2","room:1","others",{"a":1}]"#).await;
        plain.expect(r#"[null,null,"room:1","others",{"a":1}]"#).await;
        plain.expect_nothing().await;
        assert_eq!(frame(&mut resuming).await[3], "phx_cursor");
        plain.send(r#"["1","2","room:1","others",{"b":1}]"#).await;
        resuming.expect(r#"[null,null,"room:1","others",{"b":1}]"#).await;
        assert_eq!(frame(&mut resuming).await[3], "phx_cursor");
        plain.expect_nothing().await;
    });
}
