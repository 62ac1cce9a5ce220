//! Counters round-trip, and a new counter is only written if none exists.

use domain::identity::PostId;
use domain::rate_limit::{Cooldown, Posted, PostingUsers, SlidingWindow, UploadQuota};
use domain::reason::Reason;
use domain::source::ObjectVersion;
use serde_json::json;

use super::*;
use crate::scripted_aws::{Reply, ScriptedAws, ScriptedServer, reply};

fn at(millisecond: i64) -> Timestamp {
    Timestamp::from_millisecond(1_764_000_000_000 + millisecond).unwrap()
}

fn anna() -> Alias {
    Alias::new("anna").unwrap()
}

fn quota() -> UploadQuota {
    let post = |n: u8| PostId::of_object("intake", "drop/a.mp4", &ObjectVersion::Id(n.to_string()));
    let quota = (0..3).fold(UploadQuota::default(), |quota, n| quota.reserve(post(n), at(i64::from(n))));
    quota.pause(Cooldown { until: at(9000), reason: Reason::parse("spam_risk_too_many_posts"), message: "full".into() })
}

#[test]
fn every_counter_round_trips() {
    let window = SlidingWindow { reserved_until: Some(at(70)), ..SlidingWindow::default() }
        .try_record(30, at(1))
        .unwrap()
        .block(at(5), Duration::ZERO);
    assert_eq!(SlidingWindow::from_item(&window.to_item().unwrap()).unwrap(), window);
    for quota in [quota(), UploadQuota::default()] {
        assert_eq!(UploadQuota::from_item(&quota.to_item().unwrap()).unwrap(), quota);
    }
    let max_users = std::num::NonZeroU32::new(5);
    let users = match PostingUsers::default().admit(&anna(), Posted::NotToday, max_users, at(0)).unwrap() {
        domain::rate_limit::Admitted::Changed(users) => users.block_until(at(50)),
        domain::rate_limit::Admitted::Unchanged => unreachable!("the user is new"),
    };
    assert_eq!(PostingUsers::from_item(&users.to_item().unwrap()).unwrap(), users);
}

#[test]
fn call_is_stored_rounded_up_to_a_millisecond() {
    let call = Timestamp::from_nanosecond(1_000_001).unwrap();
    let window = SlidingWindow::default().try_record(30, call).unwrap();
    let stored = SlidingWindow::from_item(&window.to_item().unwrap()).unwrap();
    assert_eq!(stored.calls, [Timestamp::from_millisecond(2).unwrap()]);
}

#[tokio::test]
async fn absent_counter_is_default_and_saved_only_if_absent() {
    let ok = || reply(Reply::new(200, "{}"));
    let server = ScriptedServer::start([ok(), ok()]).await;
    let limits = Limits::new(server.dynamodb(), "limits");
    let read = limits.get::<UploadQuota>(LimitKey::upload_quota(&anna(), Mode::Draft)).await.unwrap();
    assert_eq!(read.value, UploadQuota::default());
    limits.save(read, &quota(), at(0)).await.unwrap();
    let request = server.requests()[1].json();
    assert_eq!(request["ConditionExpression"], "attribute_not_exists(#key)");
    assert_eq!(request["Item"]["limit_key"], json!({ "S": "anna#draft" }));
    assert_eq!(request["Item"]["expires_at"], json!({ "N": (1_764_000_000 + 48 * 3600).to_string() }));
}

#[test]
fn limit_keys_are_distinct() {
    let keys = [
        LimitKey::upload_quota(&anna(), Mode::Direct),
        LimitKey::upload_quota(&anna(), Mode::Draft),
        LimitKey::calls(&anna(), CallKind::CreatorInfo),
        LimitKey::calls(&anna(), CallKind::StatusFetch),
        LimitKey::posting_users(),
    ];
    for (n, key) in keys.iter().enumerate() {
        assert!(!keys[..n].contains(key), "{key:?}");
    }
}
