//! What can be wrong with a multipart body.

use http::StatusCode;
use thiserror::Error;

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum Wrong {
    #[error("its type names no boundary of 1 to 70 characters")]
    Boundary,
    #[error("it ends before its last boundary")]
    Unfinished,
    #[error("something other than a line break comes after a boundary")]
    AfterBoundary,
    #[error("a part's head is malformed: {0}")]
    Head(&'static str),
    #[error("a part's name has more than {0} bytes")]
    NameLen(usize),
    #[error("a part's head has more than {0} bytes")]
    HeadLen(usize),
    #[error("it has more than {0} parts")]
    Parts(usize),
    #[error("a part has more than {0} bytes")]
    PartLen(u64),
    #[error("it has more than {0} bytes")]
    BodyLen(u64),
    #[error("its text has more than {0} bytes")]
    TextLen(usize),
    #[error("the text of a part is no UTF-8")]
    Text,
}

impl Wrong {
    fn status(&self) -> StatusCode {
        match self {
            Self::HeadLen(_) => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::Parts(_) | Self::PartLen(_) | Self::BodyLen(_) | Self::TextLen(_) => StatusCode::PAYLOAD_TOO_LARGE,
            _ => StatusCode::BAD_REQUEST,
        }
    }
}

/// Not by `From`, which gives any error the status 500.
pub(super) fn refused(wrong: &Wrong) -> crate::Error {
    let status = wrong.status();
    let code = if status == StatusCode::BAD_REQUEST { "bad_multipart" } else { "multipart_too_large" };
    crate::Error::new(status, code, format!("The multipart body is wrong: {wrong}."))
}
