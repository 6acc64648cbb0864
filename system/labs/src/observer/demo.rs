//! A small node to look at: a clock, a queue that is too slow at times, a worker that fails, visitors
//! that come and go.

use std::time::Duration;

use simurgh::otp::{Backoff, ChildSpec, Context, Flow, InitError, Policy, Server, Start, Supervisor, SupervisorRef};
use simurgh::prelude::*;
use simurgh::runtime::random;

/// Starts it.
pub(super) async fn start() -> Result<SupervisorRef, String> {
    let failure = |error: &dyn std::fmt::Display| format!("the demo node does not start: {error}");
    let queue = || Start::new(runtime::Label::None, Queue { done: 0 }).mailbox(Policy::ShedOldest, 64);
    let flaky = ChildSpec::task(|| async {
        sleep(pause(4_000)).await;
        Err::<(), _>("the printer is out of paper")
    });
    let shop = Supervisor::rest_for_one()
        .intensity(1_000, 10.secs())
        .child("queue", queue)
        .child("printer", flaky.backoff(Backoff::default()));
    let root = Supervisor::one_for_one()
        .intensity(1_000, 10.secs())
        .child("clock", || Clock { ticks: 0 })
        .child("shop", shop)
        .child("door", ChildSpec::task(door))
        .start("root")
        .await
        .map_err(|error| failure(&error))?;
    let children = root.which_children().await.map_err(|error| failure(&error))?;
    let shop = children.into_iter().find(|child| &*child.id == "shop").and_then(|child| child.pid);
    if let Some(shop) = shop.and_then(SupervisorRef::of) {
        let orders = ChildSpec::task(move || orders(shop.clone()));
        root.start_child("orders", orders).await.map_err(|error| failure(&error))?;
    }
    Ok(root)
}

/// Anything from half of so many milliseconds on.
fn pause(most_ms: u64) -> Duration {
    random::range(most_ms / 2..most_ms).millis()
}

/// Lets visitors in.
async fn door() {
    for number in 1.. {
        otp::spawn(("visitor", number), async { sleep(pause(6_000)).await });
        sleep(pause(3_000)).await;
    }
}

/// Gives orders to the queue, at times more than it can bear.
async fn orders(shop: SupervisorRef) {
    for number in 0.. {
        if let Ok(queue) = shop.child::<Queue>("queue").await {
            (0..random::range(1..30)).for_each(|_| drop(queue.try_cast(Order(number))));
        }
        sleep(pause(400)).await;
    }
}

struct Clock {
    ticks: u64,
}

struct Tick;

impl Server for Clock {
    type Message = Tick;

    async fn init(&mut self, cx: &mut Context<Self>) -> Result<(), InitError> {
        cx.send_every(100.millis(), || Tick);
        Ok(())
    }

    async fn handle(&mut self, _: Tick, _: &mut Context<Self>) -> Flow {
        self.ticks += 1;
        Flow::Continue
    }

    fn describe(&self) -> String {
        format!("a clock that has ticked {} times", self.ticks)
    }
}

/// Takes its time for each order.
struct Queue {
    done: u64,
}

struct Order(u64);

impl Server for Queue {
    type Message = Order;

    async fn handle(&mut self, order: Order, _: &mut Context<Self>) -> Flow {
        sleep((5 + order.0 % 30).millis()).await;
        self.done += 1;
        Flow::Continue
    }

    fn name_of(_: &Order) -> &'static str {
        "Order"
    }

    fn describe(&self) -> String {
        format!("{} orders are done", self.done)
    }
}
