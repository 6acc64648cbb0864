//! What a channel has at hand: its client.

use std::any::{Any, type_name};
use std::fmt;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use simurgh_pubsub::{BroadcastError, Message, PubSub, SubscriberId};
use simurgh_web::Assigns;

use crate::frame::Ref;
use crate::outbox::Weight;
use crate::payload::ToPayload;
use crate::process::Sender;
use crate::shared::Link;
use crate::{Channel, EncodeError, Frame, Topic};

/// The client of a channel, as the channel sees it.
///
/// | what | |
/// | --- | --- |
/// | who it is | [`user`](Self::user), [`topic`](Self::topic) |
/// | to this client | [`push`](Self::push), [`reply_ref`](Self::reply_ref) |
/// | to all in the topic | [`broadcast`](Self::broadcast), [`broadcast_from`](Self::broadcast_from) |
/// | to this channel, from elsewhere | [`sender`](Self::sender) |
/// | what the channel keeps beside itself | [`assigns`](Self::assigns) |
pub struct Socket {
    pub(crate) link: Arc<Link>,
    pub(crate) me: Option<Box<dyn Any + Send + Sync>>,
    pub(crate) subscriber: Option<SubscriberId>,
    pub(crate) reference: Option<Ref>,
    assigns: Assigns,
}

/// Why something was not sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// It cannot be written.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// It did not get to everybody.
    #[error(transparent)]
    Broadcast(#[from] BroadcastError),
    /// The join has not returned.
    #[error("nothing can be pushed until the client has joined; send it to the channel with `Socket::sender`")]
    NotJoined,
}

impl Socket {
    pub(crate) fn new(link: Arc<Link>) -> Self {
        Self { link, me: None, subscriber: None, reference: None, assigns: Assigns::default() }
    }

    /// The topic that was joined.
    pub fn topic(&self) -> &Topic {
        &self.link.life.topic
    }

    /// What [`UserSocket::connect`](crate::UserSocket::connect) has made of the connection.
    ///
    /// # Panics
    /// If it is of another type.
    pub fn user<U: 'static>(&self) -> &U {
        let user = self.link.shared.user.downcast_ref();
        user.unwrap_or_else(|| panic!("the user socket of this mount is no {}", type_name::<U>()))
    }

    /// Where it is published.
    pub fn pubsub(&self) -> &PubSub {
        &self.link.shared.mount.pubsub
    }

    /// Values that the channel's parts leave each other, one of each type.
    pub fn assigns(&self) -> &Assigns {
        &self.assigns
    }

    /// The same, to change.
    pub fn assigns_mut(&mut self) -> &mut Assigns {
        &mut self.assigns
    }

    /// The `join_ref` of this life of the channel, as JSON, if the client gave one.
    pub fn join_ref(&self) -> Option<&Ref> {
        self.link.life.join_ref.as_ref()
    }

    /// Sends an event to this client. It waits in the client's outbox and not here; if that is full, the mount's
    /// [`Overflow`](crate::Overflow) says what is dropped.
    ///
    /// # Errors
    /// [`PublishError`]: it is no object, or the join has not returned.
    pub fn push(&self, event: &str, payload: &(impl ToPayload + ?Sized)) -> Result<(), PublishError> {
        if self.subscriber.is_none() {
            return Err(PublishError::NotJoined);
        }
        let (link, payload) = (&*self.link, payload.to_payload()?);
        let frame = Frame::push(link.shared.vsn, link.life.bears(), &link.life.topic, event, &payload)?;
        link.shared.send(frame, Weight::Push);
        Ok(())
    }

    /// Sends an event to all who are in the topic, this client too.
    ///
    /// # Errors
    /// [`PublishError`]: it is no object, or did not get everywhere.
    pub fn broadcast(&self, event: &str, payload: &(impl ToPayload + ?Sized)) -> Ready<Result<(), PublishError>> {
        ready(self.publish(event, payload, |pubsub, message| pubsub.broadcast(message).map(drop)))
    }

    /// As [`broadcast`](Self::broadcast), but not to this channel. (The same user in another window gets it.)
    ///
    /// # Errors
    /// As there.
    pub fn broadcast_from(&self, event: &str, payload: &(impl ToPayload + ?Sized)) -> Ready<Result<(), PublishError>> {
        ready(self.publish(event, payload, |pubsub, message| match self.subscriber {
            Some(id) => {
                if self.link.resumes.load(Ordering::Relaxed) {
                    self.link.sign(&message);
                }
                pubsub.broadcast_from(id, message).map(drop)
            }
            None => pubsub.broadcast(message).map(drop),
        }))
    }

    fn publish(
        &self,
        event: &str,
        payload: &(impl ToPayload + ?Sized),
        publish: impl FnOnce(&PubSub, Message) -> Result<(), BroadcastError>,
    ) -> Result<(), PublishError> {
        let payload = payload.to_payload()?;
        payload.check_object()?;
        let message = Message::of(self.topic(), event, payload.into());
        Ok(publish(self.pubsub(), message)?)
    }

    /// The message that is being handled, to be answered later, by this process or another, more than once even (the
    /// official client takes the first answer).
    pub fn reply_ref(&self) -> ReplyRef {
        ReplyRef { link: Arc::clone(&self.link), reference: self.reference.clone() }
    }

    /// With this other processes send to this channel: [`Channel::handle_info`].
    ///
    /// # Panics
    /// If the channel's `Info` is `()`, or it is of another type.
    pub fn sender<C: Channel>(&self) -> Sender<C> {
        let me = self.me.as_ref().and_then(|me| me.downcast_ref::<Sender<C>>());
        me.unwrap_or_else(|| panic!("{} is another channel, or takes no messages", type_name::<C>())).clone()
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket").field("topic", &self.topic().as_str()).field("join_ref", &self.join_ref()).finish()
    }
}

/// A message of a client that is to be answered.
#[derive(Clone)]
pub struct ReplyRef {
    link: Arc<Link>,
    reference: Option<Ref>,
}

impl ReplyRef {
    /// Answers `ok`.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn ok(&self, response: &(impl ToPayload + ?Sized)) -> Result<(), EncodeError> {
        self.reply("ok", response)
    }

    /// Answers `error`.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn error(&self, response: &(impl ToPayload + ?Sized)) -> Result<(), EncodeError> {
        self.reply("error", response)
    }

    /// Answers with a status of the application's own.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn reply(&self, status: &str, response: &(impl ToPayload + ?Sized)) -> Result<(), EncodeError> {
        self.link.reply(self.reference.as_ref(), status, &response.to_payload()?)
    }
}

impl fmt::Debug for ReplyRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReplyRef({}, {:?})", self.link.life.topic, self.reference)
    }
}

impl Link {
    pub(crate) fn reply(
        &self,
        reference: Option<&Ref>,
        status: &str,
        response: &crate::Payload,
    ) -> Result<(), EncodeError> {
        let life = &self.life;
        let frame = Frame::reply(self.shared.vsn, life.bears(), reference, &life.topic, status, response)?;
        self.shared.send(frame, Weight::Needed);
        Ok(())
    }
}
