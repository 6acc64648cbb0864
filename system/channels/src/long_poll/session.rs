//! The process of one long-poll session.

use std::sync::Arc;
use std::time::Duration;

use simurgh_http::ws::Message;
use simurgh_otp::{Context, Flow, InitError, Reply, Server, TimerRef};
use simurgh_runtime::Instant;
use simurgh_telemetry::event;

use crate::connected::Connected;
use crate::outbox::Item;
use crate::shared::Shared;
use crate::{Frame, Incoming};

pub(crate) enum Ask {
    /// Somebody waits for what there is to send.
    Poll(Reply<Polled>),
    /// A message of the client; answered when it is done.
    Publish(Message, Reply<()>),
    /// Something waits in the outbox.
    Wake,
    /// The poll of this number has waited long enough.
    WindowOver(u64),
    /// Time to look whether anybody polls.
    Look,
}

pub(crate) enum Polled {
    Messages(Vec<Frame>),
    Nothing,
}

pub(crate) struct Poller {
    connected: Connected,
    number: u64,
    window: Duration,
    waiting: Option<Reply<Polled>>,
    polls: u64,
    timer: Option<TimerRef>,
    polled_at: Instant,
}

impl Poller {
    pub(super) fn new(shared: Arc<Shared>, number: u64, window: Duration) -> Self {
        let connected = Connected::new(shared);
        Self { connected, number, window, waiting: None, polls: 0, timer: None, polled_at: Instant::now() }
    }

    async fn publish(&mut self, frame: &Message, done: Reply<()>) -> Flow {
        let message = match Incoming::decode(self.connected.shared.vsn, frame) {
            Ok(message) => message,
            Err(error) => {
                tracing::debug!(%error, "a client sends what is no message");
                return Flow::stop(); // and nobody answers
            }
        };
        let Self { connected, .. } = self;
        connected.settle_ends();
        if let Some(waiting) = connected.begin(message) {
            let waited = waiting.await;
            connected.finish(waited);
        }
        done.send(());
        Flow::Continue
    }

    /// Gives what there is to whoever waits, and sees to it that more is told of.
    fn flush(&mut self, cx: &mut Context<Self>) -> Flow {
        let me = cx.me();
        let outbox = &self.connected.shared.outbox;
        // Before it is looked at, so that nothing comes unseen.
        outbox.call(self.waiting.is_none(), move || {
            let _ = me.try_cast(Ask::Wake);
        });
        let is_closing = outbox.closing().is_some();
        if self.waiting.as_ref().is_some_and(Reply::is_abandoned) {
            self.waiting = None;
        }
        if self.waiting.is_some() {
            let frames = self.take();
            if !frames.is_empty()
                && let Some(reply) = self.waiting.take()
            {
                if let Some(timer) = self.timer.take() {
                    cx.cancel(timer);
                }
                reply.send(Polled::Messages(frames));
            }
        }
        if is_closing { Flow::stop() } else { Flow::Continue }
    }

    fn take(&mut self) -> Vec<Frame> {
        let mut frames = Vec::new();
        while let Some(item) = self.connected.shared.outbox.try_next() {
            match self.connected.frame_of(item) {
                Some(frame) if frame.is_text() => frames.push(frame),
                // The client reads text only.
                Some(_) => event!("channels.poll.binary_dropped", { count: 1 }, {}),
                None => {}
            }
        }
        frames
    }
}

impl Server for Poller {
    type Message = Ask;

    async fn init(&mut self, cx: &mut Context<Self>) -> Result<(), InitError> {
        cx.send_every(self.window / 2, || Ask::Look);
        self.flush(cx);
        Ok(())
    }

    async fn handle(&mut self, ask: Ask, cx: &mut Context<Self>) -> Flow {
        let flow = match ask {
            Ask::Poll(reply) => {
                self.polled_at = Instant::now();
                self.polls += 1;
                if let Some(former) = self.waiting.replace(reply) {
                    former.send(Polled::Nothing);
                }
                if let Some(timer) = self.timer.replace(cx.send_after(self.window, Ask::WindowOver(self.polls))) {
                    cx.cancel(timer);
                }
                Flow::Continue
            }
            Ask::Publish(frame, done) => Box::pin(self.publish(&frame, done)).await,
            Ask::WindowOver(poll) => {
                if poll == self.polls
                    && let Some(reply) = self.waiting.take()
                {
                    self.polled_at = Instant::now();
                    reply.send(Polled::Nothing);
                }
                Flow::Continue
            }
            Ask::Look if self.waiting.is_none() && self.polled_at.elapsed() > self.window + self.window / 2 => {
                Flow::stop()
            }
            Ask::Wake | Ask::Look => Flow::Continue,
        };
        if flow == Flow::Continue { self.flush(cx) } else { flow }
    }
}

impl Drop for Poller {
    fn drop(&mut self) {
        self.connected.shared.mount.sessions.leave(self.number);
        event!("channels.disconnect", {}, { transport: "longpoll", code: 0 });
    }
}

impl Connected {
    /// Channels that have ended while nobody polled are none any more.
    pub(crate) fn settle_ends(&mut self) {
        let shared = Arc::clone(&self.shared);
        shared.outbox.resolve(|item| match item {
            Item::Frame(_) => None,
            Item::Closing(number) | Item::Ended(number) => Some(self.end(*number, matches!(item, Item::Closing(_)))),
        });
    }
}
