//! What can be set: by the environment, or a file that `--config` names. All that is wrong is said at once.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use simurgh::channels::OriginPattern;
use simurgh::config::{Limits, Secret, choice, from_str, settings};
use simurgh::telemetry::logs::{Format, Levels, LogConfig};
use simurgh::web::{Cidr, TrustedProxies};

settings! {
    /// What the studio can be told.
    pub struct Settings {
        /// Where it listens; port 0 takes a free one.
        addr: SocketAddr = SocketAddr::from(([127, 0, 0, 1], 4_000)), env "STUDIO_ADDR";
        /// Whether it runs for its developers, or for others: then pages say nothing of errors, and the node page is
        /// off without a password. A program of `ci/dist` runs for others if nothing else is said.
        mode: Mode = Mode::default(), env "STUDIO_MODE";
        /// Where the histories of rooms are kept.
        data: PathBuf = PathBuf::from("studio-data"), env "STUDIO_DATA";
        /// Rooms that have a history or are in use.
        rooms_max: usize = Limits::DEFAULT.studio_rooms_max, env "STUDIO_ROOMS_MAX", in 1..=100_000;
        /// Origins of pages that may connect, such as `https://chat.example`; without any, those of the request's host.
        origins: Vec<Origin> = Vec::new(), env "STUDIO_ORIGINS";
        /// Proxies whose `x-forwarded-` headers are believed, such as 127.0.0.1 or 10.0.0.0/8.
        trusted_proxies: Vec<Proxy> = Vec::new(), env "STUDIO_TRUSTED_PROXIES";
        /// The password of the node page, for the user `operator`.
        node_password: Option<Secret<String>>, env "STUDIO_NODE_PASSWORD", check long_enough;
        /// Connections at once.
        connections_max: usize = Limits::DEFAULT.connections_max, env "STUDIO_CONNECTIONS_MAX", in 1..=1_000_000;
        /// Connections at once from one address. Behind a proxy all come from one.
        per_address_max: usize = Limits::DEFAULT.connections_per_address_max, env "STUDIO_PER_ADDRESS_MAX", in 1..=1_000_000;
        /// How long it still takes requests after it was asked to end, while `/readyz` says no.
        unready: Duration = Duration::ZERO, env "STUDIO_UNREADY", in Duration::ZERO..=Duration::from_secs(10);
        /// How long the end may take after that, in all.
        drain: Duration = Duration::from_secs(15), env "STUDIO_DRAIN", in Duration::from_secs(1)..=Duration::from_secs(18);
        /// Text for people, or JSON for machines.
        log_format: LogFormat = LogFormat::Text, env "STUDIO_LOG_FORMAT";
        /// What is logged: `info`, or `warn,studio=debug`.
        log_levels: Level = Level::default(), env "STUDIO_LOG_LEVELS";
    }
}

/// For whom it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// For its developers.
    Development,
    /// For others.
    Production,
}

choice! { Mode { Development = "development", Production = "production" } }

impl Default for Mode {
    fn default() -> Self {
        if cfg!(feature = "embed") { Self::Production } else { Self::Development }
    }
}

/// How lines of the log look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines.
    Json,
}

choice! { LogFormat { Text = "text", Json = "json" } }

/// Text that was checked to be one of something.
macro_rules! checked {
    ($(#[$meta:meta])* $name:ident, $noun:literal, $check:expr) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name(pub String);

        impl FromStr for $name {
            type Err = ();

            fn from_str(text: &str) -> Result<Self, ()> {
                let text = text.trim();
                let check: fn(&str) -> bool = $check;
                if check(text) { Ok(Self(text.to_owned())) } else { Err(()) }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        from_str! { $name, $noun }
    };
}

checked! {
    /// An origin of pages.
    Origin, "an origin such as https://chat.example or //*.chat.example", |text| OriginPattern::parse(text).is_some()
}
checked! {
    /// An address or network of proxies.
    Proxy, "an address or network such as 127.0.0.1 or 10.0.0.0/8", |text| text.parse::<Cidr>().is_ok()
}
checked! {
    /// Levels of the log.
    Level, "levels such as info or warn,studio=debug", |text| text.parse::<Levels>().is_ok()
}

impl Default for Level {
    fn default() -> Self {
        Self("info".to_owned())
    }
}

#[allow(clippy::ref_option)] // as settings are checked
fn long_enough(password: &Option<Secret<String>>) -> Result<(), &'static str> {
    let is_short = password.as_ref().is_some_and(|password| password.expose().chars().count() < 12);
    if is_short { Err("a password of 12 or more characters") } else { Ok(()) }
}

impl Settings {
    /// How the log is written.
    pub fn log(&self) -> LogConfig {
        let format = match self.log_format {
            LogFormat::Text => Format::Text,
            LogFormat::Json => Format::Json,
        };
        LogConfig { format, levels: self.log_levels.0.parse().expect("was checked when it was read") }
    }

    /// The proxies that are believed.
    pub fn proxies(&self) -> TrustedProxies {
        TrustedProxies::new(self.trusted_proxies.iter().map(|proxy| proxy.0.as_str())).expect("were checked when read")
    }

    /// What of the drain is for sockets, all at once then.
    pub fn sockets_limit(&self) -> Duration {
        self.drain / 3
    }

    /// What of it is for connections; the other half is for writes whose clients have gone.
    pub fn connections_limit(&self) -> Duration {
        self.drain / 2
    }

    /// Whether it runs for its developers.
    pub fn is_development(&self) -> bool {
        self.mode == Mode::Development
    }
}
