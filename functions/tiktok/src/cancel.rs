//! The end of a publish on our own word. TikTok promises no more than to try.
//! <https://developers.tiktok.com/doc/content-posting-api-get-started>

use domain::identity::PublishId;
use serde_json::json;

use crate::client::TikTok;
use crate::credentials::AccessToken;
use crate::endpoint::Endpoint;
use crate::error::Error;

/// What TikTok says to a wish to cancel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cancellation {
    /// It tries; where it succeeds, the publish fails as `publish_cancelled`.
    Requested,
    /// It is too late, or it is not of a kind that can be cancelled.
    NotCancellable,
}

impl TikTok {
    /// Asks TikTok to cancel a publish.
    ///
    /// # Errors
    /// The publish goes on as far as is known.
    pub async fn cancel(&self, token: &AccessToken, id: &PublishId) -> Result<Cancellation, Error> {
        match self.call(Endpoint::Cancel, "", token, Some(json!({ "publish_id": id.as_str() }))).await {
            Ok(_) => Ok(Cancellation::Requested),
            Err(error) if error.refusal().is_some_and(|refusal| refusal.code == "publish_not_cancellable") => {
                Ok(Cancellation::NotCancellable)
            }
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mock_server::{MockServer, Reply, access};

    #[tokio::test]
    async fn too_late_is_an_answer_and_no_error() {
        let late = r#"{"error":{"code":"publish_not_cancellable","message":"","log_id":"l"}}"#;
        let strange = r#"{"error":{"code":"invalid_publish_id","message":"","log_id":"l"}}"#;
        let script = vec![Reply::ok(&json!({})), Reply::answer(400, late), Reply::answer(400, strange)];
        let server = MockServer::start(script).await;
        let (tiktok, id) = (server.client(), PublishId::new("p-1").unwrap());
        assert_eq!(tiktok.cancel(&access(), &id).await, Ok(Cancellation::Requested));
        assert_eq!(tiktok.cancel(&access(), &id).await, Ok(Cancellation::NotCancellable));
        assert!(tiktok.cancel(&access(), &id).await.is_err());
        let request = &server.requests()[0];
        assert_eq!(request.target, "/v2/post/publish/cancel/");
        assert_eq!(request.json(), json!({ "publish_id": "p-1" }));
    }
}
