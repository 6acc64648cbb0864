//! W on our own HTTP and WebSocket.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use bench_sim::work::{CLIENTS, PORT, ROUNDS, SERVERS, THINK};
use simurgh_http::ws::{self, CloseCode, Message, Socket};
use simurgh_http::{Body, Client, Options, Request, Response, Server, Service, Upgraded, client};
use simurgh_runtime as runtime;
use simurgh_sim::Exit;

struct App;

impl Service for App {
    async fn call(&self, request: Request, _: &Client) -> Response {
        if request.uri().path() != "/socket" {
            return Response::new("Hello, World!".into());
        }
        ws::upgrade(&request, &ws::Options::default(), echo).unwrap_or_else(|error| error.response())
    }
}

async fn echo(mut socket: Socket<Upgraded>) {
    while let Ok(Some(message)) = socket.recv().await {
        if socket.send(message).await.is_err() {
            return;
        }
    }
}

async fn serve() -> Result<(), String> {
    let options = Options::default();
    let _server =
        Server::start(([0, 0, 0, 0], PORT).into(), options, App).await.map_err(|error| error.to_string())?;
    runtime::ready();
    std::future::pending().await
}

async fn ask(server: IpAddr) {
    let addr = SocketAddr::new(server, PORT);
    let mut connection = client::Connection::connect(addr).await.expect("a connection");
    let answer = connection.send(Request::new(Body::empty())).await.expect("a response");
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.into_body().collect(1_000).await.expect("a body"), "Hello, World!");
    drop(connection);

    let mut socket = ws::connect(&format!("ws://{addr}/socket"), &ws::Options::default()).await.expect("a socket");
    let text = "x".repeat(64);
    for _ in 0..ROUNDS {
        socket.send(Message::text(text.as_str())).await.expect("sent");
        let echo = socket.recv().await.expect("an answer").expect("a message");
        assert_eq!(echo.as_bytes(), text.as_bytes());
        runtime::sleep(THINK).await;
    }
    let _ = socket.close(CloseCode::NORMAL, "").await;
}

async fn ask_all(first: usize, count: usize, servers: [IpAddr; SERVERS]) {
    let clients: Vec<_> =
        (first..first + count).map(|number| runtime::spawn(ask(servers[number % SERVERS]))).collect();
    for client in clients {
        client.await.expect("an end");
    }
}

pub fn body(hosts: usize) -> simurgh_sim::Body {
    Arc::new(move |sim| {
        Box::pin(async move {
            let nodes: [_; SERVERS] = std::array::from_fn(|number| sim.node(&format!("server{number}"), serve));
            for node in &nodes {
                node.started().await?;
            }
            let servers = nodes.map(|node| node.ip());
            let each = CLIENTS / hosts;
            let hosts: Vec<_> = (0..hosts)
                .map(|host| sim.node(&format!("clients{host}"), move || ask_all(host * each, each, servers)))
                .collect();
            for host in hosts {
                match host.ended().await {
                    Exit::Finished => {}
                    other => return Err(format!("{other:?}")),
                }
            }
            Ok(())
        })
    })
}
