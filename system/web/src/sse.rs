//! Server-sent events (WHATWG HTML, 9.2).

use std::fmt::Write as _;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, header};
use http_body::{Body as HttpBody, Frame, SizeHint};
use serde::Serialize;
use simurgh_http::{Body, BodyError, Chunks};
use simurgh_runtime::time::Sleep;
use simurgh_runtime::{Instant, sleep};

use crate::{Conn, Result};

/// How often a stream without events says that it lives, if not said otherwise.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

impl Conn {
    /// Answers with a stream of events, as `EventSource` in browsers reads it
    /// (<https://html.spec.whatwg.org/multipage/server-sent-events.html>).
    ///
    /// ```
    /// use simurgh_web::{Conn, Endpoint, Event, test};
    ///
    /// async fn ticks(conn: &mut Conn) {
    ///     let from = conn.last_event_id().and_then(|id| id.parse().ok()).unwrap_or(0);
    ///     conn.sse(move |mut events| async move {
    ///         for number in from + 1..=from + 2 {
    ///             events.send(Event::data("tick").event("clock").id(number)).await?;
    ///         }
    ///         Ok(())
    ///     });
    /// }
    ///
    /// # simurgh_runtime::run("doc", async {
    /// let response = test::get(&Endpoint::new(ticks), "/").await;
    /// assert_eq!(response.headers()["content-type"], "text/event-stream");
    /// let text = test::text(response).await;
    /// assert_eq!(text, "event: clock\nid: 1\ndata: tick\n\nevent: clock\nid: 2\ndata: tick\n\n");
    /// # });
    /// ```
    ///
    /// It is sent with `cache-control: no-cache` and `x-accel-buffering: no`, so that proxies let it flow, and
    /// after 15 s without an event with a comment, so that nobody in between takes it for dead. Who makes the
    /// events is polled and dropped as in [`Conn::stream`]: its next await is its last when the client has
    /// gone, and a client that does not read makes it wait. A browser comes back when the stream ends, with
    /// [`last_event_id`](Self::last_event_id); the answer 204 tells it not to.
    pub fn sse<F, R>(&mut self, make: F)
    where
        F: FnOnce(Events) -> R,
        R: Future<Output = Result<(), BodyError>> + Send + 'static,
    {
        self.sse_with(KEEP_ALIVE, make);
    }

    /// The same, with the time without an event after which a comment is sent: a second at least.
    pub fn sse_with<F, R>(&mut self, keep_alive: Duration, make: F)
    where
        F: FnOnce(Events) -> R,
        R: Future<Output = Result<(), BodyError>> + Send + 'static,
    {
        let keep_alive = keep_alive.max(Duration::from_secs(1));
        let body = Body::stream(|chunks| make(Events { chunks }));
        let sleep = Box::pin(sleep(keep_alive));
        self.put_header("cache-control", "no-cache").put_header("x-accel-buffering", "no");
        self.response_headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
        self.put_body(Body::new(KeptAlive { body, every: keep_alive, sleep }));
    }

    /// The last event that a client got which comes back.
    pub fn last_event_id(&self) -> Option<&str> {
        let id = self.request_headers().get("last-event-id")?;
        std::str::from_utf8(id.as_bytes()).ok()
    }
}

/// Where the events of a stream go.
#[derive(Debug)]
pub struct Events {
    chunks: Chunks,
}

impl Events {
    /// Sends an event, and waits while the one before it has not been taken.
    ///
    /// # Errors
    /// [`BodyError::Gone`] if nobody takes the stream any more.
    pub async fn send(&mut self, event: Event) -> Result<(), BodyError> {
        self.chunks.send(event.to_string()).await
    }
}

/// One event.
///
/// ```
/// use simurgh_web::Event;
/// use std::time::Duration;
///
/// let event = Event::data("two\nlines").event("note").id(7).retry(Duration::from_secs(3));
/// assert_eq!(event.to_string(), "event: note\nid: 7\nretry: 3000\ndata: two\ndata: lines\n\n");
/// ```
///
/// Nothing that is put into an event can begin another field or event: data is sent line by line, whatever
/// ends its lines; line breaks and NUL are left out of names and ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    fields: String,
    data: Option<String>,
}

impl Event {
    /// An event with this text; a client gets line breaks of any kind as `\n`.
    pub fn data(text: impl Into<String>) -> Self {
        Self { fields: String::new(), data: Some(text.into()) }
    }

    /// An event with a value as JSON.
    ///
    /// # Errors
    /// `500`, if it cannot be written as JSON.
    pub fn json<T: Serialize + ?Sized>(value: &T) -> Result<Self> {
        Ok(Self::data(serde_json::to_string(value)?))
    }

    /// No event: a comment, which a client reads over.
    pub fn comment(text: &str) -> Self {
        let mut event = Self { fields: String::new(), data: None };
        for line in lines(text) {
            event.field("", line);
        }
        event
    }

    /// Its name; `message` for a client if it has none.
    pub fn event(mut self, name: &str) -> Self {
        self.field("event", &in_one_line(name));
        self
    }

    /// Its id, which a client that comes back says.
    #[allow(clippy::needless_pass_by_value)] // a number is given as it is
    pub fn id(mut self, id: impl ToString) -> Self {
        self.field("id", &in_one_line(&id.to_string()));
        self
    }

    /// How long a client waits before it comes back, from now on; in milliseconds on the wire.
    pub fn retry(mut self, after: Duration) -> Self {
        self.field("retry", &after.as_millis().to_string());
        self
    }

    fn field(&mut self, name: &str, value: &str) {
        let _ = writeln!(self.fields, "{name}: {value}");
    }
}

impl std::fmt::Display for Event {
    /// As it is sent.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.fields)?;
        for line in self.data.iter().flat_map(|data| lines(data)) {
            writeln!(f, "data: {line}")?;
        }
        f.write_char('\n')
    }
}

/// Lines as a client counts them: ended by `\r\n`, `\n` or `\r`.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.split("\r\n").flat_map(|line| line.split(['\r', '\n']))
}

fn in_one_line(text: &str) -> String {
    text.chars().filter(|letter| !matches!(letter, '\r' | '\n' | '\0')).collect()
}

/// A stream of events that says that it lives.
struct KeptAlive {
    body: Body,
    every: Duration,
    sleep: Pin<Box<Sleep>>,
}

impl HttpBody for KeptAlive {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        let frame = match Pin::new(&mut this.body).poll_frame(cx) {
            Poll::Ready(frame) => frame,
            Poll::Pending if this.sleep.as_mut().poll(cx).is_ready() => {
                Some(Ok(Frame::data(Bytes::from_static(b":\n\n"))))
            }
            Poll::Pending => return Poll::Pending,
        };
        this.sleep.as_mut().reset(Instant::now() + this.every);
        Poll::Ready(frame)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nothing_breaks_out_of_its_field() {
        for (event, expected) in [
            (Event::data(""), "data: \n\n"),
            (Event::data("a\r\nb\rc\nd"), "data: a\ndata: b\ndata: c\ndata: d\n\n"),
            (Event::data("a\n\nevent: x"), "data: a\ndata: \ndata: event: x\n\n"),
            (Event::data("x").event("a\ndata: b"), "event: adata: b\ndata: x\n\n"),
            (Event::data("x").id("a\r\n\r\n\0b"), "id: ab\ndata: x\n\n"),
            (Event::comment("a\nb"), ": a\n: b\n\n"),
            (Event::json(&[1, 2]).unwrap(), "data: [1,2]\n\n"),
        ] {
            assert_eq!(event.to_string(), expected);
        }
    }

    /// The data that a client reads of a stream with one event, as the specification says.
    fn read(stream: &str) -> Option<String> {
        let mut data = String::new();
        let mut fields = stream.lines();
        for line in fields.by_ref().take_while(|line| !line.is_empty()) {
            let line = line.strip_prefix("data: ")?;
            data.push_str(line);
            data.push('\n');
        }
        data.pop();
        fields.next().is_none().then_some(data)
    }

    proptest! {
        #[test]
        fn a_client_reads_what_was_sent(text in "[a:\r\n ]{0,30}") {
            let lines = text.replace("\r\n", "\n").replace('\r', "\n");
            prop_assert_eq!(read(&Event::data(text).to_string()), Some(lines));
        }
    }

    #[simurgh_sim::test(seeds = 5)]
    async fn a_silent_stream_says_that_it_lives(_sim: simurgh_sim::Sim) {
        let endpoint = crate::Endpoint::new(silent);
        let began = Instant::now();
        let text = crate::test::text(crate::test::get(&endpoint, "/").await).await;
        assert_eq!(text, ":\n\n:\n\ndata: late\n\n:\n\ndata: later\n\n");
        assert!(began.elapsed() >= Duration::from_secs(50));
    }

    async fn silent(conn: &mut Conn) {
        conn.sse(|mut events| async move {
            sleep(Duration::from_secs(33)).await;
            events.send(Event::data("late")).await?;
            sleep(Duration::from_secs(17)).await;
            events.send(Event::data("later")).await
        });
    }
}
