//! What becomes of writes that nobody synced, when the power goes.

use crate::draws::Stream;

/// The draws of one power cut, or of one sync that failed.
pub(crate) struct Fate {
    /// The chance that the newest version of something reached the disk. From 1 up nothing is drawn.
    keep: f64,
    stream: Stream,
}

impl Fate {
    /// A cut's character is drawn first: some lose all that was not synced, some nearly nothing.
    pub(crate) fn draw(mut stream: Stream) -> Self {
        let keep = match stream.below(4) {
            0 => 0.0,
            1 => 0.5,
            2 => 0.9,
            _ => stream.unit(),
        };
        Self { keep, stream }
    }

    /// Everything reached the disk just in time.
    pub(crate) fn kind(stream: Stream) -> Self {
        Self { keep: 1.0, stream }
    }

    /// How many of `count` versions reached the disk: that many, the last one included, or fewer.
    pub(crate) fn reached(&mut self, count: usize) -> usize {
        if count == 0 || self.keeps() { count } else { self.stream.below(count as u64) as usize }
    }

    /// Whether one change reached the disk.
    pub(crate) fn keeps(&mut self) -> bool {
        self.keep >= 1.0 || self.stream.chance(self.keep)
    }

    /// One of two ways, equally likely.
    pub(crate) fn coin(&mut self) -> bool {
        self.keep >= 1.0 || self.stream.chance(0.5)
    }
}
