//! The authorize URL, which leads a user to TikTok's authorization page, and the authorization response, which comes
//! back through the user's browser. <https://developers.tiktok.com/doc/login-kit-web>, [RFC 6749, section
//! 4.1](https://www.rfc-editor.org/rfc/rfc6749#section-4.1)
//!
//! Both pass through a browser, so anyone can forge any part of them except the code: only TikTok issues codes, and
//! each code works once.

use std::fmt;

use domain::account::Scopes;
use domain::failure::{Failure, single_line};
use domain::reason::Reason;
use domain::secret::SecretString;
use url::Url;

/// TikTok's own base URL of the authorization page.
pub const AUTHORIZE_HOST: &str = "https://www.tiktok.com";
const AUTHORIZE_PATH: &str = "/v2/auth/authorize/";
/// The longest parameter of an authorization response that is kept for people, in characters.
const MAX_TEXT: usize = 300;

/// The addresses of an authorization request: the authorization page's base URL and our redirect URI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorizeUrl {
    base: Url,
    redirect_uri: String,
}

/// An address that cannot be used for an authorization request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAuthorizeUrl {
    /// The authorization page's base URL is not `http` or `https`, or has a query or fragment.
    #[error("the authorization page must be at http(s)://host[:port], without query or fragment")]
    Base,
    /// TikTok would not register the redirect URI. <https://developers.tiktok.com/doc/login-kit-web>
    #[error("the redirect URI must be https, without query or fragment, and shorter than 512 characters")]
    RedirectUri,
}

impl AuthorizeUrl {
    /// Validates the authorization page's base URL and the registered redirect URI.
    ///
    /// The redirect URI is kept byte for byte, because TikTok compares it so.
    pub fn new(base: &str, redirect_uri: &str) -> Result<Self, InvalidAuthorizeUrl> {
        let base = Url::parse(base).map_err(|_| InvalidAuthorizeUrl::Base)?;
        let is_plain = base.query().is_none() && base.fragment().is_none() && base.has_host();
        if !is_plain || !matches!(base.scheme(), "http" | "https") {
            return Err(InvalidAuthorizeUrl::Base);
        }
        let redirect = Url::parse(redirect_uri).map_err(|_| InvalidAuthorizeUrl::RedirectUri)?;
        let is_registrable =
            redirect.query().is_none() && redirect.fragment().is_none() && redirect.scheme() == "https";
        if !is_registrable || redirect_uri.len() >= 512 {
            return Err(InvalidAuthorizeUrl::RedirectUri);
        }
        Ok(Self { base, redirect_uri: redirect_uri.to_owned() })
    }

    /// Returns the URL to which TikTok sends the authorization response.
    pub fn redirect_uri(&self) -> &str {
        &self.redirect_uri
    }

    /// Returns the URL that asks a user for authorization.
    ///
    /// `disable_auto_auth` makes TikTok show its page every time. Otherwise TikTok would silently authorize the user
    /// who is signed in to TikTok in this browser.
    pub fn address(&self, client_key: &str, scopes: &Scopes, state: &str) -> Url {
        let mut address = self.base.clone();
        address.set_path(&format!("{}{AUTHORIZE_PATH}", self.base.path().trim_end_matches('/')));
        address
            .query_pairs_mut()
            .append_pair("client_key", client_key)
            .append_pair("response_type", "code")
            .append_pair("scope", &scopes.to_list())
            .append_pair("redirect_uri", &self.redirect_uri)
            .append_pair("state", state)
            .append_pair("disable_auto_auth", "1");
        address
    }
}

/// The decision of the user or of TikTok about an authorization request.
#[derive(Clone)]
pub enum Decision {
    /// The user granted at least one scope.
    Granted {
        /// The authorization code, decoded. It is exchanged for tokens, once. It is a secret.
        code: SecretString,
        /// The granted scopes that the response states.
        scopes: Scopes,
    },
    /// No scope was granted.
    Refused(AuthorizationError),
}

impl fmt::Debug for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Granted { scopes, .. } => f.debug_struct("Granted").field("scopes", scopes).finish_non_exhaustive(),
            Self::Refused(error) => f.debug_tuple("Refused").field(error).finish(),
        }
    }
}

/// An authorization response without a code. Its texts came through a browser, so anyone may have written them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorizationError {
    /// OAuth's error code: `access_denied`, `invalid_scope`, …
    pub error: String,
    /// A second, undocumented code, for example `non_sandbox_target`.
    pub error_type: Option<String>,
    /// TikTok's description, for people.
    pub description: Option<String>,
}

/// An authorization response: the query that TikTok appends to the redirect URI.
#[derive(Debug, Clone)]
pub struct AuthorizationResponse {
    /// The `state` of the authorization request. It is a secret.
    pub state: Option<SecretString>,
    /// The decision; `None` if the response has neither a code nor an error.
    pub decision: Option<Decision>,
}

impl AuthorizationResponse {
    /// Reads a response from the redirect's query, which is still URL-encoded. If a parameter occurs twice, the first
    /// counts. If the response has both an error and a code, the error counts.
    pub fn read(query: &str) -> Self {
        let value = |name: &str| {
            let mut pairs = url::form_urlencoded::parse(query.as_bytes());
            pairs.find(|(key, value)| key == name && !value.is_empty()).map(|(_, value)| value.into_owned())
        };
        let text = |name: &str| value(name).map(|text| single_line(&text, MAX_TEXT));
        let decision = match (text("error"), value("code")) {
            (Some(error), _) => Some(Decision::Refused(AuthorizationError {
                error,
                error_type: text("error_type"),
                description: text("error_description"),
            })),
            (None, Some(code)) => {
                let scopes = Scopes::parse(&value("scopes").unwrap_or_default());
                Some(Decision::Granted { code: code.into(), scopes })
            }
            (None, None) => None,
        };
        Self { state: value("state").map(SecretString::from), decision }
    }
}

impl AuthorizationError {
    /// Returns whether the user denied access, and not TikTok.
    pub fn is_user_denial(&self) -> bool {
        self.error == "access_denied" && self.error_type.is_none()
    }

    /// Returns the error as a failure with code, message and advice.
    pub fn failure(&self) -> Failure {
        let (meaning, advice) = match (self.error.as_str(), self.error_type.as_deref()) {
            ("access_denied", Some("non_sandbox_target")) => (
                "This TikTok user is not a target user of the app's sandbox",
                "Add the user to the sandbox in TikTok's developer portal; that may take an hour to take effect.",
            ),
            ("access_denied", _) => ("Access was denied on TikTok's page", "Start again, and choose Allow there."),
            ("invalid_scope", _) => (
                "TikTok does not permit this app to request these scopes",
                "Add the scopes to the app in TikTok's developer portal, or request fewer with the stack's ConnectScopes.",
            ),
            ("server_error" | "temporarily_unavailable", _) => {
                ("TikTok had an internal error", "Start again in some minutes.")
            }
            _ => ("TikTok did not show the user its authorization page", "Check the app in TikTok's developer portal."),
        };
        let reason = Reason::parse(self.error_type.as_deref().unwrap_or(&self.error));
        let description = self.description.as_deref().map(|text| format!("; TikTok says: {text}")).unwrap_or_default();
        Failure::new(reason, format!("{meaning}{description}"), advice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::secret::ExposeSecret;

    const REDIRECT_URI: &str = "https://a.example/oauth/callback";

    #[test]
    fn authorize_url_has_every_parameter_and_disables_auto_auth() {
        let authorize_url = AuthorizeUrl::new(AUTHORIZE_HOST, REDIRECT_URI).unwrap();
        let scopes = Scopes::parse("user.info.basic,video.upload");
        assert_eq!(
            authorize_url.address("key 1", &scopes, "state-1").as_str(),
            "https://www.tiktok.com/v2/auth/authorize/?client_key=key+1&response_type=code\
             &scope=user.info.basic%2Cvideo.upload&redirect_uri=https%3A%2F%2Fa.example%2Foauth%2Fcallback\
             &state=state-1&disable_auto_auth=1"
        );
        let with_path = AuthorizeUrl::new("http://127.0.0.1:4000/tiktok/", REDIRECT_URI).unwrap();
        assert_eq!(with_path.address("k", &scopes, "s").path(), "/tiktok/v2/auth/authorize/");
    }

    #[test]
    fn invalid_redirect_uri_or_base_is_rejected() {
        let long = format!("https://a.example/{}", "a".repeat(512));
        for redirect in ["http://a.example/x", "https://a.example/x?y=1", "https://a.example/x#y", "/x", &long] {
            assert_eq!(
                AuthorizeUrl::new(AUTHORIZE_HOST, redirect),
                Err(InvalidAuthorizeUrl::RedirectUri),
                "{redirect}"
            );
        }
        for base in ["ftp://host", "https://host?x=1", "nowhere"] {
            assert_eq!(AuthorizeUrl::new(base, REDIRECT_URI), Err(InvalidAuthorizeUrl::Base), "{base}");
        }
    }

    #[test]
    fn code_and_state_are_url_decoded() {
        let response = AuthorizationResponse::read("code=a%2A%21b+c&scopes=user.info.basic%2Cvideo.upload&state=s%2D1");
        assert_eq!(response.state.unwrap().expose_secret(), "s-1");
        let Some(Decision::Granted { code, scopes }) = response.decision else { panic!("expected a grant") };
        assert_eq!((code.expose_secret(), scopes.to_list().as_str()), ("a*!b c", "user.info.basic,video.upload"));
    }

    #[test]
    fn error_has_precedence_over_code() {
        let response = AuthorizationResponse::read("error=access_denied&code=c&error_type=non_sandbox_target&state=s");
        let Some(Decision::Refused(error)) = response.decision else { panic!("expected an error") };
        assert!(!error.is_user_denial());
        let failure = error.failure();
        assert_eq!(failure.reason.code(), "non_sandbox_target");
        assert!(failure.advice.contains("sandbox"), "{failure}");
    }

    #[test]
    fn response_without_code_or_error_has_no_decision() {
        for query in ["", "state=s", "code=&state=s", "Code=c", "%FF"] {
            assert!(AuthorizationResponse::read(query).decision.is_none(), "{query}");
        }
    }

    #[test]
    fn error_texts_are_short_single_lines() {
        let query = format!("error=x%0Ay&error_description={}", "z".repeat(5000));
        let Some(Decision::Refused(error)) = AuthorizationResponse::read(&query).decision else {
            panic!("expected an error")
        };
        assert_eq!(error.error, "x y");
        assert!(error.description.unwrap().len() <= MAX_TEXT);
    }

    #[test]
    fn debug_shows_neither_code_nor_state() {
        let debug = format!("{:?}", AuthorizationResponse::read("code=code-1&state=state-1"));
        assert!(!debug.contains("code-1") && !debug.contains("state-1"), "{debug}");
    }
}
