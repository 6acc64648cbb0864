//! The chunked coding (RFC 9112, 7.1), read strictly: sizes in hexadecimal digits and nothing else, each
//! line ended by CR LF, what follows a chunk's data is CR LF, trailers are fields.

use http::StatusCode;
use simurgh_runtime::planted;

use super::{Refusal, TOO_LARGE};
use super::{fields, head};

/// How far a chunked body is.
#[derive(Debug)]
pub(super) struct Chunked {
    state: State,
    /// Bytes of data that may still come.
    room: u64,
    /// Bytes of extensions and trailers that may still come.
    extra_room: usize,
    /// The trailer line that has not ended.
    line: Vec<u8>,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Size {
        value: u64,
        digits: u8,
    },
    /// Spaces between a size and its extension: nothing else may follow.
    BeforeExtension {
        value: u64,
    },
    Extension {
        value: u64,
    },
    SizeLf {
        value: u64,
    },
    Data {
        left: u64,
    },
    DataCr,
    DataLf,
    TrailerStart,
    Trailer,
    TrailerLf,
    EndLf,
}

/// Extensions and trailers of one body, together: nobody uses them for anything but attacks.
const EXTRA_LEN_MAX: usize = 8 << 10;

/// Digits of a size: as many as 64 bits have.
const DIGITS_MAX: u8 = 16;

impl Chunked {
    pub(super) fn new(body_len_max: u64) -> Self {
        let state = State::Size { value: 0, digits: 0 };
        Self { state, room: body_len_max, extra_room: EXTRA_LEN_MAX, line: Vec::new() }
    }

    /// How many bytes at the input's front belong to the body, and whether it ends with them.
    pub(super) fn look(&mut self, input: &[u8]) -> Result<(usize, bool), Refusal> {
        let mut at = 0;
        while at < input.len() {
            if let State::Data { left } = self.state {
                let step = (input.len() - at).min(usize::try_from(left).unwrap_or(usize::MAX));
                at += step;
                let left = left - step as u64;
                self.state = if left == 0 { State::DataCr } else { State::Data { left } };
                continue;
            }
            let is_over = self.byte(input[at])?;
            at += 1;
            if is_over {
                return Ok((at, true));
            }
        }
        Ok((at, false))
    }

    /// Takes a byte that is no data; whether it is the body's last.
    fn byte(&mut self, byte: u8) -> Result<bool, Refusal> {
        self.state = match (self.state, byte) {
            (State::Size { value, digits }, _) if byte.is_ascii_hexdigit() => {
                if digits == DIGITS_MAX {
                    return Err(Refusal::bad("chunk_size"));
                }
                let digit = u64::from((byte as char).to_digit(16).unwrap_or_default());
                State::Size { value: value << 4 | digit, digits: digits + 1 }
            }
            (State::Size { digits: 0, .. }, _) => return Err(Refusal::bad("chunk_size")),
            (State::Size { value, .. } | State::Extension { value }, b'\r') => State::SizeLf { value },
            (State::Size { value, .. } | State::BeforeExtension { value }, b';') => {
                self.extra()?;
                State::Extension { value }
            }
            (State::Size { value, .. } | State::BeforeExtension { value }, b' ' | b'\t') => {
                self.extra()?;
                State::BeforeExtension { value }
            }
            (State::Size { .. } | State::BeforeExtension { .. }, _) => return Err(Refusal::bad("chunk_size")),
            (State::Extension { value }, _) => {
                if (byte < 0x20 && byte != b'\t') || byte == 0x7f {
                    return Err(Refusal::bad("chunk_extension"));
                }
                self.extra()?;
                State::Extension { value }
            }
            (State::SizeLf { value: 0 }, b'\n') => State::TrailerStart,
            (State::SizeLf { value }, b'\n') => {
                if !planted!("http.chunks-unbounded") {
                    self.room = self.room.checked_sub(value).ok_or(TOO_LARGE)?;
                }
                State::Data { left: value }
            }
            (State::DataCr, b'\r') => State::DataLf,
            (State::DataLf, b'\n') => State::Size { value: 0, digits: 0 },
            (State::DataCr | State::DataLf, _) => return Err(Refusal::bad("chunk_end")),
            (State::TrailerStart, b'\r') => State::EndLf,
            (State::EndLf, b'\n') => return Ok(true),
            (State::Trailer, b'\r') => State::TrailerLf,
            (State::TrailerLf, b'\n') => {
                let line = std::mem::take(&mut self.line);
                if head::has_control(&line) || fields::split(&line).is_err() {
                    return Err(Refusal::bad("trailer"));
                }
                State::TrailerStart
            }
            (State::TrailerStart | State::Trailer, _) if byte != b'\n' => {
                self.extra()?;
                self.line.push(byte);
                State::Trailer
            }
            (State::SizeLf { .. } | State::TrailerStart | State::Trailer | State::TrailerLf | State::EndLf, _) => {
                return Err(Refusal::bad("bare_lf"));
            }
            (State::Data { .. }, _) => unreachable!("data is stepped over"),
        };
        Ok(false)
    }

    fn extra(&mut self) -> Result<(), Refusal> {
        let left = self.extra_room.checked_sub(1);
        self.extra_room =
            left.ok_or(Refusal::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "extensions_too_large"))?;
        Ok(())
    }
}
