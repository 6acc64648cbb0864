//! The server's end.

use simurgh_http::{Options, Server};
use simurgh_otp::Supervisor;
use simurgh_runtime::net::TcpStream;
use simurgh_runtime::{DurationExt, join};
use tokio::io::AsyncWriteExt;

use crate::shared::{App, exchange, hear, heard, run, start, statuses, until};

#[test]
fn what_is_under_way_is_answered_and_what_is_idle_is_closed() {
    run(async {
        let app = App::default();
        let server = start(Options::default(), app.clone()).await;
        let mut silent = TcpStream::connect(server.local_addr()).await?;
        let mut idle = TcpStream::connect(server.local_addr()).await?;
        idle.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await?;
        hear(&mut idle, "hello").await;
        let mut busy = TcpStream::connect(server.local_addr()).await?;
        busy.write_all(b"GET /slow HTTP/1.1\r\nhost: a\r\n\r\n").await?;
        let mut half = TcpStream::connect(server.local_addr()).await?;
        half.write_all(b"GET / HTTP/1.1\r\nho").await?;
        until(|| {
            app.0.begun() == 2
                && server.listener().connections().iter().map(|one| one.bytes_in).sum::<u64>() == 27 + 31 + 18
        })
        .await;
        let (report, ()) = join!(server.drain(), async {
            assert_eq!(heard(&mut silent).await, "");
            assert_eq!(heard(&mut idle).await, "");
            half.write_all(b"st: a\r\n\r\n").await.unwrap();
            for stream in [&mut busy, &mut half] {
                let heard = heard(stream).await;
                assert_eq!(statuses(&heard), [200]);
                assert!(heard.contains("connection: close\r\n"), "{heard}");
            }
        });
        assert_eq!((report.finished, report.killed, server.listener().count()), (4, 0, 0));
        Ok(())
    });
}

#[test]
fn what_does_not_end_is_killed() {
    run(async {
        let app = App::default();
        let mut options = Options::default();
        options.listener.drain_timeout = 50.millis();
        let server = start(options, app.clone()).await;
        let mut stream = TcpStream::connect(server.local_addr()).await?;
        stream.write_all(b"GET /never HTTP/1.1\r\nhost: a\r\n\r\n").await?;
        until(|| app.0.begun() == 1).await;
        assert_eq!(server.drain().await.killed, 1);
        assert_eq!(app.0.dropped(), 1);
        Ok(())
    });
}

#[test]
fn in_a_tree_it_drains_when_the_tree_stops() {
    run(async {
        let app = App::default();
        let server = Server::bind("127.0.0.1:0".parse()?, Options::default(), app.clone()).await?;
        let tree = Supervisor::one_for_one().child("http", server.child()).start("tree").await?;
        assert_eq!(statuses(&exchange(&server, "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await), [200]);
        let mut gone = TcpStream::connect(server.local_addr()).await?;
        gone.write_all(b"POST /slow HTTP/1.1\r\nhost: a\r\n\r\n").await?;
        until(|| app.0.begun() == 2).await;
        drop(gone);
        tree.stop(10.secs()).await;
        assert_eq!((app.0.done(), server.listener().count(), server.shielded()), (2, 0, 0));
        Ok(())
    });
}
