//! Servers of other nodes: named, and refused until there is a cluster.
//!
//! A call within a node passes the message itself and a [`Reply`](crate::Reply), which is half of a cell
//! in memory: neither can leave the node. A call to another node is another thing, and has another
//! type: its messages and answers are written as bytes, it can be lost on the way, and its failure may
//! mean that it was carried out. [`Remote`] is that type. Its signatures are those that it will keep.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Name, Server};

/// A server of another node, by its name there.
///
/// ```
/// use simurgh_otp::{Context, Flow, Remote, RemoteError, Server};
///
/// struct Prices;
///
/// impl Server for Prices {
///     type Message = (String, u64); // whatever serde can write and read
///     async fn handle(&mut self, _: (String, u64), _: &mut Context<Self>) -> Flow { Flow::Continue }
/// }
///
/// simurgh_runtime::run("doc", async {
///     let prices = Remote::<Prices>::new("zurich", "prices");
///     let error = prices.call::<u64>(("apples".into(), 3)).await.unwrap_err();
///     assert!(matches!(error, RemoteError::NoCluster { .. }));
/// });
/// ```
///
/// A message that holds a [`Reply`](crate::Reply) is not for other nodes, and does not compile:
///
/// ```compile_fail
/// # use simurgh_otp::{Context, Flow, Remote, Reply, Server};
/// # struct Local;
/// # impl Server for Local {
/// #     type Message = Reply<u64>;
/// #     async fn handle(&mut self, _: Reply<u64>, _: &mut Context<Self>) -> Flow { Flow::Continue }
/// # }
/// Remote::<Local>::new("zurich", "local");
/// ```
pub struct Remote<S> {
    node: Arc<str>,
    name: Name,
    server: PhantomData<fn() -> S>,
}

/// Why a server of another node was not reached.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RemoteError {
    /// This node belongs to no cluster.
    #[error(
        "{name} on {node} is out of reach: this node belongs to no cluster yet; run the server here and call its ServerRef, or speak to {node} over HTTP"
    )]
    NoCluster {
        /// The other node.
        node: Arc<str>,
        /// The server's name there.
        name: Name,
    },
}

impl RemoteError {
    /// A stable code for logs and tests.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoCluster { .. } => "otp.remote.no_cluster",
        }
    }

    /// The HTTP status that says the same.
    pub fn status(&self) -> u16 {
        match self {
            Self::NoCluster { .. } => 503,
        }
    }
}

impl<S: Server<Message: Serialize + DeserializeOwned>> Remote<S> {
    /// The server that is registered as `name` on `node`.
    pub fn new(node: &str, name: impl Into<Name>) -> Self {
        Self { node: node.into(), name: name.into(), server: PhantomData }
    }

    /// The other node.
    pub fn node(&self) -> &str {
        &self.node
    }

    /// The server's name there.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// Asks, and awaits the answer.
    ///
    /// # Errors
    /// [`RemoteError::NoCluster`], always, until this node can belong to one.
    #[allow(clippy::unused_async)] // as it will be
    pub async fn call<T: Serialize + DeserializeOwned>(&self, message: S::Message) -> Result<T, RemoteError> {
        drop(message);
        Err(self.no_cluster())
    }

    /// Sends a message and awaits no answer.
    ///
    /// # Errors
    /// [`RemoteError::NoCluster`], always, until this node can belong to one.
    #[allow(clippy::unused_async)] // as it will be
    pub async fn cast(&self, message: S::Message) -> Result<(), RemoteError> {
        drop(message);
        Err(self.no_cluster())
    }

    fn no_cluster(&self) -> RemoteError {
        RemoteError::NoCluster { node: Arc::clone(&self.node), name: self.name.clone() }
    }
}

impl<S> Clone for Remote<S> {
    fn clone(&self) -> Self {
        Self { node: Arc::clone(&self.node), name: self.name.clone(), server: PhantomData }
    }
}

impl<S> fmt::Debug for Remote<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Remote({} on {})", self.name, self.node)
    }
}
