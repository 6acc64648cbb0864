//! Lines out of bytes that come in pieces.

/// Cuts bytes into lines, of at most so many bytes with their end.
#[derive(Debug)]
pub(super) struct Lines {
    len_max: usize,
    buffer: Vec<u8>,
    /// So many bytes hold no end of a line.
    searched: usize,
}

/// What is no line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoLine {
    /// It is too long; what comes after cannot be understood either.
    TooLong,
    /// It is not UTF-8.
    NotText,
}

impl Lines {
    pub(super) fn new(len_max: usize) -> Self {
        Self { len_max, buffer: Vec::new(), searched: 0 }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next line without its end, if it has come.
    pub(super) fn next(&mut self) -> Option<Result<String, NoLine>> {
        let end = self.buffer[self.searched..].iter().position(|byte| *byte == b'\n').map(|at| self.searched + at);
        let Some(end) = end else {
            self.searched = self.buffer.len();
            return (self.buffer.len() >= self.len_max).then_some(Err(NoLine::TooLong));
        };
        self.searched = 0;
        if end >= self.len_max {
            return Some(Err(NoLine::TooLong));
        }
        let mut line: Vec<u8> = self.buffer.drain(..=end).collect();
        line.pop();
        line.pop_if(|last| *last == b'\r');
        Some(String::from_utf8(line).map_err(|_| NoLine::NotText))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines_of(pieces: &[&[u8]]) -> Vec<Result<String, NoLine>> {
        let mut lines = Lines::new(16);
        let mut all = Vec::new();
        for piece in pieces {
            lines.push(piece);
            while let Some(line) = lines.next() {
                let is_over = line == Err(NoLine::TooLong);
                all.push(line);
                if is_over {
                    return all;
                }
            }
        }
        all
    }

    #[test]
    fn lines_are_the_same_however_they_are_cut() {
        for bytes in [
            &b"tree\r\nkill <0.1.0>\n\nlast, without an end"[..],
            b"caf\xc3\xa9\nnot \xff text\nquit\n",
            b"fifteen letters\nsixteen letters!\n",
            b"a line that is much too long to be one\n",
        ] {
            let whole = lines_of(&[bytes]);
            for first in 0..=bytes.len() {
                assert_eq!(lines_of(&[&bytes[..first], &bytes[first..]]), whole, "cut at {first}");
                for second in first..=bytes.len() {
                    assert_eq!(lines_of(&[&bytes[..first], &bytes[first..second], &bytes[second..]]), whole);
                }
            }
            let single: Vec<&[u8]> = bytes.chunks(1).collect();
            assert_eq!(lines_of(&single), whole);
        }
        assert_eq!(lines_of(&[b"fifteen letters\nsixteen letters!\n"]).len(), 2);
        assert_eq!(lines_of(&[b"sixteen letters!"]), [Err(NoLine::TooLong)]);
    }
}
