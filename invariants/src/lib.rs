//! Named checkers: what must be true of every run, whatever the seed.
//!
//! Each is fed by the telemetry events that production emits too, and stands in a file of its own
//! with the planted bug that it must catch (`cargo sim planted` runs them all).
//!
//! | invariant | planted bug that it catches |
//! | --- | --- |
//! | [`EchoBounded`] `echo.buffer_bounded` | `echo.unbounded-buffer` |
//! | [`CapsRespected`] `net.caps_respected` | `net.cap-check-then-act` |
//! | [`CountReturns`] `net.count_returns` | `net.count-not-decremented` |
//! | [`DrainLeavesNone`] `net.drain_leaves_none` | `net.drain-forgets-state` |
//! | [`EchoInOrder`] `echo.in_order` | `echo.byte-twice` |
//! | [`MonitorDownOnce`] `monitor.down_once` | `otp.kill-forgotten` |
//! | [`NoBystanderHurt`] `echo.no_bystander_hurt` | `echo.kills-a-neighbour` |
//! | [`ServesAgain`] `net.serves_again` | `net.lost-wakeup` |

#![forbid(unsafe_code)]

mod caps_respected;
mod count_returns;
mod drain_leaves_none;
mod echo_bounded;
mod echo_in_order;
mod monitor_down_once;
mod no_bystander_hurt;
mod serves_again;

pub use caps_respected::CapsRespected;
pub use count_returns::CountReturns;
pub use drain_leaves_none::DrainLeavesNone;
pub use echo_bounded::EchoBounded;
pub use echo_in_order::EchoInOrder;
pub use monitor_down_once::MonitorDownOnce;
pub use no_bystander_hurt::NoBystanderHurt;
pub use serves_again::ServesAgain;
