//! Text that arrives in pieces (RFC 6455, 5.6 and 8.1).
//!
//! Whole characters are checked by `simdutf8` at memory speed. A character that a piece cuts in two waits
//! here, at most three bytes of it, and is refused as soon as no continuation could make it whole.

/// Up to this length it pays to see first whether all is ASCII.
const SHORT: usize = 256;

/// What is known of a text so far.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Utf8 {
    /// The beginning of a character, `len` bytes.
    cut: [u8; 4],
    len: u8,
}

/// The text is not UTF-8 and will not become so.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Invalid;

impl Utf8 {
    /// Checks the next piece.
    pub(crate) fn push(&mut self, mut piece: &[u8]) -> Result<(), Invalid> {
        while self.len > 0 {
            let Some((byte, rest)) = piece.split_first() else { return Ok(()) };
            self.cut[usize::from(self.len)] = *byte;
            self.len += 1;
            piece = rest;
            match std::str::from_utf8(&self.cut[..usize::from(self.len)]) {
                Ok(_) => self.len = 0,
                Err(error) if error.error_len().is_none() => {}
                Err(_) => return Err(Invalid),
            }
        }
        if piece.len() <= SHORT && piece.is_ascii() {
            return Ok(());
        }
        let (whole, cut) = piece.split_at(piece.len() - cut_len(piece));
        if simdutf8::basic::from_utf8(whole).is_err() {
            return Err(Invalid);
        }
        if let Err(error) = std::str::from_utf8(cut) {
            if error.error_len().is_some() {
                return Err(Invalid);
            }
            self.cut[..cut.len()].copy_from_slice(cut);
            self.len = cut.len() as u8;
        }
        Ok(())
    }

    /// Checks that the text does not end within a character, and begins the next one.
    pub(crate) fn finish(&mut self) -> Result<(), Invalid> {
        if self.len == 0 { Ok(()) } else { Err(Invalid) }
    }
}

/// How many bytes at the end of a piece begin a character that goes on beyond it; of wrong text, any number will do.
fn cut_len(piece: &[u8]) -> usize {
    for (back, byte) in piece.iter().rev().take(3).enumerate() {
        let char_len = match byte {
            ..0x80 => return 0,
            0x80..0xc0 => continue,
            0xc0..0xe0 => 2,
            0xe0..0xf0 => 3,
            0xf0.. => 4,
        };
        return if char_len > back + 1 { back + 1 } else { 0 };
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// At which byte the text is refused, if each byte comes alone; `len` if only its end is wrong.
    fn refused_at(bytes: &[u8]) -> Option<usize> {
        let mut utf8 = Utf8::default();
        let found = bytes.iter().position(|byte| utf8.push(&[*byte]).is_err());
        found.or_else(|| utf8.finish().is_err().then_some(bytes.len()))
    }

    #[test]
    fn a_wrong_byte_is_refused_when_it_comes() {
        for (bytes, at) in [
            (&b"plain"[..], None),
            ("κόσμε ёлка 中文 🦅".as_bytes(), None),
            (b"a\x80", Some(1)),
            (b"\xc0\x80", Some(0)),          // overlong
            (b"\xe0\x80\x80", Some(1)),      // overlong
            (b"\xed\xa0\x80", Some(1)),      // a surrogate
            (b"\xf4\x90\x80\x80", Some(1)),  // beyond U+10FFFF
            (b"\xf5\x80\x80\x80", Some(0)),  // no character begins so
            (b"\xce\xba\xe1\xbd", Some(4)),  // cut
            (b"\xce\xba\xe1\xbda", Some(4)), // cut by another character
            (b"\xf0\x9f\xa6\x85\xff", Some(4)),
        ] {
            assert_eq!(refused_at(bytes), at, "{bytes:x?}");
        }
    }

    #[test]
    fn all_ways_to_cut_agree_with_the_standard_library() {
        let good =
            "a ёлка, 中文 and 🦅; some sixty-four bytes of plain ASCII so that the wide path is taken as well 中文";
        let mut texts = vec![good.as_bytes().to_vec()];
        for at in 0..good.len() {
            let mut bad = good.as_bytes().to_vec();
            bad[at] ^= 0x80;
            texts.push(bad);
        }
        for text in texts {
            let want = std::str::from_utf8(&text).is_ok();
            for cut in 0..=text.len() {
                let mut utf8 = Utf8::default();
                let got = utf8.push(&text[..cut]).and_then(|()| utf8.push(&text[cut..])).and_then(|()| utf8.finish());
                assert_eq!(got.is_ok(), want, "cut at {cut}: {text:x?}");
            }
        }
    }
}
