//! The three arms.

/// The calls of [`Arm`](crate::arm::Arm) that all arms have under tokio's names; the types are those in scope.
macro_rules! calls_as_tokio_has_them {
    () => {
        async fn bind(addr: SocketAddr) -> io::Result<TcpListener> {
            TcpListener::bind(addr).await
        }
        async fn accept(listener: &mut TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
            listener.accept().await
        }
        async fn connect(addr: SocketAddr) -> io::Result<TcpStream> {
            TcpStream::connect(addr).await
        }
        fn split(stream: TcpStream) -> (Self::ReadHalf, Self::WriteHalf) {
            stream.into_split()
        }
        fn addresses(stream: &TcpStream) -> io::Result<(SocketAddr, SocketAddr)> {
            Ok((stream.local_addr()?, stream.peer_addr()?))
        }
        async fn udp(addr: SocketAddr) -> io::Result<UdpSocket> {
            UdpSocket::bind(addr).await
        }
        fn udp_addr(socket: &UdpSocket) -> io::Result<SocketAddr> {
            socket.local_addr()
        }
        async fn send_to(socket: &UdpSocket, bytes: &[u8], to: SocketAddr) -> io::Result<usize> {
            socket.send_to(bytes, to).await
        }
        async fn recv_from(socket: &UdpSocket, into: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
            socket.recv_from(into).await
        }
    };
}

/// Those that turmoil has not.
macro_rules! calls_that_turmoil_lacks {
    () => {
        fn zero_linger(stream: &mut TcpStream) -> bool {
            stream.set_zero_linger().is_ok()
        }
        async fn udp_connect(socket: &UdpSocket, to: SocketAddr) -> Option<io::Result<()>> {
            Some(socket.connect(to).await)
        }
        async fn send(socket: &UdpSocket, bytes: &[u8]) -> io::Result<usize> {
            socket.send(bytes).await
        }
        async fn recv(socket: &UdpSocket, into: &mut [u8]) -> io::Result<usize> {
            socket.recv(into).await
        }
    };
}

mod kernel;
mod sim;
mod turmoil;

use std::time::Duration;

use crate::arm::Scene;
use crate::cases::Case;

/// A case that goes on for longer, in the arm's own time, hangs.
const HANGS: Duration = Duration::from_secs(20);

/// The arms by name, each with how it runs a case.
pub const ARMS: [(&str, fn(&Case, u16) -> Result<Vec<String>, String>); 3] =
    [("kernel", kernel::run), ("ours", sim::run), ("turmoil", turmoil::run)];

/// What was seen, with a word on how it ended if it did not end well.
fn outcome(scene: &Scene, ended: Result<(), String>) -> Result<Vec<String>, String> {
    let mut seen = scene.outcome()?;
    if let Err(why) = ended {
        seen.push(why);
    }
    Ok(seen)
}
