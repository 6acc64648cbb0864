//! Two servers that call each other: a circle that would end only by a time limit is named when it closes.

use simurgh::otp::{Context, Flow, Reply, Server, ServerRef};
use simurgh::prelude::*;
use simurgh_sim::{Outcome, Registry, Sim, Simulation};

use super::{on_a_node, schedules};

pub(crate) fn register(registry: Registry) -> Registry {
    let about = "two servers that call each other, found the moment the circle closes";
    registry.with(Simulation::new("verdict/call-cycle", about, cycle).profile(schedules()).expect("wait-cycle"))
}

/// Asks the other before it answers.
struct Asks(Option<ServerRef<Asks>>);

enum Message {
    Meet(ServerRef<Asks>),
    Price(Reply<u64>),
}

impl Server for Asks {
    type Message = Message;

    async fn handle(&mut self, message: Message, _: &mut Context<Self>) -> Flow {
        match message {
            Message::Meet(other) => self.0 = Some(other),
            Message::Price(reply) => {
                if let Some(other) = &self.0
                    && let Ok(price) = other.call(Message::Price).await
                {
                    reply.send(price + 1);
                }
            }
        }
        Flow::Continue
    }
}

async fn cycle(sim: Sim) -> Outcome {
    on_a_node(sim, || async {
        let books = otp::start("books", Asks(None)).await.map_err(|error| error.to_string())?;
        let accounts = otp::start("accounts", Asks(None)).await.map_err(|error| error.to_string())?;
        let _ = books.cast(Message::Meet(accounts.clone())).await;
        let _ = accounts.cast(Message::Meet(books.clone())).await;
        books.call(Message::Price).await.map(drop).map_err(|error| error.to_string())
    })
    .await
}
