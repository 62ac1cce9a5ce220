//! The call that asks TikTok to cancel a publish, which TikTok may fail to do.
//! <https://developers.tiktok.com/doc/content-posting-api-get-started>

use domain::identity::PublishId;
use serde_json::json;

use crate::client::TikTok;
use crate::credentials::AccessToken;
use crate::endpoint::Endpoint;
use crate::error::Error;

/// TikTok's response to a cancel request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cancellation {
    /// TikTok tries to cancel the publish. If it succeeds, the publish fails with the reason `publish_cancelled`.
    Requested,
    /// It is too late to cancel the publish, or TikTok cannot cancel this type of publish.
    NotCancellable,
}

impl TikTok {
    /// Asks TikTok to cancel a publish.
    ///
    /// # Errors
    /// As far as is known, the publish continues.
    pub async fn cancel(&self, token: &AccessToken, id: &PublishId) -> Result<Cancellation, Error> {
        match self.call(Endpoint::Cancel, "", token, Some(json!({ "publish_id": id.as_str() }))).await {
            Ok(_) => Ok(Cancellation::Requested),
            Err(error) if error.api_error().is_some_and(|error| error.code == "publish_not_cancellable") => {
                Ok(Cancellation::NotCancellable)
            }
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scripted_tiktok::{Reply, ScriptedServer, ScriptedTikTok, access, ok};

    #[tokio::test]
    async fn not_cancellable_is_a_result_and_not_an_error() {
        let not_cancellable = r#"{"error":{"code":"publish_not_cancellable","message":"","log_id":"l"}}"#;
        let unknown_id = r#"{"error":{"code":"invalid_publish_id","message":"","log_id":"l"}}"#;
        let script = [ok(&json!({})), Reply::new(400, not_cancellable), Reply::new(400, unknown_id)];
        let server = ScriptedServer::with_replies(script).await;
        let (tiktok, id) = (server.client(), PublishId::new("p-1").unwrap());
        assert_eq!(tiktok.cancel(&access(), &id).await, Ok(Cancellation::Requested));
        assert_eq!(tiktok.cancel(&access(), &id).await, Ok(Cancellation::NotCancellable));
        assert!(tiktok.cancel(&access(), &id).await.is_err());
        let request = &server.requests()[0];
        assert_eq!(request.target, "/v2/post/publish/cancel/");
        assert_eq!(request.json(), json!({ "publish_id": "p-1" }));
    }
}
