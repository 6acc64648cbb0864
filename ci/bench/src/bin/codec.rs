//! The WebSocket codec alone, in memory, beside its peers: `codec [milliseconds per sample [part of a row's name]]`.

use std::hint::black_box;
use std::io::{IoSlice, Read, Write};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bench::{PAIRS, Ratio, at_least, header, median};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use simurgh_http::ws::{Codec, Config, Event, Message, Text};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

const LARGE: usize = 64 << 10;
const SMALL: usize = 64;
/// Bytes of the stream that a decoder reads again and again: more than the nearest caches, less than all of them.
const STREAM_LEN: usize = 1 << 20;

/// What is measured: does its work for so many messages.
type Subject = Box<dyn FnMut(usize)>;

fn main() {
    let sample_ms = std::env::args().nth(1).map_or(2_000, |text| text.parse().expect("milliseconds"));
    let rows = std::env::args().nth(2).unwrap_or_default();
    let plan = Plan { sample: Duration::from_millis(sample_ms), rows };
    header("The WebSocket codec alone", "ci/bench/run codec");
    println!(
        "\
One thread, no sockets: streams and sinks are memory, so a read or a write costs its copy. Decode: a client's masked
frames become messages of a server, unmasked, text checked. Encode: a server's messages become bytes that a sink takes.
Samples of {sample_ms} ms, {PAIRS} interleaved rounds after one to warm up; the ratio is our speed to the peer's in the
same round, its median with a 90 % interval by order statistics; not behind is 0.97 or more. tungstenite reads into
4 KiB, its best for many connections, or into the 128 KiB of its default; fastwebsockets has its feature simd, is driven
without a runtime, and encodes payloads that it borrows; so do we the small ones. Ours reads by `Codec::room`.
"
    );
    println!(
        "| what | peer | peer's GB/s | ours | ratio | bar | verdict |\n| --- | --- | --- | --- | --- | --- | --- |"
    );
    for (name, unit, is_text) in [
        ("ASCII", "The quick brown fox jumps over the lazy dog. ", true),
        ("Cyrillic", "Съешь же ещё этих мягких французских булок. ", true),
        ("Chinese", "天地玄黄宇宙洪荒日月盈昃辰宿列张。", true),
        ("binary", "\u{1}\u{7f}binary", false),
    ] {
        compare(&plan, &format!("decode, 64 KiB, {name}"), LARGE, decoders(unit, LARGE, is_text));
    }
    compare(&plan, "decode, 64 B, ASCII", SMALL, decoders("The quick brown fox. ", SMALL, true));
    compare(&plan, "encode, 64 KiB", LARGE, encoders(LARGE));
    compare(&plan, "encode, 64 B", SMALL, encoders(SMALL));
}

/// How long to measure, and what.
struct Plan {
    sample: Duration,
    rows: String,
}

/// Ours is the first of the subjects.
fn compare(plan: &Plan, what: &str, len: usize, mut subjects: Vec<(&str, Subject)>) {
    if !what.contains(&plan.rows) {
        return;
    }
    let count = subjects.len();
    let mut speeds = vec![Vec::new(); count];
    for round in 0..=PAIRS {
        for turn in 0..count {
            let at = (round + turn) % count;
            let speed = gb_per_second(&mut subjects[at].1, len, plan.sample);
            if round > 0 {
                speeds[at].push(speed);
            }
        }
        eprint!("\r  {what}: round {round} of {PAIRS}          ");
    }
    eprintln!();
    let ours = median(speeds[0].clone());
    for (at, (peer, _)) in subjects.iter().enumerate().skip(1) {
        let ratio = Ratio::of(speeds[0].iter().zip(&speeds[at]).map(|(ours, peer)| ours / peer).collect());
        let (theirs, verdict) = (median(speeds[at].clone()), at_least(&ratio, 0.97));
        println!("| {what} | {peer} | {theirs:.2} | {ours:.2} | {ratio} | not behind | {verdict} |");
    }
}

fn gb_per_second(subject: &mut Subject, len: usize, sample: Duration) -> f64 {
    let step = (256 << 10) / len;
    let start = Instant::now();
    let mut messages = 0;
    while start.elapsed() < sample {
        subject(step);
        messages += step;
    }
    (messages * len) as f64 / start.elapsed().as_secs_f64() / 1e9
}

/// A message of exactly `len` bytes, of whole characters.
fn payload(unit: &str, len: usize) -> String {
    let mut text = unit.repeat(len / unit.len() + 1);
    let end = text.floor_char_boundary(len);
    text.truncate(end);
    text + &" ".repeat(len - end)
}

fn decoders(unit: &str, len: usize, is_text: bool) -> Vec<(&'static str, Subject)> {
    let message = payload(unit, len);
    let mut sender = Codec::client(Config::default().shared(), None, || [0x37, 0xfa, 0x21, 0x3d]);
    let mut stream = Vec::new();
    while stream.len() < STREAM_LEN {
        if is_text { sender.text(&message) } else { sender.binary(message.as_bytes()) }.expect("it is open");
        stream.put(sender.output());
    }
    let memory = || Memory::new(Bytes::from(stream.clone()));

    let (mut codec, mut input, mut wire) = (Codec::server(Config::default().shared(), None), BytesMut::new(), memory());
    let ours = move |messages| {
        for _ in 0..messages {
            let event = loop {
                if let Some(event) = codec.feed(&mut input).expect("good frames") {
                    break event;
                }
                let room = codec.room(&input);
                input.reserve(room);
                input.put_slice(wire.next(room));
            };
            let Event::Message(message) = event else { panic!("a message") };
            assert_eq!(black_box(message).as_bytes().len(), len);
        }
    };

    let tungstenite = |read_buffer_size| {
        let config = tungstenite::protocol::WebSocketConfig::default().read_buffer_size(read_buffer_size);
        let mut socket =
            tungstenite::WebSocket::from_raw_socket(memory(), tungstenite::protocol::Role::Server, Some(config));
        move |messages| {
            for _ in 0..messages {
                assert_eq!(black_box(socket.read().expect("good frames")).len(), len);
            }
        }
    };

    let mut socket = fastwebsockets::WebSocket::after_handshake(memory(), fastwebsockets::Role::Server);
    let fast = move |messages| {
        now(async {
            for _ in 0..messages {
                assert_eq!(black_box(socket.read_frame().await.expect("good frames")).payload.len(), len);
            }
        });
    };
    vec![
        ("ours", Box::new(ours)),
        ("tungstenite, 4 KiB", Box::new(tungstenite(4 << 10))),
        ("tungstenite, 128 KiB", Box::new(tungstenite(128 << 10))),
        ("fastwebsockets", Box::new(fast)),
    ]
}

fn encoders(len: usize) -> Vec<(&'static str, Subject)> {
    let message = Bytes::from(payload("The quick brown fox. ", len));
    let memory = || Memory::new(Bytes::new());

    let (mut codec, mut wire) = (Codec::server(Config::default().shared(), None), memory());
    let text = Text::try_from(message.clone()).expect("it is ASCII");
    let small = text.as_str().to_owned();
    let ours = move |messages| {
        for _ in 0..messages {
            let sent = if len == SMALL { codec.text(&small) } else { codec.send(Message::Text(text.clone())) };
            sent.expect("it is open");
            let output = codec.output();
            while output.has_remaining() {
                let mut slices = [IoSlice::new(&[]); 8];
                let count = output.chunks_vectored(&mut slices);
                let written = wire.write_vectored(&slices[..count]).expect("memory takes all");
                output.advance(written);
            }
        }
    };

    let mut socket = tungstenite::WebSocket::from_raw_socket(memory(), tungstenite::protocol::Role::Server, None);
    let text = tungstenite::Utf8Bytes::try_from(message.clone()).expect("it is ASCII");
    let tungstenite = move |messages| {
        for _ in 0..messages {
            socket.send(tungstenite::Message::Text(text.clone())).expect("memory takes all");
        }
    };

    let mut socket = fastwebsockets::WebSocket::after_handshake(memory(), fastwebsockets::Role::Server);
    socket.set_writev(true);
    let fast = move |messages| {
        now(async {
            for _ in 0..messages {
                let frame = fastwebsockets::Frame::text(fastwebsockets::Payload::Borrowed(&message));
                socket.write_frame(frame).await.expect("memory takes all");
            }
        });
    };
    vec![("ours", Box::new(ours)), ("tungstenite", Box::new(tungstenite)), ("fastwebsockets", Box::new(fast))]
}

/// Runs what never waits.
fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("memory is always ready"),
    }
}

/// A socket made of memory: a stream that begins anew at its end, and a sink.
struct Memory {
    stream: Bytes,
    at: usize,
    sink: Vec<u8>,
}

impl Memory {
    fn new(stream: Bytes) -> Self {
        Self { stream, at: 0, sink: vec![0; 128 << 10] }
    }

    /// The next bytes, at most so many.
    fn next(&mut self, len_max: usize) -> &[u8] {
        if self.at == self.stream.len() {
            self.at = 0;
        }
        let end = self.stream.len().min(self.at + len_max);
        let start = std::mem::replace(&mut self.at, end);
        &self.stream[start..end]
    }
}

impl Read for Memory {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let bytes = self.next(buffer.len());
        buffer[..bytes.len()].copy_from_slice(bytes);
        Ok(bytes.len())
    }
}

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> std::io::Result<usize> {
        let mut written = 0;
        for slice in slices {
            let len = slice.len().min(self.sink.len() - written);
            self.sink[written..written + len].copy_from_slice(&slice[..len]);
            written += len;
        }
        black_box(&self.sink);
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl AsyncRead for Memory {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        buffer.put_slice(self.next(buffer.remaining()));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Memory {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        Poll::Ready(self.write(bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        Poll::Ready(self.write_vectored(slices))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
