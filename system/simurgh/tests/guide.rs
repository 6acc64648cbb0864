//! The guide says what there is: its files are those of a crate that is built and tested, its limits those of the table.

const GUIDE: &str = include_str!("../GUIDE.md");

fn check(name: &str, file: &str) {
    assert!(GUIDE.contains(file.trim_end()), "GUIDE.md has another {name} than ci/outside/chat");
}

#[test]
fn its_files_are_those_of_the_chat() {
    check("src/lib.rs", include_str!("../../../ci/outside/chat/src/lib.rs"));
    check("src/main.rs", include_str!("../../../ci/outside/chat/src/main.rs"));
    check("static/chat.html", include_str!("../../../ci/outside/chat/static/chat.html"));
    check("tests/split.rs", include_str!("../../../ci/outside/chat/tests/split.rs"));
}

#[test]
fn its_limits_are_those_of_the_table() {
    let is_ours =
        |line: &&str| ["| `channels_", "| `pubsub_", "| `presence_"].iter().any(|start| line.starts_with(start));
    let page = simurgh::config::Limits::DEFAULT.markdown();
    let table: Vec<&str> = page.lines().filter(is_ours).collect();
    let guide: Vec<&str> = GUIDE.lines().filter(is_ours).collect();
    assert_eq!(guide, table, "write these rows into GUIDE.md:\n\n{}", table.join("\n"));
}
