//! Raw tokio: tasks and channels.

use std::future::{pending, ready};
use std::time::Instant;

use tokio::sync::{mpsc, oneshot};

use crate::{DONE, LIMIT, MAILBOX, each, idle, spawned, unknown};

struct Ask(u64, oneshot::Sender<u64>);
struct Tell(u64, u64);

const _: () = assert!(size_of::<Ask>() == 16 && size_of::<Tell>() == 16);

pub async fn measure(figure: &str, count: u64) -> Vec<f64> {
    match figure {
        "spawn" => {
            let spawn = || {
                tokio::spawn(async {});
                ready(())
            };
            spawned(count, spawn).await
        }
        "call" => call(count).await,
        "cast128" => cast(count, 128).await,
        "cast1024" => cast(count, 1_024).await,
        "idle" => idle(count, |_| ready(server())).await,
        "bare" => idle(count, |_| ready(tokio::spawn(pending::<()>()).abort_handle())).await,
        _ => unknown(figure),
    }
}

fn server() -> mpsc::Sender<Ask> {
    let (sender, mut mailbox) = mpsc::channel(MAILBOX);
    tokio::spawn(async move {
        let mut total = 0;
        while let Some(Ask(more, reply)) = mailbox.recv().await {
            total += more;
            let _ = reply.send(total);
        }
    });
    sender
}

async fn call(count: u64) -> Vec<f64> {
    let server = server();
    let since = Instant::now();
    for _ in 0..count {
        let asked = async {
            let (reply, answer) = oneshot::channel();
            server.send(Ask(1, reply)).await.ok()?;
            answer.await.ok()
        };
        tokio::time::timeout(LIMIT, asked).await.expect("in time").expect("an answer");
    }
    each(count, since)
}

async fn cast(count: u64, bound: usize) -> Vec<f64> {
    let (sender, mut mailbox) = mpsc::channel(bound);
    tokio::spawn(async move {
        let mut total = 0;
        while let Some(Tell(more, last)) = mailbox.recv().await {
            total += more;
            if last == 1 {
                DONE.notify_one();
            }
        }
        std::hint::black_box(total);
    });
    let since = Instant::now();
    for number in 1..=count {
        sender.send(Tell(number, u64::from(number == count))).await.expect("it lives");
    }
    DONE.notified().await;
    each(count, since)
}
