//! Who a token belongs to.
//! <https://developers.tiktok.com/doc/tiktok-api-v2-get-user-info>

use domain::account::Scopes;
use domain::identity::OpenId;

use crate::client::TikTok;
use crate::credentials::AccessToken;
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::fields::{exact, words};

/// A TikTok user, as far as the granted scopes show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// TikTok's id of the user for this app.
    pub open_id: OpenId,
    /// The name in links, without the `@`; needs `user.info.profile`.
    pub username: Option<String>,
    /// The name as shown.
    pub display_name: Option<String>,
}

impl TikTok {
    /// Asks who the token belongs to, for no more than the scopes allow: TikTok
    /// refuses a whole request for one field too many.
    ///
    /// # Errors
    /// Nothing was changed.
    pub async fn user(&self, token: &AccessToken, scopes: &Scopes) -> Result<User, Error> {
        let query = if scopes.allow("user.info.profile") {
            "?fields=open_id,display_name,username"
        } else {
            "?fields=open_id,display_name"
        };
        let answer = self.call(Endpoint::UserInfo, query, token, None).await?;
        let user = answer.data.get("user").and_then(|user| {
            let open_id = OpenId::new(exact(user, "open_id")?).ok()?;
            Some(User { open_id, username: words(user, "username"), display_name: words(user, "display_name") })
        });
        user.ok_or_else(|| Error { call: Endpoint::UserInfo, fault: answer.missing("user.open_id") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mock_server::{MockServer, Reply, access};
    use serde_json::json;

    #[tokio::test]
    async fn only_what_the_scopes_allow_is_asked_for() {
        for (scopes, target, username) in [
            ("user.info.basic", "/v2/user/info/?fields=open_id,display_name", None),
            ("user.info.basic,user.info.profile", "/v2/user/info/?fields=open_id,display_name,username", Some("anna")),
        ] {
            let data = json!({ "user": { "open_id": "open-1", "display_name": "Anna", "username": username } });
            let server = MockServer::start(vec![Reply::ok(&data)]).await;
            let user = server.client().user(&access(), &Scopes::parse(scopes)).await.unwrap();
            assert_eq!((user.open_id.as_str(), user.username.as_deref()), ("open-1", username));
            assert_eq!(user.display_name.as_deref(), Some("Anna"));
            let request = server.only_request();
            assert_eq!((request.method.as_str(), request.target.as_str()), ("GET", target));
            assert_eq!(request.header("authorization"), Some("Bearer access-1"));
        }
    }

    #[tokio::test]
    async fn a_user_without_an_id_is_no_user() {
        let server = MockServer::start(vec![Reply::ok(&json!({ "user": { "display_name": "Anna" } }))]).await;
        assert!(server.client().user(&access(), &Scopes::default()).await.is_err());
    }
}
