//! Up the stages one by one, and down again.

use std::sync::Arc;
use std::time::Duration;

use simurgh_runtime::{Instant, Label, planted, timeout};
use simurgh_telemetry::event;

use super::{BootFailure, StageStop, Step, What};
use crate::{
    ExitReason, Intensity, Monitor, Refusal, Strategy, Supervisor, SupervisorError, SupervisorRef, monitor, task,
};

/// How much longer than a stage's limit its supervisor may take to say what came of it.
const GRACE: Duration = Duration::from_secs(1);

/// A root, and the stages that stand on it.
pub(super) struct Boot {
    application: Arc<str>,
    root: SupervisorRef,
    /// In start order; the last may be starting still.
    stages: Vec<Stage>,
    /// The hook that runs. A signal kills it, and the way down begins when it has ended.
    hook: Option<Monitor>,
    /// On the way up or down: if that is dropped, nobody is left to stop what runs.
    under_way: bool,
}

struct Stage {
    name: Arc<str>,
    limit: Duration,
}

impl Boot {
    pub(super) async fn begin(
        application: Arc<str>,
        strategy: Strategy,
        Intensity { restarts, within }: Intensity,
    ) -> Result<Self, BootFailure> {
        let root = Supervisor::new(strategy).intensity(restarts, within);
        match root.start(Label::Owned(Arc::clone(&application))).await {
            Ok(root) => Ok(Self { application, root, stages: Vec::new(), hook: None, under_way: true }),
            Err(error) => Err(BootFailure {
                stage: Arc::clone(&application),
                application,
                reason: error.reason,
                after: Duration::ZERO,
                stopped: Vec::new(),
            }),
        }
    }

    pub(super) fn root(&self) -> &SupervisorRef {
        &self.root
    }

    /// Takes one step after the other, until one fails: then those before it stand, to be rolled back.
    pub(super) async fn climb(&mut self, steps: Vec<Step>) -> Result<(), BootFailure> {
        for Step { name, limit, what } in steps {
            let since = Instant::now();
            self.tell(&name, "starting", since);
            let done = match what {
                What::Stage(spec) => {
                    self.stages.push(Stage { name: Arc::clone(&name), limit });
                    let started = self.root.start_child_within(limit.saturating_add(GRACE), &name, spec).await;
                    started.map(drop).map_err(why)
                }
                What::Hook(run) => {
                    let hook = task::start(Label::Owned(Arc::clone(&name)), None, run());
                    self.hook = Some(monitor(hook.pid()));
                    let done = within(limit, hook).await;
                    self.hook = None;
                    done
                }
            };
            if let Err(reason) = done {
                let after = since.elapsed();
                self.tell(&name, "failed", since);
                self.stages.pop_if(|stage| stage.name == name);
                let application = Arc::clone(&self.application);
                return Err(BootFailure { application, stage: name, reason, after, stopped: Vec::new() });
            }
            self.tell(&name, "ready", since);
        }
        self.under_way = false;
        Ok(())
    }

    /// Stops what was started before a step that failed. Apart from the way up, which a signal cuts
    /// short: a signal that comes now must not.
    pub(super) async fn roll_back(&mut self, failure: BootFailure) -> BootFailure {
        if planted!("application.forgets-stage") && !self.stages.is_empty() {
            self.stages.remove(0);
        }
        BootFailure { stopped: self.descend().await, ..failure }
    }

    /// Stops all stages in reverse order, then the root.
    pub(super) async fn descend(&mut self) -> Vec<StageStop> {
        self.under_way = true;
        if let Some(hook) = self.hook.take() {
            let _ = timeout(GRACE, hook).await; // but for one that never awaits
        }
        let mut stages = std::mem::take(&mut self.stages);
        if !planted!("application.stops-in-order") {
            stages.reverse();
        }
        let mut stopped = Vec::with_capacity(stages.len());
        for stage in stages {
            stopped.push(self.stop(stage).await);
        }
        // Nothing is left for it to stop, but what cannot be killed.
        let _ = timeout(GRACE, self.root.stop(GRACE)).await;
        self.under_way = false;
        stopped
    }

    async fn stop(&self, Stage { name, limit }: Stage) -> StageStop {
        let since = Instant::now();
        self.tell(&name, "stopping", since);
        let patience = limit.saturating_add(GRACE);
        let children = self.root.which_children().await.unwrap_or_default();
        let process = children.into_iter().find(|child| child.id == name).and_then(|child| child.pid);
        let end = process.map(monitor);
        let done = self.root.terminate_child_within(patience, &name).await;
        let killed = match (end, done) {
            (Some(end), Ok(())) => end.await.reason == ExitReason::Kill,
            // It does not even end when it is killed: it never awaits.
            (_, Err(SupervisorError::Call(crate::CallError::TimedOut { .. }))) => true,
            // It was down, or the root is gone, and all with it.
            (None, _) | (_, Err(_)) => false,
        };
        self.tell(&name, if killed { "killed" } else { "stopped" }, since);
        StageStop { stage: name, killed, took: since.elapsed() }
    }

    fn tell(&self, stage: &str, what: &'static str, since: Instant) {
        event!("otp.application.stage", { took_ns: since.elapsed().as_nanos() }, {
            application: &*self.application, stage: stage, what: what,
        });
    }
}

impl Drop for Boot {
    fn drop(&mut self) {
        if self.under_way {
            self.root.kill();
        }
    }
}

/// Awaits a hook, and ends it when it takes too long.
async fn within(limit: Duration, mut hook: task::Task<ExitReason>) -> Result<(), ExitReason> {
    match hook.yield_for(limit).await {
        Some(Ok(ExitReason::Normal)) => Ok(()),
        Some(Ok(reason) | Err(reason)) => Err(reason),
        None => {
            let _ = timeout(GRACE, hook.shutdown(GRACE)).await; // but for one that never awaits
            Err(ExitReason::error(format_args!("it was not done within {limit:?}")))
        }
    }
}

/// Why a stage did not start.
fn why(error: SupervisorError) -> ExitReason {
    match error {
        SupervisorError::Refused(Refusal::StartFailed(reason)) => reason,
        error => ExitReason::error(error),
    }
}
