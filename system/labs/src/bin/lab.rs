//! `cargo lab NAME`: runs a demonstration.

#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::ExitCode;

use simurgh::prelude::*;
use simurgh::runtime::process::{Command, Stdio};
use simurgh_labs::echo::lab::{self, LabOptions};
use simurgh_labs::tree::Killed;
use simurgh_labs::{channels, miniweb, observer, tree};

const HELP: &str = "\
Runs a demonstration of one system, on real sockets, and prints what it shows with figures.

usage: lab list
       lab echo [--conns N] [--port P] [--rounds R]
       lab tree [--kill acceptor|connection] [--conns N]
       lab tree --sim [--seed N]
       lab miniweb [--port P] [--trace] [--show] [--routes]
       lab channels [--port P]
       lab observer [--demo] [--once] [--json] [--sort mailbox|memory|handled] [--node NAME]

  echo   a TCP service with a process for each connection: its nine points, the memory of an idle
         connection, accepts and echoes a second, and a kill of one handler in a hundred
         --conns N    connections at once (default 1000, at least 100; the file limit is the bound)
         --port P     where it listens (default 0: a free port)
         --rounds R   echoes on each connection (default 100)

  tree   the same service as a supervision tree: the points of supervisors, servers and applications,
         a kill in the middle of it, and the time of the restart
         --kill WHOM  acceptor (the default) or connection
         --conns N    connections open meanwhile (default 1000, at least 10)
         --sim        the tree under the simulator instead: cargo sim run tree/crash-orders
         --seed N     with that seed (default 1)

  miniweb   a web application, until it is told to end: GET /, GET /hello/world, POST /users, ..
         --port P     where it listens (default 4000; 0 takes a free port)
         --trace      prints the way of each request through endpoint, router, pipeline and handler
         --show       shows the points of the web core instead, on a free port
         --routes     lists the routes instead

  channels   rooms for any client of the channel protocol, at /socket, until it is told to end
         --port P     where it listens (default 4000; 0 takes a free port)

  observer   the processes of a running node, live in this terminal; lab observer --help says more

example: lab echo --conns 10000
";

fn main() -> ExitCode {
    let args: Vec<String> = runtime::env::args().into_iter().skip(1).collect();
    match command(&args) {
        Ok(code) => code,
        Err(why) => {
            err!("error: {why}");
            ExitCode::from(2)
        }
    }
}

fn command(args: &[String]) -> Result<ExitCode, String> {
    let (name, rest) = args.split_first().map_or(("--help", &[][..]), |(name, rest)| (name.as_str(), rest));
    match (name, rest) {
        ("--help" | "-h" | "help", _) => {
            out!("{}", HELP.trim_end());
            Ok(ExitCode::SUCCESS)
        }
        ("list", []) => {
            out!("echo       a TCP service with a process for each connection");
            out!("tree       that service as a supervision tree, with a kill in the middle of it");
            out!("miniweb    a web application from the server up");
            out!("channels   rooms for any client of the channel protocol");
            out!("observer   the processes of a running node, live in this terminal");
            Ok(ExitCode::SUCCESS)
        }
        ("echo", rest) if rest.iter().any(|word| word == "--help" || word == "-h") => {
            out!("{}", HELP.trim_end());
            Ok(ExitCode::SUCCESS)
        }
        ("echo", rest) => {
            let flags = flags(rest, &["conns", "port", "rounds"])?;
            let connections = number(&flags, "conns", 1_000)?;
            if connections < 100 {
                return Err("--conns: at least 100; with fewer, the memory of one cannot be told".to_owned());
            }
            let options = LabOptions {
                connections,
                port: number(&flags, "port", 0)?
                    .try_into()
                    .map_err(|_| "--port: a port is a number from 0 to 65535")?,
                rounds: number(&flags, "rounds", 100)?.max(1),
            };
            Ok(runtime::exit_code(runtime::run("lab", lab::run(options))))
        }
        ("tree", rest) => tree_command(rest),
        ("miniweb", rest) => miniweb_command(rest),
        ("channels", rest) => {
            let flags = flags(rest, &["port"])?;
            let port = number(&flags, "port", 4_000)?;
            let port = port.try_into().map_err(|_| "--port: a port is a number from 0 to 65535")?;
            Ok(runtime::exit_code(runtime::run("channels", channels::serve(port))))
        }
        ("observer", rest) => observer::command(rest),
        ("__echo-server", [port, connections]) => {
            let (port, connections) = (port.parse().unwrap_or(0), connections.parse().unwrap_or(0));
            Ok(runtime::exit_code(runtime::run("echo", lab::server(port, connections))))
        }
        ("__echo-clients", [addr]) => {
            let addr: SocketAddr = addr.parse().map_err(|_| format!("{addr} is not an address"))?;
            Ok(runtime::exit_code(runtime::run("clients", lab::clients(addr))))
        }
        (other, _) => Err(format!("there is no lab {other}; lab list names them")),
    }
}

fn tree_command(rest: &[String]) -> Result<ExitCode, String> {
    if rest.iter().any(|word| word == "--help" || word == "-h") {
        out!("{}", HELP.trim_end());
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(sim) = rest.iter().position(|word| word == "--sim") {
        let others: Vec<String> =
            rest.iter().enumerate().filter(|(at, _)| *at != sim).map(|(_, word)| word.clone()).collect();
        let seed = number(&flags(&others, &["seed"])?, "seed", 1)?;
        return runtime::run("lab", simulated("tree/crash-orders", seed));
    }
    let flags = flags(rest, &["kill", "conns"])?;
    let kill = match flags.get("kill").map_or("acceptor", String::as_str) {
        "acceptor" => Killed::Acceptor,
        "connection" => Killed::Connection,
        other => return Err(format!("--kill: there is no {other}; acceptor or connection")),
    };
    let connections = number(&flags, "conns", 1_000)?;
    if !(10..=15_000).contains(&connections) {
        return Err("--conns: from 10 to 15000".to_owned());
    }
    let options = tree::LabOptions { kill, connections };
    Ok(runtime::exit_code(runtime::run("echo", tree::run(options))))
}

fn miniweb_command(rest: &[String]) -> Result<ExitCode, String> {
    const SWITCHES: [&str; 3] = ["--trace", "--show", "--routes"];
    let is_said = |switch: &str| rest.iter().any(|word| word == switch);
    if is_said("--help") || is_said("-h") {
        out!("{}", HELP.trim_end());
        return Ok(ExitCode::SUCCESS);
    }
    let others: Vec<String> = rest.iter().filter(|word| !SWITCHES.contains(&word.as_str())).cloned().collect();
    let flags = flags(&others, &["port"])?;
    if is_said("--routes") {
        miniweb::lab::routes();
        return Ok(ExitCode::SUCCESS);
    }
    if is_said("--show") {
        return Ok(runtime::exit_code(runtime::run("miniweb", miniweb::lab::show())));
    }
    let port = number(&flags, "port", 4_000)?.try_into().map_err(|_| "--port: a port is a number from 0 to 65535")?;
    let options = miniweb::lab::LabOptions { port, trace: is_said("--trace") };
    Ok(runtime::exit_code(runtime::run("miniweb", miniweb::lab::serve(options))))
}

/// Hands over to the simulator, which is no part of this program.
async fn simulated(name: &str, seed: u64) -> Result<ExitCode, String> {
    let command = Command::new("cargo").arg("sim").arg("run").arg(name).arg("--seed").arg(seed.to_string());
    let command = command.stdin(Stdio::Null).stdout(Stdio::Inherit);
    let mut child = command.spawn().map_err(|error| format!("cargo does not start: {error}"))?;
    let status = child.wait().await.map_err(|error| error.to_string())?;
    Ok(ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)))
}

fn flags(words: &[String], known: &[&str]) -> Result<BTreeMap<String, String>, String> {
    let mut flags = BTreeMap::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let name = word.strip_prefix("--").filter(|name| known.contains(name));
        let name = name.ok_or_else(|| format!("there is no {word} here; lab --help lists what there is"))?;
        let value = words.next().ok_or_else(|| format!("{word} wants a value"))?;
        flags.insert(name.to_owned(), value.clone());
    }
    Ok(flags)
}

fn number(flags: &BTreeMap<String, String>, name: &str, default: u64) -> Result<u64, String> {
    let Some(text) = flags.get(name) else { return Ok(default) };
    text.replace('_', "").parse().map_err(|_| format!("--{name}: \"{text}\" is not a number"))
}
