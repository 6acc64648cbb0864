//! The cases: what is sent, where it is written what a server must do, and which outcomes that allows.

/// A request, or what pretends to be one.
pub struct Case {
    pub name: &'static str,
    pub source: &'static str,
    pub steps: Vec<Step>,
    /// Outcomes that the source allows, the first being the one that is meant.
    pub allowed: &'static [&'static str],
    /// Why ours differs from axum's, if it does.
    pub why: &'static str,
    /// It waits for a limit of the server.
    pub is_slow: bool,
    /// The client reads only when it has sent all.
    pub reads_late: bool,
}

pub enum Step {
    Send(Vec<u8>),
    Wait(u64),
    /// No more will be sent.
    End,
}

const REFUSED: &[&str] = &["400 closed", "400 reset"];
const OK: &[&str] = &["200 open"];

/// By ours before a byte of it is parsed again elsewhere; axum leaves it to the handler.
const STRICT: &str = "a proxy in front may read it otherwise, so ours reads it not at all";
const NO_LIMIT: &str = "axum has no such limit unless a layer brings it";

pub fn all() -> Vec<Case> {
    let mut cases = lines();
    cases.extend(hosts());
    cases.extend(fields());
    cases.extend(lengths());
    cases.extend(codings());
    cases.extend(chunks());
    cases.extend(expectations());
    cases.extend(slow());
    cases
}

fn case(
    name: &'static str,
    source: &'static str,
    request: impl Into<Vec<u8>>,
    allowed: &'static [&'static str],
) -> Case {
    let steps = vec![Step::Send(request.into())];
    Case { name, source, steps, allowed, why: "", is_slow: false, reads_late: false }
}

impl Case {
    fn why(mut self, why: &'static str) -> Self {
        self.why = why;
        self
    }

    fn then(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }

    fn slow(mut self) -> Self {
        self.is_slow = true;
        self
    }
}

/// A request for `/` with this line in place of the usual one.
fn line(line: &str) -> Vec<u8> {
    format!("{line}\r\nhost: a\r\n\r\n").into_bytes()
}

/// A request for `/` with these fields after the host.
fn get(fields: &str) -> Vec<u8> {
    format!("GET / HTTP/1.1\r\nhost: a\r\n{fields}\r\n").into_bytes()
}

/// A request that sends a body to `/echo`.
fn post(fields: &str, body: &str) -> Vec<u8> {
    format!("POST /echo HTTP/1.1\r\nhost: a\r\n{fields}\r\n{body}").into_bytes()
}

fn chunked(body: &str) -> Vec<u8> {
    post("transfer-encoding: chunked\r\n", body)
}

fn lines() -> Vec<Case> {
    const LINE: &str = "RFC 9112, 3";
    const TARGET: &str = "RFC 9112, 3.2";
    vec![
        case("an honest request", LINE, get(""), OK),
        case("two in one packet", "RFC 9112, 9.3.2", [get(""), get("")].concat(), &["200 200 open"]),
        case("HTTP/1.0", "RFC 9112, 9.3", "GET / HTTP/1.0\r\n\r\n", &["200 closed"]),
        case(
            "HTTP/1.0, keep-alive",
            "RFC 9112, 9.3",
            "GET / HTTP/1.0\r\nhost: a\r\nconnection: keep-alive\r\n\r\n",
            &["200 open", "200 closed"],
        ),
        case("HTTP/1.2", "RFC 9110, 2.5", line("GET / HTTP/1.2"), &["200 open", "505 closed"])
            .why("RFC 9110, 2.5: a higher minor version is read as the highest that one knows"),
        case("HTTP/2.0 in a request line", "RFC 9110, 15.6.6", line("GET / HTTP/2.0"), &["505 closed", "400 closed"])
            .why("the status that is made for it"),
        case("http in small letters", "RFC 9112, 2.3", line("GET / http/1.1"), REFUSED),
        case("no version", LINE, "GET /\r\n\r\n", REFUSED),
        case("two spaces", LINE, line("GET  / HTTP/1.1"), REFUSED),
        case("a tab between", LINE, line("GET\t/\tHTTP/1.1"), REFUSED),
        case("a space at the end", LINE, line("GET / HTTP/1.1 "), REFUSED),
        case("a space at the start", LINE, line(" GET / HTTP/1.1"), REFUSED),
        case("an empty line first", "RFC 9112, 2.2", [b"\r\n".to_vec(), get("")].concat(), OK),
        case("a thousand empty lines first", "RFC 9112, 2.2", "\r\n".repeat(1_000), REFUSED)
            .why("one must be passed over, not as many as there are"),
        case("bare LF", "RFC 9112, 2.2", "GET / HTTP/1.1\nhost: a\n\n", &["400 closed", "200 open"]).why(STRICT),
        case("bare CR in the line", "RFC 9112, 2.2", line("GET /a\rb HTTP/1.1"), REFUSED),
        case("NUL in the target", TARGET, line("GET /\0 HTTP/1.1"), REFUSED),
        case("a letter beyond ASCII in the target", TARGET, line("GET /\u{e9} HTTP/1.1"), &["400 closed", "404 open"])
            .why(STRICT),
        case("no method", LINE, line(" / HTTP/1.1"), REFUSED),
        case("a method that is no token", "RFC 9110, 9.1", line("G(T / HTTP/1.1"), REFUSED),
        case("an unknown method", "RFC 9110, 9.1", line("FROB / HTTP/1.1"), &["405 open", "501 open"]),
        case("a target without a slash", TARGET, line("GET a HTTP/1.1"), &["400 closed", "400 open"])
            .why("it is none of the four forms of a target; axum takes it for a path"),
        case("a target with a fragment", TARGET, line("GET /#a HTTP/1.1"), &["400 closed", "400 open"]).why(STRICT),
        case("an absolute target", "RFC 9112, 3.2.2", line("GET http://a/ HTTP/1.1"), OK),
        case("an absolute target with a user", "RFC 9110, 4.2.4", line("GET http://me:secret@a/ HTTP/1.1"), REFUSED)
            .why(STRICT),
        case("GET *", "RFC 9112, 3.2.4", line("GET * HTTP/1.1"), REFUSED).why("the form is only for OPTIONS"),
        case("OPTIONS *", "RFC 9112, 3.2.4", line("OPTIONS * HTTP/1.1"), &["204 open", "200 open"])
            .why("the server itself is asked, not a route"),
        case(
            "CONNECT",
            "RFC 9110, 9.3.6",
            "CONNECT b:443 HTTP/1.1\r\nhost: b:443\r\n\r\n",
            &["501 closed", "400 closed", "405 closed"],
        )
        .why("ours is no proxy, and says so"),
        case(
            "a target of 9 KiB",
            "RFC 9110, 15.5.15",
            line(&format!("GET /{} HTTP/1.1", "a".repeat(9 << 10))),
            &["414 closed"],
        )
        .why("axum allows 64 KiB"),
        case(
            "a request line without end",
            "RFC 9110, 15.5.15",
            "GET /".to_owned() + &"a".repeat(1 << 20),
            &["414 closed", "414 reset"],
        )
        .why("both refuse it, with different statuses"),
        case("a TLS hello", LINE, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03abcdefgh\r\n\r\n".as_slice(), REFUSED),
        case(
            "HTTP/2 without an upgrade",
            "RFC 9113, 3.4",
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            &["505 closed", "400 closed"],
        )
        .why("HTTP/2 is not spoken here yet"),
    ]
}

fn hosts() -> Vec<Case> {
    const HOST: &str = "RFC 9112, 3.2";
    let with = |hosts: &str| format!("GET / HTTP/1.1\r\n{hosts}\r\n").into_bytes();
    vec![
        case("no host", HOST, with(""), REFUSED).why("RFC 9112, 3.2: a server must answer 400"),
        case("two hosts", HOST, with("host: a\r\nhost: b\r\n"), REFUSED).why("RFC 9112, 3.2: a server must answer 400"),
        case("the same host twice", HOST, with("host: a\r\nhost: a\r\n"), REFUSED)
            .why("RFC 9112, 3.2: a server must answer 400"),
        case("a host with a space", HOST, with("host: a b\r\n"), REFUSED)
            .why("RFC 9112, 3.2: a server must answer 400"),
        case("a host with a user", HOST, with("host: me@a\r\n"), REFUSED)
            .why("RFC 9112, 3.2: a server must answer 400"),
        case("a list of hosts", HOST, with("host: a, b\r\n"), REFUSED).why("RFC 9112, 3.2: a server must answer 400"),
        case("a host with a path", HOST, with("host: a/b\r\n"), REFUSED).why("RFC 9112, 3.2: a server must answer 400"),
        case("a port that is no number", HOST, with("host: a:b\r\n"), REFUSED)
            .why("RFC 9112, 3.2: a server must answer 400"),
        case("an empty host", "RFC 9110, 7.2", with("host:\r\n"), &["200 open", "400 closed"]),
    ]
}

fn fields() -> Vec<Case> {
    const FIELD: &str = "RFC 9112, 5.1";
    const FOLD: &str = "RFC 9112, 5.2";
    const VALUE: &str = "RFC 9110, 5.5";
    const TOO_MANY: &str = "RFC 6585, 5";
    vec![
        case("a space before the colon", FIELD, get("x-a : b\r\n"), REFUSED),
        case("obs-fold", FOLD, get("x-a: b\r\n c\r\n"), REFUSED),
        case("obs-fold by a tab", FOLD, get("x-a: b\r\n\tc\r\n"), REFUSED),
        case("a space before the first field", "RFC 9112, 2.2", "GET / HTTP/1.1\r\n host: a\r\n\r\n", REFUSED),
        case("a field without a name", FIELD, get(": b\r\n"), REFUSED),
        case("a field without a colon", FIELD, get("x-a\r\n"), REFUSED),
        case("a name that is no token", FIELD, get("x(a): b\r\n"), REFUSED),
        case("a name with a letter beyond ASCII", FIELD, get("x-\u{e9}: b\r\n"), REFUSED),
        case("NUL in a value", VALUE, get("x-a: b\0c\r\n"), REFUSED),
        case("bare CR in a value", VALUE, get("x-a: b\rc\r\n"), REFUSED),
        case("a control character in a value", VALUE, get("x-a: b\x01c\r\n"), &["400 closed", "200 open"]),
        case(
            "obs-text in a value",
            VALUE,
            [b"GET / HTTP/1.1\r\nhost: a\r\nx-a: \xff\xfe\r\n\r\n".as_slice()].concat(),
            OK,
        ),
        case("spaces around a value", FIELD, get("x-a: \t b \t \r\n"), OK),
        case("101 fields", TOO_MANY, get(&"x-a: b\r\n".repeat(101)), &["431 closed"]),
        case(
            "a field of 64 KiB",
            TOO_MANY,
            get(&format!("x-a: {}\r\n", "b".repeat(64 << 10))),
            &["431 closed", "431 reset"],
        )
        .why("axum's buffer holds about 400 KiB"),
        case(
            "a megabyte of fields",
            TOO_MANY,
            get(&format!("x-a: {}\r\n", "b".repeat(1_000)).repeat(1_024)),
            &["431 closed", "431 reset"],
        ),
        case(
            "CR LF in what a handler puts into a field",
            "RFC 9110, 5.5",
            line("GET /redirect?to=/%0d%0ax-injected:%201 HTTP/1.1"),
            &["500 open", "400 open"],
        ),
    ]
}

fn lengths() -> Vec<Case> {
    const LENGTH: &str = "RFC 9112, 6.3";
    let with = |len: &str| post(&format!("content-length: {len}\r\n"), "hello");
    vec![
        case("a body", LENGTH, with("5"), OK),
        case("a length with a sign", LENGTH, with("+5"), REFUSED),
        case("a negative length", LENGTH, with("-5"), REFUSED),
        case("a length in hexadecimal", LENGTH, with("0x5"), REFUSED),
        case("a length with a space inside", LENGTH, with("5 5"), REFUSED),
        case("an empty length", LENGTH, with(""), REFUSED),
        case(
            "a length of 2^64 + 5",
            LENGTH,
            with("18446744073709551621"),
            &["400 closed", "413 closed", "400 reset", "413 reset"],
        )
        .why("it is a number, and too large"),
        case("a length of a terabyte", "RFC 9110, 15.5.14", with("1000000000000"), &["413 closed", "413 reset"])
            .why("ours refuses at the head; axum waits for bytes until its own limit"),
        case("a list of one length twice", LENGTH, with("5, 5"), &["400 closed", "200 open"]).why(STRICT),
        case("a list of two lengths", LENGTH, with("5, 6"), REFUSED),
        case(
            "the same length twice",
            LENGTH,
            post("content-length: 5\r\ncontent-length: 5\r\n", "hello"),
            &["400 closed", "200 open"],
        )
        .why(STRICT),
        case("two lengths", LENGTH, post("content-length: 5\r\ncontent-length: 6\r\n", "hello"), REFUSED),
        case(
            "two lengths, the larger first",
            LENGTH,
            post("content-length: 6\r\ncontent-length: 5\r\n", "hello"),
            REFUSED,
        ),
        case("a body, then a request", LENGTH, [with("5"), get("")].concat(), &["200 200 open"]),
        case(
            "no body, then a request",
            LENGTH,
            [post("content-length: 0\r\n", ""), get("")].concat(),
            &["200 200 open"],
        ),
        case(
            "a GET with a body, then a request",
            LENGTH,
            [get("content-length: 5\r\n"), b"hello".to_vec(), get("")].concat(),
            &["200 200 open", "200 closed"],
        )
        .why("the handler has not read the body: ours does not search it for the next request"),
        case("a body that ends early", LENGTH, with("50"), &["400 closed", "closed"]).then(Step::End),
    ]
}

fn codings() -> Vec<Case> {
    const CODING: &str = "RFC 9112, 6.1";
    const BOTH: &str = "RFC 9112, 6.3, 3";
    const NOT_KNOWN: &[&str] = &["501 closed", "400 closed", "501 reset", "400 reset"];
    let with = |coding: &str| post(&format!("transfer-encoding: {coding}\r\n"), "5\r\nhello\r\n0\r\n\r\n");
    vec![
        case("chunked", CODING, with("chunked"), OK),
        case("chunked in capitals", CODING, with("CHUNKED"), OK),
        case(
            "a length and chunked",
            BOTH,
            post("content-length: 5\r\ntransfer-encoding: chunked\r\n", "0\r\n\r\n"),
            &["400 closed", "200 closed", "400 reset"],
        )
        .why(STRICT),
        case(
            "chunked and a length",
            BOTH,
            post("transfer-encoding: chunked\r\ncontent-length: 5\r\n", "0\r\n\r\n"),
            &["400 closed", "200 closed", "400 reset"],
        )
        .why(STRICT),
        case(
            "a smuggled request behind both",
            BOTH,
            [post("content-length: 4\r\ntransfer-encoding: chunked\r\n", "0\r\n\r\n"), get("")].concat(),
            &["400 closed", "200 closed", "400 reset"],
        )
        .why(STRICT),
        case(
            "chunked in HTTP/1.0",
            CODING,
            "POST /echo HTTP/1.0\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            &["400 closed", "200 closed", "400 reset"],
        ),
        case("gzip alone", CODING, with("gzip"), NOT_KNOWN),
        case("gzip, chunked", CODING, with("gzip, chunked"), NOT_KNOWN).why("axum hands the coded body to the handler"),
        case("chunked, gzip", CODING, with("chunked, gzip"), NOT_KNOWN),
        case("chunked twice", CODING, with("chunked, chunked"), NOT_KNOWN).why(STRICT),
        case(
            "chunked twice, in two fields",
            CODING,
            post("transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n", "0\r\n\r\n"),
            NOT_KNOWN,
        )
        .why(STRICT),
        case("identity", CODING, with("identity"), NOT_KNOWN),
        case("a coding that ends like chunked", CODING, with("xchunked"), NOT_KNOWN),
        case("chunked after a vertical tab", CODING, with("\x0bchunked"), NOT_KNOWN),
        case("chunked in quotes", CODING, with("\"chunked\""), NOT_KNOWN),
        case("chunked with a parameter", CODING, with("chunked;a=b"), NOT_KNOWN),
        case("an empty coding", CODING, with(""), NOT_KNOWN),
    ]
}

fn chunks() -> Vec<Case> {
    const CHUNK: &str = "RFC 9112, 7.1";
    const TRAILER: &str = "RFC 9112, 7.1.2";
    const BAD: &[&str] = &["400 closed", "400 reset"];
    vec![
        case("a size that is no number", CHUNK, chunked("g\r\n"), BAD),
        case("a size with 0x", CHUNK, chunked("0x5\r\nhello\r\n0\r\n\r\n"), BAD),
        case("a size with a sign", CHUNK, chunked("+5\r\nhello\r\n0\r\n\r\n"), BAD),
        case("a negative size", CHUNK, chunked("-1\r\nhello\r\n0\r\n\r\n"), BAD),
        case("a space before the size", CHUNK, chunked(" 5\r\nhello\r\n0\r\n\r\n"), BAD),
        case("an empty size", CHUNK, chunked("\r\nhello\r\n0\r\n\r\n"), BAD),
        case(
            "a size of 17 digits",
            CHUNK,
            chunked("10000000000000005\r\nhello\r\n0\r\n\r\n"),
            &["400 closed", "413 closed", "400 reset", "413 reset"],
        ),
        case(
            "a size with 20 zeros before it",
            CHUNK,
            chunked(&format!("{}5\r\nhello\r\n0\r\n\r\n", "0".repeat(20))),
            &["200 open", "400 closed", "400 reset"],
        )
        .why("a size has at most 16 digits here, as some programs read no more"),
        case("a size ended by bare LF", CHUNK, chunked("5\nhello\r\n0\r\n\r\n"), BAD),
        case("data longer than its size", CHUNK, chunked("5\r\nhello!\r\n0\r\n\r\n"), BAD),
        case("data ended by bare LF", CHUNK, chunked("5\r\nhello\n0\r\n\r\n"), BAD),
        case("data ended by other letters", CHUNK, chunked("5\r\nhelloXX0\r\n\r\n"), BAD),
        case("an extension", "RFC 9112, 7.1.1", chunked("5;a=b\r\nhello\r\n0\r\n\r\n"), OK),
        case(
            "an extension of 64 KiB",
            "RFC 9112, 7.1.1",
            chunked(&format!("5;{}\r\nhello\r\n0\r\n\r\n", "a".repeat(64 << 10))),
            &["400 closed", "413 closed", "431 closed", "400 reset"],
        ),
        case("bare LF in an extension", "RFC 9112, 7.1.1", chunked("5;a\nb\r\nhello\r\n0\r\n\r\n"), BAD),
        case("a trailer", TRAILER, chunked("5\r\nhello\r\n0\r\nx-a: b\r\n\r\n"), OK),
        case(
            "a length in a trailer",
            TRAILER,
            chunked("5\r\nhello\r\n0\r\ncontent-length: 9\r\n\r\n"),
            &["200 open", "400 closed", "400 reset"],
        ),
        case(
            "a trailer that is no field",
            TRAILER,
            chunked("5\r\nhello\r\n0\r\nx a\r\n\r\n"),
            &["400 closed", "400 reset", "200 closed"],
        ),
        case(
            "a megabyte of trailers",
            TRAILER,
            chunked(&format!("0\r\n{}\r\n", format!("x-a: {}\r\n", "b".repeat(1_000)).repeat(1_024))),
            &["400 closed", "431 closed", "400 reset", "431 reset", "413 closed"],
        ),
        case(
            "a body of chunks beyond the limit",
            "RFC 9110, 15.5.14",
            chunked(&format!("{:x}\r\n{}\r\n0\r\n\r\n", 2 << 20, "a".repeat(2 << 20))),
            &["413 closed", "413 reset"],
        ),
        case(
            "a thousand chunks of one byte, then a request",
            CHUNK,
            [chunked(&("1\r\na\r\n".repeat(1_000) + "0\r\n\r\n")), get("")].concat(),
            &["200 200 open"],
        ),
    ]
}

fn expectations() -> Vec<Case> {
    const EXPECT: &str = "RFC 9110, 10.1.1";
    vec![
        case("100-continue", EXPECT, post("content-length: 5\r\nexpect: 100-continue\r\n", ""), &["100 200 open"])
            .then(Step::Wait(200))
            .then(Step::Send(b"hello".to_vec())),
        case(
            "100-continue for a terabyte",
            EXPECT,
            post("content-length: 1000000000000\r\nexpect: 100-continue\r\n", ""),
            &["413 closed"],
        )
        .why("ours does not ask for what it will not take"),
        case(
            "another expectation",
            "RFC 9110, 15.5.18",
            post("content-length: 5\r\nexpect: miracles\r\n", "hello"),
            &["417 closed", "417 open", "200 open"],
        )
        .why("axum ignores it, which is allowed"),
        case("connection: close", "RFC 9112, 9.6", get("connection: close\r\n"), &["200 closed"]),
        case("an upgrade to what is not spoken", "RFC 9110, 7.8", get("connection: upgrade\r\nupgrade: h2c\r\n"), OK),
        case(
            "an upgrade, and a request behind it",
            "RFC 9110, 7.8",
            [get("connection: upgrade\r\nupgrade: frob\r\n"), get("")].concat(),
            &["200 200 open"],
        ),
    ]
}

fn slow() -> Vec<Case> {
    const LATE: &str = "RFC 9110, 15.5.9";
    let drops = |text: &str, every_ms: u64| {
        let bytes = text.bytes().flat_map(|byte| [Step::Send(vec![byte]), Step::Wait(every_ms)]);
        bytes.collect::<Vec<_>>()
    };
    let mut drop_by_drop = case("a head, a byte each 100 ms", LATE, "", &["408 closed"]).why(NO_LIMIT).slow();
    drop_by_drop.steps = drops("GET / HTTP/1.1\r\nhost: a\r\nx-a: bcdefgh\r\n\r\n", 100);
    let mut unread =
        case("an answer of 64 MiB that nobody reads", "RFC 9112, 9.5", line("GET /large HTTP/1.1"), &["cut"])
            .why(NO_LIMIT)
            .then(Step::Wait(4_000))
            .slow();
    unread.reads_late = true;
    vec![
        case("silence", "RFC 9112, 9.5", "", &["closed", "408 closed"]).why(NO_LIMIT).slow(),
        case("half a head, then silence", LATE, "GET / HTTP/1.1\r\nhost: a\r\n", &["408 closed"]).why(NO_LIMIT).slow(),
        drop_by_drop,
        case("half a body, then silence", LATE, post("content-length: 50\r\n", "hello"), &["408 closed", "408 reset"])
            .why(NO_LIMIT)
            .slow(),
        case("silence after an answer", "RFC 9112, 9.5", get(""), &["200 closed"]).why(NO_LIMIT).slow(),
        unread,
    ]
}
