//! What the generator can be told.

use std::net::SocketAddr;
use std::time::Duration;

use thiserror::Error;

const HELP: &str = "\
Loads a server of channels, and tells what its clients see: latencies from the time at which something was
to be sent, in an open model.

usage: cargo load channels SCENARIO [OPTIONS]

  connect   opens connections at --rate a second
  join      opens them first, then joins a topic on each at --rate a second
  echo      each connection in a room of its own sends `ping`s, --rate a second in all, and is answered
  fan-out   one connection broadcasts `shout`s, --rate a second, to all others in one room
  idle      joined connections stay, with heartbeats only
  storm     all joined connections are cut at once, and come back as the official client does
            (after 10, 50, 100, 150, 200, 250, 500, 1,000, 2,000, then each 5,000 ms)

  --url URL          ws://ADDRESS:PORT/MOUNT          (default ws://127.0.0.1:4000/socket)
  --connections N    1 to 60,000                      (default 100)
  --rate R           events a second, 1 to 1,000,000  (default 1000; fan-out 20)
  --seconds S        1 to 3,600                       (default 10)
  --connect-rate R   new connections a second while a scenario is prepared (default 1000)
  --payload BYTES    of a message, 0 to 65,536        (default 64)
  --topic TOPIC      its room; echo appends a number  (default room:load)
  --topics N         as many rooms instead of one, 1 to 60,000, numbered from 0: room:load-0, ...
  --join JSON        the object to join with; {n} in it is the client's number  (default {})
  --by-server        storm: waits until the server cuts the connections, instead of doing so
  --json             one JSON object instead of a table

Progress goes to standard error, once a second. It ends by itself: with 0, with 1 if something was not
answered or a connection failed, with 2 if it was told nonsense.

examples: cargo lab channels &
          cargo load channels echo --connections 1000 --rate 20000
          cargo load channels fan-out --connections 1000 --rate 20 --json
          cargo load channels storm --connections 5000
";

/// What a command line asks for.
#[derive(Debug, Clone)]
pub enum Command {
    /// To be shown.
    Help(&'static str),
    /// A load.
    Channels(Options),
}

/// What is done to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Scenario {
    /// Connections are opened.
    Connect,
    /// Topics are joined.
    Join,
    /// Messages are answered.
    Echo,
    /// Messages go to many.
    FanOut,
    /// Nothing is said.
    Idle,
    /// All come back at once.
    Storm,
}

impl Scenario {
    const ALL: [Self; 6] = [Self::Connect, Self::Join, Self::Echo, Self::FanOut, Self::Idle, Self::Storm];

    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Join => "join",
            Self::Echo => "echo",
            Self::FanOut => "fan-out",
            Self::Idle => "idle",
            Self::Storm => "storm",
        }
    }
}

/// A load, in full.
#[derive(Debug, Clone)]
pub struct Options {
    /// What is done.
    pub scenario: Scenario,
    /// The server.
    pub addr: SocketAddr,
    /// Where its sockets are mounted.
    pub mount: String,
    /// Connections at once.
    pub connections: usize,
    /// Events a second, of all connections together.
    pub rate: u64,
    /// How long.
    pub time: Duration,
    /// Connections a second while it is prepared.
    pub connect_rate: u64,
    /// Bytes of a message's payload.
    pub payload_len: usize,
    /// The topic, or how it begins.
    pub topic: String,
    /// Topics over which clients are spread, which have numbers then; 1 is that topic itself.
    pub topics: usize,
    /// What clients join with: a JSON object, in which `{n}` is the client's number.
    pub join: String,
    /// Whether a storm is made by the server.
    pub by_server: bool,
    /// Whether the report is JSON.
    pub json: bool,
}

/// A command line that says nothing sensible.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}; cargo load --help says what there is")]
pub struct OptionsError(String);

fn bad<T>(what: impl Into<String>) -> Result<T, OptionsError> {
    Err(OptionsError(what.into()))
}

impl Options {
    /// With the defaults.
    pub fn new(scenario: Scenario, addr: SocketAddr) -> Self {
        Self {
            scenario,
            addr,
            mount: "/socket".to_owned(),
            connections: 100,
            rate: if scenario == Scenario::FanOut { 20 } else { 1_000 },
            time: Duration::from_secs(10),
            connect_rate: 1_000,
            payload_len: 64,
            topic: "room:load".to_owned(),
            topics: 1,
            join: "{}".to_owned(),
            by_server: false,
            json: false,
        }
    }

    /// Reads a command line, without the program's name.
    ///
    /// # Errors
    /// With what is wrong.
    pub fn parse(args: &[String]) -> Result<Command, OptionsError> {
        if args.is_empty() || args.iter().any(|arg| arg == "--help" || arg == "-h" || arg == "help") {
            return Ok(Command::Help(HELP));
        }
        let (system, rest) = (args[0].as_str(), &args[1..]);
        if system != "channels" {
            return bad(format!("there is no load for \"{system}\", only for channels"));
        }
        let Some((name, mut rest)) = rest.split_first() else { return bad("a scenario is missing") };
        let Some(scenario) = Scenario::ALL.into_iter().find(|scenario| scenario.name() == name) else {
            return bad(format!("there is no scenario \"{name}\""));
        };
        let mut options = Self::new(scenario, SocketAddr::from(([127, 0, 0, 1], 4_000)));
        while let Some((flag, after)) = rest.split_first() {
            rest = after;
            match flag.as_str() {
                "--json" => options.json = true,
                "--by-server" if scenario == Scenario::Storm => options.by_server = true,
                "--by-server" => return bad("--by-server is only for storm"),
                "--topics" if matches!(scenario, Scenario::Echo | Scenario::FanOut) => {
                    return bad("--topics is not for echo, where each has a room, nor for fan-out, where all have one");
                }
                "--url" | "--connections" | "--rate" | "--seconds" | "--connect-rate" | "--payload" | "--topic"
                | "--topics" | "--join" => {
                    let Some((value, after)) = rest.split_first() else { return bad(format!("{flag} wants a value")) };
                    rest = after;
                    options.set(flag, value)?;
                }
                other => return bad(format!("there is no option {other}")),
            }
        }
        if scenario == Scenario::FanOut && options.connections < 2 {
            return bad("--connections: fan-out wants at least 2, one of them to send");
        }
        Ok(Command::Channels(options))
    }

    /// The topic of the client with this number.
    pub fn topic_of(&self, number: u64) -> String {
        match (self.scenario, self.topics as u64) {
            (Scenario::Echo, _) => format!("{}-{number}", self.topic),
            (_, 1) => self.topic.clone(),
            (_, topics) => format!("{}-{}", self.topic, number % topics),
        }
    }

    /// What the client with this number joins with.
    pub fn join_of(&self, number: u64) -> String {
        self.join.replace("{n}", &number.to_string())
    }

    fn set(&mut self, flag: &str, value: &str) -> Result<(), OptionsError> {
        let number = |from: u64, to: u64| match value.replace([',', '_'], "").parse::<u64>() {
            Ok(number) if (from..=to).contains(&number) => Ok(number),
            Ok(_) => bad(format!("{flag}: {value} is not from {from} to {to}")),
            Err(_) => bad(format!("{flag}: \"{value}\" is no number")),
        };
        match flag {
            "--connections" => self.connections = number(1, 60_000)? as usize,
            "--rate" => self.rate = number(1, 1_000_000)?,
            "--seconds" => self.time = Duration::from_secs(number(1, 3_600)?),
            "--connect-rate" => self.connect_rate = number(1, 100_000)?,
            "--payload" => self.payload_len = number(0, 65_536)? as usize,
            "--topics" => self.topics = number(1, 60_000)? as usize,
            "--join" => {
                if serde_json::from_str::<serde_json::Map<_, _>>(&value.replace("{n}", "0")).is_err() {
                    return bad(format!("--join: {value} is no JSON object"));
                }
                value.clone_into(&mut self.join);
            }
            "--topic" => {
                let is_plain = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
                if value.is_empty() || value.len() > 200 || !value.bytes().all(is_plain) {
                    return bad("--topic: 1 to 200 printable ASCII characters without blanks, quotes and backslashes");
                }
                value.clone_into(&mut self.topic);
            }
            _ => (self.addr, self.mount) = place_of(value)?,
        }
        Ok(())
    }
}

fn place_of(url: &str) -> Result<(SocketAddr, String), OptionsError> {
    let Some(rest) = url.strip_prefix("ws://") else {
        return bad(format!("--url: \"{url}\" does not begin with ws://"));
    };
    let (host, mount) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    let Ok(addr) = host.replace("localhost:", "127.0.0.1:").parse() else {
        return bad(format!("--url: \"{host}\" is no address with a port; names are not looked up"));
    };
    let mount = mount.trim_end_matches('/').trim_end_matches("/websocket");
    if mount.contains(['?', '#']) {
        return bad("--url: it has a query, which is made here");
    }
    Ok((addr, mount.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Command, OptionsError> {
        Options::parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn options_are_read() {
        let line =
            "channels storm --url ws://[::1]:4001/live/websocket --connections 5_000 --seconds 60 --by-server --json";
        let Ok(Command::Channels(options)) = parse(line) else { panic!("these are options") };
        assert_eq!((options.addr.port(), &*options.mount, options.connections), (4_001, "/live", 5_000));
        assert!(options.by_server && options.json && options.time.as_secs() == 60);
    }

    #[test]
    fn who_joins_what() {
        let Ok(Command::Channels(options)) = parse("channels idle --topics 100 --join {\"name\":\"p{n}\"}") else {
            panic!("these are options")
        };
        assert_eq!((options.topic_of(203), options.join_of(203)), ("room:load-3".into(), r#"{"name":"p203"}"#.into()));
        let one = Options::new(Scenario::Echo, options.addr);
        assert_eq!((one.topic_of(7), one.join_of(7)), ("room:load-7".into(), "{}".into()));
        assert_eq!(Options::new(Scenario::Idle, options.addr).topic_of(7), "room:load");
    }

    #[test]
    fn help_is_given() {
        for line in ["", "--help", "channels -h", "channels echo --help"] {
            assert!(matches!(parse(line), Ok(Command::Help(text)) if text.contains("examples:")), "{line}");
        }
    }

    #[test]
    fn nonsense_is_refused_with_a_reason() {
        for (line, why) in [
            ("jobs", "no load for \"jobs\""),
            ("channels", "a scenario is missing"),
            ("channels flood", "no scenario \"flood\""),
            ("channels echo --rate", "--rate wants a value"),
            ("channels echo --rate fast", "\"fast\" is no number"),
            ("channels echo --rate 0", "0 is not from 1 to 1000000"),
            ("channels echo --connections 60001", "is not from 1 to 60000"),
            ("channels echo --colour red", "no option --colour"),
            ("channels echo --by-server", "only for storm"),
            ("channels echo --url http://127.0.0.1:1/", "does not begin with ws://"),
            ("channels echo --url ws://example.com/socket", "no address with a port"),
            ("channels echo --url ws://127.0.0.1:1/socket?a=b", "has a query"),
            ("channels echo --topic a\"b", "--topic"),
            ("channels fan-out --connections 1", "at least 2"),
            ("channels idle --topics 0", "0 is not from 1 to 60000"),
            ("channels echo --topics 2", "--topics is not for echo"),
            ("channels idle --join [1]", "[1] is no JSON object"),
        ] {
            let error = parse(line).expect_err(line).to_string();
            assert!(error.contains(why) && error.ends_with("cargo load --help says what there is"), "{line}: {error}");
        }
    }
}
