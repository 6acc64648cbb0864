//! Why a process was not registered.

use std::sync::Arc;

use crate::Pid;

/// Why a process was not registered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegisterError {
    /// A process has this key already.
    #[error("the key {key} of the registry {registry} is taken by {pid}; choose another, or wait for its end")]
    AlreadyRegistered {
        /// The registry.
        registry: Arc<str>,
        /// The key, as text.
        key: String,
        /// Who has it.
        pid: Pid,
    },
    /// The process has ended, or is about to.
    #[error("{pid} has ended, or is about to, and cannot be registered")]
    Ended {
        /// The process.
        pid: Pid,
    },
    /// The process belongs to another node, or another run of it.
    #[error("{pid} belongs to another node than the registry {registry}; each node has registries of its own")]
    OtherNode {
        /// The registry.
        registry: Arc<str>,
        /// The process.
        pid: Pid,
    },
    /// Who asked is not a process.
    #[error("only a process can register itself, and this is not one; use register_for, or spawn it with otp::spawn")]
    NotAProcess,
}

impl RegisterError {
    /// A stable code for logs and tests.
    pub fn code(&self) -> &'static str {
        match self {
            Self::AlreadyRegistered { .. } => "otp.registry.already_registered",
            Self::Ended { .. } => "otp.registry.ended",
            Self::OtherNode { .. } => "otp.registry.other_node",
            Self::NotAProcess => "otp.registry.not_a_process",
        }
    }
}
