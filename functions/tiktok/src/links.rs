//! The call that returns the links of a public video. It needs the scope `video.list`.
//! <https://developers.tiktok.com/doc/tiktok-api-v2-video-query>

use domain::identity::VideoId;
use domain::report::Links;
use serde_json::{Value, json};

use crate::client::TikTok;
use crate::credentials::AccessToken;
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::fields::short_text;
use crate::status::links_of;

impl TikTok {
    /// Returns a video's links. A link that TikTok does not return stays absent.
    ///
    /// # Errors
    /// Nothing was changed. Without the scope `video.list` TikTok rejects the call; the video is published anyway.
    pub async fn links(&self, token: &AccessToken, id: &VideoId) -> Result<Links, Error> {
        let filter = json!({ "filters": { "video_ids": [id.as_str()] } });
        let response =
            self.call(Endpoint::VideoQuery, "?fields=id,share_url,cover_image_url", token, Some(filter)).await?;
        let videos = response.data.get("videos").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let video = videos.iter().find(|video| short_text(video, "id").as_deref() == Some(id.as_str()));
        Ok(video.map(links_of).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scripted_tiktok::{ScriptedServer, ScriptedTikTok, access, ok};

    fn id() -> VideoId {
        VideoId::new("7678907398077074696").unwrap()
    }

    #[tokio::test]
    async fn query_has_fields_and_body_has_video_id() {
        let data = json!({ "videos": [
            { "id": "1", "share_url": "https://s.example/1", "cover_image_url": "https://c.example/1" },
            { "id": "7678907398077074696", "share_url": "https://s.example/7", "cover_image_url": "https://c.example/7" },
        ], "cursor": 0, "has_more": false });
        let server = ScriptedServer::with_replies([ok(&data)]).await;
        let links = server.client().links(&access(), &id()).await.unwrap();
        assert_eq!(links.share_url.as_deref(), Some("https://s.example/7"));
        assert_eq!(links.cover_url.as_deref(), Some("https://c.example/7"));
        let request = server.only_request();
        assert_eq!(
            (request.method.as_str(), request.target.as_str()),
            ("POST", "/v2/video/query/?fields=id,share_url,cover_image_url")
        );
        assert_eq!(request.json(), json!({ "filters": { "video_ids": ["7678907398077074696"] } }));
    }

    #[tokio::test]
    async fn video_absent_from_response_has_no_links() {
        for data in [json!({ "videos": [] }), json!({ "videos": [{ "id": "1", "share_url": "x" }] }), json!({})] {
            let server = ScriptedServer::with_replies([ok(&data)]).await;
            assert_eq!(server.client().links(&access(), &id()).await, Ok(Links::default()), "{data}");
        }
    }
}
