//! Fault-injection tests. They run `publish`, `status` and `api` as processes, inject a fault into one of the calls to
//! AWS or TikTok, and then read the ledger of TikTok's simulator.
//!
//! They check one claim: every video is posted exactly once with its own bytes, or ends in another way that the model
//! permits (for example cancelled). [`checker`] defines the claim.
//!
//! ```text
//!                 Runtime API (`harness::lambda`)
//!                    │ event, or SIGKILL
//!   clock ──▶ publish, status, api ──▶ fault proxy ──▶ in-memory AWS, TikTok's simulator
//! ```
//!
//! The functions are the real binaries in processes of their own. They are configured with other addresses, as an
//! operator can do, and their clock is shifted from outside. They contain no code for these tests.
//!
//! - A *story* is one kind of post, from its trigger to its end. A *run* plays a story once with its planned faults.
//! - A *campaign* plays many runs, usually one for each call of a story. Its result is a *row* of the report.
//!
//! With `campaign` as the first argument (`make chaos`), the binary plays all campaigns, prints a table and writes
//! `target/chaos.json`. Otherwise it is a test binary (`make test`) that plays a part of the campaigns.
//!
//! Reading order: [`interruptions`] for what is injected, [`story`] and [`checker`] for what a run is, then
//! [`test_env`] and [`fault_proxy`] for how it works.

mod bucket_check;
mod faults;
mod histories;
mod interruptions;
mod load;
mod recursion;
mod slow;

mod campaigns;
mod enumeration;
mod report;
mod runner;

mod checker;
mod model;
mod story;
mod test_post;
mod unknowns;

mod conformance;

mod clock;
mod fault_proxy;
mod test_env;

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Result, ensure};
use libtest_mimic::{Arguments, Failed, Trial};

use campaigns::Campaign;
use enumeration::{Enumeration, RunCache};
use histories::History;
use report::{Head, Report, Row};
use story::Story;
use test_env::{Command, Paths};
use unknowns::{DOCUMENTED, SLOW_AND_SILENT, TikTokVariant};

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().collect();
    if arguments.get(1).is_some_and(|first| first == "campaign") {
        return play_campaigns(&arguments[2..]).unwrap_or_else(|error| {
            drop(writeln!(std::io::stderr(), "{error:#}"));
            ExitCode::FAILURE
        });
    }
    let mut arguments = Arguments::from_args();
    // Each trial uses several threads itself.
    arguments.test_threads = Some(1);
    libtest_mimic::run(&arguments, trials()).exit_code()
}

/// The trials of `make test`. "At every fourth call" means: every fourth run of the campaign, whose runs are in the
/// order of the calls. docs/guarantees.md lists these names.
fn trials() -> Vec<Trial> {
    let kill = |name: &str, story: Story, step: usize| enumerated(name, interruptions::killed(story), step);
    vec![
        kill("kill_at_each_call_publishes_small_post_once", Story::OneChunk, 1),
        kill("kill_at_every_second_call_publishes_drop_with_lost_event_once", Story::EventLost, 2),
        enumerated("every_fifth_fault_publishes_drop_with_lost_event_once", faults::faults(Story::EventLost), 5),
        checked("bucket_check_submits_exactly_the_missed_versions", bucket_check::submits_missed_versions),
        checked("crashing_bucket_check_leaves_runs_to_due_posts", bucket_check::leaves_runs_to_due_posts),
        kill("kill_at_every_fourth_call_publishes_chunked_post_once", Story::ThreeChunks, 4),
        kill("kill_at_every_fourth_call_delivers_draft_once", Story::Draft, 4),
        kill("kill_at_every_fourth_call_publishes_scheduled_post_once", Story::Scheduled, 4),
        kill("kill_at_every_fourth_call_with_old_tokens_publishes_once", Story::OldTokens, 4),
        kill("kill_at_every_fifth_call_keeps_webhook_result", Story::Webhook, 5),
        kill("kill_at_every_fifth_call_publishes_requested_post_once", Story::Requested, 5),
        kill("kill_at_every_fifth_call_publishes_upload_once", Story::Uploaded, 5),
        kill("kill_at_every_fifth_call_keeps_post_cancelled", Story::Cancelled, 5),
        kill("kill_at_every_third_call_publishes_repeated_video_once", Story::Repeated, 3),
        enumerated("cancel_during_every_fourth_call_publishes_repeat", interruptions::cancelled(Story::Repeated), 4),
        kill("kill_at_every_fifth_call_publishes_retried_post_once", Story::Retried, 5),
        // A true response to a cancel is 200 if the video is never published, and 409 if the cancel came too late.
        enumerated(
            "cancel_during_every_fifth_call_gets_true_response",
            interruptions::cancelled(Story::ThreeChunks),
            5,
        ),
        enumerated(
            "worker_during_every_third_call_of_cancel_gets_true_response",
            interruptions::concurrent_command(Command::Cancel),
            3,
        ),
        enumerated(
            "failed_publish_fails_post_without_second_publish",
            interruptions::publish_failed(Story::ThreeChunks),
            3,
        ),
        enumerated("webhook_during_each_call_finishes_post", interruptions::webhook_sent(Story::Webhook), 1),
        enumerated_under(
            "kill_with_expired_url_and_silent_tiktok_publishes_once",
            interruptions::outage(Story::ThreeChunks),
            SLOW_AND_SILENT,
            1,
        ),
        enumerated("every_fifth_fault_publishes_small_post_once", faults::faults(Story::OneChunk), 5),
        checked("equivalent_run_has_same_result", enumeration::verify_equivalence),
        checked("in_memory_aws_answers_as_ministack", conformance::compare),
        checked("upload_outlives_lambdas_recursion_limit", recursion::check),
        checked("model_rejects_forbidden_responses", |_| model::check_negative_controls()),
        row("load_with_killed_workers_publishes_each_once", |paths| {
            Ok(load::play(paths, DOCUMENTED, load::SMALL_LOAD))
        }),
        row("regression_and_random_histories_hold_the_claim", |paths| {
            Ok(histories::play(paths, History::regressions_once(), 0..20))
        }),
    ]
}

/// A trial that plays each `step`-th run of an enumeration. The simulator behaves as TikTok documents ([`DOCUMENTED`]).
fn enumerated(name: &str, enumeration: Enumeration, step: usize) -> Trial {
    enumerated_under(name, enumeration, DOCUMENTED, step)
}

/// The same with another behaviour of TikTok.
fn enumerated_under(name: &str, enumeration: Enumeration, tiktok: TikTokVariant, step: usize) -> Trial {
    row(name, move |paths| enumeration.play(paths, tiktok, step, &mut RunCache::default()))
}

/// A trial that plays a campaign and fails if its row is not clean ([`Row::is_clean`]).
fn row(name: &str, play: impl FnOnce(&Paths) -> Result<Row> + Send + 'static) -> Trial {
    checked(name, |paths| {
        let mut report = Report::default();
        report.add(play(paths)?);
        ensure!(report.is_clean(), "the claim is violated, or no fault took effect:\n{report}");
        Ok(())
    })
}

/// A trial that fails if `check` returns an error.
fn checked(name: &str, check: impl FnOnce(&Paths) -> Result<()> + Send + 'static) -> Trial {
    let check = || check(&Paths::prepare()?);
    Trial::test(name, || check().map_err(|error: anyhow::Error| Failed::from(format!("{error:#}"))))
}

/// Plays all campaigns, or those whose name contains one of the phrases ([`Campaign::matches`]).
fn play_campaigns(phrases: &[String]) -> Result<ExitCode> {
    let (paths, mut report) = (Paths::prepare()?, Report::default());
    let json = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/chaos.json");
    let mut cache = RunCache::default();
    let is_selected = |it: &Campaign| phrases.is_empty() || phrases.iter().any(|phrase| it.matches(phrase));
    write!(std::io::stdout(), "{Head}")?;
    for Campaign { name, play } in campaigns::all().into_iter().filter(is_selected) {
        let start = Instant::now();
        let mut row = play(&paths, &mut cache).unwrap_or_else(|error| Row::void(&name, error));
        row.duration_s = start.elapsed().as_secs();
        write!(std::io::stdout(), "{row}")?;
        report.add(row);
        // Written after each row, so that an interrupted command keeps its results.
        report.write(&json)?;
    }
    writeln!(std::io::stdout(), "\n{report}\nWritten to {}", json.display())?;
    Ok(if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
