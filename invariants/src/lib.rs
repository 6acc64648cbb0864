//! Named checkers: what must be true of every run, whatever the seed.
//!
//! Each is fed by the telemetry events that production emits too, and stands in a file of its own
//! with the planted bug that it must catch (`cargo sim planted` runs them all).
//!
//! | invariant | planted bug that it catches |
//! | --- | --- |
//! | [`EchoBounded`] `echo.buffer_bounded` | `echo.unbounded-buffer` |
//! | [`CapsRespected`] `net.caps_respected` | `net.cap-check-then-act` |
//! | [`CountReturns`] `net.count_returns` | `net.count-not-decremented` |
//! | [`DrainLeavesNone`] `net.drain_leaves_none` | `net.drain-forgets-state` |
//! | [`EchoInOrder`] `echo.in_order` | `echo.byte-twice` |
//! | [`MonitorDownOnce`] `monitor.down_once` | `otp.kill-forgotten`, `otp.stale-down` |
//! | [`NoBystanderHurt`] `echo.no_bystander_hurt` | `echo.kills-a-neighbour` |
//! | [`ServesAgain`] `net.serves_again` | `net.lost-wakeup` |
//! | [`NoOrphans`] `supervisor.no_orphans` | `otp.orphans-live`, `supervisor.forgets-rollback` |
//! | [`NoDoubleStart`] `supervisor.no_double_start` | `supervisor.double-start` |
//! | [`IntensityRespected`] `supervisor.intensity_respected` | `supervisor.intensity-off-by-one` |
//! | [`SupervisorOrder`] `supervisor.order` | `supervisor.order-not-reversed` |
//! | [`SupervisorRestarts`] `supervisor.restarts` | `supervisor.lost-restart` |
//! | [`SupervisorStopBounded`] `supervisor.stop_bounded` | `otp.shutdown-ignored` |
//! | [`LinkExitPropagates`] `link.exit_propagates` | `otp.link-forgotten`, `otp.normal-exit-kills` |
//! | [`CallOneReplyOrError`] `call.one_reply_or_error` | `otp.call-forgets-the-dead`, `otp.reply-forgotten` |
//! | [`MailboxBounded`] `mailbox.bounded` | `otp.mailbox-off-by-one`, `otp.block-loses`, `otp.shed-unsaid` |
//! | [`MailboxFifoPerSender`] `mailbox.fifo_per_sender` | `otp.mailbox-overtakes` |
//! | [`TimerNeverEarly`] `timer.never_early` | `otp.timer-early`, `supervisor.delay-cut-short` |
//! | [`RegistryOneOwner`] `registry.one_owner` | `registry.two-owners`, `registry.stale-name` |
//! | [`ApplicationOrder`] `application.order` | `application.stops-in-order`, `application.forgets-stage` |
//! | [`DynamicLimitKept`] `dynamic.limit_kept` | `dynamic.limit-check-then-act` |
//! | [`HttpOneResponse`] `http.one_response` | `http.double-response` |
//! | [`HttpDrainLosesNothing`] `http.drain_loses_nothing` | `http.drain-drops-request` |
//! | [`HttpWritesFinish`] `http.writes_finish` | `http.write-not-shielded` |
//! | [`HttpNothingAfterGone`] `http.nothing_after_gone` | `http.ignores-gone` |
//! | [`HttpMemoryBounded`] `http.memory_bounded` | `http.head-unbounded`, `http.chunks-unbounded`, `web.part-head-unbounded`, `web.part-text-unbounded` |
//! | [`WsCloseLosesNothing`] `ws.close_loses_nothing` | `ws.close-race` |
//! | [`PresenceConverges`] `presence.converges` | `presence.removal-forgets-tag`, `presence.removal-without-tick`, `presence.old-version-kept`, `presence.down-unnoticed`, `presence.end-unnoticed`, `presence.resurrects` |
//! | [`PresenceOneDiff`] `presence.one_diff_per_change` | `presence.leave-told-twice` |
//! | [`PresenceStaleBounded`] `presence.stale_bounded` | `presence.waits-two-ticks` |
//! | [`PresenceDiffsReplay`] `presence.diffs_replay` | `presence.update-without-leave` |
//! | [`PubsubNoLoss`] `pubsub.no_loss_while_connected` | `pubsub.topic-taken-away`, `pubsub.place-not-asked`, `pubsub.panic-stops`, `pubsub.from-forgotten`, `pubsub.drop-unsaid`, `pubsub.recv-holds-on` |
//! | [`PubsubNoDuplicate`] `pubsub.no_duplicate` | `pubsub.panic-starts-over` |
//! | [`PubsubFifo`] `pubsub.fifo_per_sender` | `pubsub.outbox-overtakes` |
//! | [`PubsubOutboxBounded`] `pubsub.outbox_bounded` | `pubsub.outbox-off-by-one` |
//! | [`ChannelNoLoss`] `pubsub.no_loss_while_connected`, over the wire | `channels.reply-before-subscribe` |
//! | [`ChannelNoDuplicate`] `pubsub.no_duplicate`, over the wire | `channels.resume-one-too-many` |
//! | [`ChannelFifo`] `pubsub.fifo_per_sender`, over the wire | `channels.outbox-overtakes` |
//! | [`ChannelPaired`] `channel.join_leave_paired` | `channels.join-left-behind`, `channels.replace-not-awaited` |
//! | [`ChannelNoOldIncarnation`] `channel.no_old_incarnation` | `channels.close-after-join` |
//! | [`ChannelOutboxBounded`] `channel.outbox_bounded` | `channels.outbox-unbounded` |
//! | [`ChannelGapReported`] `channel.gap_reported` | `channels.resume-gap-unsaid` |
//! | [`ChannelBudgetKept`] `channel.budget_kept` | `channels.budget-ignored` |
//! | [`ChannelDrainInBatches`] `channel.drain_in_batches` | `channels.drain-at-once` |
//! | [`LogLosesNothing`] `log.nothing_acked_lost` | `wal.unsynced`, `wal.acked-before-sync`, `wal.short-read`, `wal.unchecked`, `wal.sync-again`, `wal.found-is-safe`, `fs.replace-unsynced`, `fs.rename-unsynced` |
//! | [`HistoryLosesNothing`] `history.nothing_acked_lost` | `history.unsynced`, `history.acked-before-sync`, `history.short-read`, `history.found-is-safe`, `history.directory-unsynced` |
//! | [`HistoryLinearizable`] `history.linearizable` | `register.read-one`, `register.ack-one`, `register.quorum-of-reachable`, `register.no-write-back`, `register.unsynced` |
//! | [`OnceEffect`] `effect.exactly_once` | `register.new-version-on-retry`, `register.late-is-failed` |
//! | [`ReplicasConverge`] `replica.converges` | `register.gossip-forgets` |
//! | [`LiveProgress`] `live.progress` | `register.pause-unbounded` |
//! | [`NodeQuiesces`] `node.quiesces` | `register.gossip-echoes` |
//! | [`MemoryBounded`] `memory.bounded` | `register.queue-unbounded` |
//! | [`DeadlineKept`] `deadline.kept` | `clock.deadline-by-wall` |
//! | [`WorkersEnd`] `children.workers_end` | `children.input-ignored` |
//! | [`SessionKept`] `session.kept` | `web.session-old-key-lost`, `web.session-not-rewritten`, `web.session-comes-back` |

#![forbid(unsafe_code)]

mod application_order;
mod by_node;
mod call_one_reply;
mod caps_respected;
mod channels_bounds;
mod channels_lives;
mod channels_no_loss;
mod channels_order;
mod count_returns;
mod deadline_kept;
mod drain_leaves_none;
mod dynamic_limit_kept;
mod echo_bounded;
mod echo_in_order;
pub mod history;
mod history_loses_nothing;
mod http_drain_loses_nothing;
mod http_memory_bounded;
mod http_nothing_after_gone;
mod http_one_response;
mod http_writes_finish;
mod link_exit_propagates;
mod live_progress;
mod log_loses_nothing;
mod mailbox_bounded;
mod mailbox_fifo;
mod memory_bounded;
mod monitor_down_once;
mod no_bystander_hurt;
mod node_quiesces;
mod once_effect;
mod presence_converges;
mod presence_one_diff;
mod presence_stale;
mod pubsub_fifo;
mod pubsub_no_duplicate;
mod pubsub_no_loss;
mod pubsub_outbox_bounded;
mod registry_one_owner;
mod replicas_converge;
mod serves_again;
mod session_kept;
mod supervisor_intensity;
mod supervisor_no_double_start;
mod supervisor_no_orphans;
mod supervisor_order;
mod supervisor_restarts;
mod supervisor_stop_bounded;
mod timer_never_early;
mod workers_end;
mod ws_close_loses_nothing;

pub use application_order::ApplicationOrder;
pub use call_one_reply::CallOneReplyOrError;
pub use caps_respected::CapsRespected;
pub use channels_bounds::{ChannelBudgetKept, ChannelDrainInBatches, ChannelOutboxBounded};
pub use channels_lives::{ChannelNoOldIncarnation, ChannelPaired};
pub use channels_no_loss::{ChannelGapReported, ChannelNoLoss};
pub use channels_order::{ChannelFifo, ChannelNoDuplicate};
pub use count_returns::CountReturns;
pub use deadline_kept::DeadlineKept;
pub use drain_leaves_none::DrainLeavesNone;
pub use dynamic_limit_kept::DynamicLimitKept;
pub use echo_bounded::EchoBounded;
pub use echo_in_order::EchoInOrder;
pub use history::HistoryLinearizable;
pub use history_loses_nothing::HistoryLosesNothing;
pub use http_drain_loses_nothing::HttpDrainLosesNothing;
pub use http_memory_bounded::HttpMemoryBounded;
pub use http_nothing_after_gone::HttpNothingAfterGone;
pub use http_one_response::HttpOneResponse;
pub use http_writes_finish::HttpWritesFinish;
pub use link_exit_propagates::LinkExitPropagates;
pub use live_progress::LiveProgress;
pub use log_loses_nothing::{LogCounts, LogLosesNothing};
pub use mailbox_bounded::MailboxBounded;
pub use mailbox_fifo::MailboxFifoPerSender;
pub use memory_bounded::MemoryBounded;
pub use monitor_down_once::MonitorDownOnce;
pub use no_bystander_hurt::NoBystanderHurt;
pub use node_quiesces::NodeQuiesces;
pub use once_effect::OnceEffect;
pub use presence_converges::PresenceConverges;
pub use presence_one_diff::{PresenceDiffsReplay, PresenceOneDiff};
pub use presence_stale::PresenceStaleBounded;
pub use pubsub_fifo::PubsubFifo;
pub use pubsub_no_duplicate::PubsubNoDuplicate;
pub use pubsub_no_loss::PubsubNoLoss;
pub use pubsub_outbox_bounded::PubsubOutboxBounded;
pub use registry_one_owner::RegistryOneOwner;
pub use replicas_converge::ReplicasConverge;
pub use serves_again::ServesAgain;
pub use session_kept::SessionKept;
pub use supervisor_intensity::IntensityRespected;
pub use supervisor_no_double_start::NoDoubleStart;
pub use supervisor_no_orphans::NoOrphans;
pub use supervisor_order::SupervisorOrder;
pub use supervisor_restarts::SupervisorRestarts;
pub use supervisor_stop_bounded::SupervisorStopBounded;
pub use timer_never_early::TimerNeverEarly;
pub use workers_end::WorkersEnd;
pub use ws_close_loses_nothing::WsCloseLosesNothing;
