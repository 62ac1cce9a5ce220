//! The HTTP API, as a caller of it sees it.

use std::sync::Arc;

use anyhow::Result;
use reqwest::Method;
use serde_json::{Value, json};
use tests::Cloud;

use crate::events::{invoke, recorded};
use crate::harness::stories;
use crate::web::{client, signed};

stories![among:
    who_does_not_sign_is_turned_away_and_who_does_is_answered,
    the_recorded_request_is_answered_by_the_function,
];

async fn who_does_not_sign_is_turned_away_and_who_does_is_answered(cloud: Arc<Cloud>) -> Result<()> {
    for (method, path) in [
        (Method::GET, "/health"),
        (Method::GET, "/connect?alias=anna"),
        (Method::GET, "/accounts"),
        (Method::GET, "/accounts/anna"),
        (Method::DELETE, "/accounts/anna"),
    ] {
        let url = format!("{}{path}", cloud.outputs().api_url);
        assert_eq!(client()?.request(method.clone(), &url).send().await?.status(), 403, "{method} {path}");
    }
    let answer = signed(&cloud, Method::GET, "/health", "*/*").await?;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.json::<Value>().await?, json!({ "status": "ok" }));
    Ok(())
}

async fn the_recorded_request_is_answered_by_the_function(cloud: Arc<Cloud>) -> Result<()> {
    let answer = invoke(&cloud, &cloud.outputs().api_function, &recorded("http-get-health.json")?).await?;
    assert_eq!(answer["statusCode"], json!(200), "{answer}");
    Ok(())
}
