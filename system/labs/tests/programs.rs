//! The programs, as a person starts them.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::unwrap_used)] // a test starts programs

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Output, Stdio};

fn echo(args: &[&str], vars: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_echo"));
    command.args(args).envs(vars.iter().copied()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn error_of(output: &Output) -> (Option<i32>, String) {
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// A running echo service and the port that it printed.
fn running(args: &[&str]) -> (Child, u16) {
    let mut child = echo(args, &[]).spawn().unwrap();
    let mut first = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut first).unwrap();
    let port = first
        .trim()
        .strip_prefix("Listening on port ")
        .and_then(|rest| rest.strip_suffix("..."))
        .unwrap()
        .parse()
        .unwrap();
    (child, port)
}

#[test]
fn it_says_where_it_listens_echoes_and_ends_in_order_on_sigterm() {
    let (mut child, port) = running(&["--port", "0"]);
    let mut client = TcpStream::connect(("127.0.0.1", port)).unwrap();
    client.write_all(b"byte for byte\n").unwrap();
    let mut back = [0; 14];
    client.read_exact(&mut back).unwrap();
    assert_eq!(&back, b"byte for byte\n");
    assert!(Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
    let mut rest = Vec::new();
    client.read_to_end(&mut rest).unwrap();
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_port_in_use_and_a_bad_address_are_one_line() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let output = echo(&["--port", &port.to_string()], &[]).output().unwrap();
    let expected =
        format!("error: port {port} is in use; stop the other program or choose another port (0 takes a free one)\n");
    assert_eq!(error_of(&output), (Some(1), expected));

    let output = echo(&[], &[("ECHO_ADDR", "192.0.2.1:4000")]).output().unwrap();
    let (code, text) = error_of(&output);
    assert_eq!((code, text.lines().count()), (Some(1), 1), "{text}");
    assert!(text.starts_with("error: 192.0.2.1:4000 is not an address of this machine"), "{text}");
}

#[test]
fn a_bad_flag_is_one_line() {
    for (args, says) in [
        (&["--prot", "1"][..], "error: there is no --prot; echo --help lists what there is\n"),
        (&["--port"], "error: --port wants a value\n"),
        (&["--port", "70000"], "error: --port: \"70000\" is not a number from 0 to 65535\n"),
    ] {
        assert_eq!(error_of(&echo(args, &[]).output().unwrap()), (Some(2), says.to_owned()));
    }
}

#[test]
fn a_configuration_with_three_errors_says_all_three() {
    let vars = [("ECHO_ADDR", "everywhere"), ("ECHO_MAX_CONNECTIONS", "0"), ("ECHO_READ_TIMEOUT", "60")];
    let (code, text) = error_of(&echo(&[], &vars).output().unwrap());
    assert_eq!((code, text.lines().count()), (Some(2), 4), "{text}");
    assert!(text.starts_with("error: configuration has 3 errors:\n"), "{text}");
    for name in ["ECHO_ADDR", "ECHO_MAX_CONNECTIONS", "ECHO_READ_TIMEOUT"] {
        assert!(text.contains(name), "{text}");
    }
}

#[test]
fn without_file_handles_it_says_so() {
    let program = env!("CARGO_BIN_EXE_echo");
    let output = Command::new("sh").args(["-c", &format!("ulimit -n 6; exec {program} --port 0")]).output().unwrap();
    let (code, text) = error_of(&output);
    assert_eq!((code, text.lines().count()), (Some(1), 1), "{text}");
    assert!(text.starts_with("error: ") && !text.contains("panic"), "{text}");
}

#[test]
fn help_lists_the_settings() {
    let output = echo(&["--help"], &[]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("ECHO_ADDR") && text.contains("ECHO_DRAIN_TIMEOUT"), "{text}");
}

#[test]
fn the_lab_shows_its_points() {
    let output = Command::new(env!("CARGO_BIN_EXE_lab")).args(["echo", "--conns", "200"]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    for point in 1..=9 {
        assert!(text.contains(&format!("[1.{point}] PASS")), "1.{point}: {text}");
    }
    assert!(text.contains("[kill] PASS") && text.contains(" 0 bystanders hurt"), "{text}");

    let output = Command::new(env!("CARGO_BIN_EXE_lab")).args(["echo", "--conns", "1000000"]).output().unwrap();
    let (code, text) = error_of(&output);
    assert_eq!((code, text.lines().count()), (Some(1), 1), "{text}");
    assert!(text.contains("raise the limit"), "{text}");

    let output = Command::new(env!("CARGO_BIN_EXE_lab")).args(["echo", "--conns", "5"]).output().unwrap();
    let expected = "error: --conns: at least 100; with fewer, the memory of one cannot be told\n";
    assert_eq!(error_of(&output), (Some(2), expected.to_owned()));
}

/// What a server answers to one request, without the head.
fn asked(port: u16, request: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split_once("\r\n\r\n").unwrap().1.to_owned()
}

#[test]
fn miniweb_answers_its_transcript_prints_ways_and_ends_in_order() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_lab"))
        .args(["miniweb", "--port", "0", "--trace"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let first = lines.next().unwrap();
    let port = first.strip_prefix("Server running at http://localhost:").unwrap().parse().unwrap();
    let get = |path: &str| asked(port, &format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"));
    assert_eq!(
        [get("/"), get("/hello/world"), get("/unknown")],
        ["Welcome to MiniWeb!", "Hello, world!", "404 Not Found"]
    );
    let alice = "POST /users HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: 17\r\n\
                 content-type: application/x-www-form-urlencoded\r\n\r\n{\"name\": \"Alice\"}";
    assert_eq!(asked(port, alice), "Created user: Alice");
    assert!(Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
    let rest: Vec<String> = lines.collect();
    assert!(child.wait().unwrap().success());
    assert!(rest.iter().any(|line| line.starts_with("GET /hello/world -> 200 in ")), "{rest:#?}");
    assert!(rest.iter().any(|line| line.starts_with("      -> handler pages::hello ")), "{rest:#?}");
}

#[test]
fn miniweb_shows_its_points() {
    let output = Command::new(env!("CARGO_BIN_EXE_lab")).args(["miniweb", "--show"]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    for point in 1..=11 {
        assert!(text.contains(&format!("[3.{point}] PASS")), "3.{point}: {text}");
    }
}
