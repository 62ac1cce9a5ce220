//! The init call: announces a video to TikTok and receives the URL to upload it to.
//!
//! An init publishes nothing until the video's bytes are uploaded. An init without a response can therefore be
//! repeated; that costs only quota.
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
use crate::envelope::ApiResponse;
use crate::error::{Error, ErrorKind};
use crate::fields::raw_text;
use crate::upload::UploadUrl;
use crate::upload_hosts::UploadHosts;

/// The result of an init.
#[derive(Debug, Clone)]
pub struct Ticket {
    /// TikTok's id of the publish.
    pub publish_id: PublishId,
    /// The URL to send the bytes to. TikTok accepts bytes there for one hour after the init.
    pub upload_url: UploadUrl,
}

impl TikTok {
    /// Announces a direct post or a draft, as the settings say.
    ///
    /// # Errors
    /// No error leaves anything published. An upload URL whose host is not allowed is an error.
    pub async fn init_publish(
        &self,
        token: &AccessToken,
        settings: &Settings,
        plan: &ChunkPlan,
    ) -> Result<Ticket, Error> {
        let call = Endpoint::init(settings.mode);
        let response = self.call(call, "", token, Some(request_body(settings, plan))).await?;
        ticket(&response, &self.upload_hosts).map_err(|fault| Error::new(call, fault))
    }
}

fn request_body(settings: &Settings, plan: &ChunkPlan) -> Value {
    let source_info = json!({
        "source": "FILE_UPLOAD",
        "video_size": plan.size().bytes(),
        "chunk_size": plan.chunk_size(),
        "total_chunk_count": plan.count(),
    });
    match settings.mode {
        Mode::Direct => json!({ "post_info": post_info(settings), "source_info": source_info }),
        // TikTok ignores the post_info of a draft: the user sets the options in the TikTok app.
        Mode::Draft => json!({ "source_info": source_info }),
    }
}

/// Returns the options of a direct post in TikTok's JSON.
///
/// The settings are destructured without `..`: a field added to [`Settings`] does not compile until this function sends
/// it or ignores it by name.
fn post_info(settings: &Settings) -> Value {
    let Settings {
        title,
        // Selects the endpoint.
        mode: _,
        privacy_level,
        disable_comment,
        disable_duet,
        disable_stitch,
        cover_timestamp_ms,
        brand_content,
        brand_organic,
        ai_generated,
    } = settings;
    let mut info = json!({
        "title": title.as_str(),
        "privacy_level": privacy_level.as_str(),
        "disable_comment": disable_comment,
        "disable_duet": disable_duet,
        "disable_stitch": disable_stitch,
        // TikTok's table lists the toggles as required, so false is sent too.
        "brand_content_toggle": brand_content,
        "brand_organic_toggle": brand_organic,
        "is_aigc": ai_generated,
    });
    if let Some(ms) = *cover_timestamp_ms {
        info["video_cover_timestamp_ms"] = ms.into();
    }
    info
}

fn ticket(response: &ApiResponse, hosts: &UploadHosts) -> Result<Ticket, ErrorKind> {
    let publish_id = raw_text(&response.data, "publish_id")
        .and_then(|id| PublishId::new(id).ok())
        .ok_or_else(|| response.missing("publish_id"))?;
    let upload_url = raw_text(&response.data, "upload_url").ok_or_else(|| response.missing("upload_url"))?;
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
    use crate::scripted_tiktok::{Reply, ScriptedServer, ScriptedTikTok, access, ok, plan, reply, settings};
    use domain::failure::Disposition;
    use domain::options::PrivacyLevel;
    use domain::secret::ExposeSecret;

    fn ticket_response(upload_url: &str) -> Reply {
        ok(&json!({ "publish_id": "v_pub_file~v2-1.17", "upload_url": upload_url }))
    }

    #[tokio::test]
    async fn direct_post_sends_every_option() {
        let server = ScriptedServer::with_replies([]).await;
        server.push(reply(ticket_response(&server.url("/upload?upload_id=1&upload_token=t-1"))));
        // 50,000,123 bytes are five chunks of 10,000,024 bytes; the last one takes the remainder of 3 bytes.
        let ticket = server.client().init_publish(&access(), &settings(Mode::Direct), &plan(50_000_123)).await.unwrap();
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
    async fn options_that_are_set_are_sent() {
        let server = ScriptedServer::with_replies([]).await;
        server.push(reply(ticket_response(&server.url("/upload"))));
        let settings = Settings {
            privacy_level: PrivacyLevel::PublicToEveryone,
            cover_timestamp_ms: Some(1500),
            brand_content: true,
            brand_organic: true,
            ai_generated: true,
            ..settings(Mode::Direct)
        };
        server.client().init_publish(&access(), &settings, &plan(1)).await.unwrap();
        let sent = server.only_request().json();
        let info = &sent["post_info"];
        assert_eq!(info["privacy_level"], "PUBLIC_TO_EVERYONE");
        assert_eq!(info["video_cover_timestamp_ms"], 1500);
        assert_eq!((&info["brand_content_toggle"], &info["brand_organic_toggle"]), (&true.into(), &true.into()));
        assert_eq!(info["is_aigc"], true);
        assert_eq!(sent["source_info"]["chunk_size"], 1, "a single chunk is as large as the video");
    }

    #[tokio::test]
    async fn draft_sends_only_source_info() {
        let server = ScriptedServer::with_replies([]).await;
        server.push(reply(ticket_response(&server.url("/upload"))));
        server.client().init_publish(&access(), &settings(Mode::Draft), &plan(1000)).await.unwrap();
        let request = server.only_request();
        assert_eq!(request.target, "/v2/post/publish/inbox/video/init/");
        assert_eq!(
            request.json(),
            json!({ "source_info": { "source": "FILE_UPLOAD", "video_size": 1000, "chunk_size": 1000, "total_chunk_count": 1 } })
        );
    }

    #[tokio::test]
    async fn upload_url_on_other_host_is_rejected_and_redacted() {
        for url in [
            "https://example.org/upload?upload_token=t-1",
            "http://open-upload.tiktokapis.com/?upload_token=t-1",
            "t-1",
        ] {
            let server = ScriptedServer::with_replies([ticket_response(url)]).await;
            let error = server.client().init_publish(&access(), &settings(Mode::Direct), &plan(1)).await.unwrap_err();
            assert_eq!(error.fault, ErrorKind::UploadHostRefused);
            assert_eq!(error.disposition(), Disposition::GiveUp);
            assert!(!format!("{error:?} {}", error.failure()).contains("t-1"), "{error:?}");
        }
    }

    #[tokio::test]
    async fn response_without_ticket_is_retried() {
        for (data, field) in [
            (json!({ "upload_url": "x" }), "publish_id"),
            (json!({ "publish_id": "two words", "upload_url": "x" }), "publish_id"),
            (json!({ "publish_id": "p" }), "upload_url"),
            (json!(null), "publish_id"),
        ] {
            let server = ScriptedServer::with_replies([ok(&data)]).await;
            let error = server.client().init_publish(&access(), &settings(Mode::Direct), &plan(1)).await.unwrap_err();
            assert_eq!(error.fault, ErrorKind::InvalidResponse { http: 200, why: InvalidResponse::Missing(field) });
            assert!(matches!(error.disposition(), Disposition::Retry { .. }));
        }
    }

    #[tokio::test]
    async fn error_names_call_and_reason() {
        let body =
            r#"{"data":{},"error":{"code":"invalid_params","message":"The chunk size is invalid","log_id":"2026A"}}"#;
        let server = ScriptedServer::with_replies([Reply::new(400, body)]).await;
        let error = server.client().init_publish(&access(), &settings(Mode::Draft), &plan(1)).await.unwrap_err();
        assert_eq!(error.call, Endpoint::DraftInit);
        let failure = error.failure();
        assert!(failure.message.contains("The chunk size is invalid"), "{failure}");
        assert_eq!(failure.log_id.as_deref(), Some("2026A"));
    }
}
