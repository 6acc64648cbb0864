//! Sessions in the browser and in a store, while their secrets are rotated.
//!
//! Browsers come again after minutes or hours; some only look. A secret is replaced now and then, the former ones are
//! accepted for a while or not at all. Where sessions are in a store, people also log out, in one tab while another
//! is still busy.

use std::sync::Arc;

use simurgh::config::Secret;
use simurgh::prelude::*;
use simurgh::runtime::random;
use simurgh::runtime::sync::Mutex;
use simurgh::web::{Conn, Endpoint, Keys, MemoryStore, Plug, Result, Sessions, fetch_session, test};
use simurgh_invariants::SessionKept;
use simurgh_sim::{Exit, Outcome, Profile, Registry, Sim, Simulation};

const BROWSERS: u64 = 6;
const VISITS: u64 = 30;
const ROTATIONS: usize = 12;
/// Secrets that are accepted at once, at most.
const RING: u64 = 3;

pub(crate) fn register(registry: Registry) -> Registry {
    let about = "sessions in cookies and in a store, while secrets are rotated and people log out";
    let simulation = Simulation::new("web/sessions", about, sessions).profile(Profile::nasty().without_faults());
    let bugs = ["web.session-old-key-lost", "web.session-not-rewritten", "web.session-comes-back"];
    registry.with(simulation.planted_plainly(&bugs))
}

/// The whole story: see the module.
///
/// # Errors
/// If the program does not end.
pub async fn sessions(sim: Sim) -> Outcome {
    sim.watch(SessionKept::default());
    let node = sim.node("node", program);
    match timeout((7 * 24 * 60).mins(), node.ended()).await {
        Ok(Exit::Finished) => Ok(()),
        other => Err(format!("the node did not finish: {other:?}").into()),
    }
}

async fn program() -> Result<(), String> {
    let site = Arc::new(Mutex::new(Site::open()));
    let mut visitors = Vec::new();
    for number in 0..BROWSERS {
        visitors.push(spawn(visitor(number, Arc::clone(&site))));
    }
    for _ in 0..ROTATIONS {
        sleep(random::range(1..120).mins()).await;
        site.lock().rotate();
    }
    for visitor in visitors {
        visitor.await.map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// The site as it is deployed now.
struct Site {
    endpoint: Endpoint<(Sessions, Pages)>,
    kind: Kind,
    secrets: Vec<Secret<String>>,
    /// The first that is still in the ring; the last is the current one.
    oldest: u64,
}

#[derive(Clone)]
enum Kind {
    Encrypted,
    Signed,
    Stored(MemoryStore),
}

impl Site {
    fn open() -> Self {
        let kind = match random::range(0..3) {
            0 => Kind::Encrypted,
            1 => Kind::Signed,
            _ => Kind::Stored(MemoryStore::new()),
        };
        let secrets = vec![Secret::new(Keys::generate_secret())];
        Self { endpoint: deployed(&kind, &secrets), kind, secrets, oldest: 0 }
    }

    fn current(&self) -> u64 {
        self.secrets.len() as u64 - 1
    }

    /// A new secret; some of the former ones stay.
    fn rotate(&mut self) {
        self.secrets.push(Secret::new(Keys::generate_secret()));
        let least = (self.current() + 1).saturating_sub(RING);
        self.oldest = self.oldest.max(least);
        if random::chance(0.2) {
            self.oldest = self.current();
        }
        self.endpoint = deployed(&self.kind, &self.secrets[self.oldest as usize..]);
    }
}

/// With these secrets, the current one last.
fn deployed(kind: &Kind, ring: &[Secret<String>]) -> Endpoint<(Sessions, Pages)> {
    let [former @ .., current] = ring else { panic!("a ring has a current secret") };
    let keys = Keys::new(current).expect("it is long enough");
    let keys = former.iter().rev().fold(keys, |keys, older| keys.also(older).expect("there are few"));
    let sessions = match kind {
        Kind::Encrypted => Sessions::cookie(keys),
        Kind::Signed => Sessions::cookie(keys).signed(),
        Kind::Stored(store) => Sessions::stored(keys, store.clone()),
    };
    Endpoint::new((sessions, Pages))
}

/// What the site does.
struct Pages;

impl Plug for Pages {
    async fn call(&self, conn: &mut Conn) -> Result {
        fetch_session(conn).await?;
        match conn.path() {
            "/count" => count(conn)?,
            "/slow" => {
                sleep(random::range(0..2_000).millis()).await;
                count(conn)?;
            }
            "/leave" => conn.drop_session(),
            _ => {}
        }
        let visits = conn.session().get::<u64>("visits").unwrap_or(0);
        conn.text(visits.to_string());
        Ok(())
    }
}

fn count(conn: &mut Conn) -> Result {
    let visits = conn.session().get::<u64>("visits").unwrap_or(0);
    conn.session_mut().put("visits", visits + 1)?;
    Ok(())
}

async fn visitor(number: u64, site: Arc<Mutex<Site>>) {
    let mut browser = test::Browser::default();
    for _ in 0..VISITS {
        sleep(random::range(0..3_600).secs()).await;
        let is_stored = matches!(site.lock().kind, Kind::Stored(_));
        if is_stored && random::chance(0.15) {
            browser = leave(number, browser, &site).await;
            continue;
        }
        let counts = random::chance(0.6);
        let (endpoint, oldest, current) = {
            let site = site.lock();
            (site.endpoint.clone(), site.oldest, site.current())
        };
        let visits = seen(&mut browser, &endpoint, if counts { "/count" } else { "/" }).await;
        event!("session.visit", {}, { browser: number, oldest: oldest, current: current, counts: counts, visits: visits });
    }
}

/// Logs out while another tab is busy, and tries whether the cookie from before is still good for something.
async fn leave(number: u64, mut browser: test::Browser, site: &Mutex<Site>) -> test::Browser {
    let endpoint = site.lock().endpoint.clone();
    let (mut tab, mut before) = (browser.clone(), browser.clone());
    join!(seen(&mut tab, &endpoint, "/slow"), async {
        sleep(random::range(0..2_000).millis()).await;
        seen(&mut browser, &endpoint, "/leave").await
    });
    let visits = seen(&mut before, &endpoint, "/").await;
    event!("session.ended", {}, { browser: number, visits: visits });
    test::Browser::default()
}

async fn seen(browser: &mut test::Browser, endpoint: &Endpoint<(Sessions, Pages)>, target: &str) -> u64 {
    let text = test::text(browser.get(endpoint, target).await).await;
    text.parse().unwrap_or_else(|_| panic!("{text:?} is no number of visits"))
}
