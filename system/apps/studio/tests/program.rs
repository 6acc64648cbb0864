//! The program, as a person or systemd starts it.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::unwrap_used)] // a test starts programs

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Output, Stdio};

fn studio(args: &[&str], vars: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_studio"));
    command.args(args).env_clear().envs(vars.iter().copied());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

struct Running {
    child: Child,
    port: u16,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
    }
}

fn running(name: &str, vars: &[(&str, &str)]) -> Running {
    let data = format!("{}/{name}", env!("CARGO_TARGET_TMPDIR"));
    let vars = [&[("STUDIO_DATA", data.as_str())], vars].concat();
    let mut child = studio(&["--port", "0"], &vars).stderr(Stdio::null()).spawn().unwrap();
    let mut first = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut first).unwrap();
    let port = first.trim().strip_prefix("Studio running at http://localhost:").unwrap().parse().unwrap();
    Running { child, port }
}

/// The status and all of the answer.
fn get(port: u16, path: &str, headers: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let headers = if headers.contains("host:") { headers.to_owned() } else { format!("host: localhost\r\n{headers}") };
    write!(stream, "GET {path} HTTP/1.1\r\n{headers}connection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    (answer.split(' ').nth(1).unwrap().parse().unwrap(), answer)
}

fn said(output: &Output) -> (Option<i32>, String) {
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn wrong_settings_are_said_all_at_once_and_nothing_is_started() {
    let vars = [
        ("STUDIO_ADDR", "everywhere"),
        ("STUDIO_DRAIN", "1h"),
        ("STUDIO_MODE", "prod"),
        ("STUDIO_NODE_PASSWORD", "short"),
        ("STUDIO_ORIGINS", "chat.example"),
    ];
    let (code, text) = said(&studio(&[], &vars).output().unwrap());
    assert_eq!(code, Some(2), "{text}");
    assert!(text.starts_with("error: configuration has 5 errors:\n"), "{text}");
    for (name, _) in vars {
        assert!(text.contains(&format!("\n  {name}: ")), "{name}: {text}");
    }
    assert!(!text.contains("short"), "a password is not shown: {text}");
}

#[test]
fn a_place_that_cannot_be_written_to_is_one_line() {
    let (code, text) = said(&studio(&["--port", "0"], &[("STUDIO_DATA", "/dev/null/data")]).output().unwrap());
    assert_eq!((code, text.lines().count()), (Some(1), 1), "{text}");
    assert!(text.starts_with("error: the directory /dev/null/data/rooms cannot be written to"), "{text}");
}

#[test]
fn it_is_alive_ready_and_ends_with_0_when_asked_to() {
    let mut studio = running("ends", &[]);
    for path in ["/healthz", "/readyz", "/", "/rooms/lobby", "/assets/room.js"] {
        assert_eq!(get(studio.port, path, "").0, 200, "{path}");
    }
    let port = studio.port.to_string();
    let check = |port: &str| self::studio(&["check", "--port", port], &[]).output().unwrap();
    assert_eq!(said(&check(&port)), (Some(0), String::new()));
    assert!(Command::new("kill").arg(studio.child.id().to_string()).status().unwrap().success());
    assert_eq!(studio.child.wait().unwrap().code(), Some(0));
    assert_eq!(check(&port).status.code(), Some(1));
}

/// A socket of a page that says nothing.
fn websocket(port: u16) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let head = "GET /socket/websocket?vsn=2.0.0 HTTP/1.1\r\nhost: localhost\r\nupgrade: websocket\r\n\
                connection: upgrade\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        answer.push(byte[0]);
    }
    assert!(answer.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&answer));
    stream
}

#[test]
fn under_900_sockets_it_tells_each_1012_and_ends_with_0_within_30_s() {
    const SOCKETS: usize = 900; // of the 1,024 files that a process may have open where nothing else is said
    const CLOSE: [u8; 8] = [0x88, 0x82, 0, 0, 0, 0, 0x03, 0xf4];
    let mut studio = running("drains", &[]);
    let mut sockets: Vec<TcpStream> = (0..SOCKETS).map(|_| websocket(studio.port)).collect();
    let began = std::time::Instant::now();
    assert!(Command::new("kill").arg(studio.child.id().to_string()).status().unwrap().success());
    for socket in &mut sockets {
        socket.set_read_timeout(Some(std::time::Duration::from_secs(30))).unwrap();
        let mut head = [0; 4];
        socket.read_exact(&mut head).unwrap();
        assert_eq!((head[0], &head[2..]), (0x88, &[0x03, 0xf4][..]), "a close frame with 1012");
        socket.write_all(&CLOSE).unwrap();
    }
    assert_eq!(studio.child.wait().unwrap().code(), Some(0));
    assert!(began.elapsed().as_secs() < 30);
}

#[test]
fn pages_have_a_strict_policy_and_no_handlers_in_them() {
    let studio = running("policy", &[]);
    for path in ["/", "/rooms/lobby", "/node"] {
        let (_, page) = get(studio.port, path, "");
        let policy = page.lines().find_map(|line| line.strip_prefix("content-security-policy: ")).unwrap();
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        let (_, body) = page.split_once("\r\n\r\n").unwrap();
        for inline in [" onclick", " onload", " onerror", "javascript:", " style="] {
            assert!(!body.contains(inline), "{path} has {inline}");
        }
    }
}

#[test]
fn operators_are_let_in_in_development_on_loopback_else_by_password() {
    const AUTH: &str = "authorization: Basic b3BlcmF0b3I6Y29ycmVjdCBob3JzZQ==\r\n"; // operator:correct horse
    let open = running("open", &[("STUDIO_MODE", "development")]);
    let shut = running("shut", &[("STUDIO_MODE", "production")]);
    let locked = running("locked", &[("STUDIO_MODE", "production"), ("STUDIO_NODE_PASSWORD", "correct horse")]);
    for (studio, headers, status) in [
        (&open, "", 200),
        (&open, "host: studio.example\r\n", 404),
        (&open, "x-forwarded-for: 203.0.113.7\r\n", 404),
        (&shut, "", 404),
        (&locked, "", 401),
        (&locked, AUTH, 200),
        (&locked, "authorization: Basic b3BlcmF0b3I6d3Jvbmc=\r\n", 401),
    ] {
        for path in ["/node", "/node.json"] {
            assert_eq!(get(studio.port, path, headers).0, status, "{path} with {headers:?}");
        }
    }
}

#[test]
fn logs_are_json_if_asked_for() {
    let mut child = studio(
        &["--port", "0"],
        &[("STUDIO_DATA", concat!(env!("CARGO_TARGET_TMPDIR"), "/json")), ("STUDIO_LOG_FORMAT", "json")],
    )
    .spawn()
    .unwrap();
    let mut line = String::new();
    BufReader::new(child.stderr.as_mut().unwrap()).read_line(&mut line).unwrap();
    child.kill().unwrap();
    let mut printed = String::new();
    child.stdout.take().unwrap().read_to_string(&mut printed).unwrap();
    child.wait().unwrap();
    assert_eq!(printed, "", "nothing beside the log, which one journal may take up with it");
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!((line["level"].as_str(), line["message"].as_str()), (Some("INFO"), Some("listening")));
}
