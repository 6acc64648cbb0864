//! Reads and writes of a real socket, straight to the kernel.
//!
//! In a program of several threads (ours has a watchdog) each `recv` and `send` of glibc is a place at which its thread may
//! be cancelled, and says so before and after by an atomic exchange: some 50 ns of a call that takes 500. Nothing cancels
//! threads here, so the call goes past it. When to call, and what a short count means, is as tokio has it.

use std::io;
use std::task::{Context, Poll, ready};

use rustix::net::{RecvFlags, SendFlags};
use tokio::io::{Interest, ReadBuf};
use tokio::net::TcpStream;

/// A peer that has gone is an error, not a signal.
#[cfg(target_os = "linux")]
const SEND_FLAGS: SendFlags = SendFlags::NOSIGNAL;
#[cfg(not(target_os = "linux"))]
const SEND_FLAGS: SendFlags = SendFlags::empty(); // set on the socket itself, by std

/// Reads what is there, or waits.
#[inline]
pub(super) fn poll_read(stream: &TcpStream, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
    loop {
        ready!(stream.poll_read_ready(cx))?;
        match at_once(stream, Interest::READABLE, into.remaining(), || recv(stream, into)) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            done => return Poll::Ready(done.map(|_| ())),
        }
    }
}

/// Writes what fits, or waits.
#[inline]
pub(super) fn poll_write(stream: &TcpStream, cx: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
    loop {
        ready!(stream.poll_write_ready(cx))?;
        match try_write(stream, from) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            done => return Poll::Ready(done),
        }
    }
}

/// Reads what is there now.
#[inline]
pub(super) fn try_read(stream: &TcpStream, into: &mut [u8]) -> io::Result<usize> {
    let len = into.len();
    at_once(stream, Interest::READABLE, len, || recv(stream, &mut ReadBuf::new(into)))
}

/// Writes what fits now.
#[inline]
pub(super) fn try_write(stream: &TcpStream, from: &[u8]) -> io::Result<usize> {
    at_once(stream, Interest::WRITABLE, from.len(), || send(stream, from))
}

/// One call on a socket that is ready for it. A count that is short of `len` says that the next one would wait: the socket
/// is taken for not ready until the kernel says otherwise, which saves the call that would find out.
#[inline]
fn at_once(
    stream: &TcpStream,
    interest: Interest,
    len: usize,
    call: impl FnOnce() -> io::Result<usize>,
) -> io::Result<usize> {
    let mut done = None;
    let result = stream.try_io(interest, || {
        let count = call()?;
        done = Some(count);
        // tokio forgets that the socket was ready when it hears this, and hears of it in no other way.
        if 0 < count && count < len { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
    });
    match done {
        Some(count) => Ok(count),
        None => result.map(|()| 0),
    }
}

#[inline]
fn recv(stream: &TcpStream, into: &mut ReadBuf<'_>) -> io::Result<usize> {
    // SAFETY: nothing is taken back to uninitialised: the kernel only writes.
    #[allow(unsafe_code)]
    let room = unsafe { into.unfilled_mut() };
    let ((filled, _), _) = rustix::net::recv(stream, room, RecvFlags::empty())?;
    let count = filled.len();
    // SAFETY: the kernel has written so many, at the front.
    #[allow(unsafe_code)]
    unsafe {
        into.assume_init(count);
    }
    into.advance(count);
    Ok(count)
}

#[inline]
fn send(stream: &TcpStream, from: &[u8]) -> io::Result<usize> {
    Ok(rustix::net::send(stream, from, SEND_FLAGS)?)
}
