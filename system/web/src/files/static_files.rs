//! Static files, from a directory or from the program itself.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use simurgh_runtime::fs;

use super::deliver::{Content, deliver, is_wanted, version_of};
use crate::negotiate::{encoding, media, vary};
use crate::{Conn, ETag, Error, Plug, Result, Version, percent};

/// Answers GET and HEAD with files, and passes all else on.
///
/// ```
/// use simurgh_web::{Conn, Endpoint, Static, test};
///
/// async fn rest(conn: &mut Conn) {
///     conn.text("no file");
/// }
///
/// # simurgh_runtime::run("doc", async {
/// let assets = Static::embedded("/assets", [("app.css", "body {}")]);
/// let endpoint = Endpoint::new((assets, rest));
/// let response = test::get(&endpoint, "/assets/app.css").await;
/// assert_eq!(response.headers()["content-type"], "text/css; charset=utf-8");
/// assert_eq!(test::text(response).await, "body {}");
/// assert_eq!(test::text(test::get(&endpoint, "/assets/none.css").await).await, "no file");
/// # });
/// ```
///
/// | option | default | what it does |
/// | --- | --- | --- |
/// | [`only`](Self::only) | all | first parts of paths that are looked at |
/// | [`precompressed`](Self::precompressed) | none | `app.css.br`, `.zst`, `.gz` in place of `app.css`, as the client likes |
/// | [`cache_control`](Self::cache_control) | `public` | for all that may change |
/// | [`cache_control_for_digested`](Self::cache_control_for_digested) | `public, max-age=31536000, immutable` | for names with a digest of 16 or more hexadecimal digits (`app-0123456789abcdef.css`), and with `?vsn=d` |
/// | [`header`](Self::header) | none | a header of each answer |
/// | [`content_type`](Self::content_type) | by the name's end | the type of names with an end |
/// | [`hidden`](Self::hidden) | no | names that begin with a dot |
///
/// An answer has an entity tag and a date, answers conditions and ranges as [`Conn::send_file`] does, and
/// halts the conn. Directories are not listed and have no index. A directory is looked at anew for each
/// request, so that a changed file is served at once. Limits: of a file 64 KiB are in memory at once, of which one
/// that is no longer is sent without a second look at the disk.
///
/// | request | answer |
/// | --- | --- |
/// | another method, another path, no such file, a hidden one, a link that leads out of the directory, a pipe or device | passed on |
/// | `..`, `.`, a part with a slash, backslash, colon, NUL or control character in it (percent-encoded, that is), no UTF-8 | 400 `bad_path` |
/// | a range that is not there | 416 `range_not_satisfiable` |
/// | a file that cannot be read | 500 |
#[derive(Debug)]
pub struct Static {
    at: &'static str,
    source: Source,
    only: Vec<String>,
    /// Codings, with the ends of their files' names.
    precompressed: Vec<(&'static str, &'static str)>,
    cache_control: HeaderValue,
    cache_control_for_digested: HeaderValue,
    headers: Vec<(HeaderName, HeaderValue)>,
    types: Vec<(String, HeaderValue)>,
    hidden: bool,
}

#[derive(Debug)]
enum Source {
    Directory(Arc<PathBuf>),
    Embedded(BTreeMap<String, (Bytes, Version)>),
}

/// A file that was found, and its coding.
struct Found {
    content: Content,
    version: Version,
    coding: Option<&'static str>,
}

impl Static {
    /// The files of a directory, below a path.
    ///
    /// # Panics
    /// If the path does not begin with a slash.
    pub fn new(at: &'static str, directory: impl Into<PathBuf>) -> Self {
        Self::with(at, Source::Directory(Arc::new(directory.into())))
    }

    /// Files that the program brings along: their paths below `at`, and their content, of which the entity
    /// tags are made, here and once.
    ///
    /// # Panics
    /// If the path does not begin with a slash.
    pub fn embedded<N, B>(at: &'static str, files: impl IntoIterator<Item = (N, B)>) -> Self
    where
        N: Into<String>,
        B: Into<Bytes>,
    {
        let files = files.into_iter().map(|(name, bytes)| {
            let bytes = bytes.into();
            let version = Version::etag(ETag::of(&bytes));
            (name.into(), (bytes, version))
        });
        Self::with(at, Source::Embedded(files.collect()))
    }

    fn with(at: &'static str, source: Source) -> Self {
        assert!(at.starts_with('/'), "static files are below a path, which begins with a slash, not {at:?}");
        Self {
            at: at.trim_end_matches('/'),
            source,
            only: Vec::new(),
            precompressed: Vec::new(),
            cache_control: HeaderValue::from_static("public"),
            cache_control_for_digested: HeaderValue::from_static("public, max-age=31536000, immutable"),
            headers: Vec::new(),
            types: Vec::new(),
            hidden: false,
        }
    }

    /// Looks only at paths whose first part is one of these: `["assets", "favicon.ico"]`.
    pub fn only<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.only = names.into_iter().map(Into::into).collect();
        self
    }

    /// Looks for files that were compressed beforehand: Brotli, Zstandard and gzip, of which the client
    /// takes the one that it likes best, and of equals the first. Answers vary by `accept-encoding` then.
    pub fn precompressed(mut self) -> Self {
        self.precompressed = vec![("br", ".br"), ("zstd", ".zst"), ("gzip", ".gz")];
        self
    }

    /// How long files may be kept without asking. With `public` they are asked for each time, and answered
    /// with 304 if they are the same.
    ///
    /// # Panics
    /// If it is no header's value.
    pub fn cache_control(mut self, value: &'static str) -> Self {
        self.cache_control = HeaderValue::from_static(value);
        self
    }

    /// The same for files whose name changes with their content.
    ///
    /// # Panics
    /// If it is no header's value.
    pub fn cache_control_for_digested(mut self, value: &'static str) -> Self {
        self.cache_control_for_digested = HeaderValue::from_static(value);
        self
    }

    /// A header of each answer.
    ///
    /// # Panics
    /// If name or value are none.
    pub fn header(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.push((HeaderName::from_static(name), HeaderValue::from_static(value)));
        self
    }

    /// The type of files whose name ends in this: `("glb", "model/gltf-binary")`.
    ///
    /// # Panics
    /// If the type is no header's value.
    pub fn content_type(mut self, end: &str, media: &'static str) -> Self {
        self.types.push((format!(".{end}"), HeaderValue::from_static(media)));
        self
    }

    /// Serves names that begin with a dot also.
    pub fn hidden(mut self) -> Self {
        self.hidden = true;
        self
    }

    /// The file's path that a request asks for; none if it is none of ours.
    fn path(&self, conn: &Conn) -> Result<Option<String>> {
        if !matches!(*conn.method(), Method::GET | Method::HEAD) {
            return Ok(None);
        }
        let Some(rest) = conn.path_info().strip_prefix(self.at).and_then(|rest| rest.strip_prefix('/')) else {
            return Ok(None);
        };
        let parts = rest.split('/').map(part).collect::<Option<Vec<_>>>();
        let wrong = || Error::bad_request("bad_path", "The path is not one of a file.");
        let parts = parts.ok_or_else(wrong)?;
        let is_hidden = |part: &String| part.starts_with('.') && !self.hidden;
        if parts.iter().any(|part| part.is_empty() || is_hidden(part) || is_device(part)) {
            return Ok(None);
        }
        let is_looked_at = self.only.is_empty() || self.only.contains(&parts[0]);
        Ok(is_looked_at.then(|| parts.join("/")))
    }

    /// The names of the file and its compressed forms, as the client likes them.
    fn names(&self, headers: &HeaderMap, path: &str) -> Vec<(String, Option<&'static str>)> {
        let mut candidates = self.precompressed.clone();
        let mut names = Vec::new();
        while let Some(at) =
            encoding::choose(headers, &candidates.iter().map(|(coding, _)| *coding).collect::<Vec<_>>())
        {
            let (coding, end) = candidates.remove(at);
            names.push((format!("{path}{end}"), Some(coding)));
        }
        names.push((path.to_owned(), None));
        names
    }

    /// The first of these that is there.
    async fn find(&self, names: Vec<(String, Option<&'static str>)>, is_wanted: bool) -> Result<Option<Found>> {
        match &self.source {
            Source::Embedded(files) => Ok(names.into_iter().find_map(|(name, coding)| {
                let (bytes, version) = files.get(&name)?;
                Some(Found { content: Content::Bytes(bytes.clone()), version: version.clone(), coding })
            })),
            Source::Directory(directory) => {
                let directory = Arc::clone(directory);
                let found = simurgh_runtime::blocking(move || in_directory(&directory, names, is_wanted));
                found.await.map_err(Error::internal)
            }
        }
    }

    fn media(&self, path: &str) -> HeaderValue {
        let known = self.types.iter().find(|(end, _)| path.ends_with(end));
        known.map_or_else(|| media::by_name(path), |(_, media)| media.clone())
    }
}

impl Plug for Static {
    async fn call(&self, conn: &mut Conn) -> Result {
        let Some(path) = self.path(conn)? else { return Ok(()) };
        let names = self.names(conn.request_headers(), &path);
        let Some(found) = self.find(names, is_wanted(conn)).await? else { return Ok(()) };
        conn.halt();
        let is_digested = is_digested(&path) || conn.query_string().split('&').any(|pair| pair == "vsn=d");
        let cache_control = if is_digested { &self.cache_control_for_digested } else { &self.cache_control };
        let headers = conn.response_headers_mut();
        headers.entry(header::CACHE_CONTROL).or_insert(cache_control.clone());
        for (name, value) in &self.headers {
            headers.insert(name, value.clone());
        }
        if !self.precompressed.is_empty() {
            vary(headers, "accept-encoding");
        }
        if let Some(coding) = found.coding {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding));
        }
        let delivered = deliver(conn, found.content, &found.version, self.media(&path));
        if delivered.is_err() {
            let headers = conn.response_headers_mut();
            for name in [header::CACHE_CONTROL, header::CONTENT_ENCODING] {
                headers.remove(name);
            }
        }
        delivered
    }
}

/// The first of these that is an ordinary file inside of the directory. Blocks.
fn in_directory(
    directory: &PathBuf,
    names: Vec<(String, Option<&'static str>)>,
    is_wanted: bool,
) -> io::Result<Option<Found>> {
    let Some(root) = there(fs::resolve(directory))? else { return Ok(None) };
    for (name, coding) in names {
        let Some(found) = there(fs::resolve(root.path.join(name)))? else { continue };
        if !found.is_file || !found.path.starts_with(&root.path) {
            continue;
        }
        if let Some(content) = there(Content::open(&found, is_wanted))? {
            return Ok(Some(Found { content, version: version_of(&found), coding }));
        }
    }
    Ok(None)
}

/// None if there is no such file, or the system has no such name.
fn there<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    use io::ErrorKind::{InvalidFilename, IsADirectory, NotADirectory, NotFound};
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if matches!(error.kind(), NotFound | NotADirectory | IsADirectory | InvalidFilename) => Ok(None),
        Err(error) => Err(error),
    }
}

/// One part of a path, decoded; none if no file can have that name, or if it leads elsewhere.
fn part(text: &str) -> Option<String> {
    let part = percent::decoded(text)?;
    let leads_elsewhere = part == "." || part == ".." || part.contains(['/', '\\', ':']);
    (!leads_elsewhere && !part.contains(char::is_control)).then_some(part)
}

/// Names that some systems take for a device, whatever their end, or read without their last dot or space.
fn is_device(part: &str) -> bool {
    const DEVICES: [&str; 6] = ["con", "prn", "aux", "nul", "conin$", "conout$"];
    let name = part.split('.').next().unwrap_or_default().trim_end().to_ascii_lowercase();
    let numbered = name.strip_prefix("com").or_else(|| name.strip_prefix("lpt"));
    let is_port = numbered.is_some_and(|rest| rest.chars().count() == 1 && rest.contains(char::is_numeric));
    DEVICES.contains(&name.as_str()) || is_port || part.ends_with(['.', ' '])
}

/// Whether a name has a digest: `app-0123456789abcdef.css`.
fn is_digested(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    let mut words = name.split(['-', '.']).skip(1);
    words.any(|word| (16..=64).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_with_a_digest() {
        for (path, expected) in [
            ("app-0123456789abcdef.css", true),
            ("js/app-d41d8cd98f00b204e9800998ecf8427e.js", true),
            ("app.0123456789abcdef.js", true),
            ("app-20240101.css", false),
            ("0123456789abcdef.css", false),
            ("app-0123456789abcdeg.css", false),
            ("d-0123456789abcdef/app.css", false),
        ] {
            assert_eq!(is_digested(path), expected, "{path}");
        }
    }

    proptest! {
        #[test]
        fn no_part_leads_elsewhere(text in "([.%a-f0-9A-F\\\\:]|%2e|%2f|%5c|%00){0,12}") {
            if let Some(part) = part(&text) {
                prop_assert!(part != ".." && part != "." && !part.contains(['/', '\\', ':', '\0']));
            }
        }
    }
}
