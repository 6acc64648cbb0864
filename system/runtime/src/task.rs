//! Tasks: spawn, join, abort, scopes, shields, isolated tasks and blocking work.
//!
//! A task belongs to the node that spawned it and inherits what its parent carries (trace context,
//! locale). In production it is a tokio task whose polls, and whose end, stand inside its
//! [`Header`]; in the simulator its polls are the simulator's. On both, a panic ends that task and
//! nothing else: it is the [`JoinError`] that the handle gives.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use tokio::sync::oneshot;

use crate::header::{Headed, Owner};
use crate::{Carried, Header, Label, Node, PanicReport, sim};

mod isolated;
mod join;
mod life;
mod scope;
mod work;

#[cfg(test)]
mod tests;

pub use isolated::ISOLATED_MAX;
pub(crate) use isolated::end_isolated;
pub use join::{AbortHandle, JoinError, JoinHandle};
#[doc(hidden)]
pub use life::{Life, spawn_life};
pub use scope::Scope;
pub use work::{blocking, shield, yield_now};

/// Starts a task on the current node.
///
/// Dropping the handle detaches the task.
///
/// ```
/// # simurgh_runtime::run("doc", async {
/// let sum = simurgh_runtime::spawn(async { 1 + 2 });
/// assert_eq!(sum.await.unwrap(), 3);
/// # });
/// ```
///
/// # Panics
/// Outside of a task of a node.
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    Builder::new().spawn(future)
}

/// Options for a task.
///
/// ```
/// use simurgh_runtime::task::Builder;
///
/// # simurgh_runtime::run("doc", async {
/// let task = Builder::new().label(("connection", 17)).spawn(async {});
/// assert_eq!(task.header().label().to_string(), "connection 17");
/// # });
/// ```
#[derive(Debug, Default)]
pub struct Builder {
    label: Label,
    carried: Inherit,
    node: Option<Arc<Node>>,
    isolated: bool,
}

/// What a new task carries.
#[derive(Debug, Default)]
enum Inherit {
    /// What its parent carries.
    #[default]
    Parent,
    /// Something else, or nothing.
    Own(Option<Arc<Carried>>),
}

impl Builder {
    /// An unnamed task of the current node that carries what its parent carries.
    pub fn new() -> Self {
        Self::default()
    }

    /// What people call it.
    pub fn label(mut self, label: impl Into<Label>) -> Self {
        self.label = label.into();
        self
    }

    /// What it carries instead of what its parent carries.
    pub fn carried(mut self, carried: Option<Arc<Carried>>) -> Self {
        self.carried = Inherit::Own(carried);
        self
    }

    /// Gives it an OS thread of its own, named after its label: for code that may hold its thread
    /// for long, where a worker thread's other tasks would wait for it.
    ///
    /// It may still use all that other tasks use. An abort drops it at its next await, so code that
    /// never awaits still cannot be killed; but it hurts nobody else, and the watchdog lets it be.
    /// If there is no thread for it, its handle says [`JoinError::NoThread`]; a node has at most
    /// [`ISOLATED_MAX`] of them. In the simulator it is a task as any other.
    ///
    /// ```
    /// use simurgh_runtime::task::Builder;
    ///
    /// # simurgh_runtime::run("doc", async {
    /// let sum = Builder::new().label("long sum").isolated().spawn(async { (1..=1_000_000_u64).sum::<u64>() });
    /// assert_eq!(sum.await.unwrap(), 500_000_500_000);
    /// # });
    /// ```
    pub fn isolated(mut self) -> Self {
        self.isolated = true;
        self
    }

    /// Which node it belongs to instead of the current one. For the simulator.
    #[doc(hidden)]
    pub fn node(mut self, node: Arc<Node>) -> Self {
        self.node = Some(node);
        self
    }

    /// Only the task's header, for whoever puts it into a larger record: see [`spawn_life`].
    ///
    /// # Panics
    /// Outside of a task of a node.
    #[doc(hidden)]
    #[inline]
    pub fn into_header(self) -> Header {
        let carried = match self.carried {
            Inherit::Parent => Carried::current(),
            Inherit::Own(carried) => carried,
        };
        let node = self.node.unwrap_or_else(Node::current);
        Header::with_hold(node, self.label, carried, self.isolated)
    }

    /// Starts the task.
    ///
    /// # Panics
    /// Outside of a task of a node.
    pub fn spawn<F>(self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        spawn_with(Arc::new(self.into_header()), future)
    }
}

/// Starts a task with a header that is made already.
pub(crate) fn spawn_with<F>(header: Arc<Header>, future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    if sim::is_simulated() {
        let (sender, receiver) = oneshot::channel();
        let task = Reporting { header: Arc::clone(&header), sender: Some(sender), future: Some(future) };
        let headed = Arc::clone(&header) as Arc<dyn Headed>;
        let task = sim::world(|world| world.spawn(headed, Box::pin(task)));
        let task = task.expect("a world has entered this thread");
        return JoinHandle::reported(header, receiver, Arc::from(task));
    }
    if header.may_hold() {
        return isolated::spawn(header, future);
    }
    let task = InHeader::new(Arc::clone(&header), future);
    JoinHandle::real(header, tokio::spawn(task))
}

pin_project! {
    /// A real task: its future, polled and dropped inside its header.
    struct InHeader<F> {
        header: Owner<Header>,
        #[pin]
        future: Option<F>,
    }

    impl<F> PinnedDrop for InHeader<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            let _entered = this.header.enter();
            this.future.set(None);
        }
    }
}

impl<F> InHeader<F> {
    fn new(header: Arc<Header>, future: F) -> Self {
        Self { header: Owner::new(header), future: Some(future) }
    }
}

impl<F: Future> Future for InHeader<F> {
    type Output = F::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _entered = this.header.enter_poll();
        this.future.as_pin_mut().expect("only the drop takes the future out").poll(cx)
    }
}

/// What a simulated or isolated task tells its join handle.
type Outcome<T> = Result<T, JoinError>;

pin_project! {
    /// A task that no tokio task stands for, simulated or isolated: its output or panic goes to its
    /// join handle, and a panic without one to the world, if there is one. Polls and drops happen
    /// inside the header; that is up to whoever drives it.
    struct Reporting<F: Future> {
        header: Arc<Header>,
        sender: Option<oneshot::Sender<Outcome<F::Output>>>,
        #[pin]
        future: Option<F>,
    }

    impl<F: Future> PinnedDrop for Reporting<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            // Aborted: a panic on the way out is still this task's own.
            if let Err(panic) = caught(this.header, || this.future.set(None)) {
                report(this.header, this.sender.take(), Err(panic));
            }
        }
    }
}

impl<F: Future> Future for Reporting<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        let future = this.future.as_mut().as_pin_mut().expect("a finished task is not polled");
        let outcome = match caught(this.header, || future.poll(cx)) {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(output)) => Ok(output),
            Err(panic) => Err(panic),
        };
        // As with tokio, all that the task held is gone before its joiner hears of its end.
        let dropped = caught(this.header, || this.future.set(None));
        report(this.header, this.sender.take(), outcome);
        if let Err(panic) = dropped {
            report::<F::Output>(this.header, None, Err(panic));
        }
        Poll::Ready(())
    }
}

fn caught<T>(header: &Header, f: impl FnOnce() -> T) -> Result<T, JoinError> {
    let caught = catch_unwind(AssertUnwindSafe(f));
    caught.map_err(|payload| JoinError::Panic(PanicReport::of_task_here(header, payload)))
}

/// Sends the outcome; a panic that nobody takes is the world's.
fn report<T>(header: &Header, sender: Option<oneshot::Sender<Outcome<T>>>, outcome: Outcome<T>) {
    let left = match sender {
        Some(sender) => sender.send(outcome).err(),
        None => Some(outcome),
    };
    if let Some(outcome) = left {
        unseen(header, outcome);
    }
}

/// Tells the world of an outcome that nobody will see, if it is a panic.
fn unseen<T>(header: &Header, outcome: Outcome<T>) {
    if let Err(JoinError::Panic(panic)) = outcome
        && !header.node().is_dead()
    {
        sim::world(|world| world.unsupervised_panic(header, &panic.to_string()));
    }
}
