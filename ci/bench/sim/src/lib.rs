//! What the arms of `ci/bench/run sim` share.

pub mod work;
