//! The table of cases.

use simurgh_http::ws::Message;

use super::*;

fn message(text: &str) -> Incoming {
    Incoming::decode(Vsn::V2, &Message::text(text)).unwrap()
}

fn find(topic: &str) -> Option<usize> {
    topic.starts_with("room:").then_some(0)
}

/// What a message leads to, in words.
fn said(session: &mut Session<u32>, text: &str) -> String {
    match session.step(message(text), find) {
        Step::Answer(frame) => String::from_utf8(frame.as_bytes().to_vec()).unwrap(),
        Step::Join(join) => {
            let replaced = join.replaced.as_ref().map(|(life, channel)| format!(" for {channel} {:?}", life.bears()));
            let said = format!("join {}{}", join.life.topic, replaced.unwrap_or_default());
            session.joined(join.life.clone(), join.life.number);
            said
        }
        Step::Leave(channel, _) => format!("leave {channel}"),
        Step::Deliver(channel, message) => format!("deliver {channel} {}", message.event.as_str()),
        Step::Stale => "stale".to_owned(),
    }
}

fn check(before: &[&str], text: &str, want: &str) {
    let mut session = Session::new(Vsn::V2, 2);
    for text in before {
        said(&mut session, text);
    }
    assert_eq!(said(&mut session, text), want, "{before:?} {text}");
}

const JOIN: &str = r#"["3","3","room:1","phx_join",{}]"#;
const UNMATCHED_1: &str =
    r#"[null,"4","room:1","phx_reply",{"status":"error","response":{"reason":"unmatched topic"}}]"#;

#[test]
fn every_case_of_the_table() {
    // 1. heartbeats, whatever else goes on
    let beat = r#"[null,"9","phoenix","phx_reply",{"status":"ok","response":{}}]"#;
    check(&[], r#"[null,"9","phoenix","heartbeat",{}]"#, beat);
    check(&[JOIN], r#"["8","9","phoenix","heartbeat",{}]"#, beat);
    check(
        &[],
        r#"[null,null,"phoenix","heartbeat",{}]"#,
        r#"[null,null,"phoenix","phx_reply",{"status":"ok","response":{}}]"#,
    );
    let other = r#"[null,"9","phoenix","phx_reply",{"status":"error","response":{"reason":"unmatched topic"}}]"#;
    check(&[], r#"[null,"9","phoenix","other",{}]"#, other);
    // 2. joins
    check(&[], JOIN, "join room:1");
    check(
        &[],
        r#"["3","3","nowhere","phx_join",{}]"#,
        r#"[null,"3","nowhere","phx_reply",{"status":"error","response":{"reason":"unmatched topic"}}]"#,
    );
    let full = [JOIN, r#"["4","4","room:2","phx_join",{}]"#];
    check(
        &full,
        r#"["5","5","room:3","phx_join",{}]"#,
        r#"["5","5","room:3","phx_reply",{"status":"error","response":{"reason":"too many channels joined"}}]"#,
    );
    // 3. joins anew, also where there is no room for more
    check(&full, r#"["5","5","room:1","phx_join",{}]"#, "join room:1 for 1 Some(\"3\")");
    check(&[r#"[null,7,"room:1","phx_join",{}]"#], JOIN, "join room:1 for 1 Some(7)");
    // 4. leaves
    check(&[JOIN], r#"["3","4","room:1","phx_leave",{}]"#, "leave 1");
    check(&[JOIN], r#"[null,"4","room:1","phx_leave",{}]"#, "leave 1");
    check(&[JOIN], r#"["2","4","room:1","phx_leave",{}]"#, "stale");
    // 5. leaves of what was never joined
    let left = r#"["2","4","room:1","phx_reply",{"status":"ok","response":{}}]"#;
    check(&[], r#"["2","4","room:1","phx_leave",{}]"#, left);
    check(&[], r#"[null,"9","lv:","phx_leave",{}]"#, r#"[null,"9","lv:","phx_reply",{"status":"ok","response":{}}]"#);
    // 6. messages
    check(&[JOIN], r#"["3","4","room:1","ping",{}]"#, "deliver 1 ping");
    check(&[JOIN], r#"[null,"4","room:1","ping",{}]"#, "deliver 1 ping");
    check(&[JOIN], r#"["2","4","room:1","ping",{}]"#, "stale");
    check(&[JOIN], r#"[3,"4","room:1","ping",{}]"#, "stale"); // another JSON value
    check(&[JOIN, r#"["5","5","room:1","phx_join",{}]"#], r#"["3","6","room:1","ping",{}]"#, "stale");
    // 7. messages to no channel
    check(&[], r#"["3","4","room:1","ping",{}]"#, UNMATCHED_1);
}

#[test]
fn a_channel_that_has_ended_is_none_and_its_end_is_told_once() {
    let mut session = Session::new(Vsn::V2, 2);
    said(&mut session, JOIN);
    assert_eq!(session.closing(1).unwrap().as_bytes(), br#"["3","3","room:1","phx_close",{}]"#);
    assert!(session.closing(1).is_none() && session.ended(1).is_none());
    assert_eq!(said(&mut session, r#"["3","4","room:1","ping",{}]"#), UNMATCHED_1);

    said(&mut session, r#"[null,"5","room:1","phx_join",{}]"#);
    let crashed = session.ended(2).unwrap();
    assert_eq!(crashed.as_bytes(), br#"["5","5","room:1","phx_error",{"reason":"channel_crash"}]"#);
    assert_eq!((session.len(), session.channels.capacity()), (0, 0));
}

#[test]
fn the_end_of_a_former_life_is_not_that_of_the_present_one() {
    let mut session = Session::new(Vsn::V2, 2);
    said(&mut session, JOIN);
    said(&mut session, r#"["5","5","room:1","phx_join",{}]"#);
    assert!(session.ended(1).is_none() && session.closing(1).is_none());
    assert_eq!(said(&mut session, r#"["5","6","room:1","ping",{}]"#), "deliver 2 ping");
    assert_eq!(session.drain().collect::<Vec<_>>(), [2]);
}
