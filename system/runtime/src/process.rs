//! OS processes with pipes.
//!
//! ```
//! # simurgh_runtime::run("doc", async {
//! use simurgh_runtime::process::Command;
//! use tokio::io::AsyncReadExt;
//!
//! let mut child = Command::new("echo").arg("hello").spawn()?;
//! let mut said = String::new();
//! child.stdout.take().expect("piped unless said otherwise").read_to_string(&mut said).await?;
//! assert_eq!(said, "hello\n");
//! assert!(child.wait().await?.success());
//! # std::io::Result::Ok(())
//! # }).unwrap();
//! ```
//!
//! In a simulation a program is a function that the test has registered under the name of its file
//! (`sim.program("echo", ...)`). It runs as a process of its own on the same machine: it has the
//! machine's disk, its own tasks, arguments and environment, and ends by itself, by a signal, or with its
//! machine. What it reads and writes are [`stdio::stdin`](crate::stdio::stdin), `out!` and
//! [`stdio::stdout`](crate::stdio::stdout). Its status is 0 if it returns, 1 if it returns an error, 101
//! after a panic. Its parent's crash leaves it running, as a `SIGKILL` of the parent does. Sockets of a
//! simulated child have an address of their own, and its working directory is its parent's.

use std::ffi::{OsStr, OsString};
use std::future::poll_fn;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::signal::Signal;
use crate::{Node, sim};

pub use std::process::ExitStatus;

/// A program to start, with its arguments and environment.
#[derive(Debug, Clone)]
pub struct Command {
    program: OsString,
    args: Vec<OsString>,
    vars: Vec<(OsString, OsString)>,
    dir: Option<PathBuf>,
    stdin: Stdio,
    stdout: Stdio,
    stderr: Stdio,
    kill_on_drop: bool,
}

/// What a standard stream of a process is connected to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stdio {
    /// To a pipe, whose other end is in the [`Child`].
    Piped,
    /// To ours.
    Inherit,
    /// To nothing: reads end at once, writes vanish.
    Null,
}

/// The id of this OS process; in the simulator, where all nodes live in one, it tells apart the runs of
/// a node.
///
/// # Panics
/// In the simulator, outside of a task of a node.
pub fn id() -> u32 {
    if sim::is_simulated() { 1 + Node::current().incarnation() } else { std::process::id() }
}

impl Command {
    /// A program, by name or path.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        Self {
            program: program.as_ref().to_owned(),
            args: Vec::new(),
            vars: Vec::new(),
            dir: None,
            stdin: Stdio::Piped,
            stdout: Stdio::Piped,
            stderr: Stdio::Inherit,
            kill_on_drop: true,
        }
    }

    /// The program that is running.
    ///
    /// # Errors
    /// If the operating system cannot tell its path.
    pub fn this_program() -> io::Result<Self> {
        Ok(Self::new(std::env::current_exe()?))
    }

    /// One more argument.
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    /// One more environment variable.
    pub fn var(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.vars.push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Where it starts, instead of in our working directory.
    pub fn dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.dir = Some(dir.into());
        self
    }

    /// What it reads from, instead of a pipe.
    pub fn stdin(mut self, stdin: Stdio) -> Self {
        self.stdin = stdin;
        self
    }

    /// What it writes to, instead of a pipe. (A pipe that nobody reads fills up and stops it.)
    pub fn stdout(mut self, stdout: Stdio) -> Self {
        self.stdout = stdout;
        self
    }

    /// What it complains to, instead of our standard error.
    pub fn stderr(mut self, stderr: Stdio) -> Self {
        self.stderr = stderr;
        self
    }

    /// Lets the process live on when its handle is dropped; else it is killed then.
    pub fn detached(mut self) -> Self {
        self.kill_on_drop = false;
        self
    }

    /// Starts it.
    ///
    /// # Errors
    /// If the program cannot be started: `NotFound` if there is none of that name.
    pub fn spawn(&self) -> io::Result<Child> {
        let program = sim::Program {
            program: &self.program,
            args: &self.args,
            vars: &self.vars,
            streams: [self.stdin, self.stdout, self.stderr],
            kill_on_drop: self.kill_on_drop,
        };
        if let Some(started) = sim::world(|world| world.start_process(&program)) {
            let sim::Started { child, pipes: [stdin, stdout, stderr] } = started?;
            return Ok(Child {
                child: ChildArm::Sim(child),
                stdin: stdin.map(|pipe| ChildStdin(PipeArm::Sim(pipe))),
                stdout: stdout.map(|pipe| ChildStdout(PipeArm::Sim(pipe))),
                stderr: stderr.map(|pipe| ChildStderr(PipeArm::Sim(pipe))),
            });
        }
        let mut command = tokio::process::Command::new(&self.program);
        command
            .args(&self.args)
            .envs(self.vars.iter().map(|(name, value)| (name, value)))
            .stdin(self.stdin)
            .stdout(self.stdout)
            .stderr(self.stderr)
            .kill_on_drop(self.kill_on_drop);
        if let Some(dir) = &self.dir {
            command.current_dir(dir);
        }
        let mut child = command.spawn()?;
        Ok(Child {
            stdin: child.stdin.take().map(|pipe| ChildStdin(PipeArm::Real(pipe))),
            stdout: child.stdout.take().map(|pipe| ChildStdout(PipeArm::Real(pipe))),
            stderr: child.stderr.take().map(|pipe| ChildStderr(PipeArm::Real(pipe))),
            child: ChildArm::Real(child),
        })
    }
}

impl From<Stdio> for std::process::Stdio {
    fn from(stdio: Stdio) -> Self {
        match stdio {
            Stdio::Piped => Self::piped(),
            Stdio::Inherit => Self::inherit(),
            Stdio::Null => Self::null(),
        }
    }
}

/// A process that was started. Dropping it kills it, unless it was started detached.
#[derive(Debug)]
#[allow(clippy::struct_field_names)] // tokio's child inside ours
pub struct Child {
    child: ChildArm,
    /// Where to write what it reads; taken by whoever does.
    pub stdin: Option<ChildStdin>,
    /// Where to read what it writes; taken by whoever does.
    pub stdout: Option<ChildStdout>,
    /// Where to read what it complains; only if asked for with [`Command::stderr`].
    pub stderr: Option<ChildStderr>,
}

enum ChildArm {
    Real(tokio::process::Child),
    Sim(Box<dyn sim::Child>),
}

impl std::fmt::Debug for ChildArm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ChildArm")
    }
}

impl Child {
    /// Its process id, until it has been waited for.
    pub fn id(&self) -> Option<u32> {
        match &self.child {
            ChildArm::Real(child) => child.id(),
            ChildArm::Sim(child) => Some(child.id()),
        }
    }

    /// Closes its standard input and waits for its end.
    pub async fn wait(&mut self) -> io::Result<ExitStatus> {
        self.stdin = None;
        match &mut self.child {
            ChildArm::Real(child) => child.wait().await,
            ChildArm::Sim(child) => Ok(ExitStatus::from_raw(poll_fn(|cx| child.poll_wait(cx)).await)),
        }
    }

    /// Kills it (`SIGKILL`) and waits for its end.
    pub async fn kill(&mut self) -> io::Result<()> {
        match &mut self.child {
            ChildArm::Real(child) => child.kill().await,
            ChildArm::Sim(child) => {
                child.kill();
                poll_fn(|cx| child.poll_wait(cx)).await;
                Ok(())
            }
        }
    }

    /// Sends it a signal; it ends by that, unless it listens for it. Nothing happens if it has ended.
    ///
    /// # Errors
    /// If the operating system refuses.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        match &self.child {
            ChildArm::Real(child) => {
                let Some(id) = child.id() else { return Ok(()) };
                // The number is that of our own child, which keeps it until it has been waited for, and then tokio gives
                // none.
                let id = i32::try_from(id).ok().and_then(rustix::process::Pid::from_raw);
                let id = id.expect("the kernel counts its processes from one, in 22 bits");
                Ok(rustix::process::kill_process(id, signal.raw())?)
            }
            ChildArm::Sim(child) => {
                child.signal(signal);
                Ok(())
            }
        }
    }
}

/// The standard input of a process.
#[derive(Debug)]
pub struct ChildStdin(PipeArm<tokio::process::ChildStdin>);

/// The standard output of a process.
#[derive(Debug)]
pub struct ChildStdout(PipeArm<tokio::process::ChildStdout>);

/// The standard error of a process.
#[derive(Debug)]
pub struct ChildStderr(PipeArm<tokio::process::ChildStderr>);

/// One end of a pipe.
pub(crate) enum PipeArm<T> {
    Real(T),
    Sim(Box<dyn sim::Pipe>),
}

impl<T> std::fmt::Debug for PipeArm<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PipeArm")
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for PipeArm<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        match &mut *self {
            Self::Real(pipe) => Pin::new(pipe).poll_write(cx, from),
            Self::Sim(pipe) => pipe.poll_write(cx, from),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Real(pipe) => Pin::new(pipe).poll_flush(cx),
            Self::Sim(_) => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Real(pipe) => Pin::new(pipe).poll_shutdown(cx),
            Self::Sim(_) => Poll::Ready(Ok(())), // as a pipe has it: dropping closes
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for PipeArm<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Real(pipe) => Pin::new(pipe).poll_read(cx, into),
            Self::Sim(pipe) => {
                let len = std::task::ready!(pipe.poll_read(cx, into.initialize_unfilled()))?;
                into.advance(len);
                Poll::Ready(Ok(()))
            }
        }
    }
}

/// What has a pipe inside is read as that pipe.
macro_rules! reads_its_pipe {
    ($($end:ty),*) => {$(
        impl tokio::io::AsyncRead for $end {
            fn poll_read(
                mut self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
                into: &mut tokio::io::ReadBuf<'_>,
            ) -> std::task::Poll<std::io::Result<()>> {
                std::pin::Pin::new(&mut self.0).poll_read(cx, into)
            }
        }
    )*};
}

/// What has a pipe inside is written to as that pipe.
macro_rules! writes_its_pipe {
    ($end:ty) => {
        impl tokio::io::AsyncWrite for $end {
            fn poll_write(
                mut self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
                from: &[u8],
            ) -> std::task::Poll<std::io::Result<usize>> {
                std::pin::Pin::new(&mut self.0).poll_write(cx, from)
            }

            fn poll_flush(
                mut self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
            ) -> std::task::Poll<std::io::Result<()>> {
                std::pin::Pin::new(&mut self.0).poll_flush(cx)
            }

            fn poll_shutdown(
                mut self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
            ) -> std::task::Poll<std::io::Result<()>> {
                std::pin::Pin::new(&mut self.0).poll_shutdown(cx)
            }
        }
    };
}

pub(crate) use {reads_its_pipe, writes_its_pipe};

reads_its_pipe!(ChildStdout, ChildStderr);
writes_its_pipe!(ChildStdin);

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[test]
    fn what_goes_in_comes_out() {
        crate::run("test", async {
            let mut cat = Command::new("cat").spawn().unwrap();
            cat.stdin.take().unwrap().write_all(b"meow").await.unwrap();
            let mut out = String::new();
            cat.stdout.take().unwrap().read_to_string(&mut out).await.unwrap();
            assert_eq!(out, "meow");
            assert!(cat.wait().await.unwrap().success());
            assert!(Command::new("no-such-program-here").spawn().is_err());
        });
    }

    #[test]
    fn standard_error_and_the_exit_code_are_heard() {
        crate::run("test", async {
            let script = Command::new("sh").arg("-c").arg("pwd >&2; exit 7").dir("/").stdin(Stdio::Null);
            let mut child = script.stdout(Stdio::Null).stderr(Stdio::Piped).spawn().unwrap();
            assert!(child.stdin.is_none() && child.stdout.is_none());
            let mut complaint = String::new();
            child.stderr.take().unwrap().read_to_string(&mut complaint).await.unwrap();
            assert_eq!(complaint, "/\n");
            assert_eq!(child.wait().await.unwrap().code(), Some(7));
        });
    }

    #[test]
    fn a_signal_ends_who_does_not_listen() {
        crate::run("test", async {
            let mut cat = Command::new("cat").spawn().unwrap();
            cat.signal(Signal::Terminate).unwrap();
            let status = cat.wait().await.unwrap();
            assert_eq!((status.code(), status.signal()), (None, Some(15)));
            cat.signal(Signal::Terminate).unwrap(); // whoever has its number now is not meant
        });
    }

    #[test]
    fn a_killed_process_has_no_exit_code() {
        crate::run("test", async {
            let mut cat = Command::new("cat").spawn().unwrap();
            assert!(cat.id().is_some());
            cat.kill().await.unwrap();
            assert_eq!(cat.wait().await.unwrap().code(), None);
        });
    }
}
