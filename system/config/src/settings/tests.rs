use std::net::SocketAddr;
use std::time::Duration;

use crate::{ByteSize, Secret, Source, choice, help, markdown};

#[derive(Debug, Clone, Copy, PartialEq)]
enum Format {
    Text,
    Json,
}

choice! { Format { Text = "text", Json = "json" } }

settings! {
    /// A section.
    struct LogSettings {
        /// How a line looks.
        format: Format = Format::Text, env "APP_LOG_FORMAT";
        /// Targets that are left out.
        without: Vec<String> = Vec::new(), env "APP_LOG_WITHOUT";
    }
}

settings! {
    /// All kinds of settings.
    struct AppSettings {
        /// Where to listen.
        addr: SocketAddr = ([127, 0, 0, 1], 4000).into(), env "APP_ADDR";
        /// How long
        /// to wait.
        wait: Duration = Duration::from_secs(5), env "APP_WAIT", in Duration::ZERO..=Duration::from_mins(1);
        /// Room.
        room: ByteSize = ByteSize::kib(16);
        /// Part that is kept.
        kept: f64 = 0.5, env "APP_KEPT", in 0.0..=1.0;
        /// The name to greet with.
        greeting: Option<String>, env "APP_GREETING";
        /// Signs.
        key: Secret<String>, env "APP_KEY", check long_enough;
        /// The log.
        log: LogSettings;
    }
}

fn long_enough(key: &Secret<String>) -> Result<(), &'static str> {
    (key.expose().len() >= 8).then_some(()).ok_or("8 bytes or longer")
}

fn complete() -> Source {
    Source::new().var("APP_KEY", "correct horse")
}

#[track_caller]
fn check_errors(source: &Source, expected: &[&str]) {
    let errors = AppSettings::load(source).unwrap_err();
    let lines: Vec<String> = errors.problems().iter().map(ToString::to_string).collect();
    assert_eq!(lines, expected);
}

#[test]
fn the_environment_wins_over_the_file_and_the_file_over_the_default() {
    let file = "wait = \"1s\"\nkept = 1\n[log]\nformat = \"json\"\nwithout = [\"a\", \"b\"]\n";
    let source = complete().file_text("app.toml", file).var("APP_WAIT", "2s").var("APP_LOG_WITHOUT", "x, y");
    let settings = AppSettings::load(&source).unwrap();
    assert_eq!(settings.wait, Duration::from_secs(2));
    assert_eq!(settings.kept.to_bits(), 1.0_f64.to_bits());
    assert_eq!(settings.room, ByteSize::kib(16));
    assert_eq!(settings.greeting, None);
    assert_eq!((settings.log.format, settings.log.without), (Format::Json, vec!["x".to_owned(), "y".to_owned()]));
}

#[test]
fn every_error_is_told_at_once_and_in_order() {
    let file = "room = 16\nwait = \"61s\"\ngreting = \"hi\"\n[log]\nformat = \"xml\"\nwitout = [\"a\"]\n";
    let source = Source::new().file_text("app.toml", file).var("APP_ADDR", "localhost").var("APP_KEPT", "nan");
    check_errors(
        &source,
        &[
            "APP_ADDR: \"localhost\" is not an address with a port such as 127.0.0.1:4000 or [::1]:4000",
            "app.toml:2:8: wait: \"61s\" is not a duration from 0s to 1m",
            "app.toml:1:8: room: 16 is not a size such as 512B, 16KiB or 4MiB",
            "APP_KEPT: \"nan\" is not a number from 0.0 to 1.0",
            "APP_KEY: not set, nor key in app.toml; expected text",
            "app.toml:5:10: log.format: \"xml\" is not text or json",
            "app.toml:6:1: log.witout is not a setting; did you mean log.without?",
            "app.toml:3:1: greting is not a setting; did you mean greeting?",
        ],
    );
}

#[test]
fn no_error_holds_a_secret() {
    check_errors(&complete().var("APP_KEY", "hunter2"), &["APP_KEY: what is set (a secret) is not 8 bytes or longer"]);
    let file = |text| Source::new().file_text("app.toml", text);
    check_errors(&file("key = 12345"), &["app.toml:1:7: key: what is set (a secret) is not text"]);
    let broken = AppSettings::load(&file("key = hunter2")).unwrap_err().to_string();
    assert!(broken.starts_with("configuration has 1 error:\n  app.toml:1:") && !broken.contains("hunter2"), "{broken}");
    let debug = format!("{:?}", AppSettings::load(&complete()).unwrap());
    assert!(debug.contains("key: [secret]"), "{debug}");
}

#[test]
fn a_file_that_cannot_be_read_is_one_error() {
    let errors = AppSettings::load(&Source::new().var("APP_KEPT", "2").file("/does/not/exist.toml")).unwrap_err();
    let lines: Vec<String> = errors.problems().iter().map(ToString::to_string).collect();
    assert!(lines[0].starts_with("/does/not/exist.toml: cannot read this file: "), "{lines:?}");
    assert_eq!(lines[1..], ["APP_KEPT: \"2\" is not a number from 0.0 to 1.0"]);
    check_errors(&complete().file_text("app.toml", "log = 1"), &["app.toml:1:7: log: 1 is not a section"]);
    check_errors(
        &complete().file_text("app.toml", "kept = \"1\""),
        &["app.toml:1:8: kept: the text \"1\" is not a number from 0.0 to 1.0"],
    );
}

#[test]
fn a_message_is_one_line_of_bounded_length() {
    let errors = AppSettings::load(&complete().var("APP_ADDR", &"\n".repeat(10_000))).unwrap_err().to_string();
    assert_eq!(errors.lines().count(), 2);
    assert!(errors.len() < 400, "{errors}");
}

#[test]
fn what_is_shown_loads_the_same() {
    let source = complete().var("APP_GREETING", "ä \"b\"\n").var("APP_LOG_WITHOUT", "a,b").var("APP_WAIT", "1500ms");
    let shown = AppSettings::load(&source).unwrap().to_string();
    assert_eq!(
        shown,
        "addr = \"127.0.0.1:4000\"\nwait = \"1500ms\"\nroom = \"16KiB\"\nkept = 0.5\ngreeting = \"ä \\\"b\\\"\\u000A\"\n\
         # key: [secret]\nlog.format = \"text\"\nlog.without = [\"a\", \"b\"]\n"
    );
    assert_eq!(AppSettings::load(&complete().file_text("shown", &shown)).unwrap().to_string(), shown);
}

#[test]
fn help_has_a_line_for_each_setting() {
    let help = help(AppSettings::FIELDS);
    assert!(help.contains("  APP_WAIT         wait         5s              How long to wait.\n"), "{help}");
    assert!(help.contains("  APP_KEY          key          required        Signs.\n"), "{help}");
    assert_eq!(help.lines().count(), 8);
    let page = markdown(AppSettings::FIELDS);
    assert!(
        page.contains("| `log.format` | `APP_LOG_FORMAT` | `text` | How a line looks. (text or json) |\n"),
        "{page}"
    );
}
