//! Forms with files, from the body to the disk and away again.

#![allow(clippy::unwrap_used)] // in a test, a panic is the message

use std::fmt::Write as _;

use http::{Method, header};
use serde::Deserialize;
use simurgh_runtime::fs::{self, File, OpenOptions};
use simurgh_runtime::{DurationExt, Node, sleep, spawn};
use simurgh_sim::{Exit, Kill, Outcome, Sim};
use simurgh_web::{
    Body, BodyError, Conn, Endpoint, Form, Json, Multipart, MultipartLimits, Result, Upload, router, test,
};

#[derive(Debug, Deserialize)]
struct Letter {
    title: String,
    copies: Option<u8>,
    photo: Option<Upload>,
    #[serde(default)]
    more: Vec<Upload>,
}

async fn letter(_: &mut Conn, Form(letter): Form<Letter>) -> Result<String> {
    let mut said = format!("{} {:?}", letter.title, letter.copies);
    for upload in letter.photo.iter().chain(&letter.more) {
        let content = String::from_utf8_lossy(&upload.read().await?).into_owned();
        let (name, media) = (upload.safe_name(), upload.content_type());
        let _ = write!(said, " {name:?}={content}/{}/{media:?}", upload.len());
        assert_eq!(names().len(), letter.photo.iter().count() + letter.more.len());
    }
    Ok(said)
}

#[derive(Debug, Deserialize)]
struct Photo {
    photo: Upload,
}

async fn photo(_: &mut Conn, Form(form): Form<Photo>) -> Result<String> {
    let name = form.photo.safe_name().unwrap_or_default();
    form.photo.keep(format!("{DIRECTORY}/{name}")).await?;
    Ok(name)
}

async fn of_json(_: &mut Conn, Json(form): Json<Photo>) -> String {
    format!("{form:?}")
}

/// Reads some parts in full, one by half, and one not at all.
async fn parts(_: &mut Conn, mut parts: Multipart) -> Result<String> {
    let mut said = String::new();
    while let Some(mut part) = parts.next_part().await? {
        said += part.name();
        match part.name() {
            "text" => said += &part.text().await?,
            "half" => said += if part.chunk().await?.is_some() { "some" } else { "none" },
            "short" => said += &String::from_utf8_lossy(&part.bytes(3).await?),
            "save" => said += &part.save().await?.len().to_string(),
            _ => {}
        }
        said += ";";
    }
    Ok(said)
}

router! {
    post "/letter" => letter;
    post "/photo" => photo;
    post "/json" => of_json;
    post "/parts" => parts;
}

const DIRECTORY: &str = "/uploads";

fn limits() -> MultipartLimits {
    let directory = Some(DIRECTORY.into());
    MultipartLimits { directory, text_len_max: 40, file_len_max: 300_000, ..MultipartLimits::default() }
}

/// What is in the directory now.
fn names() -> Vec<String> {
    fs::read_dir(DIRECTORY).unwrap_or_default()
}

fn part(parameters: &str, data: &str) -> String {
    format!("--x\r\nContent-Disposition: form-data; {parameters}\r\nContent-Type: text/plain\r\n\r\n{data}\r\n")
}

/// A part without a type, as fields have it.
fn text(name: &str, data: &str) -> String {
    format!("--x\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{data}\r\n")
}

async fn post(target: &str, body: impl Into<Body>) -> (u16, String) {
    let mut request = test::request(Method::POST, target, body);
    request.headers_mut().insert(header::CONTENT_TYPE, "multipart/form-data; boundary=x".parse().unwrap());
    let response = test::send(&Endpoint::new((limits(), router())), request).await;
    let answer = (response.status().as_u16(), test::text(response).await);
    // What was dropped is removed where it may block.
    for _ in 0..100 {
        if !names().iter().any(|name| name.starts_with("simurgh-upload-")) {
            return answer;
        }
        simurgh_runtime::sleep(std::time::Duration::from_millis(1)).await;
    }
    panic!("files were left: {:?}", names());
}

#[simurgh_sim::test(seeds = 5)]
async fn a_form_is_made_of_text_and_files(_sim: simurgh_sim::Sim) {
    let title = text("title", "Dear all");
    let end = "--x--\r\n";
    let file = part(r#"name="photo"; filename="../../a.png""#, "PNG");
    for (body, status, expected) in [
        (format!("{title}{end}"), 200, "Dear all None"),
        (format!("{title}{}{end}", text("copies", "3")), 200, "Dear all Some(3)"),
        (format!("{title}{file}{end}"), 200, r#"Dear all None Some("a.png")=PNG/3/Some("text/plain")"#),
        (format!("{title}{}{end}", part(r#"name="photo"; filename="""#, "")), 200, "Dear all None"),
        (
            format!("{}{title}{}{end}", part("name=more; filename=b", "1"), part("name=more; filename=c", "")),
            200,
            r#"Dear all None Some("b")=1/1/Some("text/plain") Some("c")=/0/Some("text/plain")"#,
        ),
        (format!("{file}{end}"), 400, "400 The form is wrong: `title`: is missing"),
        (format!("{title}{file}{file}{end}"), 400, "400 The form is wrong: `photo`: is given more than once"),
        (format!("{title}{}{end}", text("photo", "0")), 400, "400 The form is wrong: `photo`: is no uploaded file"),
        (format!("{}{end}", part("name=title; filename=t", "0")), 400, "400 The form is wrong: `title`: is a file"),
        (
            format!("{title}{}{end}", text("copies", "300")),
            400,
            "400 The form is wrong: `copies`: `300` is not a whole number from 0 to 255",
        ),
        (
            format!("{title}{}{end}", text("a", &"b".repeat(33))),
            413,
            "413 The multipart body is wrong: its text has more than 32 bytes.",
        ),
        (format!("{title}{}{end}", text("a", &"b".repeat(32))), 200, "Dear all None"),
        (format!("{title}{file}"), 400, "400 The multipart body is wrong: it ends before its last boundary."),
        (
            format!("{file}{}{end}", part("name=more; filename=big", &"x".repeat(300_001))),
            413,
            "413 The multipart body is wrong: a part has more than 300000 bytes.",
        ),
    ] {
        assert_eq!(post("/letter", body.clone()).await, (status, expected.to_owned()), "{body}");
    }
    assert!(names().is_empty());
}

#[simurgh_sim::test(seeds = 5)]
async fn a_file_that_is_kept_stays(_sim: simurgh_sim::Sim) {
    let body = format!("{}--x--", part(r#"name="photo"; filename="/etc/a.png""#, &"x".repeat(200_000)));
    assert_eq!(post("/photo", body).await, (200, "a.png".to_owned()));
    assert_eq!(names(), ["a.png"]);
    assert_eq!(fs::read(format!("{DIRECTORY}/a.png")).await.unwrap(), "x".repeat(200_000).as_bytes());
    assert_eq!(post("/photo", "--x--").await, (400, "400 The form is wrong: `photo`: is missing".to_owned()));
}

#[simurgh_sim::test(seeds = 5)]
async fn a_client_that_goes_away_leaves_nothing(_sim: simurgh_sim::Sim) {
    let body = Body::stream(|mut chunks| async move {
        chunks.send(part("name=photo; filename=a", &"x".repeat(100_000)) + "--x\r\n").await?;
        Err(BodyError::Gone)
    });
    assert_eq!(post("/photo", body).await.0, 400);
    // and one whose handler is dropped in the middle
    let body = Body::stream(|mut chunks| async move {
        chunks.send(part("name=photo; filename=a", &"x".repeat(100_000)) + "--x\r\n").await?;
        std::future::pending().await
    });
    let late = simurgh_runtime::timeout(std::time::Duration::from_secs(9), post("/photo", body)).await;
    assert!(late.is_err());
    simurgh_runtime::sleep(std::time::Duration::from_secs(1)).await;
    assert!(names().is_empty(), "{:?}", names());
}

/// A server that has a file of an upload, and is killed; and the one after it.
async fn after_a_kill(says_so: bool) -> Result<(), String> {
    let check = |expected: usize| {
        let left = names();
        if left.len() == expected { Ok(()) } else { Err(format!("there should be {expected} files: {left:?}")) }
    };
    let never_ends = || {
        Body::stream(|mut chunks| async move {
            chunks.send(part("name=photo; filename=a", &"x".repeat(100_000)) + "--x\r\n").await?;
            std::future::pending().await
        })
    };
    if Node::current().incarnation() == 0 {
        post("/photo", never_ends()).await;
        return Err("the form has no end".to_owned());
    }
    check(1)?;
    fs::write(format!("{DIRECTORY}/simurgh-upload-notes"), "mine").await.unwrap();
    if says_so {
        assert_eq!(limits().sweep().await.unwrap(), 1);
        check(1)?;
    }
    let holds = spawn(post("/photo", never_ends()));
    sleep(1.secs()).await;
    check(2)?; // the notes, and the one that is held
    assert_eq!(limits().sweep().await.unwrap(), 0);
    check(2)?;
    holds.abort();
    sleep(1.secs()).await;
    check(1)
}

#[simurgh_sim::test(seeds = 10)]
async fn what_a_killed_process_left_is_removed(sim: Sim) -> Outcome {
    for says_so in [false, true] {
        let node = sim.node(if says_so { "says so" } else { "does not" }, move || after_a_kill(says_so));
        sleep(2.secs()).await;
        sim.kill(&node, Kill::Crash);
        node.restart();
        match node.ended().await {
            Exit::Finished => {}
            other => return Err(format!("{other:?}").into()),
        }
    }
    Ok(())
}

#[test]
#[allow(clippy::disallowed_methods)] // a test of real locks
fn a_file_that_is_held_is_not_swept_and_a_link_is_none() {
    simurgh_runtime::run("test", async {
        let folder = std::env::temp_dir().join(format!("simurgh-sweep-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let named = |digit: &str| folder.join(format!("simurgh-upload-{}", digit.repeat(32)));
        fs::write(named("a"), "left").await.unwrap();
        fs::write(named("b"), "held").await.unwrap();
        std::os::unix::fs::symlink(named("b"), named("c")).unwrap();
        let held = File::open(named("b"), &OpenOptions::reading()).unwrap();
        assert!(held.try_lock().unwrap());
        let limits = MultipartLimits { directory: Some(folder.clone()), ..MultipartLimits::default() };
        assert_eq!(limits.sweep().await.unwrap(), 1);
        assert_eq!(fs::read_dir(&folder).unwrap().len(), 2);
        held.unlock().unwrap();
        assert_eq!(limits.sweep().await.unwrap(), 1);
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(limits.sweep().await.unwrap(), 0, "a directory that is missing is empty");
    });
}

#[simurgh_sim::test(seeds = 5)]
async fn parts_are_read_or_skipped(_sim: simurgh_sim::Sim) {
    let all = format!(
        "{}{}{}{}{}--x--",
        text("text", "hello"),
        part("name=half", &"x".repeat(9_000)),
        text("skipped", "y"),
        text("short", "abc"),
        part("name=save; filename=f", &"z".repeat(100_000)),
    );
    let expected = "texthello;halfsome;skipped;shortabc;save100000;";
    let whole = post("/parts", all.clone()).await;
    assert_eq!(whole, (200, expected.to_owned()));
    for len in [1, 7, 4_096] {
        let pieces: Vec<Vec<u8>> = all.as_bytes().chunks(len).map(<[u8]>::to_vec).collect();
        let body = Body::stream(|mut chunks| async move {
            for piece in pieces {
                chunks.send(piece).await?;
            }
            Ok(())
        });
        assert_eq!(post("/parts", body).await, whole, "in pieces of {len}");
    }
    assert_eq!(post("/parts", text("short", "abcd") + "--x--").await.0, 413);
    assert_eq!(
        post("/parts", [text("text", "").trim_end().as_bytes(), b"\r\n\r\n\xff\r\n--x--"].concat()).await.0,
        400
    );
}

#[test]
fn other_bodies_are_refused() {
    let answer = |target: &'static str, kind: &'static str| {
        simurgh_runtime::run("test", async move {
            let mut request = test::request(Method::POST, target, r#"{"photo": 0}"#);
            request.headers_mut().insert(header::CONTENT_TYPE, kind.parse().unwrap());
            let response = test::send(&Endpoint::new(router()), request).await;
            (response.status().as_u16(), test::text(response).await)
        })
    };
    assert_eq!(answer("/parts", "text/plain").0, 415);
    assert_eq!(answer("/parts", "multipart/form-data").0, 400);
    assert_eq!(answer("/letter", "multipart/form-data; boundary=").0, 400);
    let (status, text) = answer("/json", "application/json");
    assert_eq!(status, 422, "JSON has no files: {text}");
}
