//! What a creator may post now, asked for before every direct post.
//! <https://developers.tiktok.com/doc/content-posting-api-reference-query-creator-info>

use domain::creator::Creator;
use serde_json::Value;

use crate::client::TikTok;
use crate::credentials::AccessToken;
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::fields::{count, ids, is_on, words};

impl TikTok {
    /// Asks what the creator may post now.
    ///
    /// # Errors
    /// Nothing was changed. TikTok says under HTTP 200, too, that a creator
    /// cannot post now.
    pub async fn creator(&self, token: &AccessToken) -> Result<Creator, Error> {
        let answer = self.call(Endpoint::CreatorInfo, "", token, None).await?;
        match read(&answer.data) {
            Some(creator) => Ok(creator),
            None => Err(Error { call: Endpoint::CreatorInfo, fault: answer.missing("privacy_level_options") }),
        }
    }
}

fn read(data: &Value) -> Option<Creator> {
    data.get("privacy_level_options")?.as_array()?;
    Some(Creator {
        username: words(data, "creator_username").unwrap_or_default(),
        nickname: words(data, "creator_nickname").unwrap_or_default(),
        privacy_levels: ids(data, "privacy_level_options"),
        comment_disabled: is_on(data, "comment_disabled"),
        duet_disabled: is_on(data, "duet_disabled"),
        stitch_disabled: is_on(data, "stitch_disabled"),
        max_duration_s: count(data, "max_video_post_duration_sec").filter(|&seconds| seconds > 0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mock_server::{MockServer, Reply, access};
    use domain::failure::Disposition;
    use serde_json::json;

    #[tokio::test]
    async fn a_creator_is_asked_for_without_a_body_and_read_whole() {
        let data = json!({
            "creator_avatar_url": "https://example.org/a.jpg", "creator_username": "anna", "creator_nickname": "Anna A.",
            "privacy_level_options": ["FOLLOWER_OF_CREATOR", "SELF_ONLY", "SOMETHING_NEW"],
            "comment_disabled": false, "duet_disabled": true, "stitch_disabled": true, "max_video_post_duration_sec": 300,
        });
        let server = MockServer::start(vec![Reply::ok(&data)]).await;
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
    async fn what_tiktok_leaves_out_is_not_invented() {
        let server = MockServer::start(vec![Reply::ok(&json!({ "privacy_level_options": ["SELF_ONLY"] }))]).await;
        let creator = server.client().creator(&access()).await.unwrap();
        assert_eq!((creator.max_duration_s, creator.duet_disabled), (None, false));
        let server = MockServer::start(vec![Reply::ok(&json!({ "creator_username": "anna" }))]).await;
        assert!(server.client().creator(&access()).await.is_err(), "no levels are not a level");
    }

    #[tokio::test]
    async fn a_cap_said_under_http_200_defers() {
        for code in ["reached_active_user_cap", "spam_risk_too_many_posts"] {
            let body = json!({ "data": {}, "error": { "code": code, "message": "", "log_id": "l" } }).to_string();
            let server = MockServer::start(vec![Reply::answer(200, &body)]).await;
            let error = server.client().creator(&access()).await.unwrap_err();
            assert!(matches!(error.disposition(), Disposition::Defer { .. }), "{code}");
        }
    }
}
