//! The HTTP API, as a caller of it sees it.

use std::sync::Arc;
use std::time::SystemTime;

use anyhow::Result;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use serde_json::{Value, json};
use tests::Cloud;

use crate::events::{invoke, recorded};
use crate::harness::stories;

stories![among:
    who_does_not_sign_is_turned_away_and_who_does_is_answered,
    the_recorded_request_is_answered_by_the_function,
];

async fn who_does_not_sign_is_turned_away_and_who_does_is_answered(cloud: Arc<Cloud>) -> Result<()> {
    let url = format!("{}/health", cloud.outputs().api_url.trim_end_matches('/'));
    let client = reqwest::Client::new();
    assert_eq!(client.get(&url).send().await?.status().as_u16(), 403);
    let mut request = client.get(&url);
    for (name, value) in signature(&cloud, &url)? {
        request = request.header(name, value);
    }
    let answer = request.send().await?;
    assert_eq!(answer.status().as_u16(), 200);
    assert_eq!(answer.json::<Value>().await?, json!({ "status": "ok" }));
    Ok(())
}

/// The headers of a signed GET: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html>
fn signature(cloud: &Cloud, url: &str) -> Result<Vec<(String, String)>> {
    let identity = cloud.contract.credentials().into();
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region(&cloud.contract.region)
        .name("execute-api")
        .time(SystemTime::from(runtime::clock::now()))
        .settings(SigningSettings::default())
        .build()?;
    let request = SignableRequest::new("GET", url, std::iter::empty(), SignableBody::Bytes(&[]))?;
    let (instructions, _) = sign(request, &parameters.into())?.into_parts();
    let (headers, _) = instructions.into_parts();
    Ok(headers.into_iter().map(|header| (header.name().to_owned(), header.value().to_owned())).collect())
}

async fn the_recorded_request_is_answered_by_the_function(cloud: Arc<Cloud>) -> Result<()> {
    let answer = invoke(&cloud, &cloud.outputs().api_function, &recorded("http-get-health.json")?).await?;
    assert_eq!(answer["statusCode"], json!(200), "{answer}");
    Ok(())
}
