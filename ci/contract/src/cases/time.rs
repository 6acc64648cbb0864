//! Time.

case!(never_early {
    nobody!(server);
    pub async fn client<A: Arm>(scene: &Scene) {
        for ms in [1, 7, 40] {
            let time = std::time::Duration::from_millis(ms);
            let start = A::now();
            A::sleep(time).await;
            help::client(scene, format!("{ms} ms: {}", A::now() - start >= time));
        }
    }
});

case!(in_order {
    nobody!(server);
    pub async fn client<A: Arm>(scene: &Scene) {
        let start = A::now();
        let long = help::limit::<A, _>(BEAT * 2, std::future::pending::<()>());
        let mut long = std::pin::pin!(long);
        let first = help::limit::<A, _>(BEAT, &mut long).await;
        help::client(scene, format!("{}", first.is_none()));
        long.await;
        help::client(scene, format!("{}", A::now() - start >= BEAT * 2 && A::now() - start < BEAT * 3));
    }
});

case!(no_time {
    nobody!(server);
    pub async fn client<A: Arm>(scene: &Scene) {
        A::sleep(std::time::Duration::ZERO).await;
        help::client(scene, "ends");
    }
});

case!(value_first {
    nobody!(server);
    pub async fn client<A: Arm>(scene: &Scene) {
        help::client(scene, format!("{:?}", help::limit::<A, _>(std::time::Duration::ZERO, async { "the value" }).await));
    }
});

case!(limit {
    nobody!(server);
    pub async fn client<A: Arm>(scene: &Scene) {
        let start = A::now();
        help::client(scene, format!("{:?}", help::limit::<A, _>(BEAT, std::future::pending::<()>()).await));
        let took = A::now() - start;
        help::client(scene, format!("{}", took >= BEAT && took < BEAT * 2));
    }
});

case!(given_up {
    nobody!(server);
    pub async fn client<A: Arm>(scene: &Scene) {
        let start = A::now();
        assert!(help::limit::<A, _>(BEAT, A::sleep(BEAT * 100)).await.is_none());
        A::sleep(BEAT).await;
        help::client(scene, format!("{}", A::now() - start < BEAT * 10));
    }
});
