//! What `ci/fuzz` reaches of the private parts, and nobody else: the framing is no API, but hostile bytes must be able
//! to come at it alone, without a socket before it and without hyper behind it.

use bytes::{Buf, BytesMut};

use crate::framing::{BodyKind, Bounds, Framing, Step};

/// What a stream of bytes was taken for.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Framed {
    /// Each request that was passed on.
    pub requests: Vec<FramedRequest>,
    /// The status and the reason of the refusal that ended it.
    pub refused: Option<(u16, &'static str)>,
    /// Bytes at the end that belong to what has not come whole.
    pub waiting: usize,
}

/// One request of it.
#[derive(Debug, PartialEq, Eq)]
pub struct FramedRequest {
    /// The head as the parser sees it.
    pub head: Vec<u8>,
    /// The length that the head announces, `None` if the body is chunked.
    pub len: Option<u64>,
    /// Whether it asks for another protocol.
    pub wants_upgrade: bool,
    /// The body's bytes, chunk headers included.
    pub body: Vec<u8>,
}

/// Frames a stream that comes in these parts: targets, heads, fields and bodies are bounded by `bounds` in this order.
/// An upgrade is always refused. Of a body in which something is wrong nothing is kept: how much of it was passed on
/// before is the reads' affair.
pub fn frame<'a>(parts: impl IntoIterator<Item = &'a [u8]>, bounds: [usize; 4]) -> Framed {
    let [uri_len_max, head_len_max, fields_max, body_len_max] = bounds;
    let bounds = Bounds { uri_len_max, head_len_max, fields_max, body_len_max: body_len_max as u64 };
    let (mut framing, mut input, mut framed) = (Framing::new(bounds), BytesMut::new(), Framed::default());
    for part in parts {
        input.extend_from_slice(part);
        loop {
            let in_body = framing.is_in_body();
            match framing.step(&mut input) {
                Ok(Step::Wait) => break,
                Ok(Step::Head(len, head)) => {
                    let len_of_body = match head.body {
                        BodyKind::None => Some(0),
                        BodyKind::Length(len) => Some(len),
                        BodyKind::Chunked => None,
                    };
                    let head_bytes = input.copy_to_bytes(len).to_vec();
                    let (len, wants_upgrade) = (len_of_body, head.wants_upgrade);
                    framed.requests.push(FramedRequest { head: head_bytes, len, wants_upgrade, body: Vec::new() });
                    framing.release();
                }
                Ok(Step::Body(len)) => {
                    assert!(len > 0, "a step passes something on");
                    let request = framed.requests.last_mut().expect("a body comes after its head");
                    request.body.extend_from_slice(&input.copy_to_bytes(len));
                }
                Err(refusal) => {
                    if in_body && let Some(request) = framed.requests.last_mut() {
                        request.body.clear();
                    }
                    framed.refused = Some((refusal.status.as_u16(), refusal.reason));
                    assert!(framing.is_over() && framing.step(&mut input) == Ok(Step::Wait), "a refusal is the end");
                    return framed;
                }
            }
        }
    }
    framed.waiting = input.len();
    framed
}
