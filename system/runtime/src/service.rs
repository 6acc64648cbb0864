//! What the service manager that has started this process is told, if it wants to be: systemd's `Type=notify`.
//!
//! It names a socket in `NOTIFY_SOCKET` and takes words in a datagram each, as `sd_notify(3)` says; a name that begins
//! with `@` is an abstract one. Who is not told in time treats the service as one that has not started, and says so,
//! so a word that cannot be sent is lost without another.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// Tells the manager of this process.
pub(crate) fn tell(words: &str) {
    if let Some(name) = std::env::var_os("NOTIFY_SOCKET") {
        let _ = tell_at(&name, words);
    }
}

fn tell_at(name: &OsStr, words: &str) -> io::Result<()> {
    let socket = UnixDatagram::unbound()?;
    // A manager that does not listen must not hold us up.
    socket.set_nonblocking(true)?;
    socket.send_to_addr(words.as_bytes(), &address(name)?).map(drop)
}

fn address(name: &OsStr) -> io::Result<SocketAddr> {
    #[cfg(target_os = "linux")]
    if let Some(name) = name.as_bytes().strip_prefix(b"@") {
        return <SocketAddr as std::os::linux::net::SocketAddrExt>::from_abstract_name(name);
    }
    SocketAddr::from_pathname(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(manager: &UnixDatagram) -> String {
        let mut words = [0; 64];
        let len = manager.recv(&mut words).unwrap();
        String::from_utf8_lossy(&words[..len]).into_owned()
    }

    #[test]
    fn a_manager_hears_at_a_path_and_at_an_abstract_name() {
        let path = std::env::temp_dir().join(format!("simurgh-notify-{}", std::process::id()));
        let manager = UnixDatagram::bind(&path).unwrap();
        tell_at(path.as_os_str(), "READY=1").unwrap();
        assert_eq!(heard(&manager), "READY=1");
        std::fs::remove_file(&path).unwrap();
        assert!(tell_at(path.as_os_str(), "READY=1").is_err());

        let name = format!("@simurgh-notify-{}", std::process::id());
        let manager = UnixDatagram::bind_addr(&address(OsStr::new(&name)).unwrap()).unwrap();
        tell_at(OsStr::new(&name), "STOPPING=1").unwrap();
        assert_eq!(heard(&manager), "STOPPING=1");
    }
}
