//! What `ci/fuzz` reaches of the private parts, and nobody else: ranges are read for files only, and hostile ones must
//! be able to come without a disk.

use std::ops::Range;

use crate::negotiate::disposition;
use crate::negotiate::range::{Wanted, wanted};

/// The parts that a `range` header wants of a resource of this length: none if it wants the whole, no parts if there
/// are none of those it wants.
pub fn ranges(value: &str, len: u64) -> Option<Vec<Range<u64>>> {
    match wanted(value, len) {
        Wanted::Whole => None,
        Wanted::Parts(parts) => Some(parts),
        Wanted::Nothing => Some(Vec::new()),
    }
}

/// What is safe of a file's name that a client has given.
pub fn safe_name(name: &str) -> Option<String> {
    disposition::safe_name(name)
}
