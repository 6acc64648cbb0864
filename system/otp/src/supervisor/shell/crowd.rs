//! The end of a dynamic supervisor: its members are asked to end, all at once, and awaited.

use std::sync::Arc;
use std::time::Duration;

use simurgh_runtime::{Instant, timeout};

use super::Shell;
use crate::ExitReason;
use crate::cell::Process;
use crate::crowd::Crowd;
use crate::signal::Signal;
use crate::supervisor::policy::Shutdown;

/// How the members are stopped, and since when they know.
pub(super) struct Members {
    how: Shutdown,
    asked: Option<Instant>,
}

impl Members {
    pub(super) fn new(how: Shutdown) -> Self {
        Self { how, asked: None }
    }
}

impl Shell {
    /// Asks all members to end, if the supervisor is ending. Nobody joins them any more.
    pub(super) fn ask_members(&mut self) {
        let Some(members) = self.members.as_mut().filter(|members| members.asked.is_none()) else { return };
        members.asked = Some(Instant::now());
        self.me.core.crowd(Crowd::close);
        let reason = match members.how {
            Shutdown::Brutal => ExitReason::Kill,
            Shutdown::Timed(_) | Shutdown::Infinite => ExitReason::shutdown("its supervisor stops it"),
        };
        for member in self.all_members() {
            let asked = reason != ExitReason::Kill && member.signal(Box::new(Signal::Shutdown(reason.clone()))).is_ok();
            if !asked {
                member.core().doom(reason.clone());
            }
        }
    }

    /// Waits until no member is left; kills those that take too long. Goes on to answer meanwhile.
    pub(super) async fn outlive_members(&mut self) {
        self.ask_members();
        let Some(Members { how, asked: Some(asked) }) = self.members else { return };
        let limit = match how {
            Shutdown::Brutal | Shutdown::Infinite => Duration::MAX,
            Shutdown::Timed(limit) => limit.saturating_sub(asked.elapsed()),
        };
        if limit == Duration::MAX || timeout(limit, self.members_end()).await.is_ok() {
            return self.members_end().await;
        }
        for member in self.all_members() {
            member.core().doom(ExitReason::Kill);
        }
        self.members_end().await;
    }

    async fn members_end(&mut self) {
        while self.me.core.crowd(|crowd| crowd.members()).is_some_and(|members| members > 0) {
            let event = self.next().await;
            let _ = self.handle(event); // it is ending already
        }
    }

    fn all_members(&self) -> impl Iterator<Item = Arc<dyn Process>> {
        self.me.core.children().into_iter().filter(|child| child.core().member)
    }
}
