//! Faults of the network that a test calls by name, besides cuts and kills.

use std::time::Duration;

use simurgh_runtime as runtime;

use crate::core::Core;
use crate::draws::{Purpose, Stream};
use crate::effects::Effect;
use crate::engine::engine;
use crate::sim::{Node, Sim};
use crate::trace::{Kind, mix};

fn with<R>(f: impl FnOnce(&mut Core) -> R) -> R {
    engine().expect("Sim is used inside a simulation").with(f)
}

impl Sim {
    /// Clogs the ways from one group to the other, in this direction alone, until [`Sim::unclog`] or
    /// [`Sim::heal`]: everything that is sent is held, and comes at once when the way is released.
    ///
    /// ```
    /// # simurgh_sim::doctest(|sim| async move {
    /// use simurgh_runtime::{self as runtime, net::UdpSocket, DurationExt};
    ///
    /// let any = "0.0.0.0:53".parse()?;
    /// let hears = sim.node("hears", move || async move {
    ///     let socket = UdpSocket::bind(any).await?;
    ///     runtime::ready();
    ///     socket.recv_from(&mut [0; 16]).await?;
    ///     runtime::out!("heard");
    ///     std::io::Result::Ok(())
    /// });
    /// hears.started().await?;
    /// let to = (hears.ip(), 53).into();
    /// let says = sim.node("says", move || async move {
    ///     UdpSocket::bind(any).await?.send_to(b"hello", to).await.map(drop)
    /// });
    /// sim.clog(&[says], &[hears.clone()]);
    /// runtime::sleep(60.secs()).await;
    /// assert!(hears.output().is_empty());
    /// sim.heal();
    /// hears.ended().await;
    /// assert_eq!(hears.output(), ["heard"]);
    /// # Ok(()) });
    /// ```
    pub fn clog(&self, from: &[Node], to: &[Node]) {
        each_way(from, to, |core, from, to| core.clog(from, to, Effect::Clog));
    }

    /// Takes back one [`Sim::clog`] of the same groups.
    pub fn unclog(&self, from: &[Node], to: &[Node]) {
        each_way(from, to, |core, from, to| core.unclog(from, to, Effect::Clog));
    }

    /// Swizzle: of a random subset of `nodes`, all ways to and from each are clogged one node after the
    /// other, and released in another order; all within `time`. Taken from `FoundationDB`'s simulator, where it
    /// found more than any other fault of links: each moment has another set of nodes that hear each other.
    pub async fn swizzle(&self, nodes: &[Node], time: Duration) {
        let mut stream = with(|core| {
            core.swizzles += 1;
            core.draws.stream(Purpose::Faults, mix(u64::from_le_bytes(*b"swizzles"), core.swizzles))
        });
        let mut picked: Vec<&Node> = nodes.iter().filter(|_| stream.chance(0.5)).collect();
        if picked.is_empty() {
            picked.extend(stream.pick(nodes));
        }
        let steps = picked.len() as u64 * 2;
        let most = time.as_nanos() as u64 / steps.max(1);
        for effect in [true, false] {
            shuffle(&mut stream, &mut picked);
            for node in &picked {
                runtime::sleep(Duration::from_nanos(stream.between(most / 4, most))).await;
                for other in nodes.iter().filter(|other| other != node) {
                    for (from, to) in [(node.index, other.index), (other.index, node.index)] {
                        with(|core| {
                            if effect {
                                core.clog(from, to, Effect::Swizzle);
                            } else {
                                core.unclog(from, to, Effect::Swizzle);
                            }
                        });
                    }
                }
            }
        }
    }

    /// One of a node's connections, drawn by the seed, becomes half open: this node's side is reset, as by
    /// something between the two, and the other side is told nothing. It goes on waiting until it
    /// sends something itself, which is answered with a reset. False if there is none.
    pub fn forget_one(&self, node: &Node) -> bool {
        with(|core| {
            let state = &mut core.nodes[node.index as usize];
            state.resets += 1;
            let mut stream = core.draws.stream(Purpose::Faults, mix(mix(state.entity, state.resets), 1));
            let conns: Vec<_> = state.conns.iter().copied().collect();
            let Some(&(id, end)) = stream.pick(&conns) else { return false };
            core.record(node.index, 0, Kind::Fault, u64::from(id.index), 4, || {
                format!("connection {} is half open", id.index)
            });
            core.forget(id, end)
        })
    }

    /// Gives the way between each of one group and each of the other a width in bytes per second, both
    /// directions apart; 0 is no limit. What is sent waits behind what was sent before, in a queue of
    /// 256 KiB; what that has no room for is dropped, and a stream sends it again.
    pub fn limit_bandwidth(&self, one: &[Node], other: &[Node], bytes_per_second: u64) {
        each_way(one, other, |core, from, to| core.set_bandwidth(from, to, bytes_per_second));
    }

    /// Makes a node's host look-ups fail, after the 10 s that a resolver takes to give up, or work again.
    pub fn fail_lookups(&self, node: &Node, fail: bool) {
        with(|core| {
            core.nodes[node.index as usize].lookups_fail = fail;
            core.record(node.index, 0, Kind::Fault, u64::from(fail), 5, || {
                format!("host look-ups {}", if fail { "fail" } else { "work again" })
            });
        });
    }
}

fn each_way(from: &[Node], to: &[Node], f: impl Fn(&mut Core, u32, u32)) {
    for one in from {
        for other in to {
            with(|core| f(core, one.index, other.index));
        }
    }
}

fn shuffle<T>(stream: &mut Stream, items: &mut [T]) {
    for left in (1..items.len()).rev() {
        items.swap(left, stream.below(left as u64 + 1) as usize);
    }
}
