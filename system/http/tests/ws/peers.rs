//! Both directions against tungstenite, over buffers in memory.

use std::io::{Cursor, Read, Write};

use bytes::BytesMut;
use simurgh_http::ws::{CloseCode, CloseFrame, Codec, Event, Message};
use tungstenite::protocol::{Role, WebSocket};

use crate::frames::{config, sent};

/// Reads what we sent, keeps what it writes.
struct Wire {
    input: Cursor<Vec<u8>>,
    output: Vec<u8>,
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self.input.read(buffer)? {
            0 => Err(std::io::ErrorKind::WouldBlock.into()),
            len => Ok(len),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.output.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn messages() -> Vec<Message> {
    let lens = [0, 1, 125, 126, 1_024, 1_025, 65_535, 65_536, 300_000];
    lens.iter()
        .flat_map(|&len| [Message::Binary(vec![7; len].into()), Message::Text("я".repeat(len / 2).into())])
        .collect()
}

fn theirs(message: &Message) -> tungstenite::Message {
    match message {
        Message::Text(text) => tungstenite::Message::text(text.as_str()),
        Message::Binary(bytes) => tungstenite::Message::Binary(bytes.clone()),
    }
}

fn exchange(mut ours: Codec, role: Role) {
    for message in messages() {
        ours.send(message).unwrap();
    }
    ours.ping(b"are you there").unwrap();
    let wire = Wire { input: Cursor::new(sent(&mut ours)), output: Vec::new() };
    let mut peer = WebSocket::from_raw_socket(wire, role, None);
    for message in messages() {
        assert_eq!(peer.read().unwrap(), theirs(&message));
    }
    assert_eq!(peer.read().unwrap(), tungstenite::Message::Ping(b"are you there"[..].into()));

    for message in messages() {
        peer.write(theirs(&message)).unwrap();
    }
    peer.flush().unwrap();
    let mut input = BytesMut::from(&std::mem::take(&mut peer.get_mut().output)[..]);
    // tungstenite writes its pong first, or last, as it pleases.
    let mut got = Vec::new();
    let mut pongs = 0;
    while let Some(event) = ours.feed(&mut input).unwrap() {
        match event {
            Event::Message(message) => got.push(message),
            Event::Pong(payload) => pongs += usize::from(payload == b"are you there"[..]),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((got, pongs), (messages(), 1));

    ours.close(Some(CloseFrame::new(CloseCode::NORMAL, "done"))).unwrap();
    peer.get_mut().input = Cursor::new(sent(&mut ours));
    assert!(peer.read().unwrap().is_close());
    let _ = peer.flush();
    let mut input = BytesMut::from(&peer.get_mut().output[..]);
    let Some(Event::Close(Some(frame))) = ours.feed(&mut input).unwrap() else { panic!("an echo") };
    assert_eq!(frame.code, CloseCode::NORMAL);
    assert!(ours.is_closed());
}

#[test]
fn our_server_and_their_client() {
    exchange(Codec::server(config(), None), Role::Client);
}

#[test]
fn our_client_and_their_server() {
    exchange(Codec::client(config(), None, || [0xde, 0xad, 0xbe, 0xef]), Role::Server);
}
