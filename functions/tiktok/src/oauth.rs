//! TikTok's OAuth: a user's consent, tokens for its code, for a refresh token, and
//! their end.
//!
//! TikTok rotates the refresh token: once a [`Grant`] has been given for one, the
//! old one is worth nothing, and a lost answer is a lost grant. So whoever calls
//! [`TikTok::refresh`] is alone in it, and stores the grant before using it.
//! Lifetimes are obeyed as they come: TikTok has changed them before.
//! <https://developers.tiktok.com/doc/oauth-user-access-token-management>
//!
//! It does not know what time it is or where tokens are kept.

mod authorize;
mod error;
mod grant;
pub mod reaction;

use domain::secret::ExposeSecret;
use tracing::debug;

pub use self::authorize::{
    AUTHORIZE_HOST, AuthorizationError, AuthorizationResponse, AuthorizeUrl, Decision, InvalidAuthorizeUrl,
};
pub use self::error::{OAuthCall, OAuthError};
pub use self::grant::Grant;
use crate::client::TikTok;
use crate::credentials::{AccessToken, AppCredentials, RefreshToken};
use crate::envelope::Raw;
use crate::error::ErrorKind;

const TOKEN: &str = "/v2/oauth/token/";
const REVOKE: &str = "/v2/oauth/revoke/";

impl TikTok {
    /// Exchanges a refresh token for a new pair.
    ///
    /// # Errors
    /// If TikTok refused, the old pair stands as it stood. If it did not answer,
    /// the old refresh token may be spent: trying it once more tells.
    pub async fn refresh(&self, app: &AppCredentials, refresh: &RefreshToken) -> Result<Grant, OAuthError> {
        let form = [("grant_type", "refresh_token"), ("refresh_token", refresh.expose())];
        self.grant(OAuthCall::Refresh, app, &form, refresh.expose()).await
    }

    /// Exchanges the code of a consent for the first pair. The code is the one
    /// of the redirect, URL-decoded, and works once; the redirect URI is the one
    /// that the consent was asked with, to the byte.
    pub async fn exchange(&self, app: &AppCredentials, code: &str, redirect_uri: &str) -> Result<Grant, OAuthError> {
        let form = [("grant_type", "authorization_code"), ("code", code), ("redirect_uri", redirect_uri)];
        self.grant(OAuthCall::Exchange, app, &form, code).await
    }

    /// Ends a user's consent.
    ///
    /// # Errors
    /// The consent may go on.
    pub async fn revoke(&self, app: &AppCredentials, token: &AccessToken) -> Result<(), OAuthError> {
        let failed = |fault| OAuthError { call: OAuthCall::Revoke, fault };
        let raw = self.post(OAuthCall::Revoke, REVOKE, app, &[("token", token.expose())]).await?;
        // Success is an empty answer, or an empty object.
        if raw.is_success() && raw.body.is_empty() {
            return Ok(());
        }
        let secrets = [app.client_secret().expose_secret(), token.expose()];
        raw.open_flat().map(drop).map_err(|fault| failed(fault.without(&secrets)))
    }

    async fn grant(
        &self,
        call: OAuthCall,
        app: &AppCredentials,
        form: &[(&str, &str)],
        spent: &str,
    ) -> Result<Grant, OAuthError> {
        let raw = self.post(call, TOKEN, app, form).await?;
        let grant = raw
            .open_flat()
            .and_then(|body| Grant::read(&body).map_err(|why| ErrorKind::InvalidResponse { http: raw.http, why }));
        grant.map_err(|fault| OAuthError { call, fault: fault.without(&[app.client_secret().expose_secret(), spent]) })
    }

    async fn post(
        &self,
        call: OAuthCall,
        path: &str,
        app: &AppCredentials,
        form: &[(&str, &str)],
    ) -> Result<Raw, OAuthError> {
        let mut fields = vec![("client_key", app.client_key()), ("client_secret", app.client_secret().expose_secret())];
        fields.extend_from_slice(form);
        let answer = self.fetch(self.http.post(self.address(path)).form(&fields)).await;
        match &answer {
            Ok(raw) => debug!(tiktok.call = %call, http.status = raw.http, "TikTok answered"),
            Err(fault) => debug!(tiktok.call = %call, error = %fault, "TikTok gave no answer"),
        }
        answer.map_err(|fault| OAuthError { call, fault })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mock_server::{MockServer, Reply, access};
    use domain::failure::Disposition;
    use serde_json::json;
    use std::time::Duration;

    fn app() -> AppCredentials {
        AppCredentials::new("key-1", "secret-1".into())
    }

    fn refresh_token() -> RefreshToken {
        RefreshToken::new("refresh-1 +&=".into())
    }

    fn granted() -> String {
        json!({
            "open_id": "open-1", "scope": "user.info.basic,video.publish", "access_token": "access-2",
            "expires_in": 7200, "refresh_token": "refresh-2", "refresh_expires_in": 15_552_000, "token_type": "Bearer",
        })
        .to_string()
    }

    fn pairs(form: &[(&str, &str)]) -> Vec<(String, String)> {
        form.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    #[tokio::test]
    async fn a_refresh_sends_a_form_and_brings_the_next_pair() {
        let server = MockServer::start(vec![Reply::answer(200, &granted())]).await;
        let grant = server.client().refresh(&app(), &refresh_token()).await.unwrap();
        assert_eq!(grant.open_id.as_str(), "open-1");
        assert_eq!(grant.access.secret().expose_secret(), "access-2");
        assert_eq!(grant.refresh.secret().expose_secret(), "refresh-2");
        assert_eq!(grant.access_lifetime, Duration::from_hours(2));
        assert_eq!(grant.refresh_lifetime, Duration::from_hours(180 * 24));
        assert!(grant.scopes.allow("video.publish"));

        let request = server.only_request();
        assert_eq!((request.method.as_str(), request.target.as_str()), ("POST", "/v2/oauth/token/"));
        assert_eq!(request.header("content-type"), Some("application/x-www-form-urlencoded"));
        assert_eq!(request.header("authorization"), None);
        assert_eq!(
            request.form(),
            pairs(&[
                ("client_key", "key-1"),
                ("client_secret", "secret-1"),
                ("grant_type", "refresh_token"),
                ("refresh_token", "refresh-1 +&="),
            ])
        );
    }

    #[tokio::test]
    async fn an_exchange_names_the_code_and_the_redirect_uri() {
        let server = MockServer::start(vec![Reply::answer(200, &granted())]).await;
        server.client().exchange(&app(), "code*1!", "https://a.example/callback/").await.unwrap();
        assert_eq!(
            server.only_request().form(),
            pairs(&[
                ("client_key", "key-1"),
                ("client_secret", "secret-1"),
                ("grant_type", "authorization_code"),
                ("code", "code*1!"),
                ("redirect_uri", "https://a.example/callback/"),
            ])
        );
    }

    #[tokio::test]
    async fn an_empty_answer_to_a_revocation_is_success() {
        let refusal = r#"{"error":"invalid_client","error_description":"secret-1 is wrong","log_id":"l"}"#;
        let script = vec![Reply::answer(200, ""), Reply::answer(200, "{}"), Reply::answer(401, refusal)];
        let server = MockServer::start(script).await;
        let tiktok = server.client();
        assert_eq!(tiktok.revoke(&app(), &access()).await, Ok(()));
        assert_eq!(tiktok.revoke(&app(), &access()).await, Ok(()));
        let error = tiktok.revoke(&app(), &access()).await.unwrap_err();
        assert_eq!(error.disposition(), Disposition::GiveUp);
        assert!(!format!("{error:?}").contains("secret-1"), "{error:?}");
        let request = &server.requests()[0];
        assert_eq!(request.target, "/v2/oauth/revoke/");
        assert_eq!(
            request.form(),
            pairs(&[("client_key", "key-1"), ("client_secret", "secret-1"), ("token", "access-1")])
        );
    }

    #[tokio::test]
    async fn a_refusal_under_http_200_is_a_refusal() {
        let body =
            r#"{"error":"invalid_grant","error_description":"Refresh token is invalid or expired.","log_id":"2026A"}"#;
        let server = MockServer::start(vec![Reply::answer(200, body)]).await;
        let error = server.client().refresh(&app(), &refresh_token()).await.unwrap_err();
        assert_eq!(error.disposition(), Disposition::Reconcile);
        assert_eq!(error.failure().log_id.as_deref(), Some("2026A"));
    }

    #[tokio::test]
    async fn half_a_grant_is_no_grant() {
        let server =
            MockServer::start(vec![Reply::answer(200, r#"{"access_token":"access-2","open_id":"open-1"}"#)]).await;
        let error = server.client().refresh(&app(), &refresh_token()).await.unwrap_err();
        assert!(matches!(error.disposition(), Disposition::Retry { .. }), "{error:?}");
        assert!(!format!("{error:?} {}", error.failure()).contains("access-2"));
    }

    #[tokio::test]
    async fn a_lost_answer_is_tried_again_with_the_same_token() {
        let server = MockServer::start(vec![Reply::Close]).await;
        let error = server.client().refresh(&app(), &refresh_token()).await.unwrap_err();
        assert!(matches!(error.fault, ErrorKind::Unanswered(_)));
        assert!(matches!(error.disposition(), Disposition::Retry { .. }));
    }
}
