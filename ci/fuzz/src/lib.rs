//! What fuzz targets are made of: inputs that are near to what is right, an engine whose inputs follow from one
//! seed, and files of inputs that once failed.
//!
//! ```text
//!   seed ──> engine ──> random bytes ──> Near: samples, cut, spliced, changed ──> Input ──> the target's property
//!                                                          corpus/<target>/* ──────┘
//! ```
//!
//! `cargo test` runs each target a fixed number of times under a fixed seed: the same inputs each time. The
//! environment changes that:
//!
//! | variable | default | |
//! | --- | --- | --- |
//! | `FUZZ_SEED` | 1 | where the inputs come from |
//! | `FUZZ_SECONDS` | none | runs each target so long, in place of a fixed number of times |
//! | `FUZZ_INPUT` | none | runs only the input of this number, as a failure names it |

#![forbid(unsafe_code)]

mod engine;
mod input;
mod near;
mod target;

pub use engine::Plan;
pub use input::Input;
pub use target::{Target, byte_by_byte};

/// The output of a future that has nothing to wait for.
///
/// # Panics
/// If it waits.
pub fn ready<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    // A yield is no wait.
    for _ in 0..1_000 {
        if let std::task::Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
    panic!("it waits, and there is nothing to wait for");
}
