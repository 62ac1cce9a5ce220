//! The init: TikTok is told what is coming, and says where to send it.
//!
//! An init without bytes publishes nothing, so repeating a doubtful one is
//! harmless; it costs quota.
//! <https://developers.tiktok.com/doc/content-posting-api-reference-direct-post>,
//! <https://developers.tiktok.com/doc/content-posting-api-reference-upload-video>

use domain::chunk::ChunkPlan;
use domain::identity::PublishId;
use domain::options::Mode;
use domain::settings::Settings;
use serde_json::{Value, json};

use crate::client::TikTok;
use crate::credentials::AccessToken;
use crate::endpoint::Endpoint;
use crate::envelope::Answer;
use crate::error::{Error, ErrorKind};
use crate::fields::exact;
use crate::upload::UploadUrl;
use crate::upload_hosts::UploadHosts;

/// What an init gives.
#[derive(Debug, Clone)]
pub struct Ticket {
    /// TikTok's id of the publish.
    pub publish_id: PublishId,
    /// Where the bytes go, for an hour from now.
    pub upload_url: UploadUrl,
}

impl TikTok {
    /// Begins a post, direct or draft as the settings say.
    ///
    /// # Errors
    /// Whatever went wrong, nothing is published. An upload URL on a host that
    /// is not among the upload hosts is an error.
    pub async fn begin(&self, token: &AccessToken, settings: &Settings, plan: &ChunkPlan) -> Result<Ticket, Error> {
        let call = Endpoint::init(settings.mode);
        let answer = self.call(call, "", token, Some(body(settings, plan))).await?;
        ticket(&answer, &self.hosts).map_err(|fault| Error { call, fault })
    }
}

fn body(settings: &Settings, plan: &ChunkPlan) -> Value {
    let source_info = json!({
        "source": "FILE_UPLOAD",
        "video_size": plan.size().bytes(),
        "chunk_size": plan.chunk_size(),
        "total_chunk_count": plan.count(),
    });
    match settings.mode {
        Mode::Direct => json!({ "post_info": post_info(settings), "source_info": source_info }),
        // A draft keeps nothing of a post_info: its user decides in the app.
        Mode::Draft => json!({ "source_info": source_info }),
    }
}

fn post_info(settings: &Settings) -> Value {
    let mut info = json!({
        "title": settings.title.as_str(),
        "privacy_level": settings.privacy_level.as_str(),
        "disable_comment": settings.disable_comment,
        "disable_duet": settings.disable_duet,
        "disable_stitch": settings.disable_stitch,
        // The table says that these must be there, so false is said, too.
        "brand_content_toggle": settings.brand_content,
        "brand_organic_toggle": settings.brand_organic,
        "is_aigc": settings.ai_generated,
    });
    if let Some(ms) = settings.cover_timestamp_ms {
        info["video_cover_timestamp_ms"] = ms.into();
    }
    info
}

fn ticket(answer: &Answer, hosts: &UploadHosts) -> Result<Ticket, ErrorKind> {
    let publish_id = exact(&answer.data, "publish_id")
        .and_then(|id| PublishId::new(id).ok())
        .ok_or_else(|| answer.missing("publish_id"))?;
    let upload_url = exact(&answer.data, "upload_url").ok_or_else(|| answer.missing("upload_url"))?;
    let upload_url = UploadUrl::restore(upload_url.into());
    match upload_url.target(hosts) {
        Some(_) => Ok(Ticket { publish_id, upload_url }),
        None => Err(ErrorKind::UploadHostRefused),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::InvalidResponse;
    use crate::mock_server::{MockServer, Reply, access, plan, settings};
    use domain::failure::Disposition;
    use domain::options::PrivacyLevel;
    use domain::secret::ExposeSecret;

    fn ticket_from(server_url: &str) -> Reply {
        Reply::ok(&json!({ "publish_id": "v_pub_file~v2-1.17", "upload_url": server_url }))
    }

    #[tokio::test]
    async fn a_direct_post_says_all_that_tiktok_asks_for() {
        let server = MockServer::start(vec![]).await;
        server.then(ticket_from(&server.url("/upload?upload_id=1&upload_token=t-1")));
        let ticket = server.client().begin(&access(), &settings(Mode::Direct), &plan(50_000_123)).await.unwrap();
        assert_eq!(ticket.publish_id.as_str(), "v_pub_file~v2-1.17");
        assert_eq!(ticket.upload_url.secret().expose_secret(), server.url("/upload?upload_id=1&upload_token=t-1"));

        let request = server.only_request();
        assert_eq!((request.method.as_str(), request.target.as_str()), ("POST", "/v2/post/publish/video/init/"));
        assert_eq!(request.header("content-type"), Some("application/json; charset=UTF-8"));
        assert_eq!(request.header("authorization"), Some("Bearer access-1"));
        assert_eq!(request.header("user-agent"), Some(concat!("dropcast/", env!("CARGO_PKG_VERSION"))));
        assert_eq!(
            request.json(),
            json!({
                "post_info": {
                    "title": "A title ü 👍", "privacy_level": "SELF_ONLY",
                    "disable_comment": true, "disable_duet": false, "disable_stitch": true,
                    "brand_content_toggle": false, "brand_organic_toggle": false, "is_aigc": false,
                },
                "source_info": {
                    "source": "FILE_UPLOAD", "video_size": 50_000_123, "chunk_size": 10_000_024, "total_chunk_count": 5,
                }
            })
        );
    }

    #[tokio::test]
    async fn what_is_set_is_said() {
        let server = MockServer::start(vec![]).await;
        server.then(ticket_from(&server.url("/upload")));
        let settings = Settings {
            privacy_level: PrivacyLevel::PublicToEveryone,
            cover_timestamp_ms: Some(1500),
            brand_content: true,
            brand_organic: true,
            ai_generated: true,
            ..settings(Mode::Direct)
        };
        server.client().begin(&access(), &settings, &plan(1)).await.unwrap();
        let sent = server.only_request().json();
        let info = &sent["post_info"];
        assert_eq!(info["privacy_level"], "PUBLIC_TO_EVERYONE");
        assert_eq!(info["video_cover_timestamp_ms"], 1500);
        assert_eq!((&info["brand_content_toggle"], &info["brand_organic_toggle"]), (&true.into(), &true.into()));
        assert_eq!(info["is_aigc"], true);
        assert_eq!(sent["source_info"]["chunk_size"], 1, "one chunk is as large as the video");
    }

    #[tokio::test]
    async fn a_draft_says_where_the_bytes_come_from_and_nothing_else() {
        let server = MockServer::start(vec![]).await;
        server.then(ticket_from(&server.url("/upload")));
        server.client().begin(&access(), &settings(Mode::Draft), &plan(1000)).await.unwrap();
        let request = server.only_request();
        assert_eq!(request.target, "/v2/post/publish/inbox/video/init/");
        assert_eq!(
            request.json(),
            json!({ "source_info": { "source": "FILE_UPLOAD", "video_size": 1000, "chunk_size": 1000, "total_chunk_count": 1 } })
        );
    }

    #[tokio::test]
    async fn an_upload_url_elsewhere_is_refused_and_not_shown() {
        for url in [
            "https://example.org/upload?upload_token=t-1",
            "http://open-upload.tiktokapis.com/?upload_token=t-1",
            "t-1",
        ] {
            let server = MockServer::start(vec![ticket_from(url)]).await;
            let error = server.client().begin(&access(), &settings(Mode::Direct), &plan(1)).await.unwrap_err();
            assert_eq!(error.fault, ErrorKind::UploadHostRefused);
            assert_eq!(error.disposition(), Disposition::GiveUp);
            assert!(!format!("{error:?} {}", error.failure()).contains("t-1"), "{error:?}");
        }
    }

    #[tokio::test]
    async fn an_answer_without_a_ticket_is_asked_for_again() {
        for (data, field) in [
            (json!({ "upload_url": "x" }), "publish_id"),
            (json!({ "publish_id": "two words", "upload_url": "x" }), "publish_id"),
            (json!({ "publish_id": "p" }), "upload_url"),
            (json!(null), "publish_id"),
        ] {
            let server = MockServer::start(vec![Reply::ok(&data)]).await;
            let error = server.client().begin(&access(), &settings(Mode::Direct), &plan(1)).await.unwrap_err();
            assert_eq!(error.fault, ErrorKind::InvalidResponse { http: 200, why: InvalidResponse::Missing(field) });
            assert!(matches!(error.disposition(), Disposition::Retry { .. }));
        }
    }

    #[tokio::test]
    async fn a_refusal_says_which_call_and_why() {
        let refusal =
            r#"{"data":{},"error":{"code":"invalid_params","message":"The chunk size is invalid","log_id":"2026A"}}"#;
        let server = MockServer::start(vec![Reply::answer(400, refusal)]).await;
        let error = server.client().begin(&access(), &settings(Mode::Draft), &plan(1)).await.unwrap_err();
        assert_eq!(error.call, Endpoint::DraftInit);
        let failure = error.failure();
        assert!(failure.message.contains("The chunk size is invalid"), "{failure}");
        assert_eq!(failure.log_id.as_deref(), Some("2026A"));
    }
}
