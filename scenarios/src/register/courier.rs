//! The way to the replicas: for each a connection, a bounded queue before it, and tries until there is an answer or
//! nobody waits for one.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use simurgh::prelude::*;
use simurgh::runtime::net::TcpStream;
use simurgh::runtime::sync::Mutex;
use simurgh::runtime::task;
use tokio::io::BufReader;
use tokio::sync::mpsc;

use super::wire::{Answer, Connection, Request, hear_answer, say};

/// An answer that takes longer is not waited for any more: the question is asked again over a new connection.
pub(super) const RETRY: Duration = Duration::from_secs(1);
/// The time before a question is asked again.
const PAUSE: Duration = Duration::from_millis(50);
/// Questions that wait for one replica; what is more is asked of it later.
pub(super) const QUEUE_MAX: usize = 8;
const QUEUE_UNBOUNDED: usize = 100_000;

/// A question, and who waits for its answers.
struct Question {
    request: Request,
    answers: mpsc::Sender<(usize, Answer)>,
}

/// A question to all replicas, and what comes of it.
pub(super) struct Round {
    request: Request,
    sender: mpsc::Sender<(usize, Answer)>,
    pub(super) answers: mpsc::Receiver<(usize, Answer)>,
    /// Those that were not asked yet: their queues were full.
    left: Vec<usize>,
}

/// The ways to all replicas.
#[derive(Clone)]
pub(super) struct Couriers {
    queues: Arc<Vec<mpsc::Sender<Question>>>,
    addrs: Arc<Vec<SocketAddr>>,
    reached: Arc<Mutex<BTreeMap<usize, bool>>>,
}

impl Couriers {
    pub(super) fn to(replicas: Vec<SocketAddr>) -> Self {
        let reached: Arc<Mutex<BTreeMap<usize, bool>>> = Arc::default();
        let begin = |(number, addr): (usize, SocketAddr)| {
            let max = if planted!("register.queue-unbounded") { QUEUE_UNBOUNDED } else { QUEUE_MAX };
            let (sender, queue) = mpsc::channel(max);
            let courier = Courier { number, addr, stream: None, asked: 0, reached: Arc::clone(&reached) };
            let _detached = task::Builder::new().label(("courier", number as u64)).spawn(courier.run(queue));
            sender
        };
        let addrs = Arc::new(replicas.clone());
        Self { queues: Arc::new(replicas.into_iter().enumerate().map(begin).collect()), addrs, reached }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.queues.len()
    }

    /// How many questions wait for the replica before which most do.
    pub(super) fn waiting(&self) -> usize {
        self.queues.iter().map(|queue| queue.max_capacity() - queue.capacity()).max().unwrap_or(0)
    }

    /// How many of them could be reached when it was last tried.
    pub(super) fn reached(&self) -> usize {
        let reached = self.reached.lock();
        (0..self.len()).filter(|number| reached.get(number).copied().unwrap_or(true)).count()
    }

    /// Asks all replicas whose queues have room. The answers come as they come, each with the replica's number; when
    /// nobody waits for them any more, no question is asked again.
    pub(super) fn ask(&self, request: &Request) -> Round {
        let (sender, answers) = mpsc::channel(self.len());
        let mut round = Round { request: request.clone(), sender, answers, left: (0..self.len()).collect() };
        self.ask_left(&mut round);
        for number in &round.left {
            note!("leaves {} out for now: {QUEUE_MAX} questions wait for it", self.addrs[*number].ip());
        }
        round
    }

    /// Asks those that had no room before.
    pub(super) fn ask_left(&self, round: &mut Round) {
        let Round { request, sender, left, .. } = round;
        let question = || Question { request: request.clone(), answers: sender.clone() };
        left.retain(|number| self.queues[*number].try_send(question()).is_err());
    }

    /// Tells all replicas, once, without waiting.
    pub(super) fn tell(&self, request: &Request) {
        let Round { mut answers, .. } = self.ask(request);
        let _detached = task::Builder::new().label("teller").spawn(async move {
            let _ = timeout(RETRY, async { while answers.recv().await.is_some() {} }).await;
        });
    }
}

/// One of them.
struct Courier {
    number: usize,
    addr: SocketAddr,
    stream: Option<Connection>,
    asked: u64,
    reached: Arc<Mutex<BTreeMap<usize, bool>>>,
}

impl Courier {
    async fn run(mut self, mut queue: mpsc::Receiver<Question>) {
        let mut pause = PAUSE;
        while let Some(question) = queue.recv().await {
            let mut deadline = Instant::now() + RETRY;
            while !question.answers.is_closed() {
                if !planted!("register.deadline-not-renewed") {
                    deadline = Instant::now() + RETRY;
                }
                let tried = timeout(deadline.saturating_duration_since(Instant::now()), self.exchange(&question)).await;
                self.reached.lock().insert(self.number, matches!(tried, Ok(Ok(_))));
                let why = match tried {
                    Ok(Ok(answer)) => {
                        let _ = question.answers.try_send((self.number, answer));
                        break;
                    }
                    Ok(Err(error)) => error.to_string(),
                    Err(_) => "none came in time".into(),
                };
                self.stream = None;
                if planted!("register.pause-unbounded") {
                    pause *= 2;
                }
                let pause = if planted!("register.deadline-not-renewed") { Duration::from_nanos(1) } else { pause };
                note!(
                    "waits {pause:?} before it tries {} again: no answer to \"{}\", {why}",
                    self.addr.ip(),
                    question.request
                );
                sleep(pause).await;
            }
        }
    }

    async fn exchange(&mut self, question: &Question) -> io::Result<Answer> {
        self.asked += 1;
        let stream = match &mut self.stream {
            Some(stream) => stream,
            none => none.insert(BufReader::new(TcpStream::connect(self.addr).await?)),
        };
        say(stream, self.asked, &question.request).await?;
        loop {
            let (number, answer) = hear_answer(stream).await?;
            if number == self.asked {
                return Ok(answer);
            }
        }
    }
}
