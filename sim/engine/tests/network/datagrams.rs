//! What a program sees of datagrams: lost, doubled, damaged, out of order, too long, or too many.

use super::*;

#[test]
fn datagrams_get_lost() {
    let heard = heard(&datagrams(|datagrams| datagrams.loss_max = 0.5), Effect::UdpLoss);
    assert!(heard.iter().any(|heard| heard.len() < SAID));
    assert!(heard.iter().all(|heard| heard.is_sorted() && heard.len() > 2));
}

#[test]
fn datagrams_come_twice() {
    let heard = heard(&datagrams(|datagrams| datagrams.duplicate_max = 0.5), Effect::UdpDuplicate);
    assert!(heard.iter().any(|heard| heard.windows(2).any(|pair| pair[0] == pair[1])));
    assert!(heard.iter().all(|heard| all().iter().all(|said| heard.contains(said))));
}

#[test]
fn datagrams_overtake_each_other() {
    let heard = heard(&datagrams(|datagrams| datagrams.reorder_max = 0.5), Effect::UdpReorder);
    assert!(heard.iter().any(|heard| !heard.is_sorted()));
    for mut heard in heard {
        heard.sort();
        assert_eq!(heard, all());
    }
}

#[test]
fn datagrams_are_damaged() {
    let heard = heard(&datagrams(|datagrams| datagrams.corrupt_max = 0.5), Effect::UdpCorrupt);
    let damaged = heard.iter().flatten().filter(|heard| !all().contains(heard)).count();
    assert!(damaged > 0);
    assert!(heard.iter().all(|heard| heard.len() == SAID));
}

#[test]
fn calm_datagrams_arrive_in_order_and_a_seed_repeats_itself() {
    let body = body(|sim| async move {
        let hears = sim.node("hears", hears);
        hears.started().await?;
        let to = SocketAddr::new(hears.ip(), 53);
        sim.node("says", move || says(to, SAID)).ended().await;
        runtime::sleep(1.secs()).await;
        if sim.effects().of(Effect::UdpLoss) == 0 && sim.effects().of(Effect::UdpReorder) == 0 {
            assert!(hears.output().len() >= SAID);
        }
        Ok(())
    });
    passes(0, Profile::calm(), &body);
    for seed in 0..20 {
        assert_eq!(passes(seed, Profile::nasty(), &body).hash, passes(seed, Profile::nasty(), &body).hash);
    }
}

#[test]
fn a_long_datagram_disappears_where_no_fragments_pass() {
    let body = body(|sim| async move {
        let hears = sim.node("hears", hears);
        hears.started().await?;
        let to = SocketAddr::new(hears.ip(), 53);
        let socket = UdpSocket::bind("0.0.0.0:0".parse().unwrap()).await.map_err(words)?;
        let error = socket.send_to(&vec![b'x'; 65_508], to).await.unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EMSGSIZE));
        let mut buffer = [0; 2048];
        for len in [1472, 1473] {
            socket.send_to(&vec![b'x'; len], to).await.map_err(words)?;
            let back = runtime::timeout(1.secs(), socket.recv_from(&mut buffer)).await;
            assert_eq!(back.is_ok(), len == 1472, "{len} bytes");
        }
        Ok(())
    });
    let mut profile = datagrams(|datagrams| datagrams.no_fragments_max = 1.0);
    profile.omit = 0.0;
    let of = |seed| passes_if_drawn(seed, &profile, &body);
    assert!((0..20).map(of).sum::<u64>() > 0);
}

/// The seed's `no_fragments` is a chance of its own: only runs in which it struck count.
fn passes_if_drawn(seed: u64, profile: &Profile, body: &Body) -> u64 {
    let report = run_once(&RunConfig::new(seed, profile.clone()), body);
    let struck = report.effects.of(Effect::UdpMtu);
    assert!(struck == 0 || report.failure.is_none(), "{:?}", report.failure);
    struck
}

#[test]
fn a_socket_that_is_not_read_drops_what_its_queue_has_no_room_for() {
    let body = body(|sim| async move {
        let deaf = sim.node("deaf", || async {
            let socket = UdpSocket::bind("0.0.0.0:53".parse().unwrap()).await?;
            runtime::ready();
            runtime::sleep(10.secs()).await;
            let mut count = 0;
            while socket.try_recv_from(&mut [0; 2048]).is_ok() {
                count += 1;
            }
            runtime::out!("{count}");
            io::Result::Ok(())
        });
        deaf.started().await?;
        let to = SocketAddr::new(deaf.ip(), 53);
        let socket = UdpSocket::bind("0.0.0.0:0".parse().unwrap()).await.map_err(words)?;
        for _ in 0..1000 {
            socket.send_to(&[0; 256], to).await.map_err(words)?;
        }
        deaf.ended().await;
        // 212,992 bytes, at 256 and an overhead of 768 each.
        assert_eq!(deaf.output(), ["208"]);
        assert_eq!(sim.effects().of(Effect::UdpOverflow), 792);
        Ok(())
    });
    passes(1, Profile::calm(), &body);
}

#[test]
fn a_connected_socket_is_told_that_a_port_is_closed_and_takes_only_its_peer() {
    let body = body(|sim| async move {
        let hears = sim.node("hears", hears);
        hears.started().await?;
        let any: SocketAddr = "0.0.0.0:0".parse().unwrap();
        let socket = UdpSocket::bind(any).await.map_err(words)?;
        socket.connect(SocketAddr::new(hears.ip(), 9)).await.map_err(words)?;
        socket.send(b"anybody?").await.map_err(words)?;
        assert_eq!(socket.recv(&mut [0; 8]).await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
        socket.send(b"anybody?").await.map_err(words)?;
        runtime::sleep(1.secs()).await;
        assert_eq!(socket.send(b"anybody?").await.unwrap_err().kind(), ErrorKind::ConnectionRefused);

        let free = UdpSocket::bind(any).await.map_err(words)?;
        free.send_to(b"anybody?", SocketAddr::new(hears.ip(), 9)).await.map_err(words)?;
        assert!(runtime::timeout(10.secs(), free.recv_from(&mut [0; 8])).await.is_err(), "nobody is told");
        assert_eq!(free.send(b"").await.unwrap_err().raw_os_error(), Some(libc::EDESTADDRREQ));
        assert_eq!(free.peer_addr().unwrap_err().kind(), ErrorKind::NotConnected);

        socket.connect(SocketAddr::new(hears.ip(), 53)).await.map_err(words)?;
        free.send_to(b"a stranger", socket.local_addr().map_err(words)?).await.map_err(words)?;
        socket.send(b"").await.map_err(words)?;
        let mut buffer = [0; 16];
        assert_eq!(socket.recv_from(&mut buffer).await.map_err(words)?.1, SocketAddr::new(hears.ip(), 53));
        assert_eq!(sim.effects().of(Effect::UdpRefused), 2);

        let taken = UdpSocket::bind(socket.local_addr().map_err(words)?).await;
        assert!(taken.is_err());
        Ok(())
    });
    passes(1, Profile::calm(), &body);
}

#[test]
fn a_crash_refuses_datagrams_and_a_power_cut_swallows_them() {
    for (kill, told) in [(Kill::Crash, true), (Kill::Power, false)] {
        let body = body(move |sim| async move {
            let hears = sim.node("hears", hears);
            hears.started().await?;
            let socket = UdpSocket::bind("0.0.0.0:0".parse().unwrap()).await.map_err(words)?;
            socket.connect(SocketAddr::new(hears.ip(), 53)).await.map_err(words)?;
            sim.kill(&hears, kill);
            socket.send(b"alive?").await.map_err(words)?;
            let answer = runtime::timeout(60.secs(), socket.recv(&mut [0; 8])).await;
            assert_eq!(answer.is_ok(), told);
            hears.restart();
            hears.started().await?;
            socket.send(b"alive?").await.map_err(words)?;
            assert_eq!(socket.recv(&mut [0; 8]).await.map_err(words)?, 6);
            Ok(())
        });
        passes(1, Profile::calm(), &body);
    }
}
