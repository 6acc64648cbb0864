//! All rooms: which run, and how the others are started.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::{fmt, io};

use simurgh::channels::presence::Presence;
use simurgh::otp::Children;
use simurgh::prelude::*;
use simurgh::pubsub::PubSub;
use simurgh::runtime::fs;
use simurgh::runtime::sync::AsyncMutex;

use crate::history::Message;
use crate::names::{self, Invalid};
use crate::room::{Ask, NotSaid, Room, Said};

/// How a room's topic begins.
pub const TOPIC: &str = "room:";

/// Why there is no room.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoRoom {
    /// Its name is none.
    #[error(transparent)]
    Name(#[from] Invalid),
    /// There are as many as there may be.
    #[error("There are {0} rooms, and no more are taken: join one of them.")]
    TooMany(usize),
    /// It does not start: the disk, most likely.
    #[error("This room cannot be opened now. Try again.")]
    Unavailable,
}

impl NoRoom {
    /// A stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Name(invalid) => invalid.code(),
            Self::TooMany(_) => "too_many_rooms",
            Self::Unavailable => "unavailable",
        }
    }
}

/// What the parts of the studio on one node have in common. Cheap to clone.
#[derive(Clone)]
pub struct Rooms {
    inner: Arc<Inner>,
}

struct Inner {
    pubsub: PubSub,
    presence: Presence,
    registry: Registry<String, ()>,
    /// Held while a room is started, so that two who want the same one do not race.
    opening: AsyncMutex<()>,
    children: Children,
    directory: PathBuf,
    rooms_max: usize,
    is_draining: AtomicBool,
    /// Whether the disk has refused the last message.
    is_failing: AtomicBool,
    said: AtomicU64,
    refused: AtomicU64,
}

/// What has been said and refused, for operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Rooms that run.
    pub running: usize,
    /// Messages that were taken.
    pub said: u64,
    /// Joins and messages that were refused.
    pub refused: u64,
}

impl Rooms {
    /// Rooms whose histories are in `directory`; `children` starts their processes.
    pub fn new(pubsub: PubSub, presence: Presence, children: Children, directory: PathBuf, rooms_max: usize) -> Self {
        let inner = Inner {
            pubsub,
            presence,
            registry: Registry::unique("rooms"),
            opening: AsyncMutex::named("rooms are opened one at a time", ()),
            children,
            directory,
            rooms_max,
            is_draining: AtomicBool::new(false),
            is_failing: AtomicBool::new(false),
            said: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Makes the directory, and says whether it can be written to.
    ///
    /// # Errors
    /// What the disk says.
    pub fn prepare(&self) -> io::Result<()> {
        if planted!("history.directory-unsynced") {
            fs::create_dir_all(&self.inner.directory)?;
        } else {
            fs::create_dir_all_durable(&self.inner.directory)?;
        }
        let probe = self.inner.directory.join("probe.new");
        let options = fs::OpenOptions { truncate: true, private: true, ..fs::OpenOptions::editing() };
        fs::File::open(&probe, &options)?;
        fs::remove_file(&probe)
    }

    /// Who is where.
    pub fn presence(&self) -> &Presence {
        &self.inner.presence
    }

    /// Where it is told.
    pub fn pubsub(&self) -> &PubSub {
        &self.inner.pubsub
    }

    /// No room is opened any more, and nobody joins.
    pub fn drain(&self) {
        self.inner.is_draining.store(true, Ordering::Release);
    }

    /// Whether that is so.
    pub fn is_draining(&self) -> bool {
        self.inner.is_draining.load(Ordering::Acquire)
    }

    /// Whether the disk takes messages. Once it has refused one it is asked each time, until it takes something.
    pub async fn is_storing(&self) -> bool {
        if !self.inner.is_failing.load(Ordering::Relaxed) {
            return true;
        }
        let rooms = self.clone();
        let is_storing = runtime::blocking(move || rooms.prepare()).await.is_ok();
        self.inner.is_failing.store(!is_storing, Ordering::Relaxed);
        is_storing
    }

    /// Says something in a room. It is on disk when this returns.
    ///
    /// # Errors
    /// [`NotSaid`].
    pub async fn say(&self, room: &str, said: Said) -> Result<u64, NotSaid> {
        let mut answer = Err(NotSaid::NotStored);
        // A room that is about to end is opened again, once; the nonce keeps a message from being taken twice.
        for _ in 0..2 {
            let Ok(server) = self.open(room).await else { break };
            let said = said.clone();
            match server.call(|reply| Ask::Say(said, reply)).await {
                Ok(taken) => {
                    answer = taken;
                    break;
                }
                Err(CallError::Overloaded { .. } | CallError::TimedOut { .. }) => {
                    answer = Err(NotSaid::Overloaded);
                    break;
                }
                Err(_) => {}
            }
        }
        if answer != Err(NotSaid::Overloaded) {
            self.inner.is_failing.store(answer.is_err(), Ordering::Relaxed);
        }
        let counter = if answer.is_ok() { &self.inner.said } else { &self.inner.refused };
        counter.fetch_add(1, Ordering::Relaxed);
        answer
    }

    /// The last messages of a room.
    ///
    /// # Errors
    /// [`NoRoom`].
    pub async fn history(&self, room: &str) -> Result<Vec<Message>, NoRoom> {
        for _ in 0..2 {
            if let Ok(history) = self.open(room).await?.call(Ask::History).await {
                return Ok(history);
            }
        }
        Err(NoRoom::Unavailable)
    }

    /// A room's process; it is started if it does not run.
    ///
    /// # Errors
    /// [`NoRoom`].
    pub async fn open(&self, room: &str) -> Result<ServerRef<Room>, NoRoom> {
        let room = names::room(room)?;
        if let Some(server) = self.inner.registry.server::<Room, _>(room) {
            return Ok(server);
        }
        let _one_at_a_time = self.inner.opening.lock().await;
        if let Some(server) = self.inner.registry.server::<Room, _>(room) {
            return Ok(server);
        }
        self.check_count(room).await?;
        let path = self.path_of(room);
        let server = Room::new(format!("{TOPIC}{room}"), path, self.inner.pubsub.clone());
        let start = Start::new(format!("room {room}"), server).register(&self.inner.registry, room.to_owned(), ());
        self.inner.children.start("room", start).await.map_err(|error| {
            tracing::warn!(room, %error, "a room does not start");
            NoRoom::Unavailable
        })
    }

    fn path_of(&self, room: &str) -> PathBuf {
        self.inner.directory.join(format!("{room}.log"))
    }

    /// Rooms that have a file, or run, are bounded together.
    async fn check_count(&self, room: &str) -> Result<(), NoRoom> {
        let Inner { directory, rooms_max, registry, .. } = &*self.inner;
        let (directory, path, max) = (directory.clone(), self.path_of(room), *rooms_max);
        let (files, is_known) = runtime::blocking(move || {
            let count = |names: Vec<String>| {
                names.iter().filter(|name| Path::new(name).extension().is_some_and(|kind| kind == "log")).count()
            };
            (fs::read_dir(&directory).map_or(0, count), fs::metadata(&path).is_ok())
        })
        .await;
        if !is_known && files.max(registry.count()) >= max { Err(NoRoom::TooMany(max)) } else { Ok(()) }
    }

    /// Counts a join that was refused.
    pub fn count_refused(&self) {
        self.inner.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// What has been said and refused.
    pub fn counts(&self) -> Counts {
        let Inner { registry, said, refused, .. } = &*self.inner;
        let (said, refused) = (said.load(Ordering::Relaxed), refused.load(Ordering::Relaxed));
        Counts { running: registry.count(), said, refused }
    }

    /// Rooms with people in them and how many, the fullest first.
    pub fn busy(&self) -> Vec<(String, usize)> {
        let presence = &self.inner.presence;
        let mut rooms: Vec<(String, usize)> = presence
            .topics()
            .iter()
            .filter_map(|topic| Some((topic.strip_prefix(TOPIC)?.to_owned(), presence.list(topic).len())))
            .filter(|(_, count)| *count > 0)
            .collect();
        rooms.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
        rooms
    }
}

impl fmt::Debug for Rooms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rooms({}, {:?})", self.inner.directory.display(), self.counts())
    }
}
