//! One connection.

use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use simurgh::config::Limits;
use simurgh::prelude::*;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Most bytes that one read takes, and so most that are ever kept for a peer that is slow to read.
pub const BUFFER_MAX: usize = Limits::DEFAULT.echo_buffer_len_max.as_usize();

/// Echoes one connection until its end, or until the listener drains and nothing is at hand.
pub async fn handle(mut connection: Connection) -> io::Result<()> {
    let mut echo = Echoing { kept: Vec::new(), finished: false };
    poll_fn(|cx| echo.poll(&mut connection, cx)).await?;
    connection.shutdown().await
}

struct Echoing {
    /// Read and not yet written.
    kept: Vec<u8>,
    /// The peer has said all it has to say.
    finished: bool,
}

impl Echoing {
    fn poll(&mut self, connection: &mut Connection, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            if planted!("echo.unbounded-buffer") {
                self.read_on(connection, cx)?;
            }
            ready!(self.poll_write_kept(connection, cx))?;
            if self.finished {
                return Poll::Ready(Ok(()));
            }
            match self.poll_round(connection, cx) {
                Poll::Ready(result) => result?,
                // Nothing at hand: this is the moment to end, if the listener wants that.
                Poll::Pending => return connection.poll_draining(cx).map(Ok),
            }
        }
    }

    /// One read, and a write of what it gave.
    fn poll_round(&mut self, connection: &mut Connection, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut space = [MaybeUninit::<u8>::uninit(); BUFFER_MAX];
        let mut buffer = ReadBuf::uninit(&mut space);
        ready!(Pin::new(&mut *connection).poll_read(cx, &mut buffer))?;
        let said = buffer.filled();
        self.finished = said.is_empty();
        let taken = match Pin::new(&mut *connection).poll_write(cx, said) {
            _ if said.is_empty() => 0,
            Poll::Ready(written) => written?,
            Poll::Pending => 0,
        };
        if taken < said.len() {
            let from = if planted!("echo.byte-twice") { taken.saturating_sub(1) } else { taken };
            self.keep(&said[from..]);
        }
        Poll::Ready(Ok(()))
    }

    fn keep(&mut self, rest: &[u8]) {
        self.kept.extend_from_slice(rest);
        event!("echo.buffer", { bytes: self.kept.len() }, { cap: BUFFER_MAX });
    }

    fn poll_write_kept(&mut self, connection: &mut Connection, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut written = 0;
        let result = loop {
            if written == self.kept.len() {
                self.kept = Vec::new(); // an idle connection keeps no buffer
                return Poll::Ready(Ok(()));
            }
            match Pin::new(&mut *connection).poll_write(cx, &self.kept[written..]) {
                Poll::Ready(Ok(0)) => break Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(count)) => written += count,
                Poll::Ready(Err(error)) => break Poll::Ready(Err(error)),
                Poll::Pending => break Poll::Pending,
            }
        };
        self.kept.drain(..written);
        result
    }

    /// The planted bug: reads on while the peer does not.
    fn read_on(&mut self, connection: &mut Connection, cx: &mut Context<'_>) -> io::Result<()> {
        while !self.finished && !self.kept.is_empty() {
            let mut space = [MaybeUninit::<u8>::uninit(); BUFFER_MAX];
            let mut buffer = ReadBuf::uninit(&mut space);
            let Poll::Ready(read) = Pin::new(&mut *connection).poll_read(cx, &mut buffer) else { return Ok(()) };
            read?;
            self.finished = buffer.filled().is_empty();
            self.keep(buffer.filled());
        }
        Ok(())
    }
}
