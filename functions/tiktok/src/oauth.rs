//! TikTok's OAuth: authorizing a user, exchanging a code or a refresh token for new tokens, and revoking them.
//!
//! TikTok rotates refresh tokens: once it has issued a [`TokenResponse`] for one, that refresh token is invalid. If the
//! response is lost, so are the new tokens. So only one caller at a time may call [`TikTok::refresh`] for an account,
//! and it must store the new tokens before it uses them; `functions/posting/src/tokens` does both.
//! Token lifetimes are taken from each response, because TikTok has changed them before.
//! <https://developers.tiktok.com/doc/oauth-user-access-token-management>
//!
//! This module does not know the time or where tokens are stored.

mod authorize;
mod call;
mod error;
pub mod error_codes;
mod token_response;

use std::time::Duration;

use domain::secret::ExposeSecret;
use serde_json::Value;
use tracing::debug;

pub use self::authorize::{
    AUTHORIZE_HOST, AuthorizationError, AuthorizationResponse, AuthorizeUrl, Decision, InvalidAuthorizeUrl,
};
pub use self::call::OAuthCall;
pub use self::error::OAuthError;
pub use self::token_response::{RefreshedTokens, TokenResponse};
use crate::client::TikTok;
use crate::credentials::{AccessToken, AppCredentials, RefreshToken};
use crate::envelope::RawResponse;
use crate::error::{ErrorKind, InvalidResponse};

const TOKEN_PATH: &str = "/v2/oauth/token/";
const REVOKE_PATH: &str = "/v2/oauth/revoke/";

impl TikTok {
    /// Exchanges a refresh token for a new pair of tokens.
    ///
    /// # Errors
    /// If TikTok responded with an error, the old pair is unchanged. If no response came, the old refresh token may be
    /// invalid; the next attempt with it shows whether it is.
    pub async fn refresh(&self, app: &AppCredentials, refresh: &RefreshToken) -> Result<RefreshedTokens, OAuthError> {
        let form = [("grant_type", "refresh_token"), ("refresh_token", refresh.expose())];
        self.request_tokens(OAuthCall::Refresh, app, &form, refresh.expose(), RefreshedTokens::read).await
    }

    /// How long a refresh can take: the time of one call.
    pub fn refresh_timeout(&self) -> Duration {
        self.timeouts.call
    }

    /// Exchanges an authorization code for the first pair of tokens.
    ///
    /// `code` is the URL-decoded code of the redirect; it works once. `redirect_uri` must be byte for byte the one of
    /// the authorization request.
    pub async fn exchange(
        &self,
        app: &AppCredentials,
        code: &str,
        redirect_uri: &str,
    ) -> Result<TokenResponse, OAuthError> {
        let form = [("grant_type", "authorization_code"), ("code", code), ("redirect_uri", redirect_uri)];
        self.request_tokens(OAuthCall::Exchange, app, &form, code, TokenResponse::read).await
    }

    /// Revokes a user's authorization.
    ///
    /// # Errors
    /// The authorization may still be valid.
    pub async fn revoke(&self, app: &AppCredentials, token: &AccessToken) -> Result<(), OAuthError> {
        let call = OAuthCall::Revoke;
        let raw = self.post_form(call, REVOKE_PATH, app, &[("token", token.expose())]).await?;
        // A success has an empty body or an empty object.
        if raw.is_success() && raw.body.is_empty() {
            return Ok(());
        }
        let secrets = [app.client_secret().expose_secret(), token.expose()];
        raw.oauth_response().map(drop).map_err(|fault| OAuthError {
            retry_after: raw.retry_after,
            ..OAuthError::new(call, fault.sanitized(&secrets))
        })
    }

    /// Requests tokens with a form that contains `secret`, which is removed from errors.
    async fn request_tokens<T>(
        &self,
        call: OAuthCall,
        app: &AppCredentials,
        form: &[(&str, &str)],
        secret: &str,
        read: impl Fn(&Value) -> Result<T, InvalidResponse>,
    ) -> Result<T, OAuthError> {
        let raw = self.post_form(call, TOKEN_PATH, app, form).await?;
        let invalid = |why| ErrorKind::InvalidResponse { http: raw.http, why };
        let tokens = raw.oauth_response().and_then(|body| read(&body).map_err(invalid));
        let secrets = [app.client_secret().expose_secret(), secret];
        tokens.map_err(|fault| OAuthError {
            retry_after: raw.retry_after,
            ..OAuthError::new(call, fault.sanitized(&secrets))
        })
    }

    async fn post_form(
        &self,
        call: OAuthCall,
        path: &str,
        app: &AppCredentials,
        form: &[(&str, &str)],
    ) -> Result<RawResponse, OAuthError> {
        let mut fields = vec![("client_key", app.client_key()), ("client_secret", app.client_secret().expose_secret())];
        fields.extend_from_slice(form);
        let response = self.fetch(self.http.post(self.address(path)).form(&fields)).await;
        match &response {
            Ok(raw) => debug!(tiktok.call = %call, http.status = raw.http, "TikTok responded to an OAuth call"),
            Err(fault) => debug!(tiktok.call = %call, error = %fault, "TikTok did not respond to an OAuth call"),
        }
        response.map_err(|fault| OAuthError::new(call, fault))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scripted_tiktok::{Reply, ScriptedServer, ScriptedTikTok, access, form};
    use domain::failure::Disposition;
    use serde_json::json;

    fn app() -> AppCredentials {
        AppCredentials::new("key-1", "secret-1".into())
    }

    /// A token with characters that a form must encode.
    fn refresh_token() -> RefreshToken {
        RefreshToken::new("refresh-1 +&=".into())
    }

    fn token_response() -> String {
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
    async fn refresh_sends_form_and_returns_new_tokens() {
        let server = ScriptedServer::with_replies([Reply::new(200, token_response())]).await;
        let tokens = server.client().refresh(&app(), &refresh_token()).await.unwrap();
        assert_eq!(tokens.access.secret().expose_secret(), "access-2");
        assert_eq!(tokens.refresh.as_ref().map(|token| token.secret().expose_secret()), Some("refresh-2"));
        assert_eq!(tokens.access_lifetime, Duration::from_hours(2));
        assert_eq!(tokens.refresh_lifetime, Some(Duration::from_hours(180 * 24)));
        assert!(tokens.scopes.allow("video.publish"));

        let request = server.only_request();
        assert_eq!((request.method.as_str(), request.target.as_str()), ("POST", "/v2/oauth/token/"));
        assert_eq!(request.header("content-type"), Some("application/x-www-form-urlencoded"));
        assert_eq!(request.header("authorization"), None);
        assert_eq!(
            form(&request),
            pairs(&[
                ("client_key", "key-1"),
                ("client_secret", "secret-1"),
                ("grant_type", "refresh_token"),
                ("refresh_token", "refresh-1 +&="),
            ])
        );
    }

    #[tokio::test]
    async fn exchange_sends_code_and_redirect_uri() {
        let server = ScriptedServer::with_replies([Reply::new(200, token_response())]).await;
        server.client().exchange(&app(), "code*1!", "https://a.example/callback/").await.unwrap();
        assert_eq!(
            form(&server.only_request()),
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
    async fn empty_response_to_revoke_is_a_success() {
        let error_body = r#"{"error":"invalid_client","error_description":"secret-1 is wrong","log_id":"l"}"#;
        let script = [Reply::new(200, ""), Reply::new(200, "{}"), Reply::new(401, error_body)];
        let server = ScriptedServer::with_replies(script).await;
        let tiktok = server.client();
        assert_eq!(tiktok.revoke(&app(), &access()).await, Ok(()));
        assert_eq!(tiktok.revoke(&app(), &access()).await, Ok(()));
        let error = tiktok.revoke(&app(), &access()).await.unwrap_err();
        assert_eq!(error.disposition(), Disposition::GiveUp);
        assert!(!format!("{error:?}").contains("secret-1"), "{error:?}");
        let request = &server.requests()[0];
        assert_eq!(request.target, "/v2/oauth/revoke/");
        assert_eq!(
            form(request),
            pairs(&[("client_key", "key-1"), ("client_secret", "secret-1"), ("token", "access-1")])
        );
    }

    #[tokio::test]
    async fn error_under_http_200_is_an_error() {
        let body =
            r#"{"error":"invalid_grant","error_description":"Refresh token is invalid or expired.","log_id":"2026A"}"#;
        let server = ScriptedServer::with_replies([Reply::new(200, body)]).await;
        let error = server.client().refresh(&app(), &refresh_token()).await.unwrap_err();
        assert_eq!(error.disposition(), Disposition::Reconcile);
        assert_eq!(error.failure().log_id.as_deref(), Some("2026A"));
    }

    #[tokio::test]
    async fn refresh_without_access_token_is_retried_and_redacted() {
        let body = r#"{"refresh_token":"access-2","open_id":"open-1"}"#;
        let server = ScriptedServer::with_replies([Reply::new(200, body)]).await;
        let error = server.client().refresh(&app(), &refresh_token()).await.unwrap_err();
        assert!(matches!(error.disposition(), Disposition::Retry { .. }), "{error:?}");
        assert!(!format!("{error:?} {}", error.failure()).contains("access-2"));
    }

    #[tokio::test]
    async fn refresh_may_omit_refresh_token_and_user() {
        let body = r#"{"access_token":"access-2","expires_in":7200}"#;
        let server = ScriptedServer::with_replies([Reply::new(200, body)]).await;
        let tokens = server.client().refresh(&app(), &refresh_token()).await.unwrap();
        assert_eq!(tokens.access.secret().expose_secret(), "access-2");
        assert_eq!((tokens.refresh, tokens.refresh_lifetime), (None, None), "the old refresh token stays");
        assert!(tokens.scopes.is_empty(), "the old scopes stay");
    }

    #[tokio::test]
    async fn lost_response_is_retried() {
        let server = ScriptedServer::with_replies([Reply::hang_up()]).await;
        let error = server.client().refresh(&app(), &refresh_token()).await.unwrap_err();
        assert!(matches!(error.fault, ErrorKind::Unanswered(_)));
        assert!(matches!(error.disposition(), Disposition::Retry { .. }));
    }
}
