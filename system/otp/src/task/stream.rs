//! A stream of tasks: something is done with each item, so many at a time.

use std::collections::VecDeque;
use std::fmt;
use std::future::{Future, poll_fn};
use std::iter::Fuse;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use simurgh_runtime::sleep;
use simurgh_runtime::time::Sleep;

use super::{Task, Tasks};
use crate::{DynamicError, ExitReason};

/// Why there is no value for an item.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ItemError {
    /// Its task crashed, or was killed.
    #[error("the task of this item has ended: {0}")]
    Exit(ExitReason),
    /// Its task took too long, and was ended.
    #[error("the task of this item was not done within {after:?}")]
    TimedOut {
        /// The limit.
        after: Duration,
    },
    /// Its task could not be started.
    #[error("the task of this item was not started: {0}")]
    NotStarted(#[from] DynamicError),
}

/// Does something with each item, in a task of its own, so many at a time: made by
/// [`Tasks::stream`](super::Tasks::stream).
///
/// By default 8 at a time, in order, 5 s for each. An item is taken only when there is a place for it,
/// and only while somebody asks for the [`next`](TaskStream::next) result: results that wait to be
/// fetched, or for an earlier one, hold their place. So what is under way is bounded, however many
/// items there are and however slow who asks. Dropping the stream ends the tasks that run.
#[must_use = "a stream does nothing until it is asked for the next result"]
pub struct TaskStream<I: Iterator, F, T> {
    tasks: Tasks,
    items: Fuse<I>,
    work: F,
    concurrency_max: usize,
    ordered: bool,
    limit: Option<Duration>,
    places: VecDeque<Place<T>>,
}

enum Place<T> {
    Running { task: Task<T>, limit: Option<(Duration, Pin<Box<Sleep>>)> },
    Done(Result<T, ItemError>),
}

impl<I, F, W> TaskStream<I, F, W::Output>
where
    I: Iterator,
    F: FnMut(I::Item) -> W,
    W: Future<Output: Send + 'static> + Send + 'static,
{
    pub(super) fn new(tasks: Tasks, items: I, work: F) -> Self {
        let limit = Some(Duration::from_secs(5));
        Self { tasks, items: items.fuse(), work, concurrency_max: 8, ordered: true, limit, places: VecDeque::new() }
    }

    /// How many items are worked on at a time, at least 1.
    pub fn max_concurrency(mut self, tasks: usize) -> Self {
        self.concurrency_max = tasks.max(1);
        self
    }

    /// Whether results come in the order of the items, or as they are done.
    pub fn ordered(mut self, ordered: bool) -> Self {
        self.ordered = ordered;
        self
    }

    /// How long the task of one item may take; none is for ever.
    pub fn timeout(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.limit = limit.into();
        self
    }

    /// The next result, or none when all items are done. Nothing is lost if this is dropped before it
    /// is ready.
    pub async fn next(&mut self) -> Option<Result<W::Output, ItemError>> {
        self.fill();
        if self.places.is_empty() {
            return None;
        }
        Some(poll_fn(|cx| self.poll_done(cx)).await)
    }

    /// All results that are left.
    pub async fn collect(mut self) -> Vec<Result<W::Output, ItemError>> {
        let mut results = Vec::new();
        while let Some(result) = self.next().await {
            results.push(result);
        }
        results
    }

    fn fill(&mut self) {
        while self.places.len() < self.concurrency_max {
            let Some(item) = self.items.next() else { return };
            let started = self.tasks.run_nolink("item", (self.work)(item));
            self.places.push_back(match started {
                Ok(task) => Place::Running { task, limit: self.limit.map(|limit| (limit, Box::pin(sleep(limit)))) },
                Err(error) => Place::Done(Err(error.into())),
            });
        }
    }

    /// Looks at all that are under way, so that the limits of those behind a slow one hold too.
    fn poll_done(&mut self, cx: &mut Context<'_>) -> Poll<Result<W::Output, ItemError>> {
        let mut first = None;
        for (index, place) in self.places.iter_mut().enumerate() {
            place.poll(cx);
            if first.is_none() && (index == 0 || !self.ordered) && matches!(place, Place::Done(_)) {
                first = Some(index);
            }
        }
        match first.and_then(|index| self.places.remove(index)) {
            Some(Place::Done(result)) => Poll::Ready(result),
            _ => Poll::Pending,
        }
    }
}

impl<T> Place<T> {
    fn poll(&mut self, cx: &mut Context<'_>) {
        let Self::Running { task, limit } = self else { return };
        if let Poll::Ready(done) = Pin::new(task).poll(cx) {
            *self = Self::Done(done.map_err(ItemError::Exit));
        } else if let Some((after, limit)) = limit
            && limit.as_mut().poll(cx).is_ready()
        {
            *self = Self::Done(Err(ItemError::TimedOut { after: *after })); // the handle is dropped, and ends it
        }
    }
}

impl<I: Iterator, F, T> fmt::Debug for TaskStream<I, F, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskStream").field("under_way", &self.places.len()).finish_non_exhaustive()
    }
}
