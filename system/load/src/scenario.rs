//! What clients do in each scenario.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde::Deserialize;
use simurgh::prelude::*;
use simurgh::runtime::sleep_until;
use thiserror::Error;
use tokio::sync::watch;

use crate::client::{Client, Failure, Incoming};
use crate::shared::Shared;
use crate::{Figures, Options, Report, Scenario};

/// How long answers are waited for when all has been sent.
const GRACE: Duration = Duration::from_secs(5);
/// How often the official client says that it is there.
const HEARTBEAT: Duration = Duration::from_secs(30);
/// After how many milliseconds it tries to come back, each time.
const LADDER_MS: [u64; 10] = [10, 50, 100, 150, 200, 250, 500, 1_000, 2_000, 5_000];
/// Files beside the connections.
const OTHER_FILES: u64 = 64;

/// Why there was no load.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RunError {
    /// The process may not open as many files.
    #[error("{connections} connections need {needed} files, and this process may have {max}: ulimit -n {needed}")]
    Files {
        /// Connections that were asked for.
        connections: usize,
        /// Files for them.
        needed: u64,
        /// Files that there may be.
        max: u64,
    },
    /// Nobody got in.
    #[error("not one client got in: {0}")]
    NoClient(String),
}

impl From<RunError> for String {
    fn from(error: RunError) -> Self {
        error.to_string()
    }
}

/// Puts the load on the server, and tells what came of it. Each second it says on standard error how far it is.
///
/// # Errors
/// [`RunError`], if there was no load.
pub async fn run(options: &Options) -> Result<Report, RunError> {
    let figures = Figures::now().await;
    let needed = options.connections as u64 + OTHER_FILES;
    if let Some(max) = figures.map(|figures| figures.files_max).filter(|max| *max < needed) {
        return Err(RunError::Files { connections: options.connections, needed, max });
    }
    let shared = Arc::new(Shared::new(options.clone()));
    let (go, start) = watch::channel(None);
    let progress = spawn(progress(Arc::clone(&shared)));
    let began = Instant::now();
    let clients: Vec<_> = (0..options.connections)
        .map(|number| spawn(client(Arc::clone(&shared), number as u64, began, start.clone())))
        .collect();
    while Shared::get(&shared.ready) + Shared::get(&shared.failed) < options.connections as u64 {
        sleep(5.millis()).await;
    }
    let (ready, opened_in) = (Shared::get(&shared.ready), began.elapsed());
    let why = shared.failures().into_keys().next();
    let before = if options.scenario == Scenario::Connect { figures } else { Figures::now().await };
    let started = if options.scenario == Scenario::Connect { began } else { Instant::now() + 50.millis() };
    let _ = go.send(Some(started));
    for client in clients {
        let _ = client.await;
    }
    progress.abort();
    if let (0, Some(why)) = (ready, why) {
        return Err(RunError::NoClient(why));
    }
    let took = started.elapsed();
    let own = before.zip(Figures::now().await);
    Ok(Report::new(&shared, ready, opened_in, took, own))
}

async fn progress(shared: Arc<Shared>) {
    let began = Instant::now();
    let mut last = None;
    loop {
        sleep(1.secs()).await;
        let now = Figures::now().await;
        let share = last.zip(now).map(|(last, now): (Figures, Figures)| (now.cpu_us - last.cpu_us) / 10_000);
        last = now;
        let [ready, failed, sent, received] =
            [&shared.ready, &shared.failed, &shared.sent, &shared.received].map(Shared::get);
        let p99 = shared.latencies.lock().at(0.99).as_secs_f64() * 1e3;
        let share = share.map_or(String::new(), |share| format!(", own processor time {share} %"));
        let seconds = began.elapsed().as_secs();
        err!("{seconds} s: {ready} ready, {failed} failed, {sent} sent, {received} received, p99 {p99:.1} ms{share}");
    }
}

/// When the event of this number is to happen, at so many a second.
fn intended(start: Instant, number: u64, rate: u64) -> Instant {
    start + Duration::from_nanos((u128::from(number) * 1_000_000_000 / u128::from(rate)) as u64)
}

async fn client(shared: Arc<Shared>, number: u64, began: Instant, mut start: watch::Receiver<Option<Instant>>) {
    let mut work = Work { topic: String::new(), number, shared };
    if let Err(failure) = work.run(began, &mut start).await {
        work.shared.fail(&failure);
    }
}

struct Work {
    shared: Arc<Shared>,
    number: u64,
    topic: String,
}

impl Work {
    async fn run(&mut self, began: Instant, start: &mut watch::Receiver<Option<Instant>>) -> Result<(), Failure> {
        let shared = Arc::clone(&self.shared);
        let options = &shared.options;
        self.topic = options.topic_of(self.number);
        let is_measured = options.scenario == Scenario::Connect;
        let at = intended(began, self.number, if is_measured { options.rate } else { options.connect_rate });
        sleep_until(at).await;
        let mut client = Client::connect(options).await?;
        if is_measured {
            Shared::count(&shared.sent);
            shared.done(at);
        } else if options.scenario != Scenario::Join {
            client.join(&self.topic, &options.join_of(self.number)).await?;
        }
        Shared::count(&shared.ready);
        let start = self.wait(&mut client, start).await?;
        let end = start + options.time;
        match options.scenario {
            Scenario::Connect => Ok(()),
            Scenario::Join => {
                let at = intended(start, self.number, options.rate);
                sleep_until(at).await;
                Shared::count(&shared.sent);
                client.join(&self.topic, &options.join_of(self.number)).await?;
                shared.done(at);
                Ok(())
            }
            Scenario::Echo => self.echo(&mut client, start, end).await,
            Scenario::FanOut if self.number == 0 => self.publish(&mut client, start, end).await,
            Scenario::FanOut => self.hear(&mut client, start, end).await,
            Scenario::Idle => self.idle(&mut client, end).await,
            Scenario::Storm => self.storm(client, end).await,
        }
    }

    /// Until all are ready: what comes meanwhile is thrown away.
    async fn wait(
        &self,
        client: &mut Client,
        start: &mut watch::Receiver<Option<Instant>>,
    ) -> Result<Instant, Failure> {
        let mut heartbeat = Instant::now() + HEARTBEAT;
        loop {
            if let Some(start) = *start.borrow_and_update() {
                return Ok(start);
            }
            select! {
                _ = start.changed() => {}
                message = client.recv() => drop(message?),
                () = sleep_until(heartbeat) => {
                    heartbeat += HEARTBEAT;
                    client.heartbeat()?;
                }
            }
        }
    }

    async fn echo(&self, client: &mut Client, start: Instant, end: Instant) -> Result<(), Failure> {
        let options = &self.shared.options;
        let at = |turn: u64| intended(start, self.number + turn * options.connections as u64, options.rate);
        let payload = format!("{{\"text\":\"{}\"}}", "x".repeat(options.payload_len));
        let (mut turn, mut answered, mut heartbeat) = (0, 0, start + HEARTBEAT);
        loop {
            let next = if at(turn) < end { at(turn) } else { end + GRACE };
            if next > end && answered == turn {
                return Ok(());
            }
            select! {
                message = client.recv() => {
                    if let Some(number) = Incoming::of(&message?).and_then(|incoming| incoming.answered()) {
                        answered += 1;
                        self.shared.done(at(number));
                    }
                }
                () = sleep_until(next.min(heartbeat)) => {
                    if next > heartbeat {
                        heartbeat += HEARTBEAT;
                        client.heartbeat()?;
                    } else if next > end {
                        return Ok(()); // what has not come is lost
                    } else {
                        client.push(turn, &self.topic, "ping", &payload)?;
                        Shared::count(&self.shared.sent);
                        turn += 1;
                    }
                }
            }
        }
    }

    async fn publish(&self, client: &mut Client, start: Instant, end: Instant) -> Result<(), Failure> {
        let options = &self.shared.options;
        let text = "x".repeat(options.payload_len);
        let mut turn = 0;
        loop {
            let next = intended(start, turn, options.rate);
            if next >= end {
                self.shared.is_sent.store(true, Ordering::Release);
                // What has not gone out yet does so while others listen.
                return self.idle(client, end + 250.millis()).await;
            }
            select! {
                message = client.recv() => drop(message?),
                () = sleep_until(next) => {
                    let payload = format!("{{\"n\":{turn},\"text\":\"{text}\"}}");
                    client.push(turn, &self.topic, "shout", &payload)?;
                    Shared::count(&self.shared.sent);
                    turn += 1;
                }
            }
        }
    }

    async fn hear(&self, client: &mut Client, start: Instant, end: Instant) -> Result<(), Failure> {
        #[derive(Deserialize)]
        struct Numbered {
            n: u64,
        }
        let (mut heard, mut look, mut heartbeat) = (0, end, start + HEARTBEAT);
        loop {
            if self.shared.is_sent.load(Ordering::Acquire) && heard >= Shared::get(&self.shared.sent) {
                return Ok(());
            }
            select! {
                message = client.recv() => {
                    let message = message?;
                    let Some(incoming) = Incoming::of(&message).filter(|incoming| incoming.event == "shout") else { continue };
                    if let Ok(Numbered { n }) = serde_json::from_str(incoming.payload) {
                        heard += 1;
                        self.shared.done(intended(start, n, self.shared.options.rate));
                    }
                }
                () = sleep_until(look.min(heartbeat)) => {
                    if heartbeat < look {
                        heartbeat += HEARTBEAT;
                        client.heartbeat()?;
                    } else if look >= end + GRACE {
                        return Ok(()); // what has not come is lost
                    } else {
                        look += 100.millis();
                    }
                }
            }
        }
    }

    async fn idle(&self, client: &mut Client, end: Instant) -> Result<(), Failure> {
        let mut heartbeat = Instant::now() + HEARTBEAT;
        loop {
            select! {
                message = client.recv() => drop(message?),
                () = sleep_until(end.min(heartbeat)) => {
                    if end <= heartbeat {
                        return Ok(());
                    }
                    heartbeat += HEARTBEAT;
                    client.heartbeat()?;
                }
            }
        }
    }

    /// Is cut, and comes back as the official client does.
    async fn storm(&self, mut client: Client, end: Instant) -> Result<(), Failure> {
        let options = &self.shared.options;
        if options.by_server {
            match self.idle(&mut client, end).await {
                Ok(()) => return Ok(()), // nobody has cut it
                Err(how) => self.shared.cut(&how, Instant::now()),
            }
        }
        drop(client);
        let cut = Instant::now();
        Shared::count(&self.shared.sent);
        let mut last = Failure::Cut("it did not come back in time".to_owned());
        for step in 0.. {
            let delay = LADDER_MS[LADDER_MS.len().min(step + 1) - 1];
            sleep(delay.millis()).await;
            if Instant::now() > end {
                break;
            }
            match self.come_back().await {
                Ok(mut client) => {
                    self.shared.done(cut);
                    return self.idle(&mut client, end).await;
                }
                Err(failure) => last = failure,
            }
        }
        Err(last)
    }

    async fn come_back(&self) -> Result<Client, Failure> {
        let options = &self.shared.options;
        let mut client = Client::connect(options).await?;
        client.join(&self.topic, &options.join_of(self.number)).await?;
        Ok(client)
    }
}
