//! The life of one connection.
//!
//! ```text
//!            ┌──────── next request ────────┐
//!            ▼                              │
//!   first byte ─> head ─> handler, body ─> answer ─> last one? ─> linger ─> closed
//!                   │         │               │
//!                 refused   client gone:    101 ─> the other protocol, in the same process;
//!                           cancelled,             nothing of HTTP is left in memory
//!                           or shielded
//! ```

use std::future::poll_fn;
use std::io;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use hyper::server::conn::http1;
use simurgh_net::{Connection, DrainSignal};
use simurgh_runtime::sync::Mutex;
use simurgh_runtime::time::Alarm;
use simurgh_runtime::{Instant, PanicReport, planted, sim, timeout};
use simurgh_telemetry::event;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::Options;
use super::answer::{Adapter, At, Slow};
use super::shield::Shields;
use super::wire::{Ended, Fault, Io, Wait, Wire};
use crate::framing::{Framing, Refusal};
use crate::upgrade::{Protocol, Upgraded};
use crate::{Client, Service};

/// hyper's least buffer, and bytes of a body that it reads at once.
const BUFFER_LEN_MAX: usize = 64 << 10;

/// Bytes that are thrown away after the last answer.
const LINGER_LEN_MAX: usize = 1 << 20;

const HEAD_LATE: Refusal = Refusal { status: StatusCode::REQUEST_TIMEOUT, reason: "head_timeout" };

/// What serves the connections of a listener.
pub(super) struct Endpoint<S> {
    pub(super) service: Arc<S>,
    pub(super) options: Arc<Options>,
    pub(super) shields: Arc<Shields>,
}

impl<S: Service> simurgh_net::Handler for Endpoint<S> {
    async fn handle(&self, mut connection: Connection) -> io::Result<()> {
        if !begins(&mut connection).await? {
            event!("http.closed", {}, { connection: connection.number(), reason: "drain" });
            return Ok(());
        }
        // In a box that is gone when the other protocol begins.
        let protocol = Box::pin(self.speak_http(connection)).await?;
        if let Some(protocol) = protocol {
            protocol.await;
        }
        Ok(())
    }
}

/// Waits for the first byte; false if a drain came first. Until then nothing of HTTP is in memory.
async fn begins(connection: &mut Connection) -> io::Result<bool> {
    poll_fn(|cx| {
        if connection.poll_draining(cx).is_ready() {
            return Poll::Ready(Ok(false));
        }
        connection.poll_readable(cx).map_ok(|()| true)
    })
    .await
}

impl<S: Service> Endpoint<S> {
    /// Speaks HTTP to the connection's end, or until another protocol begins.
    async fn speak_http(&self, connection: Connection) -> io::Result<Option<Protocol>> {
        let client = Client::new(connection.peer_addr(), connection.local_addr()?, connection.number());
        let drain = connection.drain_signal();
        let framing = Framing::new(self.options.bounds());
        let wire = Wire::new(connection, framing, self.options.half_close);
        let turn = Arc::clone(wire.turn());
        let wire = Arc::new(Mutex::new(wire));
        // hyper keeps the time, whether or not it is to write the date, and writes it for next to nothing. But its clock is
        // that of the machine.
        let dates = sim::is_simulated();
        let at = Arc::new(At {
            service: Arc::clone(&self.service),
            client,
            options: Arc::clone(&self.options),
            shields: Arc::clone(&self.shields),
            wire: Arc::clone(&wire),
            turn,
            dates,
            ends: AtomicBool::new(false),
            slow: Mutex::new(Slow::default()),
        });
        let mut http = http1::Builder::new();
        http.auto_date_header(!dates)
            // hyper is not to look after a client that may have gone while it is answered: we do, at no cost for an answer
            // that comes at once. And when hyper reads on, the request is gone, so that it has its buffer back.
            .half_close(true)
            .header_read_timeout(None)
            .max_buf_size(BUFFER_LEN_MAX.max(self.options.head_len_max + READ_SLACK))
            .max_headers(self.options.fields_max.max(STAND_IN_FIELDS));
        let http = http.serve_connection(Io(Arc::clone(&wire)), Adapter(Arc::clone(&at)));
        let mut driver = Driver { http, at, drain, waiting: None, alarm: Alarm::default(), is_draining: false };
        let end = poll_fn(|cx| driver.poll(cx)).await;
        driver.end(end).await
    }
}

/// hyper wants room beyond a head to read it.
const READ_SLACK: usize = 1 << 10;

/// Fields of what stands in for a refused request.
const STAND_IN_FIELDS: usize = 2;

struct Driver<S: Service> {
    http: http1::Connection<Io, Adapter<S>>,
    at: Arc<At<S>>,
    drain: DrainSignal,
    /// What is being waited for, and how long already.
    waiting: Option<(Wait, Clock)>,
    alarm: Alarm,
    is_draining: bool,
}

/// How long something has been waited for.
#[derive(Debug, Clone, Copy)]
enum Clock {
    /// Since then.
    Runs(Instant),
    /// So long, and now nobody waits.
    Stopped(Duration),
}

impl Clock {
    fn stopped(self) -> Self {
        match self {
            Self::Runs(since) => Self::Stopped(since.elapsed()),
            stopped @ Self::Stopped(_) => stopped,
        }
    }

    /// Since when, if it runs on now.
    fn since(self, now: Instant) -> Instant {
        match self {
            Self::Runs(since) => since,
            Self::Stopped(waited) => now - waited,
        }
    }
}

/// How HTTP ends on a connection.
#[derive(Debug)]
enum End {
    /// After an answer, or with another protocol, or with the connection.
    Http(hyper::Result<()>),
    /// The client has gone while it was being answered.
    Gone,
    /// No request came in time, or none is waited for in a drain.
    Idle(&'static str),
    /// The client does not read.
    SlowReader,
}

impl<S: Service> Driver<S> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        loop {
            // hyper says that it is done also while the end of an answer waits to be written, and writes on when asked.
            match self.http.poll_without_shutdown(cx) {
                Poll::Ready(Ok(())) if self.at.wire.lock().is_write_blocked() => {}
                Poll::Ready(result) => return Poll::Ready(End::Http(result)),
                Poll::Pending => {}
            }
            if !self.is_draining && self.drain.poll(cx).is_ready() {
                self.is_draining = true;
                self.at.ends.store(true, Ordering::Relaxed);
                continue;
            }
            let wait = if let Some(idle) = self.at.turn.idle() {
                idle
            } else {
                let mut wire = self.at.wire.lock();
                if self.at.turn.is_answering() && !planted!("http.ignores-gone") && wire.poll_gone(cx).is_ready() {
                    return Poll::Ready(End::Gone);
                }
                if wire.take_stalled() {
                    continue;
                }
                wire.wait()
            };
            // What has begun to come is answered, and it is the last.
            let is_idle = matches!(wait, Wait::First | Wait::Request(_)) || planted!("http.drain-drops-request");
            if self.is_draining && is_idle {
                return Poll::Ready(End::Idle("drain"));
            }
            if let Some(end) = ready!(self.poll_late(wait, cx)) {
                return Poll::Ready(end);
            }
        }
    }

    /// Ready once what is waited for is late: with the connection's end, or with nothing when hyper has to hear
    /// of it.
    fn poll_late(&mut self, wait: Wait, cx: &mut Context<'_>) -> Poll<Option<End>> {
        let options = &self.at.options;
        let limit = match wait {
            Wait::Nothing | Wait::First => {
                // A kilobyte that comes byte by byte has its time all the same: while its handler is at work on what
                // has come, the clock only stands still.
                let starts_anew = planted!("http.body-clock-starts-anew");
                let body = self.waiting.filter(|(wait, _)| matches!(wait, Wait::Body(..)) && !starts_anew);
                self.waiting = body.map(|(wait, clock)| (wait, clock.stopped()));
                return Poll::Pending;
            }
            Wait::Request(_) => options.keep_alive_timeout,
            Wait::Head(_) => options.head_timeout,
            Wait::Body(..) => options.body_timeout,
            Wait::Write(_) => options.write_timeout,
        };
        let now = Instant::now();
        let since = match self.waiting {
            Some((known, clock)) if known == wait => clock.since(now),
            _ => now,
        };
        self.waiting = Some((wait, Clock::Runs(since)));
        ready!(self.alarm.poll(since + limit, now, cx));
        self.waiting = None;
        Poll::Ready(match wait {
            Wait::Nothing | Wait::First => None,
            Wait::Request(_) => Some(End::Idle("idle")),
            Wait::Head(_) => {
                self.at.wire.lock().refuse(HEAD_LATE);
                None
            }
            Wait::Body(..) => {
                self.at.wire.lock().fail_body(Fault::TimedOut);
                None
            }
            Wait::Write(_) => Some(End::SlowReader),
        })
    }

    /// Closes the connection, or hands it over.
    async fn end(self, end: End) -> io::Result<Option<Protocol>> {
        let Self { http, at, .. } = self;
        let read = http.into_parts().read_buf; // handlers are dropped, or go on without us, here
        let Slow { upgrade, panic, .. } = std::mem::take(&mut *at.slow.lock());
        let (taken, ended, is_unread) = {
            let mut wire = at.wire.lock();
            let is_unread = wire.is_unread();
            (wire.take(), wire.ended(), is_unread)
        };
        let (mut stream, input) = taken.expect("a connection ends once");
        let failed = match ended {
            Some(Ended::Failed(kind)) => Err(kind.into()),
            _ => Ok(()),
        };
        let (reason, result) = match end {
            End::Http(Ok(())) => match upgrade.filter(|_| panic.is_none()) {
                Some(upgrade) => {
                    let early: Bytes = [&read[..], &input].concat().into(); // a copy: the buffer is larger

                    let upgraded = Upgraded::new(stream, early, at.client.clone());
                    return Ok(upgrade.begin(upgraded));
                }
                None => (None, close(&mut stream, &at.options, is_unread).await),
            },
            End::Http(Err(_)) => (None, failed),
            End::Gone => (Some("gone"), failed),
            End::Idle(reason) => (Some(reason), Ok(())),
            End::SlowReader => (Some("slow_reader"), Err(io::ErrorKind::TimedOut.into())),
        };
        if let Some(reason) = reason {
            event!("http.closed", {}, { connection: at.client.number(), reason: reason });
        }
        if let Some(panic) = panic {
            resume_unwind(Box::new(PanicReport::from_payload(panic)));
        }
        result.map(|()| None)
    }
}

/// Ends our side, and throws away what the client still sends, so that no reset overtakes the last
/// answer (RFC 9112, 9.6).
async fn close(stream: &mut Connection, options: &Options, is_unread: bool) -> io::Result<()> {
    stream.shutdown().await?;
    if is_unread {
        // What comes of it is of no interest: the answer is out.
        let _ = timeout(options.linger_timeout, throw_away(stream)).await;
    }
    Ok(())
}

async fn throw_away(stream: &mut Connection) {
    let mut buffer = vec![0; 4 << 10];
    let mut left = LINGER_LEN_MAX;
    while left > 0 {
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(len) => left = left.saturating_sub(len),
        }
    }
}
