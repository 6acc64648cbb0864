//! One exchange: what is sent, what comes back, how it ends.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use crate::cases::{Case, Step};

/// A connection without a byte for so long is open. Longer than the server's limits where a case says so.
const QUIET: Duration = Duration::from_millis(700);
const QUIET_SLOW: Duration = Duration::from_millis(4_500);

/// Sends the case's bytes, and says what came of it.
pub fn exchange(to: SocketAddr, case: &Case) -> String {
    let Ok(stream) = TcpStream::connect(to) else { return "refused".to_owned() };
    let quiet = if case.is_slow { QUIET_SLOW } else { QUIET };
    stream.set_nodelay(true).expect("a socket's option");
    stream.set_write_timeout(Some(Duration::from_secs(8))).expect("a socket's option");
    thread::scope(|scope| {
        let reader = (!case.reads_late).then(|| {
            let stream = &stream;
            scope.spawn(move || read_all(stream, quiet))
        });
        for step in &case.steps {
            let done = match step {
                Step::Send(bytes) => (&stream).write_all(bytes).is_ok(),
                Step::Wait(ms) => {
                    thread::sleep(Duration::from_millis(*ms));
                    true
                }
                Step::End => stream.shutdown(Shutdown::Write).is_ok(),
            };
            if !done {
                break; // the server has closed: what it said is read below
            }
        }
        let (bytes, end) = match reader {
            Some(reader) => reader.join().expect("a reader does not panic"),
            None => read_all(&stream, quiet),
        };
        outcome(&bytes, end)
    })
}

/// Whether it answers an honest request.
pub fn is_alive(server: SocketAddr) -> bool {
    let Ok(mut stream) = TcpStream::connect(server) else { return false };
    let _ = stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
    let (bytes, _) = read_all(&stream, Duration::from_secs(2));
    bytes.starts_with(b"HTTP/1.1 200")
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Open,
    Closed,
    Reset,
}

fn read_all(mut stream: &TcpStream, quiet: Duration) -> (Vec<u8>, End) {
    let mut bytes = Vec::new();
    let mut chunk = vec![0; 1 << 16];
    let mut last = Instant::now();
    stream.set_read_timeout(Some(Duration::from_millis(50))).expect("a socket's option");
    loop {
        match stream.read(&mut chunk) {
            Ok(0) => return (bytes, End::Closed),
            Ok(len) => {
                bytes.extend_from_slice(&chunk[..len]);
                last = Instant::now();
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                if last.elapsed() > quiet {
                    return (bytes, End::Open);
                }
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return (bytes, End::Reset),
        }
    }
}

/// `200 404 closed`.
fn outcome(mut bytes: &[u8], end: End) -> String {
    let mut words = Vec::new();
    while !bytes.is_empty() {
        let Some((status, len)) = answer(bytes, end) else {
            words.push(if bytes.starts_with(b"HTTP/1.") { "cut".to_owned() } else { "rubbish".to_owned() });
            return words.join(" ");
        };
        words.push(status);
        bytes = &bytes[len..];
    }
    words.push(
        match end {
            End::Open => "open",
            End::Closed => "closed",
            End::Reset => "reset",
        }
        .to_owned(),
    );
    words.join(" ")
}

/// The status of the first answer and its length, if it is whole.
fn answer(bytes: &[u8], end: End) -> Option<(String, usize)> {
    let head_len = find(bytes, b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&bytes[..head_len]).ok()?;
    let status = head.strip_prefix("HTTP/1.1 ").or_else(|| head.strip_prefix("HTTP/1.0 "))?.get(..3)?.to_owned();
    let field = |name: &str| {
        head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim().to_ascii_lowercase())
        })
    };
    // An injected line would stand here as a field of its own.
    if field("x-injected").is_some() {
        return Some(("split!".to_owned(), bytes.len()));
    }
    if status.starts_with('1') || status == "204" || status == "304" {
        return Some((status, head_len));
    }
    let body = &bytes[head_len..];
    let body_len = match (field("transfer-encoding"), field("content-length")) {
        (Some(_), _) => chunked_len(body)?,
        (None, Some(len)) => len.parse().ok()?,
        (None, None) if end == End::Closed => body.len(),
        (None, None) => return None,
    };
    (body.len() >= body_len).then_some((status, head_len + body_len))
}

fn chunked_len(body: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let line = find(&body[at..], b"\r\n")?;
        let size = std::str::from_utf8(&body[at..at + line]).ok()?.split(';').next()?.trim();
        let size = usize::from_str_radix(size, 16).ok()?;
        at += line + 2;
        if size == 0 {
            return Some(at + find(&body[at..], b"\r\n")? + 2);
        }
        at += size + 2;
        if at > body.len() {
            return None;
        }
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}
