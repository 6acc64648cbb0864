//! Tasks with a common end.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};

use super::{Builder, JoinError, JoinHandle};
use crate::Label;
use crate::sync::Mutex;

/// Tasks that do not outlive their scope: dropping it aborts those that are left.
///
/// Made for a handful of tasks: each end costs a look at all that are left.
///
/// ```
/// use simurgh_runtime::Scope;
///
/// # simurgh_runtime::run("doc", async {
/// let scope = Scope::new();
/// let (sender, mut receiver) = tokio::sync::mpsc::channel(8);
/// for number in 1..=3 {
///     let sender = sender.clone();
///     scope.spawn(("square", number), async move { sender.send(number * number).await.unwrap() });
/// }
/// scope.wait().await.unwrap();
/// drop(sender);
/// let mut sum = 0;
/// while let Some(square) = receiver.recv().await {
///     sum += square;
/// }
/// assert_eq!(sum, 14);
/// # });
/// ```
#[derive(Debug, Default)]
pub struct Scope {
    handles: Mutex<Vec<JoinHandle<()>>>,
}

impl Scope {
    /// An empty scope.
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts a task inside the scope.
    pub fn spawn(&self, label: impl Into<Label>, future: impl Future<Output = ()> + Send + 'static) {
        let handle = Builder::new().label(label).spawn(future);
        self.handles.lock().push(handle);
    }

    /// Waits until all tasks have ended, those that are started meanwhile too. Dropping the future
    /// loses none.
    ///
    /// # Errors
    /// The failure that came first; the other tasks have ended then as well.
    pub async fn wait(&self) -> Result<(), JoinError> {
        let mut result = Ok(());
        poll_fn(|cx| self.poll_all(cx, &mut result)).await;
        result
    }

    fn poll_all(&self, cx: &mut Context<'_>, result: &mut Result<(), JoinError>) -> Poll<()> {
        let mut handles = self.handles.lock();
        handles.retain_mut(|handle| match Pin::new(handle).poll(cx) {
            Poll::Pending => true,
            Poll::Ready(ended) => {
                if result.is_ok() {
                    *result = ended;
                }
                false
            }
        });
        if handles.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        for handle in self.handles.get_mut() {
            handle.abort();
        }
    }
}
