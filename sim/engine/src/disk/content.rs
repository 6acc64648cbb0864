//! What a file holds: as programs see it now, and what a power cut would leave.

use std::collections::BTreeMap;

use super::fate::Fate;

/// What a disk writes at once, whole or not at all.
pub(crate) const SECTOR: usize = 512;
/// Versions kept of one sector: with more, the oldest that was not synced can no longer be what a cut leaves.
const VERSIONS_MAX: usize = 4;
/// Growths kept between two cuts of the file, and cuts kept, as above.
const GROWTHS_MAX: usize = 8;
const SHRINKS_MAX: usize = 8;

/// The content of a file: the live image, the durable one, and what was written since the last sync.
#[derive(Default)]
pub(crate) struct Content {
    live: Vec<u8>,
    durable: Vec<u8>,
    /// Each version of each sector since the last sync.
    dirty: BTreeMap<usize, Vec<Version>>,
    /// Each length since the last sync.
    lengths: Vec<Length>,
    sequence: u64,
}

/// A sector as it was after one write.
struct Version {
    sequence: u64,
    bytes: Box<[u8; SECTOR]>,
}

/// The length after a write beyond the end, or after the file was cut.
#[derive(Clone, Copy)]
struct Length {
    sequence: u64,
    len: usize,
    shrinks: bool,
}

impl Content {
    /// As programs see it.
    pub(crate) fn live(&self) -> &[u8] {
        &self.live
    }

    /// Writes, beyond the end too.
    pub(crate) fn write(&mut self, from: &[u8], offset: usize) {
        if from.is_empty() {
            return;
        }
        let end = offset + from.len();
        let grows = self.live.len() < end;
        if grows {
            self.live.resize(end, 0);
        }
        self.live[offset..end].copy_from_slice(from);
        self.sequence += 1;
        for sector in offset / SECTOR..=(end - 1) / SECTOR {
            let mut bytes = Box::new([0; SECTOR]);
            let now = &self.live[sector * SECTOR..self.live.len().min((sector + 1) * SECTOR)];
            bytes[..now.len()].copy_from_slice(now);
            let versions = self.dirty.entry(sector).or_default();
            if versions.len() == VERSIONS_MAX {
                versions.remove(0);
            }
            versions.push(Version { sequence: self.sequence, bytes });
        }
        if grows {
            self.add_length(end, false);
        }
    }

    /// Cuts it, or extends it with zeros.
    pub(crate) fn set_len(&mut self, len: usize) {
        if len == self.live.len() {
            return;
        }
        let shrinks = len < self.live.len();
        self.live.resize(len, 0);
        self.sequence += 1;
        self.add_length(len, shrinks);
    }

    fn add_length(&mut self, len: usize, shrinks: bool) {
        self.lengths.push(Length { sequence: self.sequence, len, shrinks });
        let growths = self.lengths.iter().rev().take_while(|length| !length.shrinks).count();
        if growths > GROWTHS_MAX {
            self.lengths.remove(self.lengths.len() - growths);
        }
        if self.lengths.iter().filter(|length| length.shrinks).count() > SHRINKS_MAX {
            self.settle_oldest_shrink();
        }
    }

    /// The kernel's journal writes the oldest cut of the file by itself.
    fn settle_oldest_shrink(&mut self) {
        let Some(at) = self.lengths.iter().position(|length| length.shrinks) else { return };
        let shrink = self.lengths[at];
        self.lengths.drain(..=at);
        self.durable.truncate(shrink.len);
        self.durable.resize(shrink.len, 0);
        for versions in self.dirty.values_mut() {
            versions.retain(|version| version.sequence > shrink.sequence);
        }
        self.dirty.retain(|_, versions| !versions.is_empty());
    }

    /// Makes all of it durable.
    pub(crate) fn sync(&mut self) {
        for shrink in self.lengths.iter().filter(|length| length.shrinks) {
            self.durable.truncate(shrink.len);
        }
        self.durable.resize(self.live.len(), 0);
        for &sector in self.dirty.keys() {
            let (from, to) = (sector * SECTOR, self.live.len().min((sector + 1) * SECTOR));
            if from < to {
                self.durable[from..to].copy_from_slice(&self.live[from..to]);
            }
        }
        self.forget();
    }

    /// A sync that failed: some of it reached the disk, and the kernel takes the rest for written. What programs
    /// see stays as long as it is cached; if it `is_evicted`, they see what the disk has. Returns the sectors lost.
    pub(crate) fn sync_fails(&mut self, fate: &mut Fate, is_evicted: bool) -> u64 {
        let (image, lost) = self.fallout(fate);
        self.durable = image;
        if is_evicted {
            self.live.clone_from(&self.durable);
        }
        self.forget();
        lost
    }

    /// The power goes. Returns how many sectors and lengths are not as programs saw them.
    pub(crate) fn power_cut(&mut self, fate: &mut Fate) -> u64 {
        let (image, lost) = self.fallout(fate);
        self.live.clone_from(&image);
        self.durable = image;
        self.forget();
        lost
    }

    fn forget(&mut self) {
        self.dirty.clear();
        self.lengths.clear();
    }

    /// What is on the disk if the writes that were not synced reached it as `fate` has it.
    ///
    /// Cuts of the file reach the disk in their order, and with one all that came before it is settled; of the writes
    /// since then, each sector and the length are any version they had.
    fn fallout(&self, fate: &mut Fate) -> (Vec<u8>, u64) {
        let shrinks: Vec<Length> = self.lengths.iter().copied().filter(|length| length.shrinks).collect();
        let settled = fate.reached(shrinks.len());
        let from = settled.checked_sub(1).map_or(0, |last| shrinks[last].sequence);
        let until = shrinks.get(settled).map_or(u64::MAX, |next| next.sequence);

        let mut image = self.durable.clone();
        for shrink in &shrinks[..settled] {
            image.truncate(shrink.len);
            image.resize(shrink.len, 0);
        }
        let is_open = |sequence: u64| sequence > from && sequence < until;
        let growths: Vec<usize> =
            self.lengths.iter().filter(|length| !length.shrinks && is_open(length.sequence)).map(|it| it.len).collect();
        let grown = fate.reached(growths.len());
        if let Some(last) = grown.checked_sub(1) {
            image.resize(growths[last].max(image.len()), 0);
        }
        let mut lost = u64::from(grown < growths.len()) + (shrinks.len() - settled) as u64;

        for (&sector, versions) in &self.dirty {
            let open = versions.iter().take_while(|version| version.sequence < until).count();
            let reached = fate.reached(open);
            lost += u64::from(reached < versions.len());
            let Some(version) = reached.checked_sub(1).map(|last| &versions[last]) else { continue };
            let start = sector * SECTOR;
            // Of a version from before a cut of the file, only what the cut left.
            let cut = shrinks[..settled].iter().filter(|shrink| shrink.sequence > version.sequence).map(|it| it.len);
            let whole = cut.min().unwrap_or(usize::MAX);
            let end = image.len().min(start + SECTOR);
            if start < end {
                image[start..end].copy_from_slice(&version.bytes[..end - start]);
                if whole < end {
                    image[start.max(whole)..end].fill(0);
                }
            }
        }
        (image, lost)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draws::{Draws, Purpose};

    fn fate(seed: u64) -> Fate {
        Fate::draw(Draws::new(seed).stream(Purpose::Disk, 1))
    }

    fn cut(seed: u64, mut content: Content) -> Vec<u8> {
        content.power_cut(&mut fate(seed));
        content.live
    }

    fn synced(bytes: &[u8]) -> Content {
        let mut content = Content::default();
        content.write(bytes, 0);
        content.sync();
        content
    }

    #[test]
    fn what_is_synced_is_left_by_each_cut() {
        for seed in 0..200 {
            let mut content = synced(&[1; 5_000]);
            content.set_len(3_000);
            content.write(&[2; 700], 2_900);
            content.sync();
            let expected = [vec![1; 2_900], vec![2; 700]].concat();
            assert_eq!(content.live(), expected);
            assert_eq!(cut(seed, content), expected);
        }
    }

    #[test]
    fn each_sector_is_old_or_new_and_pages_tear() {
        let mut patterns = std::collections::BTreeSet::new();
        for seed in 0..400 {
            let mut content = synced(&[1; 4 * SECTOR]);
            content.write(&[2; 4 * SECTOR], 0);
            let left = cut(seed, content);
            assert_eq!(left.len(), 4 * SECTOR);
            let pattern: Vec<u8> = left.chunks(SECTOR).map(|sector| sector[0]).collect();
            assert!(
                left.chunks(SECTOR).all(|sector| sector.iter().all(|byte| *byte == sector[0])),
                "a sector is whole"
            );
            patterns.insert(pattern);
        }
        assert_eq!(patterns.len(), 16, "each subset happens");
    }

    #[test]
    fn an_append_is_all_some_of_it_zeros_or_nothing() {
        let (mut lengths, mut zeros) = (std::collections::BTreeSet::new(), 0);
        for seed in 0..400 {
            let mut content = synced(b"head");
            content.write(&[7; 2_000], 4);
            let left = cut(seed, content);
            assert!(left.starts_with(b"head"));
            assert!(left[4..].iter().all(|byte| [0, 7].contains(byte)), "old, new or zeros, nothing else");
            zeros += u32::from(left[4..].contains(&0));
            lengths.insert(left.len());
        }
        assert_eq!(lengths.into_iter().collect::<Vec<_>>(), [4, 2_004]);
        assert!(zeros > 50, "{zeros}");
    }

    #[test]
    fn a_file_that_was_cut_and_written_anew_never_mixes_the_two() {
        let mut seen = std::collections::BTreeSet::new();
        for seed in 0..400 {
            let mut content = synced(&[1; 1_000]);
            content.set_len(0);
            content.write(&[2; 1_000], 0);
            let left = cut(seed, content);
            let mut kinds = left.clone();
            kinds.sort_unstable();
            kinds.dedup();
            assert!(!(kinds.contains(&1) && kinds.contains(&2)), "{kinds:?}");
            seen.insert((left.len(), kinds));
        }
        for expected in [(1_000, vec![1]), (0, vec![]), (1_000, vec![0]), (1_000, vec![2]), (1_000, vec![0, 2])] {
            assert!(seen.contains(&expected), "{expected:?} of {seen:?}");
        }
    }

    #[test]
    fn versions_in_between_happen_and_stay_bounded() {
        let mut seen = std::collections::BTreeSet::new();
        for seed in 0..300 {
            let mut content = synced(&[0; 10]);
            (1..=3).for_each(|byte| content.write(&[byte; 10], 0));
            seen.insert(cut(seed, content)[0]);
        }
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), [0, 1, 2, 3]);

        let mut content = Content::default();
        for round in 0..1_000_usize {
            content.write(&[round as u8; 100], round % 7 * 100);
            content.set_len(50 + round % 3);
        }
        assert!(content.lengths.len() <= (SHRINKS_MAX + 1) * (GROWTHS_MAX + 1), "{}", content.lengths.len());
        assert!(content.dirty.values().all(|versions| versions.len() <= VERSIONS_MAX));
        let live = content.live.clone();
        content.sync();
        assert_eq!(content.durable, live);
    }

    #[test]
    fn a_failed_sync_is_forgotten_by_the_next() {
        let mut lost = 0;
        for seed in 0..100 {
            let mut content = synced(&[1; 2 * SECTOR]);
            content.write(&[2; 2 * SECTOR], 0);
            content.sync_fails(&mut fate(seed), seed % 2 == 0);
            content.sync();
            let seen = content.live.clone();
            content.power_cut(&mut fate(seed));
            lost += u32::from(content.live != [2; 2 * SECTOR]);
            assert!(seed % 2 == 1 || seen == content.live, "evicted: programs see what the disk has");
        }
        assert!(lost > 40, "the second sync says yes, and the data is gone: {lost}");
    }
}
