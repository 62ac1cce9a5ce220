//! The call that returns the status of a publish.
//!
//! TikTok's current response and an older one are both read: `PUBLISH_COMPLETE` with `publicaly_available_post_id`
//! (TikTok's spelling), and `PUBLISHED` with `video_id`, `share_url` and `cover_url`.
//! <https://developers.tiktok.com/doc/content-posting-api-reference-get-video-status>

use domain::identity::{PublishId, VideoId};
use domain::reason::Reason;
use domain::report::{Links, PublishStatus, StatusReport};
use serde_json::{Value, json};

use crate::client::TikTok;
use crate::credentials::AccessToken;
use crate::endpoint::Endpoint;
use crate::envelope::ApiResponse;
use crate::error::{Error, ErrorKind};
use crate::fields::{display_text, raw_text, short_texts, whole_number};

/// The fields that may contain the ids of the public videos: TikTok's current spelling, the correct spelling, and the
/// older response's field.
const ID_FIELDS: [&str; 3] = ["publicaly_available_post_id", "publicly_available_post_id", "video_id"];

impl TikTok {
    /// Returns the status of a publish.
    ///
    /// # Errors
    /// Nothing was changed. An error states nothing about the publish itself.
    pub async fn fetch_status(&self, token: &AccessToken, id: &PublishId) -> Result<StatusReport, Error> {
        let call = Endpoint::StatusFetch;
        let response = self.call(call, "", token, Some(json!({ "publish_id": id.as_str() }))).await?;
        read(response).map_err(|fault| Error::new(call, fault))
    }
}

fn read(response: ApiResponse) -> Result<StatusReport, ErrorKind> {
    let data = &response.data;
    let status = display_text(data, "status").ok_or_else(|| response.missing("status"))?;
    Ok(StatusReport {
        status: publish_status(status, data),
        uploaded: whole_number(data, "uploaded_bytes"),
        video_ids: video_ids(data),
        links: links_of(data),
        log_id: response.log_id,
    })
}

fn publish_status(status: String, data: &Value) -> PublishStatus {
    match status.as_str() {
        "PROCESSING_UPLOAD" => PublishStatus::Uploading,
        "PROCESSING_DOWNLOAD" | "PROCESSING" => PublishStatus::Processing,
        "SEND_TO_USER_INBOX" => PublishStatus::InInbox,
        "PUBLISH_COMPLETE" | "PUBLISH_SUCCESS" | "PUBLISHED" => PublishStatus::Published,
        "FAILED" => {
            let reason = display_text(data, "fail_reason");
            PublishStatus::Failed { reason: reason.unwrap_or_else(|| Reason::NoReasonGiven.code().to_owned()) }
        }
        _ => PublishStatus::Unknown { status },
    }
}

fn video_ids(data: &Value) -> Vec<VideoId> {
    let mut video_ids = Vec::new();
    // An id of 0 means that there is no public video.
    for id in ID_FIELDS.iter().flat_map(|field| short_texts(data, field)).filter(|id| id != "0") {
        match VideoId::new(id) {
            Ok(id) if !video_ids.contains(&id) => video_ids.push(id),
            Ok(_) | Err(_) => {}
        }
    }
    video_ids
}

/// Returns the links in an object of TikTok's, by the current or the older field names.
pub(crate) fn links_of(object: &Value) -> Links {
    Links {
        share_url: raw_text(object, "share_url"),
        cover_url: raw_text(object, "cover_image_url").or_else(|| raw_text(object, "cover_url")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scripted_tiktok::{ScriptedServer, ScriptedTikTok, access, ok};
    use domain::failure::Disposition;
    use proptest::prelude::*;

    fn report_of(data: &Value) -> StatusReport {
        read(ApiResponse { http: 200, data: data.clone(), log_id: None }).unwrap()
    }

    #[tokio::test]
    async fn request_has_the_publish_id() {
        let data = json!({ "status": "PROCESSING_UPLOAD", "uploaded_bytes": 10_000_000 });
        let server = ScriptedServer::with_replies([ok(&data)]).await;
        let id = PublishId::new("v_pub_file~v2-1.17").unwrap();
        let report = server.client().fetch_status(&access(), &id).await.unwrap();
        assert_eq!((report.status, report.uploaded), (PublishStatus::Uploading, Some(10_000_000)));
        assert_eq!(report.log_id.as_deref(), Some("log-1"));
        let request = server.only_request();
        assert_eq!((request.method.as_str(), request.target.as_str()), ("POST", "/v2/post/publish/status/fetch/"));
        assert_eq!(request.json(), json!({ "publish_id": "v_pub_file~v2-1.17" }));
    }

    #[test]
    fn every_status_is_mapped() {
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
            assert_eq!(report_of(&json!({ "status": status })).status, expected, "{status}");
        }
    }

    #[test]
    fn failed_status_keeps_tiktoks_reason() {
        let report = report_of(&json!({ "fail_reason": "frame_rate_check_failed", "status": "FAILED" }));
        assert_eq!(report.status, PublishStatus::Failed { reason: "frame_rate_check_failed".into() });
    }

    #[test]
    fn id_keeps_its_digits_in_every_field_and_shape() {
        for (field, value) in [
            ("publicaly_available_post_id", json!([7_678_907_398_077_074_696_u64])),
            ("publicaly_available_post_id", json!(7_678_907_398_077_074_696_u64)),
            ("publicaly_available_post_id", json!(["7678907398077074696"])),
            ("publicly_available_post_id", json!(["7678907398077074696", 7_678_907_398_077_074_696_u64])),
            ("video_id", json!("7678907398077074696")),
        ] {
            let mut data = json!({ "status": "PUBLISH_COMPLETE" });
            data[field] = value;
            assert_eq!(report_of(&data).video_ids, [VideoId::new("7678907398077074696").unwrap()], "{data}");
        }
    }

    #[test]
    fn several_ids_are_all_kept() {
        let report = report_of(&json!({ "status": "PUBLISH_COMPLETE", "publicaly_available_post_id": [3, 1, 2] }));
        assert_eq!(report.video_ids.iter().map(VideoId::as_str).collect::<Vec<_>>(), ["3", "1", "2"]);
    }

    #[test]
    fn report_from_large_response_fits_a_table_item() {
        let long = "x".repeat(300_000);
        let many_ids: Vec<_> = (1..20_000).collect();
        let report = report_of(&json!({
            "status": "FAILED", "fail_reason": long, "publicaly_available_post_id": many_ids, "share_url": long,
        }));
        assert!(format!("{report:?}").len() < 10_000);
        assert!(matches!(report.status, PublishStatus::Failed { reason } if reason.starts_with("xxx")));
        assert_eq!(report.links, Links::default(), "a link that is too long is not kept");
    }

    #[test]
    fn published_without_valid_id_has_no_video_id() {
        for ids in [json!([]), json!(null), json!(0), json!(""), json!("not digits")] {
            let report = report_of(&json!({ "status": "PUBLISH_COMPLETE", "publicaly_available_post_id": ids }));
            assert_eq!((report.status, report.video_ids), (PublishStatus::Published, vec![]));
        }
    }

    #[test]
    fn older_response_has_links() {
        let report = report_of(&json!({
            "status": "PUBLISHED", "video_id": "12", "share_url": "https://s.example/12", "cover_url": "https://c.example/12",
        }));
        assert_eq!(report.links.share_url.as_deref(), Some("https://s.example/12"));
        assert_eq!(report.links.cover_url.as_deref(), Some("https://c.example/12"));
    }

    #[tokio::test]
    async fn response_without_status_is_retried() {
        let server = ScriptedServer::with_replies([ok(&json!({}))]).await;
        let id = PublishId::new("p").unwrap();
        let error = server.client().fetch_status(&access(), &id).await.unwrap_err();
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
        fn any_field_types_give_a_report_with_distinct_ids(values in proptest::collection::vec(any_json(), 7), status in ".{1,20}") {
            let names = ["publicaly_available_post_id", "publicly_available_post_id", "video_id", "uploaded_bytes",
                "share_url", "cover_url", "fail_reason"];
            let mut data: Value = names.iter().map(ToString::to_string).zip(values).collect::<serde_json::Map<_, _>>().into();
            data["status"] = status.clone().into();
            let report = report_of(&data);
            let ids: std::collections::HashSet<_> = report.video_ids.iter().collect();
            prop_assert_eq!(ids.len(), report.video_ids.len());
        }
    }
}
