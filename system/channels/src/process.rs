//! The process of a channel.

use std::any::TypeId;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use simurgh_http::ws::Text;
use simurgh_otp::{CastError, Context, ExitReason, Flow, InitError, Policy, Server, ServerRef, Start};
use simurgh_pubsub::{Delivered, Message, Registration, Subscriber};
use simurgh_runtime::{Instant, planted};
use simurgh_telemetry::event;

use crate::channel::{Ending, FaultKind, Outcome};
use crate::connected::Member;
use crate::frame::Ref;
use crate::outbox::{Item, Weight};
use crate::resume::{Listening, asked};
use crate::session::{join_reply, reason_of};
use crate::shared::Link;
use crate::{Channel, Fault, Handled, Incoming, Payload, PublishError, Socket, ToPayload as _};

/// Messages that wait for one channel; a client that sends more waits.
const MAILBOX: usize = simurgh_config::Limits::DEFAULT.channels_mailbox_max;

/// How long a channel that is replaced may take to end.
const SHUTDOWN: Duration = simurgh_config::Limits::DEFAULT.channels_replace_timeout;

pub(crate) type Waiting<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What reaches a channel's process.
pub(crate) enum Mail<I> {
    In(Text, Payload, Option<Ref>),
    Out(Message),
    Info(I),
    /// The client leaves; it wants an answer to this.
    Leave(Option<Ref>),
    /// The connection has ended.
    Closed,
    /// Another life of the channel takes over.
    Duplicate,
    /// The join was refused.
    Refused,
}

/// How a session talks to a channel, whatever its type.
pub(crate) trait Talk: Send + Sync {
    /// Hands a message over; gives back what waits for room, if there is none.
    fn deliver(&self, message: Incoming) -> Option<Waiting<bool>>;
    fn leave(&self, reference: Option<Ref>) -> Option<Waiting<bool>>;
    /// The connection has ended.
    fn closed(&self);
    /// Ends it, because another takes over; it has five seconds.
    fn replace(&self) -> Waiting<()>;
}

/// What came of a join.
pub(crate) enum Started {
    /// And the channel was handed over.
    Joined,
    Refused,
    Crashed,
}

const JOINING: u8 = 0;
const JOINED: u8 = 1;
const REFUSED: u8 = 2;

pub(crate) struct Process<C: Channel> {
    channel: Option<C>,
    socket: Socket,
    params: Payload,
    state: Option<Arc<AtomicU8>>,
    registration: Option<Subscribed>,
    why: Ending,
    ended: Ended,
}

/// Where its broadcasts come from, until this is dropped.
enum Subscribed {
    AtTopic { _registration: Registration },
    AtRing { _listening: Listening },
}

/// Tells the session that the process has ended, however it did: it is dropped with it.
struct Ended(Arc<Link>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.shared.tell(Item::Ended(self.0.life.number));
    }
}

/// Starts a channel: joins, and tells the client what came of it, unless the join crashed.
pub(crate) fn start<C: Channel>(link: Arc<Link>, params: Payload, limit: Duration) -> Waiting<Started> {
    Box::pin(async move {
        let state = Arc::new(AtomicU8::new(JOINING));
        let process = Process::<C> {
            channel: None,
            socket: Socket::new(Arc::clone(&link)),
            params,
            state: Some(Arc::clone(&state)),
            registration: None,
            why: Ending::Stopped,
            ended: Ended(link),
        };
        let start = Start::new("channel", process).mailbox(Policy::Block, MAILBOX).init_timeout(limit);
        let _ = start.start().await; // what came of it is told otherwise, and a crash is logged
        match state.load(Ordering::Acquire) {
            JOINED => Started::Joined,
            REFUSED => Started::Refused,
            _ => Started::Crashed,
        }
    })
}

impl<C: Channel> Process<C> {
    async fn join(&mut self, cx: &mut Context<Self>) -> Result<u8, InitError> {
        if TypeId::of::<C::Info>() != TypeId::of::<()>() {
            self.socket.me = Some(Box::new(Sender(cx.me())));
        }
        let link = Arc::clone(&self.socket.link);
        let (vsn, life) = (link.shared.vsn, &link.life);
        let params = std::mem::replace(&mut self.params, Payload::empty());
        let resume = link.shared.mount.options.resume.and_then(|options| Some((options, asked(&params)?)));
        let joined = Box::pin(C::join(&life.topic, params, &mut self.socket)).await;
        let accepted = match joined {
            Ok(accepted) => accepted,
            Err(rejected) => {
                let frame = join_reply(vsn, life, "error", &rejected.0?)?;
                link.shared.send(frame, Weight::Needed);
                return Ok(REFUSED);
            }
        };
        let frame = join_reply(vsn, life, "ok", &accepted.response?)?;
        let pubsub = &link.shared.mount.pubsub;
        if planted!("channels.reply-before-subscribe") {
            link.shared.send(frame.clone(), Weight::Needed);
            simurgh_runtime::sleep(Duration::from_millis(5)).await;
        }
        let subscriber: Arc<dyn Subscriber> = if C::INTERCEPT.is_empty() {
            Arc::clone(&link) as _
        } else {
            Arc::new(Fast { link: Arc::clone(&link), server: cx.me() })
        };
        if let Some((options, asked)) = resume
            && let Some(ring) = link.shared.mount.rings.of(&life.topic, pubsub, options)
        {
            link.resumes.store(true, Ordering::Relaxed);
            self.socket.subscriber = Some(pubsub.new_id());
            self.channel = Some(accepted.channel);
            self.registration = Some(Subscribed::AtRing { _listening: ring.listen(&link, subscriber, &asked, frame) });
            return Ok(JOINED);
        }
        let registration = match pubsub.subscribe_with(&life.topic, subscriber) {
            Ok(registration) => registration,
            Err(error) => {
                tracing::warn!(topic = %life.topic, %error, "a channel cannot subscribe to its topic");
                link.shared.send(join_reply(vsn, life, "error", &reason_of("overloaded"))?, Weight::Needed);
                return Ok(REFUSED);
            }
        };
        self.socket.subscriber = Some(registration.id());
        self.registration = Some(Subscribed::AtTopic { _registration: registration });
        self.channel = Some(accepted.channel);
        if !planted!("channels.reply-before-subscribe") {
            link.shared.send(frame, Weight::Needed);
        }
        Ok(JOINED)
    }

    /// What a handler has returned.
    fn settle(&mut self, handled: Handled, reference: Option<&Ref>) -> Flow {
        let Outcome { reply, stops } = match handled {
            Ok(outcome) => outcome,
            Err(Fault(FaultKind::Client(error))) => {
                let response = serde_json::json!({ "reason": "bad payload", "message": error.to_string() });
                let reply = response.to_payload().ok().map(|response| ("error".into(), response));
                Outcome { reply, stops: false }
            }
            Err(Fault(FaultKind::Ours(error))) => return Flow::fail(error),
        };
        if let (Some((status, response)), true) = (reply, reference.is_some())
            && let Err(error) = self.socket.link.reply(reference, &status, &response)
        {
            return Flow::fail(error);
        }
        if stops { self.stop(Ending::Stopped) } else { Flow::Continue }
    }

    /// Ends in order: no broadcast comes any more, then the client hears of it, then `terminate` runs. As in Phoenix,
    /// a client that is quick may have joined again by then.
    fn stop(&mut self, why: Ending) -> Flow {
        self.why = why;
        if !planted!("channels.hears-after-close") {
            self.registration = None;
        }
        if matches!(why, Ending::Left | Ending::Stopped) {
            let link = &self.socket.link;
            link.shared.tell(Item::Closing(link.life.number));
        }
        Flow::stop()
    }

    async fn handle_in(&mut self, event: Text, payload: Payload, reference: Option<Ref>) -> Flow {
        let Some(channel) = &mut self.channel else { return Flow::stop() };
        let since = simurgh_telemetry::is_heard().then(Instant::now);
        self.socket.reference.clone_from(&reference);
        let handled = channel.handle_in(event.as_str(), payload, &mut self.socket).await;
        self.socket.reference = None;
        if let Some(since) = since {
            event!("channels.handle_in", { duration_ns: since.elapsed().as_nanos() }, {
                topic: self.socket.topic().as_str(), event: event.as_str(), ok: handled.is_ok(),
            });
        }
        self.settle(handled, reference.as_ref())
    }

    async fn handle_out(&mut self, message: Message) -> Flow {
        let Some(channel) = &mut self.channel else { return Flow::stop() };
        let payload = Payload::from(message.payload().clone());
        let handled = channel.handle_out(message.event(), payload, &mut self.socket).await;
        self.settle(handled, None)
    }

    async fn handle_info(&mut self, info: C::Info) -> Flow {
        let Some(channel) = &mut self.channel else { return Flow::stop() };
        let handled = channel.handle_info(info, &mut self.socket).await;
        self.settle(handled, None)
    }
}

impl<C: Channel> Server for Process<C> {
    type Message = Mail<C::Info>;

    async fn init(&mut self, cx: &mut Context<Self>) -> Result<(), InitError> {
        // In a box that is gone when it has joined.
        let since = Instant::now();
        let joined = Box::pin(self.join(cx)).await;
        event!("channels.join", { duration_ns: since.elapsed().as_nanos() }, {
            topic: self.socket.topic().as_str(), ok: matches!(joined, Ok(JOINED)),
        });
        let joined = joined?;
        if joined == REFUSED {
            cx.continue_with(Mail::Refused);
        } else if !self.socket.link.shared.hand_over(Member::new(Box::new(cx.me()))) {
            cx.continue_with(Mail::Closed);
        }
        if let Some(state) = self.state.take() {
            state.store(joined, Ordering::Release);
        }
        Ok(())
    }

    // The futures of handlers are boxed: an idle channel does not pay for them.
    async fn handle(&mut self, message: Self::Message, _cx: &mut Context<Self>) -> Flow {
        if self.socket.link.shared.outbox.is_gone() {
            return self.stop(Ending::Closed);
        }
        match message {
            Mail::In(event, payload, reference) => Box::pin(self.handle_in(event, payload, reference)).await,
            Mail::Out(message) => Box::pin(self.handle_out(message)).await,
            Mail::Info(info) => Box::pin(self.handle_info(info)).await,
            Mail::Leave(reference) => {
                self.registration = None; // before the answer
                if let Err(error) = self.socket.link.reply(reference.as_ref(), "ok", &Payload::empty()) {
                    return Flow::fail(error);
                }
                self.stop(Ending::Left)
            }
            Mail::Closed => self.stop(Ending::Closed),
            Mail::Duplicate => self.stop(Ending::Duplicate),
            Mail::Refused => Flow::stop(),
        }
    }

    async fn terminate(&mut self, reason: &ExitReason, _cx: &mut Context<Self>) {
        if !planted!("channels.hears-after-close") {
            self.registration = None;
        }
        let why = if reason.is_orderly() { self.why } else { Ending::Failed };
        if let Some(channel) = &mut self.channel {
            Box::pin(channel.terminate(why, &mut self.socket)).await;
        }
    }

    fn name_of(message: &Self::Message) -> &'static str {
        match message {
            Mail::In(..) => "handle_in",
            Mail::Out(_) => "handle_out",
            Mail::Info(_) => "handle_info",
            Mail::Leave(_) => "phx_leave",
            Mail::Closed => "closed",
            Mail::Duplicate => "duplicate",
            Mail::Refused => "refused",
        }
    }

    fn describe(&self) -> String {
        let Self { socket, ended, .. } = self;
        format!("{} in {}, join_ref {:?}", std::any::type_name::<C>(), socket.topic(), ended.0.life.join_ref)
    }
}

impl<C: Channel> Talk for ServerRef<Process<C>> {
    fn deliver(&self, message: Incoming) -> Option<Waiting<bool>> {
        send(self, Mail::In(message.event, message.payload, message.reference))
    }

    fn leave(&self, reference: Option<Ref>) -> Option<Waiting<bool>> {
        send(self, Mail::Leave(reference))
    }

    fn closed(&self) {
        // A channel whose mailbox is full sees at its next message that the outbox has gone.
        let _ = self.try_cast(Mail::Closed);
    }

    fn replace(&self) -> Waiting<()> {
        let server = self.clone();
        Box::pin(async move {
            let monitor = server.monitor();
            let ended = async {
                let _ = server.cast_within(SHUTDOWN, Mail::Duplicate).await;
                monitor.await
            };
            if simurgh_runtime::timeout(SHUTDOWN, ended).await.is_err() {
                simurgh_otp::kill(server.pid());
            }
        })
    }
}

/// Casts, or gives back the future that waits for room: whether there came to be some in time.
fn send<C: Channel>(server: &ServerRef<Process<C>>, mail: Mail<C::Info>) -> Option<Waiting<bool>> {
    match server.try_cast(mail) {
        Err(CastError::Full { message, .. }) => {
            let server = server.clone();
            Some(Box::pin(async move { !matches!(server.cast(message).await, Err(CastError::Full { .. })) }))
        }
        _ => None,
    }
}

/// The subscriber of a channel that intercepts events.
struct Fast<C: Channel> {
    link: Arc<Link>,
    server: ServerRef<Process<C>>,
}

impl<C: Channel> Subscriber for Fast<C> {
    fn deliver(&self, message: &Message) -> Delivered {
        if !C::INTERCEPT.contains(&message.event()) {
            return self.link.broadcast(message);
        }
        match self.server.try_cast(Mail::Out(message.clone())) {
            Ok(()) => Delivered::Taken,
            Err(CastError::Full { .. }) => {
                event!("channels.intercept.dropped", { count: 1 }, { topic: message.topic() });
                Delivered::Dropped
            }
            Err(_) => Delivered::Gone,
        }
    }
}

/// Sends to a channel from elsewhere: [`Channel::handle_info`]. Cheap to clone; it outlives the channel.
pub struct Sender<C: Channel>(ServerRef<Process<C>>);

impl<C: Channel> Sender<C> {
    /// Sends without waiting; false if the channel has ended, or 256 messages wait for it.
    pub fn send(&self, info: C::Info) -> bool {
        self.0.try_cast(Mail::Info(info)).is_ok()
    }

    /// Sends, and waits for room, at most 5 s; false if there was none, or the channel has ended.
    pub async fn send_wait(&self, info: C::Info) -> bool {
        self.0.cast(Mail::Info(info)).await.is_ok()
    }

    /// The channel's process.
    pub fn pid(&self) -> simurgh_otp::Pid {
        self.0.pid()
    }
}

impl<C: Channel> Clone for Sender<C> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<C: Channel> fmt::Debug for Sender<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sender({})", self.0.pid())
    }
}

impl From<PublishError> for crate::Rejected {
    fn from(error: PublishError) -> Self {
        Self::because(&error.to_string())
    }
}
