//! What the cases share.

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use simurgh_runtime::fs::{File, OpenOptions};
use simurgh_runtime::process::{Child, Command, ExitStatus};
use std::os::unix::process::ExitStatusExt;
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::arm::{Arm, Scene, Side};

/// Long enough for a segment and its answer to have arrived, in each arm.
pub const BEAT: Duration = Duration::from_millis(250);

/// None if `task` took longer than `time`; a value that is ready counts, however late it is asked for.
pub async fn limit<A: Arm, T>(time: Duration, task: impl Future<Output = T>) -> Option<T> {
    let (mut task, mut sleep) = (pin!(task), pin!(A::sleep(time)));
    poll_fn(|cx| match task.as_mut().poll(cx) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending => sleep.as_mut().poll(cx).map(|()| None),
    })
    .await
}

/// An outcome in words.
pub fn show<T: std::fmt::Debug>(result: &io::Result<T>) -> String {
    match result {
        Ok(value) => format!("{value:?}"),
        Err(error) => kind(error),
    }
}

/// An error, by its kind, or its number if it has no kind.
pub fn kind(error: &io::Error) -> String {
    match (error.kind(), error.raw_os_error()) {
        (io::ErrorKind::Other, Some(number)) => format!("errno {number}"),
        (kind, Some(number)) if format!("{kind:?}") == "Uncategorized" => format!("errno {number}"),
        (kind, _) => kind.to_string(),
    }
}

/// Reads until there is no more, and says what there was and how it ended.
pub async fn rest(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let (mut buffer, mut text) = ([0; 1024], String::new());
    loop {
        match stream.read(&mut buffer).await {
            Ok(0) => return format!("{text:?}, the end"),
            Ok(len) => text.push_str(&String::from_utf8_lossy(&buffer[..len])),
            Err(error) => return format!("{text:?}, {}", kind(&error)),
        }
    }
}

/// Listens on the case's first port and accepts one connection.
pub async fn accept<A: Arm>(scene: &Scene) -> A::Stream {
    let mut listener = A::bind(scene.listen_at(0)).await.expect("a free port");
    A::accept(&mut listener).await.expect("a connection").0
}

/// Connects to the case's first port.
pub async fn connect<A: Arm>(scene: &Scene) -> A::Stream {
    A::connect(scene.at(0)).await.expect("a connection")
}

/// Shorthands for who saw what.
pub fn server(scene: &Scene, what: impl Into<String>) {
    scene.saw(Side::Server, what);
}

pub fn client(scene: &Scene, what: impl Into<String>) {
    scene.saw(Side::Client, what);
}

/// A file of the case's folder that holds this.
pub fn file(scene: &Scene, name: &str, content: &[u8]) -> File {
    let file = File::open(scene.folder().join(name), &OpenOptions::editing()).expect("a file");
    file.write_all_at(content, 0).expect("room for it");
    file
}

/// How to start one of `children.rs`.
pub fn command(scene: &Scene, name: &str) -> Command {
    (scene.program)(name)
}

pub fn spawn(scene: &Scene, name: &str) -> io::Result<Child> {
    command(scene, name).spawn()
}

pub fn status(status: &io::Result<ExitStatus>) -> String {
    match status {
        Ok(status) => format!("code {:?}, signal {:?}", status.code(), status.signal()),
        Err(error) => kind(error),
    }
}

/// Waits until the child has said a line.
pub async fn line(child: &mut Child) {
    let output = child.stdout.as_mut().expect("a pipe");
    while output.read_u8().await.expect("a line") != b'\n' {}
}
