//! The node page: who runs under whom, what waits where, and what has been counted. A page, and JSON that it asks for.

use serde_json::{Value, json};
use simurgh::config::Limits;
use simurgh::otp::observer;
use simurgh::web::{Conn, Html, Json};

use crate::pages::{Part, layout};
use crate::web::{State, state};

/// Processes that are listed; there may be one for each connection, and more.
const PROCESSES_MAX: usize = Limits::DEFAULT.studio_processes_max;
/// Topics that are listed, the fullest first.
const TOPICS_MAX: usize = Limits::DEFAULT.studio_topics_max;

/// `GET /node`
pub async fn page(conn: &mut Conn) -> Html<String> {
    let body = "\
<main class=\"page node\">
<div class=\"title\"><h1>Node</h1><p id=\"said\" class=\"quiet\" role=\"status\">One moment.</p></div>
<section class=\"cards\" id=\"figures\" aria-label=\"Figures\"></section>
<section><h2>Processes</h2><div class=\"scroll\" tabindex=\"0\"><table class=\"data\" id=\"processes\"><thead><tr>\
<th>process</th><th>what</th><th>queue</th><th>most</th><th>shed</th><th>handled</th><th>age</th><th>bytes</th>\
</tr></thead><tbody></tbody></table></div></section>
<section><h2>Topics</h2><div class=\"scroll\" tabindex=\"0\"><table class=\"data\" id=\"topics\"><thead><tr>\
<th>topic</th><th>subscribers</th></tr></thead><tbody></tbody></table></div></section>
</main>";
    Html(layout(conn, &Part { title: "Node", class: "node-page", script: Some("node.js"), data: "" }, body))
}

/// `GET /node.json`
pub async fn data(conn: &mut Conn) -> Json<Value> {
    Json(figures(state(conn)))
}

fn figures(state: &State) -> Value {
    let tree = observer::tree();
    let rows = tree.rows();
    let processes: Vec<Value> = rows
        .iter()
        .take(PROCESSES_MAX)
        .map(|(depth, info)| {
            let mailbox = info.mailbox.as_ref();
            json!({
                "depth": depth,
                "pid": info.pid.to_string(),
                "label": info.label.to_string(),
                "kind": info.kind.name(),
                "queue": mailbox.map(|mailbox| mailbox.len),
                "most": mailbox.map(|mailbox| mailbox.high_water),
                "shed": mailbox.map(|mailbox| mailbox.shed),
                "handled": info.handled,
                "age_ms": info.age.as_millis() as u64,
                "bytes": info.memory,
            })
        })
        .collect();
    let (rooms, sockets, pubsub) = (state.rooms(), state.sockets().counts(), state.rooms().pubsub());
    let mut topics = pubsub.topics();
    topics.sort_by(|one, other| other.subscribers.cmp(&one.subscribers).then_with(|| one.topic.cmp(&other.topic)));
    let topics_count = topics.len();
    let topics: Vec<Value> = topics
        .iter()
        .take(TOPICS_MAX)
        .map(|topic| json!({ "topic": &*topic.topic, "subscribers": topic.subscribers }))
        .collect();
    let (counts, said) = (pubsub.counts(), rooms.counts());
    let http = state.server().map(|server| {
        let listener = server.listener();
        let counters = listener.counters();
        json!({
            "open": listener.count(),
            "accepted": counters.accepted,
            "refused": counters.refused,
            "accept_errors": counters.accept_errors,
        })
    });
    json!({
        "node": tree.node,
        "version": env!("CARGO_PKG_VERSION"),
        "uptime_s": state.started().elapsed().as_secs(),
        "processes": { "count": rows.len() + tree.omitted, "rows": processes },
        "connections": http,
        "sockets": {
            "open": sockets.sockets,
            "long_poll": sockets.sessions,
            "sent": sockets.sent,
            "dropped": sockets.dropped,
            "replaced": sockets.replaced,
            "overflowed": sockets.overflowed,
        },
        "pubsub": {
            "topics": counts.topics,
            "subscribers": counts.subscribers,
            "broadcasts": counts.broadcasts,
            "delivered": counts.delivered,
            "dropped": counts.dropped,
        },
        "rooms": { "running": said.running, "said": said.said, "refused": said.refused },
        "presences": rooms.presence().own_count(),
        "topics": { "count": topics_count, "rows": topics },
    })
}
