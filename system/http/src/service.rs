//! The contract between the server and what stands on it.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::{Request, Response};

/// What answers requests.
pub trait Service: Send + Sync + 'static {
    /// Answers one request. If the client goes away, the future is dropped at its next await.
    fn call(&self, request: Request, client: &Client) -> impl Future<Output = Response> + Send;
}

/// The connection that a request came on: cheap to clone.
#[derive(Debug, Clone)]
pub struct Client(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    peer: SocketAddr,
    local: SocketAddr,
    number: u64,
}

impl Client {
    /// A connection that there is not, for requests without a socket.
    pub fn test(peer: SocketAddr) -> Self {
        Self(Arc::new(Inner { peer, local: SocketAddr::from(([127, 0, 0, 1], 80)), number: 0 }))
    }

    /// The other end's address.
    pub fn peer(&self) -> SocketAddr {
        self.0.peer
    }

    /// Our end's address.
    pub fn local(&self) -> SocketAddr {
        self.0.local
    }

    /// The number of the connection, counted from its listener's start.
    pub fn number(&self) -> u64 {
        self.0.number
    }

    /// How the client reached us: `http`.
    pub fn scheme(&self) -> &'static str {
        "http"
    }
}
