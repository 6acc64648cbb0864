//! The simulations as plain tests, and the planted bugs.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::unwrap_used)] // a test starts programs, and asks what the bans keep from others

use std::collections::BTreeSet;

use scenarios::{channels, echo, http, otp, presence, pubsub, register, registry, sessions};
use simurgh_sim::{Outcome, Profile, RunConfig, Sim, Simulation, Verdict, run_once};

fn simulation(name: &str) -> Simulation {
    registry().get(name).unwrap_or_else(|| panic!("there is no simulation {name}")).clone()
}

#[simurgh_sim::test(seeds = 200)]
async fn echo_chaos(sim: Sim) -> Outcome {
    echo::chaos(sim).await
}

#[simurgh_sim::test(seeds = 100)]
async fn http_clients(sim: Sim) -> Outcome {
    http::clients(sim).await
}

#[simurgh_sim::test(seeds = 100)]
async fn http_floods(sim: Sim) -> Outcome {
    http::floods::floods(sim).await
}

#[simurgh_sim::test(seeds = 100, profile = http::leaving::profile())]
async fn http_leaving(sim: Sim) -> Outcome {
    http::leaving::leaving(sim).await
}

#[simurgh_sim::test(seeds = 100)]
async fn otp_monitors(sim: Sim) -> Outcome {
    otp::monitors::monitors(sim).await
}

#[simurgh_sim::test(seeds = 100)]
async fn otp_links(sim: Sim) -> Outcome {
    otp::links::links(sim).await
}

#[simurgh_sim::test(seeds = 100)]
async fn otp_restarts(sim: Sim) -> Outcome {
    otp::restarts::restarts(sim).await
}

#[simurgh_sim::test(seeds = 100)]
async fn otp_calls(sim: Sim) -> Outcome {
    otp::calls::calls(sim).await
}

#[simurgh_sim::test(seeds = 50)]
async fn otp_mailboxes(sim: Sim) -> Outcome {
    otp::mailboxes::mailboxes(sim).await
}

#[simurgh_sim::test(seeds = 100)]
async fn otp_timers(sim: Sim) -> Outcome {
    otp::timers::timers(sim).await
}

#[simurgh_sim::test(seeds = 100)]
async fn otp_boot(sim: Sim) -> Outcome {
    otp::boot::boot(sim).await
}

#[simurgh_sim::test(seeds = 100)]
async fn otp_registry(sim: Sim) -> Outcome {
    otp::registry::names(sim).await
}

#[simurgh_sim::test(seeds = 100)]
async fn otp_application(sim: Sim) -> Outcome {
    otp::application::application(sim).await
}

#[simurgh_sim::test(seeds = 100)]
async fn otp_dynamic(sim: Sim) -> Outcome {
    otp::dynamic::dynamic(sim).await
}

#[simurgh_sim::test(seeds = 100)]
async fn pubsub_outboxes(sim: Sim) -> Outcome {
    pubsub::outboxes::outboxes(sim).await
}

#[test]
fn the_idle_studio_stays_as_it_is() {
    let report = run_once(&RunConfig::new(0, Profile::calm()), simulation("studio/idle").body());
    assert_eq!(report.failure, None);
    assert!(report.elapsed.as_secs() >= 36_000, "{:?}", report.elapsed);
}

#[simurgh_sim::test(seeds = 100)]
async fn register_majorities(sim: Sim) -> Outcome {
    register::majorities(sim).await
}

#[simurgh_sim::test(seeds = 50)]
async fn pubsub_churn(sim: Sim) -> Outcome {
    pubsub::churn::churn(sim).await
}

#[simurgh_sim::test(seeds = 30)]
async fn channels_rooms(sim: Sim) -> Outcome {
    channels::rooms::rooms(sim).await
}

#[simurgh_sim::test(seeds = 30, profile = channels::rooms::profile())]
async fn channels_polls(sim: Sim) -> Outcome {
    channels::rooms::polls(sim).await
}

#[simurgh_sim::test(seeds = 20, profile = channels::deploy::profile())]
async fn channels_deploy(sim: Sim) -> Outcome {
    channels::deploy::deploy(sim).await
}

#[simurgh_sim::test(seeds = 30, profile = channels::slow::profile())]
async fn channels_slow(sim: Sim) -> Outcome {
    channels::slow::slow(sim).await
}

#[simurgh_sim::test(seeds = 30)]
async fn channels_resume(sim: Sim) -> Outcome {
    channels::resume::resume(sim).await
}

#[simurgh_sim::test(seeds = 30, profile = channels::flood::profile())]
async fn channels_flood(sim: Sim) -> Outcome {
    channels::flood::flood(sim).await
}

#[test]
fn each_planted_bug_of_channels_is_found() {
    for (name, bug, invariant) in [
        ("channels/rooms", "channels.reply-before-subscribe", "pubsub.no_loss_while_connected"),
        ("channels/rooms", "channels.outbox-overtakes", "pubsub.fifo_per_sender"),
        ("channels/rooms", "channels.join-left-behind", "channel.join_leave_paired"),
        ("channels/rooms", "channels.replace-not-awaited", "channel.join_leave_paired"),
        ("channels/rooms", "channels.close-after-join", "channel.no_old_incarnation"),
        ("channels/polls", "channels.outbox-overtakes", "pubsub.fifo_per_sender"),
        ("channels/deploy", "channels.drain-at-once", "channel.drain_in_batches"),
        ("channels/slow", "channels.outbox-unbounded", "channel.outbox_bounded"),
        ("channels/slow", "channels.outbox-overtakes", "pubsub.fifo_per_sender"),
        ("channels/resume", "channels.resume-gap-unsaid", "channel.gap_reported"),
        ("channels/resume", "channels.resume-one-too-many", "pubsub.no_duplicate"),
        ("channels/flood", "channels.budget-ignored", "channel.budget_kept"),
    ] {
        let simulation = simulation(name);
        let found = find(&simulation, bug, simulation.own_profile(), 0..1_000);
        assert_eq!(found.as_ref().map(Verdict::invariant), Some(invariant), "{name}, {bug}: {found:?}");
    }
}

/// It is heard beside what comes next, or after the last word of its channel.
#[test]
fn a_channel_that_hears_after_its_close_is_found_twice() {
    let (rooms, bug) = (simulation("channels/rooms"), "channels.hears-after-close");
    let mut found = BTreeSet::new();
    for seed in 0..1_000 {
        if found.len() < 2 {
            found.extend(find(&rooms, bug, rooms.own_profile(), seed..seed + 1).map(|bad| bad.invariant().to_owned()));
        }
    }
    for invariant in ["pubsub.no_duplicate", "channel.no_old_incarnation"] {
        assert!(found.contains(invariant), "{found:?}");
    }
}

#[test]
fn each_planted_bug_of_publish_subscribe_is_found() {
    for (name, bug, invariant) in [
        ("pubsub/outboxes", "pubsub.outbox-off-by-one", "pubsub.outbox_bounded"),
        ("pubsub/outboxes", "pubsub.outbox-overtakes", "pubsub.fifo_per_sender"),
        ("pubsub/outboxes", "pubsub.drop-unsaid", "pubsub.no_loss_while_connected"),
        ("pubsub/outboxes", "pubsub.recv-holds-on", "pubsub.no_loss_while_connected"),
        ("pubsub/churn", "pubsub.topic-taken-away", "pubsub.no_loss_while_connected"),
        ("pubsub/churn", "pubsub.place-not-asked", "pubsub.no_loss_while_connected"),
        ("pubsub/churn", "pubsub.panic-stops", "pubsub.no_loss_while_connected"),
        ("pubsub/churn", "pubsub.from-forgotten", "pubsub.no_loss_while_connected"),
        ("pubsub/churn", "pubsub.panic-starts-over", "pubsub.no_duplicate"),
    ] {
        let simulation = simulation(name);
        let found = find(&simulation, bug, simulation.own_profile(), 0..300);
        assert_eq!(found.as_ref().map(Verdict::invariant), Some(invariant), "{name}, {bug}: {found:?}");
    }
    let simulation = simulation("pubsub/outboxes");
    let found = find(&simulation, "pubsub.replace-loses-latest", simulation.own_profile(), 0..300);
    assert!(found.is_some(), "a message that is not the latest of its key goes unseen");
}

#[simurgh_sim::test(seeds = 200)]
async fn web_sessions(sim: Sim) -> Outcome {
    sessions::sessions(sim).await
}

#[simurgh_sim::test(seeds = 100)]
async fn presence_replicas(sim: Sim) -> Outcome {
    presence::replicas(sim).await
}

#[test]
fn each_planted_bug_of_presence_is_found() {
    let staleness = simulation("presence/staleness");
    let found = find(&staleness, "presence.waits-two-ticks", staleness.own_profile(), 0..100);
    assert_eq!(found.as_ref().map(Verdict::invariant), Some("presence.stale_bounded"), "{found:?}");
    assert_eq!(run_once(&RunConfig::new(0, staleness.own_profile().clone()), staleness.body()).failure, None);
    let simulation = simulation("presence/replicas");
    for (bug, invariant) in [
        ("presence.removal-forgets-tag", "presence.converges"),
        ("presence.removal-without-tick", "presence.converges"),
        ("presence.old-version-kept", "presence.converges"),
        ("presence.resurrects", "presence.converges"),
        ("presence.down-unnoticed", "presence.converges"),
        ("presence.end-unnoticed", "presence.converges"),
        ("presence.leave-told-twice", "presence.one_diff_per_change"),
        ("presence.update-without-leave", "presence.diffs_replay"),
    ] {
        let found = find(&simulation, bug, simulation.own_profile(), 0..1_000);
        assert_eq!(found.as_ref().map(Verdict::invariant), Some(invariant), "{bug}: {found:?}");
    }
}

#[test]
fn each_planted_bug_of_sessions_is_found() {
    let simulation = simulation("web/sessions");
    for bug in ["web.session-old-key-lost", "web.session-not-rewritten", "web.session-comes-back"] {
        let found = find(&simulation, bug, simulation.own_profile(), 0..300);
        assert_eq!(found.as_ref().map(Verdict::invariant), Some("session.kept"), "{bug}: {found:?}");
    }
}

/// Each seed runs all 360 orders, and a crash at each await point.
#[simurgh_sim::test(seeds = 5)]
async fn every_crash_order_of_a_tree(sim: Sim) -> Outcome {
    otp::tree::crash_orders(sim).await?;
    assert_eq!(sim.tally().covered("orders"), (360, 360));
    let (covered, of) = sim.tally().covered("await points of start and stop");
    assert!(covered == of && of > 100, "{covered} of {of}");
    for never in ["orphans", "double starts", "lost replies without an error"] {
        assert_eq!(sim.tally().counted(never), 0, "{never}");
    }
    assert!(sim.tally().counted("calls while children crashed") > 1_000);
    Ok(())
}

/// The reply is lost in a panic that the server survives: the caller cannot know, and does not wait out its limit.
#[simurgh_sim::test(seeds = 20)]
async fn a_panic_that_a_server_catches_does_not_hold_its_caller(sim: Sim) -> Outcome {
    use simurgh::otp::{CallError, Context, Flow, Reply, Server};
    use simurgh::prelude::{ExitReason, Instant, otp as processes};

    struct Careful;
    impl Server for Careful {
        type Message = Reply<()>;

        async fn handle(&mut self, reply: Reply<()>, _: &mut Context<Self>) -> Flow {
            let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
                let _reply = reply;
                panic!("as planned");
            }));
            assert!(caught.is_err());
            Flow::Continue
        }
    }

    let node = sim.node("node", || async {
        let careful = processes::start("careful", Careful).await.map_err(|error| error.to_string())?;
        let began = Instant::now();
        let answer = careful.call(|reply| reply).await;
        assert!(matches!(answer, Err(CallError::NoReply { .. })), "{answer:?}");
        assert!(began.elapsed() < std::time::Duration::from_millis(1_100));
        assert_eq!(careful.stop(std::time::Duration::from_secs(1)).await, ExitReason::Normal);
        Ok::<(), String>(())
    });
    match node.ended().await {
        simurgh_sim::Exit::Finished => Ok(()),
        other => Err(format!("{other:?}").into()),
    }
}

#[test]
fn a_circle_of_calls_is_named_with_both_labels() {
    let simulation = simulation("verdict/call-cycle");
    for seed in 0..20 {
        let report = run_once(&RunConfig::new(seed, simulation.own_profile().clone()), simulation.body());
        let Some(Verdict::WaitCycle(circle)) = &report.failure else { panic!("seed {seed}: {:?}", report.failure) };
        for part in ["(books)", "(accounts)", "waits for an answer, held by"] {
            assert!(circle.contains(part), "seed {seed}: {circle}");
        }
    }
}

#[test]
fn a_body_that_comes_byte_by_byte_is_ended() {
    let simulation = simulation("http/floods");
    let found = find(&simulation, "http.body-clock-starts-anew", simulation.own_profile(), 0..300);
    assert!(found.is_some(), "a client that sends a byte now and then stays for ever");
}

#[test]
fn each_planted_bug_of_processes_and_http_is_found_by_its_invariant() {
    for (name, bug, invariant) in [
        ("otp/monitors", "otp.kill-forgotten", "monitor.down_once"),
        ("otp/links", "otp.link-forgotten", "link.exit_propagates"),
        ("otp/links", "otp.normal-exit-kills", "link.exit_propagates"),
        ("otp/links", "otp.stale-down", "monitor.down_once"),
        ("otp/restarts", "supervisor.double-start", "supervisor.no_double_start"),
        ("otp/restarts", "supervisor.intensity-off-by-one", "supervisor.intensity_respected"),
        ("otp/restarts", "supervisor.lost-restart", "supervisor.restarts"),
        ("otp/restarts", "supervisor.order-not-reversed", "supervisor.order"),
        ("otp/restarts", "supervisor.delay-cut-short", "timer.never_early"),
        ("otp/restarts", "otp.orphans-live", "supervisor.no_orphans"),
        ("otp/boot", "supervisor.forgets-rollback", "supervisor.no_orphans"),
        ("otp/boot", "otp.shutdown-ignored", "supervisor.stop_bounded"),
        ("otp/calls", "otp.call-forgets-the-dead", "call.one_reply_or_error"),
        ("otp/calls", "otp.reply-forgotten", "call.one_reply_or_error"),
        ("otp/mailboxes", "otp.mailbox-off-by-one", "mailbox.bounded"),
        ("otp/mailboxes", "otp.block-loses", "mailbox.bounded"),
        ("otp/mailboxes", "otp.shed-unsaid", "mailbox.bounded"),
        ("otp/mailboxes", "otp.mailbox-overtakes", "mailbox.fifo_per_sender"),
        ("otp/timers", "otp.timer-early", "timer.never_early"),
        ("otp/registry", "registry.two-owners", "registry.one_owner"),
        ("otp/registry", "registry.stale-name", "registry.one_owner"),
        ("otp/application", "application.stops-in-order", "application.order"),
        ("otp/application", "application.forgets-stage", "application.order"),
        ("otp/dynamic", "dynamic.limit-check-then-act", "dynamic.limit_kept"),
        ("http/clients", "http.double-response", "http.one_response"),
        ("http/clients", "http.drain-drops-request", "http.drain_loses_nothing"),
        ("http/clients", "http.write-not-shielded", "http.writes_finish"),
        ("http/clients", "http.ignores-gone", "http.nothing_after_gone"),
        ("http/clients", "ws.close-race", "ws.close_loses_nothing"),
        ("http/floods", "http.head-unbounded", "http.memory_bounded"),
        ("http/floods", "http.chunks-unbounded", "http.memory_bounded"),
        ("http/floods", "web.part-head-unbounded", "http.memory_bounded"),
        ("http/floods", "web.part-text-unbounded", "http.memory_bounded"),
        ("http/floods", "http.double-response", "http.one_response"),
        ("http/leaving", "http.write-not-shielded", "http.writes_finish"),
        ("http/leaving", "http.ignores-gone", "http.nothing_after_gone"),
    ] {
        let simulation = simulation(name);
        let found = find(&simulation, bug, simulation.own_profile(), 0..300);
        assert_eq!(found.as_ref().map(Verdict::invariant), Some(invariant), "{name}, {bug}: {found:?}");
    }
}

/// The first of `seeds` that finds the bug, and how.
fn find(simulation: &Simulation, bug: &str, profile: &Profile, seeds: std::ops::Range<u64>) -> Option<Verdict> {
    seeds.into_iter().find_map(|seed| {
        let config = RunConfig { planted: Some(bug.to_owned()), ..RunConfig::new(seed, profile.clone()) };
        run_once(&config, simulation.body()).failure
    })
}

#[test]
fn each_planted_bug_is_found_by_its_invariant_and_missed_without_faults() {
    let expected = [
        ("net.kill-leaves-entry", "net.count_returns"),
        ("net.accept-not-tried-again", ""),
        ("net.cap-check-then-act", "net.caps_respected"),
        ("net.lost-wakeup", "net.serves_again"),
        ("net.count-not-decremented", "net.count_returns"),
        ("net.drain-forgets-state", "net.drain_leaves_none"),
        ("echo.unbounded-buffer", "echo.buffer_bounded"),
        ("echo.byte-twice", "echo.in_order"),
        ("echo.kills-a-neighbour", "echo.no_bystander_hurt"),
    ];
    assert_eq!(expected.map(|(bug, _)| bug), echo::PLANTED);
    let chaos = simulation("echo/chaos");
    for (bug, invariant) in expected {
        let found = find(&chaos, bug, &Profile::nasty(), 0..1000);
        assert_eq!(found.as_ref().map(Verdict::invariant), Some(invariant), "{bug}: {found:?}");
        assert_eq!(find(&chaos, bug, &Profile::calm(), 0..3), None, "{bug} is found without faults");
    }
}
