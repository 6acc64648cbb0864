//! The two directions of a connection, apart.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::Shutdown;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{raw, sim_read, sim_try_read, sim_write_vectored, with_budget};
use crate::sim;

/// The reading half of a stream.
pub struct OwnedReadHalf {
    arm: ReadArm,
}

enum ReadArm {
    Real(tokio::net::tcp::OwnedReadHalf),
    Sim(Box<dyn sim::Stream>),
}

/// The writing half of a stream.
pub struct OwnedWriteHalf {
    arm: WriteArm,
}

enum WriteArm {
    Real(tokio::net::tcp::OwnedWriteHalf),
    Sim(Box<dyn sim::Stream>),
}

impl OwnedReadHalf {
    pub(super) fn real(half: tokio::net::tcp::OwnedReadHalf) -> Self {
        Self { arm: ReadArm::Real(half) }
    }

    pub(super) fn simulated(stream: Box<dyn sim::Stream>) -> Self {
        Self { arm: ReadArm::Sim(stream) }
    }

    /// Waits until a read would not wait: bytes, the end, or an error are there.
    #[inline]
    pub async fn readable(&mut self) -> io::Result<()> {
        match &mut self.arm {
            ReadArm::Real(half) => half.readable().await,
            ReadArm::Sim(stream) => poll_fn(|cx| with_budget(cx, |cx| stream.poll_read_ready(cx))).await,
        }
    }

    /// Reads what is there now.
    ///
    /// # Errors
    /// `WouldBlock` if nothing is.
    #[inline]
    pub fn try_read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match &mut self.arm {
            ReadArm::Real(half) => raw::try_read(half.as_ref(), into),
            ReadArm::Sim(stream) => sim_try_read(stream.as_mut(), into),
        }
    }
}

impl OwnedWriteHalf {
    pub(super) fn real(half: tokio::net::tcp::OwnedWriteHalf) -> Self {
        Self { arm: WriteArm::Real(half) }
    }

    pub(super) fn simulated(stream: Box<dyn sim::Stream>) -> Self {
        Self { arm: WriteArm::Sim(stream) }
    }
}

impl AsyncRead for OwnedReadHalf {
    #[inline]
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &mut self.arm {
            ReadArm::Real(half) => raw::poll_read(half.as_ref(), cx, into),
            ReadArm::Sim(stream) => sim_read(stream.as_mut(), cx, into),
        }
    }
}

impl AsyncWrite for OwnedWriteHalf {
    #[inline]
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.arm {
            WriteArm::Real(half) => raw::poll_write(half.as_ref(), cx, from),
            WriteArm::Sim(stream) => with_budget(cx, |cx| stream.poll_write(cx, from)),
        }
    }

    #[inline]
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.arm {
            WriteArm::Real(half) => Pin::new(half).poll_write_vectored(cx, from),
            WriteArm::Sim(stream) => sim_write_vectored(stream.as_mut(), cx, from),
        }
    }

    fn is_write_vectored(&self) -> bool {
        matches!(self.arm, WriteArm::Real(_))
    }

    #[inline]
    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.arm {
            WriteArm::Real(half) => Pin::new(half).poll_shutdown(cx),
            WriteArm::Sim(stream) => Poll::Ready(stream.shutdown(Shutdown::Write)),
        }
    }
}

impl Drop for OwnedWriteHalf {
    fn drop(&mut self) {
        if let WriteArm::Sim(stream) = &mut self.arm {
            // An end that is closed already needs no closing.
            let _ = stream.shutdown(Shutdown::Write); // tokio's own half does the same
        }
    }
}

impl fmt::Debug for OwnedReadHalf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OwnedReadHalf")
    }
}

impl fmt::Debug for OwnedWriteHalf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OwnedWriteHalf")
    }
}
