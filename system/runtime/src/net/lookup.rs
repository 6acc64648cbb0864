//! The addresses behind a host's name.

use std::io;
use std::net::SocketAddr;

use crate::sim;

/// The addresses of `host`, each with `port`; at least one, in the order in which to try them.
///
/// ```
/// use simurgh_runtime::net::lookup_host;
///
/// simurgh_runtime::run("doc", async {
///     let found = lookup_host("localhost", 4000).await?;
///     assert!(found.iter().all(|addr| addr.ip().is_loopback() && addr.port() == 4000));
///     let written_out = lookup_host("192.0.2.7", 80).await?;
///     assert_eq!(written_out, ["192.0.2.7:80".parse().unwrap()]);
///     std::io::Result::Ok(())
/// })
/// .unwrap();
/// ```
///
/// In production the system's resolver is asked (`getaddrinfo(3)`), on a thread for blocking work:
/// there is no limit but the resolver's own, so put a [`timeout`](crate::timeout) around it. In the simulation a
/// node's name is its host name, and a look-up may be slow or fail, as the seed has it.
///
/// # Errors
/// If nobody knows the name, or the resolver does not answer; both may be worth another try.
pub async fn lookup_host(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    let Some((delay, found)) = sim::world(|world| world.lookup(host)) else {
        let found: Vec<SocketAddr> = tokio::net::lookup_host((host, port)).await?.collect();
        return if found.is_empty() { Err(io::Error::other("the name has no address")) } else { Ok(found) };
    };
    crate::sleep(delay).await;
    Ok(found?.into_iter().map(|ip| SocketAddr::new(ip, port)).collect())
}
