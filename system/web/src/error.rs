//! What went wrong with a request.

use std::borrow::Cow;
use std::fmt;
use std::panic::Location;

use http::StatusCode;
use simurgh_http::BodyError;
use simurgh_runtime::PanicReport;

/// A chain of causes could be a circle.
const CAUSES_MAX: usize = 16;

type Source = Box<dyn std::error::Error + Send + Sync>;

/// A request that is not answered as it wished: a status, a stable code for programs, a sentence for
/// the client, and for the server's people what was behind it.
///
/// Any error turns into one by `?`: the client then hears `500` and nothing of the cause, which goes to
/// the log and, in development, to the error page.
///
/// ```
/// use simurgh_web::Error;
/// use http::StatusCode;
///
/// let error = Error::new(StatusCode::CONFLICT, "name_taken", "This name is taken.");
/// assert_eq!(error.to_string(), "409 Conflict: This name is taken.");
///
/// fn parse(text: &str) -> Result<u32, Error> {
///     Ok(text.parse()?)
/// }
/// assert_eq!(parse("no number").unwrap_err().status(), 500);
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    status: StatusCode,
    code: &'static str,
    message: Cow<'static, str>,
    details: Option<serde_json::Value>,
    source: Option<Source>,
    panic: Option<PanicReport>,
    made_at: &'static Location<'static>,
}

impl Error {
    /// A status, a stable code, and a sentence that the client may read.
    #[track_caller]
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        let (message, made_at) = (message.into(), Location::caller());
        Self(Box::new(Inner { status, code, message, details: None, source: None, panic: None, made_at }))
    }

    /// `400 Bad Request`.
    #[track_caller]
    pub fn bad_request(code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// `404 Not Found`.
    #[track_caller]
    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "Not Found")
    }

    /// `403 Forbidden`.
    #[track_caller]
    pub fn forbidden(code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::FORBIDDEN, code, message)
    }

    /// `500 Internal Server Error`, because of `source`, of which the client hears nothing.
    #[track_caller]
    pub fn internal(source: impl Into<Source>) -> Self {
        let mut error = Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Internal Server Error");
        error.0.source = Some(source.into());
        error
    }

    /// A handler's panic.
    #[track_caller]
    pub fn panic(report: PanicReport) -> Self {
        let mut error = Self::new(StatusCode::INTERNAL_SERVER_ERROR, "panic", "Internal Server Error");
        error.0.panic = Some(report);
        error
    }

    /// What was behind it, for the log and the development page.
    pub fn because(mut self, source: impl Into<Source>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// What a program on the other side can use: which fields were wrong, say. Part of the JSON answer.
    pub fn details(mut self, details: serde_json::Value) -> Self {
        self.0.details = Some(details);
        self
    }

    /// The status of the answer.
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// A stable name for programs.
    pub fn code(&self) -> &'static str {
        self.0.code
    }

    /// What the client may read.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// What a program on the other side can use.
    pub fn get_details(&self) -> Option<&serde_json::Value> {
        self.0.details.as_ref()
    }

    /// What was behind it.
    pub fn source(&self) -> Option<&(dyn std::error::Error + Send + Sync + 'static)> {
        self.0.source.as_deref()
    }

    /// Where it was made: the line of the `?` or of the constructor.
    pub fn made_at(&self) -> &'static Location<'static> {
        self.0.made_at
    }

    /// What was behind it and, in order, what was behind that; at most 16.
    pub fn causes(&self) -> impl Iterator<Item = &(dyn std::error::Error + 'static)> {
        let first = self.0.source.as_deref().map(|source| source as &(dyn std::error::Error + 'static));
        std::iter::successors(first, |cause| cause.source()).take(CAUSES_MAX)
    }

    /// The panic, or the causes in order, as one line for the log.
    pub(crate) fn behind(&self) -> Option<String> {
        if let Some(panic) = &self.0.panic {
            return Some(format!("panicked: {panic}"));
        }
        let causes: Vec<String> = self.causes().map(ToString::to_string).collect();
        (!causes.is_empty()).then(|| causes.join(": "))
    }

    /// The panic, if it was one.
    pub fn get_panic(&self) -> Option<&PanicReport> {
        self.0.panic.as_ref()
    }
}

impl<E: std::error::Error + Send + Sync + 'static> From<E> for Error {
    #[track_caller]
    fn from(error: E) -> Self {
        let error: Source = Box::new(error);
        match error.downcast::<BodyError>() {
            Ok(body) => Self::new(body.status(), body.code(), body.to_string()).because(body),
            Err(error) => Self::internal(error),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.status, self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Error");
        out.field("status", &self.0.status.as_u16()).field("code", &self.0.code).field("message", &self.0.message);
        if let Some(source) = &self.0.source {
            out.field("source", source);
        }
        if let Some(panic) = &self.0.panic {
            out.field("panic", &panic.to_string());
        }
        out.finish()
    }
}
