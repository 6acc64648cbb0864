//! What a multipart body may bring.

use simurgh_config::Limits;

use super::sweep;
use crate::{Conn, Plug, Result};

/// The bounds of multipart bodies. As a plug it sets them for what comes after it.
///
/// ```
/// use simurgh_web::{Conn, Endpoint, Multipart, MultipartLimits, Result, router, test};
///
/// async fn upload(_: &mut Conn, mut parts: Multipart) -> Result<&'static str> {
///     while let Some(mut part) = parts.next_part().await? {
///         part.save().await?;
///     }
///     Ok("thank you")
/// }
///
/// router! { post "/" => upload; }
///
/// # simurgh_runtime::run("doc", async {
/// let small = MultipartLimits { file_len_max: 4, ..MultipartLimits::default() };
/// let endpoint = Endpoint::new((small, router()));
/// let body = "--x\r\ncontent-disposition: form-data; name=a; filename=a\r\n\r\nhello\r\n--x--\r\n";
/// let mut request = test::request(http::Method::POST, "/", body);
/// request.headers_mut().insert("content-type", "multipart/form-data; boundary=x".parse().unwrap());
/// assert_eq!(test::send(&endpoint, request).await.status(), 413);
/// # });
/// ```
///
/// The options are its fields; their defaults are rows of the table of limits (`multipart_*`). A server may bound
/// bodies more strictly (`http_body_len_max`). It refuses nothing itself: what is beyond a bound is refused where the
/// body is read, as [`Multipart`](super::Multipart) says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MultipartLimits {
    /// Parts: 128.
    pub parts_max: usize,
    /// Bytes of one part's head: 8 KiB.
    pub head_len_max: usize,
    /// Bytes of a name, and of a file's name: 1 KiB.
    pub name_len_max: usize,
    /// Bytes of text that are kept in memory: 1 MiB, of one part by [`Part::text`](super::Part::text), of all
    /// together by [`Form`](crate::Form).
    pub text_len_max: usize,
    /// Bytes of one part: 8 MiB.
    pub file_len_max: u64,
    /// Bytes of the body: 16 MiB.
    pub body_len_max: u64,
    /// Where files are kept; `TMPDIR`, or `/tmp`, if not said.
    pub directory: Option<std::path::PathBuf>,
}

impl Default for MultipartLimits {
    fn default() -> Self {
        let limits = Limits::DEFAULT;
        Self {
            parts_max: limits.multipart_parts_max,
            head_len_max: limits.multipart_head_len_max.as_usize(),
            name_len_max: limits.multipart_name_len_max.as_usize(),
            text_len_max: limits.multipart_text_len_max.as_usize(),
            file_len_max: limits.multipart_file_len_max.0,
            body_len_max: limits.multipart_body_len_max.0,
            directory: None,
        }
    }
}

impl MultipartLimits {
    /// Removes the files that killed processes have left in the directory; how many they were. For the start of an
    /// application: without it they are removed before the first upload is saved there.
    ///
    /// ```
    /// use simurgh_web::MultipartLimits;
    ///
    /// # simurgh_runtime::run("doc", async {
    /// # let folder = std::env::temp_dir().join(format!("simurgh-doc-{}", std::process::id()));
    /// let limits = MultipartLimits { directory: Some(folder), ..MultipartLimits::default() };
    /// assert_eq!(limits.sweep().await?, 0);
    /// # Ok::<(), std::io::Error>(())
    /// # }).unwrap();
    /// ```
    ///
    /// Files whose process lives are left alone, also those of another server on this machine, and of another user.
    ///
    /// # Errors
    /// If the directory cannot be read. One that is missing is empty.
    pub async fn sweep(&self) -> std::io::Result<usize> {
        let directory = sweep::directory(self.directory.clone());
        simurgh_runtime::blocking(move || sweep::sweep(&directory)).await
    }
}

impl Plug for MultipartLimits {
    async fn call(&self, conn: &mut Conn) -> Result {
        conn.assign(self.clone());
        Ok(())
    }
}
