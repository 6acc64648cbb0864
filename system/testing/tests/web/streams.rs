//! Answers that are compressed, or made while they are sent.

use std::time::Duration;

use simurgh_runtime::{DurationExt, sleep};
use simurgh_test::{Http, get, head, post};
use simurgh_web::{BodyError, Compress, Conn, Endpoint, Event, Inflate, Plug, Result, router};

use crate::case::{Arm, Only, Stage, cases};

const SERVED: Only = Only {
    arms: &[Arm::Sockets, Arm::Simulator],
    because: "in memory the body is polled by the client, whose panic it would be",
};

cases! {
    "streams.gzip": "text is compressed for who takes gzip, and says what it varies by" => gzip;
    "streams.gzip_refused": "who takes no gzip gets none" => gzip_refused;
    "streams.gzip_left_alone": "short answers, pictures and no-transform are left alone" => left_alone;
    "streams.gzip_etag": "compressed, an etag becomes weak" => gzip_etag;
    "streams.gzip_streamed": "a stream is compressed while it is sent" => gzip_streamed;
    "streams.chunked": "a stream of unknown length arrives whole" => chunked;
    "streams.sized": "a stream of known length says it" => sized;
    "streams.cut_off": "a stream that fails is cut off, and not taken for whole" => cut_off;
    "streams.panic": "so is one that panics, and nothing else ends by it" => panic only SERVED;
    "streams.sized_wrong": "a stream that makes less than it said is cut off" => sized_wrong;
    "streams.head": "HEAD of a stream ends at once" => head_of_a_stream;
    "streams.sse": "server-sent events have their fields, and no proxy holds them back" => sse;
    "streams.sse_resumed": "a client that comes back says the last event it has" => sse_resumed;
    "streams.sse_lines": "what is put into an event cannot begin another" => sse_lines;
    "streams.sse_keep_alive": "a stream without events says that it lives" => sse_keep_alive;
}

const TEXT: &str = "the same again and again; ";

async fn text(conn: &mut Conn) {
    let times = conn.query_string().parse().unwrap_or(100);
    conn.put_header("etag", "\"v1\"").text(TEXT.repeat(times));
}

async fn picture(conn: &mut Conn) {
    conn.put_header("content-type", "image/png").put_body(TEXT.repeat(100));
}

async fn fixed(conn: &mut Conn) {
    conn.put_header("cache-control", "no-transform").text(TEXT.repeat(100));
}

async fn numbers(conn: &mut Conn) {
    conn.put_header("content-type", "text/plain");
    conn.stream(|mut chunks| async move {
        for number in 0..1_000 {
            chunks.send(format!("{number}\n")).await?;
        }
        Ok(())
    });
}

async fn sized_stream(conn: &mut Conn) {
    let len = conn.query_string().parse().unwrap_or(10);
    conn.stream_sized(len, |mut chunks| async move {
        chunks.send("01234").await?;
        sleep(5.millis()).await; // so that the first part is on its way
        chunks.send("56789").await
    });
}

async fn breaks(conn: &mut Conn) {
    conn.stream(|mut chunks| async move {
        chunks.send("half").await?;
        sleep(5.millis()).await; // so that it is on its way
        Err(BodyError::Source("the source has dried up".into()))
    });
}

async fn panics(conn: &mut Conn) {
    conn.stream(|mut chunks| async move {
        chunks.send("half").await?;
        sleep(5.millis()).await; // so that it is on its way
        panic!("as planned")
    });
}

async fn ticks(conn: &mut Conn) {
    let from = conn.last_event_id().and_then(|id| id.parse().ok()).unwrap_or(0);
    conn.sse(move |mut events| async move {
        for number in from + 1..=from + 2 {
            events.send(Event::data("tick").event("clock").id(number)).await?;
        }
        Ok(())
    });
}

async fn lines(conn: &mut Conn) -> Result {
    let json = Event::json(&["a", "b"])?;
    conn.sse(move |mut events| async move {
        events
            .send(Event::data("one\r\ndata: two\n\nevent: forged").event("a\nid: 9").retry(Duration::from_secs(3)))
            .await?;
        events.send(json).await
    });
    Ok(())
}

async fn slow(conn: &mut Conn) {
    conn.sse_with(Duration::from_secs(1), |mut events| async move {
        sleep(1_500.millis()).await;
        events.send(Event::data("late")).await
    });
}

async fn receive(conn: &mut Conn) -> Result<String> {
    let body = conn.take_body().unwrap_or_default().collect(1 << 20).await?;
    Ok(String::from_utf8_lossy(&body).into_owned())
}

router! {
    pipeline inflating { Inflate::new(); }

    get "/text" => text;
    get "/picture" => picture;
    get "/fixed" => fixed;
    get "/numbers" => numbers;
    get "/sized" => sized_stream;
    get "/breaks" => breaks;
    get "/panics" => panics;
    get "/ticks" => ticks;
    get "/lines" => lines;
    get "/slow" => slow;
    scope "/" through inflating { post "/receive" => receive; }
}

fn endpoint() -> Endpoint<impl Plug> {
    Endpoint::new((Compress::new(), router()))
}

/// What a body is without gzip: the endpoint itself says so.
async fn unzipped(http: &Http, body: bytes::Bytes) -> String {
    let answer = http.send(post("/receive").header("content-encoding", "gzip").body(body)).await;
    answer.assert_status(200).text().to_owned()
}

fn numbered() -> String {
    let numbers: Vec<String> = (0..1_000).map(|number| number.to_string()).collect();
    numbers.join("\n") + "\n"
}

async fn gzip(stage: Stage) {
    let http = stage.http(endpoint()).await;
    let answer = http.send(get("/text").header("accept-encoding", "br, gzip;q=0.5")).await;
    answer.assert_header("content-encoding", "gzip").assert_header("vary", "accept-encoding");
    assert!(answer.body().len() < 200, "{}", answer.body().len());
    assert_eq!(unzipped(&http, answer.body().clone()).await, TEXT.repeat(100));
}

async fn gzip_refused(stage: Stage) {
    let http = stage.http(endpoint()).await;
    for request in [get("/text"), get("/text").header("accept-encoding", "br, gzip;q=0")] {
        let answer = http.send(request).await;
        answer.assert_no_header("content-encoding").assert_header("vary", "accept-encoding");
        answer.assert_body(TEXT.repeat(100));
    }
}

async fn left_alone(stage: Stage) {
    let http = stage.http(endpoint()).await;
    for target in ["/text?1", "/picture", "/fixed"] {
        let answer = http.send(get(target).header("accept-encoding", "gzip")).await;
        answer.assert_status(200).assert_no_header("content-encoding");
        assert!(answer.body().starts_with(TEXT.as_bytes()));
    }
}

async fn gzip_etag(stage: Stage) {
    let http = stage.http(endpoint()).await;
    http.send(get("/text").header("accept-encoding", "gzip")).await.assert_header("etag", "W/\"v1\"");
    http.get("/text").await.assert_header("etag", "\"v1\"");
}

async fn gzip_streamed(stage: Stage) {
    let http = stage.http(endpoint()).await;
    let answer = http.send(get("/numbers").header("accept-encoding", "gzip")).await;
    answer.assert_header("content-encoding", "gzip").assert_no_header("content-length");
    assert_eq!(unzipped(&http, answer.body().clone()).await, numbered());
}

async fn chunked(stage: Stage) {
    let http = stage.http(endpoint()).await;
    let answer = http.get("/numbers").await;
    answer.assert_status(200).assert_no_header("content-length").assert_body(numbered());
    if stage.has_connections() {
        answer.assert_header("transfer-encoding", "chunked");
    }
}

async fn sized(stage: Stage) {
    let http = stage.http(endpoint()).await;
    let answer = http.get("/sized?10").await;
    answer.assert_body("0123456789");
    if stage.has_connections() {
        answer.assert_header("content-length", "10").assert_no_header("transfer-encoding");
    }
}

async fn cut_off(stage: Stage) {
    let http = stage.http(endpoint()).await;
    let answer = http.get("/breaks").await;
    assert!(answer.cut_off().is_some(), "{answer:?}");
    http.get("/text").await.assert_status(200);
}

async fn panic(stage: Stage) {
    let http = stage.http(endpoint()).await;
    let answer = http.get("/panics").await;
    assert!(answer.cut_off().is_some(), "{answer:?}");
    http.get("/text").await.assert_status(200);
}

async fn sized_wrong(stage: Stage) {
    let http = stage.http(endpoint()).await;
    let answer = http.get("/sized?11").await;
    assert!(answer.cut_off().is_some(), "{answer:?}");
}

async fn head_of_a_stream(stage: Stage) {
    let http = stage.http(endpoint()).await;
    http.send(head("/numbers")).await.assert_status(200).assert_header("content-type", "text/plain").assert_body("");
}

async fn sse(stage: Stage) {
    let http = stage.http(endpoint()).await;
    http.get("/ticks")
        .await
        .assert_header("content-type", "text/event-stream")
        .assert_header("cache-control", "no-cache")
        .assert_header("x-accel-buffering", "no")
        .assert_body("event: clock\nid: 1\ndata: tick\n\nevent: clock\nid: 2\ndata: tick\n\n");
}

async fn sse_resumed(stage: Stage) {
    let http = stage.http(endpoint()).await;
    let answer = http.send(get("/ticks").header("last-event-id", "7")).await;
    answer.assert_body("event: clock\nid: 8\ndata: tick\n\nevent: clock\nid: 9\ndata: tick\n\n");
}

async fn sse_lines(stage: Stage) {
    let http = stage.http(endpoint()).await;
    let expected = "event: aid: 9\nretry: 3000\ndata: one\ndata: data: two\ndata: \ndata: event: forged\n\n\
                    data: [\"a\",\"b\"]\n\n";
    http.get("/lines").await.assert_body(expected);
}

async fn sse_keep_alive(stage: Stage) {
    let http = stage.http(endpoint()).await;
    let answer = http.get("/slow").await;
    let text = answer.text();
    assert!(text.starts_with(':') && text.ends_with("data: late\n\n"), "{text:?}");
}
