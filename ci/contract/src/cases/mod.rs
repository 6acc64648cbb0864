//! The cases. Each has a server's and a client's side, which say what they see; the kernel's answer is the right one.

/// A side that does nothing.
macro_rules! nobody {
    ($side:ident) => {
        pub async fn $side<A: Arm>(_: &Scene) {}
    };
}

macro_rules! case {
    ($name:ident { $($body:tt)* }) => {
        pub mod $name {
            #[allow(unused_imports)]
            use tokio::io::{AsyncReadExt, AsyncWriteExt};
            #[allow(unused_imports)]
            use simurgh_runtime::fs::{self, File, OpenOptions};
            #[allow(unused_imports)]
            use simurgh_runtime::process::Stdio;
            #[allow(unused_imports)]
            use simurgh_runtime::signal::Signal;
            #[allow(unused_imports)]
            use crate::arm::{Arm, Scene};
            #[allow(unused_imports)]
            use crate::cases::help::{self, BEAT, accept, connect, rest, show};

            $($body)*
        }
    };
}

mod datagrams;
mod files;
mod help;
mod processes;
mod streams;
mod time;

use crate::arm::{Arm, Scene};

/// One case.
#[derive(Clone, Copy)]
pub struct Case {
    which: Which,
    /// What it asks.
    pub asks: &'static str,
}

macro_rules! cases {
    ($($area:ident: $($name:ident $asks:literal,)*;)*) => {
        #[derive(Clone, Copy)]
        #[allow(non_camel_case_types)] // the names of the modules
        enum Which {
            $($($name,)*)*
        }

        /// All cases, by area and name.
        pub const CASES: &[(&str, &str, Case)] = &[
            $($((stringify!($area), stringify!($name), Case { which: Which::$name, asks: $asks }),)*)*
        ];

        impl Case {
            /// The server's side.
            pub async fn server<A: Arm>(self, scene: Scene) {
                match self.which {
                    $($(Which::$name => $area::$name::server::<A>(&scene).await,)*)*
                }
            }

            /// The client's side: it begins when the server has had time to listen.
            pub async fn client<A: Arm>(self, scene: Scene) {
                A::sleep(help::BEAT).await;
                match self.which {
                    $($(Which::$name => $area::$name::client::<A>(&scene).await,)*)*
                }
            }
        }
    };
}

cases! {
    streams:
        closed_port "a connection to a port that nobody has open",
        early_end "reading to the end of what a peer wrote before it closed",
        half_close "answering after the other side has shut down its writing",
        unread "a peer closes while bytes for it are unread",
        write_to_gone "writing on, after the peer has closed with nothing unread",
        zero_linger "a peer closes with SO_LINGER of 0",
        reset_after_data "bytes that arrived before a reset",
        after_reset "a second call after a reset was told",
        own_shutdown "writing after one's own shutdown",
        second_shutdown "shutting down twice",
        early_words "a client that spoke and left before it was accepted",
        not_accepted "a listener closes while a connection waits",
        listener_gone "connecting after the listener has closed",
        port_taken "listening on a port that is taken",
        port_again "listening on a port again, at once after the listener closed",
        full_window "writing to a peer that does not read, then does",
        nothing "reading into no room, writing nothing",
        write_half "dropping the writing half alone",
        read_half "dropping the reading half alone",
        addresses "the addresses that both sides see",
        loopback "connecting to 127.0.0.1 on the own machine",
        both_close "both sides close at once",
        cancelled_read "a read that was given up loses nothing",
        cancelled_accept "an accept that was given up loses nothing",
    ;
    datagrams:
        there_and_back "a datagram, its sender, and an answer",
        too_small "a buffer that is too small, and what comes next",
        empty "a datagram of nothing",
        waits "a datagram that came before anybody asked for it",
        closed_untold "sending to a closed port without being connected",
        closed_told "sending to a closed port when connected",
        strangers "a connected socket and what strangers send",
        too_long "a datagram of 65,508 bytes",
        longest "a datagram of 65,507 bytes",
        no_address "sending without an address and without being connected",
        taken "opening a port that is taken",
        reopened "a port that was closed and opened again",
    ;
    time:
        never_early "waking from a sleep",
        in_order "sleeps that end in another order than they began",
        no_time "sleeping for no time",
        value_first "a time limit of no time around what is ready",
        limit "a time limit around what never comes",
        given_up "a sleep that is given up and one after it",
    ;
    files:
        missing "calls on what is not there",
        create_new "making a file that must not be there",
        positions "reading at, near and beyond the end",
        hole "writing beyond the end, cutting, and growing again",
        truncated "emptying a file that is open elsewhere",
        wrong_way "writing to what was opened to be read, and the other way round",
        removed_open "a file that is removed while it is open",
        renamed_over "renaming over a file that is open",
        renamed_folders "renaming files and folders onto each other",
        folders "folders, and files taken for folders",
        locks "locks of one file, by three who have it open",
        replaced "replacing a file as a whole, while it is open",
    ;
    processes:
        statuses "how processes end by themselves",
        signals "how they end by signals, and once more",
        there_and_through "writing to a process, reading from it, ending its input",
        waits_for_the_end "waiting closes the process's input",
        last_words "reading what a process said before it ended",
        full_pipe "writing to a process that does not read",
        broken_pipe "pipes of a process that was killed",
        nobody_listens "a process without an input",
        handed_over "arguments and variables",
        dropped "dropping the handle of a process",
        detached "dropping the handle of a detached one",
    ;
}
