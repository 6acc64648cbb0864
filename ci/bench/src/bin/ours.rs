//! Ours: the echo service as it is, with its default limits.

use simurgh_labs::echo::{Echo, EchoSettings};

fn main() {
    simurgh_runtime::run("echo", async {
        let mut settings = EchoSettings::load(&Default::default()).expect("defaults");
        settings.addr.set_port(0);
        let echo = Echo::start(&settings).await.expect("a free port");
        println!("{}", echo.listener.local_addr().port());
        std::future::pending::<()>().await;
    });
}
