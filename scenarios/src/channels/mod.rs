//! Channels over the wire: clients that join, join again, leave, vanish, read slowly, poll, resume and flood, a server
//! that is deployed anew, and a network that splits, stalls and resets.
//!
//! | | |
//! | --- | --- |
//! | [`rooms`] | joins, duplicates of them, leaves and rejoins in any order, over WebSocket and over long-poll |
//! | [`deploy`] | the official client's ladders when all are sent away and come again at once |
//! | [`slow`] | clients that read slowly, under each policy of the outbox |
//! | [`resume`] | topics that go on after a cut: all comes, or a gap is told |
//! | [`flood`] | one that sends too much, beside neighbours that do not |

pub mod deploy;
pub mod flood;
mod line;
pub mod resume;
pub mod rooms;
mod server;
pub mod slow;
mod wire;

use std::time::Duration;

use simurgh::prelude::*;
use simurgh_sim::{Exit, Node, Outcome, Registry};

pub(crate) const PORT: u16 = 4000;

pub(crate) fn register(registry: Registry) -> Registry {
    let registry = deploy::register(rooms::register(registry));
    flood::register(resume::register(slow::register(registry)))
}

/// All have done what they wanted.
async fn finished(clients: &[Node], limit: Duration) -> Outcome {
    for client in clients {
        match timeout(limit, client.ended()).await {
            Ok(Exit::Finished) => {}
            other => return Err(format!("{}: {other:?}", client.name()).into()),
        }
    }
    Ok(())
}

/// The server ends in order.
async fn stopped(server: &Node) -> Outcome {
    match server.stop(120.secs()).await {
        Exit::Finished => Ok(()),
        other => Err(format!("the server did not end in order: {other:?}").into()),
    }
}
