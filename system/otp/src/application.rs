//! Applications: what must be there before what, at the start and at the end.
//!
//! ```text
//!   start   store ──ready──► migrate ──done──► cache ──ready──► listener ──ready──► running
//!   stop    store ◄────────────────────────── cache ◄────────── listener ◄──────── asked
//!           a hook has nothing to stop
//! ```
//!
//! A stage is a child of the root supervisor. It is started when all before it are ready, and has a
//! time in which to be ready, and to stop. If it fails, or takes too long, those before it are stopped
//! in reverse order and the error names it: an application runs as a whole or not at all. At the end a
//! stage is asked to stop when all after it are gone, and killed at its limit: the end takes no longer
//! than the sum of the limits, and tells who was killed.
//!
//! Between start and end the root does what every supervisor does. Later stages stand on earlier ones,
//! so that by default one that crashes is restarted together with those after it (`RestForOne`). Hooks
//! are done once, at the start, and not again. More restarts than the root bears end the application.
//!
//! **As OTP's `application`** and its start phases; otherwise than there, a stage is a child
//! specification like any other, and a stage that hangs is given up.
//!
//! Each step is an event, `otp.application.stage`, with the application, the stage, and `what`:
//! `starting`, `ready` or `failed`, `stopping`, `stopped` or `killed`.

use std::fmt;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use simurgh_runtime::select;

use crate::{ChildSpec, ExitReason, Intensity, IntoChild, IntoExit, Shutdown, Strategy, SupervisorRef};

mod boot;
mod outcome;

use boot::Boot;
pub use outcome::{BootFailure, Outcome, StageStop};

/// How long a hook may take unless told otherwise.
const HOOK_TIMEOUT: Duration = Duration::from_mins(1);

/// No limit is longer: a year, which any clock can add.
const LIMIT_MAX: Duration = Duration::from_hours(24 * 365);

/// What an application is made of, stage by stage.
///
/// ```
/// use simurgh_otp::{Application, ChildSpec, DynamicSupervisor};
/// # use simurgh_runtime::DurationExt;
///
/// # async fn migrate() -> Result<(), std::io::Error> { Ok(()) }
/// simurgh_runtime::run("doc", async {
///     let sessions = DynamicSupervisor::limit(1_000);
///     let shop = Application::new("shop")
///         .stage("store", 5.secs(), ChildSpec::task(|| std::future::pending::<()>()))
///         .hook("migrate", migrate)
///         .stage("sessions", 10.secs(), sessions);
///
///     // In a real one: the signal is `simurgh_runtime::signal::shutdown()?`, and `main` returns the code.
///     let outcome = shop.run_until(async {}).await;
///     assert_eq!(outcome.code(), 0, "{outcome}");
/// });
/// ```
#[must_use = "an application does nothing until it is started"]
pub struct Application {
    name: Arc<str>,
    strategy: Strategy,
    intensity: Intensity,
    steps: Vec<Step>,
}

/// One step of the start.
struct Step {
    name: Arc<str>,
    limit: Duration,
    what: What,
}

enum What {
    Stage(ChildSpec),
    Hook(Hook),
}

type Hook = Box<dyn FnOnce() -> Pin<Box<dyn Future<Output = ExitReason> + Send>> + Send>;

impl Application {
    /// One without stages.
    pub fn new(name: &str) -> Self {
        let strategy = Strategy::RestForOne;
        Self { name: name.into(), strategy, intensity: Intensity::default(), steps: Vec::new() }
    }

    /// What the crash of a stage takes down with it; by default those after it.
    pub fn strategy(mut self, strategy: Strategy) -> Self {
        self.strategy = strategy;
        self
    }

    /// How many restarts of stages are borne; one more ends the application. By default 3 in 5 s.
    pub fn intensity(mut self, restarts: u32, within: Duration) -> Self {
        self.intensity = Intensity { restarts, within };
        self
    }

    /// The next stage. `limit` is the time that it has to be ready (a supervisor: with all its
    /// children), and also the time that it has to stop.
    pub fn stage(mut self, name: &str, limit: Duration, child: impl IntoChild) -> Self {
        let limit = limit.min(LIMIT_MAX);
        let spec = child.into_child().shutdown(Shutdown::Timed(limit)).start_timeout(limit);
        self.steps.push(Step { name: name.into(), limit, what: What::Stage(spec) });
        self
    }

    /// Something to do once when the stages before it are ready, before the next is started. If it
    /// fails, panics, or takes longer than a minute, the application does not start.
    pub fn hook<F>(self, name: &str, run: impl FnOnce() -> F + Send + 'static) -> Self
    where
        F: Future<Output: IntoExit> + Send + 'static,
    {
        self.hook_within(name, HOOK_TIMEOUT, run)
    }

    /// As [`Application::hook`], with a limit of one's own.
    pub fn hook_within<F>(mut self, name: &str, limit: Duration, run: impl FnOnce() -> F + Send + 'static) -> Self
    where
        F: Future<Output: IntoExit> + Send + 'static,
    {
        let hook: Hook = Box::new(move || Box::pin(async move { run().await.into_exit() }));
        self.steps.push(Step { name: name.into(), limit: limit.min(LIMIT_MAX), what: What::Hook(hook) });
        self
    }

    /// Starts it, and waits until all stages are ready. Dropping this before it is done kills what was
    /// started.
    ///
    /// # Errors
    /// [`BootFailure`] names the stage, or the hook; those before it are stopped when it is returned.
    ///
    /// # Panics
    /// Outside of a task of a node.
    pub async fn start(self) -> Result<Running, BootFailure> {
        let (mut boot, steps) = self.begin().await?;
        match boot.climb(steps).await {
            Ok(()) => Ok(Running { boot }),
            Err(failure) => Err(boot.roll_back(failure).await),
        }
    }

    /// Starts it, runs until `signal` is ready, or the root has crashed, and stops it. A signal that
    /// comes during the start ends that too, in order.
    ///
    /// # Panics
    /// Outside of a task of a node.
    pub async fn run_until(self, signal: impl Future) -> Outcome {
        let mut signal = pin!(signal);
        let (mut boot, steps) = match self.begin().await {
            Ok(begun) => begun,
            Err(failure) => return Outcome::BootFailed(failure),
        };
        let started = select! {
            biased;
            done = boot.climb(steps) => Some(done),
            _ = signal.as_mut() => None,
        };
        match started {
            Some(Ok(())) => Running { boot }.run_until(signal).await,
            Some(Err(failure)) => Outcome::BootFailed(boot.roll_back(failure).await),
            None => Outcome::Stopped(boot.descend().await),
        }
    }

    async fn begin(self) -> Result<(Boot, Vec<Step>), BootFailure> {
        let boot = Boot::begin(self.name, self.strategy, self.intensity).await?;
        Ok((boot, self.steps))
    }
}

/// An application that runs. Dropping this lets it run on.
pub struct Running {
    boot: Boot,
}

impl Running {
    /// The root: its children are the stages.
    pub fn root(&self) -> &SupervisorRef {
        self.boot.root()
    }

    /// Stops it: the stages in reverse order, each asked, and killed at its limit. Dropping this before
    /// it is done kills what is left.
    pub async fn stop(mut self) -> Vec<StageStop> {
        self.boot.descend().await
    }

    /// Runs until `signal` is ready, or the root has crashed, and stops it.
    pub async fn run_until(self, signal: impl Future) -> Outcome {
        let end = self.root().monitor();
        let crash = select! {
            biased;
            down = end => Some(self.root().reason().unwrap_or(down.reason)),
            _ = signal => None,
        };
        match crash {
            Some(reason) if !reason.is_orderly() => Outcome::Crashed(reason),
            Some(_) => Outcome::Stopped(Vec::new()),
            None => Outcome::Stopped(self.stop().await),
        }
    }
}

impl fmt::Debug for Application {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let steps: Vec<_> = self.steps.iter().map(|step| &step.name).collect();
        f.debug_struct("Application").field("name", &self.name).field("steps", &steps).finish_non_exhaustive()
    }
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running").field("root", self.root()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
