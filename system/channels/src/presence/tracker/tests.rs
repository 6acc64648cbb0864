use super::super::Delta;
use super::super::{Clocks, Ref, Version};
use super::*;

pub(super) fn id(name: &str, life: u64) -> ReplicaId {
    ReplicaId::new(name, Version { started_us: life, unique: 1 })
}

pub(super) fn meta(number: u64) -> Meta {
    Meta::new(&(), Ref::new(number, 0, 0), None, 4096).expect("it is short")
}

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn tracker(name: &str) -> Tracker {
    Tracker::new(id(name, 1), TrackerOptions::default(), Duration::ZERO, 0)
}

/// What a tick sends to all.
fn heartbeat(tracker: &mut Tracker, now: Duration) -> Message {
    let mut effects = Effects::default();
    tracker.tick(now, &mut effects);
    let heartbeats = effects.actions.into_iter().find_map(|action| match action {
        Action::Broadcast(message) => Some(message),
        Action::Send(..) => None,
    });
    heartbeats.expect("it had something to say")
}

fn receive(tracker: &mut Tracker, now: Duration, message: &Message) -> Vec<String> {
    let mut effects = Effects::default();
    tracker.receive(now, message.clone(), &mut effects);
    words(&effects.changes)
}

fn words(changes: &[Change]) -> Vec<String> {
    changes.iter().map(|change| format!("{}{}", if change.joined { '+' } else { '-' }, change.item.key)).collect()
}

fn keys(tracker: &Tracker) -> Vec<String> {
    tracker.list("t").iter().map(|item| item.key.to_string()).collect()
}

fn delta_of(message: &Message) -> &Part {
    match message {
        Message::Heartbeat { delta: Some(Delta { parts, .. }), .. } => &parts[0],
        other => panic!("{other:?} has no delta"),
    }
}

#[test]
fn a_process_is_present_once_under_a_key_and_said_so_in_words() {
    let mut here = tracker("a");
    here.track(secs(0), "t", "k", 1, meta(1)).unwrap();
    let again = here.track(secs(0), "t", "k", 1, meta(2)).unwrap_err();
    assert_eq!(again.code(), "already_tracked");
    here.track(secs(0), "t", "k", 2, meta(3)).unwrap();
    here.track(secs(0), "t", "__proto__", 1, meta(4)).unwrap();
    here.track(secs(0), "u", "k", 1, meta(5)).unwrap();
    assert_eq!(keys(&here), ["k", "k", "__proto__"]);
    assert_eq!(here.get_by_key("t", "k").len(), 2);
    assert_eq!(here.update(secs(0), "t", "none", 1, |_| Ok(meta(9))).unwrap_err().code(), "nopresence");
    assert!(here.untrack(secs(0), "t", "none", 1).is_none());
    let (old, new) = here.update(secs(0), "t", "k", 1, |_| Ok(meta(6))).unwrap();
    assert_eq!((&old.meta, &new.meta), (&meta(1), &meta(6)));
    let mut effects = Effects::default();
    here.untrack_owner(secs(0), 1, &mut effects);
    assert_eq!(words(&effects.changes).len(), 3);
    assert_eq!((keys(&here), here.own_count(), here.len()), (vec!["k".to_owned()], 1, 1));
}

#[test]
fn bounds_hold_and_change_nothing() {
    let options = TrackerOptions { metas_per_key_max: 2, entries_max: 3, name_len_max: 5, ..TrackerOptions::default() };
    let mut here = Tracker::new(id("a", 1), options, secs(0), 0);
    let mut check = |topic: &str, key: &str, owner: u64, code: &str| {
        let found = here.track(secs(0), topic, key, owner, meta(1)).map_or_else(|error| error.code(), |_| "");
        assert_eq!(found, code, "{topic} {key} {owner}");
    };
    check("t", "k", 1, "");
    check("t", "k", 2, "");
    check("t", "k", 3, "key_full");
    check("", "k", 3, "bad_name");
    check("t", "", 3, "bad_name");
    check("t", "123456", 3, "bad_name");
    check("t", "12345", 3, "");
    check("t", "other", 3, "full");
    assert_eq!(here.len(), 3);
}

#[test]
fn each_addition_and_each_removal_takes_a_clock() {
    let mut here = tracker("a");
    here.track(secs(0), "t", "k", 1, meta(1)).unwrap();
    here.update(secs(0), "t", "k", 1, |_| Ok(meta(2))).unwrap();
    here.untrack(secs(0), "t", "k", 1).unwrap();
    let told = heartbeat(&mut here, secs(2));
    let part = delta_of(&told);
    assert_eq!((part.start, part.end, part.values.len()), (0, 4, 0), "add, remove and add, remove");
    here.track(secs(2), "t", "k", 1, meta(3)).unwrap();
    let told = heartbeat(&mut here, secs(4));
    here.untrack(secs(4), "t", "k", 1).unwrap();
    let removal = heartbeat(&mut here, secs(6));
    assert_eq!(delta_of(&told).dots, [5..=5].into_iter().collect());
    assert_eq!(delta_of(&removal).dots, [5..=6].into_iter().collect(), "what is gone, and its removal");
}

#[test]
fn a_removal_wins_over_what_it_saw_and_not_over_what_came_after() {
    let (mut here, mut there) = (tracker("a"), tracker("b"));
    here.track(secs(0), "t", "k", 1, meta(1)).unwrap();
    let added = heartbeat(&mut here, secs(2));
    here.untrack(secs(2), "t", "k", 1).unwrap();
    let removed = heartbeat(&mut here, secs(4));
    here.track(secs(4), "t", "k", 1, meta(2)).unwrap();
    let again = heartbeat(&mut here, secs(6));
    // In the wrong order, and twice.
    for (message, changes, left) in [
        (&again, vec!["+k"], 1),
        (&removed, vec![], 1),
        (&added, vec![], 1),
        (&removed, vec![], 1),
        (&again, vec![], 1),
    ] {
        assert_eq!(receive(&mut there, secs(6), message), changes);
        assert_eq!(there.list("t").len(), left);
    }
    assert_eq!(there.list("t"), here.list("t"));
}

#[test]
fn an_update_is_one_leave_and_one_join() {
    let (mut here, mut there) = (tracker("a"), tracker("b"));
    here.track(secs(0), "t", "k", 1, meta(1)).unwrap();
    receive(&mut there, secs(2), &heartbeat(&mut here, secs(2)));
    here.update(secs(2), "t", "k", 1, |_| Ok(meta(2))).unwrap();
    assert_eq!(receive(&mut there, secs(4), &heartbeat(&mut here, secs(4))), ["-k", "+k"]);
    assert_eq!(there.list("t")[0].meta, meta(2));
}

#[test]
fn a_node_that_starts_again_is_another_replica() {
    let mut there = tracker("b");
    let mut first = tracker("a");
    first.track(secs(0), "t", "old", 1, meta(1)).unwrap();
    let late = heartbeat(&mut first, secs(2));
    receive(&mut there, secs(2), &late);
    let mut second = Tracker::new(id("a", 2), TrackerOptions::default(), secs(2), 0);
    second.track(secs(2), "t", "new", 1, meta(2)).unwrap();
    let told = heartbeat(&mut second, secs(4));
    assert_eq!(receive(&mut there, secs(4), &told), ["-old", "+new"]);
    assert_eq!(receive(&mut there, secs(4), &late), Vec::<String>::new(), "the former life is over");
    assert_eq!(keys(&there), ["new"]);
    // A message of the first life comes before any of it was known, and the clock was not set back.
    let mut third = tracker("c");
    receive(&mut third, secs(4), &told);
    assert_eq!(receive(&mut third, secs(4), &late), Vec::<String>::new());
}

#[test]
fn a_node_whose_clock_was_set_back_is_heard_when_its_former_life_is_silent() {
    let mut there = tracker("b");
    let mut first = Tracker::new(id("a", 9), TrackerOptions::default(), secs(0), 0);
    receive(&mut there, secs(0), &heartbeat(&mut first, secs(0)));
    let mut second = Tracker::new(id("a", 5), TrackerOptions::default(), secs(0), 0);
    second.track(secs(0), "t", "new", 1, meta(2)).unwrap();
    let told = heartbeat(&mut second, secs(2));
    assert_eq!(receive(&mut there, secs(2), &told), Vec::<String>::new());
    there.tick(secs(31), &mut Effects::default());
    assert_eq!(receive(&mut there, secs(31), &told), Vec::<String>::new(), "it may be a late message");
    assert_eq!(receive(&mut there, secs(31), &told), Vec::<String>::new());
    assert_eq!(receive(&mut there, secs(33), &told), ["+new"], "it lives");
}

#[test]
fn silence_hides_and_long_silence_forgets() {
    let (mut here, mut there) = (tracker("a"), tracker("b"));
    here.track(secs(0), "t", "k", 1, meta(1)).unwrap();
    let told = heartbeat(&mut here, secs(0));
    receive(&mut there, secs(0), &told);
    let mut check = |at: u64, changes: &[&str], known: usize| {
        let mut effects = Effects::default();
        there.tick(secs(at), &mut effects);
        assert_eq!(
            (words(&effects.changes), there.len()),
            (changes.iter().map(|word| (*word).to_owned()).collect(), known),
            "{at} s"
        );
    };
    check(29, &[], 1);
    check(31, &["-k"], 1);
    check(33, &[], 1);
    let mut effects = Effects::default();
    there.receive(secs(34), told.clone(), &mut effects);
    assert_eq!(words(&effects.changes), ["+k"], "it is back, and nothing was lost");
    let mut effects = Effects::default();
    there.node_down("a", &mut effects);
    there.node_down("a", &mut effects);
    assert_eq!(words(&effects.changes), ["-k"], "a membership may know sooner");
    let mut effects = Effects::default();
    there.tick(secs(34 + 20 * 60 + 1), &mut effects);
    assert_eq!((words(&effects.changes).len(), there.len(), there.peers().len()), (0, 0, 0));
}

#[test]
fn nothing_brings_back_who_is_gone_for_good() {
    let (mut here, mut there, mut third) = (tracker("a"), tracker("b"), tracker("c"));
    here.track(secs(0), "t", "k", 1, meta(1)).unwrap();
    let told = heartbeat(&mut here, secs(0));
    receive(&mut there, secs(0), &told);
    receive(&mut third, secs(0), &told);
    let mut end = Effects::default();
    here.goodbye(&mut end);
    let Some(Action::Broadcast(goodbye)) = end.actions.pop() else { panic!("it is told to all") };
    assert_eq!(receive(&mut there, secs(1), &goodbye), ["-k"]);
    assert_eq!(receive(&mut there, secs(1), &told), Vec::<String>::new(), "a late heartbeat");
    // Another one knows it still, and sends everything.
    receive(&mut there, secs(1), &heartbeat(&mut third, secs(1)));
    receive(&mut third, secs(1), &heartbeat(&mut there, secs(1)));
    let ask = Message::TransferRequest { id: 1, from: id("b", 1), clocks: vec![(id("a", 1), 0), (id("c", 1), 0)] };
    let mut effects = Effects::default();
    third.receive(secs(1), ask, &mut effects);
    let Some(Action::Send(_, Message::TransferAck { delta, .. })) = effects.actions.pop() else { panic!("it answers") };
    let unasked = Message::TransferAck { id: 1, from: id("c", 1), delta: delta.clone() };
    assert_eq!(receive(&mut there, secs(1), &unasked), Vec::<String>::new());
    let mut changes = Effects::default();
    there.merge_delta(&delta, &mut changes);
    assert_eq!((words(&changes.changes).len(), there.len()), (0, 0));
}

#[test]
fn who_missed_a_few_changes_gets_them_and_who_missed_many_gets_all() {
    let check = |missed: u64, is_full: bool| {
        let options = TrackerOptions { max_delta_sizes: vec![10, 100], ..TrackerOptions::default() };
        let mut here = Tracker::new(id("a", 1), options, secs(0), 0);
        let mut there = tracker("b");
        receive(&mut there, secs(0), &heartbeat(&mut here, secs(0)));
        receive(&mut here, secs(0), &heartbeat(&mut there, secs(0)));
        for at in 0..missed {
            here.track(secs(at * 2), "t", &format!("k{at}"), at, meta(at)).unwrap();
            heartbeat(&mut here, secs(2 + at * 2)); // lost
        }
        let now = secs(100 + missed * 2);
        here.track(now, "t", "last", 1_000, meta(0)).unwrap();
        let told = heartbeat(&mut here, now);
        assert_eq!(receive(&mut there, now, &told), ["+last"]);
        let mut effects = Effects::default();
        there.tick(now, &mut effects);
        there.tick(now + secs(2), &mut effects);
        let ask = effects.actions.into_iter().find_map(|action| match action {
            Action::Send(to, message) => Some((to, message)),
            Action::Broadcast(_) => None,
        });
        let (to, ask) = ask.expect("it asks");
        assert_eq!(to, id("a", 1));
        let mut effects = Effects::default();
        here.receive(now, ask.clone(), &mut effects);
        here.receive(now, ask, &mut effects);
        assert_eq!(effects.refused, ["a replica asks twice in a tick"]);
        let Some(Action::Send(_, ack)) = effects.actions.pop() else { panic!("it answers") };
        let Message::TransferAck { delta, .. } = &ack else { panic!("{ack:?}") };
        assert_eq!(delta.is_full, is_full, "{missed} missed");
        assert_eq!(receive(&mut there, now, &ack).len() as u64, missed);
        assert_eq!(there.list("t").len(), here.list("t").len());
    };
    check(1, false);
    check(20, false);
    check(99, false);
    check(150, true);
}

#[test]
fn it_is_silent_when_it_has_nothing_to_say_but_not_for_long() {
    let mut here = tracker("a");
    let mut told = Vec::new();
    for tick in 0..40u64 {
        let mut effects = Effects::default();
        here.tick(Duration::from_millis(1_500 * tick), &mut effects);
        told.extend(effects.actions.iter().map(|_| tick));
    }
    assert_eq!(told, [0, 11, 22, 33]);
}

#[test]
fn the_first_change_after_quiet_leaves_soon_and_the_next_ones_with_the_tick() {
    let mut here = tracker("a");
    heartbeat(&mut here, secs(0));
    let ms = Duration::from_millis;
    here.track(ms(100), "t", "a", 1, meta(1)).unwrap();
    assert_eq!(here.deadline(), Some(ms(120)));
    here.track(ms(110), "t", "b", 1, meta(2)).unwrap();
    assert_eq!(delta_of(&heartbeat(&mut here, ms(120))).values.len(), 2);
    here.track(ms(130), "t", "c", 1, meta(3)).unwrap();
    assert_eq!(here.deadline(), Some(ms(1_500)));
    assert_eq!(delta_of(&heartbeat(&mut here, ms(1_500))).values.len(), 1);
    assert_eq!(here.deadline(), Some(ms(3_000)));
    let alone = TrackerOptions { replicates: false, ..TrackerOptions::default() };
    let mut alone = Tracker::new(id("a", 1), alone, secs(0), 0);
    alone.track(secs(0), "t", "a", 1, meta(1)).unwrap();
    assert_eq!(alone.deadline(), None);
}

#[test]
fn who_is_down_is_not_in_the_clocks_and_is_asked_for_nothing() {
    let (mut here, mut there) = (tracker("a"), tracker("b"));
    receive(&mut there, secs(0), &heartbeat(&mut here, secs(0)));
    there.tick(secs(31), &mut Effects::default());
    let clocks: Clocks = there.clocks();
    assert_eq!(clocks.iter().map(|(id, _)| id.to_string()).collect::<Vec<_>>(), ["b@1-1"]);
}

#[test]
fn a_replica_with_more_than_it_may_is_refused() {
    let options = TrackerOptions { entries_max: 2, ..TrackerOptions::default() };
    let (mut here, mut there) = (tracker("a"), Tracker::new(id("b", 1), options, secs(0), 0));
    for owner in 0..3 {
        here.track(secs(0), "t", "k", owner, meta(owner)).unwrap();
    }
    let mut effects = Effects::default();
    there.receive(secs(0), heartbeat(&mut here, secs(0)), &mut effects);
    assert_eq!(effects.refused, ["a replica has more presences than it may"]);
    assert!(there.is_empty());
}
