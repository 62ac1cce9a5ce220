//! Whatever TikTok answers to a call.

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
use tiktok::{AccessToken, AppCredentials, Grant, RefreshToken, TikTok};

use crate::stage::answered;
use crate::words::{hold, hold_error, hold_failure, hold_secrets};

/// What is sent and must not come back in anything that is shown.
const ACCESS: &str = "access-of-the-creator";
const REFRESH: &str = "refresh-of-the-creator";
const CODE: &str = "code-of-the-consent";
const APP: &str = "secret-of-the-app";

/// The most bytes of what is kept of an answer: an item of the table has 400 KB.
const MOST_KEPT: usize = 16 * 1024;
/// The most bytes of a secret that is kept, which is what KMS takes at once.
const MOST_SEALED: usize = 4096;

/// Takes an input as an answer: in its first line the name of the call and the
/// HTTP status, behind it the body.
pub fn answer(input: &[u8]) {
    let at = input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len());
    let (first, body) = (&input[..at], input.get(at + 1..).unwrap_or_default());
    let Some((call, http)) = str::from_utf8(first).ok().and_then(|first| first.split_once(' ')) else {
        return;
    };
    // Below 200 an answer is none yet, and HTTP goes on waiting.
    let http = http.parse().unwrap_or(200_u16).clamp(200, 999);
    answered(http, &[], body, async |tiktok, _| hear(tiktok, call).await);
}

async fn hear(tiktok: &TikTok, call: &str) {
    let access = AccessToken::new(ACCESS.into());
    let app = AppCredentials::new("key-of-the-app", APP.into());
    let publish = PublishId::new("v_pub_file~v2-1.17").expect("it is a publish id");
    match call {
        "creator" => told(tiktok.creator(&access).await, &[ACCESS], tiktok::Error::failure, hold_creator),
        "direct" => told(begin(tiktok, &access, Mode::Direct).await, &[ACCESS], tiktok::Error::failure, nothing),
        "draft" => told(begin(tiktok, &access, Mode::Draft).await, &[ACCESS], tiktok::Error::failure, nothing),
        "report" => told(tiktok.report(&access, &publish).await, &[ACCESS], tiktok::Error::failure, hold_report),
        "cancel" => told(tiktok.cancel(&access, &publish).await, &[ACCESS], tiktok::Error::failure, nothing),
        "links" => {
            let id = VideoId::new("7678907398077074696").expect("it is a video id");
            told(tiktok.links(&access, &id).await, &[ACCESS], tiktok::Error::failure, hold_links);
        }
        "user" => {
            let user = tiktok.user(&access, &Scopes::parse("user.info.profile")).await;
            told(user, &[ACCESS], tiktok::Error::failure, |user| {
                hold(user.username.as_deref().unwrap_or_default());
                hold(user.display_name.as_deref().unwrap_or_default());
            });
        }
        "exchange" => {
            let grant = tiktok.exchange(&app, CODE, "https://a.example/oauth/callback").await;
            told(grant, &[CODE, APP], tiktok::OAuthError::failure, hold_grant);
        }
        "refresh" => {
            let grant = tiktok.refresh(&app, &RefreshToken::new(REFRESH.into())).await;
            told(grant, &[REFRESH, APP], tiktok::OAuthError::failure, hold_grant);
        }
        "revoke" => told(tiktok.revoke(&app, &access).await, &[ACCESS, APP], tiktok::OAuthError::failure, nothing),
        _ => {}
    }
}

/// Holds an error to what may be shown of it, which is not what was `sent`; and
/// anything else to what may be kept of it.
fn told<T, E: StdError>(result: Result<T, E>, sent: &[&str], failure: fn(&E) -> Failure, hold: impl FnOnce(&T)) {
    match result {
        Ok(told) => hold(&told),
        Err(error) => {
            hold_error(&error);
            hold_failure(&failure(&error));
            hold_secrets(&format!("{error:?} {error} {}", failure(&error)), sent);
        }
    }
}

/// Of a success that says nothing more.
fn nothing<T>(_: &T) {}

async fn begin(tiktok: &TikTok, access: &AccessToken, mode: Mode) -> Result<(), tiktok::Error> {
    let size = VideoSize::new(50_000_123).expect("it is a size");
    let plan = ChunkPlan::new(size, ChunkCeiling::new(10_000_025).expect("it is a ceiling"));
    let stack = StackDefaults { mode, privacy_level: PrivacyLevel::SelfOnly, title_limit: TitleLimit::default() };
    let settings = Settings::resolve(&PostOptions::default(), "clip.mp4", &stack).expect("they can be settled");
    let ticket = tiktok.begin(access, &settings, &plan).await?;
    let url = ticket.upload_url.secret().expose_secret();
    assert!(url.len() <= MOST_SEALED, "{} bytes of an upload URL", url.len());
    hold_secrets(&format!("{ticket:?}"), &[url]);
    Ok(())
}

fn hold_report(report: &StatusReport) {
    let kept = report.video_ids.iter().map(|id| id.as_str().len()).sum::<usize>();
    assert!(kept <= MOST_KEPT, "{kept} bytes of ids");
    hold_links(&report.links);
    hold(report.log_id.as_deref().unwrap_or_default());
    match &report.standing {
        PublishStatus::Failed { reason: word } | PublishStatus::Unknown { status: word } => {
            assert!(!word.is_empty());
            hold(word);
        }
        PublishStatus::Uploading | PublishStatus::Processing | PublishStatus::InInbox | PublishStatus::Published => {}
    }
}

fn hold_links(links: &Links) {
    for link in [&links.share_url, &links.cover_url].into_iter().flatten() {
        assert!(!link.is_empty() && link.len() <= MOST_KEPT, "{} bytes of a link", link.len());
        assert!(!link.chars().any(char::is_control), "{link:?}");
    }
}

fn hold_creator(creator: &Creator) {
    hold(&creator.username);
    hold(&creator.nickname);
    hold(&creator.privacy_levels.join(", "));
    assert_ne!(creator.max_duration_s, Some(0));
}

fn hold_grant(grant: &Grant) {
    let (access, refresh) = (grant.access.secret().expose_secret(), grant.refresh.secret().expose_secret());
    for token in [access, refresh] {
        assert!((1..=MOST_SEALED).contains(&token.len()), "{} bytes of a token", token.len());
    }
    assert!(!grant.access_lifetime.is_zero() && !grant.refresh_lifetime.is_zero());
    let scopes = grant.scopes.to_list();
    assert!(scopes.len() <= MOST_KEPT, "{} bytes of scopes", scopes.len());
    // A short token may be a word of what is shown beside it.
    let beside = format!("{scopes} {}", grant.open_id);
    let secrets = [access, refresh].into_iter().filter(|token| token.len() >= 24 && !beside.contains(token));
    hold_secrets(&format!("{grant:?}"), &secrets.collect::<Vec<_>>());
}
