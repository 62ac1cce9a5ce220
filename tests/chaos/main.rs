//! Proof by fault: posts are broken off at each of their steps, and in every way
//! that can be thought of, and TikTok's ledger says what became of them.
//!
//! ```text
//!                 Runtime API (`lambda`)
//!                    │ event, or SIGKILL
//!   clock ──▶ publish, status, api ──▶ gate ──▶ AWS in memory, TikTok's simulator
//! ```
//!
//! The functions are the real ones, in processes of their own. They are pointed
//! at other addresses, as an operator may point them, and live by a clock that
//! is moved from outside; nothing in them knows it.
//!
//! Without arguments, or with a filter, it is a test binary with a share of
//! everything. With `campaign` first it does all of it, prints a table and
//! writes `target/chaos.json`.
//!
//! Measurement order: [`crashes`] for what is done, [`story`] and [`judge`] for what
//! a run is, then `stage`, `gate` and `aws` for what it takes.

mod crashes;
mod crowd;
mod faults;
mod histories;
mod slow;

mod campaign;
mod campaigns;
mod enumeration;
mod report;

mod dropped;
mod judge;
mod model;
mod story;
mod unknowns;

mod likeness;

mod clock;
mod gate;
mod stage;

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Result, ensure};
use libtest_mimic::{Arguments, Failed, Trial};

use campaigns::{Campaign, random};
use enumeration::{Enumeration, Memory};
use histories::History;
use report::{Head, Report, Row};
use stage::{Places, Wish};
use story::Story;
use unknowns::{DOCUMENTED, SILENT, TikTok};

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().collect();
    if arguments.get(1).is_some_and(|first| first == "campaign") {
        return campaign(&arguments[2..]).unwrap_or_else(|error| {
            drop(writeln!(std::io::stderr(), "{error:#}"));
            ExitCode::FAILURE
        });
    }
    let mut arguments = Arguments::from_args();
    // Each has threads of its own.
    arguments.test_threads = Some(1);
    libtest_mimic::run(&arguments, share()).exit_code()
}

/// The share of `make test`.
fn share() -> Vec<Trial> {
    let kill = |name: &str, story: Story, step: usize| some(name, crashes::killed(story), DOCUMENTED, step);
    vec![
        kill("a_small_post_survives_a_kill_at_each_of_its_calls", Story::OneChunk, 1),
        kill("a_post_in_chunks_survives_a_kill_at_any_fourth_of_its_calls", Story::ManyChunks, 4),
        kill("a_draft_survives_a_kill_at_any_fourth_of_its_calls", Story::Draft, 4),
        kill("a_scheduled_post_survives_a_kill_at_any_fourth_of_its_calls", Story::Scheduled, 4),
        kill("a_post_that_needs_new_tokens_survives_a_kill_at_any_fourth_of_its_calls", Story::Renewed, 4),
        kill("what_tiktok_tells_is_heard_whichever_fifth_of_the_calls_is_killed", Story::Told, 5),
        kill("what_a_request_asks_for_is_one_post_whichever_fifth_of_the_calls_is_killed", Story::Asked, 5),
        kill("an_upload_is_one_post_whichever_fifth_of_the_calls_is_killed", Story::Uploaded, 5),
        kill("what_is_cancelled_stays_so_whichever_fifth_of_the_calls_is_killed", Story::Cancelled, 5),
        kill("what_is_tried_again_is_posted_once_whichever_fifth_of_the_calls_is_killed", Story::Retried, 5),
        some(
            "whoever_cancels_at_any_fifth_of_the_calls_is_told_the_truth",
            crashes::cancelled(Story::ManyChunks),
            DOCUMENTED,
            5,
        ),
        some(
            "whoever_cancels_what_is_taken_up_at_any_third_of_the_calls_is_told_the_truth",
            crashes::overtaken(Wish::Cancel),
            DOCUMENTED,
            3,
        ),
        some(
            "what_tiktok_refuses_at_any_third_of_the_calls_fails_and_is_not_begun_again",
            crashes::refused(Story::ManyChunks),
            DOCUMENTED,
            3,
        ),
        some("what_tiktok_tells_while_a_worker_waits_is_the_end", crashes::told(Story::Told), DOCUMENTED, 1),
        some(
            "no_kill_leads_to_a_second_post_where_tiktok_is_silent_and_the_url_is_dead",
            crashes::with_outage(Story::ManyChunks),
            SILENT,
            1,
        ),
        some(
            "a_small_post_survives_every_fifth_of_the_faults_at_its_calls",
            faults::faults(Story::OneChunk),
            DOCUMENTED,
            5,
        ),
        Trial::test("what_is_said_to_go_the_same_way_under_another_tiktok_does", || {
            Places::find().and_then(|places| enumeration::is_sound(&places)).map_err(|error| failed(&error))
        }),
        Trial::test("the_aws_that_is_played_here_answers_as_the_one_that_the_scenarios_live_in", || {
            Places::find().and_then(|places| likeness::compare(&places)).map_err(|error| failed(&error))
        }),
        Trial::test("the_model_of_what_may_become_of_a_post_knows_a_lie", || Ok(model::knows_a_lie()?)),
        trial("a_crowd_is_published_once_each_as_limits_allow_though_workers_die", |places| {
            Ok(crowd::gather(places, DOCUMENTED, crowd::SMALL))
        }),
        trial("the_histories_that_are_kept_and_a_few_random_ones_end_well", |places| {
            Ok(random(places, History::kept_once(), 0..20))
        }),
    ]
}

/// Each `step`-th run of an enumeration.
fn some(name: &str, enumeration: Enumeration, tiktok: TikTok, step: usize) -> Trial {
    trial(name, move |places| enumeration.play(places, tiktok, step, &mut Memory::default()))
}

fn trial(name: &str, prove: impl FnOnce(&Places) -> Result<Row> + Send + 'static) -> Trial {
    let told = move || {
        let mut report = Report::default();
        report.add(prove(&Places::find()?)?);
        ensure!(report.is_clean(), "the claim does not hold:\n{report}");
        Ok(())
    };
    Trial::test(name, move || told().map_err(|error| failed(&error)))
}

fn failed(error: &anyhow::Error) -> Failed {
    Failed::from(format!("{error:#}"))
}

/// All of it, or what has one of these words in its name.
fn campaign(words: &[String]) -> Result<ExitCode> {
    let (places, mut report) = (Places::find()?, Report::default());
    let json = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/chaos.json");
    let mut memory = Memory::default();
    write!(std::io::stdout(), "{Head}")?;
    for Campaign { name, prove } in campaigns::all() {
        if !words.is_empty() && !words.iter().any(|word| name.contains(word.as_str())) {
            continue;
        }
        let began = Instant::now();
        let mut row = prove(&places, &mut memory).unwrap_or_else(|error| Row::void(&name, &error));
        row.took_s = began.elapsed().as_secs();
        write!(std::io::stdout(), "{row}")?;
        report.add(row);
        // Whoever breaks it off has what was done.
        report.write(&json)?;
    }
    writeln!(std::io::stdout(), "\n{report}\nWritten to {}", json.display())?;
    Ok(if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
