//! The books come back as they were, and nobody writes over another's.

use domain::identity::PostId;
use domain::rate_limit::{Cooldown, Posted, PostingUsers, SlidingWindow, UploadQuota};
use domain::source::ObjectVersion;
use serde_json::json;

use super::*;
use crate::scripted_server::{Answer, ScriptedServer, say};

fn at(millisecond: i64) -> Timestamp {
    Timestamp::from_millisecond(1_764_000_000_000 + millisecond).unwrap()
}

fn anna() -> Alias {
    Alias::new("anna").unwrap()
}

fn turns() -> UploadQuota {
    let post = |n: u8| PostId::of_object("intake", "drop/a.mp4", &ObjectVersion::Id(n.to_string()));
    let turns = (0..3).fold(UploadQuota::default(), |turns, n| turns.take(post(n), at(i64::from(n))));
    turns.close(Cooldown { until: at(9000), code: "spam_risk_too_many_posts".into(), message: "full".into() })
}

#[test]
fn every_book_comes_back_as_it_was() {
    let minute = SlidingWindow { reserved_until: Some(at(70)), ..SlidingWindow::default() }
        .take(30, at(1))
        .unwrap()
        .refused(at(5));
    assert_eq!(SlidingWindow::of_item(&minute.item().unwrap()).unwrap(), minute);
    assert_eq!(UploadQuota::of_item(&turns().item().unwrap()).unwrap(), turns());
    assert_eq!(UploadQuota::of_item(&UploadQuota::default().item().unwrap()).unwrap(), UploadQuota::default());
    let most = std::num::NonZeroU32::new(5);
    let users = match PostingUsers::default().admit(&anna(), Posted::NotToday, most, at(0)).unwrap() {
        domain::rate_limit::Admitted::Written(users) => users.close(at(50)),
        domain::rate_limit::Admitted::AsKnown => unreachable!("she is new"),
    };
    assert_eq!(PostingUsers::of_item(&users.item().unwrap()).unwrap(), users);
}

#[test]
fn a_call_inside_a_millisecond_counts_from_its_end() {
    let inside = Timestamp::from_nanosecond(1_000_001).unwrap();
    let minute = SlidingWindow::default().take(30, inside).unwrap();
    assert_eq!(
        SlidingWindow::of_item(&minute.item().unwrap()).unwrap().calls,
        [Timestamp::from_millisecond(2).unwrap()]
    );
}

#[tokio::test]
async fn a_book_that_nobody_wrote_is_empty_and_is_only_made_where_there_is_none() {
    let server = ScriptedServer::start([say(Answer::new(200, "{}")), say(Answer::new(200, "{}"))]).await;
    let budgets = Limits::new(server.dynamodb(), "budgets");
    let opened = budgets.open::<UploadQuota>(LimitKey::turns(&anna(), Mode::Draft)).await.unwrap();
    assert_eq!(opened.book, UploadQuota::default());
    budgets.write(opened, &turns(), at(0)).await.unwrap();
    let asked = server.requests()[1].json();
    assert_eq!(asked["ConditionExpression"], "attribute_not_exists(#key)");
    assert_eq!(asked["Item"]["limit_key"], json!({ "S": "anna#draft" }));
    assert_eq!(asked["Item"]["expires_at"], json!({ "N": (1_764_000_000 + 48 * 3600).to_string() }));
}

#[test]
fn no_two_books_share_an_item() {
    let keys = [
        LimitKey::turns(&anna(), Mode::Direct),
        LimitKey::turns(&anna(), Mode::Draft),
        LimitKey::calls(&anna(), CallKind::CreatorInfo),
        LimitKey::calls(&anna(), CallKind::StatusFetch),
        LimitKey::users(),
    ];
    for (n, key) in keys.iter().enumerate() {
        assert!(!keys[..n].contains(key), "{key:?}");
    }
}
