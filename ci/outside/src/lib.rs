//! A tally: clients say names, and hear how often each was said before. The stranger's service.
//!
//! ```text
//!   tally          one_for_one
//!   ├─ counter     a server that knows the numbers; it begins anew when it crashes
//!   └─ listener    a connection for each client, which asks the counter; they outlive it
//! ```

#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;

use simurgh::prelude::*;

/// Longest name.
pub const NAME_MAX: usize = 64;
/// Most names; a further one is not counted.
pub const NAMES_MAX: usize = 10_000;
/// What the counter is registered as.
pub const COUNTER: &str = "counter";

/// Serves until it is asked to end.
pub async fn main(addr: SocketAddr) -> Result<(), String> {
    let end = runtime::signal::shutdown().map_err(|error| error.to_string())?;
    let listener = Listener::bind(addr, Options::default(), count).await.map_err(|error| error.to_string())?;
    let tally = Application::new("tally")
        .strategy(Strategy::OneForOne)
        .stage("counter", 5.secs(), || Start::new("counter", Counter::default()).name(COUNTER))
        .stage("listener", 20.secs(), listener.child());
    let running = tally.start().await.map_err(|error| error.to_string())?;
    out!("Counting on port {}...", listener.local_addr().port());
    runtime::ready();
    let outcome = running.run_until(end).await;
    if outcome.code() == 0 { Ok(()) } else { Err(outcome.to_string()) }
}

/// Knows how often each name was said.
#[derive(Default)]
pub struct Counter {
    numbers: BTreeMap<String, u64>,
}

/// What a counter is asked.
pub enum Ask {
    /// A name was said: its number, or 0 if there are too many names.
    Count(String, Reply<u64>),
}

impl Server for Counter {
    type Message = Ask;

    async fn handle(&mut self, ask: Ask, _: &mut Context<Self>) -> Flow {
        match ask {
            Ask::Count(name, reply) => reply.send(self.count(name)),
        }
        Flow::Continue
    }
}

impl Counter {
    fn count(&mut self, name: String) -> u64 {
        if self.numbers.len() == NAMES_MAX && !self.numbers.contains_key(&name) {
            return 0;
        }
        let last = self.numbers.get(&name).copied().unwrap_or(0);
        let number = last + 1;
        event!("tally.counted", { number: number }, { name: &name });
        if number == 10 {
            probe!("tally.tenth");
        }
        if !(number == 10 && planted!("tally.tenth-again")) {
            self.numbers.insert(name, number);
        }
        number
    }
}

/// One connection: a name a line, answered by its number, or by "again" while the counter is away.
async fn count(mut connection: Connection) -> io::Result<()> {
    let counter = otp::named::<Counter>(COUNTER);
    let mut line = Vec::new();
    loop {
        let byte = select! {
            biased;
            byte = connection.read_u8() => byte,
        };
        match byte {
            Ok(b'\n') => {
                let name = String::from_utf8_lossy(&line).into_owned();
                line.clear();
                let answer = match counter.call(|reply| Ask::Count(name, reply)).await {
                    Ok(number) => format!("{number}\n"),
                    Err(error) => {
                        event!("tally.away", { count: 1 }, { code: error.code() });
                        "again\n".to_owned()
                    }
                };
                connection.write_all(answer.as_bytes()).await?;
            }
            Ok(_) if line.len() == NAME_MAX => {
                event!("tally.refused", { count: 1 });
                return connection.write_all(b"too long\n").await;
            }
            Ok(byte) => line.push(byte),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}
