//! A value on its way from one task to another.

use std::sync::Arc;

use simurgh_runtime::Carried;

/// A value and the sender's context, which is one word: what a mailbox or a queue holds.
///
/// ```
/// use simurgh_telemetry::{Parcel, context};
///
/// simurgh_runtime::run("doc", async {
///     context::set_locale(Some("de-CH"));
///     let parcel = Parcel::new("three apples");
///     context::set_locale(None);
///
///     // At the receiver, before it acts on the value:
///     let value = parcel.open();
///     assert_eq!((value, context::locale()), ("three apples", Some("de-CH".into())));
/// });
/// ```
#[derive(Debug, Clone)]
pub struct Parcel<T> {
    /// What the sender carried.
    pub carried: Option<Arc<Carried>>,
    /// What is sent.
    pub value: T,
}

impl<T> Parcel<T> {
    /// `value`, with what the running task carries.
    pub fn new(value: T) -> Self {
        Self { carried: Carried::current(), value }
    }

    /// The value; the running task now carries what the sender did.
    pub fn open(self) -> T {
        Carried::set(self.carried);
        self.value
    }
}
