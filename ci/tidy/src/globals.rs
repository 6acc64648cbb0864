//! Process-global state. Two simulated nodes share nothing, but they share a process: whatever is
//! static and can change must be known, so that each case has a reason.
//!
//! The list stands in ARCHITECTURE.md between two marks, as rows `path | name | why`. A static whose
//! type is not plainly constant must be in it, and so must everything in `thread_local!`; and each
//! row must still be true.

use crate::rust::{Source, words};
use crate::{File, Finding};

/// Where the list is.
const LIST: &str = "ARCHITECTURE.md";
const BEGIN: &str = "<!-- globals:begin -->";
const END: &str = "<!-- globals:end -->";

/// Words of types that cannot change. A type with any other word may, and has to be listed.
const PLAIN: [&str; 21] = [
    "str", "static", "bool", "char", "u8", "u16", "u32", "u64", "u128", "usize", "i8", "i16", "i32", "i64", "i128",
    "isize", "f64", "Option", "Duration", "f32", "fn",
];

/// A static item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Static {
    /// Its name.
    pub name: String,
    /// Its line, from 1.
    pub line: usize,
    /// Whether its type is plainly constant.
    pub is_plain: bool,
}

/// A row of the list.
struct Row {
    path: String,
    name: String,
    why: String,
    line: usize,
}

/// Compares the statics of all sources with the list.
pub fn check(files: &[File]) -> Vec<Finding> {
    let Some(list) = files.iter().find(|file| file.path == LIST) else {
        return vec![Finding {
            path: LIST.into(),
            line: 1,
            what: format!("is missing: it lists process-global state between {BEGIN} and {END}"),
        }];
    };
    if !list.text.contains(BEGIN) || !list.text.contains(END) {
        return vec![
            list.finding(1, format!("the list of process-global state is missing: write it between {BEGIN} and {END}")),
        ];
    }
    let rows = rows(list);
    let mut found = Vec::new();
    let mut seen: Vec<(String, String)> = Vec::new();
    for file in files.iter().filter(|file| file.is_rust() && !file.path.starts_with("ci/")) {
        for item in statics(file).into_iter().filter(|item| !item.is_plain) {
            if !rows.iter().any(|row| row.path == file.path && row.name == item.name) {
                let what = format!(
                    "static {} outlives a node and is shared by all nodes of a simulation: keep it in a runtime::Slot of the node, or list it with its reason in {LIST}",
                    item.name
                );
                found.push(file.finding(item.line, what));
            }
            seen.push((file.path.clone(), item.name));
        }
    }
    for row in &rows {
        if !seen.contains(&(row.path.clone(), row.name.clone())) {
            found.push(list.finding(row.line, format!("{} has no static {}: remove the row", row.path, row.name)));
        }
        if row.why.is_empty() {
            found.push(list.finding(row.line, format!("no reason for {}: say why it may be shared", row.name)));
        }
    }
    found
}

/// The statics of a file, without those of tests.
pub fn statics(file: &File) -> Vec<Static> {
    let source = Source::new(&file.path, &file.text);
    let code = &source.code;
    let locals: Vec<_> = words(code, "thread_local!").map(|at| at..block_end(code, at)).collect();
    let mut found = Vec::new();
    for at in words(code, "static") {
        // 'static is a lifetime.
        if source.is_test(at) || code[..at].ends_with('\'') {
            continue;
        }
        let rest = code[at + "static".len()..].trim_start();
        let (changes, rest) =
            ["mut ", "ref "].iter().find_map(|word| rest.strip_prefix(word)).map_or((false, rest), |rest| (true, rest));
        let Some((name, rest)) = rest.split_once(':') else { continue };
        if name.trim().is_empty()
            || !name.trim().chars().all(|char| char.is_alphanumeric() || matches!(char, '_' | '$'))
        {
            continue;
        }
        let of = rest.split(['=', '{']).next().unwrap_or("");
        let of = if of.contains('[') { of } else { of.split(';').next().unwrap_or("") };
        let is_plain = !changes
            && type_words(of).all(|word| PLAIN.contains(&word))
            && !locals.iter().any(|range| range.contains(&at));
        found.push(Static { name: name.trim().to_owned(), line: source.line(at), is_plain });
    }
    found
}

fn type_words(of: &str) -> impl Iterator<Item = &str> {
    of.split(|char: char| !char.is_alphanumeric() && char != '_')
        .filter(|word| !word.is_empty() && !word.starts_with(|char: char| char.is_ascii_digit()))
}

fn block_end(code: &str, at: usize) -> usize {
    let mut depth = 0;
    for (offset, char) in code[at..].char_indices() {
        match char {
            '{' | '(' => depth += 1,
            '}' | ')' => {
                depth -= 1;
                if depth == 0 {
                    return at + offset;
                }
            }
            _ => {}
        }
    }
    code.len()
}

fn rows(list: &File) -> Vec<Row> {
    let mut inside = false;
    let mut found = Vec::new();
    for (index, line) in list.text.lines().enumerate() {
        match line.trim() {
            BEGIN => inside = true,
            END => inside = false,
            row if inside && row.contains('|') => {
                let cells: Vec<&str> =
                    row.trim_matches('|').split('|').map(|cell| cell.trim().trim_matches('`')).collect();
                let cell = |at: usize| cells.get(at).copied().unwrap_or("").to_owned();
                let is_head = cell(0) == "path" || cell(0).starts_with("--");
                if !is_head {
                    found.push(Row { path: cell(0), name: cell(1), why: cell(2), line: index + 1 });
                }
            }
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(list: &str, source: &str) -> String {
        let list = File::new(LIST, format!("# A\n{BEGIN}\n| path | name | why |\n| --- | --- | --- |\n{list}{END}\n"));
        crate::report(&check(&[list, File::new("a/src/b.rs", source)]))
    }

    #[test]
    fn every_kind_of_changing_static_is_found() {
        for source in [
            "static A: AtomicU64 = AtomicU64::new(0);\n",
            "pub(crate) static A: Mutex<Vec<u8>> = Mutex::new(Vec::new());\n",
            "fn f() {\n    static A: OnceLock<u8> = OnceLock::new();\n}\n",
            "static A: LazyLock<u8> = LazyLock::new(f);\n",
            "static A: RwLock<u8> = RwLock::new(0);\n",
            "static mut A: u8 = 0;\n",
            "thread_local! {\n    static A: Cell<u8> = const { Cell::new(0) };\n}\n",
            "thread_local!(static A: RefCell<u8> = RefCell::new(0));\n",
            "thread_local! { static A: u8 = 0; }\n",
            "static A: [AtomicU8; 2] = [const { AtomicU8::new(0) }; 2];\n",
            "static A: OfOurs = OfOurs::new();\n",
            "lazy_static! { static ref A: u8 = 0; }\n",
            "unsafe extern \"C\" { static A: *const c_char; }\n",
        ] {
            assert!(found("", source).contains("static A outlives"), "{source}");
            assert_eq!(found("| `a/src/b.rs` | `A` | a reason |\n", source), "", "{source}");
        }
    }

    #[test]
    fn constants_lifetimes_and_tests_are_left_alone() {
        for source in [
            "static A: &str = \"static B: AtomicU8\";\n",
            "static A: [&'static str; 2] = [\"a\", \"b\"];\n",
            "static A: &[(u8, &str)] = &[];\n",
            "fn f(x: &'static AtomicU8) -> impl Fn() + 'static {}\n",
            "// static A: AtomicU8\n",
            "#[cfg(test)]\nmod tests {\n    static A: AtomicU8 = AtomicU8::new(0);\n}\n",
        ] {
            assert_eq!(found("", source), "", "{source}");
        }
    }

    #[test]
    fn the_list_must_be_true() {
        assert!(
            found("| `a/src/b.rs` | `GONE` | a reason |\n", "")
                .contains("ARCHITECTURE.md:5: a/src/b.rs has no static GONE")
        );
        let source = "static A: AtomicU64 = AtomicU64::new(0);\n";
        assert!(found("| `a/src/b.rs` | `A` | |\n", source).contains("no reason for A"));
        assert!(check(&[]).len() == 1 && check(&[File::new(LIST, "# A\n")]).len() == 1);
    }
}
