//! One line, there and back.

use simurgh::prelude::*;
use simurgh::runtime::net::TcpStream;

/// Whether a line comes back as it was said.
pub async fn said_back(stream: &mut TcpStream, line: &[u8]) -> bool {
    let exchange = async {
        stream.write_all(line).await?;
        let mut back = vec![0; line.len()];
        stream.read_exact(&mut back).await?;
        std::io::Result::Ok(back == line)
    };
    matches!(timeout(10.secs(), exchange).await, Ok(Ok(true)))
}
