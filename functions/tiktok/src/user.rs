//! The call that returns the TikTok user of an access token.
//! <https://developers.tiktok.com/doc/tiktok-api-v2-get-user-info>

use domain::account::Scopes;
use domain::identity::OpenId;

use crate::client::TikTok;
use crate::credentials::AccessToken;
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::fields::{display_text, raw_text};

/// A TikTok user, with the fields that the granted scopes permit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// TikTok's id of the user for this app.
    pub open_id: OpenId,
    /// The name in links, without the `@`; needs the scope `user.info.profile`.
    pub username: Option<String>,
    /// The name that TikTok displays.
    pub display_name: Option<String>,
}

impl TikTok {
    /// Returns the user of an access token.
    ///
    /// It requests only fields that the scopes permit: TikTok rejects the whole request if one field is not permitted.
    ///
    /// # Errors
    /// Nothing was changed.
    pub async fn user(&self, token: &AccessToken, scopes: &Scopes) -> Result<User, Error> {
        let query = if scopes.allow("user.info.profile") {
            "?fields=open_id,display_name,username"
        } else {
            "?fields=open_id,display_name"
        };
        let response = self.call(Endpoint::UserInfo, query, token, None).await?;
        let user = response.data.get("user").and_then(|user| {
            let open_id = OpenId::new(raw_text(user, "open_id")?).ok()?;
            let (username, display_name) = (display_text(user, "username"), display_text(user, "display_name"));
            Some(User { open_id, username, display_name })
        });
        user.ok_or_else(|| Error::new(Endpoint::UserInfo, response.missing("user.open_id")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scripted_tiktok::{ScriptedServer, ScriptedTikTok, access, ok};
    use serde_json::json;

    #[tokio::test]
    async fn only_fields_within_scopes_are_requested() {
        for (scopes, target, username) in [
            ("user.info.basic", "/v2/user/info/?fields=open_id,display_name", None),
            ("user.info.basic,user.info.profile", "/v2/user/info/?fields=open_id,display_name,username", Some("anna")),
        ] {
            let data = json!({ "user": { "open_id": "open-1", "display_name": "Anna", "username": username } });
            let server = ScriptedServer::with_replies([ok(&data)]).await;
            let user = server.client().user(&access(), &Scopes::parse(scopes)).await.unwrap();
            assert_eq!((user.open_id.as_str(), user.username.as_deref()), ("open-1", username));
            assert_eq!(user.display_name.as_deref(), Some("Anna"));
            let request = server.only_request();
            assert_eq!((request.method.as_str(), request.target.as_str()), ("GET", target));
            assert_eq!(request.header("authorization"), Some("Bearer access-1"));
        }
    }

    #[tokio::test]
    async fn user_without_open_id_is_an_error() {
        let server = ScriptedServer::with_replies([ok(&json!({ "user": { "display_name": "Anna" } }))]).await;
        assert!(server.client().user(&access(), &Scopes::default()).await.is_err());
    }
}
