//! Directories and what stands in them: as programs see them now, and what a power cut would leave.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::io::{self, ErrorKind};
use std::path::{Component, Path};
use std::sync::{Arc, Mutex};

use simurgh_runtime::fs::Metadata;

use super::content::Content;
use super::fate::Fate;
use super::{error, locked};

/// The number of an inode.
type Ino = u64;
/// The directory `/`, and the working directory of the node's process.
const ROOT: Ino = 0;
const HERE: Ino = 1;
/// Inodes from which on those that nothing leads to are looked for.
const COLLECT_FROM: usize = 256;

/// A file's inode, shared by those who have it open. Only one thread ever locks it.
pub(crate) type Inode = Arc<Mutex<FileInode>>;

#[derive(Default)]
pub(crate) struct FileInode {
    pub(crate) content: Content,
    pub(crate) locks: Vec<Holder>,
}

/// Who holds a lock of a file. It is void when that process has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Holder {
    pub(crate) node: u32,
    pub(crate) incarnation: u32,
    pub(crate) exclusive: bool,
}

enum Entry {
    File(Inode),
    Directory(Directory),
}

#[derive(Default)]
struct Directory {
    live: BTreeMap<OsString, Ino>,
    durable: BTreeMap<OsString, Ino>,
}

/// A place in a directory.
type Place = (Ino, OsString);

/// A change of directories that has not been synced.
#[derive(Debug, Clone)]
enum Change {
    Link(Place, Ino),
    Unlink(Place, Ino),
    /// At once: whoever looks, before or after a cut, sees one of the two.
    Rename(Place, Place, Ino),
}

/// All directories and files of a disk.
pub(crate) struct Tree {
    entries: BTreeMap<Ino, Entry>,
    changes: Vec<Change>,
    next: Ino,
    collect_at: usize,
}

impl Tree {
    pub(crate) fn new() -> Self {
        let directory = || Entry::Directory(Directory::default());
        let entries = BTreeMap::from([(ROOT, directory()), (HERE, directory())]);
        Self { entries, changes: Vec::new(), next: 2, collect_at: COLLECT_FROM }
    }

    /// The inode that a path leads to.
    fn find(&self, path: &Path) -> io::Result<Ino> {
        self.walk(&split(path)?)
    }

    fn walk(&self, (from, names): &(Ino, Vec<&OsStr>)) -> io::Result<Ino> {
        let mut at = *from;
        for name in names {
            at = *self.directory(at)?.live.get(*name).ok_or(ErrorKind::NotFound)?;
        }
        Ok(at)
    }

    fn directory(&self, ino: Ino) -> io::Result<&Directory> {
        match self.entries.get(&ino) {
            Some(Entry::Directory(directory)) => Ok(directory),
            Some(Entry::File(_)) => error(ErrorKind::NotADirectory),
            None => error(ErrorKind::NotFound),
        }
    }

    fn directory_mut(&mut self, ino: Ino) -> &mut Directory {
        match self.entries.get_mut(&ino) {
            Some(Entry::Directory(directory)) => directory,
            _ => unreachable!("changes name directories, which live as long as a change does"),
        }
    }

    /// The directory in which the last part of a path stands or would stand, and that part.
    fn place(&self, path: &Path) -> io::Result<Place> {
        let (from, mut names) = split(path)?;
        let last = names.pop().ok_or(ErrorKind::IsADirectory)?.to_owned();
        let directory = self.walk(&(from, names))?;
        self.directory(directory)?;
        Ok((directory, last))
    }

    fn at(&self, place: &Place) -> Option<Ino> {
        self.directory(place.0).ok()?.live.get(&place.1).copied()
    }

    fn is_directory(&self, ino: Ino) -> bool {
        matches!(self.entries.get(&ino), Some(Entry::Directory(_)))
    }

    fn link(&mut self, place: Place, entry: Entry) -> Ino {
        let ino = self.next;
        self.next += 1;
        self.entries.insert(ino, entry);
        self.directory_mut(place.0).live.insert(place.1.clone(), ino);
        self.changes.push(Change::Link(place, ino));
        self.collect_if_many();
        ino
    }

    fn unlink(&mut self, place: Place) {
        if let Some(ino) = self.directory_mut(place.0).live.remove(&place.1) {
            self.changes.push(Change::Unlink(place, ino));
        }
    }

    /// The file at a path.
    pub(crate) fn file(&self, path: &Path) -> io::Result<Inode> {
        match &self.entries[&self.find(path)?] {
            Entry::File(inode) => Ok(Arc::clone(inode)),
            Entry::Directory(_) => error(ErrorKind::IsADirectory),
        }
    }

    /// A new file at a path where nothing is.
    pub(crate) fn create(&mut self, path: &Path) -> io::Result<Inode> {
        let place = self.place(path)?;
        let inode = Inode::default();
        self.link(place, Entry::File(Arc::clone(&inode)));
        Ok(inode)
    }

    pub(crate) fn create_directories(&mut self, path: &Path) -> io::Result<()> {
        let (mut at, names) = split(path)?;
        let last = names.len();
        for (number, name) in names.into_iter().enumerate() {
            at = match self.directory(at)?.live.get(name) {
                Some(&ino) if self.is_directory(ino) => ino,
                Some(_) if number + 1 < last => return error(ErrorKind::NotADirectory),
                Some(_) => return error(ErrorKind::AlreadyExists),
                None => self.link((at, name.to_owned()), Entry::Directory(Directory::default())),
            };
        }
        Ok(())
    }

    pub(crate) fn remove_file(&mut self, path: &Path) -> io::Result<()> {
        let place = self.place(path)?;
        let ino = self.at(&place).ok_or(ErrorKind::NotFound)?;
        if self.is_directory(ino) {
            return error(ErrorKind::IsADirectory);
        }
        self.unlink(place);
        Ok(())
    }

    pub(crate) fn remove_directory(&mut self, path: &Path) -> io::Result<()> {
        let place = self.place(path)?;
        let ino = self.at(&place).ok_or(ErrorKind::NotFound)?;
        self.directory(ino)?;
        self.empty(ino);
        self.unlink(place);
        Ok(())
    }

    fn empty(&mut self, directory: Ino) {
        let names: Vec<(OsString, Ino)> =
            self.directory_mut(directory).live.iter().map(|(name, ino)| (name.clone(), *ino)).collect();
        for (name, ino) in names {
            if self.is_directory(ino) {
                self.empty(ino);
            }
            self.unlink((directory, name));
        }
    }

    pub(crate) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let (from, to) = (self.place(from)?, self.place(to)?);
        let ino = self.at(&from).ok_or(ErrorKind::NotFound)?;
        if from == to {
            return Ok(());
        }
        if self.is_directory(ino) && self.holds(ino, to.0) {
            return error(ErrorKind::InvalidInput); // into itself
        }
        match (self.is_directory(ino), self.at(&to)) {
            (true, Some(there)) if !self.is_directory(there) => return error(ErrorKind::NotADirectory),
            (true, Some(there)) if !self.directory(there)?.live.is_empty() => {
                return error(ErrorKind::DirectoryNotEmpty);
            }
            (false, Some(there)) if self.is_directory(there) => return error(ErrorKind::IsADirectory),
            _ => {}
        }
        self.directory_mut(from.0).live.remove(&from.1);
        self.directory_mut(to.0).live.insert(to.1.clone(), ino);
        self.changes.push(Change::Rename(from, to, ino));
        Ok(())
    }

    /// Whether a directory is another one, or holds it at any depth.
    fn holds(&self, directory: Ino, other: Ino) -> bool {
        directory == other
            || self.directory(directory).is_ok_and(|known| known.live.values().any(|ino| self.holds(*ino, other)))
    }

    /// Whether a path leads to a directory.
    pub(crate) fn has_directory(&self, path: &Path) -> io::Result<()> {
        self.directory(self.find(path)?).map(drop)
    }

    pub(crate) fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        Ok(match &self.entries[&self.find(path)?] {
            Entry::File(inode) => Metadata { len: locked(inode).content.live().len() as u64, is_dir: false },
            Entry::Directory(_) => Metadata { len: 0, is_dir: true },
        })
    }

    /// The names in a directory, sorted.
    pub(crate) fn names(&self, path: &Path) -> io::Result<Vec<String>> {
        let directory = self.directory(self.find(path)?)?;
        let mut names: Vec<String> = directory.live.keys().map(|name| name.to_string_lossy().into_owned()).collect();
        names.sort_unstable();
        Ok(names)
    }

    /// Bytes in all files that programs see.
    pub(crate) fn used(&self) -> u64 {
        let seen = self.reachable(|directory| directory.live.values(), []);
        let len = |ino: &Ino| match &self.entries[ino] {
            Entry::File(inode) => locked(inode).content.live().len() as u64,
            Entry::Directory(_) => 0,
        };
        seen.iter().map(len).sum()
    }

    /// Files that programs see.
    pub(crate) fn count(&self) -> u64 {
        let seen = self.reachable(|directory| directory.live.values(), []);
        seen.iter().filter(|ino| !self.is_directory(**ino)).count() as u64
    }

    /// Makes the entries of a directory durable. A rename out of it takes its other end along; one into it leaves the
    /// old name, which the other directory has to lose by a sync of its own.
    pub(crate) fn sync_directory(&mut self, path: &Path) -> io::Result<()> {
        let ino = self.find(path)?;
        self.directory(ino)?;
        let mut left: Vec<Change> = Vec::new();
        for change in std::mem::take(&mut self.changes) {
            match change {
                Change::Link(ref place, _) | Change::Unlink(ref place, _) if place.0 == ino => self.apply(change),
                Change::Rename(ref from, ref to, _) if from.0 == ino => {
                    if to.0 != ino {
                        supersede(&mut left, to);
                    }
                    self.apply(change);
                }
                Change::Rename(from, to, file) if to.0 == ino => {
                    self.apply(Change::Link(to, file));
                    left.push(Change::Unlink(from, file));
                }
                other => left.push(other),
            }
        }
        self.changes = left;
        Ok(())
    }

    /// Makes one change durable.
    fn apply(&mut self, change: Change) {
        let (gone, there) = match change {
            Change::Link(place, ino) => (None, Some((place, ino))),
            Change::Unlink(place, ino) => (Some((place, ino)), None),
            Change::Rename(from, to, ino) => (Some((from, ino)), Some((to, ino))),
        };
        if let Some((place, ino)) = gone {
            let durable = &mut self.directory_mut(place.0).durable;
            if durable.get(&place.1) == Some(&ino) {
                durable.remove(&place.1);
            }
        }
        if let Some((place, ino)) = there {
            self.directory_mut(place.0).durable.insert(place.1, ino);
        }
    }

    /// The power goes. Returns how many sectors and how many changes of directories are lost.
    pub(crate) fn power_cut(&mut self, fate: &mut Fate) -> (u64, u64) {
        let changes = std::mem::take(&mut self.changes);
        // A journal keeps the order; other file systems do not.
        let journal = if changes.is_empty() || fate.coin() { Some(fate.reached(changes.len())) } else { None };
        let mut undone = 0;
        for (number, change) in changes.into_iter().enumerate() {
            if journal.map_or_else(|| fate.keeps(), |reached| number < reached) {
                self.apply(change);
            } else {
                undone += 1;
            }
        }
        for entry in self.entries.values_mut() {
            if let Entry::Directory(directory) = entry {
                directory.live.clone_from(&directory.durable);
            }
        }
        self.collect();
        let mut lost = 0;
        for entry in self.entries.values() {
            if let Entry::File(inode) = entry {
                lost += locked(inode).content.power_cut(fate);
            }
        }
        (lost, undone)
    }

    fn collect_if_many(&mut self) {
        if self.entries.len() >= self.collect_at {
            self.collect();
            self.collect_at = COLLECT_FROM + 2 * self.entries.len();
        }
    }

    /// Lets go of what nothing leads to, now or after any cut.
    fn collect(&mut self) {
        let changed = self.changes.iter().map(|change| match change {
            Change::Link(_, ino) | Change::Unlink(_, ino) | Change::Rename(_, _, ino) => *ino,
        });
        let places = self.changes.iter().flat_map(|change| match change {
            Change::Link(place, _) | Change::Unlink(place, _) => vec![place.0],
            Change::Rename(from, to, _) => vec![from.0, to.0],
        });
        let also: Vec<Ino> = changed.chain(places).collect();
        let kept = self.reachable(|directory| directory.live.values().chain(directory.durable.values()), also);
        self.entries.retain(|ino, _| kept.contains(ino));
    }

    fn reachable<'a, I: Iterator<Item = &'a Ino>>(
        &'a self,
        next: impl Fn(&'a Directory) -> I,
        also: impl IntoIterator<Item = Ino>,
    ) -> BTreeSet<Ino> {
        let mut seen = BTreeSet::new();
        let mut open: Vec<Ino> = [ROOT, HERE].into_iter().chain(also).collect();
        while let Some(ino) = open.pop() {
            if seen.insert(ino)
                && let Some(Entry::Directory(directory)) = self.entries.get(&ino)
            {
                open.extend(next(directory));
            }
        }
        seen
    }
}

/// Changes at `place` that were made before something durable came there.
fn supersede(changes: &mut Vec<Change>, place: &Place) {
    *changes = std::mem::take(changes)
        .into_iter()
        .filter_map(|change| match change {
            Change::Link(at, _) | Change::Unlink(at, _) if at == *place => None,
            Change::Rename(from, to, ino) if to == *place => Some(Change::Unlink(from, ino)),
            other => Some(other),
        })
        .collect();
}

/// Where a path begins, and its parts.
fn split(path: &Path) -> io::Result<(Ino, Vec<&OsStr>)> {
    let (mut from, mut names) = (HERE, Vec::new());
    for component in path.components() {
        match component {
            Component::RootDir => from = ROOT,
            Component::CurDir => {}
            Component::ParentDir => drop(names.pop()),
            Component::Normal(name) => names.push(name),
            Component::Prefix(_) => return error(ErrorKind::InvalidInput),
        }
    }
    Ok((from, names))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draws::{Draws, Purpose};

    /// What is in `/` after a cut, over many seeds.
    fn outcomes(prepare: impl Fn(&mut Tree)) -> BTreeSet<Vec<(String, String)>> {
        (0..200)
            .map(|seed| {
                let mut tree = Tree::new();
                prepare(&mut tree);
                tree.power_cut(&mut Fate::draw(Draws::new(seed).stream(Purpose::Disk, 1)));
                let names = tree.names(Path::new("/")).unwrap();
                names.into_iter().map(|name| (name.clone(), text(&tree, &format!("/{name}")))).collect()
            })
            .collect()
    }

    fn text(tree: &Tree, path: &str) -> String {
        match tree.file(Path::new(path)) {
            Ok(inode) => String::from_utf8_lossy(locked(&inode).content.live()).into_owned(),
            Err(_) => format!("{:?}", tree.names(Path::new(path)).unwrap()),
        }
    }

    fn put(tree: &mut Tree, path: &str, text: &str) {
        let inode = tree.create(Path::new(path)).unwrap();
        locked(&inode).content.write(text.as_bytes(), 0);
        locked(&inode).content.sync();
    }

    fn of(files: &[(&str, &str)]) -> Vec<(String, String)> {
        files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    }

    #[test]
    fn an_entry_needs_a_sync_of_its_directory() {
        let undone = outcomes(|tree| put(tree, "/a", "new"));
        assert_eq!(undone, BTreeSet::from([of(&[]), of(&[("a", "new")])]));
        let kept = outcomes(|tree| {
            put(tree, "/a", "new");
            tree.sync_directory(Path::new("/")).unwrap();
        });
        assert_eq!(kept, BTreeSet::from([of(&[("a", "new")])]));
        let unlinked = outcomes(|tree| {
            put(tree, "/a", "old");
            tree.sync_directory(Path::new("/")).unwrap();
            tree.remove_file(Path::new("/a")).unwrap();
        });
        assert_eq!(unlinked, BTreeSet::from([of(&[]), of(&[("a", "old")])]));
    }

    #[test]
    fn a_rename_is_one_of_the_two_and_never_neither() {
        let seen = outcomes(|tree| {
            put(tree, "/a", "old");
            tree.sync_directory(Path::new("/")).unwrap();
            put(tree, "/a.new", "new");
            tree.rename(Path::new("/a.new"), Path::new("/a")).unwrap();
        });
        let expected = [of(&[("a", "new")]), of(&[("a", "old")]), of(&[("a", "old"), ("a.new", "new")])];
        assert_eq!(seen, BTreeSet::from(expected));
    }

    #[test]
    fn a_rename_into_another_directory_may_leave_both_names() {
        let prepare = |tree: &mut Tree| {
            tree.create_directories(Path::new("/x")).unwrap();
            put(tree, "/a", "it");
            tree.sync_directory(Path::new("/")).unwrap();
            tree.rename(Path::new("/a"), Path::new("/x/a")).unwrap();
        };
        let into = outcomes(|tree| {
            prepare(tree);
            tree.sync_directory(Path::new("/x")).unwrap();
        });
        let (both, moved) = (of(&[("a", "it"), ("x", "[\"a\"]")]), of(&[("x", "[\"a\"]")]));
        assert_eq!(into, BTreeSet::from([both, moved.clone()]));
        let out_of = outcomes(|tree| {
            prepare(tree);
            tree.sync_directory(Path::new("/")).unwrap();
        });
        assert_eq!(out_of, BTreeSet::from([moved]));
    }

    #[test]
    fn a_directory_that_is_undone_takes_all_with_it() {
        let seen = outcomes(|tree| {
            tree.create_directories(Path::new("/x/y")).unwrap();
            put(tree, "/x/y/a", "synced");
            tree.sync_directory(Path::new("/x/y")).unwrap();
            tree.sync_directory(Path::new("/x")).unwrap();
        });
        assert_eq!(seen, BTreeSet::from([of(&[]), of(&[("x", "[\"y\"]")])]));
    }

    #[test]
    fn what_nothing_leads_to_is_let_go() {
        let mut tree = Tree::new();
        for round in 0..5_000 {
            put(&mut tree, "/a", &round.to_string());
            tree.sync_directory(Path::new("/")).unwrap();
            tree.remove_file(Path::new("/a")).unwrap();
            tree.sync_directory(Path::new("/")).unwrap();
        }
        assert!(tree.entries.len() < 1_000, "{}", tree.entries.len());
        assert_eq!((tree.used(), tree.count()), (0, 0));
    }

    #[test]
    fn errors_are_those_of_linux() {
        let mut tree = Tree::new();
        tree.create_directories(Path::new("/x/y")).unwrap();
        put(&mut tree, "/x/a", "a");
        let kind = |result: io::Result<()>| result.unwrap_err().kind();
        assert_eq!(kind(tree.create_directories(Path::new("/x/a"))), ErrorKind::AlreadyExists);
        assert_eq!(kind(tree.create_directories(Path::new("/x/a/b"))), ErrorKind::NotADirectory);
        assert_eq!(kind(tree.remove_file(Path::new("/x/y"))), ErrorKind::IsADirectory);
        assert_eq!(kind(tree.remove_file(Path::new("/x/none"))), ErrorKind::NotFound);
        assert_eq!(kind(tree.remove_directory(Path::new("/x/a"))), ErrorKind::NotADirectory);
        assert_eq!(kind(tree.rename(Path::new("/x/y"), Path::new("/x/a"))), ErrorKind::NotADirectory);
        assert_eq!(kind(tree.rename(Path::new("/x/a"), Path::new("/x/y"))), ErrorKind::IsADirectory);
        assert_eq!(kind(tree.create(Path::new("/x/a/b")).map(drop)), ErrorKind::NotADirectory);
        assert_eq!(kind(tree.file(Path::new("/x")).map(drop)), ErrorKind::IsADirectory);
        assert!(tree.rename(Path::new("/x/./a"), Path::new("/x/y/../b")).is_ok());
        assert_eq!(tree.names(Path::new("/x")).unwrap(), ["b", "y"]);
    }
}
