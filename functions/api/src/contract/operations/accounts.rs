//! What can be asked of accounts.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use super::{Route, Schemas};
use crate::accounts::{AccountView as Account, CreatorView as Creator};
use crate::contract::mirrors::{Preferences, Time};

#[derive(Serialize, JsonSchema)]
struct Accounts {
    accounts: Vec<Account>,
}

/// Where a user consents.
#[derive(Serialize, JsonSchema)]
struct Consent {
    authorize_url: String,
    expires_at: Time,
}

#[derive(Serialize, JsonSchema)]
struct Connected {
    account: Account,
    /// How many posts that waited for the account go on.
    resumed_posts: u32,
}

#[derive(Serialize, JsonSchema)]
struct Disconnected {
    account: Account,
    revocation: Revocation,
}

/// Whether TikTok ended the consent: `revoked`, `not_needed`, or `failed` and why.
#[derive(Serialize, JsonSchema)]
struct Revocation {
    outcome: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<String>,
}

/// The routes of accounts, and of their connecting.
pub(super) fn accounts(schemas: &mut Schemas) -> Value {
    const SHOWN: &str = "With names, scopes, lifetimes and preferences; never tokens.";
    let alias = json!({ "type": "string", "minLength": 1, "maxLength": 128, "example": "anna" });
    let about = ("Ask where a user consents", "Leads to TikTok's page, or says its address where JSON is asked for.");
    let connect = Route::closed(schemas, "connect", "accounts", about)
        .with("alias", "query", "The account's alias", &alias)
        .required()
        .problem(400, "No alias, or none that can be one")
        .answer::<Consent>(200, "The address, and until when it is good")
        .nothing(302, "The way to TikTok's page")
        .telling(302, "Location", "TikTok's page")
        .pages(&[400, 503])
        .done();
    let about = ("Come back from TikTok's page", "Open to everybody, and closed by what it has to bring along.");
    let text = json!({ "type": "string" });
    let callback = Route::open(schemas, "callback", "accounts", about)
        .public()
        .with("code", "query", "TikTok's code", &text)
        .with("state", "query", "The state of a request for consent", &text)
        .with("error", "query", "Why there is no code", &text)
        .answer::<Connected>(200, "The account is connected")
        .problem(400, "It is no answer to a request of ours, or brings no code of TikTok's")
        .problem(403, "The user, or TikTok, said no")
        .problem(409, "Another answer was first, or another user")
        .problem(410, "The request's time is over")
        .gateway(429, "Too many requests")
        .problem(502, "TikTok did not exchange the code")
        .problem(503, "What is needed cannot be had now")
        .pages(&[200, 400, 403, 409, 410, 502, 503])
        .done();
    let list = Route::closed(schemas, "list_accounts", "accounts", ("List the accounts", SHOWN));
    let list = list.answer::<Accounts>(200, "All of them").done();
    let one = Route::closed(schemas, "show_account", "accounts", ("Show an account", SHOWN));
    let one = one.of_account().answer::<Account>(200, "The account").done();
    let about = (
        "Say how an account posts",
        "As a merge patch (RFC 7396). What the account no longer asks for holds no post any more.",
    );
    let configure = Route::closed(schemas, "configure_account", "accounts", about)
        .of_account()
        .saying::<Preferences>()
        .answer::<Account>(200, "The account as it is now")
        .problem(409, "Others change it at the same time")
        .problem(422, "No post could go out so")
        .done();
    let about = ("Disconnect an account", "Ends the consent and forgets the tokens; what waits goes on waiting.");
    let disconnect = Route::closed(schemas, "disconnect_account", "accounts", about)
        .of_account()
        .answer::<Disconnected>(200, "It is disconnected")
        .problem(409, "Others change it at the same time")
        .done();
    let about = ("Ask what a creator may post now", "TikTok is asked afresh; it allows 20 such questions a minute.");
    let creator = Route::closed(schemas, "show_creator", "accounts", about)
        .of_account()
        .answer::<Creator>(200, "What TikTok says")
        .problem(409, "The account must be connected again")
        .or_gateway(429, "Too many requests, or questions to TikTok")
        .problem(502, "TikTok refused")
        .done();
    json!({
        "/connect": { "get": connect },
        "/oauth/callback": { "get": callback },
        "/accounts": { "get": list },
        "/accounts/{alias}": { "get": one, "patch": configure, "delete": disconnect },
        "/accounts/{alias}/creator": { "get": creator },
    })
}
