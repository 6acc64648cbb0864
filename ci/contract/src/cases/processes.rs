//! Processes and pipes. What they run is in `children.rs`: for the kernel this very program, for the simulator a function.

case!(statuses {
    nobody!(server);
    pub async fn client<A: Arm>(scene: &Scene) {
        for name in ["finishes", "fails", "panics"] {
            let status = help::spawn(scene, name).expect("a program").wait().await;
            help::client(scene, format!("{name}: {}", help::status(&status)));
        }
        help::client(scene, show(&simurgh_runtime::process::Command::new("no-such-program").spawn().map(drop)));
    }
});

case!(signals {
    nobody!(server);
    pub async fn client<A: Arm>(scene: &Scene) {
        let mut child = help::spawn(scene, "sleeps").expect("a program");
        help::line(&mut child).await;
        help::client(scene, show(&child.kill().await));
        help::client(scene, help::status(&child.wait().await));
        help::client(scene, help::status(&child.wait().await));
        help::client(scene, show(&child.signal(Signal::Terminate)));
        for name in ["sleeps", "listens"] {
            let mut child = help::spawn(scene, name).expect("a program");
            help::line(&mut child).await;
            help::client(scene, show(&child.signal(Signal::Terminate)));
            help::client(scene, format!("{name}: {}", help::status(&child.wait().await)));
        }
    }
});

case!(there_and_through {
    nobody!(server);
    pub async fn client<A: Arm>(scene: &Scene) {
        let mut child = help::spawn(scene, "copies").expect("a program");
        let (mut input, mut output) = (child.stdin.take().expect("a pipe"), child.stdout.take().expect("a pipe"));
        help::client(scene, show(&input.write_all(b"hello").await));
        let mut five = [0; 5];
        help::client(scene, show(&output.read_exact(&mut five).await));
        drop(input);
        help::client(scene, rest(&mut output).await);
        help::client(scene, help::status(&child.wait().await));
    }
});

case!(waits_for_the_end {
    nobody!(server);
    pub async fn client<A: Arm>(scene: &Scene) {
        let mut child = help::spawn(scene, "copies").expect("a program");
        help::client(scene, help::status(&child.wait().await));
        let mut output = child.stdout.take().expect("a pipe");
        help::client(scene, rest(&mut output).await);
    }
});

case!(last_words {
    nobody!(server);
    pub async fn client<A: Arm>(scene: &Scene) {
        let mut child = help::spawn(scene, "speaks").expect("a program");
        help::client(scene, help::status(&child.wait().await));
        let mut output = child.stdout.take().expect("a pipe");
        help::client(scene, rest(&mut output).await);
    }
});

case!(full_pipe {
    nobody!(server);
    pub async fn client<A: Arm>(scene: &Scene) {
        let mut child = help::spawn(scene, "sleeps").expect("a program");
        help::line(&mut child).await;
        let mut input = child.stdin.take().expect("a pipe");
        let mut taken = 0;
        while let Some(Ok(len)) = help::limit::<A, _>(BEAT, input.write(&[7; 4096])).await {
            taken += len;
        }
        help::client(scene, format!("{taken} bytes, and then it waits"));
        help::client(scene, show(&child.kill().await));
        help::client(scene, show(&input.write(b"more").await));
    }
});

case!(broken_pipe {
    nobody!(server);
    pub async fn client<A: Arm>(scene: &Scene) {
        let mut child = help::spawn(scene, "sleeps").expect("a program");
        help::line(&mut child).await;
        let (mut input, mut output) = (child.stdin.take().expect("a pipe"), child.stdout.take().expect("a pipe"));
        help::client(scene, show(&child.kill().await));
        help::client(scene, rest(&mut output).await);
        help::client(scene, show(&input.write_all(b"anybody there?").await));
    }
});

case!(nobody_listens {
    nobody!(server);
    pub async fn client<A: Arm>(scene: &Scene) {
        let mut child = help::command(scene, "copies").stdin(Stdio::Null).spawn().expect("a program");
        let mut output = child.stdout.take().expect("a pipe");
        help::client(scene, format!("{}", child.stdin.is_none()));
        help::client(scene, rest(&mut output).await);
        help::client(scene, help::status(&child.wait().await));
    }
});

case!(handed_over {
    nobody!(server);
    pub async fn client<A: Arm>(scene: &Scene) {
        let command = help::command(scene, "tells").arg("one").arg("two words").var("CONTRACT_WORD", "a word");
        let mut child = command.spawn().expect("a program");
        let mut output = child.stdout.take().expect("a pipe");
        help::client(scene, rest(&mut output).await);
        help::client(scene, help::status(&child.wait().await));
    }
});

case!(dropped {
    nobody!(server);
    pub async fn client<A: Arm>(scene: &Scene) {
        let mut child = help::spawn(scene, "late").expect("a program");
        let mut output = child.stdout.take().expect("a pipe");
        let input = child.stdin.take();
        drop(child);
        help::client(scene, rest(&mut output).await);
        drop(input);
    }
});

case!(detached {
    nobody!(server);
    pub async fn client<A: Arm>(scene: &Scene) {
        let mut child = help::command(scene, "late").detached().spawn().expect("a program");
        let mut output = child.stdout.take().expect("a pipe");
        drop(child);
        help::client(scene, rest(&mut output).await);
    }
});
