//! Files that a handler sends.

use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use http::header;
use simurgh_runtime::fs;

use super::deliver::{Content, deliver, file_name, is_wanted, version_of};
use crate::negotiate::{disposition, media};
use crate::{Conn, ETag, Error, Result, Version};

/// What [`Conn::send_download`] sends: a file by its path, or bytes.
#[derive(Debug, Clone)]
pub struct Download(Kind);

#[derive(Debug, Clone)]
enum Kind {
    Path(PathBuf),
    Bytes(Bytes),
}

impl From<PathBuf> for Download {
    fn from(path: PathBuf) -> Self {
        Self(Kind::Path(path))
    }
}

impl From<&Path> for Download {
    fn from(path: &Path) -> Self {
        path.to_owned().into()
    }
}

impl From<&str> for Download {
    /// A path.
    fn from(path: &str) -> Self {
        PathBuf::from(path).into()
    }
}

impl From<Bytes> for Download {
    fn from(bytes: Bytes) -> Self {
        Self(Kind::Bytes(bytes))
    }
}

impl From<Vec<u8>> for Download {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes::from(bytes).into()
    }
}

impl Conn {
    /// Answers with a file: in whole, in the ranges that the request wants, or with 304 if the client has it.
    ///
    /// ```
    /// use simurgh_web::{Conn, Endpoint, Result, test};
    ///
    /// async fn manual(conn: &mut Conn) -> Result {
    ///     conn.send_file(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).await
    /// }
    ///
    /// # simurgh_runtime::run("doc", async {
    /// let endpoint = Endpoint::new(manual);
    /// let mut request = test::request(http::Method::GET, "/", "");
    /// request.headers_mut().insert("range", "bytes=1-7".parse().unwrap());
    /// let response = test::send(&endpoint, request).await;
    /// assert_eq!(response.status(), 206);
    /// assert_eq!(test::text(response).await, "package");
    /// # });
    /// ```
    ///
    /// The path is the program's own: what a client says belongs behind [`Static`](crate::Static). The type
    /// is told by the name's end, unless one was set before. The file is read in pieces of 64 KiB, one ahead
    /// of the wire; one that is cut meanwhile cuts the answer off.
    ///
    /// # Errors
    /// `404` if there is no such file, `416` if no byte of it is in the range (RFC 9110, 15.5.17), `500` if
    /// it cannot be read.
    pub async fn send_file(&mut self, path: impl Into<PathBuf>) -> Result {
        let path = path.into();
        let media = media::by_name(&file_name(&path));
        let is_wanted = is_wanted(self);
        let opened = simurgh_runtime::blocking(move || {
            let found = fs::resolve(&path)?;
            if !found.is_file {
                return Err(io::Error::new(io::ErrorKind::NotFound, "it is no ordinary file"));
            }
            Ok((Content::open(&found, is_wanted)?, version_of(&found)))
        });
        let (content, version) = opened.await.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Error::not_found().because(error),
            _ => Error::internal(error),
        })?;
        deliver(self, content, &version, media)
    }

    /// The same as a download: a browser saves it under this name instead of showing it.
    ///
    /// ```
    /// use simurgh_web::{Conn, Endpoint, Result, test};
    ///
    /// async fn export(conn: &mut Conn) -> Result {
    ///     conn.send_download(b"a,b\n1,2\n".to_vec(), "numbers.csv").await
    /// }
    ///
    /// # simurgh_runtime::run("doc", async {
    /// let response = test::get(&Endpoint::new(export), "/").await;
    /// assert_eq!(response.headers()["content-disposition"], "attachment; filename=\"numbers.csv\"");
    /// assert_eq!(response.headers()["content-type"], "text/csv; charset=utf-8");
    /// # });
    /// ```
    ///
    /// The name may come from anywhere: of a path only its last part is said, without line breaks, quotes
    /// and marks that mislead the eye, and beyond ASCII twice (RFC 6266; RFC 8187).
    pub async fn send_download(&mut self, what: impl Into<Download>, name: &str) -> Result {
        let media = media::by_name(name);
        self.response_headers_mut().insert(header::CONTENT_DISPOSITION, disposition::attachment(name));
        self.response_headers_mut().entry(header::CONTENT_TYPE).or_insert(media.clone());
        match what.into().0 {
            Kind::Path(path) => {
                let sent = self.send_file(path).await;
                if sent.is_err() {
                    self.response_headers_mut().remove(header::CONTENT_DISPOSITION);
                }
                sent
            }
            Kind::Bytes(bytes) => {
                let version = Version::etag(ETag::of(&bytes));
                deliver(self, Content::Bytes(bytes), &version, media)
            }
        }
    }
}
