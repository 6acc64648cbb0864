//! Files, on one machine: what calls say and what is seen afterwards. What a power cut leaves is in `crashes.rs`.

case!(missing {
    nobody!(server);
    pub async fn client<A: Arm>(scene: &Scene) {
        let path = scene.folder();
        help::client(scene, show(&fs::metadata(path.join("none"))));
        help::client(scene, show(&File::open(path.join("none"), &OpenOptions::reading()).map(drop)));
        help::client(scene, show(&File::open(path.join("none/none"), &OpenOptions::editing()).map(drop)));
        help::client(scene, show(&File::open("", &OpenOptions::editing()).map(drop)));
        help::client(scene, show(&fs::remove_file(path.join("none"))));
        help::client(scene, show(&fs::remove_dir_all(path.join("none"))));
        help::client(scene, show(&fs::read_dir(path.join("none"))));
        help::client(scene, show(&fs::rename(path.join("none"), path.join("other"))));
        help::client(scene, show(&fs::sync_dir(path.join("none"))));
    }
});

case!(create_new {
    nobody!(server);
    pub async fn client<A: Arm>(scene: &Scene) {
        let path = scene.folder().join("file");
        let new = OpenOptions { write: true, create_new: true, ..OpenOptions::default() };
        help::client(scene, show(&File::open(&path, &new).map(drop)));
        help::client(scene, show(&File::open(&path, &new).map(drop)));
        help::client(scene, show(&File::open(scene.folder(), &new).map(drop)));
    }
});

case!(positions {
    nobody!(server);
    pub async fn client<A: Arm>(scene: &Scene) {
        let file = help::file(scene, "file", b"hello");
        let mut buffer = [b'.'; 8];
        for at in [0, 3, 5, 100] {
            let read = file.read_at(&mut buffer, at);
            help::client(scene, format!("at {at}: {}", show(&read)));
        }
        help::client(scene, show(&file.read_exact_at(&mut buffer, 0)));
        help::client(scene, show(&file.read_at(&mut [], 0)));
        help::client(scene, show(&file.write_at(&[], 50)));
        help::client(scene, show(&file.len()));
    }
});

case!(hole {
    nobody!(server);
    pub async fn client<A: Arm>(scene: &Scene) {
        let file = help::file(scene, "file", b"ab");
        help::client(scene, show(&file.write_at(b"z", 6)));
        help::client(scene, format!("{:?}", file.read_all().ok()));
        help::client(scene, show(&file.set_len(1)));
        help::client(scene, show(&file.set_len(3)));
        help::client(scene, format!("{:?}", file.read_all().ok()));
    }
});

case!(truncated {
    nobody!(server);
    pub async fn client<A: Arm>(scene: &Scene) {
        let before = help::file(scene, "file", b"before");
        let emptied = OpenOptions { truncate: true, ..OpenOptions::editing() };
        let after = File::open(scene.folder().join("file"), &emptied);
        help::client(scene, show(&after.and_then(|file| file.len())));
        help::client(scene, show(&before.len()));
    }
});

case!(wrong_way {
    nobody!(server);
    pub async fn client<A: Arm>(scene: &Scene) {
        let path = scene.folder().join("file");
        drop(help::file(scene, "file", b"text"));
        let reads = File::open(&path, &OpenOptions::reading()).expect("it is there");
        help::client(scene, show(&reads.write_at(b"x", 0)));
        help::client(scene, show(&reads.set_len(0)));
        let writes = File::open(&path, &OpenOptions { write: true, ..OpenOptions::default() }).expect("it is there");
        help::client(scene, show(&writes.read_at(&mut [0; 4], 0)));
        help::client(scene, show(&writes.sync_all()));
        help::client(scene, show(&File::open(&path, &OpenOptions::default()).map(drop)));
        let made_to_read = OpenOptions { create: true, ..OpenOptions::reading() };
        help::client(scene, show(&File::open(scene.folder().join("new"), &made_to_read).map(drop)));
    }
});

case!(removed_open {
    nobody!(server);
    pub async fn client<A: Arm>(scene: &Scene) {
        let file = help::file(scene, "file", b"still");
        help::client(scene, show(&fs::remove_file(scene.folder().join("file"))));
        help::client(scene, show(&file.write_at(b" here", 5)));
        help::client(scene, format!("{:?}", file.read_all().map(|bytes| bytes.len()).ok()));
        help::client(scene, show(&fs::metadata(scene.folder().join("file"))));
        let new = help::file(scene, "file", b"new");
        help::client(scene, show(&new.len()));
        help::client(scene, show(&file.len()));
    }
});

case!(renamed_over {
    nobody!(server);
    pub async fn client<A: Arm>(scene: &Scene) {
        let (old, new) = (help::file(scene, "old", b"old"), help::file(scene, "new", b"newer"));
        let at = |name: &str| scene.folder().join(name);
        help::client(scene, show(&fs::rename(at("new"), at("old"))));
        help::client(scene, show(&old.len()));
        help::client(scene, show(&new.write_at(b"!", 5)));
        help::client(scene, show(&fs::metadata(at("old")).map(|known| known.len)));
        help::client(scene, show(&fs::metadata(at("new"))));
        help::client(scene, show(&fs::rename(at("old"), at("old"))));
        help::client(scene, show(&fs::read_dir(scene.folder())));
    }
});

case!(renamed_folders {
    nobody!(server);
    pub async fn client<A: Arm>(scene: &Scene) {
        let at = |name: &str| scene.folder().join(name);
        for name in ["empty", "full/inner"] {
            fs::create_dir_all(at(name)).expect("a folder");
        }
        drop(help::file(scene, "file", b""));
        for (from, to) in [
            ("file", "empty"),
            ("empty", "file"),
            ("empty", "full"),
            ("full", "full/inner/below"),
            ("full", "empty"),
            ("empty/inner", "inner"),
            ("file", "nowhere/file"),
            ("file", "file/below"),
        ] {
            help::client(scene, format!("{from} to {to}: {}", show(&fs::rename(at(from), at(to)))));
        }
        help::client(scene, show(&fs::read_dir(scene.folder())));
    }
});

case!(folders {
    nobody!(server);
    pub async fn client<A: Arm>(scene: &Scene) {
        let at = |name: &str| scene.folder().join(name);
        help::client(scene, show(&fs::create_dir_all(at("a/b/c"))));
        help::client(scene, show(&fs::create_dir_all(at("a/b"))));
        drop(help::file(scene, "file", b"text"));
        help::client(scene, show(&fs::create_dir_all(at("file"))));
        help::client(scene, show(&fs::create_dir_all(at("file/below"))));
        help::client(scene, show(&fs::metadata(at("a")).map(|known| known.is_dir)));
        help::client(scene, show(&fs::metadata(at("file/below"))));
        help::client(scene, show(&fs::metadata(at("a/b/../../file")).map(|known| known.len)));
        help::client(scene, show(&fs::read_dir(at("file"))));
        help::client(scene, show(&fs::read_dir(at("a"))));
        help::client(scene, show(&fs::remove_file(at("a"))));
        help::client(scene, show(&File::open(at("a"), &OpenOptions::editing()).map(drop)));
        help::client(scene, show(&fs::remove_dir_all(at("a"))));
        help::client(scene, show(&fs::read_dir(scene.folder())));
        help::client(scene, show(&fs::sync_dir(scene.folder())));
    }
});

case!(locks {
    nobody!(server);
    pub async fn client<A: Arm>(scene: &Scene) {
        let open = || File::open(scene.folder().join("file"), &OpenOptions::editing()).expect("a file");
        let (one, other, third) = (open(), open(), open());
        help::client(scene, show(&one.try_lock()));
        help::client(scene, show(&other.try_lock()));
        help::client(scene, show(&other.try_lock_shared()));
        help::client(scene, show(&one.unlock()));
        help::client(scene, show(&other.try_lock_shared()));
        help::client(scene, show(&third.try_lock_shared()));
        help::client(scene, show(&third.try_lock()));
        drop(other);
        help::client(scene, show(&third.try_lock()));
        help::client(scene, show(&one.try_lock_shared()));
        drop(third);
        help::client(scene, show(&one.try_lock()));
    }
});

case!(replaced {
    nobody!(server);
    pub async fn client<A: Arm>(scene: &Scene) {
        let path = scene.folder().join("file");
        let before = help::file(scene, "file", b"before");
        help::client(scene, show(&File::replace(&path, b"after", false).and_then(|file| file.len())));
        let after = File::open(&path, &OpenOptions::reading()).and_then(|file| file.read_all());
        help::client(scene, show(&after.map(|bytes| bytes.len())));
        help::client(scene, show(&before.len()));
        help::client(scene, show(&fs::read_dir(scene.folder())));
    }
});
