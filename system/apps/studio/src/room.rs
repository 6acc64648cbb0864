//! A room: the process that gives its messages their order, puts them on disk, and only then tells of them.
//!
//! ```text
//!   Say, Say, Say ──> waiting ──┐ one batch at a time, one fsync for all of it
//!                               └─> blocking: append, fsync ──> Written ──> answers, `new_msg` in order
//! ```
//!
//! If the disk fails, those who wait are told, and the room ends: what its file holds is then uncertain, and the next
//! one who needs the room reads it anew.

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use simurgh::config::Limits;
use simurgh::otp::InitError;
use simurgh::prelude::*;
use simurgh::pubsub::{self, PubSub};

use crate::history::{KEPT, Log, Message};

/// Messages that wait for the disk; one more is refused.
pub const WAITING_MAX: usize = Limits::DEFAULT.studio_waiting_max;

/// How often a room looks whether anybody is there; if not, its process ends.
const IDLE_CHECK: Duration = Limits::DEFAULT.studio_idle_check;

/// A message that somebody wants to say. Name and text have passed [`names`](crate::names).
#[derive(Debug, Clone)]
pub struct Said {
    /// Who.
    pub name: String,
    /// What.
    pub text: String,
    /// What the client calls it.
    pub nonce: Option<String>,
}

/// Why a message was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotSaid {
    /// The disk did not take it, or the room was about to end.
    #[error("The message could not be stored. Try again.")]
    NotStored,
    /// Too many wait.
    #[error("There is too much going on in this room. Try again.")]
    Overloaded,
}

impl NotSaid {
    /// A stable code.
    pub fn code(self) -> &'static str {
        match self {
            Self::NotStored => "not_stored",
            Self::Overloaded => "overloaded",
        }
    }
}

/// What a room handles.
#[derive(Debug)]
pub enum Ask {
    /// Take a message: the answer is its number, when it is on disk.
    Say(Said, Reply<Result<u64, NotSaid>>),
    /// The last messages, the oldest first.
    History(Reply<Vec<Message>>),
    /// A batch is on disk, or is not.
    Written(Box<Log>, io::Result<()>),
    /// Is anybody here?
    Idle,
}

struct Waiting {
    message: Message,
    reply: Option<Reply<Result<u64, NotSaid>>>,
    /// The same message, sent again while it waits.
    again: Vec<Reply<Result<u64, NotSaid>>>,
}

/// The process of one room.
pub struct Room {
    topic: String,
    path: PathBuf,
    pubsub: PubSub,
    /// None while a batch is being written.
    log: Option<Box<Log>>,
    kept: VecDeque<Message>,
    next_id: u64,
    /// What is being written, and then what waits.
    writing: Vec<Waiting>,
    waiting: Vec<Waiting>,
}

impl Room {
    /// A room with this topic, whose history is in this file.
    pub fn new(topic: String, path: PathBuf, pubsub: PubSub) -> Self {
        let (kept, writing, waiting) = (VecDeque::new(), Vec::new(), Vec::new());
        Self { topic, path, pubsub, log: None, kept, next_id: 1, writing, waiting }
    }

    fn take(&mut self, said: Said, reply: Reply<Result<u64, NotSaid>>) {
        let Said { name, text, nonce } = said;
        if let Some(nonce) = nonce.as_deref().filter(|_| !planted!("history.retry-without-key")) {
            let is_it = |message: &Message| message.nonce.as_deref() == Some(nonce) && message.name == name;
            if let Some(known) = self.kept.iter().find(|message| is_it(message)) {
                return reply.send(Ok(known.id));
            }
            let mut pending = self.writing.iter_mut().chain(&mut self.waiting);
            if let Some(pending) = pending.find(|waiting| is_it(&waiting.message)) {
                return pending.again.push(reply);
            }
        }
        if self.waiting.len() >= WAITING_MAX {
            return reply.send(Err(NotSaid::Overloaded));
        }
        let at = Timestamp::now().as_nanos() / 1_000_000;
        let message = Message { id: self.next_id, at, name, text, nonce };
        self.next_id += 1;
        self.waiting.push(Waiting { message, reply: Some(reply), again: Vec::new() });
    }

    /// Begins to write what waits, if nothing is being written.
    fn write(&mut self, me: ServerRef<Self>) {
        if self.waiting.is_empty() {
            return;
        }
        let Some(mut log) = self.log.take() else { return };
        self.writing = std::mem::take(&mut self.waiting);
        if planted!("history.acked-before-sync") {
            for Waiting { message, reply, .. } in &mut self.writing {
                reply.take().into_iter().for_each(|reply| reply.send(Ok(message.id)));
            }
        }
        let new: Vec<Message> = self.writing.iter().map(|waiting| waiting.message.clone()).collect();
        let all = self.kept.iter().chain(&new).cloned();
        let kept: Vec<Message> = all.skip((self.kept.len() + new.len()).saturating_sub(KEPT)).collect();
        otp::spawn_link("a batch for the disk", async move {
            let (log, result) = runtime::blocking(move || {
                let result = log.append(&new, &kept);
                (log, result)
            })
            .await;
            // If the room has ended, so have those who waited.
            let _ = me.cast(Ask::Written(log, result)).await;
        });
    }

    fn written(&mut self, result: &io::Result<()>) {
        for Waiting { message, reply, again } in std::mem::take(&mut self.writing) {
            let answer = if result.is_ok() { Ok(message.id) } else { Err(NotSaid::NotStored) };
            if result.is_ok() {
                self.tell(&message);
                self.kept.push_back(message);
            }
            for reply in reply.into_iter().chain(again) {
                reply.send(answer);
            }
        }
        let beyond = self.kept.len().saturating_sub(KEPT);
        self.kept.drain(..beyond);
    }

    fn tell(&self, message: &Message) {
        let told = pubsub::Message::json(&self.topic, "new_msg", message).map_err(|error| error.to_string());
        let told = told.and_then(|told| self.pubsub.broadcast(told).map_err(|error| error.to_string()));
        if let Err(error) = told {
            tracing::error!(topic = self.topic, id = message.id, %error, "a message did not get to everybody");
        }
    }

    fn is_deserted(&self) -> bool {
        let is_quiet = self.waiting.is_empty() && self.log.is_some();
        is_quiet && self.pubsub.topic(&self.topic).is_none_or(|topic| topic.subscribers == 0)
    }
}

impl Server for Room {
    type Message = Ask;

    async fn init(&mut self, cx: &mut Context<Self>) -> Result<(), InitError> {
        let path = self.path.clone();
        let opened = runtime::blocking(move || Log::open(&path)).await?;
        for damage in &opened.damage {
            tracing::warn!(file = %self.path.display(), %damage, "a part of a history is lost");
        }
        self.log = Some(Box::new(opened.log));
        self.next_id = opened.messages.last().map_or(1, |last| last.id + 1);
        self.kept = opened.messages.into();
        cx.send_every(IDLE_CHECK, || Ask::Idle);
        Ok(())
    }

    async fn handle(&mut self, ask: Ask, cx: &mut Context<Self>) -> Flow {
        match ask {
            Ask::Say(said, reply) => self.take(said, reply),
            Ask::History(reply) => reply.send(self.kept.iter().cloned().collect()),
            Ask::Idle if self.is_deserted() => return Flow::stop(),
            Ask::Idle => {}
            Ask::Written(log, result) => {
                self.written(&result);
                if let Err(error) = result {
                    tracing::error!(file = %self.path.display(), %error, "messages could not be stored");
                    return Flow::fail(error);
                }
                self.log = Some(log);
            }
        }
        self.write(cx.me());
        Flow::Continue
    }

    fn name_of(ask: &Ask) -> &'static str {
        match ask {
            Ask::Say(..) => "Say",
            Ask::History(_) => "History",
            Ask::Written(..) => "Written",
            Ask::Idle => "Idle",
        }
    }

    fn describe(&self) -> String {
        let waiting = self.waiting.len() + self.writing.len();
        format!("{}: {} messages kept, {waiting} wait for the disk", self.topic, self.kept.len())
    }
}
