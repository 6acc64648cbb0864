//! Who compresses how (RFC 7692, 7.1).

use http::HeaderValue;

use super::super::extensions::{Extension, Malformed, parse};
use super::Direction;

const NAME: &str = "permessage-deflate";
const SERVER_NO_TAKEOVER: &str = "server_no_context_takeover";
const CLIENT_NO_TAKEOVER: &str = "client_no_context_takeover";
const SERVER_BITS: &str = "server_max_window_bits";
const CLIENT_BITS: &str = "client_max_window_bits";

/// What an endpoint wants of compression; the peer may ask for less, never for more.
///
/// The default keeps no context on either side: between messages a connection owns no deflate state. A kept
/// context makes small messages that resemble one another smaller by half and more, and costs each
/// connection that has sent a message some 310 KiB, each that has received one 20 to 50 KiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeflatePolicy {
    /// The server begins each message anew.
    pub server_no_context_takeover: bool,
    /// The client begins each message anew.
    pub client_no_context_takeover: bool,
    /// The server's window is at most two to this power; 8 to 15.
    pub server_max_window_bits: u8,
    /// The client's window is at most two to this power; 8 to 15.
    pub client_max_window_bits: u8,
}

impl Default for DeflatePolicy {
    fn default() -> Self {
        Self {
            server_no_context_takeover: true,
            client_no_context_takeover: true,
            server_max_window_bits: 15,
            client_max_window_bits: 15,
        }
    }
}

/// What both sides agreed on; a [`Codec`](super::super::Codec) is made with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeflateParams {
    /// The server begins each message anew.
    pub server_no_context_takeover: bool,
    /// The client begins each message anew.
    pub client_no_context_takeover: bool,
    /// The server's window is two to this power; 8 to 15.
    pub server_max_window_bits: u8,
    /// The client's window is two to this power; 8 to 15.
    pub client_max_window_bits: u8,
}

impl DeflatePolicy {
    /// Contexts are kept on both sides, in windows of 32 KiB.
    pub const TAKEOVER: Self = Self {
        server_no_context_takeover: false,
        client_no_context_takeover: false,
        server_max_window_bits: 15,
        client_max_window_bits: 15,
    };

    /// The server's side: the first offer that it can grant, if there is one, and the answer to it.
    pub(crate) fn answer(self, offers: &str) -> Result<Option<(DeflateParams, HeaderValue)>, Malformed> {
        let offers = parse(offers)?;
        let granted = offers.iter().filter(|offer| offer.name == NAME).find_map(|offer| {
            let offer = Params::read(offer)?;
            let params = self.grant(&offer)?;
            Some((params, params.answer(offer.server_width != Width::Absent)))
        });
        Ok(granted)
    }

    fn grant(self, offer: &Params) -> Option<DeflateParams> {
        Some(DeflateParams {
            server_no_context_takeover: offer.server_no_takeover || self.server_no_context_takeover,
            client_no_context_takeover: offer.client_no_takeover || self.client_no_context_takeover,
            server_max_window_bits: match offer.server_width {
                Width::Absent => clamp(self.server_max_window_bits),
                Width::Bare => return None,
                Width::Bits(bits) => bits.min(clamp(self.server_max_window_bits)),
            },
            client_max_window_bits: match offer.client_width {
                // A client that does not name the parameter may not be told of it (RFC 7692, 7.1.2.2).
                Width::Absent => 15,
                Width::Bare => clamp(self.client_max_window_bits),
                Width::Bits(bits) => bits.min(clamp(self.client_max_window_bits)),
            },
        })
    }

    /// The client's side: the offer.
    pub(crate) fn offer(self) -> HeaderValue {
        let (server, client) = (clamp(self.server_max_window_bits), clamp(self.client_max_window_bits));
        value([
            self.server_no_context_takeover.then(|| SERVER_NO_TAKEOVER.to_owned()),
            self.client_no_context_takeover.then(|| CLIENT_NO_TAKEOVER.to_owned()),
            (server < 15).then(|| format!("{SERVER_BITS}={server}")),
            Some(if client < 15 { format!("{CLIENT_BITS}={client}") } else { CLIENT_BITS.to_owned() }),
        ])
    }

    /// The client's side: reads the answer; `Err` if it is none to this offer (RFC 7692, 7.1).
    pub(crate) fn accept(self, answer: &str) -> Result<Option<DeflateParams>, Malformed> {
        let extensions = parse(answer)?;
        let answer = match &extensions[..] {
            [] => return Ok(None),
            [one] if one.name == NAME => Params::read(one).ok_or(Malformed)?,
            _ => return Err(Malformed),
        };
        let (server_bits, client_bits) = (answer.server_width.chosen()?, answer.client_width.chosen()?);
        let client_bits_max = clamp(self.client_max_window_bits);
        let keeps_to_the_offer = server_bits <= clamp(self.server_max_window_bits)
            && (answer.server_no_takeover || !self.server_no_context_takeover)
            && (answer.client_width == Width::Absent || client_bits <= client_bits_max);
        if !keeps_to_the_offer {
            return Err(Malformed);
        }
        Ok(Some(DeflateParams {
            server_no_context_takeover: answer.server_no_takeover,
            client_no_context_takeover: answer.client_no_takeover || self.client_no_context_takeover,
            server_max_window_bits: server_bits,
            client_max_window_bits: client_bits.min(client_bits_max),
        }))
    }
}

impl DeflateParams {
    /// The server's answer; a width of the server that was asked for has to be named (RFC 7692, 7.1.2.1).
    fn answer(self, names_server_bits: bool) -> HeaderValue {
        let (server, client) = (self.server_max_window_bits, self.client_max_window_bits);
        value([
            self.server_no_context_takeover.then(|| SERVER_NO_TAKEOVER.to_owned()),
            self.client_no_context_takeover.then(|| CLIENT_NO_TAKEOVER.to_owned()),
            (names_server_bits || server < 15).then(|| format!("{SERVER_BITS}={server}")),
            (client < 15).then(|| format!("{CLIENT_BITS}={client}")),
        ])
    }

    pub(crate) fn server(self) -> Direction {
        Direction { takeover: !self.server_no_context_takeover, window_bits: clamp(self.server_max_window_bits) }
    }

    pub(crate) fn client(self) -> Direction {
        Direction { takeover: !self.client_no_context_takeover, window_bits: clamp(self.client_max_window_bits) }
    }
}

/// The parameters as written.
#[derive(Default)]
struct Params {
    server_no_takeover: bool,
    client_no_takeover: bool,
    server_width: Width,
    client_width: Width,
}

/// A window's width as written.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Width {
    #[default]
    Absent,
    /// Named, without a value.
    Bare,
    Bits(u8),
}

impl Width {
    /// 8 to 15, in decimal without leading zeros (RFC 7692, 7.1.2).
    fn read(value: Option<&str>) -> Option<Self> {
        let Some(value) = value else { return Some(Self::Bare) };
        let bits = value.parse().ok().filter(|bits| (8..=15).contains(bits) && !value.starts_with(['0', '+']));
        bits.map(Self::Bits)
    }

    /// What a server's answer says; it may not leave the value out.
    fn chosen(self) -> Result<u8, Malformed> {
        match self {
            Self::Absent => Ok(15),
            Self::Bare => Err(Malformed),
            Self::Bits(bits) => Ok(bits),
        }
    }
}

impl Params {
    /// `None` if a parameter is unknown, doubled, or has a value that it may not have (RFC 7692, 7.1).
    fn read(extension: &Extension<'_>) -> Option<Self> {
        let mut read = Self::default();
        for &(name, value) in &extension.params {
            let is_new = match (name, value) {
                (SERVER_NO_TAKEOVER, None) => !std::mem::replace(&mut read.server_no_takeover, true),
                (CLIENT_NO_TAKEOVER, None) => !std::mem::replace(&mut read.client_no_takeover, true),
                (SERVER_BITS, value) => std::mem::replace(&mut read.server_width, Width::read(value)?) == Width::Absent,
                (CLIENT_BITS, value) => std::mem::replace(&mut read.client_width, Width::read(value)?) == Width::Absent,
                _ => false,
            };
            if !is_new {
                return None;
            }
        }
        Some(read)
    }
}

fn clamp(bits: u8) -> u8 {
    bits.clamp(8, 15)
}

/// The header's value with those parameters that are there.
fn value(params: [Option<String>; 4]) -> HeaderValue {
    let parts: Vec<String> = std::iter::once(NAME.to_owned()).chain(params.into_iter().flatten()).collect();
    HeaderValue::try_from(parts.join("; ")).expect("tokens only")
}

#[cfg(test)]
#[path = "negotiate_tests.rs"]
mod tests;
