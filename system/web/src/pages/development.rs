//! What the people who write an application see of its errors.

use std::fmt;
use std::sync::Arc;

use http::{HeaderValue, header};
use simurgh_telemetry::logs;

use super::production::{self, nonce, put_html, put_json, vary};
use super::{Format, Pages, Production};
use crate::{Conn, Error, Filter};

mod editor;
mod html;
mod markdown;
mod nearest;
mod paint;
mod report;
mod source;

use editor::Editor;
use report::Report;
use source::Roots;

/// Log lines that the node remembers for the page.
const LOG_LINES: usize = 60;

/// Answers to errors with all that is known, for the people who write the application.
///
/// ```
/// use simurgh_web::pages::Development;
/// use simurgh_web::{Conn, Endpoint, Result, test};
///
/// async fn handler(conn: &mut Conn) -> Result {
///     let seven: u32 = "seven".parse()?;
///     conn.text(seven.to_string());
///     Ok(())
/// }
///
/// # simurgh_runtime::run("doc", async {
/// let pages = Development::new().source_root(env!("CARGO_MANIFEST_DIR")).editor("vscode");
/// let endpoint = Endpoint::new(handler).pages(pages);
/// let text = test::text(test::get(&endpoint, "/orders?token=abc").await).await;
/// assert!(text.starts_with("# 500 Internal Server Error: invalid digit found in string\n"));
/// assert!(text.contains("GET /orders?token=[filtered]"));
/// # });
/// ```
///
/// A browser gets a page, what accepts JSON gets JSON, and all others (`curl`) get Markdown: the error
/// and its causes, the lines of the source where it was made or where it panicked, the request, what the
/// names in its session are if that was fetched, the way that it went with times, the routes if none was
/// found, the processes of the node and the last lines of its log. The page has a button that copies the
/// Markdown.
///
/// | option | meaning | default |
/// | --- | --- | --- |
/// | [`filter`](Self::filter) | names whose values are not shown | [`Filter`]'s |
/// | [`source_root`](Self::source_root) | a folder in which sources are looked for, and in those above it | those of cargo and of the shell |
/// | [`editor`](Self::editor) | places are links that open an editor | what `SIMURGH_EDITOR` says |
/// | [`section`](Self::section) | more rows, made by the application: the user, say | none |
/// | [`any_peer`](Self::any_peer) | strangers see it too | loopback only |
///
/// By default only a client on this machine sees it: its address is loopback's, the host that it asked for
/// is `localhost` or such an address, and no proxy has forwarded the request. Everybody else gets the
/// answer of [`Production`]. What is shown in a message, in the source or in the log is not filtered.
///
/// Made outside of a node it shows no log.
#[derive(Clone)]
pub struct Development {
    filter: Filter,
    roots: Roots,
    editor: Option<Editor>,
    sections: Vec<(&'static str, Arc<Rows>)>,
    is_for_all: bool,
    otherwise: Production,
}

type Rows = dyn Fn(&Conn) -> Vec<(String, String)> + Send + Sync;

impl Default for Development {
    fn default() -> Self {
        logs::remember(LOG_LINES);
        let editor = simurgh_runtime::env::var("SIMURGH_EDITOR").map(|named| Editor::named(&named));
        Self {
            filter: Filter::default(),
            roots: Roots::usual(),
            editor,
            sections: Vec::new(),
            is_for_all: false,
            otherwise: Production::new(),
        }
    }
}

impl fmt::Debug for Development {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Development").field("is_for_all", &self.is_for_all).finish_non_exhaustive()
    }
}

impl Development {
    /// Pages as described. From now on the node remembers its last log lines.
    pub fn new() -> Self {
        Self::default()
    }

    /// What is not shown.
    pub fn filter(mut self, filter: Filter) -> Self {
        self.filter = filter;
        self
    }

    /// Where sources are: usually `env!("CARGO_MANIFEST_DIR")`. The folders above it are tried too, as the
    /// compiler names files from the workspace's folder on.
    pub fn source_root(mut self, folder: impl Into<String>) -> Self {
        self.roots.put_first(folder.into());
        self
    }

    /// Which editor places are links to: `vscode`, `zed`, `idea`, `cursor`, `textmate`, or an address with
    /// `{file}`, `{line}` and `{column}` in it.
    pub fn editor(mut self, named: &str) -> Self {
        self.editor = Some(Editor::named(named));
        self
    }

    /// Rows of the application's own, under a title. Values whose names the filter hides are not shown.
    pub fn section(
        mut self,
        title: &'static str,
        rows: impl Fn(&Conn) -> Vec<(String, String)> + Send + Sync + 'static,
    ) -> Self {
        self.sections.push((title, Arc::new(rows)));
        self
    }

    /// Whoever asks sees the page, with the sources and all: for development in a container, say.
    pub fn any_peer(mut self) -> Self {
        self.is_for_all = true;
        self
    }
}

impl Pages for Development {
    fn answer(&self, conn: &mut Conn, error: &Error) {
        if !self.is_for_all && !is_from_this_machine(conn) {
            return self.otherwise.answer(conn, error);
        }
        vary(conn);
        conn.response_headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        let report = Report::of(self, conn, error);
        match Format::accepted(conn, Format::Text) {
            Format::Text => {
                conn.respond_with(HeaderValue::from_static("text/plain; charset=utf-8"), markdown::of(&report));
            }
            Format::Json => {
                let mut json = production::in_json(conn, error);
                json["error"]["debug"] = report.in_json();
                put_json(conn, &json);
            }
            Format::Html => {
                let nonce = nonce();
                let page = html::page(&report, &nonce);
                put_html(conn, page, &nonce, &format!("script-src 'nonce-{nonce}'; "));
            }
        }
    }

    fn want_trace(&self) -> bool {
        true
    }
}

/// Whether the request was made on this machine and for it. The host is looked at because a name of a
/// stranger may be made to lead here, and his page would read ours.
fn is_from_this_machine(conn: &Conn) -> bool {
    let is_forwarded = ["forwarded", "x-forwarded-for", "x-real-ip", "via"];
    let is_forwarded = is_forwarded.iter().any(|name| conn.request_headers().contains_key(*name));
    let is_near =
        conn.client().peer().ip().to_canonical().is_loopback() && conn.remote_ip().to_canonical().is_loopback();
    is_near && !is_forwarded && conn.host().is_none_or(is_this_machine)
}

fn is_this_machine(host: &str) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    host == "localhost" || host.ends_with(".localhost") || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::is_this_machine;

    #[test]
    fn hosts_of_this_machine() {
        for host in ["localhost", "LOCALHOST.", "shop.localhost", "127.0.0.1", "127.1.2.3", "[::1]"] {
            assert!(is_this_machine(host), "{host}");
        }
        for host in
            ["", "example.com", "localhost.example.com", "10.0.0.1", "127.0.0.1.example.com", "[::2]", "0.0.0.0"]
        {
            assert!(!is_this_machine(host), "{host}");
        }
    }
}
