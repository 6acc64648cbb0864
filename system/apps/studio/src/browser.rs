//! The official client for the browser, npm `phoenix`, as its authors ship it.
//!
//! | program | where it comes from |
//! | --- | --- |
//! | of a checkout (`cargo run`) | `client/node_modules`; if it is not there, `npm ci --ignore-scripts` fetches what the lock file names, once, in the background, while the server listens |
//! | of `ci/dist` (feature `embed`) | the program itself; nothing is fetched, ever |

use std::sync::Arc;

use simurgh::web::Static;

/// Where the client is served.
pub const PATH: &str = "/assets/phoenix.mjs";

/// How far the client is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Browser {
    /// It is here.
    Ready(Arc<[u8]>),
    /// It is being fetched.
    Fetching,
    /// It is not here, and this is why.
    Absent(String),
}

impl Browser {
    /// One line for people about what to do; none if there is nothing to do.
    pub fn advice(&self) -> Option<String> {
        match self {
            Self::Ready(_) => None,
            Self::Fetching => {
                Some("The browser's client (npm phoenix) is being fetched; this page goes on by itself.".to_owned())
            }
            Self::Absent(why) => Some(format!(
                "The browser's client (npm phoenix) is not here: {why}. Run `npm ci --ignore-scripts` in \
                 system/apps/studio/client, and start the studio again."
            )),
        }
    }
}

/// Our own files for the browser, which are part of the program.
pub fn assets() -> Static {
    let files = [
        ("studio.css", include_str!("../assets/studio.css")),
        ("room.js", include_str!("../assets/room.js")),
        ("messages.js", include_str!("../assets/messages.js")),
        ("front.js", include_str!("../assets/front.js")),
        ("node.js", include_str!("../assets/node.js")),
        ("icon.svg", include_str!("../assets/icon.svg")),
    ];
    Static::embedded("/assets", files).cache_control("no-cache")
}

#[cfg(feature = "embed")]
mod source {
    use super::Browser;
    use crate::web::State;

    const CLIENT: &[u8] = include_bytes!("../client/node_modules/phoenix/priv/static/phoenix.mjs");

    /// The client, at the start.
    pub fn begin(state: &State) {
        state.set_browser(Browser::Ready(CLIENT.into()));
    }
}

#[cfg(not(feature = "embed"))]
mod source {
    use simurgh::prelude::*;
    use simurgh::runtime::fs;
    use simurgh::runtime::process::{Command, Stdio};

    use super::Browser;
    use crate::web::State;

    const DIRECTORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/client");
    /// What npm may complain, of which a line is shown.
    const COMPLAINT_LEN_MAX: u64 = 64 * 1024;

    /// Looks for the client, and has it fetched if it is not there.
    pub fn begin(state: &State) {
        let state = state.clone();
        otp::spawn("client of browsers", async move {
            if let Some(client) = look().await {
                return state.set_browser(client);
            }
            tracing::info!("npm fetches the browser's client");
            let fetched = fetch().await;
            let found = look().await;
            let absent = || Browser::Absent(fetched.err().unwrap_or_else(|| "npm did not bring it".to_owned()));
            let browser = found.unwrap_or_else(absent);
            if let Browser::Absent(why) = &browser {
                tracing::warn!(why, "no client for browsers");
            } else {
                tracing::info!("the browser's client is here");
            }
            state.set_browser(browser);
        });
    }

    async fn look() -> Option<Browser> {
        let file = format!("{DIRECTORY}/node_modules/phoenix/priv/static/phoenix.mjs");
        fs::read(file).await.ok().map(|bytes| Browser::Ready(bytes.into()))
    }

    async fn fetch() -> Result<(), String> {
        let command = Command::new("npm").arg("ci").arg("--ignore-scripts").arg("--no-audit").arg("--no-fund");
        let command = command.dir(DIRECTORY).stdin(Stdio::Null).stdout(Stdio::Null).stderr(Stdio::Piped);
        let mut child = command.spawn().map_err(|error| format!("npm does not start ({error})"))?;
        let mut complaint = String::new();
        if let Some(stderr) = child.stderr.take() {
            let _ = stderr.take(COMPLAINT_LEN_MAX).read_to_string(&mut complaint).await;
        }
        let status = child.wait().await.map_err(|error| error.to_string())?;
        if status.success() {
            return Ok(());
        }
        let said = complaint.lines().find_map(|line| Some(line.strip_prefix("npm error ")?.trim().to_owned()));
        Err(format!("npm has failed ({})", said.unwrap_or_else(|| status.to_string())))
    }
}

pub use source::begin;
