//! What is known of a panic: its message and its place.
//!
//! A caught panic is only a payload, which says what was said but not where. The hook knows both,
//! but runs on the thread that panics, whereas a task may be joined on another. So the hook leaves
//! a report twice: with the thread, for whoever catches the panic there, and under the task's
//! header, for its join handle.

use std::any::Any;
use std::cell::RefCell;
use std::fmt;
use std::panic::{self, PanicHookInfo, resume_unwind};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

use crate::{Header, sim, stdio};

/// A panic, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PanicReport {
    /// What was said.
    pub message: String,
    /// File, line and column, if known.
    pub location: Option<String>,
}

thread_local! {
    static LAST: RefCell<Option<PanicReport>> = const { RefCell::new(None) };
}

impl PanicReport {
    /// The report for a payload that was just caught on this thread.
    pub fn from_payload(payload: Box<dyn Any + Send>) -> Self {
        let last = LAST.with(|last| last.borrow_mut().take());
        Self::with_place(payload, last)
    }

    /// The report for the payload that ended a task, on whatever thread it ran.
    pub(crate) fn of_task(header: &Header, payload: Box<dyn Any + Send>) -> Self {
        Self::with_place(payload, Ended::take(header))
    }

    /// The report for a payload that was just caught on this thread, inside of the task that it ends.
    pub(crate) fn of_task_here(header: &Header, payload: Box<dyn Any + Send>) -> Self {
        if !sim::is_simulated() {
            Ended::take(header); // The hook has left it for a join handle that will not ask.
        }
        Self::from_payload(payload)
    }

    fn with_place(payload: Box<dyn Any + Send>, seen: Option<Self>) -> Self {
        let payload = match payload.downcast::<PanicReport>() {
            Ok(report) => return *report, // resumed from another task
            Err(payload) => payload,
        };
        let message = message_of(payload.as_ref()).to_owned();
        // Another message: that panic was caught by someone else, and this one never met the hook.
        seen.filter(|seen| seen.message == message).unwrap_or(Self { message, location: None })
    }

    /// Panics with this report, silently: it was told when it first happened.
    pub(crate) fn resume(self) -> ! {
        resume_unwind(Box::new(self))
    }
}

impl fmt::Display for PanicReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.location {
            Some(location) => write!(f, "{}, at {location}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

fn message_of(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("a value that is not text")
}

/// The panics of tasks that may still be joined: the last few, each under the address of its task's
/// header. The handle that asks keeps the header alive, so the address is not another task's yet,
/// and a new panic under an old address takes its place.
struct Ended {
    header: usize,
    report: PanicReport,
}

static ENDED: Mutex<Vec<Ended>> = Mutex::new(Vec::new());

impl Ended {
    const MOST: usize = 64;

    fn add(header: &Header, report: PanicReport) {
        let mut ended = Self::all();
        let header = std::ptr::from_ref(header).addr();
        ended.retain(|older| older.header != header);
        if ended.len() == Self::MOST {
            ended.remove(0);
        }
        ended.push(Self { header, report });
    }

    fn take(header: &Header) -> Option<PanicReport> {
        let mut ended = Self::all();
        let header = std::ptr::from_ref(header).addr();
        let index = ended.iter().position(|ended| ended.header == header)?;
        Some(ended.remove(index).report)
    }

    fn all() -> MutexGuard<'static, Vec<Self>> {
        ENDED.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes panics of tasks known by message and place; once per OS process.
///
/// Inside a task of a node the report goes to whoever sees the task's end, and, in production, as
/// one line to standard error. Outside of any task the hook that was there before speaks.
#[doc(hidden)]
pub fn install_hook() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| on_panic(info, &*before)));
    });
}

fn on_panic(info: &PanicHookInfo<'_>, before: &dyn Fn(&PanicHookInfo<'_>)) {
    let report = PanicReport {
        message: info.payload_as_str().unwrap_or("a value that is not text").to_owned(),
        location: info.location().map(|at| format!("{}:{}:{}", at.file(), at.line(), at.column())),
    };
    Header::with(|header| match header {
        None => before(info),
        Some(_) if sim::is_simulated() => {}
        Some(header) => {
            stdio::err(&format!("panic in {}: {report}", header.label()));
            Ended::add(header, report.clone());
        }
    });
    // Not if the thread is going away: its locals may be gone.
    let _ = LAST.try_with(|last| *last.borrow_mut() = Some(report));
}
