//! What is counted of a post's life, and that somebody looks at it.

use std::collections::BTreeSet;

use domain::failure::Failure;
use domain::identity::Alias;
use domain::source::{ObjectVersion, Source};

use super::*;

fn start() -> Timestamp {
    "2026-06-01T12:00:00Z".parse().unwrap()
}

fn claimed() -> Post {
    let source =
        Source { bucket: "intake".into(), key: "drop/anna/a.mp4".into(), version: ObjectVersion::Id("1".into()) };
    let post = Post::submit(Alias::new("anna").unwrap(), source, Some(10), start());
    post.claim("worker", start()).unwrap()
}

fn by(reading: &Reading) -> Vec<(&str, &str)> {
    reading.by.iter().map(|(name, word)| (*name, word.as_str())).collect()
}

#[test]
fn a_failure_is_counted_by_its_reason_where_that_is_one_of_few() {
    for (code, counted) in [("file_empty", "file_empty"), ("auth_removed", "auth_removed"), ("brand_new", "other")] {
        let failed = claimed().fail(Failure::new(code, "", ""), start()).unwrap();
        let reading = Reading::of_state(&failed, start()).unwrap();
        assert_eq!(by(&reading), [("State", "failed"), ("Reason", counted)]);
        assert_eq!(reading.figures, [(Metric::PostsEnded, 1.0), (Metric::FailedShare, 100.0)]);
    }
}

#[test]
fn nothing_is_counted_by_post_or_account() {
    let deferred = claimed().defer("turn", "", Duration::from_secs(1), start()).unwrap();
    let reading = Reading::of_state(&deferred, start()).unwrap();
    assert_eq!(by(&reading), [("Reason", "turn")]);
    assert!(reading.about.iter().any(|(name, word)| *name == "post.id" && *word == deferred.id.to_string()));
}

#[test]
fn a_post_that_waited_for_its_time_is_not_late_for_it() {
    let held_until = start() + Duration::from_hours(5);
    let scheduled = claimed().schedule(held_until, start()).unwrap();
    assert_eq!(wanted_at(&scheduled), start());
    let released = scheduled.claim("worker", held_until).unwrap();
    assert_eq!(wanted_at(&released), held_until);
}

#[test]
fn every_reason_that_the_code_gives_is_told_apart() {
    let sources = [
        include_str!("../stop.rs"),
        include_str!("../tokens.rs"),
        include_str!("../tokens/refresh.rs"),
        include_str!("../drop_options.rs"),
        include_str!("../upload.rs"),
        include_str!("../upload/begin.rs"),
        include_str!("../upload/conclude.rs"),
        include_str!("../upload/react.rs"),
        include_str!("../upload/send.rs"),
        include_str!("../../../domain/src/budget.rs"),
        include_str!("../../../domain/src/post/settle.rs"),
    ];
    let given: BTreeSet<&str> = sources.iter().flat_map(|source| codes_in(source)).collect();
    assert!(given.len() > 15, "{given:?}");
    for code in given {
        assert_eq!(bounded(code), code);
    }
}

/// The codes that a source names where it makes a wait, a failure or a limit.
fn codes_in(source: &str) -> Vec<&str> {
    let product = source.split("#[cfg(test)]").next().unwrap();
    ["Stop::wait(\"", "Self::wait(\"", "Failure::new(\"", ".defer(\"", "&str = \""]
        .iter()
        .flat_map(|before| product.split(before).skip(1))
        .filter_map(|rest| rest.split('"').next())
        .filter(|word| word.contains('_') || *word == "turn")
        .collect()
}

/// The metrics of our namespace that the template names, wherever it does.
fn named_in_the_template() -> BTreeSet<&'static str> {
    let template = include_str!("../../../../template.yaml");
    let mentions = template.split("Dropcast/${AWS::StackName}").skip(1);
    mentions
        .filter_map(|rest| {
            ["\", \"", "MetricName: ", "MetricName=\\\""]
                .iter()
                .filter_map(|before| {
                    let at = rest.find(before)?;
                    Some((at, rest[at + before.len()..].split(|c: char| !c.is_ascii_alphabetic()).next()?))
                })
                .min()
                .filter(|(at, _)| *at < 40)
                .map(|(_, name)| name)
        })
        .collect()
}

#[test]
fn dashboard_and_alarms_name_what_is_measured_and_nothing_else() {
    let measured: BTreeSet<_> = Metric::ALL.iter().map(|metric| metric.name_and_unit().0).collect();
    assert_eq!(named_in_the_template(), measured);
}
