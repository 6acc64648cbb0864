//! A process that answers, so that a probe can tell a node that works from one on which processes stand still.

use std::time::Duration;

use simurgh::prelude::*;

/// The name by which it is found.
const NAME: &str = "pulse";

/// Answers.
pub struct Pulse;

impl Pulse {
    /// A child of the application.
    pub fn start() -> Start<Self> {
        Start::new("pulse", Self).name(NAME)
    }

    /// Whether it has answered in time.
    pub async fn beats_within(limit: Duration) -> bool {
        let pulse = otp::named::<Self>(NAME);
        matches!(timeout(limit, pulse.call(|reply| reply)).await, Ok(Ok(())))
    }
}

impl Server for Pulse {
    type Message = Reply<()>;

    async fn handle(&mut self, reply: Reply<()>, _: &mut Context<Self>) -> Flow {
        reply.send(());
        Flow::Continue
    }
}
