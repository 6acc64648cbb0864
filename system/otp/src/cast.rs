//! Why a message was not taken.

use std::fmt;
use std::sync::Arc;

use crate::{ExitReason, Pid};

/// Why a message was not taken; it comes back.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CastError<M> {
    /// The mailbox is full.
    Full {
        /// The server.
        pid: Pid,
        /// What was to be sent.
        message: M,
    },
    /// The server has ended.
    Dead {
        /// The server.
        pid: Pid,
        /// Why it ended.
        reason: ExitReason,
        /// What was to be sent.
        message: M,
    },
    /// Nobody has the name that it was sent to.
    NotRegistered {
        /// The name.
        name: Arc<str>,
        /// What was to be sent.
        message: M,
    },
}

impl<M> CastError<M> {
    /// What was to be sent.
    pub fn into_message(self) -> M {
        match self {
            Self::Full { message, .. } | Self::Dead { message, .. } | Self::NotRegistered { message, .. } => message,
        }
    }

    /// A stable code for logs and tests.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Full { .. } => "otp.cast.full",
            Self::Dead { .. } => "otp.cast.dead",
            Self::NotRegistered { .. } => "otp.cast.not_registered",
        }
    }
}

impl<M> fmt::Display for CastError<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full { pid, .. } => write!(
                f,
                "the mailbox of {pid} is full; the message comes back with this error, to be sent later or dropped"
            ),
            Self::Dead { pid, reason, .. } => write!(
                f,
                "{pid} has ended ({reason}) and takes no message; look it up again, its supervisor may have started another"
            ),
            Self::NotRegistered { name, .. } => {
                write!(f, "no server that takes this message is registered as {name}; it may be about to start again")
            }
        }
    }
}

impl<M> fmt::Debug for CastError<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CastError({self})")
    }
}

impl<M> std::error::Error for CastError<M> {}
