//! What clients and replicas say to each other: a line each, so that a person can read it.
//!
//! ```text
//!   12 get apples                 what do you have?
//!   12 has 7 30004 30004          the version, 7 of operation 30004, and the value; or: 12 has 0 0 -
//!   13 put apples 8 10009 10009   keep this, unless you have something newer
//!   14 news apples 8 10009 10009  the same, from one replica to another
//!   13 kept                       it is on my disk, or I have something newer there
//! ```

use std::fmt;
use std::io;

use simurgh::prelude::*;
use simurgh::runtime::net::TcpStream;
use tokio::io::{AsyncBufReadExt, BufReader};

/// The longest line.
const LINE_LEN_MAX: u64 = 128;

/// How the lines read, for reports.
pub(super) const FORMS: [(&str, &str); 5] = [
    (
        "NUMBER get KEY",
        "asks a replica what it has under KEY; NUMBER counts the questions to this replica, and the answer begins with the same",
    ),
    (
        "NUMBER has TIME OPERATION VALUE",
        "answers get: the value and its version, which is a time and the operation that wrote it; \"0 0 -\" if there is none",
    ),
    (
        "NUMBER put KEY TIME OPERATION VALUE",
        "a client wants a value kept, unless there is a newer version: KEY, the version (a TIME, one more than the newest that \
         the writer had heard of, and the OPERATION that writes), the value",
    ),
    ("NUMBER news KEY TIME OPERATION VALUE", "one replica tells another what it holds: as put"),
    ("NUMBER kept", "answers put and news: it is on my disk, or something newer is"),
];

/// A connection, from which lines are read.
pub(super) type Connection = BufReader<TcpStream>;

/// When something was written: the later of two versions is the higher one. No two operations have the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Version {
    /// One more than the highest that the writer had heard of.
    pub(super) time: u64,
    /// The operation that writes it.
    pub(super) op: u64,
}

/// A value with its version; a register that was never written has none, of the lowest version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Tagged {
    pub(super) version: Version,
    pub(super) value: Option<u64>,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Request {
    Get(String),
    Put(String, Tagged),
    News(String, Tagged),
}

/// What is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    Has(Tagged),
    Kept,
}

impl fmt::Display for Tagged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ", self.version.time, self.version.op)?;
        match self.value {
            Some(value) => value.fmt(f),
            None => f.write_str("-"),
        }
    }
}

impl Tagged {
    /// Whether this comes in the place of what is held: so that all who have heard the same hold the same.
    pub(super) fn replaces(self, held: Self) -> bool {
        if planted!("register.ties-open") {
            return self.version.time >= held.version.time;
        }
        self.version > held.version
    }

    fn parse<'a>(mut words: impl Iterator<Item = &'a str>) -> Option<Self> {
        let version = Version { time: words.next()?.parse().ok()?, op: words.next()?.parse().ok()? };
        let value = match words.next()? {
            "-" => None,
            value => Some(value.parse().ok()?),
        };
        Some(Self { version, value })
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Request::Get(key) => write!(f, "get {key}"),
            Request::Put(key, tagged) => write!(f, "put {key} {tagged}"),
            Request::News(key, tagged) => write!(f, "news {key} {tagged}"),
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Answer::Has(tagged) => write!(f, "has {tagged}"),
            Answer::Kept => f.write_str("kept"),
        }
    }
}

impl Request {
    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        match (words.next()?, words.next()?) {
            ("get", key) => Some(Request::Get(key.to_owned())),
            ("put", key) => Some(Request::Put(key.to_owned(), Tagged::parse(words)?)),
            ("news", key) => Some(Request::News(key.to_owned(), Tagged::parse(words)?)),
            _ => None,
        }
    }
}

impl Answer {
    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        match words.next()? {
            "has" => Some(Answer::Has(Tagged::parse(words)?)),
            "kept" => Some(Answer::Kept),
            _ => None,
        }
    }
}

/// A line of a store's file: `apples 7 30004 30004`.
pub(super) fn parse_entry(line: &str) -> Option<(String, Tagged)> {
    let (key, tagged) = line.split_once(' ')?;
    Some((key.to_owned(), Tagged::parse(tagged.split(' '))?))
}

/// Says a request or an answer, with its number.
pub(super) async fn say(stream: &mut Connection, number: u64, what: &impl fmt::Display) -> io::Result<()> {
    stream.write_all(format!("{number} {what}\n").as_bytes()).await
}

/// Reads a request; its number first.
pub(super) async fn hear_request(stream: &mut Connection) -> io::Result<(u64, Request)> {
    hear(stream, Request::parse).await
}

/// Reads an answer; its number first.
pub(super) async fn hear_answer(stream: &mut Connection) -> io::Result<(u64, Answer)> {
    hear(stream, Answer::parse).await
}

async fn hear<T>(stream: &mut Connection, parse: impl Fn(&str) -> Option<T>) -> io::Result<(u64, T)> {
    let mut line = Vec::new();
    stream.take(LINE_LEN_MAX).read_until(b'\n', &mut line).await?;
    if line.is_empty() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let line = String::from_utf8_lossy(&line);
    let whole = line.strip_suffix('\n').and_then(|line| line.split_once(' '));
    let parsed = whole.and_then(|(number, rest)| Some((number.parse().ok()?, parse(rest)?)));
    parsed.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, format!("{line:?} is neither asked nor answered")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_has_a_form_that_reports_explain() {
        let value = Tagged { version: Version { time: 7, op: 8 }, value: Some(9) };
        let key = || "pears".to_owned();
        let requests = [Request::Get(key()), Request::Put(key(), value), Request::News(key(), value)];
        let answers = [Answer::Has(Tagged::default()), Answer::Kept];
        let lines = requests.iter().map(|request| format!("1 {request}"));
        for line in lines.chain(answers.iter().map(|answer| format!("1 {answer}"))) {
            let words: Vec<&str> = line.split(' ').collect();
            let fits = |form: &&(&str, &str)| {
                let form: Vec<&str> = form.0.split(' ').collect();
                form.len() == words.len() && form[1] == words[1]
            };
            assert_eq!(FORMS.iter().filter(fits).count(), 1, "{line}");
        }
    }

    #[test]
    fn what_is_said_is_heard() {
        let tagged = |time, value| Tagged { version: Version { time, op: 30_004 }, value };
        let (key, value) = ("pears".to_owned(), tagged(7, Some(9)));
        for request in [Request::Get(key.clone()), Request::Put(key.clone(), value), Request::News(key, value)] {
            assert_eq!(Request::parse(&request.to_string()), Some(request));
        }
        for answer in [Answer::Has(tagged(0, None)), Answer::Has(tagged(3, Some(1))), Answer::Kept] {
            assert_eq!(Answer::parse(&answer.to_string()), Some(answer));
        }
        assert_eq!(parse_entry("apples 7 30004 5"), Some(("apples".into(), tagged(7, Some(5)))));
        for bad in ["", "get", "put a 1", "put a 1 x 3", "has 1 2", "keep"] {
            assert_eq!((Request::parse(bad), Answer::parse(bad)), (None, None), "{bad}");
        }
    }
}
