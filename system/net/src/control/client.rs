//! The operator's side of a control socket.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use simurgh_runtime::net::TcpStream;
use simurgh_runtime::timeout;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::Access;
use super::lines::Lines;
use super::session::GREETING;

/// How long a connection or an answer may take. A process has 5 s to describe itself.
const PATIENCE: Duration = Duration::from_secs(10);

/// Bytes of a line of an answer, and lines of an answer: a tree of 10,000 processes is about 4 MiB.
const ANSWER_LEN_MAX: usize = 32 * 1024 * 1024;
const ANSWER_LINES_MAX: usize = 1_000_000;

/// A connection to a node's control socket.
#[derive(Debug)]
pub struct Client {
    stream: TcpStream,
    lines: Lines,
    node: String,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// Nobody listens there (any more), or the connection has broken.
    #[error("the node at {0} cannot be reached: {1}")]
    Unreachable(SocketAddr, #[source] io::Error),
    /// It did not answer in time.
    #[error("the node at {0} does not answer")]
    NoAnswer(SocketAddr),
    /// The node says why not.
    #[error("{0}")]
    Refused(String),
    /// Something else listens there.
    #[error("what listens at {0} is no control socket of this version")]
    Nonsense(SocketAddr),
}

impl Client {
    /// Connects and greets.
    ///
    /// # Errors
    /// If there is no such node, or it refuses the token.
    pub async fn connect(access: &Access) -> Result<Self, ClientError> {
        let addr = access.addr;
        let stream = match timeout(PATIENCE, TcpStream::connect(addr)).await {
            Ok(connected) => connected.map_err(|error| ClientError::Unreachable(addr, error))?,
            Err(_) => return Err(ClientError::NoAnswer(addr)),
        };
        let mut client = Self { stream, lines: Lines::new(ANSWER_LEN_MAX), node: String::new() };
        client.say(addr, &format!("{GREETING} {}", access.token.expose())).await?;
        let answer = client.hear(addr).await?;
        let node = answer.strip_prefix(GREETING).and_then(|rest| rest.strip_prefix(' '));
        node.ok_or(ClientError::Nonsense(addr))?.clone_into(&mut client.node);
        Ok(client)
    }

    /// The node's name, as it says.
    pub fn node(&self) -> &str {
        &self.node
    }

    /// Sends a command, and gives the lines of the answer. See [`HELP`](super::HELP).
    ///
    /// # Errors
    /// [`ClientError::Refused`] if the node does not do it; else the connection is of no further use.
    pub async fn ask(&mut self, command: &str) -> Result<Vec<String>, ClientError> {
        let addr = self.stream.peer_addr().unwrap_or_else(|_| SocketAddr::from(([0, 0, 0, 0], 0)));
        self.say(addr, command).await?;
        let count = self.hear(addr).await?;
        let count = count.parse().ok().filter(|count| *count <= ANSWER_LINES_MAX).ok_or(ClientError::Nonsense(addr))?;
        let mut answer = Vec::new();
        while answer.len() < count {
            answer.push(self.line(addr).await?);
        }
        Ok(answer)
    }

    async fn say(&mut self, addr: SocketAddr, line: &str) -> Result<(), ClientError> {
        let line = format!("{}\n", line.replace('\n', " "));
        self.stream.write_all(line.as_bytes()).await.map_err(|error| ClientError::Unreachable(addr, error))
    }

    /// The first line of an answer, without its `ok`.
    async fn hear(&mut self, addr: SocketAddr) -> Result<String, ClientError> {
        let line = self.line(addr).await?;
        match (line.strip_prefix("ok "), line.strip_prefix("error ")) {
            (Some(rest), _) => Ok(rest.to_owned()),
            (None, Some(why)) => Err(ClientError::Refused(why.to_owned())),
            (None, None) => Err(ClientError::Nonsense(addr)),
        }
    }

    async fn line(&mut self, addr: SocketAddr) -> Result<String, ClientError> {
        loop {
            match self.lines.next() {
                Some(Ok(line)) => return Ok(line),
                Some(Err(_)) => return Err(ClientError::Nonsense(addr)),
                None => {}
            }
            let mut piece = [0; 4 * 1024];
            let read = timeout(PATIENCE, self.stream.read(&mut piece)).await;
            match read.map_err(|_| ClientError::NoAnswer(addr))? {
                Ok(0) => return Err(ClientError::Unreachable(addr, io::ErrorKind::UnexpectedEof.into())),
                Ok(len) => self.lines.push(&piece[..len]),
                Err(error) => return Err(ClientError::Unreachable(addr, error)),
            }
        }
    }
}
