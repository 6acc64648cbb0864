//! What is under way in one direction, in the order in which it was sent: mostly nothing or one segment, which lies in
//! the connection itself.

use std::collections::VecDeque;

/// Bytes that travel together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Segment {
    /// When it arrives.
    pub(super) at: u64,
    pub(super) len: u32,
    /// The end of the stream comes with it.
    pub(super) fin: bool,
    /// Each try was lost: when it is due, the sender gives up.
    pub(super) lost: bool,
}

/// All that is under way.
#[derive(Debug, Default)]
pub(super) struct Segments {
    first: Option<Segment>,
    /// Those behind the first: none if there is no first.
    more: VecDeque<Segment>,
}

impl Segments {
    pub(super) fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    pub(super) fn front(&self) -> Option<&Segment> {
        self.first.as_ref()
    }

    pub(super) fn push_back(&mut self, segment: Segment) {
        if self.first.is_none() {
            self.first = Some(segment);
        } else {
            self.more.push_back(segment);
        }
    }

    pub(super) fn pop_front(&mut self) -> Option<Segment> {
        std::mem::replace(&mut self.first, self.more.pop_front())
    }

    pub(super) fn clear(&mut self) {
        self.first = None;
        self.more.clear();
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Segment> {
        self.first.iter().chain(&self.more)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_in_first_out_as_in_a_queue() {
        let segment = |at: u64| Segment { at, len: at as u32, fin: false, lost: false };
        let (mut ours, mut queue) = (Segments::default(), VecDeque::new());
        let mut stream = crate::draws::Draws::new(3).stream(crate::draws::Purpose::Net, 0);
        for at in 0..10_000 {
            match stream.below(20) {
                0 => {
                    ours.clear();
                    queue.clear();
                }
                1..10 => {
                    ours.push_back(segment(at));
                    queue.push_back(segment(at));
                }
                _ => assert_eq!(ours.pop_front(), queue.pop_front()),
            }
            assert_eq!(ours.front(), queue.front());
            assert_eq!(ours.is_empty(), queue.is_empty());
            assert!(ours.iter().eq(&queue));
        }
    }
}
