//! Connections: the operator asks, the user consents on TikTok's page, and every
//! other way in which that can go.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use domain::account::{Account, Connection};
use domain::authorization::{AuthorizationState, ExpectedUser};
use domain::identity::Alias;
use domain::post::{Post, PostState, StateName};
use reqwest::Method;
use serde_json::{Value, json};
use simulator::{AccountStanding, CallRecord, Ending, Endpoint, Fault, FaultKind, OpenId, User};
use tests::{Cloud, Creator, Footage, PATIENCE};
use uuid::Uuid;

use crate::harness::stories;
use crate::refusals::{deferral_of, refusal};
use crate::web::{allow, ask, come_back, come_back_as_a_person, deny, signed, signed_with};

stories![among:
    a_user_who_consents_is_an_account_that_can_be_posted_to,
    an_answer_counts_once_however_often_and_fast_it_comes,
    a_forged_or_garbled_answer_is_refused_and_tiktok_not_asked,
    an_answer_that_comes_too_late_is_refused,
    a_user_who_says_no_and_one_whom_tiktok_turns_away_are_told_apart,
    a_user_who_allows_too_little_is_not_connected_and_the_rest_given_back,
    an_exchange_without_an_answer_is_begun_again_with_a_new_link,
    another_user_does_not_get_the_alias_of_one_who_is_connected,
    of_two_who_were_asked_for_one_alias_the_first_gets_it_and_the_others_consent_is_given_back,
    a_user_who_is_connected_does_not_get_a_second_alias,
    posts_that_wait_for_their_account_go_on_at_once_when_it_is_connected_again,
    a_consent_that_tiktok_refused_once_is_revoked_all_the_same,
    a_disconnected_account_is_revoked_and_forgotten_and_its_posts_wait,
    a_consent_whose_access_token_has_run_out_is_ended_with_a_fresh_one,
    accounts_are_shown_and_their_tokens_are_not,
    an_operator_says_how_an_account_posts_and_is_told_what_cannot_be,
];

pub(crate) const ALL: [&str; 5] =
    ["user.info.basic", "user.info.profile", "video.list", "video.publish", "video.upload"];

/// Somebody on TikTok whom nobody has asked yet.
pub(crate) async fn somebody(cloud: &Cloud) -> Result<(String, User)> {
    let id = &Uuid::new_v4().simple().to_string()[..12];
    let mut user = User::new(format!("open-{id}"), format!("maker.{id}"));
    "Ännä <b>& Co</b>".clone_into(&mut user.nickname);
    cloud.tiktok.put_user(&user).await?;
    Ok((format!("maker-{id}"), user))
}

async fn account(cloud: &Cloud, alias: &str) -> Result<Option<Account>> {
    Ok(cloud.accounts.get(&Alias::new(alias)?).await?.map(|kept| kept.value))
}

/// How often TikTok was called so about a user.
async fn calls(cloud: &Cloud, user: &OpenId, endpoint: Endpoint) -> Result<usize> {
    let calls = cloud.tiktok.calls(0).await?;
    let about = |call: &&CallRecord| call.endpoint == endpoint && call.user.as_ref() == Some(user);
    Ok(calls.iter().filter(about).count())
}

async fn a_user_who_consents_is_an_account_that_can_be_posted_to(cloud: Arc<Cloud>) -> Result<()> {
    let (alias, user) = somebody(&cloud).await?;
    let address = ask(&cloud, &alias).await?;
    for said in ["disable_auto_auth=1", "response_type=code", "scope=user.info.basic%2C"] {
        ensure!(address.contains(said), "{said} is missing");
    }
    let (status, page) = come_back_as_a_person(&allow(&address, &user.open_id, &ALL).await?).await?;
    assert_eq!(status, 200, "{page}");
    ensure!(page.contains("Ännä &lt;b&gt;&amp; Co&lt;/b&gt;") && page.contains(&user.username), "{page}");
    let account = account(&cloud, &alias).await?.context("the account is there")?;
    assert_eq!((account.open_id.as_str(), &account.connection), (user.open_id.as_str(), &Connection::Connected));
    assert_eq!(account.username.as_ref(), Some(&user.username));
    let maker = Creator { cloud: Arc::clone(&cloud), alias: Alias::new(&alias)?, user };
    let private = [("mode", "direct"), ("privacy-level", "SELF_ONLY")];
    let dropped = maker.drops_saying("clip.mp4", &Footage::fresh()?, &private).await?;
    cloud.await_state(&dropped.post, StateName::Published).await?;
    maker.book().await?.ensure_published_once(&dropped)?;
    Ok(())
}

async fn an_answer_counts_once_however_often_and_fast_it_comes(cloud: Arc<Cloud>) -> Result<()> {
    let (alias, user) = somebody(&cloud).await?;
    let back = allow(&ask(&cloud, &alias).await?, &user.open_id, &ALL).await?;
    let answers = futures::future::try_join_all((0..8).map(|_| come_back(&back))).await?;
    let taken = answers.iter().filter(|(status, _)| *status == 200).count();
    assert_eq!(taken, 1, "{answers:?}");
    for (status, problem) in answers.iter().filter(|(status, _)| *status != 200) {
        assert_eq!((*status, problem["code"].as_str()), (409, Some("state_used")));
    }
    let (status, page) = come_back_as_a_person(&back).await?;
    assert_eq!(status, 409);
    ensure!(page.contains("If the account was connected, all is well"), "{page}");
    assert_eq!(calls(&cloud, &user.open_id, Endpoint::Token).await?, 1, "a code is exchanged once");
    Ok(())
}

async fn a_forged_or_garbled_answer_is_refused_and_tiktok_not_asked(cloud: Arc<Cloud>) -> Result<()> {
    let (alias, user) = somebody(&cloud).await?;
    let address = ask(&cloud, &alias).await?;
    let back = allow(&address, &user.open_id, &ALL).await?;
    let (callback, query) = back.split_once('?').context("an answer has a query")?;
    let code = query.split('&').find(|pair| pair.starts_with("code=")).context("an answer has a code")?;
    let forged = AuthorizationState::new([42; 32]);
    for query in [code.to_owned(), format!("{code}&state={}", forged.expose()), format!("{code}&state=%3Cscript%3E")] {
        let (status, problem) = come_back(&format!("{callback}?{query}")).await?;
        assert_eq!((status, problem["code"].as_str()), (400, Some("state_not_found")), "{problem}");
        assert_eq!(problem["type"], "urn:dropcast:problem:state_not_found");
    }
    let state = query.split('&').find(|pair| pair.starts_with("state=")).context("an answer has a state")?;
    let (status, problem) = come_back(&format!("{callback}?{state}")).await?;
    assert_eq!((status, problem["code"].as_str()), (400, Some("callback_malformed")));
    assert_eq!(calls(&cloud, &user.open_id, Endpoint::Token).await?, 0);
    assert_eq!(come_back(&back).await?.0, 200, "none of that used up the request");
    Ok(())
}

async fn an_answer_that_comes_too_late_is_refused(cloud: Arc<Cloud>) -> Result<()> {
    let (alias, user) = somebody(&cloud).await?;
    let address = ask(&cloud, &alias).await?;
    let back = allow(&address, &user.open_id, &ALL).await?;
    // Ten minutes are long in a test: the request is made older than it is.
    let state = address.split("state=").nth(1).and_then(|rest| rest.split('&').next()).context("a state")?;
    let state = AuthorizationState::parse(state).context("a state of ours")?;
    let kept = cloud.consents.get(&state.fingerprint()).await?.context("the request is stored")?;
    assert_eq!((&kept.expected, kept.alias.as_str()), (&ExpectedUser::Anybody, alias.as_str()));
    let mut older = kept.value.clone();
    older.expires_at = runtime::clock::now();
    cloud.consents.save(&kept, older).await?;
    let (status, problem) = come_back(&back).await?;
    assert_eq!((status, problem["code"].as_str()), (410, Some("state_expired")), "{problem}");
    assert_eq!(calls(&cloud, &user.open_id, Endpoint::Token).await?, 0);
    assert_eq!(account(&cloud, &alias).await?, None);
    Ok(())
}

async fn a_user_who_says_no_and_one_whom_tiktok_turns_away_are_told_apart(cloud: Arc<Cloud>) -> Result<()> {
    let (alias, mut user) = somebody(&cloud).await?;
    let back = deny(&ask(&cloud, &alias).await?, &user.open_id).await?;
    let (status, problem) = come_back(&back).await?;
    assert_eq!((status, problem["code"].as_str()), (403, Some("authorization_denied")), "{problem}");
    assert_eq!(come_back(&back).await?.1["code"], "state_used", "a no is an answer too");
    user.standing = AccountStanding::OutsideSandbox;
    cloud.tiktok.put_user(&user).await?;
    let back = allow(&ask(&cloud, &alias).await?, &user.open_id, &ALL).await?;
    let (status, page) = come_back_as_a_person(&back).await?;
    assert_eq!(status, 403);
    ensure!(page.contains("authorization_rejected") && page.contains("sandbox"), "{page}");
    assert_eq!(account(&cloud, &alias).await?, None);
    Ok(())
}

async fn a_user_who_allows_too_little_is_not_connected_and_the_rest_given_back(cloud: Arc<Cloud>) -> Result<()> {
    let (alias, user) = somebody(&cloud).await?;
    let back = allow(&ask(&cloud, &alias).await?, &user.open_id, &["user.info.basic", "video.upload"]).await?;
    let (status, problem) = come_back(&back).await?;
    assert_eq!((status, problem["code"].as_str()), (403, Some("scope_missing")), "{problem}");
    ensure!(problem["title"].as_str().is_some_and(|title| title.contains("video.publish")), "{problem}");
    assert_eq!(account(&cloud, &alias).await?, None);
    assert_eq!(calls(&cloud, &user.open_id, Endpoint::Revoke).await?, 1, "nobody keeps what nobody uses");
    Ok(())
}

async fn an_exchange_without_an_answer_is_begun_again_with_a_new_link(cloud: Arc<Cloud>) -> Result<()> {
    let (alias, user) = somebody(&cloud).await?;
    let lost = Fault::new(Endpoint::Token, FaultKind::LoseAnswer { ending: Ending::Reset });
    cloud.tiktok.inject(&lost.for_user(user.open_id.clone())).await?;
    let back = allow(&ask(&cloud, &alias).await?, &user.open_id, &ALL).await?;
    let (status, problem) = come_back(&back).await?;
    assert_eq!((status, problem["code"].as_str()), (502, Some("exchange_timeout")), "{problem}");
    assert_eq!(calls(&cloud, &user.open_id, Endpoint::Token).await?, 1, "a code that may be spent is not tried again");
    let again = allow(&ask(&cloud, &alias).await?, &user.open_id, &ALL).await?;
    assert_eq!(come_back(&again).await?.0, 200);
    Ok(())
}

async fn another_user_does_not_get_the_alias_of_one_who_is_connected(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::connect(&cloud).await?;
    let before = maker.account().await?;
    let (_, other) = somebody(&cloud).await?;
    let back = allow(&ask(&cloud, maker.alias.as_str()).await?, &other.open_id, &ALL).await?;
    let (status, problem) = come_back(&back).await?;
    assert_eq!((status, problem["code"].as_str()), (409, Some("wrong_user")), "{problem}");
    assert_eq!(maker.account().await?, before, "nothing of the account has changed");
    assert_eq!(calls(&cloud, &other.open_id, Endpoint::Revoke).await?, 1);
    Ok(())
}

async fn of_two_who_were_asked_for_one_alias_the_first_gets_it_and_the_others_consent_is_given_back(
    cloud: Arc<Cloud>,
) -> Result<()> {
    let (alias, first) = somebody(&cloud).await?;
    let (_, second) = somebody(&cloud).await?;
    // Nobody had the alias when either was asked.
    let (to_first, to_second) = (ask(&cloud, &alias).await?, ask(&cloud, &alias).await?);
    assert_eq!(come_back(&allow(&to_first, &first.open_id, &ALL).await?).await?.0, 200);
    let (status, problem) = come_back(&allow(&to_second, &second.open_id, &ALL).await?).await?;
    assert_eq!((status, problem["code"].as_str()), (409, Some("wrong_user")), "{problem}");
    let account = account(&cloud, &alias).await?.context("the account is there")?;
    assert_eq!(account.open_id.as_str(), first.open_id.as_str());
    assert_eq!(calls(&cloud, &second.open_id, Endpoint::Revoke).await?, 1, "nobody keeps what nobody uses");
    Ok(())
}

async fn a_user_who_is_connected_does_not_get_a_second_alias(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::connect(&cloud).await?;
    let (alias, _) = somebody(&cloud).await?;
    let back = allow(&ask(&cloud, &alias).await?, &maker.user.open_id, &ALL).await?;
    let (status, problem) = come_back(&back).await?;
    assert_eq!((status, problem["code"].as_str()), (409, Some("user_connected_elsewhere")), "{problem}");
    ensure!(problem["title"].as_str().is_some_and(|title| title.contains(maker.alias.as_str())), "{problem}");
    assert_eq!(account(&cloud, &alias).await?, None);
    assert_eq!(calls(&cloud, &maker.user.open_id, Endpoint::Revoke).await?, 0, "the consent is in use");
    Ok(())
}

async fn posts_that_wait_for_their_account_go_on_at_once_when_it_is_connected_again(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::cast(&cloud, |casting| casting.defaults.title = Some("kept".to_owned())).await?;
    cloud.tiktok.disconnect(&maker.user.open_id, 1).await?;
    let mut drops = Vec::new();
    for number in 0..3 {
        drops.push(maker.drops(&format!("{number}.mp4"), &Footage::fresh()?).await?);
    }
    // Those behind wait for their turn at first, and hear of it one after the other.
    let authorization_lost = |post: &Post| matches!(&post.state, PostState::Queued { deferral: Some(why), .. } if why.reason.code() == "needs_reconnect");
    for dropped in &drops {
        cloud.await_post(&dropped.post, "waiting for its consent", PATIENCE, authorization_lost).await?;
    }
    let back = allow(&ask(&cloud, maker.alias.as_str()).await?, &maker.user.open_id, &ALL).await?;
    let (status, told) = come_back(&back).await?;
    assert_eq!((status, &told["resumed_posts"]), (200, &Value::from(3)), "{told}");
    // By themselves they would look every quarter of an hour.
    for dropped in &drops {
        cloud.await_state(&dropped.post, StateName::Published).await?;
    }
    let book = maker.book().await?;
    book.ensure_published_each_once(&drops.iter().collect::<Vec<_>>())?;
    assert_eq!(book.publications[0].title, "kept", "the account's defaults outlive its consent");
    Ok(())
}

async fn a_consent_that_tiktok_refused_once_is_revoked_all_the_same(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::connect(&cloud).await?;
    maker.age(Duration::from_hours(48)).await?;
    maker.inject(refusal(Endpoint::Token, 400, "invalid_grant")).await?;
    let dropped = maker.drops("clip.mp4", &Footage::fresh()?).await?;
    assert_eq!(deferral_of(&cloud, &dropped).await?.0, "needs_reconnect");
    let path = format!("/accounts/{}", maker.alias);
    let told: Value = signed(&cloud, Method::DELETE, &path, "application/json").await?.json().await?;
    assert_eq!(told["revocation"]["outcome"], "revoked", "{told}");
    Ok(())
}

async fn a_disconnected_account_is_revoked_and_forgotten_and_its_posts_wait(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::connect(&cloud).await?;
    let path = format!("/accounts/{}", maker.alias);
    let answer = signed(&cloud, Method::DELETE, &path, "application/json").await?;
    assert_eq!(answer.status(), 200);
    let told: Value = answer.json().await?;
    assert_eq!(told["revocation"]["outcome"], "revoked", "{told}");
    assert_eq!(told["account"]["connection"], "disconnected");
    ensure!(maker.account().await?.tokens.is_forgotten(), "a token is left");
    let dropped = maker.drops("clip.mp4", &Footage::fresh()?).await?;
    assert_eq!(deferral_of(&cloud, &dropped).await?.0, "needs_reconnect", "nothing is lost");
    let again: Value = signed(&cloud, Method::DELETE, &path, "*/*").await?.json().await?;
    assert_eq!(again["revocation"]["outcome"], "not_needed", "{again}");
    assert_eq!(calls(&cloud, &maker.user.open_id, Endpoint::Revoke).await?, 1);
    // Only now can somebody else take its place.
    let (_, other) = somebody(&cloud).await?;
    let back = allow(&ask(&cloud, maker.alias.as_str()).await?, &other.open_id, &ALL).await?;
    assert_eq!(come_back(&back).await?.0, 200);
    assert_eq!(maker.account().await?.open_id.as_str(), other.open_id.as_str());
    cloud.await_state(&dropped.post, StateName::Published).await?;
    Ok(())
}

async fn a_consent_whose_access_token_has_run_out_is_ended_with_a_fresh_one(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::connect(&cloud).await?;
    maker.age(Duration::from_hours(3)).await?;
    let path = format!("/accounts/{}", maker.alias);
    let told: Value = signed(&cloud, Method::DELETE, &path, "*/*").await?.json().await?;
    assert_eq!(told["revocation"]["outcome"], "revoked", "{told}");
    let user = &maker.user.open_id;
    assert_eq!((calls(&cloud, user, Endpoint::Token).await?, calls(&cloud, user, Endpoint::Revoke).await?), (1, 1));
    ensure!(maker.account().await?.tokens.is_forgotten(), "a token is left");
    Ok(())
}

async fn accounts_are_shown_and_their_tokens_are_not(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::connect(&cloud).await?;
    let all: Value = signed(&cloud, Method::GET, "/accounts", "*/*").await?.json().await?;
    let all = all["accounts"].as_array().context("accounts are listed")?;
    let listed = all.iter().find(|account| account["alias"] == maker.alias.as_str()).context("it is listed")?;
    let path = format!("/accounts/{}", maker.alias);
    let one: Value = signed(&cloud, Method::GET, &path, "*/*").await?.json().await?;
    assert_eq!(&one, listed);
    assert_eq!(
        (&one["connection"], one["username"].as_str()),
        (&"connected".into(), Some(maker.user.username.as_str()))
    );
    let names: Vec<_> = one.as_object().context("an account is an object")?.keys().collect();
    ensure!(!names.iter().any(|name| name.contains("token")), "{names:?}");
    let nobody = signed(&cloud, Method::GET, "/accounts/nobody-at-all", "*/*").await?;
    assert_eq!(nobody.status(), 404);
    assert_eq!(nobody.json::<Value>().await?["code"], "account_not_found");
    Ok(())
}

async fn an_operator_says_how_an_account_posts_and_is_told_what_cannot_be(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::connect(&cloud).await?;
    let path = format!("/accounts/{}", maker.alias);
    let change = async |body: Value| -> Result<(u16, Value)> {
        let answer =
            signed_with(&cloud, Method::PATCH, &path, &[("accept", "*/*")], body.to_string().into_bytes()).await?;
        Ok((answer.status().as_u16(), answer.json().await?))
    };
    let (status, told) = change(json!({ "title_suffix": " #bread", "privacy_level": "SELF_ONLY" })).await?;
    assert_eq!((status, told["preferences"]["title_suffix"].as_str()), (200, Some(" #bread")), "{told}");
    for (body, status, code) in [
        (json!({ "title_sufix": "" }), 400, "preferences_malformed"),
        (json!({ "brand_content": true }), 422, "preferences_invalid"),
    ] {
        let (given, problem) = change(body).await?;
        assert_eq!((given, problem["code"].as_str()), (status, Some(code)), "{problem}");
    }
    let kept: Value = signed(&cloud, Method::GET, &path, "*/*").await?.json().await?;
    assert_eq!(kept, told, "what was refused has changed nothing");
    let dropped = maker.drops("rye.mp4", &Footage::fresh()?).await?;
    cloud.await_state(&dropped.post, StateName::Published).await?;
    let book = maker.book().await?;
    assert_eq!(book.ensure_published_once(&dropped)?.title, "rye #bread");
    Ok(())
}
