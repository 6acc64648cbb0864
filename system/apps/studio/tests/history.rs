//! The file of a room: what it holds after it was closed, cut, damaged, and after it grew. On a simulated disk.

#![allow(clippy::unwrap_used)] // in a test, a panic is the message

use std::io::ErrorKind;
use std::path::Path;

use simurgh::runtime::fs::{self, File, OpenOptions};
use simurgh_sim::Sim;
use studio::history::{Damage, KEPT, Log, Message, encode, header};

const FILE: &str = "/rooms/lobby.log";

fn message(id: u64) -> Message {
    Message { id, at: 1_000, name: "Alice".into(), text: format!("message {id}"), nonce: None }
}

fn messages(ids: std::ops::RangeInclusive<u64>) -> Vec<Message> {
    ids.map(message).collect()
}

fn put(path: &str, bytes: &[u8]) {
    fs::create_dir_all("/rooms").unwrap();
    let file = File::open(path, &OpenOptions { truncate: true, ..OpenOptions::editing() }).unwrap();
    file.write_all_at(bytes, 0).unwrap();
}

fn content(path: &str) -> Vec<u8> {
    File::open(path, &OpenOptions::reading()).unwrap().read_all().unwrap()
}

fn ids(messages: &[Message]) -> Vec<u64> {
    messages.iter().map(|message| message.id).collect()
}

#[simurgh_sim::test(seeds = 1)]
async fn what_was_appended_is_there_again(_sim: Sim) {
    fs::create_dir_all("/rooms").unwrap();
    let opened = Log::open(Path::new(FILE)).unwrap();
    assert!(opened.messages.is_empty() && opened.damage.is_empty());
    assert!(fs::metadata(FILE).is_err(), "a room in which nothing is said has no file");
    let mut log = opened.log;
    log.append(&messages(1..=2), &messages(1..=2)).unwrap();
    log.append(&messages(3..=3), &messages(1..=3)).unwrap();
    let opened = Log::open(Path::new(FILE)).unwrap();
    assert_eq!((opened.messages, opened.damage), (messages(1..=3), vec![]));
    assert_eq!(opened.log.size(), content(FILE).len() as u64);
}

#[simurgh_sim::test(seeds = 1)]
async fn a_torn_tail_is_cut_off_and_written_over(_sim: Sim) {
    let whole = [header(), encode(&message(1)), encode(&message(2))].concat();
    let third = encode(&message(3));
    for cut in 1..third.len() {
        put(FILE, &[&whole[..], &third[..cut]].concat());
        let mut opened = Log::open(Path::new(FILE)).unwrap();
        assert_eq!(ids(&opened.messages), [1, 2], "cut at {cut}");
        assert_eq!(opened.damage, [Damage::TornTail { offset: whole.len(), bytes: cut }]);
        assert_eq!(content(FILE), whole, "cut at {cut}");
        opened.log.append(&messages(3..=3), &messages(1..=3)).unwrap();
        assert_eq!(ids(&Log::open(Path::new(FILE)).unwrap().messages), [1, 2, 3]);
    }
}

#[simurgh_sim::test(seeds = 1)]
async fn a_damaged_record_costs_itself_only(_sim: Sim) {
    let mut bytes = [header(), encode(&message(1)), encode(&message(2)), encode(&message(3))].concat();
    let in_the_second = header().len() + encode(&message(1)).len() + 20;
    bytes[in_the_second] ^= 1;
    put(FILE, &bytes);
    let opened = Log::open(Path::new(FILE)).unwrap();
    assert_eq!(ids(&opened.messages), [1, 3]);
    assert!(matches!(opened.damage[..], [Damage::Record { .. }]));
    assert_eq!(content("/rooms/lobby.damaged"), bytes, "nothing is cut for it");
    assert_eq!(Log::open(Path::new(FILE)).unwrap().damage, []);
}

#[simurgh_sim::test(seeds = 1)]
async fn a_file_stays_bounded_however_much_is_said(_sim: Sim) {
    fs::create_dir_all("/rooms").unwrap();
    let mut log = Log::open(Path::new(FILE)).unwrap().log;
    let one = encode(&message(1_000)).len();
    for id in 1..=1_000_u64 {
        let first = (id + 1).saturating_sub(KEPT as u64).max(1);
        log.append(&messages(id..=id), &messages(first..=id)).unwrap();
        assert!(log.size() <= (header().len() + 4 * KEPT * one) as u64, "after {id}");
    }
    let opened = Log::open(Path::new(FILE)).unwrap();
    assert_eq!(ids(&opened.messages), (901..=1_000).collect::<Vec<_>>());
    assert_eq!(fs::read_dir("/rooms").unwrap(), ["lobby.log"], "nothing is left beside it");
}

#[simurgh_sim::test(seeds = 1)]
async fn a_file_that_is_no_history_is_left_alone(_sim: Sim) {
    put(FILE, b"my notes");
    assert_eq!(Log::open(Path::new(FILE)).unwrap_err().kind(), ErrorKind::InvalidData);
    assert_eq!(content(FILE), b"my notes");
}
