//! How often clients may send.

use std::time::Duration;

use simurgh_runtime::{Instant, planted};

/// How often the client of one socket may send: beyond it a message is answered with `error` and
/// `{"reason": "rate limited"}` and not done. Others do not notice.
///
/// ```
/// use simurgh_channels::{Budget, Rate, SocketOptions};
///
/// let budget = Budget { topic: Some(Rate::per_second(10).burst(20)), ..Budget::default() };
/// let options = SocketOptions { budget, ..SocketOptions::default() };
/// ```
///
/// Each is a bucket of tokens, of which a message takes one: it holds the burst, and fills at the rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Budget {
    /// For all that a socket sends, heartbeats and joins too. Default: none.
    pub socket: Option<Rate>,
    /// For what it sends to each of its channels. Default: none.
    pub topic: Option<Rate>,
    /// Messages that are refused before the socket is closed with 1008. Default: as many as come.
    pub refusals_max: Option<u32>,
}

/// So many in a second, and so many at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    per_second: u32,
    burst: u32,
}

impl Rate {
    /// So many in a second, at least one, and at once.
    pub const fn per_second(messages: u32) -> Self {
        let messages = if messages == 0 { 1 } else { messages };
        Self { per_second: messages, burst: messages }
    }

    /// So many at once, at least one.
    pub const fn burst(self, messages: u32) -> Self {
        Self { burst: if messages == 0 { 1 } else { messages }, ..self }
    }
}

/// What one bucket has given: as the time at which it will be full again, so that an unused one is nothing.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Spent {
    full_at: Option<Instant>,
    refused: u32,
}

impl Spent {
    /// Takes a token, if there is one.
    pub(crate) fn allows(&mut self, rate: Option<Rate>) -> bool {
        let Some(rate) = rate.filter(|_| !planted!("channels.budget-ignored")) else { return true };
        self.allows_at(rate, Instant::now())
    }

    fn allows_at(&mut self, rate: Rate, now: Instant) -> bool {
        let one = Duration::from_secs(1) / rate.per_second;
        let full_at = self.full_at.map_or(now, |full_at| full_at.max(now)) + one;
        if full_at.saturating_duration_since(now) > one * rate.burst {
            return false;
        }
        self.full_at = Some(full_at);
        true
    }

    /// Counts a refusal: whether that is one too many.
    pub(crate) fn is_flood(&mut self, refusals_max: Option<u32>) -> bool {
        self.refused = self.refused.saturating_add(1);
        refusals_max.is_some_and(|max| self.refused > max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_holds_its_burst_and_fills_at_its_rate() {
        simurgh_runtime::run("test", async {
            let (mut spent, rate, start) = (Spent::default(), Rate::per_second(10).burst(3), Instant::now());
            let at = |ms| start + Duration::from_millis(ms);
            for (ms, allowed) in [
                (0, true),
                (0, true),
                (0, true),
                (0, false),
                (99, false),
                (100, true),
                (100, false),
                (10_000, true),
                (10_000, true),
                (10_000, true),
                (10_000, false),
            ] {
                assert_eq!(spent.allows_at(rate, at(ms)), allowed, "at {ms} ms");
            }
        });
    }
}
