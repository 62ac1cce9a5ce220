//! The call that returns what a creator may post now. TikTok requires it before every direct post.
//! <https://developers.tiktok.com/doc/content-posting-api-reference-query-creator-info>

use domain::creator::Creator;
use serde_json::Value;

use crate::client::TikTok;
use crate::credentials::AccessToken;
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::fields::{display_text, flag, short_texts, whole_number};

impl TikTok {
    /// Returns what the creator may post now.
    ///
    /// # Errors
    /// Nothing was changed. An error may come under HTTP 200, for example if the creator cannot post now.
    pub async fn creator(&self, token: &AccessToken) -> Result<Creator, Error> {
        let response = self.call(Endpoint::CreatorInfo, "", token, None).await?;
        match read(&response.data) {
            Some(creator) => Ok(creator),
            None => Err(Error::new(Endpoint::CreatorInfo, response.missing("privacy_level_options"))),
        }
    }
}

fn read(data: &Value) -> Option<Creator> {
    data.get("privacy_level_options")?.as_array()?;
    Some(Creator {
        username: display_text(data, "creator_username").unwrap_or_default(),
        nickname: display_text(data, "creator_nickname").unwrap_or_default(),
        privacy_levels: short_texts(data, "privacy_level_options"),
        comment_disabled: flag(data, "comment_disabled"),
        duet_disabled: flag(data, "duet_disabled"),
        stitch_disabled: flag(data, "stitch_disabled"),
        // A maximum of 0 s would reject every video, so it counts as absent.
        max_duration_s: whole_number(data, "max_video_post_duration_sec").filter(|&seconds| seconds > 0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scripted_tiktok::{Reply, ScriptedServer, ScriptedTikTok, access, ok};
    use domain::failure::Disposition;
    use serde_json::json;

    #[tokio::test]
    async fn request_has_no_body_and_every_field_is_read() {
        let data = json!({
            "creator_avatar_url": "https://example.org/a.jpg", "creator_username": "anna", "creator_nickname": "Anna A.",
            "privacy_level_options": ["FOLLOWER_OF_CREATOR", "SELF_ONLY", "SOMETHING_NEW"],
            "comment_disabled": false, "duet_disabled": true, "stitch_disabled": true, "max_video_post_duration_sec": 300,
        });
        let server = ScriptedServer::with_replies([ok(&data)]).await;
        let creator = server.client().creator(&access()).await.unwrap();
        assert_eq!(
            creator,
            Creator {
                username: "anna".into(),
                nickname: "Anna A.".into(),
                privacy_levels: ["FOLLOWER_OF_CREATOR", "SELF_ONLY", "SOMETHING_NEW"].map(String::from).to_vec(),
                comment_disabled: false,
                duet_disabled: true,
                stitch_disabled: true,
                max_duration_s: Some(300),
            }
        );
        let request = server.only_request();
        assert_eq!(
            (request.method.as_str(), request.target.as_str()),
            ("POST", "/v2/post/publish/creator_info/query/")
        );
        assert_eq!(request.header("authorization"), Some("Bearer access-1"));
        assert_eq!((request.header("content-length"), request.body.len()), (Some("0"), 0));
    }

    #[tokio::test]
    async fn absent_limits_stay_absent() {
        let server = ScriptedServer::with_replies([ok(&json!({ "privacy_level_options": ["SELF_ONLY"] }))]).await;
        let creator = server.client().creator(&access()).await.unwrap();
        assert_eq!((creator.max_duration_s, creator.duet_disabled), (None, false));
        let server = ScriptedServer::with_replies([ok(&json!({ "creator_username": "anna" }))]).await;
        assert!(server.client().creator(&access()).await.is_err(), "a creator without privacy levels");
    }

    #[tokio::test]
    async fn quota_error_under_http_200_defers() {
        for code in ["reached_active_user_cap", "spam_risk_too_many_posts"] {
            let body = json!({ "data": {}, "error": { "code": code, "message": "", "log_id": "l" } }).to_string();
            let server = ScriptedServer::with_replies([Reply::new(200, body)]).await;
            let error = server.client().creator(&access()).await.unwrap_err();
            assert!(matches!(error.disposition(), Disposition::Defer { .. }), "{code}");
        }
    }
}
