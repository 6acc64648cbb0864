//! What a trusted proxy says about the client.

use std::net::IpAddr;

use http::HeaderName;
use http::uri::Authority;
use simurgh_telemetry::event;

use crate::{Conn, Plug, Result};

mod cidr;
mod forwarded;

pub use cidr::{Cidr, CidrError};
pub use forwarded::{ForwardedElement, parse_forwarded};

/// Proxies between client and server that are looked at, from the nearest on; what those beyond say is not read.
pub const HOPS_MAX: usize = 32;

/// Takes address, scheme, host and port of the client from what a proxy says, if the proxy is one of those that
/// are trusted.
///
/// ```
/// use simurgh_web::{Conn, Endpoint, TrustedProxies, test};
///
/// async fn who(conn: &mut Conn) {
///     let text = format!("{} by {}", conn.remote_ip(), conn.scheme());
///     conn.text(text);
/// }
///
/// # simurgh_runtime::run("doc", async {
/// let endpoint = Endpoint::new((TrustedProxies::new(["127.0.0.0/8", "10.0.0.0/8"]).unwrap(), who));
/// let mut request = test::request(http::Method::GET, "/", "");
/// request.headers_mut().insert("x-forwarded-for", "6.6.6.6, 203.0.113.7, 10.1.2.3".parse().unwrap());
/// request.headers_mut().insert("x-forwarded-proto", "https".parse().unwrap());
/// assert_eq!(test::text(test::send(&endpoint, request).await).await, "203.0.113.7 by https");
/// # });
/// ```
///
/// | option | default | |
/// | --- | --- | --- |
/// | [`new`](Self::new) | | the networks of the proxies |
/// | [`forwarded`](Self::forwarded) | `x-forwarded-for`, `-proto`, `-host`, `-port` | reads `Forwarded` (RFC 7239) in their place |
///
/// Each proxy appends the address that it was reached from, so only the right end of the list can be believed: the
/// client is the first address from the right that is not of a trusted proxy. What stands further left the client
/// may have made up. If the address is unreadable or hidden (`unknown`, `_gateway`), the client is the proxy
/// that said so. Scheme and host are those that the same proxy has said; with the `x-forwarded` headers, if
/// there are not as many as addresses, those of the last proxy.
///
/// It does not fail. What comes from others than the trusted proxies, and what cannot be read, is not believed;
/// the latter is told as `web.proxy.unreadable`. Say only which of the two kinds of headers your proxy writes: it passes
/// on the other one as the client has sent it. Limits: [`HOPS_MAX`].
#[derive(Debug, Clone)]
pub struct TrustedProxies {
    trusted: Vec<Cidr>,
    reads_forwarded: bool,
}

/// What one proxy has said, of the side that is turned to the client.
#[derive(Debug, Default, PartialEq, Eq)]
struct Hop {
    from: Option<IpAddr>,
    proto: Option<String>,
    host: Option<String>,
    port: Option<u16>,
}

impl TrustedProxies {
    /// Believes proxies of these networks: `10.0.0.0/8`, `2001:db8::/32`, `192.0.2.1`.
    ///
    /// # Errors
    /// [`CidrError`], if one is none.
    pub fn new<'a>(networks: impl IntoIterator<Item = &'a str>) -> Result<Self, CidrError> {
        let trusted = networks.into_iter().map(str::parse).collect::<Result<_, _>>()?;
        Ok(Self { trusted, reads_forwarded: false })
    }

    /// Reads the header `Forwarded` (RFC 7239), and none of `x-forwarded-`.
    pub fn forwarded(mut self) -> Self {
        self.reads_forwarded = true;
        self
    }

    fn trusts(&self, ip: IpAddr) -> bool {
        self.trusted.iter().any(|network| network.contains(ip))
    }

    /// The hop whose other side is the client, from those there are, the nearest proxy's first. None if the
    /// nearest proxy has said nothing that can be believed.
    fn clients<'a>(&self, hops: &'a [Hop]) -> Option<&'a Hop> {
        let mut found = None;
        for hop in hops {
            let Some(from) = hop.from else { break };
            found = Some(hop);
            if !self.trusts(from) {
                break;
            }
        }
        found
    }
}

impl Plug for TrustedProxies {
    async fn call(&self, conn: &mut Conn) -> Result {
        if !self.trusts(conn.client().peer().ip()) {
            return Ok(());
        }
        let hops = if self.reads_forwarded { forwarded_hops(conn) } else { x_forwarded_hops(conn) };
        // A proxy that hides the client may still say how it came.
        let Some(hop) = self.clients(&hops).or(hops.first()) else { return Ok(()) };
        if let Some(ip) = hop.from {
            conn.set_remote_ip(ip);
        }
        match hop.proto.as_deref() {
            Some(proto) if proto.eq_ignore_ascii_case("https") => conn.set_scheme("https"),
            Some(proto) if proto.eq_ignore_ascii_case("http") => conn.set_scheme("http"),
            _ => {}
        }
        let host = hop.host.as_ref().and_then(|host| host.parse::<Authority>().ok());
        if let Some(host) = host.filter(|host| !host.as_str().contains('@')) {
            conn.set_host(host.host());
            let usual = if conn.scheme() == "https" { 443 } else { 80 };
            conn.set_port(host.port_u16().unwrap_or(usual));
        }
        if let Some(port) = hop.port {
            conn.set_port(port);
        }
        Ok(())
    }
}

/// The hops of `Forwarded`, the nearest first.
fn forwarded_hops(conn: &Conn) -> Vec<Hop> {
    let Some(text) = joined(conn, &http::header::FORWARDED) else { return Vec::new() };
    let Some(elements) = parse_forwarded(&text) else {
        event!("web.proxy.unreadable", {}, { header: "forwarded" });
        return Vec::new();
    };
    let hops = elements.into_iter().rev().take(HOPS_MAX);
    hops.map(|said| Hop {
        from: said.from.as_deref().and_then(address),
        proto: said.proto,
        host: said.host,
        port: None,
    })
    .collect()
}

/// The hops of `X-Forwarded-*`, the nearest first.
fn x_forwarded_hops(conn: &Conn) -> Vec<Hop> {
    let list = |name: &'static str| {
        let text = joined(conn, &HeaderName::from_static(name)).unwrap_or_default();
        let parts = text.rsplit(',').map(|part| part.trim().to_owned()).filter(|part| !part.is_empty());
        parts.take(HOPS_MAX).collect::<Vec<String>>()
    };
    let from = list("x-forwarded-for");
    let (proto, host, port) = (list("x-forwarded-proto"), list("x-forwarded-host"), list("x-forwarded-port"));
    // As many as addresses: one of each proxy. Else the nearest has said it for all.
    let of = |said: &[String], at: usize| {
        let at = if said.len() == from.len() { at } else { 0 };
        said.get(at).cloned()
    };
    let hop = |at: usize| Hop {
        from: from.get(at).and_then(|text| address(text)),
        proto: of(&proto, at),
        host: of(&host, at),
        port: of(&port, at).and_then(|port| port.parse().ok()),
    };
    (0..from.len().max(1)).map(hop).collect()
}

/// All values of a header as one list.
fn joined(conn: &Conn, name: &HeaderName) -> Option<String> {
    let values = conn.request_headers().get_all(name).iter();
    // What is no text cannot be read, but counts as a part.
    let texts: Vec<&str> = values.map(|value| value.to_str().unwrap_or("?")).collect();
    (!texts.is_empty()).then(|| texts.join(","))
}

/// An address as proxies write it: `192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1`, `[2001:db8::1]:4711`.
fn address(text: &str) -> Option<IpAddr> {
    let ip = match text.strip_prefix('[') {
        Some(rest) => {
            let (ip, port) = rest.split_once(']')?;
            let has_port = port.strip_prefix(':').is_some_and(is_port);
            if !port.is_empty() && !has_port {
                return None;
            }
            IpAddr::V6(ip.parse().ok()?)
        }
        None => match text.split_once(':') {
            Some((ip, port)) if is_port(port) => IpAddr::V4(ip.parse().ok()?),
            _ => text.parse().ok()?,
        },
    };
    Some(ip.to_canonical())
}

/// A port, or a name in place of one (RFC 7239, 6).
fn is_port(text: &str) -> bool {
    let is_word = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
    };
    text.parse::<u16>().is_ok() || text.strip_prefix('_').is_some_and(is_word)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn addresses_are_read_with_and_without_port() {
        for (text, ip) in [
            ("192.0.2.1", Some("192.0.2.1")),
            ("192.0.2.1:4711", Some("192.0.2.1")),
            ("2001:db8::1", Some("2001:db8::1")),
            ("[2001:db8::1]", Some("2001:db8::1")),
            ("[2001:db8::1]:4711", Some("2001:db8::1")),
            ("[2001:db8::1]:_x", Some("2001:db8::1")),
            ("::ffff:192.0.2.1", Some("192.0.2.1")),
            ("[2001:db8::1]4711", None),
            ("[192.0.2.1]", None),
            ("192.0.2.1:99999", None),
            ("192.0.2", None),
            ("unknown", None),
            ("_gateway", None),
            ("", None),
        ] {
            assert_eq!(address(text), ip.map(|ip| ip.parse().unwrap()), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in ".{0,60}") {
            address(&text);
        }

        /// Whatever the client has put before what the proxies append, it is found as who it is.
        #[test]
        fn a_client_cannot_lie(lie in proptest::collection::vec("[0-9a-f.:x]{0,9}", 0..6), inner in 0..4usize) {
            let proxies = TrustedProxies::new(["10.0.0.0/8"]).unwrap();
            let client = Hop { from: address("203.0.113.7"), ..Hop::default() };
            let within = (0..inner).map(|_| Hop { from: address("10.0.0.2"), ..Hop::default() });
            let made_up = lie.iter().map(|text| Hop { from: address(text), ..Hop::default() });
            let hops: Vec<Hop> = within.chain([client]).chain(made_up).collect();
            prop_assert_eq!(proxies.clients(&hops).unwrap().from, address("203.0.113.7"));
        }
    }
}
