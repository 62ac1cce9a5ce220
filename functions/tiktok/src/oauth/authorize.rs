//! TikTok's consent page: the address that leads to it, and the answer that
//! comes back through the user's browser.
//! <https://developers.tiktok.com/doc/login-kit-web>
//!
//! Both go through a browser, so nothing in them is proven but the code, which
//! only TikTok can have made, and only once.

use std::fmt;

use domain::account::Scopes;
use domain::failure::{Failure, single_line};
use domain::secret::SecretString;
use url::Url;

/// TikTok's own host of the consent page.
pub const AUTHORIZE_HOST: &str = "https://www.tiktok.com";
const AUTHORIZE: &str = "/v2/auth/authorize/";
/// The most of TikTok's words that is kept, in characters.
const MOST_WORDS: usize = 300;

/// Where the consent page is, and where its answer goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorizeUrl {
    base: Url,
    redirect_uri: String,
}

/// An address that cannot be what it was taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAuthorizeUrl {
    /// The page's base is not `http` or `https`, or has a query or fragment.
    #[error("the consent page must be at http(s)://host[:port], without query or fragment")]
    Base,
    /// TikTok would not register it.
    #[error("the redirect URI must be https, static, without query or fragment, and shorter than 512 characters")]
    RedirectUri,
}

impl AuthorizeUrl {
    /// Takes the page's base and the registered redirect URI, which is kept as
    /// it is, to the byte: TikTok compares it so.
    pub fn new(base: &str, redirect_uri: &str) -> Result<Self, InvalidAuthorizeUrl> {
        let base = Url::parse(base).map_err(|_| InvalidAuthorizeUrl::Base)?;
        let plain = base.query().is_none() && base.fragment().is_none() && base.has_host();
        if !plain || !matches!(base.scheme(), "http" | "https") {
            return Err(InvalidAuthorizeUrl::Base);
        }
        let redirect = Url::parse(redirect_uri).map_err(|_| InvalidAuthorizeUrl::RedirectUri)?;
        let is_static = redirect.query().is_none() && redirect.fragment().is_none() && redirect.scheme() == "https";
        if !is_static || redirect_uri.len() >= 512 {
            return Err(InvalidAuthorizeUrl::RedirectUri);
        }
        Ok(Self { base, redirect_uri: redirect_uri.to_owned() })
    }

    /// Where the answer goes.
    #[must_use]
    pub fn redirect_uri(&self) -> &str {
        &self.redirect_uri
    }

    /// The address that puts a request to a user. TikTok would silently take
    /// whoever is signed in, so the page is always asked for.
    #[must_use]
    pub fn address(&self, client_key: &str, scopes: &Scopes, state: &str) -> Url {
        let mut address = self.base.clone();
        address.set_path(&format!("{}{AUTHORIZE}", self.base.path().trim_end_matches('/')));
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

/// What a user, or TikTok, decided.
#[derive(Clone)]
pub enum Decision {
    /// The user allowed something.
    Granted {
        /// What tokens are had for, once; decoded. It is a secret.
        code: SecretString,
        /// What was allowed, as far as the answer says.
        scopes: Scopes,
    },
    /// Nothing was allowed.
    Refused(AuthorizationError),
}

impl fmt::Debug for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Granted { scopes, .. } => f.debug_struct("Granted").field("scopes", scopes).finish_non_exhaustive(),
            Self::Refused(denial) => f.debug_tuple("Refused").field(denial).finish(),
        }
    }
}

/// An answer without a code, in TikTok's words. They came through a browser, so
/// they may be anybody's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorizationError {
    /// OAuth's word: `access_denied`, `invalid_scope`, …
    pub error: String,
    /// An undocumented second word, as in `non_sandbox_target`.
    pub error_type: Option<String>,
    /// The same for people.
    pub description: Option<String>,
}

/// The answer of the consent page.
#[derive(Debug, Clone)]
pub struct AuthorizationResponse {
    /// What the request was sent with. It is a secret.
    pub state: Option<SecretString>,
    /// What was decided; none, where the answer says neither yes nor no.
    pub decision: Option<Decision>,
}

impl AuthorizationResponse {
    /// Reads the answer from the query of the redirect, still encoded. Where a
    /// parameter comes twice, the first counts.
    #[must_use]
    pub fn read(query: &str) -> Self {
        let value = |name: &str| {
            let mut pairs = url::form_urlencoded::parse(query.as_bytes());
            pairs.find(|(key, value)| key == name && !value.is_empty()).map(|(_, value)| value.into_owned())
        };
        let words = |name: &str| value(name).map(|words| single_line(&words, MOST_WORDS));
        let decision = match (words("error"), value("code")) {
            (Some(error), _) => Some(Decision::Refused(AuthorizationError {
                error,
                error_type: words("error_type"),
                description: words("error_description"),
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
    /// Tells whether it was the user who said no.
    #[must_use]
    pub fn is_the_users(&self) -> bool {
        self.error == "access_denied" && self.error_type.is_none()
    }

    /// States what it means, and what to do about it.
    #[must_use]
    pub fn failure(&self) -> Failure {
        let (meaning, advice) = match (self.error.as_str(), self.error_type.as_deref()) {
            ("access_denied", Some("non_sandbox_target")) => (
                "This TikTok user is not a target user of the app's sandbox",
                "Add the user to the sandbox in TikTok's developer portal; it may take an hour to count.",
            ),
            ("access_denied", _) => ("Access was denied on TikTok's page", "Start again, and choose Allow there."),
            ("invalid_scope", _) => (
                "TikTok does not let this app ask for what it asked for",
                "Add the scopes to the app in TikTok's developer portal, or ask for fewer with the stack's ConnectScopes.",
            ),
            ("server_error" | "temporarily_unavailable", _) => {
                ("TikTok met an error of its own", "Start again in some minutes.")
            }
            _ => ("TikTok did not put the request to the user", "Check the app in TikTok's developer portal."),
        };
        let code = self.error_type.as_deref().unwrap_or(&self.error);
        let said = self.description.as_deref().map(|words| format!("; TikTok says: {words}")).unwrap_or_default();
        Failure::new(code, format!("{meaning}{said}"), advice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::secret::ExposeSecret;

    const BACK: &str = "https://a.example/oauth/callback";

    #[test]
    fn the_address_says_what_is_asked_and_always_shows_the_page() {
        let page = AuthorizeUrl::new(AUTHORIZE_HOST, BACK).unwrap();
        let scopes = Scopes::parse("user.info.basic,video.upload");
        assert_eq!(
            page.address("key 1", &scopes, "state-1").as_str(),
            "https://www.tiktok.com/v2/auth/authorize/?client_key=key+1&response_type=code\
             &scope=user.info.basic%2Cvideo.upload&redirect_uri=https%3A%2F%2Fa.example%2Foauth%2Fcallback\
             &state=state-1&disable_auto_auth=1"
        );
        let elsewhere = AuthorizeUrl::new("http://127.0.0.1:4000/tiktok/", BACK).unwrap();
        assert_eq!(elsewhere.address("k", &scopes, "s").path(), "/tiktok/v2/auth/authorize/");
    }

    #[test]
    fn what_tiktok_would_not_register_is_refused() {
        let long = format!("https://a.example/{}", "a".repeat(512));
        for redirect in ["http://a.example/x", "https://a.example/x?y=1", "https://a.example/x#y", "/x", &long] {
            assert_eq!(
                AuthorizeUrl::new(AUTHORIZE_HOST, redirect),
                Err(InvalidAuthorizeUrl::RedirectUri),
                "{redirect}"
            );
        }
        for base in ["ftp://host", "https://host?x=1", "nowhere"] {
            assert_eq!(AuthorizeUrl::new(base, BACK), Err(InvalidAuthorizeUrl::Base), "{base}");
        }
    }

    #[test]
    fn a_code_is_decoded_before_it_is_exchanged() {
        let answer = AuthorizationResponse::read("code=a%2A%21b+c&scopes=user.info.basic%2Cvideo.upload&state=s%2D1");
        assert_eq!(answer.state.unwrap().expose_secret(), "s-1");
        let Some(Decision::Granted { code, scopes }) = answer.decision else { panic!("it grants") };
        assert_eq!((code.expose_secret(), scopes.to_list().as_str()), ("a*!b c", "user.info.basic,video.upload"));
    }

    #[test]
    fn an_error_counts_more_than_a_code() {
        let answer = AuthorizationResponse::read("error=access_denied&code=c&error_type=non_sandbox_target&state=s");
        let Some(Decision::Refused(denial)) = answer.decision else { panic!("it refuses") };
        assert!(!denial.is_the_users());
        let failure = denial.failure();
        assert_eq!(failure.code, "non_sandbox_target");
        assert!(failure.advice.contains("sandbox"), "{failure}");
    }

    #[test]
    fn an_answer_that_says_nothing_decides_nothing() {
        for query in ["", "state=s", "code=&state=s", "Code=c", "%FF"] {
            assert!(AuthorizationResponse::read(query).decision.is_none(), "{query}");
        }
    }

    #[test]
    fn words_from_a_browser_are_one_short_line() {
        let query = format!("error=x%0Ay&error_description={}", "z".repeat(5000));
        let Some(Decision::Refused(denial)) = AuthorizationResponse::read(&query).decision else {
            panic!("it refuses")
        };
        assert_eq!(denial.error, "x y");
        assert!(denial.description.unwrap().len() <= MOST_WORDS);
    }

    #[test]
    fn debug_shows_neither_code_nor_state() {
        let shown = format!("{:?}", AuthorizationResponse::read("code=code-1&state=state-1"));
        assert!(!shown.contains("code-1") && !shown.contains("state-1"), "{shown}");
    }
}
