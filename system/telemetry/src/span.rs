//! Work with a beginning and an end.

use std::future::Future;

use simurgh_runtime::Instant;
use simurgh_runtime::observe::{Event, Value};

use crate::{emit, is_heard};

/// The three events of a span, by name.
#[derive(Debug, Clone, Copy)]
pub struct SpanNames {
    /// When the work begins.
    pub start: &'static str,
    /// When it ended; with `duration_ns`.
    pub stop: &'static str,
    /// When it was dropped or panicked before its end; with `duration_ns`.
    pub exception: &'static str,
}

/// Awaits `work` between a start event and a stop event that carries `duration_ns`. Work that is
/// dropped or panics emits the exception event instead.
///
/// ```
/// # simurgh_runtime::run("doc", async {
/// use simurgh_telemetry::span;
///
/// let rows = span!("db.query", [("table", "posts".into())], async { 3 }).await;
/// assert_eq!(rows, 3);
/// # });
/// ```
pub async fn span<T>(names: SpanNames, metadata: &[(&'static str, Value<'_>)], work: impl Future<Output = T>) -> T {
    emit(&Event { name: names.start, measurements: &[], metadata });
    // The clock is read even if nobody listens yet: somebody may by the time the work ends.
    let mut running = Running { began: Instant::now(), name: names.exception, metadata };
    let output = work.await;
    running.name = names.stop;
    output
}

struct Running<'a> {
    began: Instant,
    name: &'static str,
    metadata: &'a [(&'static str, Value<'a>)],
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if !is_heard() {
            return;
        }
        let duration_ns = self.began.elapsed().as_nanos() as f64;
        emit(&Event { name: self.name, measurements: &[("duration_ns", duration_ns)], metadata: self.metadata });
    }
}

/// See [`span`](crate::span()): the three names are made from one.
#[macro_export]
macro_rules! span {
    ($name:literal, [$($metadata:expr),* $(,)?], $work:expr) => {
        $crate::span(
            $crate::SpanNames {
                start: ::core::concat!($name, ".start"),
                stop: ::core::concat!($name, ".stop"),
                exception: ::core::concat!($name, ".exception"),
            },
            &[$($metadata),*],
            $work,
        )
    };
}

#[cfg(test)]
mod tests {
    use crate::attach;
    use simurgh_runtime::{run, spawn, sync::Mutex, timeout};
    use std::sync::Arc;
    use std::time::Duration;

    #[test]
    fn a_span_ends_once_whatever_happens() {
        let names = run("test", async {
            let names = Arc::new(Mutex::new(Vec::new()));
            let into = Arc::clone(&names);
            attach("test", "work", move |event| into.lock().push(event.name)).unwrap();
            crate::span!("work", [], async {}).await;
            let _ = timeout(Duration::from_millis(1), crate::span!("work", [], std::future::pending::<()>())).await;
            let _ = spawn(async { crate::span!("work", [], async { panic!("on purpose") }).await }).await;
            let names = names.lock();
            names.clone()
        });
        assert_eq!(names, ["work.start", "work.stop", "work.start", "work.exception", "work.start", "work.exception"]);
    }
}
