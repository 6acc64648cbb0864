//! The account of a dynamic supervisor: how many children it may have, and who of them needs no word.
//!
//! ```text
//!   members   started directly by whoever wants them; their orderly ends are nobody's business
//!   kept      specifications that the supervisor's core knows, running or not
//!
//!   members + kept <= limit, always: the account is changed under the lock of the supervisor's record
//! ```
//!
//! While it is open, a member that comes or goes costs the supervisor nothing. Once it is closed
//! nobody joins any more, and the last member that goes wakes the supervisor, which waits for it.

/// Why a process cannot have one more child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoRoom {
    /// It has as many as it may have.
    Full { limit: usize },
    /// It has ended, or is about to.
    Ended,
}

#[derive(Debug)]
pub(crate) struct Crowd {
    limit: usize,
    members: usize,
    kept: usize,
    closed: bool,
}

impl Crowd {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, members: 0, kept: 0, closed: false }
    }

    pub(crate) fn members(&self) -> usize {
        self.members
    }

    /// How many there are of both kinds.
    pub(crate) fn len(&self) -> usize {
        self.members + self.kept
    }

    fn room(&self) -> Result<(), NoRoom> {
        if self.closed {
            return Err(NoRoom::Ended);
        }
        // The wrong way counts when it is asked, and not when somebody joins.
        if self.len() >= self.limit && !simurgh_runtime::planted!("dynamic.limit-check-then-act") {
            return Err(NoRoom::Full { limit: self.limit });
        }
        Ok(())
    }

    /// Whether one more would be let in now: said by the way, and no promise.
    pub(crate) fn is_full(&self) -> bool {
        self.len() >= self.limit
    }

    /// A member comes.
    pub(crate) fn join(&mut self) -> Result<(), NoRoom> {
        self.room().map(|()| self.members += 1)
    }

    /// A member has gone; whether the supervisor waits for that.
    pub(crate) fn leave(&mut self) -> bool {
        self.members -= 1;
        self.closed && self.members == 0
    }

    /// A specification comes.
    pub(crate) fn keep(&mut self) -> Result<(), NoRoom> {
        self.room().map(|()| self.kept += 1)
    }

    /// A specification is forgotten.
    pub(crate) fn forget(&mut self) {
        self.kept -= 1;
    }

    /// Nobody joins any more.
    pub(crate) fn close(&mut self) {
        self.closed = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_count_and_a_closed_crowd_tells_of_its_last() {
        let mut crowd = Crowd::new(3);
        assert_eq!((crowd.join(), crowd.keep(), crowd.join()), (Ok(()), Ok(()), Ok(())));
        assert_eq!((crowd.join(), crowd.keep()), (Err(NoRoom::Full { limit: 3 }), Err(NoRoom::Full { limit: 3 })));
        crowd.forget();
        assert_eq!(crowd.keep(), Ok(()));
        assert!(!crowd.leave());
        crowd.close();
        assert_eq!(crowd.join(), Err(NoRoom::Ended));
        assert!(crowd.leave());
        assert_eq!((crowd.members(), crowd.len()), (0, 1));
    }
}
