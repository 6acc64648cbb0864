//! Tasks whose header is a part of a larger record.
//!
//! What a process is to the process table is one record, and the task's header is in it. Such a task
//! shares the record where others share their header, and its future need not hold the record: it is
//! lent at each poll, and at the end.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::isolated;
use crate::header::{Headed, Owner};
use crate::sim;

/// What such a task does. It deals with its panics itself.
#[doc(hidden)]
pub trait Life: Send + 'static {
    /// What the header is a part of.
    type Record: Headed;

    /// As [`Future::poll`].
    fn poll(self: Pin<&mut Self>, record: &Arc<Self::Record>, cx: &mut Context<'_>) -> Poll<()>;

    /// It is about to be dropped, whether it was ready or not.
    fn leave(self: Pin<&mut Self>, record: &Arc<Self::Record>);
}

/// Starts a task that nobody joins or aborts: who wants it to end has it know, and wakes it.
#[doc(hidden)]
#[inline]
pub fn spawn_life<L: Life>(record: Arc<L::Record>, life: L) {
    if sim::is_simulated() {
        return spawn_simulated(record, life);
    }
    if record.header().may_hold() {
        let headed = Arc::clone(&record);
        return isolated::spawn_unjoined(headed.header(), Living { record: Owner::new(record), life });
    }
    drop(tokio::spawn(Living { record: Owner::new(record), life }));
}

#[cold]
fn spawn_simulated<L: Life>(record: Arc<L::Record>, life: L) {
    let headed = Arc::clone(&record) as Arc<dyn Headed>;
    sim::world(|world| drop(world.spawn(headed, Box::pin(Simulated { record, life }))));
}

pin_project! {
    /// A real task, polled and dropped inside its header.
    struct Living<L: Life> {
        record: Owner<L::Record>,
        #[pin]
        life: L,
    }

    impl<L: Life> PinnedDrop for Living<L> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            let _entered = this.record.enter();
            this.life.leave(this.record.headed());
        }
    }
}

impl<L: Life> Future for Living<L> {
    type Output = ();

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        let _entered = this.record.enter_poll();
        this.life.poll(this.record.headed(), cx)
    }
}

pin_project! {
    /// A simulated task: the simulator enters its header.
    struct Simulated<L: Life> {
        record: Arc<L::Record>,
        #[pin]
        life: L,
    }

    impl<L: Life> PinnedDrop for Simulated<L> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            this.life.leave(this.record);
        }
    }
}

impl<L: Life> Future for Simulated<L> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        this.life.poll(this.record, cx)
    }
}
