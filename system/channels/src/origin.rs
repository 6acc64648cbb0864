//! Which pages may open a socket.

use std::fmt;
use std::sync::Arc;

use http::Uri;
use http::uri::Authority;
use simurgh_web::Conn;

/// Which pages may open a socket, by the header `Origin`. A request without one is of no page, and let through.
///
/// ```
/// use simurgh_channels::CheckOrigin;
///
/// let shop = CheckOrigin::list(["https://shop.example", "//*.shop.example:8443"]);
/// let own = CheckOrigin::custom(|origin| origin.scheme_str() == Some("https"));
/// # let _ = (shop, own);
/// ```
///
/// | mode | the origin's | Phoenix |
/// | --- | --- | --- |
/// | [`SameHost`](Self::SameHost), the default | host is that of the request, whatever the scheme and port | `true` |
/// | [`host`](Self::host) | host is this one | `true`, with the URL's host |
/// | [`Conn`](Self::Conn) | scheme, host and port are those of the request | `:conn` |
/// | [`list`](Self::list) | parts that an entry has are its own; `//host` is any scheme and port, `*.host` also `host` | a list |
/// | [`custom`](Self::custom) | what the function says | a function |
/// | [`Off`](Self::Off) | anything | `false` |
///
/// An origin without a host, `null` for one, is refused but for `Off`, `Conn` (which it never equals) and a function.
#[derive(Clone, Default)]
pub enum CheckOrigin {
    /// The request's host.
    #[default]
    SameHost,
    /// This host.
    Host(Arc<str>),
    /// The request's scheme, host and port.
    Conn,
    /// These.
    List(Arc<[OriginPattern]>),
    /// A function.
    Custom(Arc<dyn Fn(&Uri) -> bool + Send + Sync>),
    /// All.
    Off,
}

/// One entry of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OriginPattern {
    scheme: Option<String>,
    host: String,
    is_below: bool,
    port: Option<u16>,
}

impl CheckOrigin {
    /// Pages of this host.
    pub fn host(host: &str) -> Self {
        Self::Host(host.to_ascii_lowercase().into())
    }

    /// Pages of these: `https://example.com`, `//example.com:888`, `//*.example.com`.
    ///
    /// # Panics
    /// If one is no origin.
    pub fn list<'a>(origins: impl IntoIterator<Item = &'a str>) -> Self {
        let parse = |origin: &str| {
            OriginPattern::parse(origin).unwrap_or_else(|| {
                panic!("{origin:?} is not an origin: https://example.com, //example.com or //*.example.com")
            })
        };
        Self::List(origins.into_iter().map(parse).collect())
    }

    /// Those of which a function says yes.
    pub fn custom(allows: impl Fn(&Uri) -> bool + Send + Sync + 'static) -> Self {
        Self::Custom(Arc::new(allows))
    }

    /// Whether the page that sent the request may.
    pub(crate) fn allows(&self, conn: &Conn) -> bool {
        let mut origins = conn.request_headers().get_all(http::header::ORIGIN).iter();
        let Some(given) = origins.next() else { return true };
        if matches!(self, Self::Off) {
            return true;
        }
        let Some(uri) =
            given.to_str().ok().filter(|_| origins.next().is_none()).and_then(|text| text.parse::<Uri>().ok())
        else {
            return false;
        };
        if let Self::Custom(allows) = self {
            return allows(&uri);
        }
        let Some(origin) = Origin::of(&uri) else { return false };
        match self {
            Self::SameHost => conn.host().is_some_and(|host| origin.host.eq_ignore_ascii_case(host)),
            Self::Host(host) => origin.host == **host,
            Self::Conn => {
                let host = conn.host().unwrap_or_default();
                origin.scheme == conn.scheme()
                    && origin.host.eq_ignore_ascii_case(host)
                    && origin.port == Some(conn.port())
            }
            Self::List(list) => list.iter().any(|pattern| pattern.fits(&origin)),
            Self::Custom(_) | Self::Off => true,
        }
    }

    pub(crate) fn is_off(&self) -> bool {
        matches!(self, Self::Off)
    }
}

impl fmt::Debug for CheckOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SameHost => f.write_str("SameHost"),
            Self::Host(host) => f.debug_tuple("Host").field(host).finish(),
            Self::Conn => f.write_str("Conn"),
            Self::List(list) => f.debug_tuple("List").field(list).finish(),
            Self::Custom(_) => f.write_str("Custom"),
            Self::Off => f.write_str("Off"),
        }
    }
}

struct Origin {
    scheme: String,
    host: String,
    port: Option<u16>,
}

impl Origin {
    fn of(uri: &Uri) -> Option<Self> {
        let (scheme, host) = (uri.scheme_str()?.to_ascii_lowercase(), uri.host().filter(|host| !host.is_empty())?);
        let port = uri.port_u16().or(usual_port(&scheme));
        Some(Self { host: host.to_ascii_lowercase(), port, scheme })
    }
}

impl OriginPattern {
    /// An entry of a list, if this is one: `https://example.com`, `//example.com:888`, `//*.example.com`.
    pub fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = match text.strip_prefix("//") {
            Some(rest) => (None, rest),
            None => text.split_once("://").map(|(scheme, rest)| (Some(scheme.to_ascii_lowercase()), rest))?,
        };
        let is_below = rest.starts_with("*.");
        let authority: Authority = if is_below { &rest[2..] } else { rest }.parse().ok()?;
        let host = authority.host().to_ascii_lowercase();
        let is_host = !host.is_empty() && !host.contains('*') && !rest.contains('@');
        let port = match authority.as_str()[host.len()..].strip_prefix(':') {
            Some(port) => Some(port.parse().ok()?),
            None => None,
        };
        is_host.then_some(Self { scheme, host, is_below, port })
    }

    fn fits(&self, origin: &Origin) -> bool {
        let is_host = origin.host == self.host
            || (self.is_below && origin.host.strip_suffix(&self.host).is_some_and(|below| below.ends_with('.')));
        let port = self.port.or_else(|| usual_port(self.scheme.as_deref()?));
        is_host
            && self.scheme.as_ref().is_none_or(|scheme| *scheme == origin.scheme)
            && port.is_none_or(|port| origin.port == Some(port))
    }
}

fn usual_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" | "ws" => Some(80),
        "https" | "wss" => Some(443),
        _ => None,
    }
}
