//! TCP: listeners and streams. UDP: datagrams. And the addresses behind a host's name.
//!
//! In production they are tokio's sockets and nothing else: each call is one match and then tokio's, but for a read or a
//! write, which tokio only times (`raw`).
//! In the simulator they are ends of a simulated network, and take part in the task's budget as
//! tokio's do, so that a task can be preempted between two reads.

use std::io;
use std::task::{Context, Poll, Waker, ready};

use tokio::io::ReadBuf;
use tokio::task::coop;

use crate::sim;

mod listener;
mod lookup;
mod raw;
mod split;
mod stream;
mod udp;

#[cfg(test)]
mod tests;

pub use listener::{BindOptions, TcpListener};
pub use lookup::lookup_host;
pub use split::{OwnedReadHalf, OwnedWriteHalf};
pub use stream::TcpStream;
pub use udp::UdpSocket;

/// Calls a simulated operation as part of the task's budget, as tokio's own operations are.
#[inline]
fn with_budget<T>(cx: &mut Context<'_>, f: impl FnOnce(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
    let coop = ready!(coop::poll_proceed(cx));
    let value = ready!(f(cx));
    coop.made_progress();
    Poll::Ready(value)
}

fn at_once<T>(poll: Poll<io::Result<T>>) -> io::Result<T> {
    match poll {
        Poll::Ready(result) => result,
        Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
    }
}

fn sim_read(stream: &mut dyn sim::Stream, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
    with_budget(cx, |cx| stream.poll_read(cx, into))
}

fn sim_try_read(stream: &mut dyn sim::Stream, into: &mut [u8]) -> io::Result<usize> {
    let mut into = ReadBuf::new(into);
    at_once(stream.poll_read(&mut Context::from_waker(Waker::noop()), &mut into))?;
    Ok(into.filled().len())
}

/// Writes the first slice that holds anything: a simulated write may always be short.
fn sim_write_vectored(
    stream: &mut dyn sim::Stream,
    cx: &mut Context<'_>,
    from: &[io::IoSlice<'_>],
) -> Poll<io::Result<usize>> {
    let first = from.iter().find(|slice| !slice.is_empty()).map_or(&[][..], |slice| slice);
    with_budget(cx, |cx| stream.poll_write(cx, first))
}
