//! Sizes in bytes.

use std::fmt;

use crate::Setting;
use crate::setting::split_unit;

/// A number of bytes, written with its unit: `512B`, `16KiB`, `4MiB`.
///
/// ```
/// use simurgh_config::{ByteSize, Setting};
///
/// assert_eq!(ByteSize::from_text("16KiB"), Some(ByteSize::kib(16)));
/// assert_eq!(ByteSize(1536).to_string(), "1536B");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteSize(pub u64);

/// From the largest to the smallest, in bytes.
const UNITS: [(&str, u64); 5] = [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

impl ByteSize {
    /// So many times 1,024 bytes.
    pub const fn kib(count: u32) -> Self {
        Self((count as u64) << 10)
    }

    /// So many times 1,048,576 bytes.
    pub const fn mib(count: u32) -> Self {
        Self((count as u64) << 20)
    }

    /// The bytes, for a buffer in memory.
    pub const fn as_usize(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Display for ByteSize {
    /// In the largest unit that leaves no fraction.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fits = UNITS.iter().find(|(_, unit)| self.0 != 0 && self.0.is_multiple_of(*unit));
        let (name, unit) = fits.unwrap_or(&("B", 1));
        write!(f, "{}{name}", self.0 / unit)
    }
}

impl Setting for ByteSize {
    const NOUN: &'static str = "a size such as 512B, 16KiB or 4MiB";

    fn from_text(text: &str) -> Option<Self> {
        let (count, unit) = split_unit(text)?;
        let (_, unit) = UNITS.iter().find(|(name, _)| *name == unit)?;
        count.checked_mul(*unit).map(Self)
    }

    fn show(&self) -> String {
        self.to_string()
    }
}
