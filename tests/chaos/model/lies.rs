//! Lies, which the model must know for what they are.

use simulator::Ledger;

use super::{End, Film, IN_REVIEW, Model, SCHEDULED};
use crate::stage::{REWORDED, Said, Wish};

/// Holds the model against answers that are lies, and ends that are none.
pub(crate) fn knows_a_lie() -> Result<(), String> {
    let film = Film { bytes: 9, sha256: "none" };
    let said = |wish, before: &str, status| Said {
        wish,
        post: tests::Dropped::at("bucket", "key", "1", &tests::Footage::of("")).post,
        before: Some(before.to_owned()),
        after: Some(before.to_owned()),
        status: Some(status),
        ledger: Ledger::default(),
    };
    for (wish, before, status, is_true) in [
        (Wish::Cancel, "scheduled", 200, true),
        (Wish::Cancel, "scheduled", 409, false),
        (Wish::Cancel, "published", 409, true),
        (Wish::Cancel, "cancelled", 409, false),
        (Wish::Cancel, "queued", 404, false),
        (Wish::Retry, "published", 200, false),
        (Wish::Retry, "published", 409, true),
        (Wish::Retry, "failed", 200, true),
        (Wish::Retry, "failed", 409, false),
        (Wish::Approve, "processing", 200, false),
        (Wish::Approve, IN_REVIEW, 409, false),
        (Wish::Approve, IN_REVIEW, 200, true),
        (Wish::Reword, SCHEDULED, 409, false),
        (Wish::Reword, "uploading", 409, true),
    ] {
        let mut model = Model::default();
        model.refused();
        model.under_review();
        if model.hear(&said(wish, before, status), film).is_ok() != is_true {
            return Err(format!("{wish:?} of what is {before}, answered with {status}: that is {}", !is_true));
        }
    }
    let mut model = Model::default();
    let titles = |model: &Model| [REWORDED, "clip"].map(|title| model.permits_title(title));
    let before = titles(&model);
    let heard = model.hear(&said(Wish::Reword, SCHEDULED, 200), film).is_ok();
    if before != [false, true] || !heard || titles(&model) != [true, false] {
        return Err(format!("it permits {before:?} of the other title and the first, and then {:?}", titles(&model)));
    }
    let ends = |model: &Model| [End::Posted, End::Cancelled, End::Failed, End::Absent].map(|end| model.permits(end));
    let mut model = Model::default();
    let fresh = ends(&model);
    let heard = model.hear(&said(Wish::Cancel, "queued", 200), film).is_ok();
    let cancelled = ends(&model);
    if fresh != [true, false, false, false] || !heard || cancelled != [false, true, false, false] {
        return Err(format!("it permits {fresh:?}, and {cancelled:?} of what is cancelled"));
    }
    let mut model = Model::default();
    model.refused();
    let refused = ends(&model);
    let heard = model.hear(&said(Wish::Retry, "failed", 200), film).is_ok();
    let retried = ends(&model);
    if refused != [false, false, true, false] || !heard || retried != fresh {
        return Err(format!("it permits {refused:?} of what is refused, and {retried:?} of what is tried again"));
    }
    Ok(())
}
