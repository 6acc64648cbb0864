//! Host look-up: a node's name is its host name.

use std::io;
use std::net::{IpAddr, Ipv4Addr};

use crate::core::Core;
use crate::draws::Purpose;
use crate::effects::Effect;
use crate::physics::Latency;
use crate::trace::{Kind, digest, mix};

/// After what time a resolver asks again, as Linux has it, and how often it asks.
const RESOLVER_RETRY_NS: u64 = 5_000_000_000;
const RESOLVER_TRIES: u64 = 2;
/// How long a look-up takes where nothing varies.
const LOOKUP_NS: u64 = 1_000_000;

impl Core {
    /// Looks a host up for a node: how long that takes, and what is found. An address that is written out, and
    /// `localhost`, are known at once; the resolver is asked for all else.
    pub(crate) fn lookup(&mut self, node: u32, host: &str) -> (u64, io::Result<Vec<IpAddr>>) {
        if let Ok(ip) = host.parse() {
            return (0, Ok(vec![ip]));
        }
        if host == "localhost" {
            return (0, Ok(vec![IpAddr::V4(Ipv4Addr::LOCALHOST)]));
        }
        let me = &mut self.nodes[node as usize];
        me.lookups += 1;
        let mut stream = self.draws.stream(Purpose::Net, mix(mix(me.entity, me.lookups), 3));
        let fails = me.lookups_fail;
        let quick = if matches!(self.physics.latency, Latency::Fixed(_)) {
            LOOKUP_NS
        } else {
            stream.between(LOOKUP_NS / 10, LOOKUP_NS * 10)
        };
        let drawn = stream.chance(self.physics.lookups.fail_max);
        let slow = stream.chance(self.physics.lookups.slow_max);
        let time = match (fails, slow) {
            (true, _) => RESOLVER_RETRY_NS * RESOLVER_TRIES,
            (false, true) => RESOLVER_RETRY_NS + quick,
            (false, false) => quick,
        };
        let found = self.nodes.iter().find(|other| other.rt.name() == host).map(|other| other.ip);
        let found = if fails || drawn {
            self.effects.add(Effect::LookupFailed);
            Err(failed("Temporary failure in name resolution"))
        } else {
            found.map(|ip| vec![ip]).ok_or_else(|| failed("Name or service not known"))
        };
        if slow && !fails {
            self.effects.add(Effect::LookupSlow);
        }
        let known = found.is_ok();
        self.record_here(Kind::Lookup, digest(host.as_bytes()), time << 1 | u64::from(known), || {
            format!("{host}, {}known, in {} us", if known { "" } else { "not " }, time / 1000)
        });
        (time, found)
    }
}

/// An error as the standard library words what `getaddrinfo` says.
fn failed(why: &str) -> io::Error {
    io::Error::other(format!("failed to lookup address information: {why}"))
}
