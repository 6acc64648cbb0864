//! What proxies say, and who is believed.

use std::net::IpAddr;

use fuzz::Target;
use http::{HeaderValue, Method};
use simurgh_web::{Cidr, Conn, Endpoint, TrustedProxies, parse_forwarded};

use crate::answer;

/// A network that can be read reads back as the same, and has exactly the addresses whose first bits are its own.
#[test]
fn networks() {
    let samples = ["10.0.0.0/8", "2001:db8::/32", "192.0.2.1", "::/0", "::ffff:10.0.0.0/104"];
    Target::new("networks").samples(samples).words(["/", "128", "33", "::", ".", "+", "0", "ffff"]).check(|input| {
        let Ok(network) = input.text().parse::<Cidr>() else { return };
        let text = network.to_string();
        assert_eq!(text.parse::<Cidr>(), Ok(network));
        let (base, bits) = text.split_once('/').expect("it says its bits");
        let (base, bits): (IpAddr, usize) = (base.parse().expect("an address"), bits.parse().expect("a number"));
        let bytes: Vec<u8> = match base {
            IpAddr::V4(ip) => ip.octets().to_vec(),
            IpAddr::V6(ip) => ip.octets().to_vec(),
        };
        // The base with one bit turned is in it if the bit does not count.
        let at = input.pick(0, bytes.len() * 8);
        let mut near = bytes.clone();
        near[at / 8] ^= 0x80 >> (at % 8);
        let ip: IpAddr = match <[u8; 4]>::try_from(&near[..]) {
            Ok(bytes) => bytes.into(),
            Err(_) => <[u8; 16]>::try_from(&near[..]).expect("an address of IPv6").into(),
        };
        // An IPv4 address in one of IPv6 is the former, so no network of IPv6 has it.
        let is_mapped = ip.is_ipv6() && ip.to_canonical().is_ipv4();
        assert_eq!(network.contains(ip), at >= bits && !is_mapped, "{ip} in {network}");
    });
}

/// What is written as a `Forwarded` header is read as that; what is read has no more elements than commas allow, and
/// no value that is not in it.
#[test]
fn forwarded() {
    let samples = [
        r#"for=192.0.2.43, For="[2001:db8::17]:4711";proto=https;by=_x;host="a.test""#,
        r#"for="a\"b,;c""#,
        "for=_hidden;;proto=http,,",
    ];
    Target::new("forwarded").samples(samples).words(["for=", "\"", "\\", ";", ",", "=", " ", "\t", "host=\""]).check(
        |input| {
            let text = input.text();
            if let Some(elements) = parse_forwarded(&text) {
                assert!(elements.len() <= text.matches(',').count() + 1);
                for value in
                    elements.iter().flat_map(|element| [&element.from, &element.host, &element.proto]).flatten()
                {
                    assert!(text.replace('\\', "").contains(&value.replace('\\', "")), "{value:?}");
                }
            }
            let quoted = format!("host=h;for=\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
            let elements = parse_forwarded(&quoted).expect("a quoted string");
            assert_eq!((elements.len(), elements[0].from.as_deref()), (1, Some(&*text)));
        },
    );
}

async fn who(conn: &mut Conn) {
    let said = format!("{} {} {}", conn.remote_ip(), conn.scheme(), conn.host().unwrap_or_default());
    conn.text(said);
}

/// Whatever a client has put before it, what the trusted proxy has said stands: the client is whom the proxy has seen,
/// or, where the whole cannot be read, the proxy; and scheme and host are never what the client has made up.
#[test]
fn believed_proxies() {
    let trusting = || TrustedProxies::new(["127.0.0.0/8", "10.0.0.0/8"]).expect("networks");
    let x = Endpoint::new((trusting(), who));
    let rfc = Endpoint::new((trusting().forwarded(), who));
    let samples = ["6.6.6.6", "10.1.1.1, 6.6.6.6", "for=6.6.6.6;proto=ftp;host=evil", "for=\"", "unknown", "[::1]:80"];
    let words = [",", "\"", "\\", ";", "for=", "host=evil", "10.0.0.1", "_x", ":80", " "];
    Target::new("believed_proxies").samples(samples).words(words).check(|input| {
        let made_up = input.header();
        let header = |text: String| HeaderValue::try_from(text).expect("visible ASCII");
        let list = header(format!("{made_up}, 203.0.113.7, 10.1.2.3"));
        let (_, said) = answer(&x, Method::GET, "/", ("x-forwarded-for", &list));
        assert_eq!(said, "203.0.113.7 http localhost");
        let list = header(format!("{made_up}, for=203.0.113.7;proto=https;host=a.test"));
        let (_, said) = answer(&rfc, Method::GET, "/", ("forwarded", &list));
        let is_read = said == "203.0.113.7 https a.test";
        assert!(is_read || said == "127.0.0.1 http localhost", "{said}");
        assert!(is_read || made_up.contains(|c: char| !c.is_ascii_alphanumeric()) || !made_up.contains('='));
    });
}
