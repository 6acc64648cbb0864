//! What a message becomes on a wire: made once for each form, the bytes shared.

use std::any::{Any, TypeId};
use std::sync::{Arc, OnceLock};

use crate::{EncodeError, Message};

/// Forms of one message that are remembered. More are made anew each time they are asked for.
pub(crate) const ENCODINGS_MAX: usize = 8;

/// A form that a message can take, such as a frame of one serializer.
///
/// ```
/// use std::sync::Arc;
/// use simurgh_pubsub::{EncodeError, Encoding, Message};
///
/// struct Line;
///
/// impl Encoding for Line {
///     type Output = String;
///
///     fn encode(message: &Message) -> Result<String, EncodeError> {
///         Ok(format!("{} {}\n", message.topic(), message.event()))
///     }
/// }
///
/// let message = Message::json("room:lobby", "tick", &()).unwrap();
/// let line = message.encoded::<Line>().unwrap();
/// assert_eq!(*line, "room:lobby tick\n");
/// // The second who asks gets the same bytes.
/// assert!(Arc::ptr_eq(&line, &message.clone().encoded::<Line>().unwrap()));
/// ```
///
/// A message remembers 8 forms; a ninth is made anew each time.
pub trait Encoding: 'static {
    /// What it makes, usually `bytes::Bytes`.
    type Output: Send + Sync + 'static;

    /// Makes it. Must depend on the message alone, and may ask for another form of it.
    ///
    /// # Errors
    /// If this form cannot hold the message.
    fn encode(message: &Message) -> Result<Self::Output, EncodeError>;
}

/// The forms that a message has taken: a list that only grows.
#[derive(Default)]
pub(crate) struct Encodings(OnceLock<Box<Form>>);

struct Form {
    encoding: TypeId,
    output: OnceLock<Result<Arc<dyn Any + Send + Sync>, EncodeError>>,
    next: Encodings,
}

impl Encodings {
    pub(crate) fn get<E: Encoding>(&self, message: &Message) -> Result<Arc<E::Output>, EncodeError> {
        let mut list = self;
        for _ in 0..ENCODINGS_MAX {
            let form = list.0.get_or_init(|| Box::new(Form::of::<E>()));
            if form.encoding == TypeId::of::<E>() {
                let output = form.output.get_or_init(|| E::encode(message).map(|output| Arc::new(output) as _));
                let output = Arc::clone(output.as_ref().map_err(EncodeError::clone)?);
                return Ok(output.downcast().expect("a form is made by the encoding whose type it has"));
            }
            list = &form.next;
        }
        E::encode(message).map(Arc::new)
    }
}

impl Form {
    fn of<E: Encoding>() -> Self {
        Self { encoding: TypeId::of::<E>(), output: OnceLock::new(), next: Encodings::default() }
    }
}
