//! One operator's connection.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use simurgh_config::Secret;
use simurgh_otp::observer::{self, Tree};
use simurgh_otp::{self as otp, Pid};
use simurgh_runtime::{Node, sleep, timeout};
use simurgh_telemetry::event;
use simurgh_telemetry::logs::OneLine;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::command::{Command, Form, HELP};
use super::lines::{Lines, NoLine};
use super::{GREETING_TIMEOUT, LINE_LEN_MAX, WRONG_TOKEN_DELAY};
use crate::Connection;

/// What a client says first, before the token; and what the node says, before its name.
pub(super) const GREETING: &str = "simurgh-control 1";

/// Serves a connection until either side ends it.
pub(super) async fn serve(mut connection: Connection, token: Arc<Secret<String>>) -> io::Result<()> {
    let mut lines = Lines::new(LINE_LEN_MAX);
    let Ok(first) = timeout(GREETING_TIMEOUT, next(&mut connection, &mut lines)).await else {
        return refuse(&mut connection, "no greeting came").await;
    };
    let greeting = match first? {
        Some(Ok(line)) => line,
        Some(Err(_)) => return refuse(&mut connection, &no_greeting()).await,
        None => return Ok(()),
    };
    let Some(said) = greeting.strip_prefix(GREETING).and_then(|rest| rest.strip_prefix(' ')) else {
        return refuse(&mut connection, &no_greeting()).await;
    };
    if !token.is(said) {
        event!("net.control.refused", { count: 1 });
        tracing::warn!(peer = %connection.peer_addr(), "an operator's connection was refused: wrong token");
        sleep(WRONG_TOKEN_DELAY).await;
        return refuse(&mut connection, "wrong token").await;
    }
    let node = Node::current().name().to_owned();
    connection.write_all(format!("ok {GREETING} {}\n", OneLine(&node)).as_bytes()).await?;
    let mut session = Session::default();
    while let Some(line) = next(&mut connection, &mut lines).await? {
        let line = match line {
            Ok(line) => line,
            Err(NoLine::NotText) => {
                say(&mut connection, &Err("that is not UTF-8".to_owned())).await?;
                continue;
            }
            Err(NoLine::TooLong) => {
                return refuse(&mut connection, &format!("a line has at most {LINE_LEN_MAX} bytes")).await;
            }
        };
        let answer = match Command::parse(&line) {
            Ok(Command::Quit) => return Ok(()),
            Ok(command) => session.carry_out(command).await,
            Err(why) => Err(why),
        };
        say(&mut connection, &answer).await?;
    }
    Ok(())
}

fn no_greeting() -> String {
    format!("say first: {GREETING} TOKEN")
}

/// The next line; none at the end.
async fn next(connection: &mut Connection, lines: &mut Lines) -> io::Result<Option<Result<String, NoLine>>> {
    loop {
        if let Some(line) = lines.next() {
            return Ok(Some(line));
        }
        let mut piece = [0; 256];
        match connection.read(&mut piece).await? {
            0 => return Ok(None),
            len => lines.push(&piece[..len]),
        }
    }
}

/// One line, and the end.
async fn refuse(connection: &mut Connection, why: &str) -> io::Result<()> {
    say(connection, &Err(why.to_owned())).await?;
    connection.shutdown().await
}

async fn say(connection: &mut Connection, answer: &Result<String, String>) -> io::Result<()> {
    let said = match answer {
        Ok(body) => {
            let mut said = format!("ok {}\n", body.lines().count());
            for line in body.lines() {
                said.push_str(line);
                said.push('\n');
            }
            said
        }
        Err(why) => format!("error {}\n", OneLine(why)),
    };
    connection.write_all(said.as_bytes()).await?;
    connection.flush().await
}

/// What a connection remembers.
#[derive(Default)]
struct Session {
    last: Option<Tree>,
    traced: BTreeSet<Pid>,
}

impl Session {
    async fn carry_out(&mut self, command: Command) -> Result<String, String> {
        match command {
            Command::Tree { form, by } => {
                let tree = observer::tree();
                let tree = by.map(|by| tree.sorted(by)).unwrap_or(tree);
                Ok(in_form(form, &tree, Tree::to_json))
            }
            Command::Diff(form) => {
                let now = observer::tree();
                let diff = Tree::diff(self.last.as_ref().unwrap_or(&now), &now);
                self.last = Some(now);
                Ok(in_form(form, &diff, observer::Diff::to_json))
            }
            Command::Kill(pid) => {
                if !observer::kill(pid) {
                    return Err(format!("there is no process {pid}"));
                }
                tracing::warn!(%pid, "killed by an operator");
                Ok(format!("killed {pid}"))
            }
            Command::Trace { pid, on } => {
                observer::trace(pid, on).map_err(|error| error.to_string())?;
                if on {
                    self.traced.insert(pid);
                } else {
                    self.traced.remove(&pid);
                }
                Ok(format!("tracing {pid}: {}", if on { "on" } else { "off" }))
            }
            Command::TraceLines { form, after } => {
                let lines = observer::trace_lines(after);
                let lines = lines.iter().map(|line| in_form(form, line, observer::TraceLine::to_json));
                Ok(lines.collect::<Vec<_>>().join("\n"))
            }
            Command::Describe(pid) => {
                let words = observer::describe(pid).await.map_err(|error| error.to_string())?;
                Ok(words.lines().map(|line| OneLine(line).to_string()).collect::<Vec<_>>().join("\n"))
            }
            Command::Crashes(form) => {
                let between = if form == Form::Text { "\n\n" } else { "\n" };
                let reports = otp::crashes();
                let reports = reports.iter().map(|report| in_form(form, &**report, otp::CrashReport::to_json));
                Ok(reports.collect::<Vec<_>>().join(between))
            }
            Command::Help => Ok(HELP.to_owned()),
            Command::Quit => Ok(String::new()),
        }
    }
}

impl Drop for Session {
    /// A trace that nobody reads any more only costs.
    fn drop(&mut self) {
        if Node::try_current().is_some() {
            self.traced.iter().for_each(|pid| drop(observer::trace(*pid, false)));
        }
    }
}

fn in_form<T: std::fmt::Display>(form: Form, what: &T, json: impl Fn(&T) -> String) -> String {
    match form {
        Form::Json => json(what),
        Form::Text => what.to_string(),
    }
}
