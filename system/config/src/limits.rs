//! The one table of what the platform bounds.
//!
//! Every queue, buffer, table and loop has a bound, a policy at the bound, and a counter. What is
//! bounded by default is written here once; `LIMITS.md` beside this crate's manifest is this table
//! as a page, and a test keeps the two alike.

use std::time::Duration;

use crate::field::table;
use crate::{ByteSize, Setting};

/// One row of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limit {
    /// The field of [`Limits`].
    pub name: &'static str,
    /// What it bounds.
    pub doc: &'static str,
    /// In what it is counted.
    pub unit: &'static str,
    /// Its default as text.
    pub default: String,
    /// What happens at the bound.
    pub at_bound: &'static str,
    /// Where it is enforced.
    pub enforced_by: &'static str,
}

macro_rules! limits {
    ($($(#[doc = $doc:literal])* $name:ident: $type:ty = $default:expr, $unit:literal, at $at_bound:literal, by $enforced_by:literal;)*) => {
        /// The limits, each with its default in [`Limits::DEFAULT`].
        ///
        /// ```
        /// use simurgh_config::Limits;
        ///
        /// let limits = Limits { connections_max: 100, ..Limits::DEFAULT };
        /// assert_eq!(limits.accept_backlog, 1_024);
        /// ```
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct Limits {
            $($(#[doc = $doc])* #[doc = ::core::concat!("\n\nAt the bound: ", $at_bound, ".")] pub $name: $type,)*
        }

        impl Limits {
            /// What holds where nothing else is said.
            pub const DEFAULT: Limits = Limits { $($name: $default),* };

            /// The table, a row for each limit, with the values of `self`.
            pub fn rows(&self) -> Vec<Limit> {
                vec![$(Limit {
                    name: stringify!($name),
                    doc: concat!($($doc),*).trim(),
                    unit: $unit,
                    default: Setting::show(&self.$name),
                    at_bound: $at_bound,
                    enforced_by: $enforced_by,
                }),*]
            }
        }
    };
}

limits! {
    /// Connections of one listener at once.
    connections_max: usize = 16_384, "connections",
        at "further ones wait in the kernel's backlog until one ends", by "net: `Options::max_connections`";
    /// Connections of one listener at once from one address.
    connections_per_address_max: usize = 16_384, "connections",
        at "further ones of that address are reset", by "net: `Options::max_per_address`";
    /// Connections of one listener that wait to be accepted.
    accept_backlog: u32 = 1_024, "connections",
        at "the kernel drops requests, and clients repeat them", by "net: `Options::backlog`";
    /// Time until a connection's first byte, or until it is declared greeted.
    handshake_timeout: Duration = Duration::from_secs(5), "time",
        at "the connection's read fails with `TimedOut`", by "net: `Options::handshake_timeout`";
    /// Time that one read may wait.
    read_timeout: Duration = Duration::from_mins(1), "time",
        at "the read fails with `TimedOut`", by "net: `Options::read_timeout`";
    /// Time without a byte in either direction.
    idle_timeout: Option<Duration> = None, "time",
        at "reads and writes fail with `TimedOut`", by "net: `Options::idle_timeout`";
    /// Time that a drain waits for connections to end by themselves.
    drain_timeout: Duration = Duration::from_secs(15), "time",
        at "what is left is killed", by "net: `Options::drain_timeout`";
    /// Bytes that the echo service keeps for a peer that is slow to read.
    echo_buffer_len_max: ByteSize = ByteSize::kib(16), "bytes",
        at "nothing more is read from that peer until it has read", by "labs: `echo::BUFFER_MAX`";
    /// Cookies of one request that are read.
    cookies_max: usize = 128, "cookies",
        at "the rest is not read", by "web: `COOKIES_MAX`";
    /// Name and value of one cookie that is put, a session's too.
    cookie_len_max: ByteSize = ByteSize::kib(4), "bytes",
        at "putting it fails, with 500 for the client", by "web: `COOKIE_LEN_MAX`";
    /// Text of a signed or encrypted token that is looked at.
    token_len_max: ByteSize = ByteSize::kib(64), "bytes",
        at "it is malformed", by "web: `TOKEN_LEN_MAX`";
    /// Secrets in one ring of keys.
    keys_max: usize = 8, "secrets",
        at "one more is refused at the start", by "web: `KEYS_MAX`";
    /// Values of one session that is kept in a store, as JSON.
    session_len_max: ByteSize = ByteSize::kib(64), "bytes",
        at "writing it fails, with 500 for the client", by "web: `SESSION_LEN_MAX`";
    /// Sessions in one store in memory.
    memory_sessions_max: usize = 16_384, "sessions",
        at "the one that was not used for longest makes room", by "web: `MemoryStore::bounded`";
    /// Proxies between client and server that are listened to.
    proxy_hops_max: usize = 32, "hops",
        at "what those beyond say is not read", by "web: `HOPS_MAX`";
    /// Ranges of one `Accept` header.
    accept_ranges_max: usize = 64, "ranges",
        at "the rest is not read", by "web: `RANGES_MAX`";
    /// Telemetry handlers of one node.
    telemetry_handlers_max: usize = 1_024, "handlers",
        at "`attach` says `TooMany`", by "telemetry: `HANDLERS_MAX`";
    /// One value in a line of the log.
    log_value_len_max: ByteSize = ByteSize::kib(8), "bytes",
        at "it is cut and ends in `...`", by "telemetry: `logs::VALUE_LEN_MAX`";
    /// Length of a configuration file.
    config_file_len_max: ByteSize = ByteSize(crate::FILE_LEN_MAX), "bytes",
        at "the configuration has an error", by "config: `FILE_LEN_MAX`";
    /// Target of a request (RFC 9112, 3.2).
    http_uri_len_max: ByteSize = ByteSize::kib(8), "bytes",
        at "the request is refused with 414", by "http: `Options::uri_len_max`";
    /// Head of a request, its first line included.
    http_head_len_max: ByteSize = ByteSize::kib(32), "bytes",
        at "the request is refused with 431", by "http: `Options::head_len_max`";
    /// Fields in the head of a request.
    http_fields_max: usize = 100, "fields",
        at "the request is refused with 431", by "http: `Options::fields_max`";
    /// Body of a request, chunk sizes not counted.
    http_body_len_max: ByteSize = ByteSize::mib(16), "bytes",
        at "the request is refused with 413, or its body fails with `TooLarge`", by "http: `Options::body_len_max`";
    /// Requests on one connection.
    http_requests_max: u64 = 100_000, "requests",
        at "the answer says `connection: close`", by "http: `Options::requests_max`";
    /// Time from a head's first byte to its last.
    http_head_timeout: Duration = Duration::from_secs(15), "time",
        at "the request is refused with 408", by "http: `Options::head_timeout`";
    /// Time that a connection waits for its next request.
    http_keep_alive_timeout: Duration = Duration::from_mins(1), "time",
        at "the connection is closed", by "http: `Options::keep_alive_timeout`";
    /// Time that a handler waits for the next kilobyte of a body.
    http_body_timeout: Duration = Duration::from_secs(30), "time",
        at "the body fails with `TimedOut`", by "http: `Options::body_timeout`";
    /// Time that a client may read nothing of an answer that waits for it.
    http_write_timeout: Duration = Duration::from_secs(30), "time",
        at "the connection is closed", by "http: `Options::write_timeout`";
    /// Time that the rest of a client's bytes is thrown away after the last answer.
    http_linger_timeout: Duration = Duration::from_secs(2), "time",
        at "the connection is closed", by "http: `Options::linger_timeout`";
    /// Time that a write goes on after its client has gone.
    http_shield_timeout: Duration = Duration::from_secs(30), "time",
        at "its handler is dropped", by "http: `Options::shield_timeout`";
    /// Writes of one server that go on without a client.
    http_shielded_max: usize = 1_024, "handlers",
        at "the handler is dropped with its client", by "http: `Options::shielded_max`";
    /// Time that a WebSocket's peer says nothing.
    ws_idle_timeout: Option<Duration> = None, "time",
        at "`recv` fails with `TimedOut`", by "http: `ws::Options::idle_timeout`";
    /// Time that a WebSocket waits for its peer's close frame and for the connection's end.
    ws_close_timeout: Duration = Duration::from_secs(5), "time",
        at "`recv` fails with `TimedOut`, or the connection is closed", by "http: `ws::Options::close_timeout`";
    /// Topics with subscribers of one publish/subscribe system on one node.
    pubsub_topics_max: usize = 1_000_000, "topics",
        at "subscribing to one more fails with `TooManyTopics`", by "pubsub: `Limits::topics_max`";
    /// Subscribers of one topic on one node.
    pubsub_subscribers_max: usize = 100_000, "subscribers",
        at "subscribing one more fails with `TooManySubscribers`", by "pubsub: `Limits::subscribers_max`";
    /// Name of a topic.
    pubsub_topic_len_max: ByteSize = ByteSize::kib(1), "bytes",
        at "subscribing and broadcasting fail with `TopicTooLong`", by "pubsub: `Limits::topic_len_max`";
    /// Name of an event that is broadcast.
    pubsub_event_len_max: ByteSize = ByteSize::kib(1), "bytes",
        at "broadcasting fails with `EventTooLong`", by "pubsub: `Limits::event_len_max`";
    /// Messages that wait for one subscription.
    pubsub_outbox_max: usize = 1_024, "messages",
        at "the oldest is dropped, unless the policy is to close", by "pubsub: `Options::capacity`";
    /// Dispatchers of one publish/subscribe system.
    pubsub_dispatchers_max: usize = 64, "dispatchers",
        at "adding one more fails with `TooMany`", by "pubsub: `DISPATCHERS_MAX`";
    /// Named publish/subscribe systems of one node.
    pubsub_names_max: usize = 64, "names",
        at "`register` fails with `TooMany`", by "pubsub: `NAMES_MAX`";
    /// Forms of one message that are remembered.
    pubsub_encodings_max: usize = 8, "forms",
        at "further ones are made anew each time", by "pubsub: `ENCODINGS_MAX`";
    /// Topics that one socket has joined.
    channels_max: usize = 100, "channels",
        at "a join is answered with \"too many channels joined\"", by "channels: `SocketOptions::channels_max`";
    /// Bytes of a channel's topic.
    channels_topic_len_max: ByteSize = ByteSize::kib(1), "bytes",
        at "the socket is closed with 1011", by "channels: `TOPIC_LEN_MAX`";
    /// Bytes of a message's `ref` or `join_ref`, as JSON.
    channels_ref_len_max: ByteSize = ByteSize(256), "bytes",
        at "the socket is closed with 1011", by "channels: `REF_LEN_MAX`";
    /// Time that a channel's client says nothing.
    channels_timeout: Duration = Duration::from_mins(1), "time",
        at "the socket is closed with 1002", by "channels: `SocketOptions::timeout`";
    /// Bytes of one frame of a channel's client.
    channels_frame_len_max: ByteSize = ByteSize(10_000_000), "bytes",
        at "the socket is closed with 1009", by "channels: `SocketOptions::frame_len_max`";
    /// Bytes of one message of a channel's client, in all its frames.
    channels_message_len_max: ByteSize = ByteSize(8_000_000), "bytes",
        at "the socket is closed with 1009", by "channels: `SocketOptions::message_len_max`";
    /// Time that a join may take.
    channels_join_timeout: Duration = Duration::from_secs(30), "time",
        at "it is answered with \"join crashed\"", by "channels: `SocketOptions::join_timeout`";
    /// Messages that wait for one channel.
    channels_mailbox_max: usize = 256, "messages",
        at "its client's next message waits, at most 5 s, and is then answered with \"overloaded\"; what others send is dropped", by "channels: the channel's mailbox";
    /// Time that a channel may take to end when its client joins the topic again.
    channels_replace_timeout: Duration = Duration::from_secs(5), "time",
        at "it is killed", by "channels: joins";
    /// Names in names of a socket's parameters: `user[address][city]`.
    channels_params_depth_max: usize = 32, "names",
        at "the request is refused with 400", by "channels: `Params`";
    /// How many times its length a compressed message inflates to, if the mount compresses.
    channels_inflate_ratio_max: u32 = 25, "times",
        at "the socket is closed with 1009", by "channels: `SocketOptions::compress`";
    /// Frames that wait for one client.
    channels_outbox_frames_max: usize = 4_096, "frames",
        at "as `Overflow` says: by default the socket is closed with 1013", by "channels: `OutboxOptions::frames_max`";
    /// Bytes that wait for one client.
    channels_outbox_len_max: ByteSize = ByteSize::mib(8), "bytes",
        at "as `Overflow` says: by default the socket is closed with 1013", by "channels: `OutboxOptions::bytes_max`";
    /// Time that a long-poll waits for something.
    channels_poll_window: Duration = Duration::from_secs(10), "time",
        at "it is answered with 204; without a poll for half as long again the session ends", by "channels: `LongPollOptions::window`";
    /// Age of a long-poll session's token.
    channels_poll_token_max_age: Duration = Duration::from_hours(14 * 24), "time",
        at "it is answered with 410, and a new session", by "channels: `LongPollOptions::token_max_age`";
    /// Long-poll sessions of one mount at once.
    channels_poll_sessions_max: usize = 16_384, "sessions",
        at "one more is answered with 503", by "channels: `LongPollOptions::sessions_max`";
    /// Bytes of one long-poll's body.
    channels_poll_body_len_max: ByteSize = ByteSize(8_000_000), "bytes",
        at "it is answered with 413", by "channels: `LongPollOptions::body_len_max`";
    /// Lines of one long-poll's body.
    channels_poll_lines_max: usize = 100, "lines",
        at "the rest is not read", by "channels: long-poll";
    /// One line of a long-poll's body that is bytes, in base64.
    channels_poll_binary_len_max: ByteSize = ByteSize(10_000_000), "bytes",
        at "it is answered with 400", by "channels: long-poll";
    /// Sockets that are closed at once in a drain.
    channels_drain_batch: usize = 10_000, "sockets",
        at "the next batch waits for the interval", by "channels: `DrainOptions::batch`";
    /// Time between two batches of a drain.
    channels_drain_interval: Duration = Duration::from_secs(2), "time",
        at "the next batch is closed", by "channels: `DrainOptions::interval`";
    /// Time of a drain of all sockets.
    channels_drain_limit: Duration = Duration::from_secs(30), "time",
        at "what is left is closed at once", by "channels: `DrainOptions::limit`";
    /// Broadcasts of one topic that are kept for clients that resume it.
    channels_resume_messages_max: usize = 256, "messages",
        at "the oldest is forgotten, and its loss told to who asks for it", by "channels: `ResumeOptions::messages_max`";
    /// Bytes of one topic that are kept for clients that resume it.
    channels_resume_len_max: ByteSize = ByteSize::mib(1), "bytes",
        at "the oldest is forgotten, and its loss told to who asks for it", by "channels: `ResumeOptions::bytes_max`";
    /// Topics of one mount that can be resumed.
    channels_resume_topics_max: usize = 1_024, "topics",
        at "one more cannot be", by "channels: `ResumeOptions::topics_max`";
    /// Time that a topic is kept when nobody who could resume it is there.
    channels_resume_keep: Duration = Duration::from_mins(2), "time",
        at "it makes room for others", by "channels: `ResumeOptions::keep`";
    /// Topic or key of a presence.
    presence_name_len_max: ByteSize = ByteSize::kib(1), "bytes",
        at "tracking it fails with `BadName`", by "channels: `TrackerOptions::name_len_max`";
    /// Meta of a presence as JSON, its ref included.
    presence_meta_len_max: ByteSize = ByteSize::kib(4), "bytes",
        at "tracking or updating it fails with `TooLong`", by "channels: `TrackerOptions::meta_len_max`";
    /// Presences under one key of one topic.
    presence_metas_per_key_max: usize = 100, "presences",
        at "tracking one more on this node fails with `KeyFull`", by "channels: `TrackerOptions::metas_per_key_max`";
    /// Presences of one node.
    presence_entries_max: usize = 1_000_000, "presences",
        at "tracking one more fails with `Full`, and what another node has beyond is refused", by "channels: `TrackerOptions::entries_max`";
    /// Other replicas of presence that are known.
    presence_replicas_max: usize = 1_024, "replicas",
        at "a further one is not heard", by "channels: `TrackerOptions::replicas_max`";
    /// Gaps in what is seen of one replica of presence.
    presence_gaps_max: usize = 10_000, "gaps",
        at "its changes are refused, and asked for again as a whole", by "channels: `TrackerOptions::gaps_max`";
    /// Changes of one shard of presence that wait to be told.
    presence_pending_max: usize = 100_000, "changes",
        at "tracking and updating fail with `Overloaded`", by "channels: `PresenceOptions::pending_max`";
    /// Changes of one topic's presence in a second.
    presence_hot_changes_per_second: u32 = 1_000, "changes",
        at "they are told in one diff each 100 ms", by "channels: `PresenceOptions::hot_changes_per_second`";
    /// Time that a fetch hook of presence may take.
    presence_fetch_timeout: Duration = Duration::from_secs(5), "time",
        at "the state or diff is told without what it would have given", by "channels: `PresenceOptions::fetch_timeout`";
    /// One message between replicas of presence.
    presence_message_len_max: ByteSize = ByteSize::mib(64), "bytes",
        at "it is not sent, and not read", by "channels: `presence::MESSAGE_LEN_MAX`";
    /// Rooms of the studio that have a history or are in use.
    studio_rooms_max: usize = 1_000, "rooms",
        at "joining or opening one more is refused with `too_many_rooms`", by "studio: `STUDIO_ROOMS_MAX`";
    /// Name of a room of the studio.
    studio_room_len_max: usize = 32, "characters",
        at "joining or opening it is refused with `bad_room_name`", by "studio: `names::ROOM_LEN_MAX`";
    /// Name of a person in the studio.
    studio_name_len_max: usize = 32, "characters",
        at "joining is refused with `bad_name`", by "studio: `names::NAME_LEN_MAX`";
    /// Text of a message in the studio.
    studio_text_len_max: usize = 2_000, "characters",
        at "it is answered with `text_too_long`", by "studio: `names::TEXT_LEN_MAX`";
    /// What a client of the studio calls a message.
    studio_nonce_len_max: ByteSize = ByteSize(64), "bytes",
        at "the message is taken without it", by "studio: `channel::NONCE_LEN_MAX`";
    /// Messages of a room of the studio that are kept.
    studio_history_max: usize = 100, "messages",
        at "the oldest is forgotten", by "studio: `history::KEPT`";
    /// Messages of a room of the studio that wait for the disk.
    studio_waiting_max: usize = 256, "messages",
        at "one more is answered with `overloaded`", by "studio: `room::WAITING_MAX`";
    /// Time from one look for people in a room of the studio to the next.
    studio_idle_check: Duration = Duration::from_mins(2), "time",
        at "the process of a room without people ends; its history is on disk", by "studio: `room::IDLE_CHECK`";
    /// Bytes of one message of a client of the studio, and of a request's body.
    studio_message_len_max: ByteSize = ByteSize::kib(64), "bytes",
        at "the socket is closed with 1009, the request refused with 413", by "studio: `channel::MESSAGE_LEN_MAX`";
    /// Rooms of the studio that one page has joined.
    studio_channels_max: usize = 20, "channels",
        at "a join is answered with \"too many channels joined\"", by "studio: `channel::sockets`";
    /// Messages of one page of the studio in a second.
    studio_socket_rate: u32 = 30, "messages",
        at "beyond the burst they are answered with \"rate limited\"", by "studio: `channel::sockets`";
    /// Messages of one page of the studio at once.
    studio_socket_burst: u32 = 90, "messages",
        at "further ones are answered with \"rate limited\"", by "studio: `channel::sockets`";
    /// Messages of one page of the studio to one room in a second.
    studio_room_rate: u32 = 5, "messages",
        at "beyond the burst they are answered with \"rate limited\"", by "studio: `channel::sockets`";
    /// Messages of one page of the studio to one room at once.
    studio_room_burst: u32 = 20, "messages",
        at "further ones are answered with \"rate limited\"", by "studio: `channel::sockets`";
    /// Messages of one page of the studio that are refused by its rates.
    studio_refusals_max: u32 = 500, "messages",
        at "the socket is closed with 1008", by "studio: `channel::sockets`";
    /// Sockets of the studio that are closed at once in a drain.
    studio_drain_batch: usize = 500, "sockets",
        at "the next batch waits 150 ms, as long as there is time", by "studio: `channel::sockets`";
    /// Processes that the studio's node page lists.
    studio_processes_max: usize = 400, "processes",
        at "more are counted", by "studio: `node::PROCESSES_MAX`";
    /// Topics that the studio's node page lists.
    studio_topics_max: usize = 100, "topics",
        at "more are counted", by "studio: `node::TOPICS_MAX`";
    /// Lines of the log that a node remembers, if it is told to.
    log_recent_max: usize = 1_000, "lines",
        at "the oldest is forgotten", by "telemetry: `logs::RECENT_MAX`";
    /// Steps of one request's way that are recorded.
    web_trace_steps_max: usize = 256, "steps",
        at "more are counted", by "web: `STEPS_MAX`";
    /// Bytes to which a compressed request body inflates.
    web_inflate_len_max: ByteSize = ByteSize::mib(8), "bytes",
        at "reading it fails, 413", by "web: `Inflate::len_max`";
    /// How many times its length a compressed request body inflates to, beyond 64 KiB.
    web_inflate_ratio_max: u32 = 200, "times",
        at "reading it fails, 413", by "web: `Inflate::ratio_max`";
    /// Parts of one multipart body.
    multipart_parts_max: usize = 128, "parts",
        at "the body is refused with 413", by "web: `MultipartLimits::parts_max`";
    /// Head of one part of a multipart body.
    multipart_head_len_max: ByteSize = ByteSize::kib(8), "bytes",
        at "the body is refused with 431", by "web: `MultipartLimits::head_len_max`";
    /// Name, and file name, of one part of a multipart body.
    multipart_name_len_max: ByteSize = ByteSize::kib(1), "bytes",
        at "the body is refused with 400", by "web: `MultipartLimits::name_len_max`";
    /// Text of all fields of a multipart form together, or of one that is read alone.
    multipart_text_len_max: ByteSize = ByteSize::mib(1), "bytes",
        at "the body is refused with 413", by "web: `MultipartLimits::text_len_max`";
    /// One file of a multipart body.
    multipart_file_len_max: ByteSize = ByteSize::mib(8), "bytes",
        at "the body is refused with 413, and its files are gone", by "web: `MultipartLimits::file_len_max`";
    /// A multipart body, with all that is around its parts.
    multipart_body_len_max: ByteSize = ByteSize::mib(16), "bytes",
        at "the body is refused with 413, and its files are gone", by "web: `MultipartLimits::body_len_max`";
    /// Beginning of a multipart form in which plugs look for their fields (`_csrf_token`, `_method`).
    form_early_len_max: ByteSize = ByteSize::kib(64), "bytes",
        at "a field that ends later is not seen by them", by "web: `protect_from_forgery`, `method_override`";
    /// Values of one query or form.
    form_fields_max: usize = 1_000, "values",
        at "the request is refused with 400", by "web: `Query`, `Form`; channels: `Params`";
    /// Ranges that one request may ask for.
    ranges_max: usize = 16, "ranges",
        at "the whole is sent", by "web: `Conn::send_file`";
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl Limits {
    /// The table as a page in markdown.
    pub fn markdown(&self) -> String {
        let rows = self.rows().into_iter();
        let rows = rows.map(|limit| {
            let name = format!("`{}`", limit.name);
            [
                name,
                limit.doc.to_owned(),
                limit.default,
                limit.unit.to_owned(),
                limit.at_bound.to_owned(),
                limit.enforced_by.to_owned(),
            ]
        });
        format!(
            "# Limits\n\nEverything that could grow has a bound. These are the defaults, from `system/config/src/limits.rs`.\n\n{}",
            table(["limit", "what it bounds", "default", "unit", "at the bound", "enforced by"], rows)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_the_table() {
        let page = Limits::DEFAULT.markdown();
        assert_eq!(page, include_str!("../LIMITS.md"), "LIMITS.md is old; write this instead:\n\n{page}");
    }

    #[test]
    fn the_table_says_what_is_enforced() {
        assert_eq!(Limits::DEFAULT.telemetry_handlers_max, simurgh_telemetry::HANDLERS_MAX);
        assert_eq!(Limits::DEFAULT.log_value_len_max.as_usize(), simurgh_telemetry::logs::VALUE_LEN_MAX);
    }
}
