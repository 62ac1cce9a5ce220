//! Who may call is the operator's to say: by the stack's parameters, whoever has a token
//! of an issuer; by the app's secret, TikTok.

use std::sync::Arc;

use anyhow::{Result, ensure};
use domain::post::StateName;
use jiff::SignedDuration;
use reqwest::Method;
use serde_json::json;
use tests::Cloud;

use crate::api::SIGNED;
use crate::forgeries::delivered;
use crate::harness::stories;
use crate::issuer::Issuer;
use crate::post_office::{PostOffice, webhook};
use crate::stack::{Secret, and_put_back, deployed_with, renew};
use crate::web::{client, signed};

stories![alone:
    a_token_of_the_named_issuer_opens_what_a_signature_opened_and_nothing_else_does,
    a_webhook_signed_with_the_secret_before_counts_while_that_is_named_and_no_longer,
];

/// Whom tokens are for.
const AUDIENCE: &str = "dropcast";
const HOUR: SignedDuration = SignedDuration::from_hours(1);

async fn status_of(cloud: &Cloud, method: &Method, path: &str, token: Option<&str>) -> Result<u16> {
    let mut request = client()?.request(method.clone(), format!("{}{path}", cloud.outputs().api_url));
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    Ok(request.send().await?.status().as_u16())
}

async fn a_token_of_the_named_issuer_opens_what_a_signature_opened_and_nothing_else_does(
    cloud: Arc<Cloud>,
) -> Result<()> {
    let (issuer, other) = (Issuer::open(&cloud).await?, Issuer::open(&cloud).await?);
    let audiences = format!("{AUDIENCE},another");
    let parameters = [("OidcIssuer", issuer.url.as_str()), ("OidcAudience", &audiences)];
    let told = deployed_with(&cloud, &parameters, tokens(&cloud, &issuer, &other)).await;
    let good = issuer.token(AUDIENCE, HOUR)?;
    issuer.close(&cloud).await?;
    other.close(&cloud).await?;
    told?;
    assert_eq!(signed(&cloud, Method::GET, "/health", "*/*").await?.status(), 200, "as it was before");
    assert_eq!(status_of(&cloud, &Method::GET, "/health", Some(&good)).await?, 403, "a token is no signature");
    Ok(())
}

async fn tokens(cloud: &Cloud, issuer: &Issuer, other: &Issuer) -> Result<()> {
    let good = issuer.token(AUDIENCE, HOUR)?;
    let refused = [
        ("none", None),
        ("garbage", Some("a.b.c".to_owned())),
        ("for another audience", Some(issuer.token("dropcast-2", HOUR)?)),
        ("run out", Some(issuer.token(AUDIENCE, -HOUR)?)),
        ("of another issuer", Some(other.token(AUDIENCE, HOUR)?)),
        ("forged", Some(issuer.forged(AUDIENCE, HOUR)?)),
        ("cut off", Some(good[..good.len() - 6].to_owned())),
    ];
    for (what, token) in &refused {
        assert_eq!(status_of(cloud, &Method::GET, "/accounts", token.as_deref()).await?, 401, "{what}");
    }
    assert_eq!(signed(cloud, Method::GET, "/health", "*/*").await?.status(), 401, "a signature is no token");
    for (method, path) in &SIGNED {
        assert_eq!(status_of(cloud, method, path, None).await?, 401, "{method} {path}");
    }
    for (method, path) in SIGNED.iter().filter(|(method, _)| *method == Method::GET) {
        let status = status_of(cloud, method, path, Some(&good)).await?;
        ensure!(![401, 403].contains(&status), "{method} {path}: {status}");
    }
    assert_eq!(status_of(cloud, &Method::GET, "/posts", Some(&issuer.token("another", HOUR)?)).await?, 200);
    // TikTok, and the browsers that it sends, know of no tokens.
    assert_eq!(status_of(cloud, &Method::GET, "/oauth/callback", None).await?, 400);
    let body = json!({ "event": "story.told", "content": issuer.url }).to_string();
    assert_eq!(PostOffice::open(cloud).await?.deliver(&body).await?, 200);
    Ok(())
}

async fn a_webhook_signed_with_the_secret_before_counts_while_that_is_named_and_no_longer(
    cloud: Arc<Cloud>,
) -> Result<()> {
    let (maker, dropped, content) = delivered(&cloud).await?;
    let body = webhook(&maker, "post.publish.publicly_available", runtime::clock::now(), &content);
    let old = format!("secret-before-{}", maker.alias);
    let before = PostOffice::with(&cloud, &old);
    assert_eq!(before.deliver(&body).await?, 401, "nobody knows it");

    let secret = Secret::read(&cloud).await?;
    let told = async {
        secret.put(Some(&old)).await?;
        renew(&cloud, -1).await?;
        assert_eq!(before.deliver(&body).await?, 200, "TikTok has not heard of the new one yet");
        assert_eq!(cloud.post(&dropped.post).await?.state_name(), StateName::Published);
        let later = webhook(&maker, "story.told", runtime::clock::now(), &content);
        assert_eq!(PostOffice::open(&cloud).await?.deliver(&later).await?, 200, "and now it has");
        Ok(())
    };
    let put_back = async {
        secret.put(None).await?;
        renew(&cloud, 1).await
    };
    and_put_back(Box::pin(told), Box::pin(put_back)).await?;
    let late = webhook(&maker, "story.over", runtime::clock::now(), &content);
    assert_eq!(before.deliver(&late).await?, 401, "it is exchanged");
    assert!(before.kept(late.as_bytes()).await?.is_none());
    assert_eq!(PostOffice::open(&cloud).await?.deliver(&late).await?, 200);
    Ok(())
}
