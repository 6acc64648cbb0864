//! What a case is, and the three ways to run it.

use std::any::Any;
use std::fmt::Write as _;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use simurgh_http::{Options, Server};
use simurgh_runtime::sync::Mutex;
use simurgh_runtime::{env, fs, timeout};
use simurgh_sim::{Body, Profile, RunConfig, run_once};
use simurgh_test::{Http, Socket};
use simurgh_web::{Endpoint, Plug};

/// Seeds under which each case runs in the simulator.
const SEEDS: u64 = 10;
/// How long one case may take on the real machine.
const LIMIT: Duration = Duration::from_mins(1);
/// The variable that names a folder for the results.
const RESULTS: &str = "SIMURGH_CASES";

/// Where a case runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arm {
    Memory,
    Sockets,
    Simulator,
}

/// Arms on which a case makes sense, if not on all.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Only {
    pub(crate) arms: &'static [Arm],
    pub(crate) because: &'static str,
}

/// One promise of the web layer.
#[derive(Clone, Copy)]
pub(crate) struct Case {
    /// Subject and promise, stable: `router.head_from_get`.
    pub(crate) name: &'static str,
    /// The promise in words.
    pub(crate) what: &'static str,
    pub(crate) only: Option<Only>,
    pub(crate) run: fn(Stage) -> Running,
}

/// A case under way.
pub(crate) type Running = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The cases of one subject: `"name": "what" => body;`, with `only ONLY` where not all arms make sense.
macro_rules! cases {
    ($($name:literal: $what:literal => $body:ident $(only $only:expr)?;)*) => {
        /// The cases of this subject.
        pub(crate) fn cases() -> Vec<crate::case::Case> {
            vec![$(crate::case::Case {
                name: $name,
                what: $what,
                only: None$(.or(Some($only)))?,
                run: |stage| Box::pin($body(stage)),
            }),*]
        }
    };
}

pub(crate) use cases;

/// Where a case puts its endpoints. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Stage {
    arm: Arm,
    servers: Arc<Mutex<Vec<Server>>>,
}

impl Stage {
    /// A client of this endpoint.
    pub(crate) async fn http<P: Plug>(&self, endpoint: Endpoint<P>) -> Http {
        match self.arm {
            Arm::Memory => Http::new(&endpoint),
            Arm::Sockets | Arm::Simulator => Http::over(Socket::to(self.server(endpoint).await.local_addr())),
        }
    }

    /// A server of this endpoint, which ends with the case.
    pub(crate) async fn server<P: Plug>(&self, endpoint: Endpoint<P>) -> Server {
        let server = Server::start(([127, 0, 0, 1], 0).into(), Options::default(), endpoint).await.unwrap();
        self.servers.lock().push(server.clone());
        server
    }

    /// Whether what is said goes over a connection.
    pub(crate) fn has_connections(&self) -> bool {
        self.arm != Arm::Memory
    }
}

/// Runs all cases there, and fails with the names of those that have failed.
pub(crate) fn check(arm: Arm, cases: &[Case]) {
    let mut lines = String::new();
    let mut failed = Vec::new();
    for case in cases {
        let result = match case.only.filter(|only| !only.arms.contains(&arm)) {
            Some(only) => format!("no: {}", only.because),
            None => match outcome(arm, *case) {
                Ok(()) => "ok".to_owned(),
                Err(why) => {
                    failed.push(format!("{}: {why}", case.name));
                    "FAILED".to_owned()
                }
            },
        };
        writeln!(lines, "{}\t{}\t{result}", case.name, case.what).unwrap();
    }
    simurgh_runtime::run("results", async move {
        if let Some(folder) = env::var(RESULTS) {
            fs::write(format!("{folder}/{arm:?}.tsv"), lines).await.unwrap();
        }
    });
    assert!(failed.is_empty(), "{} of {} cases:\n\n{}", failed.len(), cases.len(), failed.join("\n\n"));
}

fn outcome(arm: Arm, case: Case) -> Result<(), String> {
    if arm == Arm::Simulator {
        let body: Body = Arc::new(move |_| {
            Box::pin(async move {
                play(arm, case).await;
                Ok(())
            })
        });
        let failure = |seed| run_once(&RunConfig::new(seed, Profile::nasty()), &body).failure;
        return match (0..SEEDS).find_map(|seed| Some((seed, failure(seed)?))) {
            Some((seed, verdict)) => Err(format!("seed {seed}: {verdict}")),
            None => Ok(()),
        };
    }
    let run = || simurgh_runtime::run("cases", async move { timeout(LIMIT, play(arm, case)).await.is_ok() });
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(true) => Ok(()),
        Ok(false) => Err(format!("not done after {LIMIT:?}")),
        Err(payload) => Err(words(&*payload)),
    }
}

async fn play(arm: Arm, case: Case) {
    let stage = Stage { arm, servers: Arc::default() };
    (case.run)(stage.clone()).await;
    let servers = std::mem::take(&mut *stage.servers.lock());
    for server in servers {
        server.stop().await;
    }
}

/// What a panic has said.
fn words(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().cloned();
    text.or_else(|| payload.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
}
