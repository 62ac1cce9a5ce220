//! Account connections: OAuth with the user's consent on TikTok's page, every way in which it can fail, disconnecting,
//! and the accounts in the API.

mod browser;
pub(crate) mod chromium;
mod consent;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use domain::account::{Account, Connection};
use domain::authorization::{AuthorizationState, ExpectedUser};
use domain::identity::Alias;
use domain::post::{Post, PostState, StateName};
use harness::{Cloud, Creator, TestVideo};
use serde_json::{Value, json};
use simulator::{AccountStanding, CallRecord, Ending, Endpoint, Fault, FaultKind, OpenId, User};
use uuid::Uuid;

use consent::{ALL_SCOPES, allow, authorize_url, connect, deny, follow, follow_as_browser};

use crate::http::{delete, get, patch};
use crate::outcomes::refusal;
use crate::runner::{WithCreator, scenarios};
use crate::tokens::REMOVED_BY_USER;

scenarios![concurrent:
    consenting_user_is_connected_and_can_post,
    renamed_user_has_new_name_in_link_of_next_post,
    repeated_callback_is_accepted_once,
    forged_callback_is_rejected_without_token_exchange,
    late_callback_is_rejected,
    denied_and_ineligible_users_get_different_problems,
    missing_scope_prevents_connection_and_revokes_grant,
    timed_out_exchange_needs_new_link,
    another_user_cannot_take_connected_alias,
    first_of_two_users_gets_alias_second_is_revoked,
    connected_user_cannot_get_second_alias,
    reconnect_resumes_waiting_posts_at_once,
    refused_authorization_is_still_revoked_on_disconnect,
    disconnect_revokes_and_deletes_tokens_and_posts_wait,
    disconnect_with_expired_token_refreshes_then_revokes,
    accounts_are_shown_without_tokens,
    account_defaults_are_changed_and_invalid_ones_rejected;
    browser
];

/// Creates a TikTok user without an account, and an alias that no account has. A page must escape the nickname.
async fn new_user(cloud: &Cloud) -> Result<(String, User)> {
    let id = &Uuid::new_v4().simple().to_string()[..12];
    let mut user = User::new(format!("open-{id}"), format!("maker.{id}"));
    "Ännä <b>& Co</b>".clone_into(&mut user.nickname);
    cloud.tiktok.put_user(&user).await?;
    Ok((format!("maker-{id}"), user))
}

async fn account(cloud: &Cloud, alias: &str) -> Result<Option<Account>> {
    Ok(cloud.accounts.get(&Alias::new(alias)?).await?.map(|stored| stored.value))
}

/// The number of calls of an endpoint for a user.
async fn calls(cloud: &Cloud, user: &OpenId, endpoint: Endpoint) -> Result<usize> {
    let calls = cloud.tiktok.calls(0).await?;
    let is = |call: &&CallRecord| call.endpoint == endpoint && call.user.as_ref() == Some(user);
    Ok(calls.iter().filter(is).count())
}

fn path(creator: &Creator) -> String {
    format!("/accounts/{}", creator.alias)
}

/// Disconnects a creator's account, and checks the outcome of the revocation at TikTok.
async fn disconnect(creator: &Creator, outcome: &str) -> Result<Value> {
    let shown = delete(&creator.cloud, &path(creator)).await?.with_status(200)?;
    assert_eq!(shown["revocation"]["outcome"], outcome, "{shown}");
    Ok(shown)
}

async fn consenting_user_is_connected_and_can_post(cloud: Arc<Cloud>) -> Result<()> {
    let (alias, user) = new_user(&cloud).await?;
    let url = authorize_url(&cloud, &alias).await?;
    let scopes = format!("scope={}&", ALL_SCOPES.join("%2C"));
    for parameter in ["disable_auto_auth=1", "response_type=code", &scopes] {
        ensure!(url.contains(parameter), "{parameter} is missing in {url}");
    }
    let (status, page) = follow_as_browser(&allow(&url, &user.open_id, &ALL_SCOPES).await?).await?;
    assert_eq!(status, 200, "{page}");
    ensure!(page.contains("Ännä &lt;b&gt;&amp; Co&lt;/b&gt;") && page.contains(&user.username), "{page}");
    let account = account(&cloud, &alias).await?.context("the account exists")?;
    assert_eq!((account.open_id.as_str(), &account.connection), (user.open_id.as_str(), &Connection::Connected));
    assert_eq!(account.username.as_ref(), Some(&user.username));
    let creator = Creator { cloud: Arc::clone(&cloud), alias: Alias::new(&alias)?, user };
    let private = [("dropcast-mode", "direct"), ("dropcast-privacy-level", "SELF_ONLY")];
    let dropped = creator.drop_with_metadata("clip.mp4", &TestVideo::small(), &private).await?;
    creator.await_published_once(&dropped).await.map(drop)
}

async fn renamed_user_has_new_name_in_link_of_next_post((cloud, creator): WithCreator) -> Result<()> {
    let renamed = User { username: format!("{}.new", creator.user.username), ..creator.user.clone() };
    cloud.tiktok.put_user(&renamed).await?;
    let dropped = creator.drop_small("clip.mp4").await?;
    let link = format!("https://www.tiktok.com/@{}/video/", renamed.username);
    let has_link = |post: &Post| matches!(&post.state, PostState::Published { links, .. } if links.share_url.as_ref().is_some_and(|url| url.starts_with(&link)));
    cloud.await_post(&dropped.post, "published, with the new name in its link", has_link).await?;
    assert_eq!(creator.account().await?.username, Some(renamed.username));
    Ok(())
}

async fn repeated_callback_is_accepted_once(cloud: Arc<Cloud>) -> Result<()> {
    let (alias, user) = new_user(&cloud).await?;
    let callback = allow(&authorize_url(&cloud, &alias).await?, &user.open_id, &ALL_SCOPES).await?;
    let answers = futures::future::try_join_all((0..8).map(|_| follow(&callback))).await?;
    let (accepted, rejected): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 200);
    assert_eq!(accepted.len(), 1, "{rejected:?}");
    for answer in rejected {
        answer.problem(409, "state_used")?;
    }
    let (status, page) = follow_as_browser(&callback).await?;
    assert_eq!(status, 409);
    ensure!(page.contains("If the account was connected, all is well"), "{page}");
    assert_eq!(calls(&cloud, &user.open_id, Endpoint::Token).await?, 1, "a code is exchanged once");
    Ok(())
}

async fn forged_callback_is_rejected_without_token_exchange(cloud: Arc<Cloud>) -> Result<()> {
    let (alias, user) = new_user(&cloud).await?;
    let callback = allow(&authorize_url(&cloud, &alias).await?, &user.open_id, &ALL_SCOPES).await?;
    let (url, query) = callback.split_once('?').context("a callback has a query")?;
    let pair = |name: &str| query.split('&').find(|pair| pair.starts_with(name)).context("a parameter is missing");
    let (code, state) = (pair("code=")?, pair("state=")?);
    let unknown = AuthorizationState::new([42; 32]);
    for query in [code.to_owned(), format!("{code}&state={}", unknown.expose()), format!("{code}&state=%3Cscript%3E")] {
        let problem = follow(&format!("{url}?{query}")).await?.problem(400, "state_not_found")?;
        assert_eq!(problem["type"], "urn:dropcast:problem:state_not_found");
    }
    follow(&format!("{url}?{state}")).await?.problem(400, "callback_malformed")?;
    assert_eq!(calls(&cloud, &user.open_id, Endpoint::Token).await?, 0);
    follow(&callback).await?.with_status(200).context("the authorization request is still open")?;
    Ok(())
}

/// An authorization request is valid for ten minutes. The test writes an earlier expiry into the table.
async fn late_callback_is_rejected(cloud: Arc<Cloud>) -> Result<()> {
    let (alias, user) = new_user(&cloud).await?;
    let url = authorize_url(&cloud, &alias).await?;
    let callback = allow(&url, &user.open_id, &ALL_SCOPES).await?;
    let state = url.split("state=").nth(1).and_then(|rest| rest.split('&').next()).context("a state")?;
    let state = AuthorizationState::parse(state).context("the state is valid")?;
    let stored = cloud.authorization_requests.get(&state.fingerprint()).await?.context("the request is stored")?;
    assert_eq!((&stored.expected, stored.alias.as_str()), (&ExpectedUser::Anybody, alias.as_str()));
    let mut expired = stored.value.clone();
    expired.expires_at = runtime::clock::now();
    cloud.authorization_requests.save(&stored, expired).await?;
    follow(&callback).await?.problem(410, "state_expired")?;
    assert_eq!(calls(&cloud, &user.open_id, Endpoint::Token).await?, 0);
    assert_eq!(account(&cloud, &alias).await?, None);
    Ok(())
}

async fn denied_and_ineligible_users_get_different_problems(cloud: Arc<Cloud>) -> Result<()> {
    let (alias, mut user) = new_user(&cloud).await?;
    let callback = deny(&authorize_url(&cloud, &alias).await?, &user.open_id).await?;
    follow(&callback).await?.problem(403, "authorization_denied")?;
    assert_eq!(follow(&callback).await?.body["code"], "state_used", "a denial uses the request up");
    user.standing = AccountStanding::OutsideSandbox;
    cloud.tiktok.put_user(&user).await?;
    let callback = allow(&authorize_url(&cloud, &alias).await?, &user.open_id, &ALL_SCOPES).await?;
    let (status, page) = follow_as_browser(&callback).await?;
    assert_eq!(status, 403);
    ensure!(page.contains("authorization_rejected") && page.contains("sandbox"), "{page}");
    assert_eq!(account(&cloud, &alias).await?, None);
    Ok(())
}

async fn missing_scope_prevents_connection_and_revokes_grant(cloud: Arc<Cloud>) -> Result<()> {
    let (alias, user) = new_user(&cloud).await?;
    let scopes = ["user.info.basic", "video.upload"];
    let callback = allow(&authorize_url(&cloud, &alias).await?, &user.open_id, &scopes).await?;
    let problem = follow(&callback).await?.problem(403, "scope_missing")?;
    ensure!(problem["title"].as_str().is_some_and(|title| title.contains("video.publish")), "{problem}");
    assert_eq!(account(&cloud, &alias).await?, None);
    assert_eq!(calls(&cloud, &user.open_id, Endpoint::Revoke).await?, 1, "an unused grant is revoked");
    Ok(())
}

async fn timed_out_exchange_needs_new_link(cloud: Arc<Cloud>) -> Result<()> {
    let (alias, user) = new_user(&cloud).await?;
    let lost = Fault::new(Endpoint::Token, FaultKind::LoseAnswer { ending: Ending::Reset });
    cloud.tiktok.inject(&lost.for_user(user.open_id.clone())).await?;
    connect(&cloud, &alias, &user.open_id).await?.problem(502, "exchange_timeout")?;
    assert_eq!(
        calls(&cloud, &user.open_id, Endpoint::Token).await?,
        1,
        "the code may be used, so it is not sent again"
    );
    connect(&cloud, &alias, &user.open_id).await?.with_status(200).map(drop)
}

async fn another_user_cannot_take_connected_alias((cloud, creator): WithCreator) -> Result<()> {
    let before = creator.account().await?;
    let (_, other) = new_user(&cloud).await?;
    connect(&cloud, creator.alias.as_str(), &other.open_id).await?.problem(409, "wrong_user")?;
    assert_eq!(creator.account().await?, before, "the account is unchanged");
    assert_eq!(calls(&cloud, &other.open_id, Endpoint::Revoke).await?, 1);
    Ok(())
}

async fn first_of_two_users_gets_alias_second_is_revoked(cloud: Arc<Cloud>) -> Result<()> {
    let (alias, first) = new_user(&cloud).await?;
    let (_, second) = new_user(&cloud).await?;
    // No account has the alias when either request is created.
    let (for_first, for_second) = (authorize_url(&cloud, &alias).await?, authorize_url(&cloud, &alias).await?);
    follow(&allow(&for_first, &first.open_id, &ALL_SCOPES).await?).await?.with_status(200)?;
    follow(&allow(&for_second, &second.open_id, &ALL_SCOPES).await?).await?.problem(409, "wrong_user")?;
    let account = account(&cloud, &alias).await?.context("the account exists")?;
    assert_eq!(account.open_id.as_str(), first.open_id.as_str());
    assert_eq!(calls(&cloud, &second.open_id, Endpoint::Revoke).await?, 1, "an unused grant is revoked");
    Ok(())
}

async fn connected_user_cannot_get_second_alias((cloud, creator): WithCreator) -> Result<()> {
    let (alias, _) = new_user(&cloud).await?;
    let answer = connect(&cloud, &alias, &creator.user.open_id).await?;
    let problem = answer.problem(409, "user_connected_elsewhere")?;
    ensure!(problem["title"].as_str().is_some_and(|title| title.contains(creator.alias.as_str())), "{problem}");
    assert_eq!(account(&cloud, &alias).await?, None);
    assert_eq!(calls(&cloud, &creator.user.open_id, Endpoint::Revoke).await?, 0, "the first account uses the grant");
    Ok(())
}

async fn reconnect_resumes_waiting_posts_at_once(cloud: Arc<Cloud>) -> Result<()> {
    let creator = Creator::create_with(&cloud, |setup| setup.defaults.title = Some("kept".to_owned())).await?;
    cloud.tiktok.disconnect(&creator.user.open_id, REMOVED_BY_USER).await?;
    let drops = creator.drop_many(3).await?;
    // The later posts first wait in the account's queue, and lose the authorization one after the other.
    for dropped in &drops {
        cloud.await_lost_authorization(dropped).await?;
    }
    let shown = connect(&cloud, creator.alias.as_str(), &creator.user.open_id).await?.with_status(200)?;
    assert_eq!(shown["resumed_posts"], 3, "{shown}");
    // Without the reconnect, the posts would be due again after 15 minutes (`RECONNECT_RETRY` in posting/src/exit.rs).
    let ledger = creator.await_each_published_once(&drops).await?;
    assert_eq!(ledger.publications[0].title, "kept", "the account's defaults stay");
    Ok(())
}

async fn refused_authorization_is_still_revoked_on_disconnect((cloud, creator): WithCreator) -> Result<()> {
    // The worker takes the access token for expired and refreshes it, and TikTok refuses the refresh.
    creator.age_tokens(Duration::from_hours(48)).await?;
    creator.inject(refusal(Endpoint::Token, 400, "invalid_grant")).await?;
    let dropped = creator.drop_small("clip.mp4").await?;
    assert_eq!(cloud.await_deferral(&dropped).await?.0, "needs_reconnect");
    // An authorization whose tokens TikTok refused may still exist, so Dropcast revokes it nevertheless.
    disconnect(&creator, "revoked").await.map(drop)
}

async fn disconnect_revokes_and_deletes_tokens_and_posts_wait((cloud, creator): WithCreator) -> Result<()> {
    let shown = disconnect(&creator, "revoked").await?;
    assert_eq!(shown["account"]["connection"], "disconnected");
    ensure!(creator.account().await?.tokens.is_forgotten(), "a token is still stored");
    let dropped = creator.drop_small("clip.mp4").await?;
    assert_eq!(cloud.await_deferral(&dropped).await?.0, "needs_reconnect", "the post waits");
    disconnect(&creator, "not_needed").await?;
    assert_eq!(calls(&cloud, &creator.user.open_id, Endpoint::Revoke).await?, 1);
    // A disconnected alias can be connected to another user, who then also gets the posts that wait.
    let (_, other) = new_user(&cloud).await?;
    connect(&cloud, creator.alias.as_str(), &other.open_id).await?.with_status(200)?;
    assert_eq!(creator.account().await?.open_id.as_str(), other.open_id.as_str());
    cloud.await_state(&dropped.post, StateName::Published).await.map(drop)
}

async fn disconnect_with_expired_token_refreshes_then_revokes((cloud, creator): WithCreator) -> Result<()> {
    // An access token is valid for two hours.
    creator.age_tokens(Duration::from_hours(3)).await?;
    disconnect(&creator, "revoked").await?;
    let user = &creator.user.open_id;
    assert_eq!((calls(&cloud, user, Endpoint::Token).await?, calls(&cloud, user, Endpoint::Revoke).await?), (1, 1));
    ensure!(creator.account().await?.tokens.is_forgotten(), "a token is still stored");
    Ok(())
}

async fn accounts_are_shown_without_tokens((cloud, creator): WithCreator) -> Result<()> {
    let all = get(&cloud, "/accounts").await?.body;
    let all = all["accounts"].as_array().context("accounts are listed")?;
    let listed = all.iter().find(|account| account["alias"] == creator.alias.as_str()).context("it is listed")?;
    let one = get(&cloud, &path(&creator)).await?.body;
    assert_eq!(&one, listed);
    assert_eq!((&one["connection"], &one["username"]), (&json!("connected"), &json!(creator.user.username)));
    let fields: Vec<_> = one.as_object().context("an account is an object")?.keys().collect();
    ensure!(!fields.iter().any(|field| field.contains("token")), "{fields:?}");
    get(&cloud, "/accounts/nobody-at-all").await?.problem(404, "account_not_found").map(drop)
}

async fn account_defaults_are_changed_and_invalid_ones_rejected((cloud, creator): WithCreator) -> Result<()> {
    let change = async |defaults: Value| patch(&cloud, &path(&creator), &defaults).await;
    let changed = change(json!({ "title_suffix": " #bread", "privacy_level": "SELF_ONLY" })).await?.with_status(200)?;
    assert_eq!(changed["preferences"]["title_suffix"], " #bread", "{changed}");
    change(json!({ "title_sufix": "" })).await?.problem(400, "preferences_malformed")?;
    change(json!({ "brand_content": true })).await?.problem(422, "preferences_invalid")?;
    assert_eq!(get(&cloud, &path(&creator)).await?.body, changed, "rejected changes have no effect");
    let dropped = creator.drop_small("rye.mp4").await?;
    assert_eq!(creator.await_published_once(&dropped).await?.publications[0].title, "rye #bread");
    Ok(())
}
