//! Streams.

case!(closed_port {
    nobody!(server);
    pub async fn client<A: Arm>(scene: &Scene) {
        help::client(scene, show(&A::connect(scene.at(0)).await.map(drop)));
    }
});

case!(early_end {
    pub async fn server<A: Arm>(scene: &Scene) {
        let mut stream = accept::<A>(scene).await;
        stream.write_all(b"all there is").await.expect("written");
    }
    pub async fn client<A: Arm>(scene: &Scene) {
        let mut stream = connect::<A>(scene).await;
        A::sleep(BEAT).await;
        help::client(scene, rest(&mut stream).await);
        help::client(scene, rest(&mut stream).await);
    }
});

case!(half_close {
    pub async fn server<A: Arm>(scene: &Scene) {
        let mut stream = accept::<A>(scene).await;
        help::server(scene, rest(&mut stream).await);
        help::server(scene, show(&stream.write_all(b"answer").await));
    }
    pub async fn client<A: Arm>(scene: &Scene) {
        let mut stream = connect::<A>(scene).await;
        stream.write_all(b"question").await.expect("written");
        help::client(scene, show(&stream.shutdown().await));
        help::client(scene, rest(&mut stream).await);
    }
});

case!(unread {
    pub async fn server<A: Arm>(scene: &Scene) {
        let stream = accept::<A>(scene).await;
        A::sleep(BEAT).await;
        drop(stream);
    }
    pub async fn client<A: Arm>(scene: &Scene) {
        let mut stream = connect::<A>(scene).await;
        stream.write_all(b"never read").await.expect("written");
        A::sleep(BEAT * 2).await;
        help::client(scene, rest(&mut stream).await);
        help::client(scene, show(&stream.write(b"more").await));
    }
});

case!(write_to_gone {
    pub async fn server<A: Arm>(scene: &Scene) {
        drop(accept::<A>(scene).await);
    }
    pub async fn client<A: Arm>(scene: &Scene) {
        let mut stream = connect::<A>(scene).await;
        A::sleep(BEAT).await;
        help::client(scene, show(&stream.write(b"one").await));
        A::sleep(BEAT).await;
        help::client(scene, show(&stream.write(b"two").await));
        help::client(scene, rest(&mut stream).await);
    }
});

case!(zero_linger {
    pub async fn server<A: Arm>(scene: &Scene) {
        let mut stream = accept::<A>(scene).await;
        A::sleep(BEAT).await;
        if !A::zero_linger(&mut stream) {
            scene.skip("it has no SO_LINGER");
        }
    }
    pub async fn client<A: Arm>(scene: &Scene) {
        let mut stream = connect::<A>(scene).await;
        A::sleep(BEAT * 2).await;
        help::client(scene, rest(&mut stream).await);
    }
});

case!(reset_after_data {
    pub async fn server<A: Arm>(scene: &Scene) {
        let mut stream = accept::<A>(scene).await;
        stream.write_all(b"before").await.expect("written");
        A::sleep(BEAT).await;
        if !A::zero_linger(&mut stream) {
            scene.skip("it has no SO_LINGER");
        }
    }
    pub async fn client<A: Arm>(scene: &Scene) {
        let mut stream = connect::<A>(scene).await;
        A::sleep(BEAT * 2).await;
        help::client(scene, rest(&mut stream).await);
    }
});

case!(after_reset {
    pub async fn server<A: Arm>(scene: &Scene) {
        let stream = accept::<A>(scene).await;
        A::sleep(BEAT).await;
        drop(stream);
    }
    pub async fn client<A: Arm>(scene: &Scene) {
        let mut stream = connect::<A>(scene).await;
        stream.write_all(b"never read").await.expect("written");
        A::sleep(BEAT * 2).await;
        help::client(scene, show(&stream.read(&mut [0; 8]).await));
        help::client(scene, show(&stream.read(&mut [0; 8]).await));
        help::client(scene, show(&stream.write(b"more").await));
        help::client(scene, show(&stream.shutdown().await));
    }
});

case!(own_shutdown {
    pub async fn server<A: Arm>(scene: &Scene) {
        let mut stream = accept::<A>(scene).await;
        help::server(scene, rest(&mut stream).await);
        A::sleep(BEAT).await;
    }
    pub async fn client<A: Arm>(scene: &Scene) {
        let mut stream = connect::<A>(scene).await;
        stream.shutdown().await.expect("shut");
        help::client(scene, show(&stream.write(b"too late").await));
    }
});

case!(second_shutdown {
    pub async fn server<A: Arm>(scene: &Scene) {
        let mut stream = accept::<A>(scene).await;
        help::server(scene, rest(&mut stream).await);
        A::sleep(BEAT).await;
    }
    pub async fn client<A: Arm>(scene: &Scene) {
        let mut stream = connect::<A>(scene).await;
        help::client(scene, show(&stream.shutdown().await));
        help::client(scene, show(&stream.shutdown().await));
        help::client(scene, rest(&mut stream).await);
        A::sleep(BEAT).await;
        help::client(scene, show(&stream.shutdown().await));
    }
});

case!(early_words {
    pub async fn server<A: Arm>(scene: &Scene) {
        let mut listener = A::bind(scene.listen_at(0)).await.expect("a free port");
        A::sleep(BEAT * 3).await;
        let (mut stream, _) = A::accept(&mut listener).await.expect("a connection");
        help::server(scene, rest(&mut stream).await);
    }
    pub async fn client<A: Arm>(scene: &Scene) {
        let Some(Ok(mut stream)) = help::limit::<A, _>(BEAT, A::connect(scene.at(0))).await else {
            return help::client(scene, "not connected before it is accepted");
        };
        help::client(scene, show(&stream.write_all(b"hello and goodbye").await));
    }
});

case!(not_accepted {
    pub async fn server<A: Arm>(scene: &Scene) {
        let listener = A::bind(scene.listen_at(0)).await.expect("a free port");
        A::sleep(BEAT * 2).await;
        drop(listener);
    }
    pub async fn client<A: Arm>(scene: &Scene) {
        let connected = help::limit::<A, _>(BEAT * 4, A::connect(scene.at(0))).await;
        let Some(Ok(mut stream)) = connected else {
            return help::client(scene, format!("not connected: {:?}", connected.map(|connected| show(&connected.map(drop)))));
        };
        help::client(scene, "connected");
        help::client(scene, rest(&mut stream).await);
    }
});

case!(listener_gone {
    pub async fn server<A: Arm>(scene: &Scene) {
        drop(A::bind(scene.listen_at(0)).await.expect("a free port"));
        A::sleep(BEAT * 2).await;
    }
    pub async fn client<A: Arm>(scene: &Scene) {
        help::client(scene, show(&A::connect(scene.at(0)).await.map(drop)));
    }
});

case!(port_taken {
    pub async fn server<A: Arm>(scene: &Scene) {
        let _listener = A::bind(scene.listen_at(0)).await.expect("a free port");
        help::server(scene, show(&A::bind(scene.listen_at(0)).await.map(drop)));
    }
    nobody!(client);
});

case!(port_again {
    pub async fn server<A: Arm>(scene: &Scene) {
        let mut stream = accept::<A>(scene).await; // and the listener is closed
        stream.write_all(b"bye").await.expect("written");
        drop(stream);
        help::server(scene, show(&A::bind(scene.listen_at(0)).await.map(drop)));
    }
    pub async fn client<A: Arm>(scene: &Scene) {
        let mut stream = connect::<A>(scene).await;
        help::client(scene, rest(&mut stream).await);
    }
});

case!(full_window {
    pub async fn server<A: Arm>(scene: &Scene) {
        let mut stream = accept::<A>(scene).await;
        A::sleep(BEAT * 8).await;
        let (mut buffer, mut total) = (vec![0; 1 << 16], 0);
        while let Ok(len @ 1..) = stream.read(&mut buffer).await {
            total += len;
        }
        help::server(scene, format!("{total} bytes"));
    }
    pub async fn client<A: Arm>(scene: &Scene) {
        let mut stream = connect::<A>(scene).await;
        let bytes = vec![b'x'; 16 << 20]; // more than the kernel keeps
        let mut written = 0;
        while let Some(Ok(len)) = help::limit::<A, _>(BEAT, stream.write(&bytes[written..])).await {
            written += len;
            if written == bytes.len() {
                break;
            }
        }
        help::client(scene, if written < bytes.len() { "stops before it is read" } else { "never stops" });
        help::client(scene, show(&stream.write_all(&bytes[written..]).await));
    }
});

case!(nothing {
    pub async fn server<A: Arm>(scene: &Scene) {
        let mut stream = accept::<A>(scene).await;
        help::server(scene, rest(&mut stream).await);
    }
    pub async fn client<A: Arm>(scene: &Scene) {
        let mut stream = connect::<A>(scene).await;
        help::client(scene, show(&stream.write(b"").await));
        let read = help::limit::<A, _>(BEAT, stream.read(&mut [])).await;
        help::client(scene, read.map_or("reading into no room waits".into(), |read| show(&read)));
        help::client(scene, show(&stream.write(b"something").await));
    }
});

case!(write_half {
    pub async fn server<A: Arm>(scene: &Scene) {
        let mut stream = accept::<A>(scene).await;
        help::server(scene, rest(&mut stream).await);
        help::server(scene, show(&stream.write_all(b"still heard").await));
    }
    pub async fn client<A: Arm>(scene: &Scene) {
        let (mut read, write) = A::split(connect::<A>(scene).await);
        drop(write);
        help::client(scene, rest(&mut read).await);
    }
});

case!(read_half {
    pub async fn server<A: Arm>(scene: &Scene) {
        let mut stream = accept::<A>(scene).await;
        A::sleep(BEAT).await;
        help::server(scene, show(&stream.write(b"nobody reads this").await));
        A::sleep(BEAT).await;
        help::server(scene, show(&stream.write(b"nor this").await));
        help::server(scene, rest(&mut stream).await);
    }
    pub async fn client<A: Arm>(scene: &Scene) {
        let (read, mut write) = A::split(connect::<A>(scene).await);
        drop(read);
        A::sleep(BEAT * 4).await;
        help::client(scene, show(&write.write(b"still here").await));
    }
});

case!(addresses {
    pub async fn server<A: Arm>(scene: &Scene) {
        let mut listener = A::bind(scene.listen_at(0)).await.expect("a free port");
        let (stream, peer) = A::accept(&mut listener).await.expect("a connection");
        let (here, there) = A::addresses(&stream).expect("addresses");
        help::server(scene, format!("at the port it listens on: {}", here.port() == scene.at(0).port()));
        help::server(scene, format!("at the address that was asked for: {}", here.ip() == scene.server));
        help::server(scene, format!("the peer is who was accepted: {}", there == peer));
        help::server(scene, format!("at a port of the ephemeral range: {}", there.port() >= 32_768));
    }
    pub async fn client<A: Arm>(scene: &Scene) {
        let mut stream = connect::<A>(scene).await;
        help::client(scene, format!("the peer is who was asked: {}", A::addresses(&stream).expect("them").1 == scene.at(0)));
        rest(&mut stream).await;
    }
});

case!(loopback {
    pub async fn server<A: Arm>(scene: &Scene) {
        let here = std::net::SocketAddr::from(([127, 0, 0, 1], scene.at(0).port()));
        let mut listener = A::bind(here).await.expect("a free port");
        let asks = async {
            let mut stream = A::connect(here).await.expect("a connection");
            stream.write_all(b"to myself").await.expect("written");
        };
        let answers = async { rest(&mut A::accept(&mut listener).await.expect("a connection").0).await };
        // By turns: this thread is the only one that both have.
        let ((), heard) = both(asks, answers).await;
        help::server(scene, heard);
    }
    nobody!(client);

    async fn both<B, C>(one: impl Future<Output = B>, other: impl Future<Output = C>) -> (B, C) {
        let (mut one, mut other) = (std::pin::pin!(one), std::pin::pin!(other));
        let (mut first, mut second) = (None, None);
        std::future::poll_fn(move |cx| {
            use std::task::Poll;
            if first.is_none() && let Poll::Ready(value) = one.as_mut().poll(cx) {
                first = Some(value);
            }
            if second.is_none() && let Poll::Ready(value) = other.as_mut().poll(cx) {
                second = Some(value);
            }
            if first.is_some() && second.is_some() {
                return Poll::Ready((first.take().expect("it is there"), second.take().expect("it is there")));
            }
            Poll::Pending
        })
        .await
    }
});

case!(both_close {
    pub async fn server<A: Arm>(scene: &Scene) {
        let mut stream = accept::<A>(scene).await;
        A::sleep(BEAT).await;
        help::server(scene, show(&stream.shutdown().await));
        help::server(scene, rest(&mut stream).await);
    }
    pub async fn client<A: Arm>(scene: &Scene) {
        let mut stream = connect::<A>(scene).await;
        A::sleep(BEAT).await;
        help::client(scene, show(&stream.shutdown().await));
        help::client(scene, rest(&mut stream).await);
    }
});

case!(cancelled_read {
    pub async fn server<A: Arm>(scene: &Scene) {
        let mut stream = accept::<A>(scene).await;
        let mut given_up = 0;
        while help::limit::<A, _>(BEAT / 5, stream.read(&mut [0; 64])).await.is_none() {
            given_up += 1;
            if given_up == 3 {
                break;
            }
        }
        help::server(scene, format!("{given_up} given up, then {}", rest(&mut stream).await));
    }
    pub async fn client<A: Arm>(scene: &Scene) {
        let mut stream = connect::<A>(scene).await;
        A::sleep(BEAT * 2).await;
        stream.write_all(b"all of it").await.expect("written");
    }
});

case!(cancelled_accept {
    pub async fn server<A: Arm>(scene: &Scene) {
        let mut listener = A::bind(scene.listen_at(0)).await.expect("a free port");
        help::server(scene, format!("{}", help::limit::<A, _>(BEAT / 5, A::accept(&mut listener)).await.is_none()));
        let mut stream = A::accept(&mut listener).await.expect("a connection").0;
        help::server(scene, rest(&mut stream).await);
    }
    pub async fn client<A: Arm>(scene: &Scene) {
        connect::<A>(scene).await.write_all(b"hello").await.expect("written");
    }
});
