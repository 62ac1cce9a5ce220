//! Authentication by tokens, and by the signature of webhooks: who may call the API and the webhook route.
//!
//! If the stack's parameters name a token issuer, API Gateway rejects an invalid token with 401. Otherwise it requires
//! a signature of AWS (`SigV4`) and rejects all else with 403. The webhook route is public; the function `api` rejects
//! an invalid signature of TikTok's with 401.

pub(crate) mod issuer;

use std::sync::Arc;

use anyhow::{Result, ensure};
use domain::post::StateName;
use harness::Cloud;
use jiff::SignedDuration;
use reqwest::Method;
use serde_json::json;

use issuer::Issuer;

use crate::aws_cli::{app_secret, put_app_secret};
use crate::http::{client, get, signed};
use crate::operations::stack::{and_restore, deployed_with, restart_api};
use crate::posts::api::SIGNED;
use crate::runner::scenarios;
use crate::webhooks::auth::delivered_draft;
use crate::webhooks::fixture::{WebhookFixture, webhook};

scenarios![exclusive:
    only_valid_token_of_configured_issuer_is_accepted,
    previous_secret_is_accepted_only_while_configured,
];

/// The audience that valid tokens name.
const AUDIENCE: &str = "dropcast";
/// The lifetime of valid tokens.
const HOUR: SignedDuration = SignedDuration::from_hours(1);

async fn status_of(cloud: &Cloud, method: &Method, path: &str, token: Option<&str>) -> Result<u16> {
    let mut request = client()?.request(method.clone(), format!("{}{path}", cloud.outputs().api_url));
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    Ok(request.send().await?.status().as_u16())
}

async fn only_valid_token_of_configured_issuer_is_accepted(cloud: Arc<Cloud>) -> Result<()> {
    let (issuer, other) = (Issuer::open(&cloud).await?, Issuer::open(&cloud).await?);
    let audiences = format!("{AUDIENCE},another");
    let parameters = [("OidcIssuer", issuer.url.as_str()), ("OidcAudience", &audiences)];
    let result = deployed_with(&cloud, &parameters, ensure_only_valid_tokens(&cloud, &issuer, &other)).await;
    let valid = issuer.token(AUDIENCE, HOUR)?;
    issuer.close(&cloud).await?;
    other.close(&cloud).await?;
    result?;
    // Without an issuer, signatures are accepted again and tokens are not.
    get(&cloud, "/health").await?.with_status(200)?;
    assert_eq!(status_of(&cloud, &Method::GET, "/health", Some(&valid)).await?, 403);
    Ok(())
}

async fn ensure_only_valid_tokens(cloud: &Cloud, issuer: &Issuer, other: &Issuer) -> Result<()> {
    let valid = issuer.token(AUDIENCE, HOUR)?;
    let invalid = [
        ("no token", None),
        ("malformed", Some("a.b.c".to_owned())),
        ("another audience", Some(issuer.token("dropcast-2", HOUR)?)),
        ("expired", Some(issuer.token(AUDIENCE, -HOUR)?)),
        ("another issuer", Some(other.token(AUDIENCE, HOUR)?)),
        ("forged", Some(issuer.forged(AUDIENCE, HOUR)?)),
        ("truncated", Some(valid[..valid.len() - 6].to_owned())),
    ];
    for (what, token) in &invalid {
        assert_eq!(status_of(cloud, &Method::GET, "/accounts", token.as_deref()).await?, 401, "{what}");
    }
    let response = signed(cloud, &Method::GET, "/health", &[], Vec::new()).await?;
    assert_eq!(response.status(), 401, "a signature is not a token");
    for (method, path) in &SIGNED {
        assert_eq!(status_of(cloud, method, path, None).await?, 401, "{method} {path}");
    }
    for (method, path) in SIGNED.iter().filter(|(method, _)| *method == Method::GET) {
        let status = status_of(cloud, method, path, Some(&valid)).await?;
        ensure!(![401, 403].contains(&status), "{method} {path}: {status}");
    }
    assert_eq!(
        status_of(cloud, &Method::GET, "/posts", Some(&issuer.token("another", HOUR)?)).await?,
        200,
        "the second configured audience"
    );
    // TikTok and the browsers that it redirects send no tokens. The callback lacks its parameters, but is not a 401.
    assert_eq!(status_of(cloud, &Method::GET, "/oauth/callback", None).await?, 400);
    let body = json!({ "event": "scenario.event", "content": issuer.url }).to_string();
    assert_eq!(WebhookFixture::open(cloud).await?.deliver(&body).await?, 200);
    Ok(())
}

async fn previous_secret_is_accepted_only_while_configured(cloud: Arc<Cloud>) -> Result<()> {
    let (creator, dropped, content) = delivered_draft(&cloud).await?;
    let body = webhook(&creator, "post.publish.publicly_available", runtime::clock::now(), &content);
    let old_secret = format!("secret-before-{}", creator.alias);
    let (old, current) = (WebhookFixture::with_secret(&cloud, &old_secret), WebhookFixture::open(&cloud).await?);
    assert_eq!(old.deliver(&body).await?, 401, "the secret is unknown");

    let secret = app_secret(&cloud).await?;
    let scenario = async {
        let mut with_previous = secret.clone();
        with_previous["previous_client_secret"] = json!(old_secret);
        put_app_secret(&cloud, &with_previous).await?;
        restart_api(&cloud, -1).await?;
        assert_eq!(old.deliver(&body).await?, 200, "TikTok still signs with the previous secret");
        assert_eq!(cloud.post(&dropped.post).await?.state_name(), StateName::Published);
        let later = webhook(&creator, "scenario.event", runtime::clock::now(), &content);
        assert_eq!(current.deliver(&later).await?, 200, "TikTok signs with the new secret");
        Ok(())
    };
    let restore = async {
        put_app_secret(&cloud, &secret).await?;
        restart_api(&cloud, 1).await
    };
    and_restore(Box::pin(scenario), Box::pin(restore)).await?;
    let late = webhook(&creator, "scenario.last_event", runtime::clock::now(), &content);
    assert_eq!(old.deliver(&late).await?, 401, "the previous secret is removed");
    assert!(old.stored(late.as_bytes()).await?.is_none());
    assert_eq!(current.deliver(&late).await?, 200);
    Ok(())
}
