//! A replica: the values with the highest versions that it has heard of, on its disk before it says so.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use simurgh::prelude::*;
use simurgh::runtime::net::{TcpListener, TcpStream};
use simurgh::runtime::sync::AsyncMutex;
use simurgh::runtime::{fs, task};

use tokio::io::BufReader;

use super::courier::{Couriers, RETRY};
use super::wire::{Answer, Request, Tagged, hear_request, parse_entry, say};

/// The file that holds all; the first line is its magic and version.
const PATH: &str = "/data/register";
const MAGIC: &str = "SMRGREG 1";
/// The time between two of the messages in which a replica tells another what it has.
const GOSSIP_EVERY_MS: u64 = 2_000;
/// Connections at once.
const CONNECTIONS_MAX: usize = 128;

type Values = BTreeMap<String, Tagged>;

/// What a replica has, in memory as on its disk.
struct Store {
    values: AsyncMutex<Values>,
}

impl Store {
    async fn open() -> io::Result<Self> {
        let values = match fs::read(PATH).await {
            Ok(bytes) => {
                let read = parse(&String::from_utf8_lossy(&bytes));
                let read = if planted!("register.unsynced") { Some(read.unwrap_or_default()) } else { read };
                read.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the store is damaged"))?
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Values::new(),
            Err(error) => return Err(error),
        };
        Ok(Self { values: AsyncMutex::named("the store", values) })
    }

    async fn get(&self, key: &str) -> Tagged {
        self.values.lock().await.get(key).copied().unwrap_or_default()
    }

    /// Keeps a value if it is newer than what there is, and says whether it was.
    async fn put(&self, key: &str, tagged: Tagged) -> io::Result<bool> {
        let mut values = self.values.lock().await;
        if values.get(key).is_some_and(|held| !tagged.replaces(*held)) {
            return Ok(false);
        }
        let mut next = values.clone();
        next.insert(key.to_owned(), tagged);
        let text = next.iter().map(|(key, tagged)| format!("{key} {tagged}\n")).collect::<Vec<_>>().concat();
        let text = format!("{MAGIC}\n{text}.\n");
        if planted!("register.unlocked") {
            drop(values);
            fs::atomic_replace(PATH, text).await?;
            *self.values.lock().await = next;
            return Ok(true);
        }
        if planted!("register.unsynced") {
            fs::write(PATH, text).await?;
        } else {
            fs::atomic_replace(PATH, text).await?;
        }
        *values = next;
        Ok(true)
    }
}

fn parse(text: &str) -> Option<Values> {
    let body = text.strip_prefix(MAGIC)?.strip_prefix('\n')?.strip_suffix(".\n")?;
    body.lines().map(parse_entry).collect()
}

/// The program of a replica.
///
/// # Errors
/// If its disk cannot be read.
pub(super) async fn main(port: u16, peers: Vec<SocketAddr>) -> Result<(), String> {
    fs::create_dir_all_durable("/data").map_err(|error| error.to_string())?;
    let store = Arc::new(Store::open().await.map_err(|error| format!("{PATH}: {error}"))?);
    let couriers = Couriers::to(peers);
    let _gossip = task::Builder::new().label("gossip").spawn(gossip(Arc::clone(&store), couriers.clone()));
    let addr = SocketAddr::from(([0, 0, 0, 0], port));
    let connections = Arc::new(tokio::sync::Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(mut listener) = TcpListener::bind(addr).await else {
            sleep(100.millis()).await;
            continue;
        };
        runtime::ready();
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(permit) = Arc::clone(&connections).try_acquire_owned() else { continue };
            let (store, couriers) = (Arc::clone(&store), couriers.clone());
            let _detached = task::Builder::new().label("connection").spawn(async move {
                let _ = serve(stream, &store, &couriers).await;
                drop(permit);
            });
        }
    }
}

async fn serve(stream: TcpStream, store: &Store, couriers: &Couriers) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let (number, request) = hear_request(&mut stream).await?;
        let answer = match request {
            Request::Get(key) => Answer::Has(store.get(&key).await),
            Request::Put(key, tagged) => {
                store.put(&key, tagged).await?;
                // Something newer that is there already comes after it, as if it had been there in between.
                event!("effect.applied", {}, { key: tagged.version.op, as: tagged.version.time });
                Answer::Kept
            }
            Request::News(key, tagged) => {
                let is_newer = store.put(&key, tagged).await?;
                if is_newer || planted!("register.gossip-echoes") {
                    tell(&key, tagged, couriers);
                }
                Answer::Kept
            }
        };
        say(&mut stream, number, &answer).await?;
    }
}

/// Tells the others what is new here.
fn tell(key: &str, tagged: Tagged, couriers: &Couriers) {
    event!("replica.tells", {}, { key: key });
    couriers.tell(&Request::News(key.to_owned(), tagged));
}

/// Tells the others what there is, again and again, so that who was away hears of it.
async fn gossip(store: Arc<Store>, couriers: Couriers) {
    loop {
        sleep(GOSSIP_EVERY_MS.millis()).await;
        let values = store.values.lock().await.clone();
        let shown = if planted!("register.gossip-forgets") { 1 } else { values.len() };
        let digest: Vec<String> = values.iter().map(|(key, tagged)| format!("{key} {tagged}")).collect();
        event!("replica.digest.heartbeat", {}, { digest: &digest.join(", ") });
        for (key, tagged) in values.into_iter().take(shown) {
            couriers.tell(&Request::News(key, tagged));
        }
        sleep(RETRY / 10).await;
    }
}
