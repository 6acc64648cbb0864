//! Files: static ones, in ranges, under conditions, compressed beforehand; sent ones and downloads.

use http::header::HeaderName;
use simurgh_runtime::{fs, random};
use simurgh_test::{Http, get, head, post};
use simurgh_web::pages::Production;
use simurgh_web::{Conn, Endpoint, Plug, Result, Static, router};

use crate::case::{Arm, Only, Stage, cases};

const REAL_DISK: Only =
    Only { arms: &[Arm::Memory, Arm::Sockets], because: "the simulated disk knows no time of change" };

cases! {
    "files.embedded": "files of the program, with type, length and etag" => embedded;
    "files.directory": "files of a directory, as they are now" => directory;
    "files.passed_on": "other methods, paths and hidden names are passed on" => passed_on;
    "files.traversal_refused": "what leads out of the directory is 400, however it is written" => traversal;
    "files.head": "HEAD has the headers and not the body" => head_of_a_file;
    "files.etag_304": "who has this version gets 304" => not_modified;
    "files.date_304": "who has it since its last change gets 304" => by_date only REAL_DISK;
    "files.range": "a range is 206: from, to, the last bytes" => range;
    "files.ranges": "several ranges are one body of parts" => ranges;
    "files.range_refused": "a range that is not there is 416, and no cache may keep it" => range_refused;
    "files.if_range": "a range of another version is the whole file" => if_range;
    "files.precompressed": "a file compressed beforehand is sent to who takes it" => precompressed;
    "files.digested": "names with a digest may be kept forever" => digested;
    "files.send_file": "a handler sends a file of the disk, in ranges too" => send_file;
    "files.send_file_missing": "a file that is not there is 404" => missing;
    "files.large": "a file of several pieces arrives whole" => large;
    "files.download": "a download says its name, also beyond ASCII" => download;
}

async fn rest(conn: &mut Conn) {
    conn.text("passed on");
}

fn assets() -> Endpoint<impl Plug> {
    let files = Static::embedded(
        "/assets",
        [
            ("app.css", "0123456789"),
            ("app.css.gz", "gzipped"),
            ("app.css.br", "brotli"),
            ("app-0123456789abcdef.js", "digested"),
            (".hidden", "hidden"),
            ("sub/page.html", "<p>"),
        ],
    );
    Endpoint::new((files.precompressed(), rest)).pages(Production::new())
}

/// A folder of one case.
struct Folder(String);

impl Folder {
    async fn with(files: &[(&str, &[u8])]) -> Self {
        let folder = Self(format!("{}/files-{:016x}", env!("CARGO_TARGET_TMPDIR"), random::u64()));
        for (name, content) in files {
            let path = format!("{}/{name}", folder.0);
            let (parent, _) = path.rsplit_once('/').unwrap();
            fs::create_dir_all(parent).unwrap();
            fs::write(path, *content).await.unwrap();
        }
        folder
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

async fn embedded(stage: Stage) {
    let http = stage.http(assets()).await;
    let answer = http.get("/assets/app.css").await;
    answer
        .assert_status(200)
        .assert_body("0123456789")
        .assert_header("content-type", "text/css; charset=utf-8")
        .assert_header("accept-ranges", "bytes")
        .assert_header("cache-control", "public");
    assert!(answer.header("etag").is_some_and(|etag| etag.starts_with('"')));
    http.get("/assets/sub/page.html").await.assert_body("<p>");
}

async fn directory(stage: Stage) {
    let folder = Folder::with(&[("public/a.txt", b"first"), ("secret.txt", b"secret")]).await;
    let public = format!("{}/public", folder.0);
    let http = stage.http(Endpoint::new((Static::new("/", public.clone()), rest))).await;
    assert_eq!(http.get("/a.txt").await.text_response(200), "first");
    fs::write(format!("{public}/a.txt"), "second").await.unwrap();
    assert_eq!(http.get("/a.txt").await.text_response(200), "second");
    assert_eq!(http.get("/secret.txt").await.text_response(200), "passed on");
}

async fn passed_on(stage: Stage) {
    let http = stage.http(assets()).await;
    for target in
        ["/assets/none.css", "/assets", "/assets/", "/assets/sub", "/assetsapp.css", "/assets/.hidden", "/app.css"]
    {
        http.get(target).await.assert_status(200).assert_body("passed on");
    }
    http.send(post("/assets/app.css")).await.assert_body("passed on");
}

async fn traversal(stage: Stage) {
    let folder = Folder::with(&[("public/sub/a.txt", b"first"), ("secret.txt", b"secret")]).await;
    let http = stage.http(Endpoint::new((Static::new("/static", format!("{}/public", folder.0)), rest))).await;
    for target in [
        "/static/../secret.txt",
        "/static/sub/../../secret.txt",
        "/static/%2e%2e/secret.txt",
        "/static/..%2fsecret.txt",
        "/static/..%5csecret.txt",
        "/static/sub%2fa.txt",
        "/static/a.txt%00",
        "/static/%ff",
        "/static/C:%5csecret.txt",
    ] {
        let answer = http.get(target).await;
        assert!(!answer.assert_status(400).text().contains("secret"), "{target}");
    }
}

async fn head_of_a_file(stage: Stage) {
    let http = stage.http(assets()).await;
    let answer = http.send(head("/assets/app.css")).await;
    answer.assert_status(200).assert_body("").assert_header("content-type", "text/css; charset=utf-8");
    if stage.has_connections() {
        answer.assert_header("content-length", "10");
    }
}

async fn etag(http: &Http, target: &str) -> String {
    http.get(target).await.header("etag").unwrap_or_default().to_owned()
}

async fn not_modified(stage: Stage) {
    let http = stage.http(assets()).await;
    let etag = etag(&http, "/assets/app.css").await;
    for given in [etag.clone(), format!("W/{etag}"), format!("\"x\", {etag}"), "*".to_owned()] {
        let answer = http.send(get("/assets/app.css").header("if-none-match", &given)).await;
        answer.assert_status(304).assert_body("").assert_header("etag", &etag).assert_header("cache-control", "public");
    }
    http.send(get("/assets/app.css").header("if-none-match", "\"x\"")).await.assert_status(200);
    http.send(get("/assets/app.css").header("if-match", "\"x\"")).await.assert_status(412);
}

async fn by_date(stage: Stage) {
    let folder = Folder::with(&[("a.txt", b"first")]).await;
    let http = stage.http(Endpoint::new((Static::new("/", folder.0.clone()), rest))).await;
    let changed = http.get("/a.txt").await.header("last-modified").unwrap_or_default().to_owned();
    http.send(get("/a.txt").header("if-modified-since", &changed)).await.assert_status(304);
    let before = get("/a.txt").header("if-modified-since", "Sat, 01 Jan 2000 00:00:00 GMT");
    http.send(before).await.assert_status(200);
}

async fn range(stage: Stage) {
    let http = stage.http(assets()).await;
    for (asked, said, body) in [
        ("bytes=2-4", "bytes 2-4/10", "234"),
        ("bytes=7-", "bytes 7-9/10", "789"),
        ("bytes=-2", "bytes 8-9/10", "89"),
        ("bytes=8-100", "bytes 8-9/10", "89"),
    ] {
        let answer = http.send(get("/assets/app.css").header("range", asked)).await;
        answer.assert_status(206).assert_header("content-range", said).assert_body(body);
    }
    http.send(get("/assets/app.css").header("range", "lines=1-2")).await.assert_status(200).assert_body("0123456789");
}

async fn ranges(stage: Stage) {
    let http = stage.http(assets()).await;
    let answer = http.send(get("/assets/app.css").header("range", "bytes=0-1,8-9")).await;
    let media = answer.assert_status(206).header("content-type").unwrap_or_default();
    let boundary = media.strip_prefix("multipart/byteranges; boundary=").unwrap_or_default();
    let part = |said: &str, body: &str| {
        format!(
            "\r\n--{boundary}\r\ncontent-type: text/css; charset=utf-8\r\ncontent-range: bytes {said}/10\r\n\r\n{body}"
        )
    };
    answer.assert_body(format!("{}{}\r\n--{boundary}--\r\n", part("0-1", "01"), part("8-9", "89")));
}

async fn range_refused(stage: Stage) {
    let http = stage.http(assets()).await;
    for target in ["/assets/app.css", "/assets/app-0123456789abcdef.js"] {
        let answer = http.send(get(target).header("range", "bytes=100-").accept("application/json")).await;
        answer.assert_error(416, "range_not_satisfiable").assert_header("cache-control", "no-store");
        assert!(answer.header("content-range").is_some_and(|range| range.starts_with("bytes */")));
    }
}

async fn if_range(stage: Stage) {
    let http = stage.http(assets()).await;
    let etag = etag(&http, "/assets/app.css").await;
    for (given, status) in [(etag.clone(), 206), ("\"other\"".to_owned(), 200), (format!("W/{etag}"), 200)] {
        let request = get("/assets/app.css").header("range", "bytes=0-1").header("if-range", &given);
        http.send(request).await.assert_status(status);
    }
}

async fn precompressed(stage: Stage) {
    let http = stage.http(assets()).await;
    for (accepted, coding, body) in [
        ("gzip", Some("gzip"), "gzipped"),
        ("br;q=0.5, gzip", Some("gzip"), "gzipped"),
        ("gzip, br", Some("br"), "brotli"),
        ("identity", None, "0123456789"),
        ("gzip;q=0", None, "0123456789"),
    ] {
        let answer = http.send(get("/assets/app.css").header("accept-encoding", accepted)).await;
        answer.assert_body(body).assert_header("vary", "accept-encoding");
        answer.assert_header("content-type", "text/css; charset=utf-8");
        assert_eq!(answer.header("content-encoding"), coding, "{accepted}");
    }
}

async fn digested(stage: Stage) {
    let http = stage.http(assets()).await;
    for target in ["/assets/app-0123456789abcdef.js", "/assets/app.css?vsn=d"] {
        http.get(target).await.assert_header("cache-control", "public, max-age=31536000, immutable");
    }
}

/// Sends the file that a header names.
async fn named(conn: &mut Conn) -> Result {
    let path = conn.header(HeaderName::from_static("x-path")).unwrap_or_default().to_owned();
    conn.send_file(path).await
}

async fn report(conn: &mut Conn) -> Result {
    conn.send_download(b"a,b\n1,2\n".to_vec(), "Ums\u{e4}tze.csv").await
}

router! {
    get "/file" => named;
    get "/report" => report;
}

async fn send_file(stage: Stage) {
    let folder = Folder::with(&[("a.json", b"[1,2,3]")]).await;
    let http = stage.http(Endpoint::new(router())).await;
    let request = get("/file").header("x-path", &format!("{}/a.json", folder.0));
    http.send(request.clone()).await.assert_header("content-type", "application/json").assert_body("[1,2,3]");
    http.send(request.header("range", "bytes=1-1")).await.assert_status(206).assert_body("1");
}

async fn missing(stage: Stage) {
    let folder = Folder::with(&[("a.json", b"[1,2,3]")]).await;
    let http = stage.http(Endpoint::new(router())).await;
    for path in [format!("{}/none", folder.0), folder.0.clone()] {
        http.send(get("/file").header("x-path", &path)).await.assert_status(404);
    }
}

async fn large(stage: Stage) {
    let content: Vec<u8> = (0..300_000_u32).map(|at| (at % 251) as u8).collect();
    let folder = Folder::with(&[("a.bin", &content)]).await;
    let http = stage.http(Endpoint::new(router())).await;
    let answer = http.send(get("/file").header("x-path", &format!("{}/a.bin", folder.0))).await;
    assert!(answer.assert_status(200).body() == &content, "{} bytes", answer.body().len());
    if stage.has_connections() {
        answer.assert_header("content-length", "300000");
    }
}

async fn download(stage: Stage) {
    let http = stage.http(Endpoint::new(router())).await;
    let answer = http.get("/report").await;
    answer.assert_status(200).assert_header("content-type", "text/csv; charset=utf-8").assert_body("a,b\n1,2\n");
    let said = answer.header("content-disposition").unwrap_or_default();
    assert!(
        said.starts_with("attachment; filename=\"") && said.contains("filename*=UTF-8''Ums%C3%A4tze.csv"),
        "{said}"
    );
}
