//! What rooms, people and messages may be called and say.
//!
//! Whatever passes here is shown as text, never as markup. What is refused are names that could be taken for others,
//! and sizes that would cost those who read them.

use simurgh::config::Limits;

/// Characters of a room's name.
pub const ROOM_LEN_MAX: usize = Limits::DEFAULT.studio_room_len_max;
/// Characters of a person's name.
pub const NAME_LEN_MAX: usize = Limits::DEFAULT.studio_name_len_max;
/// Characters of a message.
pub const TEXT_LEN_MAX: usize = Limits::DEFAULT.studio_text_len_max;

/// Why a name or a text is not taken. `code` is stable, and what clients compare; the message is for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Invalid {
    /// A room that nobody may join.
    #[error("This room is private.")]
    PrivateRoom,
    /// No name of a room.
    #[error("A room's name is 1 to 32 lower-case letters, digits and single hyphens between them, such as tea-time.")]
    RoomName,
    /// No name of a person.
    #[error("A name is 1 to 32 characters that can be seen.")]
    Name,
    /// A message without anything in it.
    #[error("There is nothing in this message.")]
    EmptyText,
    /// A message that is too long.
    #[error("A message has at most 2,000 characters.")]
    TextTooLong,
    /// A message with characters that do something else than show.
    #[error("A message may not have control characters.")]
    Text,
}

impl Invalid {
    /// A stable code.
    pub fn code(self) -> &'static str {
        match self {
            Self::PrivateRoom => "private_room",
            Self::RoomName => "bad_room_name",
            Self::Name => "bad_name",
            Self::EmptyText => "empty_text",
            Self::TextTooLong => "text_too_long",
            Self::Text => "bad_text",
        }
    }
}

/// A room's name, as it stands in its topic and its path.
///
/// ```
/// use studio::names::{Invalid, room};
///
/// assert_eq!(room("tea-time"), Ok("tea-time"));
/// assert_eq!(room("private:staff"), Err(Invalid::PrivateRoom));
/// assert_eq!(room("../etc/passwd"), Err(Invalid::RoomName));
/// ```
///
/// It is also the name of a file, so it has nothing in it that a file system could read as something else.
///
/// # Errors
/// [`Invalid::PrivateRoom`] for `_x`, `private` and `private:x`, [`Invalid::RoomName`] for all else.
pub fn room(name: &str) -> Result<&str, Invalid> {
    if name.starts_with('_') || name == "private" || name.starts_with("private:") || name.starts_with("private-") {
        return Err(Invalid::PrivateRoom);
    }
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let is_good = !name.is_empty()
        && name.len() <= ROOM_LEN_MAX
        && name.bytes().all(is_plain)
        && !name.starts_with('-')
        && !name.ends_with('-')
        && !name.contains("--");
    if is_good { Ok(name) } else { Err(Invalid::RoomName) }
}

/// A person's name, without space around it.
///
/// ```
/// use studio::names::{Invalid, person};
///
/// assert_eq!(person(" J\u{fc}rgen "), Ok("J\u{fc}rgen".to_owned()));
/// assert_eq!(person("<b>"), Ok("<b>".to_owned())); // text, and shown as such
/// assert_eq!(person("\u{202e}ecilA"), Err(Invalid::Name)); // would be shown backwards
/// ```
///
/// # Errors
/// [`Invalid::Name`].
pub fn person(name: &str) -> Result<String, Invalid> {
    let name = name.split_whitespace().collect::<Vec<_>>().join(" ");
    let len = name.chars().count();
    let is_good = (1..=NAME_LEN_MAX).contains(&len)
        && !name.chars().any(|char| char.is_control() || is_invisible(char))
        && !name.contains(',');
    if is_good { Ok(name) } else { Err(Invalid::Name) }
}

/// A message's text, without space around it.
///
/// ```
/// use studio::names::{Invalid, text};
///
/// assert_eq!(text(" <script>alert(1)</script>\n"), Ok("<script>alert(1)</script>".to_owned()));
/// assert_eq!(text(" \n"), Err(Invalid::EmptyText));
/// ```
///
/// # Errors
/// [`Invalid::EmptyText`], [`Invalid::TextTooLong`], [`Invalid::Text`].
pub fn text(text: &str) -> Result<String, Invalid> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Invalid::EmptyText);
    }
    if text.chars().nth(TEXT_LEN_MAX).is_some() {
        return Err(Invalid::TextTooLong);
    }
    if text.chars().any(|char| (char.is_control() && !matches!(char, '\n' | '\t')) || is_override(char)) {
        return Err(Invalid::Text);
    }
    Ok(text.to_owned())
}

/// Characters that turn others around (Unicode's bidirectional overrides and isolates).
fn is_override(char: char) -> bool {
    matches!(char, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Characters that a name could be told apart by, and no eye: overrides, zero widths, fillers, tags.
fn is_invisible(char: char) -> bool {
    is_override(char)
        || matches!(
            char,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
        )
        || matches!(char, '\u{2060}'..='\u{2064}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rooms() {
        for good in ["lobby", "a", "7", "tea-time", "a-b-c", &"x".repeat(32)] {
            assert_eq!(room(good), Ok(good));
        }
        for private in ["private", "private:x", "private-x", "_x", "_"] {
            assert_eq!(room(private), Err(Invalid::PrivateRoom), "{private}");
        }
        for bad in
            ["", "Lobby", "-a", "a-", "a--b", "a b", "a/b", "..", "a.b", "a:b", "caf\u{e9}", "a\0", &"x".repeat(33)]
        {
            assert_eq!(room(bad), Err(Invalid::RoomName), "{bad:?}");
        }
    }

    #[test]
    fn people() {
        for (said, taken) in
            [("Alice", "Alice"), ("  Bob \t the  builder ", "Bob the builder"), ("__proto__", "__proto__")]
        {
            assert_eq!(person(said).as_deref(), Ok(taken));
        }
        assert_eq!(person("<img src=x onerror=alert(1)>").as_deref(), Ok("<img src=x onerror=alert(1)>"));
        assert_eq!(person("\u{7f8e}\u{54b2}").as_deref(), Ok("\u{7f8e}\u{54b2}"));
        let long = "x".repeat(33);
        for bad in ["", " ", "a\u{200b}", "\u{202e}a", "\u{3164}", "a\u{7}b", "Bob, Charlie", &long] {
            assert_eq!(person(bad), Err(Invalid::Name), "{bad:?}");
        }
    }

    #[test]
    fn texts() {
        assert_eq!(text("two\nlines").as_deref(), Ok("two\nlines"));
        assert_eq!(text(&"\u{e9}".repeat(2_000)).map(|text| text.len()), Ok(4_000));
        let long = "x".repeat(2_001);
        for (bad, why) in [
            ("", Invalid::EmptyText),
            (" \n ", Invalid::EmptyText),
            ("a\0b", Invalid::Text),
            ("a\u{202e}b", Invalid::Text),
            (long.as_str(), Invalid::TextTooLong),
        ] {
            assert_eq!(text(bad), Err(why), "{bad:?}");
        }
    }
}
