//! What travels with work: the W3C trace context and the locale.
//!
//! A spawned task inherits it. A message carries it in a [`Parcel`](crate::Parcel): one word, taken
//! from the sender by [`Carried::current`] and taken up at the receiver by [`Carried::set`] or, for
//! the time of one piece of work, by [`with`].
//!
//! ```
//! use simurgh_telemetry::context;
//!
//! simurgh_runtime::run("doc", async {
//!     let request = context::new_trace();
//!     context::set_trace(Some(request));
//!     context::set_locale(Some("de-CH"));
//!     let inherited = simurgh_runtime::spawn(async { (context::trace(), context::locale()) }).await.unwrap();
//!     assert_eq!(inherited, (Some(request), Some("de-CH".into())));
//! });
//! ```

use std::fmt;
use std::future::poll_fn;
use std::pin::pin;
use std::str::FromStr;
use std::sync::Arc;

use simurgh_runtime::random;
pub use simurgh_runtime::{Carried, TraceContext};

/// The trace that the running task belongs to.
pub fn trace() -> Option<TraceContext> {
    Carried::current()?.trace
}

/// Makes the running task part of a trace, or of none.
pub fn set_trace(trace: Option<TraceContext>) {
    change(|carried| carried.trace = trace);
}

/// The language of the person that the running task works for.
pub fn locale() -> Option<Arc<str>> {
    Carried::current()?.locale.clone()
}

/// Sets the language of the person that the running task works for.
pub fn set_locale(locale: Option<&str>) {
    change(|carried| carried.locale = locale.map(Into::into));
}

/// Does `work` with another context; what the work changes of it ends with the work.
///
/// ```
/// use simurgh_telemetry::context::{self, Carried};
///
/// simurgh_runtime::run("doc", async {
///     let french = Carried { locale: Some("fr".into()), ..Carried::default() };
///     let inside = context::with(Some(french.into()), async { context::locale() }).await;
///     assert_eq!((inside, context::locale()), (Some("fr".into()), None));
/// });
/// ```
pub async fn with<T>(carried: Option<Arc<Carried>>, work: impl Future<Output = T>) -> T {
    let mut inside = carried;
    let mut work = pin!(work);
    poll_fn(|cx| {
        let _swapped = Swapped::enter(&mut inside);
        work.as_mut().poll(cx)
    })
    .await
}

/// The time of one poll in which the task carries something else.
struct Swapped<'a> {
    inside: &'a mut Option<Arc<Carried>>,
    outside: Option<Arc<Carried>>,
}

impl<'a> Swapped<'a> {
    fn enter(inside: &'a mut Option<Arc<Carried>>) -> Self {
        let outside = Carried::set(inside.take());
        Self { inside, outside }
    }
}

impl Drop for Swapped<'_> {
    fn drop(&mut self) {
        *self.inside = Carried::set(self.outside.take());
    }
}

fn change(f: impl FnOnce(&mut Carried)) {
    let mut carried = Carried::current().map_or_else(Carried::default, |carried| (*carried).clone());
    f(&mut carried);
    let unset = carried == Carried::default();
    Carried::set((!unset).then(|| Arc::new(carried)));
}

/// A trace that begins here.
pub fn new_trace() -> TraceContext {
    let trace_id = u128::from(random::u64()) << 64 | u128::from(random::u64().max(1));
    TraceContext { trace_id, span_id: random::u64().max(1), sampled: true }
}

/// The text form of a trace context: the header `traceparent` of W3C Trace Context, version 00.
///
/// ```
/// use simurgh_telemetry::context::Traceparent;
///
/// let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
/// let parsed: Traceparent = text.parse().unwrap();
/// assert!(parsed.0.sampled);
/// assert_eq!(parsed.to_string(), text);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Traceparent(pub TraceContext);

/// Why a `traceparent` is not one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TraceparentError {
    /// Not `00-`, 32, 16 and 2 lower-case hexadecimal digits, with dashes between.
    #[error("a traceparent is 00-, 32 hexadecimal digits, a dash, 16, a dash and 2, all in lower case")]
    Shape,
    /// A version other than 00.
    #[error("only version 00 of traceparent is known")]
    Version,
    /// An id of zeros, which means none.
    #[error("the trace id and the parent id of a traceparent are not zero")]
    Zero,
}

impl FromStr for Traceparent {
    type Err = TraceparentError;

    fn from_str(text: &str) -> Result<Self, TraceparentError> {
        let mut parts = text.splitn(4, '-');
        let (Some(version), Some(trace), Some(span), Some(flags)) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(TraceparentError::Shape);
        };
        let is_hex =
            |text: &str, len| text.len() == len && text.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'));
        if !(is_hex(version, 2) && is_hex(trace, 32) && is_hex(span, 16) && is_hex(flags, 2)) {
            return Err(TraceparentError::Shape);
        }
        if version != "00" {
            return Err(TraceparentError::Version);
        }
        let shape = |_| TraceparentError::Shape;
        let trace_id = u128::from_str_radix(trace, 16).map_err(shape)?;
        let span_id = u64::from_str_radix(span, 16).map_err(shape)?;
        let flags = u8::from_str_radix(flags, 16).map_err(shape)?;
        if trace_id == 0 || span_id == 0 {
            return Err(TraceparentError::Zero);
        }
        Ok(Self(TraceContext { trace_id, span_id, sampled: flags & 1 == 1 }))
    }
}

impl fmt::Display for Traceparent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TraceContext { trace_id, span_id, sampled } = self.0;
        write!(f, "00-{trace_id:032x}-{span_id:016x}-{:02x}", u8::from(sampled))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_new_trace_reads_back() {
        for _ in 0..1_000 {
            let trace = Traceparent(new_trace());
            assert_eq!(trace.to_string().parse(), Ok(trace));
        }
    }

    #[test]
    fn one_damaged_byte_makes_another_trace_or_none() {
        let good: Traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00".parse().unwrap();
        let text = good.to_string();
        for at in 0..text.len() {
            for byte in 0..=127 {
                let mut bytes = text.clone().into_bytes();
                bytes[at] = byte;
                let damaged = String::from_utf8(bytes).unwrap();
                if let Ok(parsed) = damaged.parse::<Traceparent>() {
                    // Flags that nobody knows are not passed on.
                    assert_eq!(parsed.to_string()[..53], damaged[..53]);
                }
            }
        }
    }

    #[test]
    fn another_context_lasts_as_long_as_its_work() {
        simurgh_runtime::run("test", async {
            set_locale(Some("fr"));
            let outside = Carried::current();
            let work = with(None, async {
                assert_eq!(locale(), None);
                simurgh_runtime::yield_now().await;
                set_locale(Some("it"));
                simurgh_runtime::yield_now().await;
                locale()
            });
            let (inside, seen) = simurgh_runtime::join!(work, async {
                simurgh_runtime::yield_now().await;
                locale()
            });
            assert_eq!((inside, seen), (Some("it".into()), Some("fr".into())));
            assert_eq!(Carried::current(), outside);
        });
    }

    #[test]
    fn hostile_traceparents_are_refused() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        for (text, error) in [
            ("", TraceparentError::Shape),
            (&good[1..], TraceparentError::Shape),
            (&good.to_uppercase(), TraceparentError::Shape),
            (&format!("{good}-01"), TraceparentError::Shape),
            (&good.replacen("00-", "01-", 1), TraceparentError::Version),
            ("00-00000000000000000000000000000000-00f067aa0ba902b7-01", TraceparentError::Zero),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", TraceparentError::Zero),
        ] {
            assert_eq!(text.parse::<Traceparent>(), Err(error), "{text}");
        }
    }

    #[test]
    fn context_is_set_inherited_and_unset() {
        simurgh_runtime::run("test", async {
            let trace = new_trace();
            set_trace(Some(trace));
            set_locale(Some("fr"));
            let child = simurgh_runtime::spawn(async { (super::trace(), locale()) }).await.unwrap();
            assert_eq!(child, (Some(trace), Some("fr".into())));
            set_trace(None);
            set_locale(None);
            assert_eq!(Carried::current(), None, "one word when unset");
        });
    }
}
