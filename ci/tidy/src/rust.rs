//! A view of Rust source for checks that look at words: comments and strings blanked out, tests
//! known.
//!
//! This is no parser. It knows just enough of the grammar (nested comments, raw strings, characters
//! against lifetimes) that a word in a comment is not taken for code.

use std::ops::Range;

/// A source file, seen three ways. All have the same length and the same lines.
#[derive(Debug)]
pub struct Source {
    /// Comments and the insides of strings are blanks.
    pub code: String,
    /// Only comments are blanks.
    pub spoken: String,
    is_test_file: bool,
    tests: Vec<Range<usize>>,
}

impl Source {
    /// Looks at a file of Rust.
    pub fn new(path: &str, text: &str) -> Self {
        let (code, spoken) = blank(text);
        let tests = test_items(&code);
        Self { code, spoken, is_test_file: is_test_file(path), tests }
    }

    /// Whether the byte at `offset` belongs to a test.
    pub fn is_test(&self, offset: usize) -> bool {
        self.is_test_file || self.tests.iter().any(|range| range.contains(&offset))
    }

    /// The line of the byte at `offset`, from 1.
    pub fn line(&self, offset: usize) -> usize {
        self.code[..offset].matches('\n').count() + 1
    }
}

/// The offsets at which `word` stands in `text` as a word of its own.
pub fn words<'a>(text: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let part = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    text.match_indices(word).map(|(at, _)| at).filter(move |at| {
        let bytes = text.as_bytes();
        let before = at.checked_sub(1).and_then(|before| bytes.get(before));
        let starts = !part(before) || !part(word.as_bytes().first());
        let ends = !part(bytes.get(at + word.len())) || !part(word.as_bytes().last());
        starts && ends
    })
}

fn is_test_file(path: &str) -> bool {
    path.contains("/tests/") || path.ends_with("/tests.rs") || path.contains("/benches/")
}

/// The ranges of items that are compiled for tests only.
fn test_items(code: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for mark in ["#[cfg(test)]", "#[cfg(all(test"] {
        for (start, _) in code.match_indices(mark) {
            let rest = &code.as_bytes()[start..];
            let mut depth = 0usize;
            let mut end = rest.len();
            for (at, byte) in rest.iter().enumerate().skip(mark.len()) {
                match byte {
                    b'{' => depth += 1,
                    b'}' => depth = depth.saturating_sub(1),
                    _ => {}
                }
                if depth == 0 && matches!(byte, b'}' | b';') {
                    end = at + 1;
                    break;
                }
            }
            found.push(start..start + end);
        }
    }
    found
}

/// Blanks out comments and strings, and only comments.
fn blank(text: &str) -> (String, String) {
    let bytes = text.as_bytes();
    let mut code = bytes.to_vec();
    let mut spoken = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let (end, is_comment) = match bytes[at] {
            b'/' if bytes.get(at + 1) == Some(&b'/') => (line_end(bytes, at), true),
            b'/' if bytes.get(at + 1) == Some(&b'*') => (comment_end(bytes, at), true),
            b'"' => (string_end(bytes, at), false),
            b'r' if raw_hashes(bytes, at).is_some() => (raw_end(bytes, at), false),
            b'\'' => (char_end(bytes, at), false),
            _ => {
                at += 1;
                continue;
            }
        };
        let (from, to) = if is_comment { (at, end) } else { (at + 1, end.saturating_sub(1)) };
        for index in from..to.max(from) {
            // A blank for every byte, so that offsets agree; line ends stay.
            if bytes[index] != b'\n' {
                code[index] = b' ';
                if is_comment {
                    spoken[index] = b' ';
                }
            }
        }
        at = end.max(at + 1);
    }
    let text =
        |bytes| String::from_utf8(bytes).expect("whole strings and comments are blanked, never half a character");
    (text(code), text(spoken))
}

fn line_end(bytes: &[u8], at: usize) -> usize {
    bytes[at..].iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |length| at + length)
}

fn comment_end(bytes: &[u8], mut at: usize) -> usize {
    let mut depth = 0;
    while at < bytes.len() {
        match (bytes[at], bytes.get(at + 1)) {
            (b'/', Some(b'*')) => (depth, at) = (depth + 1, at + 2),
            (b'*', Some(b'/')) => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    bytes.len()
}

fn string_end(bytes: &[u8], at: usize) -> usize {
    let mut end = at + 1;
    while end < bytes.len() && bytes[end] != b'"' {
        end += if bytes[end] == b'\\' { 2 } else { 1 };
    }
    (end + 1).min(bytes.len())
}

/// The number of hashes of a raw string that begins at the `r` at `at`.
fn raw_hashes(bytes: &[u8], at: usize) -> Option<usize> {
    let before = at.checked_sub(1).map_or(b' ', |before| bytes[before]);
    if before.is_ascii_alphanumeric() && before != b'b' || before == b'_' {
        return None;
    }
    let hashes = bytes[at + 1..].iter().take_while(|byte| **byte == b'#').count();
    (bytes.get(at + 1 + hashes) == Some(&b'"')).then_some(hashes)
}

fn raw_end(bytes: &[u8], at: usize) -> usize {
    let hashes = raw_hashes(bytes, at).unwrap_or(0);
    let mut end = at + hashes + 2;
    while end < bytes.len() {
        if bytes[end] == b'"' && bytes[end + 1..].iter().take_while(|byte| **byte == b'#').count() >= hashes {
            return end + 1 + hashes;
        }
        end += 1;
    }
    bytes.len()
}

/// The end of a character literal, or, for a lifetime, the next byte.
fn char_end(bytes: &[u8], at: usize) -> usize {
    if bytes.get(at + 1) == Some(&b'\\') {
        let close = bytes[at + 3..].iter().position(|byte| *byte == b'\'');
        return close.map_or(bytes.len(), |length| at + 3 + length + 1);
    }
    // One character of up to four bytes, then the closing quote.
    let close = (2..=5).find(|length| bytes.get(at + length) == Some(&b'\''));
    match close {
        Some(length) if length == 2 || bytes[at + 1] >= 0x80 => at + length + 1,
        _ => at + 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> String {
        Source::new("a/src/lib.rs", text).code
    }

    #[test]
    fn comments_and_strings_are_blank_and_code_is_not() {
        for text in [
            "a // word\nb",
            "a /* word /* word */ word */ b",
            "f(\"word \\\" word\") b",
            "r#\"word \" word\"# b",
            "br\"word\\\" b",
            "('\"', '\\'', 'x', \"word\") b",
            "\"é word\" /* é word */ b",
        ] {
            let code = code(text);
            assert!(!code.contains("word") && code.ends_with('b') && code.len() == text.len(), "{text} became {code}");
        }
        for text in ["fn f<'a>(x: &'a word) -> &'a word", "r.word() /r#word", "'é' word 'x'"] {
            assert_eq!(code(text).matches("word").count(), text.matches("word").count(), "{text}");
        }
    }

    #[test]
    fn strings_are_spoken_and_comments_are_not() {
        let source = Source::new("a/src/lib.rs", "open(\"/dev/x\") // why");
        assert_eq!(source.spoken, "open(\"/dev/x\")       ");
    }

    #[test]
    fn test_modules_and_test_files_are_known() {
        let text = "static A: u8 = 0;\n#[cfg(test)]\nmod tests {\n    fn f() { 1; }\n}\nstatic B: u8 = 0;\n";
        let source = Source::new("a/src/lib.rs", text);
        assert!(!source.is_test(0));
        assert!(source.is_test(text.find("1;").unwrap()));
        assert!(!source.is_test(text.find("static B").unwrap()));
        assert!(Source::new("a/tests/b.rs", text).is_test(0));
        assert_eq!(source.line(text.find("static B").unwrap()), 6);
    }

    #[test]
    fn words_stand_alone() {
        assert_eq!(words("HACKED HACK _HACK HACK!", "HACK").collect::<Vec<_>>(), [7, 18]);
        assert_eq!(words("runtime::select!{} my_select!{}", "select!").count(), 1);
    }
}
