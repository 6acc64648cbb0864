//! What the macros expand to.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::sim;

thread_local! {
    static ROTATION: Cell<usize> = const { Cell::new(0) };
}

/// Which of `branches` goes first this time.
#[inline]
pub fn rotation(branches: usize) -> usize {
    sim::world(|world| world.choose(branches)).unwrap_or_else(|| {
        let next = ROTATION.get().wrapping_add(1);
        ROTATION.set(next);
        next % branches
    })
}

pin_project! {
    /// A future, then its output.
    #[project = MaybeDoneProjection]
    pub enum MaybeDone<F: Future> {
        /// Not ready yet.
        Pending { #[pin] future: F },
        /// Ready, until it is taken.
        Done { output: Option<F::Output> },
    }
}

impl<F: Future> MaybeDone<F> {
    /// A future that has not been polled.
    pub fn new(future: F) -> Self {
        Self::Pending { future }
    }

    /// Polls unless done; tells whether it is done.
    pub fn poll_done(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> bool {
        let output = match self.as_mut().project() {
            MaybeDoneProjection::Done { .. } => return true,
            MaybeDoneProjection::Pending { future } => match future.poll(cx) {
                Poll::Ready(output) => output,
                Poll::Pending => return false,
            },
        };
        self.set(Self::Done { output: Some(output) });
        true
    }

    /// Takes the output.
    pub fn take(self: Pin<&mut Self>) -> F::Output {
        match self.project() {
            MaybeDoneProjection::Done { output } => output.take().expect("join! takes each output once"),
            MaybeDoneProjection::Pending { .. } => unreachable!("join! takes outputs when all are done"),
        }
    }
}
