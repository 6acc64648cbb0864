//! The connection as hyper sees it: bytes in, one request at a time, and bytes out.
//!
//! hyper owns one handle of the wire and the connection's process another, so that the process can see
//! what hyper does not tell: that the client has gone while bytes of its next request lie here, which
//! side is being waited for, and how far it has come.

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use bytes::{Buf, BufMut, BytesMut};
use hyper::rt::ReadBufCursor;
use simurgh_net::Connection;
use simurgh_runtime::planted;
use simurgh_runtime::sync::Mutex;
use tokio::io::{AsyncReadExt, AsyncWrite};

use crate::BodyError;
use crate::framing::{BodyKind, Framing, Head, Refusal, Step};

/// Bytes that are read at once while a head is expected.
const READ_LEN_HEAD: usize = 4 << 10;

/// Bytes that are read at once of a body.
const READ_LEN_BODY: usize = 64 << 10;

/// Bytes that are read ahead while a request is being answered, to notice that the client has gone.
const AHEAD_LEN_MAX: usize = 16 << 10;

/// Bytes of several parts that are written as one: the kernel takes longer over a list of them.
const GATHERED_LEN_MAX: usize = 512;

/// What hyper is given in place of a request that is refused; the answer is made where all are made.
const STAND_IN: &[u8] = b"GET / HTTP/1.1\r\nhost: refused\r\nconnection: close\r\n\r\n";

/// A connection between the socket and hyper.
#[allow(clippy::struct_excessive_bools)] // what is so of a connection, each by itself
pub(super) struct Wire {
    /// Until the connection's process takes it.
    stream: Option<Connection>,
    framing: Framing,
    input: BytesMut,
    /// Bytes at the input's front that hyper may have.
    cleared: usize,
    turn: Arc<Turn>,
    /// A request that hyper was given and has not brought to the service, unless it is a plain one.
    asked: Option<Asked>,
    ended: Option<Ended>,
    /// What is wrong with the body that is being read.
    fault: Option<Fault>,
    half_close: bool,
    /// hyper has asked for bytes of a body, and there were none.
    body_wanted: bool,
    body_len: u64,
    /// The handler has read the body of the request to its end.
    body_read: bool,
    /// hyper waits, and nobody but the connection's process would wake it.
    stalled: bool,
    write_blocked: bool,
    written: u64,
    requests: u64,
}

/// How far the connection's request is, so that the wire is not locked for what nearly every request does. The
/// connection's process is the only one that reads and writes it.
#[derive(Default)]
pub(super) struct Turn {
    /// The number of a request that hyper was given and has not brought to the service, and that brings nothing and
    /// wants nothing beside an answer; 0 for none.
    plain: AtomicU64,
    /// A request is with its handler, or its answer is being sent.
    is_answering: AtomicBool,
    /// So many requests have been, and nothing is waited for but the next one's first byte; 0 if it is otherwise.
    idle_after: AtomicU64,
}

impl Turn {
    /// hyper brings a request to the service; nothing is told of one that is not plain.
    pub(super) fn begin_answer(&self) -> Option<Asked> {
        self.is_answering.store(true, Ordering::Relaxed);
        let number = self.plain.load(Ordering::Relaxed);
        self.plain.store(0, Ordering::Relaxed);
        (number > 0).then_some(Asked { head: Ok(Head::PLAIN), number })
    }

    /// The answer is sent, or given up.
    pub(super) fn end_answer(&self) {
        self.is_answering.store(false, Ordering::Relaxed);
    }

    /// Whether a request is with its handler, or its answer is being sent.
    pub(super) fn is_answering(&self) -> bool {
        self.is_answering.load(Ordering::Relaxed)
    }

    /// What is being waited for, if that is the next request; else the wire knows.
    pub(super) fn idle(&self) -> Option<Wait> {
        let requests = self.idle_after.load(Ordering::Relaxed);
        (requests > 0).then_some(Wait::Request(requests))
    }

    fn is_asked(&self) -> bool {
        self.plain.load(Ordering::Relaxed) > 0
    }

    fn set_idle_after(&self, requests: u64) {
        self.idle_after.store(requests, Ordering::Relaxed);
    }
}

/// A request on its way through hyper.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    /// What its head says; nothing if it is refused.
    pub(super) head: Result<Head, Refusal>,
    /// Which of the connection's it is, from 1.
    pub(super) number: u64,
}

/// How a connection's input ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    Eof,
    Failed(io::ErrorKind),
}

/// What is wrong with a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    Refused(Refusal),
    TimedOut,
    Gone,
}

/// What a connection is waiting for. The number changes with each step forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wait {
    /// Its own side.
    Nothing,
    /// The first byte of all, which the listener limits.
    First,
    /// The first byte of the next request.
    Request(u64),
    /// The rest of a head.
    Head(u64),
    /// The next kilobyte of a request's body: which request's, and which.
    Body(u64, u64),
    /// The client to read.
    Write(u64),
}

impl Wire {
    pub(super) fn new(stream: Connection, framing: Framing, half_close: bool) -> Self {
        Self {
            stream: Some(stream),
            framing,
            input: BytesMut::new(),
            cleared: 0,
            turn: Arc::default(),
            asked: None,
            ended: None,
            fault: None,
            half_close,
            body_wanted: false,
            body_len: 0,
            body_read: false,
            stalled: false,
            write_blocked: false,
            written: 0,
            requests: 0,
        }
    }

    /// How far its request is.
    pub(super) fn turn(&self) -> &Arc<Turn> {
        &self.turn
    }

    /// The request that hyper brings to the service and that is no plain one.
    pub(super) fn take_asked(&mut self) -> Option<Asked> {
        self.asked.take()
    }

    fn is_asked(&self) -> bool {
        self.turn.is_asked() || self.asked.is_some()
    }

    /// Refuses what comes, whatever it is, with an answer of its own.
    pub(super) fn refuse(&mut self, refusal: Refusal) {
        self.framing.end();
        self.requests += 1;
        self.input.clear();
        self.input.extend_from_slice(STAND_IN);
        self.cleared = STAND_IN.len();
        self.asked = Some(Asked { head: Err(refusal), number: self.requests });
    }

    /// The body that is being read comes to no good end.
    pub(super) fn fail_body(&mut self, fault: Fault) {
        self.framing.end();
        self.fault.get_or_insert(fault);
    }

    /// The handler has read the body to its end.
    pub(super) fn body_was_read(&mut self) {
        self.body_read = true;
    }

    /// Whether it has.
    pub(super) fn is_body_read(&self) -> bool {
        self.body_read
    }

    /// Why the body has failed.
    pub(super) fn body_error(&self, body_len_max: u64) -> Option<BodyError> {
        Some(match self.fault? {
            Fault::Refused(refusal) if refusal == crate::framing::TOO_LARGE => {
                BodyError::TooLarge { limit: body_len_max }
            }
            Fault::Refused(refusal) => BodyError::Malformed(refusal.reason.to_owned()),
            Fault::TimedOut => BodyError::TimedOut,
            Fault::Gone => BodyError::Gone,
        })
    }

    /// The protocol that was asked for is not spoken.
    pub(super) fn release(&mut self) {
        self.framing.release();
    }

    pub(super) fn ended(&self) -> Option<Ended> {
        self.ended
    }

    /// Whether the client has bytes under way that nobody reads, so that closing would answer them
    /// with a reset, which could overtake the last answer (RFC 9112, 9.6).
    pub(super) fn is_unread(&self) -> bool {
        self.ended.is_none() && (!self.input.is_empty() || !self.framing.is_at_head())
    }

    /// Whether bytes of an answer wait for the client to read.
    pub(super) fn is_write_blocked(&self) -> bool {
        self.write_blocked
    }

    /// What is being waited for.
    pub(super) fn wait(&self) -> Wait {
        if self.write_blocked {
            Wait::Write(self.written)
        } else if self.framing.is_in_body() && self.body_wanted {
            Wait::Body(self.requests, self.body_len >> 10)
        } else if self.turn.is_answering() || self.is_asked() {
            Wait::Nothing
        } else if !self.input.is_empty() {
            Wait::Head(self.requests)
        } else if self.requests > 0 {
            Wait::Request(self.requests)
        } else {
            Wait::First
        }
    }

    /// Whether hyper waits for bytes that it may have by now, and nobody has told it.
    pub(super) fn take_stalled(&mut self) -> bool {
        let has_come = !self.input.is_empty() || self.ended.is_some();
        let is_free = has_come && (self.framing.is_in_body() || !self.is_stalled());
        let was_stalled = self.stalled;
        self.stalled &= !is_free;
        was_stalled && is_free
    }

    /// Whether hyper gets nothing although there may be something: it is given one request at a time.
    fn is_stalled(&self) -> bool {
        self.is_asked() || self.framing.is_over() || (self.turn.is_answering() && !self.framing.is_in_body())
    }

    /// Reads ahead while a request is answered; ready once the client has gone.
    pub(super) fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            match self.ended {
                Some(Ended::Failed(_)) => return Poll::Ready(()),
                Some(Ended::Eof) if !self.half_close || self.framing.is_in_body() => return Poll::Ready(()),
                Some(Ended::Eof) => return Poll::Pending,
                None if self.input.len() >= AHEAD_LEN_MAX || self.framing.is_over() => return Poll::Pending,
                None => ready!(self.fill(cx)),
            }
        }
    }

    /// The socket and what was read of the other protocol.
    pub(super) fn take(&mut self) -> Option<(Connection, BytesMut)> {
        Some((self.stream.take()?, std::mem::take(&mut self.input)))
    }

    /// Reads once more, or learns that there is no more.
    fn fill(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.ended.is_some() {
            return Poll::Ready(());
        }
        let room = if self.framing.is_in_body() { READ_LEN_BODY } else { READ_LEN_HEAD };
        if self.input.capacity() - self.input.len() < room / 4 {
            self.input.reserve(room);
        }
        let Some(stream) = &mut self.stream else { return Poll::Ready(()) };
        match ready!(pin!(stream.read_buf(&mut self.input)).poll(cx)) {
            Ok(0) => self.ended = Some(Ended::Eof),
            Ok(_) => {}
            Err(error) => self.ended = Some(Ended::Failed(error.kind())),
        }
        Poll::Ready(())
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, into: &mut ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        self.turn.set_idle_after(0);
        loop {
            if self.fault.is_some() {
                return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
            }
            if self.cleared > 0 {
                let len = self.cleared.min(into.remaining());
                into.put_slice(&self.input[..len]);
                self.input.advance(len);
                self.cleared -= len;
                self.body_wanted = false;
                return Poll::Ready(Ok(()));
            }
            if self.is_stalled() {
                // What comes wakes the connection's process, which looks after it; so does what is here already.
                if self.input.is_empty() {
                    let _ = self.fill(cx);
                }
                self.stalled = true;
                return Poll::Pending;
            }
            self.stalled = false;
            let in_body = self.framing.is_in_body();
            // Of nothing the framing knows nothing, and need not be asked.
            let step = if self.input.is_empty() { Ok(Step::Wait) } else { self.framing.step(&mut self.input) };
            match step {
                Ok(Step::Wait) => {
                    self.body_wanted = in_body;
                    let held = self.input.len();
                    if self.fill(cx).is_pending() {
                        self.stalled = in_body; // what is read ahead may be what it waits for
                        if let Wait::Request(requests) = self.wait() {
                            self.turn.set_idle_after(requests);
                        }
                        return Poll::Pending;
                    }
                    if self.input.len() == held {
                        return Poll::Ready(self.at_end(in_body));
                    }
                }
                Ok(Step::Head(len, head)) => {
                    self.requests += 1;
                    if planted!("http.double-response") && self.requests % 2 == 1 && head.body == BodyKind::None {
                        let again = [&self.input[..len], &self.input[..]].concat();
                        self.input = again[..].into();
                    }
                    self.cleared = len;
                    self.body_len = 0;
                    self.body_read = false;
                    if head == Head::PLAIN {
                        self.turn.plain.store(self.requests, Ordering::Relaxed);
                    } else {
                        self.asked = Some(Asked { head: Ok(head), number: self.requests });
                    }
                }
                Ok(Step::Body(len)) => {
                    self.cleared = len;
                    self.body_len += len as u64;
                }
                Err(refusal) if in_body => self.fail_body(Fault::Refused(refusal)),
                Err(refusal) => self.refuse(refusal),
            }
        }
    }

    /// What hyper hears of the input's end.
    fn at_end(&mut self, in_body: bool) -> io::Result<()> {
        if in_body {
            self.fail_body(Fault::Gone);
        }
        match self.ended {
            Some(Ended::Failed(kind)) => Err(kind.into()),
            _ if in_body => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    /// Writes, and notes whether the client reads.
    fn write(
        &mut self,
        write: impl FnOnce(Pin<&mut Connection>) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        self.turn.set_idle_after(0);
        let polled = write(Pin::new(self.stream()?));
        self.write_blocked = polled.is_pending();
        if let Poll::Ready(Ok(len)) = &polled {
            self.written += *len as u64;
        }
        polled
    }

    fn stream(&mut self) -> io::Result<&mut Connection> {
        self.stream.as_mut().ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

/// hyper's handle.
#[derive(Clone)]
pub(super) struct Io(pub(super) Arc<Mutex<Wire>>);

impl hyper::rt::Read for Io {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, mut into: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        self.0.lock().poll_read(cx, &mut into)
    }
}

impl hyper::rt::Write for Io {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        self.0.lock().write(|stream| stream.poll_write(cx, from))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let len = from.iter().map(|part| part.len()).sum::<usize>();
        if len > GATHERED_LEN_MAX {
            return self.0.lock().write(|stream| stream.poll_write_vectored(cx, from));
        }
        let mut gathered = [0; GATHERED_LEN_MAX];
        let mut room = &mut gathered[..];
        for part in from {
            room.put_slice(part);
        }
        self.0.lock().write(|stream| stream.poll_write(cx, &gathered[..len]))
    }

    fn is_write_vectored(&self) -> bool {
        self.0.lock().stream.as_ref().is_some_and(AsyncWrite::is_write_vectored)
    }

    /// What was written to a socket is on its way.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(self.0.lock().stream()?).poll_shutdown(cx)
    }
}
