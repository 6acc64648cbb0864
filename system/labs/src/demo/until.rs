//! Waiting for what comes by itself.

use simurgh::prelude::*;

/// Looks again and again, with a pause in between.
pub async fn until(condition: impl Fn() -> bool) {
    while !condition() {
        sleep(1.millis()).await;
    }
}
