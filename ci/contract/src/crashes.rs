//! What a power cut leaves. No kernel can be asked that a few hundred times, so the oracle is written down: for each
//! case, all that POSIX and ext4 allow to be found afterwards. The simulator must show each of it in some seed, and
//! nothing else in any.
//!
//! The model: fsync(2) makes a file's content and length durable, not its name; names are made durable by an fsync of
//! their directory (fsync(2), rename(2)); what was not synced may be there or not, sector by sector and change by
//! change, in any order (POSIX promises none); a length may have grown without its bytes, which then read as zeros, never
//! as somebody else's (ext4 with `data=ordered`); a rename within a directory is one of the two, never neither.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use simurgh_runtime as runtime;
use simurgh_runtime::fs::{self, File, OpenOptions};
use simurgh_sim::{Body, Disks, Kill, Profile, RunConfig, run_once};

/// Power cuts of a case.
const SEEDS: u64 = 400;
const SECTOR: usize = 512;

/// A case: what is done after `file` holds `old`, durably, and what may be found then.
struct Case {
    name: &'static str,
    asks: &'static str,
    does: fn() -> std::io::Result<()>,
    finds: fn() -> String,
    allowed: &'static [&'static str],
}

const CASES: &[Case] = &[
    Case {
        name: "write",
        asks: "writing over a file, without a sync",
        does: || write("file", b"new", 0).map(drop),
        finds: || content("file"),
        allowed: &["new", "old"],
    },
    Case {
        name: "write_synced",
        asks: "the same with `sync_data`",
        does: || write("file", b"new", 0)?.sync_data(),
        finds: || content("file"),
        allowed: &["new"],
    },
    Case {
        name: "append",
        asks: "writing beyond the end, without a sync",
        does: || write("file", b"new", 3).map(drop),
        finds: || content("file"),
        allowed: &["old", "old...", "oldnew"],
    },
    Case {
        name: "sectors",
        asks: "writing over two sectors, without a sync",
        does: || write("pages", &[b'n'; 2 * SECTOR], 0).map(drop),
        finds: || content("pages").replace(&"o".repeat(SECTOR), "old,").replace(&"n".repeat(SECTOR), "new,"),
        allowed: &["new,new,", "new,old,", "old,new,", "old,old,"],
    },
    Case {
        name: "two_files",
        asks: "writing over one file and then another, without a sync",
        does: || write("file", b"new", 0).and_then(|_| write("other", b"new", 0)).map(drop),
        finds: || format!("{} {}", content("file"), content("other")),
        allowed: &["new new", "new old", "old new", "old old"],
    },
    Case {
        name: "cut",
        asks: "cutting a file to nothing, without a sync",
        does: || write("file", b"", 0)?.set_len(0),
        finds: || content("file"),
        allowed: &["", "old"],
    },
    Case {
        name: "made",
        asks: "making a file and syncing it, but not its directory",
        does: || write("made", b"new", 0)?.sync_all(),
        finds: || content("made"),
        allowed: &["new", "none"],
    },
    Case {
        name: "made_synced",
        asks: "the same with a sync of the directory",
        does: || write("made", b"new", 0)?.sync_all().and_then(|()| fs::sync_dir("")),
        finds: || content("made"),
        allowed: &["new"],
    },
    Case {
        name: "named_only",
        asks: "making a file and syncing its directory, but not the file",
        does: || write("made", b"new", 0).and_then(|_| fs::sync_dir("")),
        finds: || content("made"),
        allowed: &["", "...", "new"],
    },
    Case {
        name: "removed",
        asks: "removing a file, without a sync",
        does: || fs::remove_file("file"),
        finds: || content("file"),
        allowed: &["none", "old"],
    },
    Case {
        name: "removed_synced",
        asks: "the same with a sync of the directory",
        does: || fs::remove_file("file").and_then(|()| fs::sync_dir("")),
        finds: || content("file"),
        allowed: &["none"],
    },
    Case {
        name: "renamed",
        asks: "renaming a synced file over another, without a sync of the directory",
        does: || write("made", b"new", 0)?.sync_all().and_then(|()| fs::rename("made", "file")),
        finds: || content("file"),
        allowed: &["new", "old"],
    },
    Case {
        name: "renamed_unsynced",
        asks: "renaming a file that was not synced over another, and syncing the directory",
        does: || write("made", b"new", 0).and_then(|_| fs::rename("made", "file")).and_then(|()| fs::sync_dir("")),
        finds: || content("file"),
        allowed: &["", "...", "new"],
    },
    Case {
        name: "replaced",
        asks: "`File::replace`: write, sync, rename, sync the directory",
        does: || File::replace("file", b"new", false).map(drop),
        finds: || content("file"),
        allowed: &["new"],
    },
    Case {
        name: "folder",
        asks: "a new directory whose own entry is not synced, with a file that is",
        does: || {
            fs::create_dir_all("folder")?;
            write("folder/made", b"new", 0)?.sync_all()?;
            fs::sync_dir("folder")
        },
        finds: || content("folder/made"),
        allowed: &["new", "none"],
    },
    Case {
        name: "moved",
        asks: "moving a file to another directory, of which only the new one is synced",
        does: || fs::rename("file", "there/file").and_then(|()| fs::sync_dir("there")),
        finds: || format!("{} {}", content("file"), content("there/file")),
        allowed: &["none old", "old old"],
    },
];

fn write(path: &str, bytes: &[u8], at: u64) -> std::io::Result<File> {
    let file = File::open(path, &OpenOptions::editing())?;
    file.write_all_at(bytes, at)?;
    Ok(file)
}

/// What a file holds, with zeros as dots.
fn content(path: &str) -> String {
    let read = File::open(path, &OpenOptions::reading()).and_then(|file| file.read_all());
    read.map_or_else(
        |error| if error.kind() == std::io::ErrorKind::NotFound { "none".into() } else { error.to_string() },
        |bytes| String::from_utf8_lossy(&bytes).replace('\0', "."),
    )
}

/// The program: prepares, does what the case does, and waits for the cut; started again, it says what it finds.
async fn program(case: &'static Case) -> std::io::Result<()> {
    if fs::metadata("prepared").is_ok() {
        runtime::out!("{}", (case.finds)());
        return Ok(());
    }
    for (name, bytes) in [("file", &b"old"[..]), ("other", b"old"), ("pages", &[b'o'; 2 * SECTOR])] {
        write(name, bytes, 0)?.sync_all()?;
    }
    fs::create_dir_all("there")?;
    write("prepared", b"", 0)?.sync_all()?;
    fs::sync_dir("")?;
    (case.does)()?;
    runtime::ready();
    std::future::pending().await
}

fn found(case: &'static Case) -> BTreeSet<String> {
    let seen: Arc<Mutex<BTreeSet<String>>> = Arc::default();
    let profile =
        Profile { omit: 0.0, disks: Disks { short_max: 0.0, ..Disks::nasty() }, ..Profile::nasty().without_faults() };
    for seed in 0..SEEDS {
        let inside = Arc::clone(&seen);
        let body: Body = Arc::new(move |sim| {
            let seen = Arc::clone(&inside);
            Box::pin(async move {
                let node = sim.node("machine", move || program(case));
                node.started().await?;
                sim.kill(&node, Kill::Power);
                node.restart();
                node.ended().await;
                let said = node.output().pop().unwrap_or_else(|| format!("{:?}", node.exit()));
                seen.lock().unwrap_or_else(PoisonError::into_inner).insert(said);
                Ok(())
            })
        });
        if let Some(failure) = run_once(&RunConfig::new(seed, profile.clone()), &body).failure {
            seen.lock().unwrap_or_else(PoisonError::into_inner).insert(failure.to_string());
        }
    }
    std::mem::take(&mut *seen.lock().unwrap_or_else(PoisonError::into_inner))
}

/// The table, and the cases in which the simulator shows something else than the model allows.
pub fn table() -> (String, Vec<&'static str>) {
    let (mut text, mut wrong) = (String::new(), Vec::new());
    let _ = write!(
        text,
        "\n## What a power cut leaves\n\n{} cases, each with {SEEDS} power cuts in the simulator. Before each, `file` and \
         `other` hold `old`, durably, and `pages` two sectors of it. The model is what POSIX and ext4 allow, as written in \
         `ci/contract/src/crashes.rs`; the simulator must show each of it, and nothing else. A dot is a byte of zero.\n\n\
         | case | asks | the model allows | the simulator shows |\n| --- | --- | --- | --- |\n",
        CASES.len()
    );
    for case in CASES {
        let found = found(case);
        let allowed: BTreeSet<String> = case.allowed.iter().map(|&one| one.to_owned()).collect();
        let list = |all: &BTreeSet<String>| all.iter().map(|one| format!("`{one:?}`")).collect::<Vec<_>>().join(", ");
        let shows = if found == allowed { "the same".to_owned() } else { list(&found) };
        let _ = writeln!(text, "| {} | {} | {} | {shows} |", case.name, case.asks, list(&allowed));
        if found != allowed {
            wrong.push(case.name);
        }
    }
    (text, wrong)
}
