//! A client that does what it is told, frame by frame, and tells what it gets.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde_json::{Value, json};
use simurgh::prelude::*;

use super::line::{Line, Lost};

pub(super) struct Wire {
    line: Line,
    client: u64,
    next: u64,
    topics: BTreeMap<String, Life>,
    resumes: bool,
    /// Where it may go on after a cut.
    cursor: Option<String>,
    /// Answers that have come, by what they answer.
    answers: BTreeMap<u64, Answer>,
}

/// One life of a channel, as its client sees it.
#[derive(Debug, Clone, Copy)]
struct Life {
    join_ref: u64,
    has_joined: bool,
}

#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) status: String,
    pub(super) response: Value,
}

impl Answer {
    pub(super) fn is_ok(&self) -> bool {
        self.status == "ok"
    }
}

impl Wire {
    pub(super) async fn open(addr: SocketAddr, client: u64, polls: bool) -> Result<Self, Lost> {
        let line = Line::open(addr, polls).await?;
        let (topics, answers) = (BTreeMap::new(), BTreeMap::new());
        Ok(Self { line, client, next: 0, topics, resumes: false, cursor: None, answers })
    }

    /// As a client that resumes its topic, from a cursor if it has one.
    pub(super) fn resuming(mut self, cursor: Option<String>) -> Self {
        (self.resumes, self.cursor) = (true, cursor);
        self
    }

    /// Where it may go on after a cut.
    pub(super) fn cursor(&self) -> Option<String> {
        self.cursor.clone()
    }

    /// Sends a join, as another life of the channel if there is one.
    pub(super) async fn join(&mut self, topic: &str, ms: u64) -> Result<u64, Lost> {
        let reference = self.reference();
        self.left(topic);
        event!("channel.joining", {}, { client: self.client, topic: topic });
        self.topics.insert(topic.to_owned(), Life { join_ref: reference, has_joined: false });
        let mut params = json!({ "ms": ms });
        if self.resumes {
            params["resume"] = json!(self.cursor);
        }
        self.send(Some(reference), reference, topic, "phx_join", &params).await?;
        Ok(reference)
    }

    /// Joins, and waits until it has; false if it may not.
    pub(super) async fn joined(&mut self, topic: &str) -> Result<bool, Lost> {
        let reference = self.join(topic, 0).await?;
        Ok(self.answer(reference).await?.is_ok())
    }

    pub(super) async fn leave(&mut self, topic: &str) -> Result<u64, Lost> {
        let reference = self.reference();
        let join_ref = self.topics.get(topic).map(|life| life.join_ref);
        self.left(topic);
        self.topics.remove(topic);
        self.send(join_ref, reference, topic, "phx_leave", &json!({})).await?;
        Ok(reference)
    }

    /// Sends an event to the life of the channel that was last begun.
    pub(super) async fn push(&mut self, topic: &str, event: &str, payload: &Value) -> Result<u64, Lost> {
        let reference = self.reference();
        let join_ref = self.topics.get(topic).map(|life| life.join_ref);
        self.send(join_ref, reference, topic, event, payload).await?;
        Ok(reference)
    }

    /// What was said before has come when this is answered.
    pub(super) async fn sync(&mut self, topic: &str) -> Result<(), Lost> {
        let Some(life) = self.topics.get(topic).copied().filter(|life| life.has_joined) else { return Ok(()) };
        event!("channel.asked", {}, { client: self.client, topic: topic });
        let reference = self.push(topic, "ping", &json!({})).await?;
        while !self.answers.contains_key(&reference) {
            self.hear().await?;
            let now = self.topics.get(topic);
            if !now.is_some_and(|now| now.has_joined && now.join_ref == life.join_ref) {
                return Ok(()); // it has crashed, or was closed
            }
        }
        if self.answers[&reference].is_ok() {
            event!("channel.synced", {}, { client: self.client, topic: topic });
        }
        Ok(())
    }

    /// Hears until this is answered.
    pub(super) async fn answer(&mut self, reference: u64) -> Result<Answer, Lost> {
        loop {
            if let Some(answer) = self.answers.remove(&reference) {
                return Ok(answer);
            }
            self.hear().await?;
        }
    }

    /// One frame: what it says to those who judge is told.
    pub(super) async fn hear(&mut self) -> Result<(), Lost> {
        let text = self.line.recv().await?;
        let frame: (Option<String>, Option<String>, String, String, Value) =
            serde_json::from_str(&text).map_err(|_| Lost(None))?;
        let (join_ref, reference, topic, event, payload) = frame;
        let (client, number) = (self.client, |text: Option<String>| text.and_then(|text| text.parse::<u64>().ok()));
        let (join_ref, reference) = (number(join_ref), number(reference));
        if let Some(life) = join_ref {
            event!("channel.framed", {}, { client: client, topic: topic.as_str(), life: life, event: event.as_str() });
        }
        match event.as_str() {
            "phx_reply" => {
                let Some(reference) = reference else { return Ok(()) };
                let status = payload["status"].as_str().unwrap_or_default().to_owned();
                let answer = Answer { status, response: payload["response"].clone() };
                if let Some(life) = self.topics.get_mut(&topic).filter(|life| life.join_ref == reference) {
                    life.has_joined = answer.is_ok();
                    if life.has_joined {
                        event!("channel.joined", {}, { client: client, topic: topic.as_str(), life: reference });
                    }
                }
                self.answers.insert(reference, answer);
            }
            "phx_close" | "phx_error"
                if self.topics.get(&topic).is_some_and(|life| Some(life.join_ref) == join_ref) =>
            {
                self.left(&topic);
                self.topics.remove(&topic);
            }
            "said" => {
                let (sender, number) = (payload["sender"].as_u64(), payload["number"].as_u64());
                event!("channel.received", {}, {
                    client: client, topic: topic.as_str(),
                    sender: sender.unwrap_or_default(), number: number.unwrap_or_default(),
                });
            }
            "phx_cursor" | "phx_resumed" => {
                let is_fresh = self.cursor.is_none();
                self.cursor = payload["cursor"].as_str().map(ToOwned::to_owned);
                if event == "phx_resumed" {
                    let is_gap = is_fresh || payload["gap"] == true;
                    event!("channel.resumed", {}, { client: client, topic: topic.as_str(), gap: is_gap });
                } else {
                    event!("channel.cursor", {}, { client: client, topic: topic.as_str() });
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn left(&self, topic: &str) {
        if self.topics.contains_key(topic) {
            event!("channel.left", {}, { client: self.client, topic: topic, resumes: self.resumes });
        }
    }

    fn reference(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    async fn send(
        &mut self,
        join_ref: Option<u64>,
        reference: u64,
        topic: &str,
        event: &str,
        payload: &Value,
    ) -> Result<(), Lost> {
        let join_ref = join_ref.map(|join_ref| join_ref.to_string());
        self.line.send(json!([join_ref, reference.to_string(), topic, event, payload]).to_string()).await
    }
}

/// The connection is gone, and all its topics with it.
impl Drop for Wire {
    fn drop(&mut self) {
        for topic in self.topics.keys() {
            self.left(topic);
        }
    }
}
