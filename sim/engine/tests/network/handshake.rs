//! What a program sees of the three steps of a connection, when one of them is lost, cut or given up.

use super::*;

#[test]
fn lost_connection_requests_are_repeated_after_seconds_and_time_out() {
    let body = body(|sim| async move {
        let (_server, addr) = server(sim).await?;
        let client = sim.node("client", move || async move {
            let start = Instant::now();
            match TcpStream::connect(addr).await {
                Ok(_) => assert!(start.elapsed() < 128.secs()),
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::TimedOut);
                    assert_eq!(start.elapsed().as_secs(), 127);
                }
            }
            runtime::out!("{}", start.elapsed().as_secs());
            io::Result::Ok(())
        });
        assert_eq!(client.ended().await, Exit::Finished);
        Ok(())
    });
    let profile = Profile { loss_max: 0.95, ..Profile::calm() };
    let reports: Vec<Report> = (0..60).map(|seed| passes(seed, profile.clone(), &body)).collect();
    let timeouts = reports.iter().filter(|report| report.effects.of(Effect::ConnectTimeout) > 0).count();
    assert!((1..60).contains(&timeouts), "{timeouts} of 60");
}

#[test]
fn a_server_accepts_only_whose_client_has_had_its_answer() {
    let body = body(|sim| async move {
        let server = sim.node("server", || async {
            let mut listener = TcpListener::bind("0.0.0.0:7".parse().unwrap()).await?;
            runtime::ready();
            let (_stream, _) = listener.accept().await?;
            runtime::out!("accepted");
            runtime::sleep(1.secs()).await;
            io::Result::Ok(())
        });
        server.started().await?;
        let addr = SocketAddr::new(server.ip(), 7);
        let client = sim.node("client", move || async move {
            let _stream = TcpStream::connect(addr).await?;
            runtime::out!("connected");
            runtime::sleep(500.secs()).await;
            io::Result::Ok(())
        });
        let (mut connected, start) = (None, Instant::now());
        // Each step is lost for at most 127 s, or for good.
        while start.elapsed() < 400.secs() {
            runtime::sleep(5.millis()).await;
            let at = start.elapsed();
            if !client.output().is_empty() {
                connected.get_or_insert(at);
            }
            if !server.output().is_empty() {
                let Some(connected) = connected else { return Err("accepted before it was connected".into()) };
                if at >= connected + 1.secs() {
                    runtime::probe!("acknowledged.again");
                }
                break;
            }
        }
        Ok(())
    });
    let profile = Profile { loss_max: 0.6, ..Profile::calm() };
    let reports: Vec<Report> = (0..60).map(|seed| passes(seed, profile.clone(), &body)).collect();
    let again =
        reports.iter().filter(|report| report.probes.iter().any(|(probe, _)| probe == "acknowledged.again")).count();
    assert!(again > 0, "no acknowledgement was lost");
}

/// A listener that has room for one request and accepts none, and a client that leaves before it has had its answer.
async fn left_alone(sim: Sim, and_then: impl FnOnce(&Sim, &Node, &Node)) -> Result<Duration, String> {
    let server = sim.node("server", || async {
        let options = BindOptions { backlog: 1, ..BindOptions::default() };
        let _listener = TcpListener::bind_with("0.0.0.0:7".parse().unwrap(), options).await?;
        runtime::ready();
        runtime::sleep(1000.secs()).await;
        io::Result::Ok(())
    });
    server.started().await?;
    let addr = SocketAddr::new(server.ip(), 7);
    let leaves = sim.node("leaves", move || async move {
        // A trip takes a millisecond: the request is there, the answer is not.
        let waited = runtime::timeout(1500.micros(), TcpStream::connect(addr)).await;
        runtime::out!("{}", waited.is_err());
        runtime::sleep(1000.secs()).await;
        io::Result::Ok(())
    });
    runtime::sleep(1400.micros()).await;
    and_then(&sim, &leaves, &server);
    runtime::sleep(10.millis()).await;
    assert_eq!(leaves.output(), ["true"]);
    let comes = sim.node("comes", move || async move {
        let start = Instant::now();
        let _stream = TcpStream::connect(addr).await?;
        runtime::out!("{}", start.elapsed().as_millis());
        io::Result::Ok(())
    });
    assert_eq!(comes.ended().await, Exit::Finished);
    Ok(Duration::from_millis(comes.output()[0].parse().map_err(words)?))
}

fn a_millisecond() -> Profile {
    Profile { latency_ns: Some((1_000_000, 1_000_000)), ..Profile::calm() }
}

#[test]
fn who_leaves_before_the_answer_frees_its_place() {
    let body = body(|sim| async move {
        let took = left_alone(sim, |_, _, _| ()).await?;
        assert!(took < 10.millis(), "{took:?}");
        Ok(())
    });
    passes(1, a_millisecond(), &body);
}

#[test]
fn a_server_forgets_in_a_minute_whom_it_cannot_hear_leave() {
    let body = body(|sim| async move {
        let cut = |sim: &Sim, client: &Node, server: &Node| {
            sim.partition(std::slice::from_ref(client), std::slice::from_ref(server));
        };
        let took = left_alone(sim, cut).await?;
        // Requests are repeated after 1, 3, 7, 15, 31 and 63 seconds.
        assert_eq!(took.as_secs(), 63);
        Ok(())
    });
    passes(1, a_millisecond(), &body);
}

#[test]
fn an_answer_does_not_cross_a_cut() {
    let body = body(|sim| async move {
        let (server, addr) = server(sim).await?;
        let client = sim.node("client", move || async move {
            let start = Instant::now();
            let _stream = TcpStream::connect(addr).await?;
            runtime::out!("{}", start.elapsed().as_secs());
            io::Result::Ok(())
        });
        // A trip takes a millisecond: the request is there, the answer on its way.
        runtime::sleep(1500.micros()).await;
        sim.partition(std::slice::from_ref(&client), std::slice::from_ref(&server));
        runtime::sleep(5.secs()).await;
        sim.heal();
        assert_eq!(client.ended().await, Exit::Finished);
        assert_eq!(client.output(), ["7"], "it is repeated after 1, 3 and 7 s");
        Ok(())
    });
    passes(1, a_millisecond(), &body);
}
