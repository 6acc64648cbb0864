//! The pages for people, but for the one of operators.

use std::fmt::Write as _;
use std::time::Duration;

use serde::Deserialize;
use simurgh::web::{Conn, Error, Html, Path, Query, Redirect, Result, StatusCode};

use crate::browser;
use crate::names::{self, Invalid};
use crate::web::state;

/// What makes one page another than the next.
#[derive(Debug)]
pub struct Part<'a> {
    /// Its title.
    pub title: &'a str,
    /// Its class, for styles.
    pub class: &'a str,
    /// Its script, if it has one.
    pub script: Option<&'a str>,
    /// Attributes of its body, escaped.
    pub data: &'a str,
}

/// A whole page around a body of HTML.
pub fn layout(conn: &mut Conn, part: &Part<'_>, body: &str) -> String {
    let has_node_page = state(conn).has_node_page(conn);
    let nonce = conn.csp_nonce().to_owned();
    let Part { title, class, script, data } = part;
    let node = if has_node_page { "<a href=\"/node\">Node</a>" } else { "" };
    let script = script.map_or_else(String::new, |script| {
        let imports = format!("{{\"imports\":{{\"phoenix\":\"{}\"}}}}", browser::PATH);
        format!(
            "<script type=\"importmap\" nonce=\"{nonce}\">{imports}</script>\n\
             <script type=\"module\" src=\"/assets/{script}\"></script>\n"
        )
    });
    format!(
        "<!doctype html>
<html lang=\"en\">
<head>
<meta charset=\"utf-8\">
<meta name=\"viewport\" content=\"width=device-width, initial-scale=1, interactive-widget=resizes-content\">
<meta name=\"color-scheme\" content=\"light dark\">
<title>{title} \u{b7} Simurgh studio</title>
<link rel=\"icon\" type=\"image/svg+xml\" href=\"/assets/icon.svg\">
<link rel=\"stylesheet\" href=\"/assets/studio.css\">
{script}</head>
<body class=\"{class}\"{data}>
<a class=\"skip\" href=\"#main\">Skip to the content</a>
<header class=\"bar\"><a class=\"brand\" href=\"/\"><img src=\"/assets/icon.svg\" alt=\"\" width=\"28\" height=\"28\">\
<span>Simurgh studio</span></a>\
<nav aria-label=\"Pages\"><a href=\"/\">Home</a><a href=\"/rooms/lobby\">Lobby</a>{node}</nav></header>
<div id=\"main\">{body}</div>
</body>
</html>
",
        title = escape(title),
    )
}

/// Text as HTML, in an element or in an attribute with double quotes.
///
/// ```
/// assert_eq!(studio::pages::escape("<b title=\"x\">&'"), "&lt;b title=&quot;x&quot;&gt;&amp;&#39;");
/// ```
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// A time as people say it.
fn spoken(time: Duration) -> String {
    let seconds = time.as_secs();
    match (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60) {
        (0, 0, 0, seconds) => format!("{seconds} s"),
        (0, 0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (0, hours, minutes, _) => format!("{hours} h {minutes} min"),
        (days, hours, ..) => format!("{days} d {hours} h"),
    }
}

/// The client of the browser, if it is not here, in one line.
fn notice(conn: &Conn) -> String {
    state(conn).browser().advice().map_or_else(String::new, |advice| {
        format!("<p class=\"notice\" id=\"client-notice\" role=\"status\">{}</p>", escape(&advice))
    })
}

/// `GET /`
pub async fn front(conn: &mut Conn) -> Html<String> {
    let state = state(conn).clone();
    let mut rooms = String::new();
    let busy = state.rooms().busy();
    if busy.iter().all(|(room, _)| room != "lobby") {
        rooms.push_str("<li><a href=\"/rooms/lobby\"><strong>lobby</strong><span>nobody yet</span></a></li>");
    }
    for (room, count) in busy.iter().take(12) {
        let people = if *count == 1 { "person" } else { "people" };
        let room = escape(room);
        let _ = write!(
            rooms,
            "<li><a href=\"/rooms/{room}\"><strong>{room}</strong><span><i class=\"dot\"></i>{count} {people}</span></a></li>"
        );
    }
    let sockets = state.sockets().counts().sockets;
    let counts = state.rooms().counts();
    let node = if state.has_node_page(conn) {
        "<a class=\"card link\" href=\"/node\"><h3>Node</h3><p>The supervision tree, connections, topics, queues and \
         counters of this process, live.</p></a>"
    } else {
        ""
    };
    let body = format!(
        "{notice}<main class=\"page front\">
<section class=\"hero\"><h1>Rooms that stay up.</h1>
<p>Chat with presence, over channels, in one process. Kill the server while you type: you will be back in the room, with \
nothing lost that was said.</p>
<form action=\"/rooms\" method=\"get\" class=\"open\"><label for=\"name\">Open a room</label>\
<div class=\"row\"><input id=\"name\" name=\"name\" placeholder=\"tea-time\" maxlength=\"32\" autocomplete=\"off\" \
autocapitalize=\"none\" spellcheck=\"false\" pattern=\"[a-z0-9]+(-[a-z0-9]+)*\" title=\"lower-case letters, digits and single \
hyphens\" required><button>Open</button></div></form></section>
<section><h2>Rooms</h2><ul class=\"rooms\">{rooms}</ul></section>
<section><h2>What runs here</h2><div class=\"cards\">
<a class=\"card link\" href=\"/rooms/lobby\"><h3>Rooms</h3><p>Who is here, who is typing, and the last 100 messages of each \
room, on disk before they are shown.</p></a>{node}
<div class=\"card\"><h3>This process</h3><dl><dt>Version</dt><dd>{version}</dd><dt>Up for</dt><dd>{uptime}</dd>\
<dt>Sockets</dt><dd>{sockets}</dd><dt>Rooms in use</dt><dd>{running}</dd></dl></div>
</div></section>
</main>",
        notice = notice(conn),
        version = env!("CARGO_PKG_VERSION"),
        uptime = spoken(state.started().elapsed()),
        running = counts.running,
    );
    let script = state.browser().advice().map(|_| "front.js");
    Html(layout(conn, &Part { title: "Home", class: "front-page", script, data: "" }, &body))
}

/// What the form of the front page sends.
#[derive(Debug, Deserialize)]
pub struct Open {
    #[serde(default)]
    name: String,
}

/// `GET /rooms?name=tea-time`: to that room, or to the lobby.
pub async fn open(_: &mut Conn, Query(open): Query<Open>) -> Result<Redirect> {
    let name = open.name.trim();
    let name = if name.is_empty() { "lobby" } else { checked(name)? };
    Ok(Redirect::see_other(format!("/rooms/{name}")))
}

fn checked(name: &str) -> Result<&str> {
    names::room(name).map_err(|why| match why {
        Invalid::PrivateRoom => Error::forbidden(why.code(), why.to_string()),
        why => Error::new(StatusCode::BAD_REQUEST, why.code(), why.to_string()),
    })
}

/// `GET /rooms/:name`
pub async fn room(conn: &mut Conn, Path(name): Path<String>) -> Result<Html<String>> {
    let room = escape(checked(&name)?);
    let body = format!(
        "{notice}<main class=\"room\">
<aside aria-label=\"People in this room\"><h2>Here now</h2><ul id=\"people\"></ul></aside>
<section class=\"talk\" aria-label=\"Room {room}\">
<div class=\"head\"><h1><span aria-hidden=\"true\">#</span>{room}</h1>\
<div class=\"me\"><span id=\"state\" class=\"state\" role=\"status\">connecting</span>\
<button type=\"button\" id=\"rename\" class=\"plain\" title=\"Change your name\"><span id=\"me\">You</span></button></div>\
<p id=\"online\" role=\"status\" aria-live=\"polite\">Online: nobody yet</p></div>
<div id=\"scroll\" class=\"messages\" tabindex=\"0\" role=\"log\" aria-live=\"polite\" aria-label=\"Messages\">\
<p id=\"empty\" class=\"quiet\" hidden>Nothing has been said here yet.</p><ol id=\"messages\"></ol></div>
<button type=\"button\" id=\"newer\" class=\"newer\" hidden>New messages</button>
<p id=\"typing\" class=\"typing\" aria-live=\"polite\"></p>
<form id=\"composer\" class=\"composer\" autocomplete=\"off\"><label class=\"hidden\" for=\"text\">Message</label>\
<textarea id=\"text\" name=\"text\" rows=\"1\" maxlength=\"2000\" placeholder=\"Message #{room}\" enterkeyhint=\"send\"></textarea>\
<button id=\"send\">Send</button></form>
<p id=\"problem\" class=\"problem\" role=\"alert\" hidden></p>
</section>
<noscript><p class=\"notice\">The rooms need JavaScript.</p></noscript>
<dialog id=\"who\" aria-labelledby=\"who-title\"><form id=\"who-form\"><h2 id=\"who-title\">What is your name?</h2>\
<p class=\"quiet\">The others in the room will see it.</p>\
<label class=\"hidden\" for=\"who-name\">Name</label>\
<input id=\"who-name\" name=\"name\" maxlength=\"32\" autocomplete=\"nickname\" required>\
<p id=\"who-problem\" class=\"problem\" role=\"alert\" hidden></p>\
<button id=\"join\">Join</button></form></dialog>
</main>",
        notice = notice(conn),
    );
    let data = format!(" data-room=\"{room}\"");
    let part = Part { title: &format!("#{name}"), class: "room-page", script: Some("room.js"), data: &data };
    Ok(Html(layout(conn, &part, &body)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_spoken() {
        for (seconds, said) in
            [(5, "5 s"), (65, "1 min 5 s"), (3_600, "1 h 0 min"), (90_000, "1 d 1 h"), (864_000, "10 d 0 h")]
        {
            assert_eq!(spoken(Duration::from_secs(seconds)), said);
        }
    }
}
