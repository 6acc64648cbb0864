//! Datagrams.

const TOLD: &str = "its UdpSocket has no send and no recv";

case!(there_and_back {
    pub async fn server<A: Arm>(scene: &Scene) {
        let socket = A::udp(scene.listen_at(0)).await.expect("a socket");
        let mut buffer = [0; 64];
        let (len, from) = A::recv_from(&socket, &mut buffer).await.expect("a datagram");
        help::server(scene, format!("{len} bytes"));
        help::server(scene, show(&A::send_to(&socket, &buffer[..len], from).await));
    }
    pub async fn client<A: Arm>(scene: &Scene) {
        let socket = A::udp(scene.anywhere()).await.expect("a socket");
        help::client(scene, show(&A::send_to(&socket, b"hello", scene.at(0)).await));
        let (len, from) = A::recv_from(&socket, &mut [0; 64]).await.expect("an answer");
        help::client(scene, format!("{len} bytes, from whom was asked: {}", from == scene.at(0)));
    }
});

case!(too_small {
    pub async fn server<A: Arm>(scene: &Scene) {
        let socket = A::udp(scene.listen_at(0)).await.expect("a socket");
        let mut buffer = [0; 4];
        for _ in 0..2 {
            let len = A::recv_from(&socket, &mut buffer).await.map(|(len, _)| len);
            help::server(scene, format!("{} {}", show(&len), String::from_utf8_lossy(&buffer)));
        }
    }
    pub async fn client<A: Arm>(scene: &Scene) {
        let socket = A::udp(scene.anywhere()).await.expect("a socket");
        A::send_to(&socket, b"cut off", scene.at(0)).await.expect("sent");
        A::sleep(BEAT).await;
        A::send_to(&socket, b"next", scene.at(0)).await.expect("sent");
    }
});

case!(empty {
    pub async fn server<A: Arm>(scene: &Scene) {
        let socket = A::udp(scene.listen_at(0)).await.expect("a socket");
        help::server(scene, show(&A::recv_from(&socket, &mut [0; 4]).await.map(|(len, _)| len)));
    }
    pub async fn client<A: Arm>(scene: &Scene) {
        let socket = A::udp(scene.anywhere()).await.expect("a socket");
        help::client(scene, show(&A::send_to(&socket, b"", scene.at(0)).await));
    }
});

case!(waits {
    pub async fn server<A: Arm>(scene: &Scene) {
        let socket = A::udp(scene.listen_at(0)).await.expect("a socket");
        A::sleep(BEAT * 3).await;
        for _ in 0..2 {
            help::server(scene, show(&A::recv_from(&socket, &mut [0; 64]).await.map(|(len, _)| len)));
        }
    }
    pub async fn client<A: Arm>(scene: &Scene) {
        let socket = A::udp(scene.anywhere()).await.expect("a socket");
        A::send_to(&socket, b"early", scene.at(0)).await.expect("sent");
        A::sleep(BEAT).await;
        A::send_to(&socket, b"early too", scene.at(0)).await.expect("sent");
    }
});

case!(closed_untold {
    nobody!(server);
    pub async fn client<A: Arm>(scene: &Scene) {
        let socket = A::udp(scene.anywhere()).await.expect("a socket");
        help::client(scene, show(&A::send_to(&socket, b"anybody?", scene.at(0)).await));
        let heard = help::limit::<A, _>(BEAT * 2, A::recv_from(&socket, &mut [0; 4])).await;
        help::client(scene, heard.map_or("nothing".into(), |heard| show(&heard)));
        help::client(scene, show(&A::send_to(&socket, b"anybody?", scene.at(0)).await));
    }
});

case!(closed_told {
    nobody!(server);
    pub async fn client<A: Arm>(scene: &Scene) {
        let socket = A::udp(scene.anywhere()).await.expect("a socket");
        let Some(connected) = A::udp_connect(&socket, scene.at(0)).await else { return scene.skip(super::TOLD) };
        help::client(scene, show(&connected));
        help::client(scene, show(&A::send(&socket, b"anybody?").await));
        A::sleep(BEAT).await;
        let heard = help::limit::<A, _>(BEAT, A::recv(&socket, &mut [0; 4])).await;
        help::client(scene, heard.map_or("nothing".into(), |heard| show(&heard)));
        help::client(scene, show(&A::send(&socket, b"anybody?").await));
        A::sleep(BEAT).await;
        help::client(scene, show(&A::send(&socket, b"anybody?").await));
    }
});

case!(strangers {
    pub async fn server<A: Arm>(scene: &Scene) {
        let friend = A::udp(scene.listen_at(0)).await.expect("a socket");
        let stranger = A::udp(scene.listen_at(1)).await.expect("a socket");
        let (_, from) = A::recv_from(&friend, &mut [0; 64]).await.expect("a datagram");
        A::send_to(&stranger, b"from a stranger", from).await.expect("sent");
        A::sleep(BEAT).await;
        A::send_to(&friend, b"from a friend", from).await.expect("sent");
    }
    pub async fn client<A: Arm>(scene: &Scene) {
        let socket = A::udp(scene.anywhere()).await.expect("a socket");
        let Some(connected) = A::udp_connect(&socket, scene.at(0)).await else {
            scene.skip(super::TOLD);
            A::send_to(&socket, b"hello", scene.at(0)).await.expect("sent");
            return;
        };
        connected.expect("connected");
        A::send(&socket, b"hello").await.expect("sent");
        let mut buffer = [0; 64];
        let len = A::recv(&socket, &mut buffer).await.expect("an answer");
        help::client(scene, String::from_utf8_lossy(&buffer[..len]));
    }
});

case!(too_long {
    nobody!(server);
    pub async fn client<A: Arm>(scene: &Scene) {
        let socket = A::udp(scene.anywhere()).await.expect("a socket");
        help::client(scene, show(&A::send_to(&socket, &vec![0; 65_508], scene.at(0)).await));
    }
});

case!(longest {
    pub async fn server<A: Arm>(scene: &Scene) {
        let socket = A::udp(scene.listen_at(0)).await.expect("a socket");
        help::server(scene, show(&A::recv_from(&socket, &mut vec![0; 70_000]).await.map(|(len, _)| len)));
    }
    pub async fn client<A: Arm>(scene: &Scene) {
        let socket = A::udp(scene.anywhere()).await.expect("a socket");
        help::client(scene, show(&A::send_to(&socket, &vec![0; 65_507], scene.at(0)).await));
    }
});

case!(no_address {
    nobody!(server);
    pub async fn client<A: Arm>(scene: &Scene) {
        let socket = A::udp(scene.anywhere()).await.expect("a socket");
        let sent = A::send(&socket, b"whom?").await;
        if sent.as_ref().is_err_and(|error| error.to_string() == super::TOLD) {
            return scene.skip(super::TOLD);
        }
        help::client(scene, show(&sent));
    }
});

case!(taken {
    pub async fn server<A: Arm>(scene: &Scene) {
        let _socket = A::udp(scene.listen_at(0)).await.expect("a socket");
        help::server(scene, show(&A::udp(scene.listen_at(0)).await.map(drop)));
        help::server(scene, show(&A::bind(scene.listen_at(0)).await.map(drop))); // streams have ports of their own
    }
    nobody!(client);
});

case!(reopened {
    pub async fn server<A: Arm>(scene: &Scene) {
        drop(A::udp(scene.listen_at(0)).await.expect("a socket"));
        let socket = A::udp(scene.listen_at(0)).await.expect("a socket");
        help::server(scene, format!("{}", A::udp_addr(&socket).is_ok_and(|addr| addr.port() == scene.port)));
        help::server(scene, show(&A::recv_from(&socket, &mut [0; 64]).await.map(|(len, _)| len)));
    }
    pub async fn client<A: Arm>(scene: &Scene) {
        let socket = A::udp(scene.anywhere()).await.expect("a socket");
        A::send_to(&socket, b"hello", scene.at(0)).await.expect("sent");
    }
});
