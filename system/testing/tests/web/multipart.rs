//! Forms with files.

use std::fmt::Write as _;

use serde::Deserialize;
use simurgh_runtime::{DurationExt, fs, random, sleep};
use simurgh_test::{Http, Request, post};
use simurgh_web::pages::Production;
use simurgh_web::{Conn, Endpoint, Form, Multipart, MultipartLimits, Plug, Result, Upload, router};

use crate::case::{Stage, cases};

cases! {
    "multipart.form": "fields and files of one form, as a record" => form;
    "multipart.upload_saved": "an upload is a file on disk while its handler runs" => saved;
    "multipart.upload_vanishes": "an upload vanishes when nobody holds it" => vanishes;
    "multipart.upload_vanishes_on_error": "uploads vanish if the handler fails or the form is wrong" => vanishes_on_error;
    "multipart.upload_kept": "an upload that is kept stays where it was put" => kept;
    "multipart.safe_name": "of a file's name only what is safe is offered" => safe_name;
    "multipart.part_by_part": "parts are read one by one, those that are not read are skipped" => part_by_part;
    "multipart.malformed": "no boundary, no end, a part without a name: 400" => malformed;
    "multipart.utf8": "a field that is no UTF-8 is 400" => utf8;
    "multipart.missing_field": "a field that is missing is 400, and is named" => missing_field;
    "multipart.file_too_large": "a file beyond its bound is 413, one below is taken" => file_too_large;
    "multipart.too_many_parts": "parts beyond their bound are 413" => too_many_parts;
    "multipart.head_too_large": "a part's head beyond its bound is 431" => head_too_large;
}

#[derive(Deserialize)]
struct Letter {
    title: String,
    photo: Option<Upload>,
    #[serde(default)]
    more: Vec<Upload>,
}

/// Where uploads of one case are.
#[derive(Clone)]
struct Folder(String);

impl Folder {
    fn new() -> Self {
        Self(format!("{}/uploads-{:016x}", env!("CARGO_TARGET_TMPDIR"), random::u64()))
    }

    fn names(&self) -> Vec<String> {
        fs::read_dir(&self.0).unwrap_or_default()
    }

    /// Files are removed by themselves, and soon.
    async fn is_empty_soon(&self) {
        for _ in 0..2_000 {
            if self.names().is_empty() {
                return;
            }
            sleep(5.millis()).await;
        }
        panic!("{:?} have not vanished", self.names());
    }

    fn remove(&self) {
        let _ = fs::remove_dir_all(&self.0);
    }

    fn limits(&self) -> MultipartLimits {
        MultipartLimits {
            parts_max: 8,
            file_len_max: 10_000,
            directory: Some(self.0.clone().into()),
            ..MultipartLimits::default()
        }
    }
}

async fn letter(conn: &mut Conn, Form(letter): Form<Letter>) -> Result<String> {
    let folder = conn.assigned::<MultipartLimits>().and_then(|limits| limits.directory.clone()).expect("a folder");
    let mut said = format!("{}: {} files", letter.title, fs::read_dir(folder)?.len());
    for upload in letter.photo.iter().chain(&letter.more) {
        let content = String::from_utf8_lossy(&upload.read().await?).into_owned();
        write!(said, ", {} {} {content}", upload.safe_name().unwrap_or_default(), upload.len())?;
    }
    Ok(said)
}

async fn fails(_: &mut Conn, Form(letter): Form<Letter>) -> Result<String> {
    let _: u32 = letter.title.parse()?;
    Ok("a number".to_owned())
}

async fn keep(conn: &mut Conn, Form(letter): Form<Letter>) -> Result<&'static str> {
    let folder = conn.assigned::<MultipartLimits>().and_then(|limits| limits.directory.clone()).expect("a folder");
    if let Some(photo) = letter.photo {
        photo.keep(folder.join("kept.txt")).await?;
    }
    Ok("kept")
}

async fn parts(_: &mut Conn, mut parts: Multipart) -> Result<String> {
    let mut said = String::new();
    while let Some(mut part) = parts.next_part().await? {
        let name = part.name().to_owned();
        match name.as_str() {
            "skip" => said.push_str("skip "),
            "file" => write!(said, "{name}={} ", part.save().await?.len())?,
            _ => write!(said, "{name}={} ", part.text().await?)?,
        }
    }
    Ok(said)
}

router! {
    post "/letter" => letter;
    post "/fails" => fails;
    post "/keep" => keep;
    post "/parts" => parts;
}

fn endpoint(folder: &Folder) -> Endpoint<impl Plug> {
    Endpoint::new((folder.limits(), router())).pages(Production::new())
}

/// A client, and the folder of its uploads.
async fn begin(stage: &Stage) -> (Http, Folder) {
    let folder = Folder::new();
    (stage.http(endpoint(&folder)).await, folder)
}

/// A body of parts: name, a file's name if it is one, content.
fn body(parts: &[(&str, Option<&str>, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, file, content) in parts {
        let file = file.map(|file| format!("; filename=\"{file}\"")).unwrap_or_default();
        let head = format!("--cut\r\ncontent-disposition: form-data; name=\"{name}\"{file}\r\n\r\n");
        body.extend([head.as_bytes(), content, b"\r\n"].concat());
    }
    body.extend(b"--cut--\r\n");
    body
}

fn send(target: &str, parts: &[(&str, Option<&str>, &[u8])]) -> Request {
    raw(target, body(parts))
}

fn raw(target: &str, body: impl Into<bytes::Bytes>) -> Request {
    post(target).header("content-type", "multipart/form-data; boundary=cut").accept("application/json").body(body)
}

async fn form(stage: Stage) {
    let (http, folder) = begin(&stage).await;
    let parts: [(&str, Option<&str>, &[u8]); 4] = [
        ("title", None, "Grüße".as_bytes()),
        ("photo", Some("a.txt"), b"first"),
        ("more", Some("b.txt"), b"--cut"),
        ("more", Some("c.txt"), b""),
    ];
    let answer = http.send(send("/letter", &parts)).await;
    assert_eq!(answer.assert_status(200).text(), "Grüße: 3 files, a.txt 5 first, b.txt 5 --cut, c.txt 0 ");
    folder.is_empty_soon().await;
    folder.remove();
}

async fn saved(stage: Stage) {
    let (http, folder) = begin(&stage).await;
    let answer = http.send(send("/letter", &[("title", None, b"t"), ("photo", Some("a"), b"x\r\ny")])).await;
    assert_eq!(answer.assert_status(200).text(), "t: 1 files, a 4 x\r\ny");
    folder.is_empty_soon().await;
    folder.remove();
}

async fn vanishes(stage: Stage) {
    let (http, folder) = begin(&stage).await;
    for _ in 0..3 {
        http.send(send("/letter", &[("title", None, b"t"), ("photo", Some("a"), b"x")])).await.assert_status(200);
    }
    folder.is_empty_soon().await;
    folder.remove();
}

async fn vanishes_on_error(stage: Stage) {
    let (http, folder) = begin(&stage).await;
    http.send(send("/fails", &[("title", None, b"t"), ("photo", Some("a"), b"x")])).await.assert_status(500);
    http.send(send("/letter", &[("photo", Some("a"), b"x")])).await.assert_status(400);
    let cut = body(&[("title", None, b"t"), ("photo", Some("a"), b"content")]);
    http.send(raw("/letter", cut[..cut.len() - 12].to_vec())).await.assert_status(400);
    folder.is_empty_soon().await;
    folder.remove();
}

async fn kept(stage: Stage) {
    let (http, folder) = begin(&stage).await;
    let answer = http.send(send("/keep", &[("title", None, b"t"), ("photo", Some("a"), b"content")])).await;
    assert_eq!(answer.assert_status(200).text(), "kept");
    assert_eq!(folder.names(), ["kept.txt"]);
    assert_eq!(fs::read(format!("{}/kept.txt", folder.0)).await.unwrap(), b"content");
    folder.remove();
}

async fn safe_name(stage: Stage) {
    let (http, folder) = begin(&stage).await;
    for (given, safe) in [("../../etc/passwd", "passwd"), ("/abs/b.txt", "b.txt"), ("C:/dir/c.txt", "c.txt")] {
        let answer = http.send(send("/letter", &[("title", None, b"t"), ("photo", Some(given), b"x")])).await;
        assert_eq!(answer.assert_status(200).text(), format!("t: 1 files, {safe} 1 x"), "{given}");
        folder.is_empty_soon().await;
    }
    folder.remove();
}

async fn part_by_part(stage: Stage) {
    let (http, folder) = begin(&stage).await;
    let large = vec![b'x'; 9_000];
    let parts: [(&str, Option<&str>, &[u8]); 4] =
        [("a", None, b"1"), ("skip", Some("s"), &large), ("file", Some("f"), &large), ("b", None, b"2")];
    let answer = http.send(send("/parts", &parts)).await;
    assert_eq!(answer.assert_status(200).text(), "a=1 skip file=9000 b=2 ");
    folder.is_empty_soon().await;
    folder.remove();
}

async fn malformed(stage: Stage) {
    let (http, folder) = begin(&stage).await;
    let whole = body(&[("title", None, b"t")]);
    let without_end = whole[..whole.len() - 9].to_vec();
    for body in [without_end, b"nonsense".to_vec(), b"--cut\r\nx-a: b\r\n\r\nc\r\n--cut--\r\n".to_vec()] {
        http.send(raw("/letter", body)).await.assert_error(400, "bad_multipart");
    }
    let no_boundary = post("/letter").header("content-type", "multipart/form-data").accept("application/json");
    http.send(no_boundary.body(whole)).await.assert_error(400, "bad_multipart");
    folder.remove();
}

async fn utf8(stage: Stage) {
    let (http, folder) = begin(&stage).await;
    http.send(send("/letter", &[("title", None, b"\xff")])).await.assert_error(400, "bad_multipart");
    folder.remove();
}

async fn missing_field(stage: Stage) {
    let (http, folder) = begin(&stage).await;
    let answer = http.send(send("/letter", &[("other", None, b"x")])).await;
    answer.assert_error(400, "bad_form");
    assert_eq!(answer.json_response(400)["error"]["details"]["field"], "title");
    folder.remove();
}

async fn file_too_large(stage: Stage) {
    let (http, folder) = begin(&stage).await;
    let file = |len| send("/letter", &[("title", None, b"t"), ("photo", Some("a"), &vec![b'x'; len])]);
    http.send(file(10_000)).await.assert_status(200);
    http.send(file(10_001)).await.assert_error(413, "multipart_too_large");
    folder.is_empty_soon().await;
    folder.remove();
}

async fn too_many_parts(stage: Stage) {
    let (http, folder) = begin(&stage).await;
    let parts = |count| send("/parts", &vec![("skip", None, &b""[..]); count]);
    http.send(parts(8)).await.assert_status(200);
    http.send(parts(9)).await.assert_error(413, "multipart_too_large");
    folder.remove();
}

async fn head_too_large(stage: Stage) {
    let (http, folder) = begin(&stage).await;
    let head = "x-a: b\r\n".repeat(2_000);
    let body = format!("--cut\r\n{head}content-disposition: form-data; name=\"a\"\r\n\r\n1\r\n--cut--\r\n");
    http.send(raw("/parts", body)).await.assert_error(431, "multipart_too_large");
    folder.remove();
}
