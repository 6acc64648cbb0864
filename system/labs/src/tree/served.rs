//! Asking the service, and waiting for it.

use simurgh::prelude::*;
use simurgh::runtime::net::TcpStream;

/// Whether a line comes back as it was said.
pub(super) async fn said_back(stream: &mut TcpStream, line: &[u8]) -> bool {
    let exchange = async {
        stream.write_all(line).await?;
        let mut back = vec![0; line.len()];
        stream.read_exact(&mut back).await?;
        std::io::Result::Ok(back == line)
    };
    matches!(timeout(10.secs(), exchange).await, Ok(Ok(true)))
}

/// Looks again and again, with a pause in between.
pub(super) async fn until(condition: impl Fn() -> bool) {
    while !condition() {
        sleep(1.millis()).await;
    }
}
