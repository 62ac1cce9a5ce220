//! The user's side of OAuth, without a browser: TikTok's consent page, and the callback that it redirects to.

use anyhow::{Context, Result, ensure};
use harness::Cloud;
use simulator::OpenId;

use crate::aws_cli::text;
use crate::http::{Answer, client, get};

/// The scopes that the local cloud requests: the fewest for drafts and direct posts.
pub(super) const ALL_SCOPES: [&str; 3] = ["user.info.basic", "video.publish", "video.upload"];

/// Has the API create an authorization request. Returns the URL of TikTok's consent page.
pub(super) async fn authorize_url(cloud: &Cloud, alias: &str) -> Result<String> {
    let answer = get(cloud, &format!("/connect?alias={alias}")).await?.with_status(200)?;
    Ok(text(&answer, "authorize_url")?.to_owned())
}

/// Grants these scopes on the consent page. Returns the callback URL.
pub(super) async fn allow(page: &str, user: &OpenId, scopes: &[&str]) -> Result<String> {
    let mut form = vec![("user", user.as_str()), ("decision", "allow")];
    form.extend(scopes.iter().map(|scope| ("granted", *scope)));
    submit(page, &form).await
}

/// Denies the request on the consent page. Returns the callback URL.
pub(super) async fn deny(page: &str, user: &OpenId) -> Result<String> {
    submit(page, &[("user", user.as_str()), ("decision", "deny")]).await
}

async fn submit(page: &str, form: &[(&str, &str)]) -> Result<String> {
    let answer = client()?.post(page).form(form).send().await?;
    let location = answer.headers().get("location").context("TikTok redirects the browser")?;
    Ok(location.to_str()?.to_owned())
}

/// Requests a callback URL as a program.
pub(super) async fn follow(callback: &str) -> Result<Answer> {
    let response = client()?.get(callback).header("accept", "application/json").send().await?;
    Answer::read(response, format!("GET {callback}")).await
}

/// Requests a callback URL as a browser. Returns the status and the page.
pub(super) async fn follow_as_browser(callback: &str) -> Result<(u16, String)> {
    let answer = client()?.get(callback).header("accept", "text/html").send().await?;
    let policy = answer.headers().get("content-security-policy").context("a page has a policy")?;
    ensure!(policy.to_str()?.starts_with("default-src 'none'"), "{policy:?}");
    Ok((answer.status().as_u16(), answer.text().await?))
}

/// Connects a user to an alias with every scope. Returns the response to the callback.
pub(super) async fn connect(cloud: &Cloud, alias: &str, user: &OpenId) -> Result<Answer> {
    follow(&allow(&authorize_url(cloud, alias).await?, user, &ALL_SCOPES).await?).await
}
