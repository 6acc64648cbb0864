//! A process with a mailbox, as those see it who send to it.

use std::time::Duration;

use simurgh_runtime::{Header, planted, timeout};
use simurgh_sync::mailbox::{Refused, Sent};
use simurgh_sync::port;
use simurgh_telemetry::{Parcel, event};

use crate::call::Answer;
use crate::cell::{Process, Served};
use crate::reply::shed;
use crate::signal::{Signal, Wish};
use crate::{CALL_TIMEOUT, CallError, CastError, ExitReason, Monitor, Pid, Reply};

impl<M: Send + 'static> Served<M> {
    pub(crate) fn pid(&self) -> Pid {
        self.core.pid()
    }

    /// Asks, and awaits the answer.
    pub(crate) async fn call_within<T>(
        &self,
        limit: Duration,
        make: impl FnOnce(Reply<T>) -> M,
    ) -> Result<T, CallError> {
        let pid = self.pid();
        self.refuse_self()?;
        let (sender, port) = port::pair();
        let answer = Answer::new(self, port, self.resource, limit);
        let message = make(Reply::new(sender));
        let sent = match self.try_cast(message) {
            // The limit is the call's as a whole: the answer's own clock runs already.
            Err(CastError::Full { message, .. }) if self.waits_when_full => self.push(message, limit).await,
            sent => sent,
        };
        match sent {
            Ok(()) => answer.await,
            Err(CastError::Dead { reason, .. }) => Err(CallError::Died { pid, reason }),
            Err(CastError::Full { .. }) => Err(CallError::Overloaded { pid }),
        }
    }

    /// A process that waits for itself would wait for ever.
    fn refuse_self(&self) -> Result<(), CallError> {
        let pid = self.pid();
        let is_self = Header::with(|header| header.is_some_and(|header| Pid::of(header) == pid));
        if is_self { Err(CallError::ToSelf { pid }) } else { Ok(()) }
    }

    /// Sends a message; waits for room if the policy is to block.
    #[inline]
    pub(crate) async fn cast_within(&self, limit: Duration, message: M) -> Result<(), CastError<M>> {
        tokio::task::coop::consume_budget().await;
        match self.try_cast(message) {
            Err(CastError::Full { message, .. }) if self.waits_when_full => self.push(message, limit).await,
            done => done,
        }
    }

    /// Sends a message without waiting.
    #[inline]
    pub(crate) fn try_cast(&self, message: M) -> Result<(), CastError<M>> {
        let key = self.key.and_then(|key| key(&message));
        match self.mailbox.try_send(Parcel::new(message), key) {
            Ok(Sent::Queued) => Ok(()),
            Ok(sent) => {
                self.shed(sent);
                Ok(())
            }
            Err(refused) => Err(self.refused(refused)),
        }
    }

    #[cold]
    async fn push(&self, message: M, limit: Duration) -> Result<(), CastError<M>> {
        let key = self.key.and_then(|key| key(&message));
        let mut send = self.mailbox.send(Parcel::new(message), key);
        match timeout(limit, &mut send).await {
            Ok(Ok(sent)) => {
                self.shed(sent);
                Ok(())
            }
            Ok(Err(refused)) => Err(self.refused(refused)),
            Err(_) => match send.take_back() {
                Some(_) if planted!("otp.block-loses") => Ok(()),
                Some(parcel) => Err(self.refused(Refused::Full(parcel))),
                None => Ok(()), // let in at the last moment
            },
        }
    }

    #[cold]
    fn shed(&self, sent: Sent<Parcel<M>>) {
        let (parcel, how) = match sent {
            Sent::Queued => return,
            Sent::Replaced(parcel) => (parcel, "replaced"),
            Sent::ShedOldest(parcel) => (parcel, "oldest"),
            Sent::ShedNewest(parcel) => (parcel, "newest"),
        };
        if how == "oldest" && planted!("otp.shed-unsaid") {
            return shed(parcel);
        }
        event!("otp.mailbox.shed", { count: 1 }, { process: self.pid().number(), how: how });
        shed(parcel);
    }

    #[cold]
    fn refused(&self, refused: Refused<Parcel<M>>) -> CastError<M> {
        let pid = self.pid();
        match refused {
            Refused::Full(parcel) => CastError::Full { pid, message: parcel.value },
            Refused::Closed(parcel) => CastError::Dead { pid, reason: self.gone(), message: parcel.value },
        }
    }

    fn gone(&self) -> ExitReason {
        self.core.reason().unwrap_or(ExitReason::NoProcess)
    }

    /// Asks by a signal, past the mailbox's bound.
    pub(crate) async fn wish<T>(&self, wish: impl FnOnce(port::Sender<T>) -> Wish) -> Result<T, CallError> {
        let pid = self.pid();
        self.refuse_self()?;
        let (sender, port) = port::pair();
        let answer = Answer::new(self, port, 0, CALL_TIMEOUT);
        match self.mailbox.signal(Box::new(Signal::Operator(wish(sender)))) {
            Ok(()) => answer.await,
            Err(_) => Err(CallError::Died { pid, reason: self.gone() }),
        }
    }
}

impl dyn Process {
    /// Asks it to end in order, and kills it after `limit`.
    pub(crate) async fn stop(&self, monitor: Monitor, limit: Duration) -> ExitReason {
        let reason = ExitReason::Normal;
        if self.signal(Box::new(Signal::Shutdown(reason))).is_err() {
            self.core().doom(ExitReason::shutdown("stopped"));
        }
        let mut monitor = std::pin::pin!(monitor);
        if let Ok(down) = timeout(limit, monitor.as_mut()).await {
            return down.reason;
        }
        self.core().doom(ExitReason::Kill);
        monitor.await.reason
    }
}
