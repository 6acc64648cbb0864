//! What an application writes: channels.

use std::fmt;
use std::future::{Future, ready};

use bytes::Bytes;

use crate::payload::ToPayload;
use crate::{EncodeError, Payload, PayloadError, PublishError, Socket, Topic};

/// One client in one topic: a process of its own, from the join to the leave.
///
/// ```
/// use simurgh_channels::prelude::*;
///
/// struct Room;
///
/// impl Channel for Room {
///     type Info = ();
///
///     async fn join(topic: &Topic, _params: Payload, _socket: &mut Socket) -> Joined<Self> {
///         if topic.name() == "staff" { Err(Rejected::because("unauthorized")) } else { Ok(Room.into()) }
///     }
///
///     async fn handle_in(&mut self, event: &str, payload: Payload, socket: &mut Socket) -> Handled {
///         match event {
///             "new_msg" => {
///                 socket.broadcast("new_msg", &payload).await?;
///                 Handled::noreply()
///             }
///             "ping" => Handled::reply(&payload),
///             _ => Handled::unknown(),
///         }
///     }
/// }
/// ```
///
/// | Phoenix | here |
/// | --- | --- |
/// | `join/3` | [`join`](Self::join); the state is the channel itself |
/// | `handle_in/3` | [`handle_in`](Self::handle_in) |
/// | `intercept`, `handle_out/3` | [`INTERCEPT`](Self::INTERCEPT), [`handle_out`](Self::handle_out) |
/// | `handle_info/2` | [`handle_info`](Self::handle_info), of a type, sent by [`Socket::sender`] |
/// | `terminate/2` | [`terminate`](Self::terminate) |
///
/// A panic, or an error that is not the client's ([`Fault`]), ends this channel only: the client is told with
/// `phx_error`, and joins anew.
pub trait Channel: Sized + Send + 'static {
    /// What other processes send it; `()` if nothing.
    type Info: Send + 'static;

    /// Events of broadcasts that go to [`handle_out`](Self::handle_out) and not to the client. All others are written
    /// to the client's socket past this process.
    const INTERCEPT: &'static [&'static str] = &[];

    /// A client wants to join. It is in the topic once this has returned, and gets the broadcasts from then on; the
    /// client's next message waits until then.
    ///
    /// Until it has joined nothing can be pushed: send yourself something with [`Socket::sender`] for that.
    fn join(topic: &Topic, params: Payload, socket: &mut Socket) -> impl Future<Output = Joined<Self>> + Send;

    /// The client has sent something. By default no event is known.
    fn handle_in(
        &mut self,
        event: &str,
        payload: Payload,
        socket: &mut Socket,
    ) -> impl Future<Output = Handled> + Send {
        let _ = (event, payload, socket);
        ready(Handled::unknown())
    }

    /// A broadcast of an event of [`INTERCEPT`](Self::INTERCEPT) is on its way to the client. By default it is pushed.
    fn handle_out(
        &mut self,
        event: &str,
        payload: Payload,
        socket: &mut Socket,
    ) -> impl Future<Output = Handled> + Send {
        let pushed = socket.push(event, &payload).map_err(Fault::from);
        ready(pushed.and_then(|()| Handled::noreply()))
    }

    /// Another process has sent something.
    fn handle_info(&mut self, info: Self::Info, socket: &mut Socket) -> impl Future<Output = Handled> + Send {
        let _ = (info, socket);
        ready(Handled::noreply())
    }

    /// The channel ends, in order: not after a panic or a kill. Broadcasts no longer come, and the client knows already:
    /// as in Phoenix, it may have joined the topic again before this returns. What it pushes here it cannot read.
    fn terminate(&mut self, why: Ending, socket: &mut Socket) -> impl Future<Output = ()> + Send {
        let _ = (why, socket);
        ready(())
    }
}

/// Why a channel ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ending {
    /// The client has left the topic.
    Left,
    /// The client has joined the topic again: another channel takes over.
    Duplicate,
    /// The channel has stopped itself.
    Stopped,
    /// The client's connection has ended, or the server goes down.
    Closed,
    /// A handler has failed.
    Failed,
}

/// What [`Channel::join`] returns.
pub type Joined<C> = Result<Accepted<C>, Rejected>;

/// A channel that has joined, and what the client is told.
#[derive(Debug)]
pub struct Accepted<C> {
    pub(crate) channel: C,
    pub(crate) response: Result<Payload, EncodeError>,
}

impl<C> Accepted<C> {
    /// With a response for the client: any value that becomes JSON.
    pub fn with(channel: C, response: &(impl ToPayload + ?Sized)) -> Self {
        Self { channel, response: response.to_payload() }
    }
}

impl<C> From<C> for Accepted<C> {
    fn from(channel: C) -> Self {
        Self { channel, response: Ok(Payload::empty()) }
    }
}

/// A client may not join. The protocol knows no refusal for good: the official client tries again and again until it
/// leaves.
#[derive(Debug)]
pub struct Rejected(pub(crate) Result<Payload, EncodeError>);

impl Rejected {
    /// `{"reason": reason}`.
    pub fn because(reason: &str) -> Self {
        Self(Ok(crate::session::reason_of(reason)))
    }

    /// Any value that becomes a JSON object.
    pub fn with(response: &(impl ToPayload + ?Sized)) -> Self {
        Self(response.to_payload())
    }
}

/// Parameters that are not what the channel wants.
impl From<PayloadError> for Rejected {
    fn from(error: PayloadError) -> Self {
        Self::with(&serde_json::json!({ "reason": "bad payload", "message": error.to_string() }))
    }
}

/// What handlers return; see [`Answers`] for how to make one.
pub type Handled = Result<Outcome, Fault>;

/// What becomes of a message that was handled.
#[derive(Debug)]
pub struct Outcome {
    pub(crate) reply: Option<(Status, Payload)>,
    pub(crate) stops: bool,
}

/// The status of a reply: `ok`, `error`, or a word of the application's own.
pub(crate) type Status = std::borrow::Cow<'static, str>;

/// The ways to make a [`Handled`]: `Handled::noreply()`, `Handled::reply(&value)`.
pub trait Answers: Sized {
    /// The client gets no answer, or a [later](Socket::reply_ref) one.
    fn noreply() -> Self;
    /// The answer is `ok` with this.
    fn reply(response: &(impl ToPayload + ?Sized)) -> Self;
    /// The answer is `error` with this.
    fn reply_error(response: &(impl ToPayload + ?Sized)) -> Self;
    /// The answer has a status of the application's own.
    fn reply_status(status: impl Into<Status>, response: &(impl ToPayload + ?Sized)) -> Self;
    /// The answer is `ok` with bytes.
    fn reply_binary(bytes: impl Into<Bytes>) -> Self;
    /// The channel ends, and the client is told with `phx_close`.
    fn stop() -> Self;
    /// After the answer that this is, the channel ends.
    fn and_stop(self) -> Self;
    /// The channel does not know this event: the answer is `error` with `{"reason": "unknown event"}`.
    fn unknown() -> Self;
}

impl Answers for Handled {
    fn noreply() -> Self {
        Ok(Outcome { reply: None, stops: false })
    }

    fn reply(response: &(impl ToPayload + ?Sized)) -> Self {
        Self::reply_status("ok", response)
    }

    fn reply_error(response: &(impl ToPayload + ?Sized)) -> Self {
        Self::reply_status("error", response)
    }

    fn reply_status(status: impl Into<Status>, response: &(impl ToPayload + ?Sized)) -> Self {
        Ok(Outcome { reply: Some((status.into(), response.to_payload()?)), stops: false })
    }

    fn reply_binary(bytes: impl Into<Bytes>) -> Self {
        Self::reply(&Payload::binary(bytes))
    }

    fn stop() -> Self {
        Ok(Outcome { reply: None, stops: true })
    }

    fn and_stop(self) -> Self {
        self.map(|outcome| Outcome { stops: true, ..outcome })
    }

    fn unknown() -> Self {
        Ok(Outcome { reply: Some(("error".into(), crate::session::reason_of("unknown event"))), stops: false })
    }
}

/// What a handler could not do.
///
/// A [`PayloadError`] is the client's fault: it gets the answer `error` with `{"reason": "bad payload", "message"}`,
/// and the channel goes on. Any other ends the channel as a crash: the client gets `phx_error` and joins anew.
#[derive(Debug)]
pub struct Fault(pub(crate) FaultKind);

#[derive(Debug)]
pub(crate) enum FaultKind {
    Client(PayloadError),
    Ours(Box<dyn std::error::Error + Send + Sync>),
}

impl Fault {
    /// The channel cannot go on, for this reason.
    pub fn crash(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(FaultKind::Ours(error.into()))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            FaultKind::Client(error) => error.fmt(f),
            FaultKind::Ours(error) => error.fmt(f),
        }
    }
}

impl From<PayloadError> for Fault {
    fn from(error: PayloadError) -> Self {
        Self(FaultKind::Client(error))
    }
}

macro_rules! crashes {
    ($($error:ty),*) => {
        $(impl From<$error> for Fault {
            fn from(error: $error) -> Self {
                Self::crash(error)
            }
        })*
    };
}

crashes!(EncodeError, PublishError, std::io::Error, Box<dyn std::error::Error + Send + Sync>);
