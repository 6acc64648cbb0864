//! The control socket on real sockets, and in the simulator.

#![allow(clippy::unwrap_used, clippy::disallowed_types)] // in a test, a panic is the message; it looks at a file's mode

use std::net::SocketAddr;

use simurgh_config::Secret;
use simurgh_net::control::{Access, Client, ClientError, Control, ControlError, ControlOptions, LINE_LEN_MAX, found};
use simurgh_otp::{self as otp, ChildSpec, Context, Flow, Server, Supervisor};
use simurgh_runtime::net::TcpStream;
use simurgh_runtime::{self as runtime, fs};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

struct Counter(u64);

impl Server for Counter {
    type Message = u64;

    async fn handle(&mut self, more: u64, _: &mut Context<Self>) -> Flow {
        self.0 += more;
        Flow::Continue
    }

    fn describe(&self) -> String {
        format!("at {}\u{1b}[2J", self.0)
    }
}

fn options() -> ControlOptions {
    ControlOptions { dir: None, ..ControlOptions::default() }
}

/// What a stranger who says `said` hears until the end.
async fn hears(addr: SocketAddr, said: &[u8]) -> String {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    stream.write_all(said).await.unwrap();
    let mut heard = Vec::new();
    let _ = stream.read_to_end(&mut heard).await; // bytes that were not read turn the end into a reset
    String::from_utf8(heard).unwrap()
}

async fn refusal(client: &mut Client, command: &str) -> String {
    match client.ask(command).await {
        Err(ClientError::Refused(why)) => why,
        other => panic!("{other:?}"),
    }
}

/// An operator looks into a node, and changes something.
async fn operate() {
    let control = Control::start(options()).await.unwrap();
    let root = Supervisor::one_for_one()
        .child("counter", || Counter(40))
        .child("sweeper", ChildSpec::task(std::future::pending::<()>))
        .start("root")
        .await
        .unwrap();
    let counter = root.child::<Counter>("counter").await.unwrap();
    let mut client = Client::connect(control.access()).await.unwrap();

    let tree = client.ask("tree").await.unwrap();
    assert!(tree.len() == 1 && tree[0].starts_with("{\"node\":\""), "{tree:?}");
    let text = client.ask("tree text").await.unwrap();
    assert!(text.iter().any(|line| line.starts_with("├─ counter ")), "{text:?}");
    assert_eq!(client.ask("diff text").await.unwrap(), ["nothing has changed"]);

    client.ask(&format!("trace {} on", counter.pid())).await.unwrap();
    counter.try_cast(2).unwrap();
    assert_eq!(client.ask(&format!("describe {}", counter.pid())).await.unwrap(), ["at 42\\u001b[2J"]);
    let lines = client.ask("trace lines text").await.unwrap();
    assert!(lines.len() == 1 && lines[0].contains(" u64 "), "{lines:?}");
    assert!(client.ask("trace lines after 1").await.unwrap().is_empty());

    let end = counter.monitor();
    client.ask(&format!("kill {}", counter.pid())).await.unwrap();
    end.await;
    while client.ask("crashes").await.unwrap().is_empty() {}
    let diff = client.ask("diff text").await.unwrap();
    assert!(diff.iter().any(|line| line.starts_with("* root > counter ")), "{diff:?}");
    assert!(client.ask("crashes text").await.unwrap().contains(&"decision   restarted".to_owned()));
    let reason = refusal(&mut client, &format!("kill {}", counter.pid())).await;
    assert_eq!(reason, format!("there is no process {}", counter.pid()));
    assert_eq!(refusal(&mut client, "dance").await, "there is no command \"dance\"; try help");
    assert_eq!(client.ask("help").await.unwrap().len(), 10);
    root.stop(std::time::Duration::from_secs(5)).await;
    control.stop().await;
    assert!(matches!(client.ask("tree").await, Err(ClientError::Unreachable(..))));
    assert_eq!(otp::count(), 0);
}

#[test]
fn an_operator_looks_and_kills() {
    runtime::run("test", operate());
}

#[simurgh_sim::test(seeds = 20)]
async fn an_operator_of_a_simulated_node(_sim: simurgh_sim::Sim) {
    operate().await;
}

#[test]
fn who_does_not_greet_properly_hears_one_line() {
    runtime::run("test", async {
        let control = Control::start(options()).await.unwrap();
        let addr = control.local_addr();
        let token = control.access().token.expose().clone();
        assert_eq!(hears(addr, b"GET / HTTP/1.1\r\n\r\n").await, "error say first: simurgh-control 1 TOKEN\n");
        assert_eq!(hears(addr, b"simurgh-control 1 wrong\n").await, "error wrong token\n");
        assert_eq!(hears(addr, format!("simurgh-control 1 {token}x\n").as_bytes()).await, "error wrong token\n");
        assert_eq!(
            hears(addr, format!("simurgh-control 2 {token}\n").as_bytes()).await,
            "error say first: simurgh-control 1 TOKEN\n"
        );
        let greeted = format!("simurgh-control 1 {token}\n");
        let long = format!("{greeted}{}\n", "a".repeat(LINE_LEN_MAX));
        assert_eq!(
            hears(addr, long.as_bytes()).await,
            "ok simurgh-control 1 test\nerror a line has at most 1024 bytes\n"
        );
        let nonsense = [greeted.as_bytes(), b"\xff\nquit\n"].concat();
        assert_eq!(hears(addr, &nonsense).await, "ok simurgh-control 1 test\nerror that is not UTF-8\n");

        let wrong = Access { token: Secret::new("0".repeat(64)), ..control.access().clone() };
        assert_eq!(Client::connect(&wrong).await.unwrap_err().to_string(), "wrong token");
    });
}

#[test]
fn options_that_are_not_safe_are_refused() {
    runtime::run("test", async {
        let everywhere = ControlOptions { addr: "0.0.0.0:0".parse().unwrap(), ..options() };
        assert!(matches!(Control::start(everywhere.clone()).await, Err(ControlError::NotLoopback(_))));
        Control::start(ControlOptions { allow_remote: true, ..everywhere }).await.unwrap().stop().await;
        for token in ["short", "with blanks in between", "with\nanother line of text", &"x".repeat(2_000)] {
            let options = ControlOptions { token: Some(Secret::new(token.to_owned())), ..options() };
            assert!(matches!(Control::start(options).await, Err(ControlError::Token)), "{token}");
        }
    });
}

#[test]
fn the_file_says_where_is_private_and_goes_with_the_node() {
    use std::os::unix::fs::PermissionsExt;
    let dir = std::path::PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("control");
    runtime::run("the shop", async move {
        let options = || ControlOptions { dir: Some(dir.clone()), ..options() };
        let control = Control::start(options()).await.unwrap();
        let path = control.file().unwrap().to_owned();
        let mode = std::fs::File::open(&path).unwrap().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let nodes = found(&dir).await.unwrap();
        assert_eq!((nodes.len(), nodes[0].node.as_str(), nodes[0].addr), (1, "the shop", control.local_addr()));
        assert_eq!(Client::connect(&nodes[0]).await.unwrap().node(), "the shop");
        control.stop().await;
        assert!(fs::metadata(&path).is_err());

        drop(Control::start(options()).await.unwrap());
        assert!(found(&dir).await.unwrap().is_empty());
        fs::write(dir.join("simurgh-broken-1.control"), "simurgh-control 1\nnode").await.unwrap();
        assert!(found(&dir).await.unwrap().is_empty());
    });
}
