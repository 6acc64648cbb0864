//! What can go wrong when a listener starts.

use std::io;
use std::net::SocketAddr;

/// Why a listener did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListenError {
    /// Another program, or another listener of this one, has the port.
    #[error("port {} is in use; stop the other program or choose another port (0 takes a free one)", .0.port())]
    InUse(SocketAddr),
    /// This machine does not have the address.
    #[error("{0} is not an address of this machine; 0.0.0.0 listens on all, 127.0.0.1 for local programs only")]
    NotHere(SocketAddr),
    /// Ports below 1024 may want a permission.
    #[error("no permission to listen on {0}; ports below 1024 want CAP_NET_BIND_SERVICE")]
    NotAllowed(SocketAddr),
    /// The process or the machine has no file handle left.
    #[error("no file handle is left to listen on {0}; raise the limit (ulimit -n) or close something")]
    NoHandles(SocketAddr),
    /// Anything else the operating system says.
    #[error("cannot listen on {0}: {1}")]
    Other(SocketAddr, #[source] io::Error),
}

impl ListenError {
    pub(crate) fn new(addr: SocketAddr, error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::AddrInUse => Self::InUse(addr),
            io::ErrorKind::AddrNotAvailable => Self::NotHere(addr),
            io::ErrorKind::PermissionDenied => Self::NotAllowed(addr),
            _ if is_exhaustion(&error) => Self::NoHandles(addr),
            _ => Self::Other(addr, error),
        }
    }

    /// A stable code for logs and tests.
    pub fn code(&self) -> &'static str {
        match self {
            Self::InUse(_) => "net.in_use",
            Self::NotHere(_) => "net.not_here",
            Self::NotAllowed(_) => "net.not_allowed",
            Self::NoHandles(_) => "net.no_handles",
            Self::Other(..) => "net.other",
        }
    }
}

/// Whether an error says that handles or memory have run out, for now.
pub(crate) fn is_exhaustion(error: &io::Error) -> bool {
    const ENOMEM: i32 = 12;
    const ENFILE: i32 = 23;
    const EMFILE: i32 = 24;
    const ENOBUFS: i32 = if cfg!(target_os = "linux") { 105 } else { 55 };
    matches!(error.raw_os_error(), Some(ENOMEM | ENFILE | EMFILE | ENOBUFS))
}
