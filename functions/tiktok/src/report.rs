//! Where a publish stands.
//!
//! TikTok's present shape and the older one are both read: `PUBLISH_COMPLETE`
//! with `publicaly_available_post_id` (TikTok's spelling), and `PUBLISHED` with
//! `video_id`, `share_url` and `cover_url`.
//! <https://developers.tiktok.com/doc/content-posting-api-reference-get-video-status>

use domain::identity::{PublishId, VideoId};
use domain::report::{Links, PublishStatus, StatusReport};
use serde_json::{Value, json};

use crate::client::TikTok;
use crate::credentials::AccessToken;
use crate::endpoint::Endpoint;
use crate::envelope::Answer;
use crate::error::{Error, ErrorKind};
use crate::fields::{count, exact, ids, words};

/// Where the ids of the public videos are: today, were it spelt well, formerly.
const ID_FIELDS: [&str; 3] = ["publicaly_available_post_id", "publicly_available_post_id", "video_id"];

impl TikTok {
    /// Asks where a publish stands.
    ///
    /// # Errors
    /// Nothing was changed; whatever went wrong, it says nothing of the publish.
    pub async fn report(&self, token: &AccessToken, id: &PublishId) -> Result<StatusReport, Error> {
        let call = Endpoint::StatusFetch;
        let answer = self.call(call, "", token, Some(json!({ "publish_id": id.as_str() }))).await?;
        read(answer).map_err(|fault| Error { call, fault })
    }
}

fn read(answer: Answer) -> Result<StatusReport, ErrorKind> {
    let data = &answer.data;
    let status = words(data, "status").ok_or_else(|| answer.missing("status"))?;
    Ok(StatusReport {
        standing: standing(status, data),
        uploaded: count(data, "uploaded_bytes"),
        video_ids: video_ids(data),
        links: links(data),
        log_id: answer.log_id,
    })
}

fn standing(status: String, data: &Value) -> PublishStatus {
    match status.as_str() {
        "PROCESSING_UPLOAD" => PublishStatus::Uploading,
        "PROCESSING_DOWNLOAD" | "PROCESSING" => PublishStatus::Processing,
        "SEND_TO_USER_INBOX" => PublishStatus::InInbox,
        "PUBLISH_COMPLETE" | "PUBLISH_SUCCESS" | "PUBLISHED" => PublishStatus::Published,
        "FAILED" => {
            PublishStatus::Failed { reason: words(data, "fail_reason").unwrap_or_else(|| "no_reason_given".to_owned()) }
        }
        _ => PublishStatus::Unknown { status },
    }
}

fn video_ids(data: &Value) -> Vec<VideoId> {
    let mut found = Vec::new();
    for id in ID_FIELDS.iter().flat_map(|field| ids(data, field)).filter(|id| id != "0") {
        match VideoId::new(id) {
            Ok(id) if !found.contains(&id) => found.push(id),
            Ok(_) | Err(_) => {}
        }
    }
    found
}

/// The links that an object of TikTok's names, in either vocabulary.
pub(crate) fn links(object: &Value) -> Links {
    Links {
        share_url: exact(object, "share_url"),
        cover_url: exact(object, "cover_image_url").or_else(|| exact(object, "cover_url")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mock_server::{MockServer, Reply, access};
    use domain::failure::Disposition;
    use proptest::prelude::*;

    fn of(data: &Value) -> StatusReport {
        read(Answer { http: 200, data: data.clone(), log_id: None }).unwrap()
    }

    #[tokio::test]
    async fn a_publish_is_asked_for_by_its_id() {
        let data = json!({ "status": "PROCESSING_UPLOAD", "uploaded_bytes": 10_000_000 });
        let server = MockServer::start(vec![Reply::ok(&data)]).await;
        let id = PublishId::new("v_pub_file~v2-1.17").unwrap();
        let report = server.client().report(&access(), &id).await.unwrap();
        assert_eq!((report.standing, report.uploaded), (PublishStatus::Uploading, Some(10_000_000)));
        assert_eq!(report.log_id.as_deref(), Some("log-1"));
        let request = server.only_request();
        assert_eq!((request.method.as_str(), request.target.as_str()), ("POST", "/v2/post/publish/status/fetch/"));
        assert_eq!(request.json(), json!({ "publish_id": "v_pub_file~v2-1.17" }));
    }

    #[test]
    fn every_status_has_its_standing() {
        for (status, expected) in [
            ("PROCESSING_UPLOAD", PublishStatus::Uploading),
            ("PROCESSING_DOWNLOAD", PublishStatus::Processing),
            ("SEND_TO_USER_INBOX", PublishStatus::InInbox),
            ("PUBLISH_COMPLETE", PublishStatus::Published),
            ("PUBLISH_SUCCESS", PublishStatus::Published),
            ("PUBLISHED", PublishStatus::Published),
            ("FAILED", PublishStatus::Failed { reason: "no_reason_given".into() }),
            ("IN_REVIEW", PublishStatus::Unknown { status: "IN_REVIEW".into() }),
        ] {
            assert_eq!(of(&json!({ "status": status })).standing, expected, "{status}");
        }
    }

    #[test]
    fn a_failure_says_tiktoks_reason() {
        let report = of(&json!({ "fail_reason": "frame_rate_check_failed", "status": "FAILED" }));
        assert_eq!(report.standing, PublishStatus::Failed { reason: "frame_rate_check_failed".into() });
    }

    #[test]
    fn an_id_keeps_its_digits_in_every_spelling_and_shape() {
        for (field, value) in [
            ("publicaly_available_post_id", json!([7_678_907_398_077_074_696_u64])),
            ("publicaly_available_post_id", json!(7_678_907_398_077_074_696_u64)),
            ("publicaly_available_post_id", json!(["7678907398077074696"])),
            ("publicly_available_post_id", json!(["7678907398077074696", 7_678_907_398_077_074_696_u64])),
            ("video_id", json!("7678907398077074696")),
        ] {
            let mut data = json!({ "status": "PUBLISH_COMPLETE" });
            data[field] = value;
            assert_eq!(of(&data).video_ids, [VideoId::new("7678907398077074696").unwrap()], "{data}");
        }
    }

    #[test]
    fn several_ids_are_all_kept() {
        let report = of(&json!({ "status": "PUBLISH_COMPLETE", "publicaly_available_post_id": [3, 1, 2] }));
        assert_eq!(report.video_ids.iter().map(VideoId::as_str).collect::<Vec<_>>(), ["3", "1", "2"]);
    }

    #[test]
    fn a_report_of_any_size_leaves_what_an_item_has_room_for() {
        let long = "x".repeat(300_000);
        let several: Vec<_> = (1..20_000).collect();
        let report = of(&json!({
            "status": "FAILED", "fail_reason": long, "publicaly_available_post_id": several, "share_url": long,
        }));
        assert!(format!("{report:?}").len() < 10_000);
        assert!(matches!(report.standing, PublishStatus::Failed { reason } if reason.starts_with("xxx")));
        assert_eq!(report.links, Links::default(), "half a link leads nowhere");
    }

    #[test]
    fn no_id_is_no_failure() {
        for ids in [json!([]), json!(null), json!(0), json!(""), json!("not digits")] {
            let report = of(&json!({ "status": "PUBLISH_COMPLETE", "publicaly_available_post_id": ids }));
            assert_eq!((report.standing, report.video_ids), (PublishStatus::Published, vec![]));
        }
    }

    #[test]
    fn the_older_shape_brings_its_links() {
        let report = of(&json!({
            "status": "PUBLISHED", "video_id": "12", "share_url": "https://s.example/12", "cover_url": "https://c.example/12",
        }));
        assert_eq!(report.links.share_url.as_deref(), Some("https://s.example/12"));
        assert_eq!(report.links.cover_url.as_deref(), Some("https://c.example/12"));
    }

    #[tokio::test]
    async fn an_answer_without_a_status_says_nothing_of_the_publish() {
        let server = MockServer::start(vec![Reply::ok(&json!({}))]).await;
        let id = PublishId::new("p").unwrap();
        let error = server.client().report(&access(), &id).await.unwrap_err();
        assert!(matches!(error.disposition(), Disposition::Retry { .. }), "{error:?}");
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            ".{0,20}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 16, 4, |inner| proptest::collection::vec(inner, 0..4).prop_map(Value::from))
    }

    proptest! {
        #[test]
        fn whatever_the_fields_hold_the_report_is_read(values in proptest::collection::vec(any_json(), 7), status in ".{1,20}") {
            let names = ["publicaly_available_post_id", "publicly_available_post_id", "video_id", "uploaded_bytes",
                "share_url", "cover_url", "fail_reason"];
            let mut data: Value = names.iter().map(ToString::to_string).zip(values).collect::<serde_json::Map<_, _>>().into();
            data["status"] = status.clone().into();
            let report = of(&data);
            let ids: std::collections::HashSet<_> = report.video_ids.iter().collect();
            prop_assert_eq!(ids.len(), report.video_ids.len());
        }
    }
}
