//! A tally: clients say names, and hear how often each was said before. The stranger's service.

#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use simurgh::prelude::*;
use simurgh::runtime::sync::Mutex;

/// Longest name.
pub const NAME_MAX: usize = 64;
/// Most names; a further one is not counted.
pub const NAMES_MAX: usize = 10_000;

type Tally = Arc<Mutex<BTreeMap<String, u64>>>;

/// Serves until it is asked to end.
pub async fn main(addr: SocketAddr) -> Result<(), String> {
    let end = runtime::signal::shutdown().map_err(|error| error.to_string())?;
    let tally = Tally::default();
    let handler = move |connection| count(connection, Arc::clone(&tally));
    let listener = Listener::start(addr, Options::default(), handler).await.map_err(|error| error.to_string())?;
    out!("Counting on port {}...", listener.local_addr().port());
    runtime::ready();
    end.await;
    listener.drain().await;
    Ok(())
}

/// One connection: a name a line, answered by its number.
async fn count(mut connection: Connection, tally: Tally) -> io::Result<()> {
    let mut line = Vec::new();
    loop {
        let byte = select! {
            biased;
            byte = connection.read_u8() => byte,
        };
        match byte {
            Ok(b'\n') => {
                let number = tally_of(&tally, &line);
                line.clear();
                connection.write_all(format!("{number}\n").as_bytes()).await?;
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

fn tally_of(tally: &Tally, name: &[u8]) -> u64 {
    let name = String::from_utf8_lossy(name).into_owned();
    let mut tally = tally.lock();
    if tally.len() == NAMES_MAX && !tally.contains_key(&name) {
        return 0;
    }
    let number = tally.entry(name).or_default();
    *number += 1;
    event!("tally.counted", { number: *number });
    *number
}
