//! Where one request ends and the next begins (RFC 9112), and what is no request at all: a state machine
//! over the bytes as they arrive, before any parser sees them.
//!
//! Two programs that read one stream of bytes in two ways are how requests are smuggled. So what is
//! ambiguous is refused here, never guessed, and hyper is given the bytes of one request at a time:
//!
//! ```text
//!   input:  [ POST / HTTP/1.1 .. CRLF CRLF ][ 5 CRLF hello CRLF 0 CRLF CRLF ][ GET /next ..
//!             Pass: the whole head            Pass: body, as it comes          not before it is asked for
//! ```

mod chunked;
mod fields;
mod head;
mod usual;

#[cfg(test)]
mod tests;

use bytes::{Buf, BytesMut};
use http::StatusCode;

use chunked::Chunked;
use head::HeadScan;
use usual::{LastFields, usual_head};

/// What a request may have.
#[derive(Debug, Clone, Copy)]
#[allow(clippy::struct_field_names)] // as the options are called
pub(crate) struct Bounds {
    /// Bytes of the request's target.
    pub(crate) uri_len_max: usize,
    /// Bytes of the head, request line included.
    pub(crate) head_len_max: usize,
    /// Fields of the head.
    pub(crate) fields_max: usize,
    /// Bytes of the body, chunk headers not counted.
    pub(crate) body_len_max: u64,
}

/// Why a request is not served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// What the client is told.
    pub(crate) status: StatusCode,
    /// Why, for events, tests and the answer's body.
    pub(crate) reason: &'static str,
}

impl Refusal {
    pub(crate) const fn new(status: StatusCode, reason: &'static str) -> Self {
        Self { status, reason }
    }

    const fn bad(reason: &'static str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, reason)
    }
}

/// What is known of a request from its head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    /// It asks for another protocol: what comes next is no request unless that is refused.
    pub(crate) wants_upgrade: bool,
    /// What comes after it.
    pub(crate) body: BodyKind,
}

impl Head {
    /// Nothing comes after it but the next request.
    pub(crate) const PLAIN: Self = Self { wants_upgrade: false, body: BodyKind::None };
}

/// How a request's body is delimited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BodyKind {
    None,
    Length(u64),
    Chunked,
}

/// What to do with the bytes at the input's front.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// More bytes are needed.
    Wait,
    /// This many are a head.
    Head(usize, Head),
    /// This many belong to the body.
    Body(usize),
}

/// The state machine.
#[derive(Debug)]
pub(crate) struct Framing {
    bounds: Bounds,
    state: State,
    last: LastFields,
}

#[derive(Debug)]
enum State {
    Head(HeadScan),
    Length(u64),
    Chunked(Chunked),
    /// Another protocol was asked for, and nobody has said yet what becomes of that.
    Held,
    /// Something was refused: no byte is a request's any more.
    Over,
}

impl Framing {
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self { bounds, state: State::Head(HeadScan::default()), last: LastFields::default() }
    }

    /// Looks at the input's front. What it tells to be passed on is done with, and is not shown again.
    ///
    /// # Errors
    /// What is wrong with the request, once; after it nothing is passed on.
    pub(crate) fn step(&mut self, input: &mut BytesMut) -> Result<Step, Refusal> {
        let step = self.try_step(input);
        if step.is_err() {
            self.state = State::Over;
        }
        step
    }

    fn try_step(&mut self, input: &mut BytesMut) -> Result<Step, Refusal> {
        match &mut self.state {
            State::Head(_) if input.is_empty() => Ok(Step::Wait),
            State::Head(scan) => {
                let empty = scan.leading_empty_lines(input)?;
                input.advance(empty);
                if input[..] == *b"\r" && !scan.has_begun() {
                    return Ok(Step::Wait); // half of an empty line
                }
                if !scan.has_begun()
                    && let Some(len) = usual_head(input, &self.bounds, &mut self.last)
                {
                    *scan = HeadScan::default();
                    return Ok(Step::Head(len, Head::PLAIN));
                }
                let Some((len, head)) = scan.look(input, &self.bounds)? else { return Ok(Step::Wait) };
                self.state = match head.body {
                    BodyKind::Length(len) if len > self.bounds.body_len_max => return Err(TOO_LARGE),
                    BodyKind::Length(len) => State::Length(len),
                    BodyKind::Chunked => State::Chunked(Chunked::new(self.bounds.body_len_max)),
                    BodyKind::None if head.wants_upgrade => State::Held,
                    BodyKind::None => State::Head(HeadScan::default()),
                };
                Ok(Step::Head(len, head))
            }
            State::Length(left) => {
                let len = input.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                *left -= len as u64;
                if *left == 0 {
                    self.state = State::Head(HeadScan::default());
                }
                Ok(if len == 0 { Step::Wait } else { Step::Body(len) })
            }
            State::Chunked(chunked) => {
                let (len, is_over) = chunked.look(input)?;
                if is_over {
                    self.state = State::Head(HeadScan::default());
                }
                Ok(if len == 0 { Step::Wait } else { Step::Body(len) })
            }
            State::Held | State::Over => Ok(Step::Wait),
        }
    }

    /// The other protocol was not spoken after all: what comes is the next request.
    pub(crate) fn release(&mut self) {
        if matches!(self.state, State::Held) {
            self.state = State::Head(HeadScan::default());
        }
    }

    /// Nothing is passed on any more.
    pub(crate) fn end(&mut self) {
        self.state = State::Over;
    }

    /// Whether the next byte is a head's.
    pub(crate) fn is_at_head(&self) -> bool {
        matches!(self.state, State::Head(_))
    }

    /// Whether bytes of a body are to come.
    pub(crate) fn is_in_body(&self) -> bool {
        matches!(self.state, State::Length(_) | State::Chunked(_))
    }

    /// Whether something was refused.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.state, State::Over)
    }
}

/// A body beyond the bound.
pub(crate) const TOO_LARGE: Refusal = Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large");
