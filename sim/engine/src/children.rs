//! Processes that nodes start, and the pipes between them.
//!
//! A child is a node of its own that lives on its parent's machine: it has the machine's disk, and ends with the
//! machine's power. What it runs is a function that the test has registered. Its parent's crash leaves it running; an
//! orderly end of its parent kills it, unless it was started detached.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use simurgh_runtime::Header;
use simurgh_runtime::process::Stdio;
use simurgh_runtime::signal::Signal;
use simurgh_runtime::sim::{self, Program, Started};

use crate::core::{Core, current};
use crate::disk::gone;
use crate::engine::{engine, with_core};
use crate::node::{Exit, Kill, Start};
use crate::trace::{Kind, digest};
use crate::verdict::Verdict;

/// Bytes that a pipe holds, as in Linux.
const PIPE_LEN_MAX: usize = 64 * 1024;
/// Bytes that a child may have printed and its parent not read. Printing cannot wait here; a real child would.
const PRINTED_MAX: usize = 1024 * 1024;
/// The status of a Rust program that panicked.
const PANICKED: i32 = 101;

/// The programs, the pipes, and what there is to know of children.
#[derive(Default)]
pub(crate) struct Children {
    programs: BTreeMap<String, Start>,
    pipes: BTreeMap<u64, PipeState>,
    next_pipe: u64,
    known: BTreeMap<u32, ChildState>,
}

struct ChildState {
    parent: u32,
    /// The life of the parent that started it.
    incarnation: u32,
    kill_on_drop: bool,
    /// The signal that ended it.
    signal: Option<i32>,
    streams: [Option<u64>; 3],
}

/// A pipe, and which nodes hold its ends.
struct PipeState {
    bytes: VecDeque<u8>,
    reader: Option<u32>,
    writer: Option<u32>,
    wakers: Vec<Waker>,
}

impl Children {
    pub(crate) fn register(&mut self, name: &str, start: Start) {
        self.programs.insert(name.to_owned(), start);
    }
}

impl Core {
    /// Starts a child of `parent`: its number, its program, and the parent's ends of its pipes.
    fn start_child(&mut self, parent: u32, program: &Program<'_>) -> io::Result<(u32, Start, [Option<u64>; 3])> {
        let name = Path::new(program.program).file_name().unwrap_or_default().to_string_lossy().into_owned();
        let start = self.children.programs.get(&name).cloned().ok_or(ErrorKind::NotFound)?;
        let state = &self.nodes[parent as usize];
        let (host, vars, incarnation) = (state.host, state.vars.clone(), state.rt.incarnation());
        let number = self.children.known.values().filter(|child| child.parent == parent).count() + 1;
        let full_name = format!("{}/{name}#{number}", self.nodes[parent as usize].rt.name());
        let child = self.add_node(&full_name, None);
        let words = |text: &std::ffi::OsString| text.to_string_lossy().into_owned();
        let state = &mut self.nodes[child as usize];
        (state.host, state.vars) = (host, vars);
        state.vars.extend(program.vars.iter().map(|(name, value)| (words(name), words(value))));
        state.args = std::iter::once(name).chain(program.args.iter().map(words)).collect();
        let mut streams = [None; 3];
        for (number, stdio) in program.streams.iter().enumerate() {
            if *stdio == Stdio::Piped {
                let (reader, writer) = if number == 0 { (child, parent) } else { (parent, child) };
                streams[number] = Some(self.add_pipe(reader, writer));
            }
        }
        let known = ChildState { parent, incarnation, kill_on_drop: program.kill_on_drop, signal: None, streams };
        self.children.known.insert(child, known);
        self.record(parent, current().1, Kind::Start, u64::from(child), 1, || format!("starts {full_name}"));
        Ok((child, start, streams))
    }

    fn add_pipe(&mut self, reader: u32, writer: u32) -> u64 {
        self.children.next_pipe += 1;
        let id = self.children.next_pipe;
        let wakers = Vec::new();
        let pipe = PipeState { bytes: VecDeque::new(), reader: Some(reader), writer: Some(writer), wakers };
        self.children.pipes.insert(id, pipe);
        id
    }

    /// Closes the ends of a pipe that `node` holds.
    fn close_pipe(&mut self, id: u64, node: u32) {
        let Some(pipe) = self.children.pipes.get_mut(&id) else { return };
        pipe.reader.take_if(|holder| *holder == node);
        pipe.writer.take_if(|holder| *holder == node);
        self.wakes.append(&mut pipe.wakers);
        if pipe.reader.is_none() && pipe.writer.is_none() {
            self.children.pipes.remove(&id);
        }
    }

    /// A process has ended: its ends of pipes are closed.
    pub(crate) fn close_pipes(&mut self, node: u32) {
        let held = |pipe: &PipeState| pipe.reader == Some(node) || pipe.writer == Some(node);
        let ids: Vec<u64> = self.children.pipes.iter().filter(|(_, pipe)| held(pipe)).map(|(id, _)| *id).collect();
        for id in ids {
            self.close_pipe(id, node);
        }
    }

    /// The children that end with a process, and how: all of a machine without power; those of a parent that ended
    /// in order, if they were not started detached.
    pub(crate) fn ending_with(&self, node: u32, kill: Option<Kill>) -> Vec<(u32, Kill)> {
        let is_power = matches!(kill, Some(Kill::Power | Kill::Wipe));
        let incarnation = self.nodes[node as usize].rt.incarnation();
        let ends = |child: u32, state: &ChildState| {
            let is_own = state.parent == node && state.incarnation == incarnation;
            (is_power && self.nodes[child as usize].host == node) || (kill.is_none() && is_own && state.kill_on_drop)
        };
        let how = if is_power { Kill::Power } else { Kill::Crash };
        let ending = self.children.known.iter().filter(|(child, state)| ends(**child, state));
        ending.map(|(child, _)| (*child, how)).collect()
    }

    /// What wait(2) says of a child, if it has ended.
    fn status(&self, child: u32) -> Option<i32> {
        match self.nodes[child as usize].exit.as_ref()? {
            Exit::Finished => Some(0),
            Exit::Failed(why) if why.starts_with("panic: ") => Some(PANICKED << 8),
            Exit::Failed(_) => Some(1 << 8),
            Exit::Killed => {
                Some(self.children.known.get(&child).and_then(|child| child.signal).unwrap_or(libc::SIGKILL))
            }
        }
    }

    /// Bytes that a child prints; false if its output is no pipe. What nobody reads ends the run before it fills memory.
    pub(crate) fn print_to_pipe(&mut self, node: u32, number: usize, bytes: &[u8]) -> bool {
        let stream = self.children.known.get(&node).and_then(|child| child.streams[number]);
        let Some(pipe) = stream.and_then(|id| self.children.pipes.get_mut(&id)) else { return false };
        if pipe.reader.is_none() {
            return true;
        }
        if pipe.bytes.len() + bytes.len() > PRINTED_MAX {
            let name = self.nodes[node as usize].rt.name().to_owned();
            let why = format!("{name} has printed more than {PRINTED_MAX} bytes that its parent does not read");
            self.fail(Verdict::Refused(why));
            return true;
        }
        pipe.bytes.extend(bytes);
        self.wakes.append(&mut pipe.wakers);
        true
    }
}

/// Starts a process for the node that runs.
pub(crate) fn start(program: &Program<'_>) -> io::Result<Started> {
    let (parent, _) = current();
    let started = with_core(|core| core.start_child(parent, program));
    let (child, start, streams) = started.unwrap_or_else(|| Err(gone()))?;
    let engine = engine().ok_or_else(gone)?;
    let node = engine.with(|core| Arc::clone(&core.nodes[child as usize].rt));
    let header = Header::for_world(node, "main");
    let future = {
        let _entered = header.enter();
        start()
    };
    engine.spawn(header, future, true);
    let pipes = streams.map(|id| {
        let id = id?;
        let pipe: Box<dyn sim::Pipe> = Box::new(PipeEnd { id, node: parent, closes: true });
        Some(pipe)
    });
    Ok(Started { child: Box::new(ChildHandle { child }), pipes })
}

/// A standard stream of the node that runs, if it is a pipe.
pub(crate) fn standard_stream(number: usize) -> Option<Box<dyn sim::Pipe>> {
    let (node, _) = current();
    let id = with_core(|core| core.children.known.get(&node)?.streams[number]).flatten()?;
    Some(Box::new(PipeEnd { id, node, closes: false }))
}

/// A child, in its parent's hands.
struct ChildHandle {
    child: u32,
}

impl sim::Child for ChildHandle {
    fn id(&self) -> u32 {
        1_000 + self.child
    }

    fn poll_wait(&mut self, cx: &mut Context<'_>) -> Poll<i32> {
        let status = with_core(|core| {
            let status = core.status(self.child);
            if status.is_none() {
                core.nodes[self.child as usize].watchers.push(cx.waker().clone());
            }
            status
        });
        status.flatten().map_or(Poll::Pending, Poll::Ready)
    }

    fn kill(&self) {
        end(self.child, libc::SIGKILL);
    }

    fn signal(&self, signal: Signal) {
        let listens = with_core(|core| {
            let listens = core.nodes[self.child as usize].signals.contains_key(&(signal as u8));
            if listens {
                core.raise(self.child, signal);
            }
            listens
        });
        if listens == Some(false) {
            end(self.child, i32::from(signal as u8));
        }
    }
}

/// Ends a child by a signal, unless the one who sends it is dead, or it has ended.
fn end(child: u32, signal: i32) {
    let runs = with_core(|core| {
        let runs = core.nodes[child as usize].is_running();
        if let Some(state) = core.children.known.get_mut(&child).filter(|_| runs) {
            state.signal = Some(signal);
        }
        runs
    });
    if let (Some(true), Some(engine)) = (runs, engine()) {
        engine.end_process(child, &Exit::Killed, Some(Kill::Crash));
    }
}

impl Drop for ChildHandle {
    fn drop(&mut self) {
        let kills = with_core(|core| core.children.known.get(&self.child).is_some_and(|child| child.kill_on_drop));
        if kills == Some(true) {
            end(self.child, libc::SIGKILL);
        }
    }
}

/// An end of a pipe.
struct PipeEnd {
    id: u64,
    node: u32,
    /// Whether dropping it closes it: a process's own standard streams are open until it ends.
    closes: bool,
}

impl sim::Pipe for PipeEnd {
    fn poll_read(&mut self, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        let read = with_core(|core| {
            let Some(pipe) = core.children.pipes.get_mut(&self.id) else { return Poll::Ready(Ok(0)) };
            if pipe.bytes.is_empty() && pipe.writer.is_some() && !into.is_empty() {
                pipe.wakers.push(cx.waker().clone());
                return Poll::Pending;
            }
            let len = pipe.bytes.len().min(into.len());
            pipe.bytes.drain(..len).zip(&mut *into).for_each(|(byte, place)| *place = byte);
            core.wakes.append(&mut pipe.wakers);
            core.record_here(Kind::Read, self.id, len as u64, || format!("{len} bytes from a pipe"));
            Poll::Ready(Ok(len))
        });
        read.unwrap_or(Poll::Pending)
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        let written = with_core(|core| {
            let pipe = core.children.pipes.get_mut(&self.id).filter(|pipe| pipe.reader.is_some());
            let Some(pipe) = pipe else { return Poll::Ready(Err(ErrorKind::BrokenPipe.into())) };
            let len = from.len().min(PIPE_LEN_MAX.saturating_sub(pipe.bytes.len()));
            if len == 0 && !from.is_empty() {
                pipe.wakers.push(cx.waker().clone());
                return Poll::Pending;
            }
            pipe.bytes.extend(&from[..len]);
            core.wakes.append(&mut pipe.wakers);
            core.record_here(Kind::Write, self.id, digest(&from[..len]), || format!("{len} bytes into a pipe"));
            Poll::Ready(Ok(len))
        });
        written.unwrap_or(Poll::Pending)
    }
}

impl Drop for PipeEnd {
    fn drop(&mut self) {
        if self.closes {
            with_core(|core| core.close_pipe(self.id, self.node));
        }
    }
}
