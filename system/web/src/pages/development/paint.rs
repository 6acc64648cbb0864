//! Colours for a line of Rust: enough to read it by, no parser.

use std::fmt::Write as _;

use crate::pages::escape::Escaped;

const KEYWORDS: &[&str] = &[
    "as", "async", "await", "break", "const", "continue", "crate", "dyn", "else", "enum", "false", "fn", "for", "if",
    "impl", "in", "let", "loop", "match", "mod", "move", "mut", "pub", "ref", "return", "self", "static", "struct",
    "super", "trait", "true", "type", "unsafe", "use", "where", "while",
];

/// The line as HTML, with classes `k` keyword, `s` string, `c` comment, `n` number, `t` type, `m` macro.
pub(super) fn line(line: &str) -> String {
    let mut html = String::with_capacity(line.len() * 2);
    let mut rest = line;
    while !rest.is_empty() {
        let (class, len) = token(rest);
        let (token, after) = rest.split_at(len);
        match class {
            "" => write!(html, "{}", Escaped(token)),
            class => write!(html, "<i class={class}>{}</i>", Escaped(token)),
        }
        .expect("a string takes everything");
        rest = after;
    }
    html
}

/// The class and the length of what the text begins with.
fn token(text: &str) -> (&'static str, usize) {
    let first = text.chars().next().unwrap_or(' ');
    if text.starts_with("//") {
        return ("c", text.len());
    }
    if first == '"' {
        return ("s", string_len(text));
    }
    let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
    if !is_word(first) {
        return ("", first.len_utf8());
    }
    let len = text.find(|letter| !is_word(letter)).unwrap_or(text.len());
    let word = &text[..len];
    let class = match first {
        '0'..='9' => "n",
        _ if KEYWORDS.contains(&word) => "k",
        _ if text[len..].starts_with('!') && !text[len..].starts_with("!=") => "m",
        _ if first.is_uppercase() => "t",
        _ => "",
    };
    (class, len)
}

/// With both quotation marks; to the line's end if the second is not on it.
fn string_len(text: &str) -> usize {
    let mut is_escaped = false;
    for (at, letter) in text.char_indices().skip(1) {
        if letter == '"' && !is_escaped {
            return at + 1;
        }
        is_escaped = letter == '\\' && !is_escaped;
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::line;

    #[test]
    fn a_line_has_colours_and_no_markup_of_its_own() {
        let painted = line(r#"let x: Vec<u8> = vec![1, "a\"<b>"]; // <script>"#);
        let expected = "<i class=k>let</i> x: <i class=t>Vec</i>&lt;u8&gt; = <i class=m>vec</i>![<i class=n>1</i>, \
                        <i class=s>&quot;a\\&quot;&lt;b&gt;&quot;</i>]; <i class=c>// &lt;script&gt;</i>";
        assert_eq!(painted, expected);
        assert_eq!(line("\"no end \u{fc}"), "<i class=s>&quot;no end \u{fc}</i>");
        assert_eq!(line("a != b"), "a != b");
    }
}
