//! Responses and ends that the model must reject, beside similar ones that it must permit.

use anyhow::{Result, anyhow, ensure};
use harness::TestVideo;
use simulator::Ledger;

use super::{End, IN_REVIEW, Model, SCHEDULED};
use crate::test_env::{Command, CommandRecord, UPDATED_TITLE};
use crate::test_post::drop_id;

/// Checks the model against responses and ends of which it is known whether they are permitted.
pub(crate) fn check() -> Result<()> {
    let video = TestVideo::of("");
    let answered = |model: &mut Model, command, state: &str, status| {
        let record = CommandRecord {
            command,
            post: drop_id("key", "1"),
            before: Some(state.to_owned()),
            after: Some(state.to_owned()),
            status: Some(status),
            ledger: Ledger::default(),
        };
        model.record(&record, &video)
    };
    // Each post needs an approval, and TikTok has failed its publish. The command does not change its state.
    for (command, state, status, is_permitted) in [
        (Command::Cancel, "scheduled", 200, true),
        (Command::Cancel, "scheduled", 409, false),
        (Command::Cancel, "published", 409, true),
        (Command::Cancel, "cancelled", 409, false),
        (Command::Cancel, "queued", 404, false),
        (Command::Retry, "published", 200, false),
        (Command::Retry, "published", 409, true),
        (Command::Retry, "failed", 200, true),
        (Command::Retry, "failed", 409, false),
        (Command::Approve, "processing", 200, false),
        (Command::Approve, IN_REVIEW, 409, false),
        (Command::Approve, IN_REVIEW, 200, true),
        (Command::UpdateOptions, SCHEDULED, 409, false),
        (Command::UpdateOptions, "uploading", 409, true),
    ] {
        let mut model = Model::default();
        model.record_publish_failed();
        model.require_review();
        let is_accepted = answered(&mut model, command, state, status).is_ok();
        ensure!(
            is_accepted == is_permitted,
            "{command:?} of a {state} post, answered with {status}: the model permits it: {is_accepted}"
        );
    }
    let titles = |model: &Model| [UPDATED_TITLE, "clip"].map(|title| model.permits_title(title));
    let mut model = Model::default();
    ensure!(titles(&model) == [false, true], "before a change, the titles are {:?}", titles(&model));
    answered(&mut model, Command::UpdateOptions, SCHEDULED, 200).map_err(|error| anyhow!(error))?;
    ensure!(titles(&model) == [true, false], "after a change, the titles are {:?}", titles(&model));

    let ends = |model: &Model| [End::Posted, End::Cancelled, End::Failed, End::Absent].map(|end| model.permits(end));
    let only_posted = [true, false, false, false];
    let mut model = Model::default();
    ensure!(ends(&model) == only_posted, "without a command, the ends are {:?}", ends(&model));
    answered(&mut model, Command::Cancel, "queued", 200).map_err(|error| anyhow!(error))?;
    ensure!(ends(&model) == [false, true, false, false], "after a cancel, the ends are {:?}", ends(&model));
    let mut model = Model::default();
    model.record_publish_failed();
    ensure!(ends(&model) == [false, false, true, false], "after a failed publish, the ends are {:?}", ends(&model));
    answered(&mut model, Command::Retry, "failed", 200).map_err(|error| anyhow!(error))?;
    ensure!(ends(&model) == only_posted, "after a retry, the ends are {:?}", ends(&model));
    Ok(())
}
