//! Uploads as fields of a form's type.
//!
//! serde has no way to hand a value over that is not of its own model. A file travels as its number among the
//! files that came, which is looked up here while the form's type is made, on this thread and in one piece.

use std::cell::RefCell;
use std::fmt;

use serde::de::{self, Deserialize, Deserializer, Visitor};

use super::Upload;

/// By this name an upload asks for the number of a file.
pub(crate) const UPLOAD: &str = "$simurgh::Upload";

thread_local! {
    static RECEIVED: RefCell<Vec<Option<Upload>>> = const { RefCell::new(Vec::new()) };
}

/// Makes a value with these files at hand; those that it does not take vanish.
pub(crate) fn with_files<T>(files: Vec<Upload>, make: impl FnOnce() -> T) -> T {
    struct Reset(Vec<Option<Upload>>);

    impl Drop for Reset {
        fn drop(&mut self) {
            drop(RECEIVED.replace(std::mem::take(&mut self.0)));
        }
    }

    let _reset = Reset(RECEIVED.replace(files.into_iter().map(Some).collect()));
    make()
}

impl<'de> Deserialize<'de> for Upload {
    /// Of a [`Form`](crate::Form) only: no other format has files.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ByNumber;

        impl Visitor<'_> for ByNumber {
            type Value = Upload;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an uploaded file")
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Upload, E> {
                let take = |files: &mut Vec<Option<Upload>>| files.get_mut(number as usize)?.take();
                RECEIVED.with_borrow_mut(take).ok_or_else(|| E::custom("is no uploaded file"))
            }

            fn visit_str<E: de::Error>(self, _: &str) -> Result<Upload, E> {
                Err(E::custom("is no uploaded file"))
            }
        }

        deserializer.deserialize_newtype_struct(UPLOAD, ByNumber)
    }
}
