//! What floods are made of.

use simurgh_sim::Stream;

const FORM: &str = "content-type: application/x-www-form-urlencoded\r\n";
const PARTS: &str = "content-type: multipart/form-data; boundary=B\r\n";
/// The head of a part, but for its last line break.
const PART: &str = "\r\n--B\r\ncontent-disposition: form-data; name=a";

#[derive(Debug, Clone, Copy)]
pub(super) enum What {
    /// Fields of a head; one of them; the target; empty lines before it.
    Fields,
    Field,
    Target,
    EmptyLines,
    /// A chunked body: its data, an extension, trailers.
    Chunks(&'static str),
    Extension,
    Trailers,
    /// A length that no server takes, and one that is too short for what comes.
    LongLength,
    ShortLength,
    /// A form: one value, or many fields.
    FormValue,
    FormFields,
    /// A form of parts: text, a file, a part's head, parts, and what is before the first.
    PartText,
    PartFile,
    PartHead,
    Parts,
    Preamble,
}

const ALL: [What; 18] = [
    What::Fields,
    What::Field,
    What::Target,
    What::EmptyLines,
    What::Chunks("sleep"),
    What::Chunks("stream"),
    What::Chunks("collect"),
    What::Extension,
    What::Trailers,
    What::LongLength,
    What::ShortLength,
    What::FormValue,
    What::FormFields,
    What::PartText,
    What::PartFile,
    What::PartHead,
    What::Parts,
    What::Preamble,
];

impl What {
    pub(super) fn draw(stream: &mut Stream) -> Self {
        ALL[stream.below(ALL.len() as u64) as usize]
    }
}

/// A beginning, and what is sent again and again after it.
pub(super) struct Flood {
    pub(super) begin: Vec<u8>,
    pub(super) unit: Vec<u8>,
    /// Bytes of a unit that an application is given; of a unit that none is given, all.
    pub(super) counts: usize,
}

impl Flood {
    /// The request with this number, in pieces of about `len` bytes.
    pub(super) fn new(what: What, number: u64, len: usize) -> Self {
        let head = |path: &str, fields: &str| format!("POST /{path}/{number} HTTP/1.1\r\nhost: a\r\n{fields}");
        let chunked = |path: &str, fields: &str| head(path, &format!("{fields}transfer-encoding: chunked\r\n\r\n"));
        let plain = |begin: String, unit: String| {
            let counts = unit.len();
            Self { begin: begin.into_bytes(), unit: unit.into_bytes(), counts }
        };
        let in_chunks = |begin: String, first: &str, data: String| {
            let counts = data.len();
            Self { begin: (begin + &chunk(first)).into_bytes(), unit: chunk(&data).into_bytes(), counts }
        };
        let text = || "x".repeat(len);
        match what {
            What::Fields => plain(head("page", ""), format!("x: {}\r\n", "y".repeat(len.min(100)))),
            What::Field => plain(head("page", "x: "), text()),
            What::Target => plain("GET /".to_owned(), text()),
            What::EmptyLines => plain(String::new(), "\r\n".to_owned()),
            What::Chunks(path) => in_chunks(chunked(path, ""), "first", text()),
            What::Extension => plain(chunked("stream", "") + "5;", text()),
            What::Trailers => plain(chunked("stream", "") + "0\r\n", format!("x: {}\r\n", text())),
            What::LongLength => plain(head("stream", "content-length: 1099511627776\r\n\r\n"), text()),
            What::ShortLength => plain(head("stream", "content-length: 9\r\n\r\n"), text()),
            What::FormValue => in_chunks(chunked("form", FORM), "a=", text()),
            What::FormFields => in_chunks(chunked("form", FORM), "a=1", "&a=1".repeat(len / 4 + 1)),
            What::PartText => in_chunks(chunked("text", PARTS), &format!("{PART}\r\n\r\n"), text()),
            What::PartFile => in_chunks(chunked("file", PARTS), &format!("{PART}; filename=b\r\n\r\n"), text()),
            What::PartHead => in_chunks(chunked("head", PARTS), PART, format!("\r\nx: {}", text())),
            What::Parts => in_chunks(chunked("parts", PARTS), PART, format!("\r\n\r\n1{PART}")),
            What::Preamble => in_chunks(chunked("form", PARTS), "no boundary", text()),
        }
    }
}

fn chunk(data: &str) -> String {
    format!("{:x}\r\n{data}\r\n", data.len())
}
