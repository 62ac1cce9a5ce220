//! Fuzz target `tiktok_response`: responses of TikTok's API and OAuth endpoints.
//!
//! Properties: every stored part of a response is limited in length; every text is
//! one short line; a token is not empty and fits KMS; neither an error nor debug
//! output shows a secret of the request or of the response.

use std::error::Error as StdError;

use domain::account::Scopes;
use domain::chunk::{ChunkCeiling, ChunkPlan};
use domain::creator::Creator;
use domain::failure::Failure;
use domain::identity::{PublishId, VideoId};
use domain::options::{Mode, PostOptions, PrivacyLevel};
use domain::report::{Links, PublishStatus, StatusReport};
use domain::secret::ExposeSecret;
use domain::settings::{Settings, StackDefaults};
use domain::size::VideoSize;
use domain::title::TitleLimit;
use tiktok::{AccessToken, AppCredentials, RefreshToken, RefreshedTokens, TikTok, TokenResponse};

use crate::checks::{check_error, check_failure, check_no_secret, check_text};
use crate::fake_tiktok::with_response;

// The secrets in the requests. No displayed text may contain them.
const ACCESS_TOKEN: &str = "access-of-the-creator";
const REFRESH_TOKEN: &str = "refresh-of-the-creator";
const AUTHORIZATION_CODE: &str = "authorization-code";
const CLIENT_SECRET: &str = "secret-of-the-app";

/// The maximum length in bytes of a part of a response that is stored. An item of
/// DynamoDB may have 400 KB.
const MAX_STORED_BYTES: usize = 16 * 1024;
/// The maximum length of a secret in bytes: the most that KMS encrypts in one call.
const MAX_SEALED_BYTES: usize = 4096;
/// A token of at least this many bytes does not occur in another text by accident.
const MIN_DISTINCT_BYTES: usize = 24;

/// Reads an input as a response: the first line is the name of a call and the HTTP
/// status, the rest is the body.
pub fn tiktok_response(input: &[u8]) {
    let line_end = input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len());
    let (first_line, body) = (&input[..line_end], input.get(line_end + 1..).unwrap_or_default());
    let Some((call, http_status)) = str::from_utf8(first_line).ok().and_then(|line| line.split_once(' ')) else {
        return;
    };
    // After a response below 200, an HTTP client waits for the final response.
    let http_status = http_status.parse().unwrap_or(200_u16).clamp(200, 999);
    with_response(http_status, &[], body, async |tiktok, _| make_call(tiktok, call).await);
}

async fn make_call(tiktok: &TikTok, call: &str) {
    use tiktok::{Error, OAuthError};

    let access = AccessToken::new(ACCESS_TOKEN.into());
    let app = AppCredentials::new("key-of-the-app", CLIENT_SECRET.into());
    let publish = PublishId::new("v_pub_file~v2-1.17").expect("the publish id is valid");
    match call {
        "creator" => check(tiktok.creator(&access).await, &[ACCESS_TOKEN], Error::failure, check_creator),
        "direct" => check(begin(tiktok, &access, Mode::Direct).await, &[ACCESS_TOKEN], Error::failure, no_content),
        "draft" => check(begin(tiktok, &access, Mode::Draft).await, &[ACCESS_TOKEN], Error::failure, no_content),
        "report" => check(tiktok.fetch_status(&access, &publish).await, &[ACCESS_TOKEN], Error::failure, check_report),
        "cancel" => check(tiktok.cancel(&access, &publish).await, &[ACCESS_TOKEN], Error::failure, no_content),
        "links" => {
            let id = VideoId::new("7678907398077074696").expect("the video id is valid");
            check(tiktok.links(&access, &id).await, &[ACCESS_TOKEN], Error::failure, check_links);
        }
        "user" => {
            let user = tiktok.user(&access, &Scopes::parse("user.info.profile")).await;
            check(user, &[ACCESS_TOKEN], Error::failure, |user| {
                check_text(user.username.as_deref().unwrap_or_default());
                check_text(user.display_name.as_deref().unwrap_or_default());
            });
        }
        "exchange" => {
            let grant = tiktok.exchange(&app, AUTHORIZATION_CODE, "https://a.example/oauth/callback").await;
            check(grant, &[AUTHORIZATION_CODE, CLIENT_SECRET], OAuthError::failure, check_grant);
        }
        "refresh" => {
            let grant = tiktok.refresh(&app, &RefreshToken::new(REFRESH_TOKEN.into())).await;
            check(grant, &[REFRESH_TOKEN, CLIENT_SECRET], OAuthError::failure, check_refreshed);
        }
        "revoke" => {
            let revoked = tiktok.revoke(&app, &access).await;
            check(revoked, &[ACCESS_TOKEN, CLIENT_SECRET], OAuthError::failure, no_content);
        }
        _ => {}
    }
}

/// Checks the result of a call: a success by `check_content`; an error by its text
/// and its failure, which must not contain the request's secrets.
fn check<T, E: StdError>(
    result: Result<T, E>,
    secrets: &[&str],
    failure: fn(&E) -> Failure,
    check_content: impl FnOnce(&T),
) {
    match result {
        Ok(content) => check_content(&content),
        Err(error) => {
            check_error(&error);
            check_failure(&failure(&error));
            check_no_secret(&format!("{error:?} {error} {}", failure(&error)), secrets);
        }
    }
}

/// The check of a success without content.
fn no_content<T>(_: &T) {}

/// Initializes an upload of any valid size: the response does not depend on it.
async fn begin(tiktok: &TikTok, access: &AccessToken, mode: Mode) -> Result<(), tiktok::Error> {
    let size = VideoSize::new(50_000_123).expect("the size is valid");
    let plan = ChunkPlan::new(size, ChunkCeiling::new(10_000_025).expect("the ceiling is valid"));
    let stack = StackDefaults { mode, privacy_level: PrivacyLevel::SelfOnly, title_limit: TitleLimit::default() };
    let settings = Settings::resolve(&PostOptions::default(), "clip.mp4", &stack).expect("the defaults are valid");
    let ticket = tiktok.init_publish(access, &settings, &plan).await?;
    let url = ticket.upload_url.secret().expose_secret();
    assert!(url.len() <= MAX_SEALED_BYTES, "the upload URL has {} bytes", url.len());
    check_no_secret(&format!("{ticket:?}"), &[url]);
    Ok(())
}

fn check_report(report: &StatusReport) {
    let id_bytes = report.video_ids.iter().map(|id| id.as_str().len()).sum::<usize>();
    assert!(id_bytes <= MAX_STORED_BYTES, "the video ids have {id_bytes} bytes");
    check_links(&report.links);
    check_text(report.log_id.as_deref().unwrap_or_default());
    match &report.status {
        PublishStatus::Failed { reason: text } | PublishStatus::Unknown { status: text } => {
            assert!(!text.is_empty());
            check_text(text);
        }
        PublishStatus::Uploading | PublishStatus::Processing | PublishStatus::InInbox | PublishStatus::Published => {}
    }
}

fn check_links(links: &Links) {
    for link in [&links.share_url, &links.cover_url].into_iter().flatten() {
        assert!(!link.is_empty() && link.len() <= MAX_STORED_BYTES, "the link has {} bytes", link.len());
        assert!(!link.chars().any(char::is_control), "{link:?}");
    }
}

fn check_creator(creator: &Creator) {
    check_text(&creator.username);
    check_text(&creator.nickname);
    check_text(&creator.privacy_levels.join(", "));
    assert_ne!(creator.max_duration_s, Some(0));
}

fn check_refreshed(grant: &RefreshedTokens) {
    let access = grant.access.secret().expose_secret();
    let refresh = grant.refresh.as_ref().map_or(access, |token| token.secret().expose_secret());
    for token in [access, refresh] {
        assert!((1..=MAX_SEALED_BYTES).contains(&token.len()), "the token has {} bytes", token.len());
    }
    assert!(!grant.access_lifetime.is_zero() && grant.refresh_lifetime.is_none_or(|lifetime| !lifetime.is_zero()));
    assert!(grant.refresh.is_none() || grant.refresh_lifetime.is_some(), "a new refresh token has a lifetime");
    let scopes = grant.scopes.to_list();
    assert!(scopes.len() <= MAX_STORED_BYTES, "the scopes have {} bytes", scopes.len());
    let secrets = [access, refresh].into_iter();
    let secrets = secrets.filter(|token| token.len() >= MIN_DISTINCT_BYTES && !scopes.contains(token));
    check_no_secret(&format!("{grant:?}"), &secrets.collect::<Vec<_>>());
}

fn check_grant(grant: &TokenResponse) {
    let (access, refresh) = (grant.access.secret().expose_secret(), grant.refresh.secret().expose_secret());
    for token in [access, refresh] {
        assert!((1..=MAX_SEALED_BYTES).contains(&token.len()), "the token has {} bytes", token.len());
    }
    assert!(!grant.access_lifetime.is_zero() && !grant.refresh_lifetime.is_zero());
    let scopes = grant.scopes.to_list();
    assert!(scopes.len() <= MAX_STORED_BYTES, "the scopes have {} bytes", scopes.len());
    // `Debug` shows the scopes and the user's id, which may contain a fuzzed token.
    let displayed = format!("{scopes} {}", grant.open_id);
    let secrets = [access, refresh].into_iter();
    let secrets = secrets.filter(|token| token.len() >= MIN_DISTINCT_BYTES && !displayed.contains(token));
    check_no_secret(&format!("{grant:?}"), &secrets.collect::<Vec<_>>());
}
