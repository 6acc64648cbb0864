//! Subscriptions of servers: messages come as the server's own, into its mailbox.

use std::sync::Arc;

use simurgh_otp::{CastError, InboxRef, Server, ServerRef};

use crate::{Delivered, Message, PubSub, Registration, SubscribeError, Subscriber};

impl PubSub {
    /// Subscribes a server: `map` makes its own message of each that comes, or none. The mailbox's policy
    /// says what happens when it is full; one that would wait drops the message instead.
    ///
    /// ```
    /// use simurgh_otp::{self as otp, Context, Flow, InitError, Reply, Server};
    /// use simurgh_pubsub::{Message, PubSub, Registration};
    ///
    /// #[derive(Default)]
    /// struct Log {
    ///     lines: Vec<String>,
    ///     lobby: Option<Registration>,
    /// }
    ///
    /// enum Command {
    ///     Line(String),
    ///     Lines(Reply<Vec<String>>),
    /// }
    ///
    /// impl Server for Log {
    ///     type Message = Command;
    ///
    ///     async fn init(&mut self, cx: &mut Context<Self>) -> Result<(), InitError> {
    ///         let pubsub = PubSub::find("chat").ok_or("there is no chat")?;
    ///         let line = |message: &Message| message.deserialize().ok().map(Command::Line);
    ///         // Kept in the state: when the server ends, so does the subscription.
    ///         self.lobby = Some(pubsub.subscribe_server("room:lobby", &cx.me(), line)?);
    ///         Ok(())
    ///     }
    ///
    ///     async fn handle(&mut self, command: Command, _: &mut Context<Self>) -> Flow {
    ///         match command {
    ///             Command::Line(line) => self.lines.push(line),
    ///             Command::Lines(reply) => reply.send(self.lines.clone()),
    ///         }
    ///         Flow::Continue
    ///     }
    /// }
    ///
    /// simurgh_runtime::run("doc", async {
    ///     let chat = PubSub::local("chat");
    ///     chat.register().unwrap();
    ///     let log = otp::start("log", Log::default()).await.unwrap();
    ///     chat.broadcast(Message::json("room:lobby", "new_msg", "hello").unwrap()).unwrap();
    ///     assert_eq!(log.call(Command::Lines).await.unwrap(), ["hello"]);
    /// });
    /// ```
    ///
    /// # Errors
    /// As [`PubSub::subscribe`].
    pub fn subscribe_server<S: Server>(
        &self,
        topic: &str,
        server: &ServerRef<S>,
        map: impl Fn(&Message) -> Option<S::Message> + Send + Sync + 'static,
    ) -> Result<Registration, SubscribeError> {
        let server = server.clone();
        self.subscribe_with(topic, Arc::new(Mapped { map, send: move |message| server.try_cast(message) }))
    }

    /// As [`PubSub::subscribe_server`], for a process that receives ([`simurgh_otp::Inbox`]).
    ///
    /// # Errors
    /// As [`PubSub::subscribe`].
    pub fn subscribe_inbox<M: Send + 'static>(
        &self,
        topic: &str,
        inbox: &InboxRef<M>,
        map: impl Fn(&Message) -> Option<M> + Send + Sync + 'static,
    ) -> Result<Registration, SubscribeError> {
        let inbox = inbox.clone();
        self.subscribe_with(topic, Arc::new(Mapped { map, send: move |message| inbox.try_send(message) }))
    }
}

struct Mapped<F, G> {
    map: F,
    send: G,
}

impl<F, G, M> Subscriber for Mapped<F, G>
where
    F: Fn(&Message) -> Option<M> + Send + Sync + 'static,
    G: Fn(M) -> Result<(), CastError<M>> + Send + Sync + 'static,
    M: 'static,
{
    fn deliver(&self, message: &Message) -> Delivered {
        let Some(message) = (self.map)(message) else { return Delivered::Taken };
        match (self.send)(message) {
            Ok(()) => Delivered::Taken,
            Err(CastError::Full { .. }) => Delivered::Dropped,
            Err(_) => Delivered::Gone,
        }
    }
}
