//! The HTML pages of `/connect` and `/oauth/callback`. They use no script, no image and no other host.
//!
//! `maud` escapes every value.

use axum::http::{HeaderValue, header};
use axum::response::{Html, IntoResponse, Response};
use data_encoding::BASE64;
use domain::account::Account;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};

use crate::problem::Problem;

/// The style of every page. The content security policy permits only this text, by its hash.
const STYLE: &str = "\
:root{color-scheme:light dark;--fg:#1b1b1f;--bg:#fbfaf8;--card:#fff;--line:#dcd9d2;--good:#14663b;--bad:#a4262c}\
@media(prefers-color-scheme:dark){:root{--fg:#ecebe8;--bg:#161618;--card:#1f1f23;--line:#3a3a40;--good:#6fd39c;--bad:#ff9c9f}}\
body{margin:0;min-height:100vh;display:grid;place-items:center;background:var(--bg);color:var(--fg);\
font:1.0625rem/1.55 system-ui,sans-serif}\
main{box-sizing:border-box;width:min(36rem,100%);padding:2rem;background:var(--card);border:1px solid var(--line);\
border-radius:.75rem}\
h1{margin:0 0 .75rem;font-size:1.5rem;line-height:1.25}\
.good h1{color:var(--good)}.bad h1{color:var(--bad)}\
p{margin:0 0 .75rem}\
dl{display:grid;grid-template-columns:auto 1fr;gap:.25rem 1rem;margin:1.25rem 0 0;padding-top:1rem;\
border-top:1px solid var(--line);font-size:.9375rem}\
dt{opacity:.75}dd{margin:0;overflow-wrap:anywhere}";

/// A page. Its response has a content security policy that permits only [`STYLE`].
pub(crate) struct Page(Markup);

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        let hash = BASE64.encode(&Sha256::digest(STYLE.as_bytes()));
        let policy = format!(
            "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        );
        let mut response = Html(self.0.into_string()).into_response();
        // The conversion cannot fail: Base64 is ASCII.
        if let Ok(policy) = HeaderValue::from_str(&policy) {
            response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
        }
        response
    }
}

/// The page for an account that was just connected. `resumed` is the number of posts that waited for it.
pub(crate) fn connected(account: &Account, resumed: u32) -> Page {
    let alias = account.alias.as_str();
    let body = html! {
        h1 { "Connected" }
        p { "Videos dropped into the folder " strong { "drop/" (alias) "/" } " are now posted to this TikTok user." }
        @match resumed {
            0 => {}
            1 => p { "One waiting post continues." },
            count => p { (count) " waiting posts continue." },
        }
        p { "You can close this page." }
        dl {
            dt { "Account" } dd { (alias) }
            @if let Some(name) = &account.display_name { dt { "Name" } dd { (name) } }
            @if let Some(name) = &account.username { dt { "TikTok" } dd { "@" (name) } }
            dt { "Scopes" } dd { (account.scopes.to_list().replace(',', ", ")) }
        }
    };
    page("Connected", "good", &body)
}

/// The page for an account that was not connected.
pub(crate) fn problem(problem: &Problem) -> Page {
    let body = html! {
        h1 { "Not connected" }
        p { (problem.title) "." }
        @if !problem.detail.is_empty() { p { (problem.detail) } }
        dl {
            dt { "Code" } dd { (problem.code) }
            @if let Some(log_id) = &problem.log_id { dt { "TikTok's log id" } dd { (log_id) } }
        }
    };
    page("Not connected", "bad", &body)
}

fn page(title: &str, class: &str, body: &Markup) -> Page {
    Page(html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="robots" content="noindex";
                title { (title) " · Dropcast" }
                style { (PreEscaped(STYLE)) }
            }
            body { main class=(class) { (body) } }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::StatusCode;

    #[test]
    fn page_escapes_external_text() {
        let problem = Problem::new(StatusCode::BAD_REQUEST, "x", "<script>alert(1)</script>", "\"&'</dd>");
        let text = super::problem(&problem).0.into_string();
        assert!(!text.contains("<script>") && text.contains("&lt;script&gt;"), "{text}");
        assert_eq!(text.matches("</dd>").count(), 1, "{text}");
    }

    #[test]
    fn policy_permits_only_the_page_style() {
        let problem = Problem::new(StatusCode::BAD_REQUEST, "x", "y", "z");
        let text = super::problem(&problem).0.into_string();
        let style = text.split("<style>").nth(1).and_then(|rest| rest.split("</style>").next()).unwrap();
        let hash = BASE64.encode(&Sha256::digest(style.as_bytes()));
        let response = super::problem(&problem).into_response();
        let policy = response.headers()["content-security-policy"].to_str().unwrap().to_owned();
        assert!(policy.contains(&format!("style-src 'sha256-{hash}'")), "{policy}");
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    }
}
