//! The way of one request, with times.

use std::fmt::{self, Write as _};
use std::time::Duration;

use simurgh_config::Limits;
use simurgh_runtime::Instant;

/// Steps of one request that are kept; more are counted.
pub const STEPS_MAX: usize = Limits::DEFAULT.web_trace_steps_max;

/// The order in which a request passes endpoint, plugs, router, pipelines and handler, and comes back,
/// with the time of each. Recorded for an endpoint that is [traced](crate::Endpoint::traced), or whose
/// [`Pages`](crate::Pages) want it; its `Display` is an indented tree.
///
/// ```
/// use simurgh_web::{Conn, Endpoint, router, test};
///
/// async fn home(conn: &mut Conn) -> &'static str { "Welcome!" }
/// async fn no_store(conn: &mut Conn) { conn.put_header("cache-control", "no-store"); }
///
/// router! {
///     pipeline browser { no_store; }
///     scope "/" through browser { get "/" => home; }
/// }
///
/// # simurgh_runtime::run("doc", async {
/// let endpoint = Endpoint::new(router()).traced(|_conn, trace| {
///     let way: Vec<_> = trace.steps().iter().map(|step| format!("{} {}", step.way.arrow(), step.name)).collect();
///     let expected = "-> router, -> pipeline browser, -> no_store, -> handler home, <- pipeline browser, <- no_store, <- router";
///     assert_eq!(way.join(", "), expected);
/// });
/// test::get(&endpoint, "/").await;
/// # });
/// ```
#[derive(Debug, Clone)]
pub struct Trace {
    began: Instant,
    steps: Vec<Step>,
    /// The steps that have begun and not ended, by number; none for one that is not kept.
    open: Vec<Option<usize>>,
    omitted: usize,
    /// Whether a step has been made responsible for the halt.
    is_halt_told: bool,
}

/// One step: a plug's work on the request, or on the response.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Step {
    /// The plug's name.
    pub name: Name,
    /// What more there is to say: the route that a router found.
    pub detail: Option<&'static str>,
    /// In or out.
    pub way: Way,
    /// How deep it is nested.
    pub depth: usize,
    /// When it began, from the request's start.
    pub at: Duration,
    /// How long it took, all that it called included; none while it runs, or if it panicked.
    pub took: Option<Duration>,
    /// What it did to the conn's way.
    pub outcome: Outcome,
}

/// A step's name: what it is, if it is no plain plug, and what it is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Name {
    /// `pipeline`, `handler`, or nothing.
    pub kind: &'static str,
    /// What it is called.
    pub called: &'static str,
}

/// Whether a step works on the request or on the response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// [`Plug::call`](crate::Plug::call), or a handler.
    In,
    /// [`Plug::before_send`](crate::Plug::before_send).
    Out,
}

/// What a step did to the conn's way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The conn went on.
    Passed,
    /// The plug halted the conn.
    Halted,
    /// It failed with this status.
    Failed(u16),
}

impl Trace {
    pub(crate) fn begin() -> Self {
        let steps = Vec::with_capacity(16);
        Self { began: Instant::now(), steps, open: Vec::new(), omitted: 0, is_halt_told: false }
    }

    /// The steps, in the order in which they began.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Steps that were not kept, since there were more than [`STEPS_MAX`].
    pub fn omitted(&self) -> usize {
        self.omitted
    }

    /// How long ago the request came.
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    pub(crate) fn open(&mut self, name: Name, way: Way) {
        let depth = self.open.len();
        // The outermost pipeline is the endpoint's own.
        let name = if depth == 0 && name.called == "pipeline" { Name::of_plug("endpoint") } else { name };
        let at = self.began.elapsed();
        let is_kept = self.steps.len() < STEPS_MAX;
        self.open.push(is_kept.then_some(self.steps.len()));
        if is_kept {
            self.steps.push(Step { name, detail: None, way, depth, at, took: None, outcome: Outcome::Passed });
        } else {
            self.omitted += 1;
        }
    }

    pub(crate) fn close(&mut self, is_halted: bool) {
        let now = self.began.elapsed();
        if is_halted {
            self.tell_halt(Outcome::Halted);
        }
        if let Some(Some(step)) = self.open.pop() {
            let step = &mut self.steps[step];
            step.took = Some(now.saturating_sub(step.at));
        }
    }

    /// The innermost step has found this route.
    pub(crate) fn detail(&mut self, detail: &'static str) {
        if let Some(step) = self.innermost() {
            step.detail = Some(detail);
        }
    }

    /// The innermost step has failed.
    pub(crate) fn failed(&mut self, status: u16) {
        // A second error is the later one's, whoever failed first.
        self.is_halt_told = false;
        self.tell_halt(Outcome::Failed(status));
    }

    /// After a panic no step is open.
    pub(crate) fn unwind(&mut self) {
        self.open.clear();
    }

    fn tell_halt(&mut self, outcome: Outcome) {
        if !std::mem::replace(&mut self.is_halt_told, true)
            && let Some(step) = self.innermost()
        {
            step.outcome = outcome;
        }
    }

    fn innermost(&mut self) -> Option<&mut Step> {
        let step = (*self.open.last()?)?;
        self.steps.get_mut(step)
    }
}

impl Way {
    /// `->` or `<-`.
    pub fn arrow(self) -> &'static str {
        match self {
            Self::In => "->",
            Self::Out => "<-",
        }
    }
}

impl Name {
    pub(crate) const fn of_plug(called: &'static str) -> Self {
        Self { kind: "", called }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind)?;
        f.write_str(if self.kind.is_empty() { "" } else { " " })?;
        f.write_str(self.called)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passed => Ok(()),
            Self::Halted => f.write_str("halted"),
            Self::Failed(status) => write!(f, "failed with {status}"),
        }
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let titles: Vec<String> = self.steps.iter().map(title).collect();
        let width = titles.iter().map(|title| title.chars().count()).max().unwrap_or_default().max(4);
        writeln!(f, "{:width$}  {:>11}  {:>11}", "step", "at", "took")?;
        for (step, title) in self.steps.iter().zip(&titles) {
            let took = step.took.map_or_else(|| "-".to_owned(), micros);
            write!(f, "{title:width$}  {:>11}  {took:>11}", micros(step.at))?;
            match step.outcome {
                Outcome::Passed => writeln!(f)?,
                outcome => writeln!(f, "  {outcome}")?,
            }
        }
        if self.omitted > 0 {
            writeln!(f, "and {} steps more", self.omitted)?;
        }
        Ok(())
    }
}

fn title(step: &Step) -> String {
    let mut title = format!("{:1$}{2} {3}", "", step.depth * 3, step.way.arrow(), step.name);
    if let Some(detail) = step.detail {
        let _ = write!(title, "  {detail}");
    }
    title
}

/// A duration in microseconds, as people read it.
pub(crate) fn micros(duration: Duration) -> String {
    format!("{:.1} \u{b5}s", duration.as_nanos() as f64 / 1_000.0)
}
