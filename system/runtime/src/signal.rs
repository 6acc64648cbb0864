//! Signals that ask the process to do something.

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll};

use crate::sim;

/// A signal that a process may wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Signal {
    /// `SIGTERM`: end in order.
    Terminate = 15,
    /// `SIGINT`: a person pressed Ctrl-C.
    Interrupt = 2,
    /// `SIGHUP`: read the configuration again.
    Hangup = 1,
}

impl Signal {
    pub(crate) fn raw(self) -> rustix::process::Signal {
        rustix::process::Signal::from_named_raw(i32::from(self as u8)).expect("Linux has names for these")
    }
}

/// The arrivals of one kind of signal. From the first one on, the signal no longer ends the process.
pub struct Signals {
    arm: SignalsArm,
}

enum SignalsArm {
    Real(tokio::signal::unix::Signal),
    Sim(Box<dyn sim::Signals>),
}

/// Listens for a signal.
///
/// # Errors
/// If the operating system refuses the handler.
pub fn listen(signal: Signal) -> io::Result<Signals> {
    use tokio::signal::unix::SignalKind;
    if let Some(signals) = sim::world(|world| world.signals(signal)) {
        return Ok(Signals { arm: SignalsArm::Sim(signals) });
    }
    let signals = tokio::signal::unix::signal(SignalKind::from_raw(i32::from(signal as u8)))?;
    Ok(Signals { arm: SignalsArm::Real(signals) })
}

impl Signals {
    /// Waits for the next arrival. Several that came in the meantime may count as one.
    pub async fn recv(&mut self) {
        poll_fn(|cx| self.poll_recv(cx)).await;
    }

    fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.arm {
            SignalsArm::Real(signals) => match signals.poll_recv(cx) {
                Poll::Ready(Some(())) => Poll::Ready(()),
                // `None` once tokio's driver is gone, and then for ever: no arrival either.
                Poll::Ready(None) | Poll::Pending => Poll::Pending,
            },
            SignalsArm::Sim(signals) => signals.poll_recv(cx),
        }
    }
}

impl std::fmt::Debug for Signals {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Signals")
    }
}

/// Waits until the process is asked to end, and tells how. Listening begins at the call.
///
/// ```no_run
/// # simurgh_runtime::run("doc", async {
/// use simurgh_runtime::signal;
///
/// let asked = signal::shutdown()?;
/// simurgh_runtime::out!("stopping on {:?}", asked.await);
/// # std::io::Result::Ok(())
/// # }).unwrap();
/// ```
///
/// # Errors
/// If the operating system refuses the handlers.
pub fn shutdown() -> io::Result<impl Future<Output = Signal> + Send> {
    let (mut terminate, mut interrupt) = (listen(Signal::Terminate)?, listen(Signal::Interrupt)?);
    Ok(poll_fn(move |cx| {
        if terminate.poll_recv(cx).is_ready() {
            return Poll::Ready(Signal::Terminate);
        }
        interrupt.poll_recv(cx).map(|()| Signal::Interrupt)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::Command;

    #[test]
    fn a_signal_arrives_once() {
        crate::run("test", async {
            let mut hangups = listen(Signal::Hangup).unwrap();
            let send = format!("kill -HUP {}", std::process::id());
            assert!(Command::new("sh").arg("-c").arg(send).spawn().unwrap().wait().await.unwrap().success());
            hangups.recv().await;
            let again = poll_fn(|cx| Poll::Ready(hangups.poll_recv(cx))).await;
            assert!(again.is_pending());
        });
    }
}
