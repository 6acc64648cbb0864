//! What a multipart body may bring.

use simurgh_config::Limits;

use crate::{Conn, Plug, Result};

/// The bounds of multipart bodies. As a plug it sets them for what comes after it.
///
/// ```
/// use simurgh_web::MultipartLimits;
///
/// let photos = MultipartLimits { file_len_max: 20 << 20, body_len_max: 100 << 20, ..MultipartLimits::default() };
/// # let _ = photos;
/// ```
///
/// The defaults are rows of the table of limits (`multipart_*`). A server may bound bodies more strictly
/// (`http_body_len_max`).
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

impl Plug for MultipartLimits {
    async fn call(&self, conn: &mut Conn) -> Result {
        conn.assign(self.clone());
        Ok(())
    }
}
