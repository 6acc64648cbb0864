//! Binary frames of version 2.
//!
//! ```text
//! client's push     0 | join_ref, ref, topic, event | data      one byte of length for each field, all lengths first
//! server's push     0 | join_ref, topic, event | data
//! server's reply    1 | join_ref, ref, topic, status | data
//! broadcast         2 | topic, event | data
//! ```

use std::borrow::Cow;

use super::Ref;
use super::decode::{DecodeError, PayloadSlice, Slices};
use super::encode::EncodeError;

const PUSH: u8 = 0;
const REPLY: u8 = 1;
const BROADCAST: u8 = 2;

/// Reads a push of a client.
pub(super) fn decode(frame: &[u8]) -> Result<Slices<'_>, DecodeError> {
    let (head, mut rest) = frame.split_first_chunk::<5>().ok_or(DecodeError::Binary("it is shorter than its head"))?;
    let [PUSH, lens @ ..] = head else { return Err(DecodeError::Binary("its kind is not that of a push")) };
    let mut fields = [""; 4];
    for (field, len) in fields.iter_mut().zip(lens) {
        let (text, after) = rest
            .split_at_checked(usize::from(*len))
            .ok_or(DecodeError::Binary("it is shorter than its lengths say"))?;
        *field = simdutf8::basic::from_utf8(text).map_err(|_| DecodeError::Utf8)?;
        rest = after;
    }
    let [join_ref, reference, topic, event] = fields;
    Ok(Slices {
        join_ref: Ref::of_text(join_ref),
        reference: Ref::of_text(reference),
        ref_len: 0,
        topic: Cow::Borrowed(topic),
        event: Cow::Borrowed(event),
        payload: PayloadSlice::Binary(rest),
    })
}

pub(super) fn push(join_ref: Option<&Ref>, topic: &str, event: &str, data: &[u8]) -> Result<Vec<u8>, EncodeError> {
    write(PUSH, [("join_ref", &text_of(join_ref)), ("topic", topic.as_bytes()), ("event", event.as_bytes())], data)
}

pub(super) fn reply(
    join_ref: Option<&Ref>,
    reference: Option<&Ref>,
    topic: &str,
    status: &str,
    data: &[u8],
) -> Result<Vec<u8>, EncodeError> {
    let (join_ref, reference) = (text_of(join_ref), text_of(reference));
    let fields =
        [("join_ref", &*join_ref), ("ref", &reference), ("topic", topic.as_bytes()), ("status", status.as_bytes())];
    write(REPLY, fields, data)
}

pub(super) fn broadcast(topic: &str, event: &str, data: &[u8]) -> Result<Vec<u8>, EncodeError> {
    write(BROADCAST, [("topic", topic.as_bytes()), ("event", event.as_bytes())], data)
}

fn text_of(reference: Option<&Ref>) -> Cow<'_, [u8]> {
    reference.map_or(Cow::Borrowed(&[]), Ref::as_text)
}

fn write<const N: usize>(kind: u8, fields: [(&'static str, &[u8]); N], data: &[u8]) -> Result<Vec<u8>, EncodeError> {
    let len = 1 + N + fields.iter().map(|(_, field)| field.len()).sum::<usize>() + data.len();
    let mut frame = Vec::with_capacity(len);
    frame.push(kind);
    for (name, field) in fields {
        let len = field.len();
        frame.push(u8::try_from(len).map_err(|_| EncodeError::FieldTooLong { field: name, len })?);
    }
    for (_, field) in fields {
        frame.extend_from_slice(field);
    }
    frame.extend_from_slice(data);
    Ok(frame)
}
