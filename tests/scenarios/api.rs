//! The HTTP API, as a caller of it sees it.

use std::process::Stdio;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use aws_sdk_lambda::types::FunctionUrlAuthType;
use reqwest::Method;
use serde_json::{Value, json};
use tests::{Cloud, Creator, Footage};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::events::{invoke, recorded};
use crate::harness::stories;
use crate::stack::and_put_back;
use crate::web::{call, call_saying, client, signature, signed};

stories![among:
    who_does_not_sign_is_turned_away_and_who_does_is_answered,
    the_recorded_requests_are_answered_by_the_function,
    the_function_answers_at_a_url_of_its_own_whoever_signs,
    the_contract_is_served_as_it_is_kept,
    bodies_that_are_none_are_refused_and_harm_nothing,
    what_a_creator_may_post_is_asked_afresh,
    curl_and_nothing_else_is_needed_to_post_a_video,
];

/// Every route that is not open to everybody.
pub(crate) const SIGNED: [(Method, &str); 17] = [
    (Method::GET, "/health"),
    (Method::GET, "/openapi.json"),
    (Method::GET, "/connect?alias=anna"),
    (Method::GET, "/accounts"),
    (Method::GET, "/accounts/anna"),
    (Method::PATCH, "/accounts/anna"),
    (Method::DELETE, "/accounts/anna"),
    (Method::GET, "/accounts/anna/creator"),
    (Method::GET, "/posts"),
    (Method::POST, "/posts"),
    (Method::GET, "/posts/x"),
    (Method::PATCH, "/posts/x"),
    (Method::POST, "/posts/x/approve"),
    (Method::POST, "/posts/x/cancel"),
    (Method::POST, "/posts/x/retry"),
    (Method::POST, "/uploads"),
    (Method::POST, "/uploads/x/complete"),
];

/// What is no route.
const NOTHING: [(Method, &str); 2] = [(Method::GET, "/nothing"), (Method::DELETE, "/posts/x")];

async fn who_does_not_sign_is_turned_away_and_who_does_is_answered(cloud: Arc<Cloud>) -> Result<()> {
    for (routes, refused) in [(&SIGNED[..], 403), (&NOTHING[..], 404)] {
        for (method, path) in routes {
            let url = format!("{}{path}", cloud.outputs().api_url);
            let status = client()?.request(method.clone(), &url).send().await?.status().as_u16();
            assert_eq!(status, refused, "{method} {path}");
        }
    }
    let [health, posts] = ["/health", "/posts"].map(|path| format!("{}{path}", cloud.outputs().api_url));
    let mut elsewhere = client()?.get(posts);
    for (name, value) in signature(&cloud, "execute-api", &Method::GET, &health, b"")? {
        elsewhere = elsewhere.header(name, value);
    }
    assert_eq!(elsewhere.send().await?.status(), 403, "what was signed is another request");
    let answer = signed(&cloud, Method::GET, "/health", "*/*").await?;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.json::<Value>().await?, json!({ "status": "ok" }));
    Ok(())
}

async fn the_recorded_requests_are_answered_by_the_function(cloud: Arc<Cloud>) -> Result<()> {
    for (event, status) in [
        ("http-get-health.json", 200),
        ("function-url-get-health.json", 200),
        ("http-get-posts.json", 200),
        ("http-post-upload.json", 422),
    ] {
        let answer = invoke(&cloud, &cloud.outputs().api_function, &recorded(event)?).await?;
        assert_eq!(answer["statusCode"], json!(status), "{event}: {answer}");
    }
    Ok(())
}

async fn the_function_answers_at_a_url_of_its_own_whoever_signs(cloud: Arc<Cloud>) -> Result<()> {
    let function = &cloud.outputs().api_function;
    let made = cloud.lambda.create_function_url_config().function_name(function);
    let made = made.auth_type(FunctionUrlAuthType::AwsIam).send().await?;
    let unmade = cloud.lambda.delete_function_url_config().function_name(function);
    let unmade = async { Ok(unmade.send().await.map(drop)?) };
    and_put_back(answers_at(&cloud, made.function_url()), unmade).await
}

async fn answers_at(cloud: &Cloud, url: &str) -> Result<()> {
    // Its host has no name on this machine: the local cloud has a path for it.
    let id = url.strip_prefix("https://").and_then(|rest| rest.split('.').next()).context("a URL has a host")?;
    let at = format!("{}/_aws/lambda-url/{id}", cloud.contract.endpoint);
    assert_eq!(client()?.get(format!("{at}/health")).send().await?.status(), 403, "unsigned");
    let say = async |method: Method, path: &str, body: &str| {
        let url = format!("{at}{path}");
        let mut request = client()?.request(method.clone(), &url).header("content-type", "application/json");
        for (name, value) in signature(cloud, "lambda", &method, &url, body.as_bytes())? {
            request = request.header(name, value);
        }
        let answer = request.body(body.to_owned()).send().await?;
        anyhow::Ok((answer.status().as_u16(), answer.json::<Value>().await?))
    };
    assert_eq!(say(Method::GET, "/health", "").await?, (200, json!({ "status": "ok" })));
    let request = r#"{"account":"nobody","file_name":"a.mp4","content_type":"video/mp4","bytes":1}"#;
    let (status, problem) = say(Method::POST, "/uploads", request).await?;
    assert_eq!((status, &problem["code"]), (422, &json!("account_not_found")), "{problem}");
    let (status, page) = say(Method::GET, "/posts?account=nobody&limit=1", "").await?;
    assert_eq!((status, &page["posts"]), (200, &json!([])), "{page}");
    Ok(())
}

async fn the_contract_is_served_as_it_is_kept(cloud: Arc<Cloud>) -> Result<()> {
    let (status, served) = call(&cloud, Method::GET, "/openapi.json", None).await?;
    let kept: Value = serde_json::from_str(include_str!("../../functions/api/openapi.json"))?;
    assert!(status == 200 && served == kept && served["openapi"] == "3.1.0", "{status} {}", served["openapi"]);
    Ok(())
}

async fn bodies_that_are_none_are_refused_and_harm_nothing(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::connect(&cloud).await?;
    let held = maker.drops_saying("clip.mp4", &Footage::fresh()?, &[("publish-at", "2031-01-01T00:00:00Z")]).await?;
    cloud.await_state(&held.post, domain::post::StateName::Scheduled).await?;
    let deep = |open: &str, close: &str| format!("{}{}", open.repeat(20_000), close.repeat(20_000)).into_bytes();
    let bodies: [(&str, Vec<u8>, u16); 7] = [
        ("empty", Vec::new(), 400),
        ("no JSON", b"post it".to_vec(), 400),
        ("not UTF-8", vec![b'{', b'"', 0xff, 0xfe, b'"', b':', b'1', b'}'], 400),
        ("cut off", b"{\"options\":{\"title\":\"".to_vec(), 400),
        ("nested deeply", deep("{\"options\":", "}"), 413),
        (
            "nested deeply, and small",
            [b"{\"options\":".repeat(2_000), b"{}".to_vec(), b"}".repeat(2_000)].concat(),
            400,
        ),
        ("huge", [b"{\"title\":\"".to_vec(), vec![b'a'; 3_000_000], b"\"}".to_vec()].concat(), 413),
    ];
    let (post, account) = (format!("/posts/{}", held.post), format!("/accounts/{}", maker.alias));
    for (method, path) in [
        (Method::POST, "/posts"),
        (Method::POST, "/uploads"),
        (Method::PATCH, post.as_str()),
        (Method::PATCH, account.as_str()),
    ] {
        for (what, body, wanted) in &bodies {
            let (status, problem) = call_saying(&cloud, method.clone(), path, &[], body.clone()).await?;
            assert_eq!(status, *wanted, "{method} {path}, {what}: {problem}");
            ensure!(problem["code"].is_string() && problem["type"].is_string(), "{method} {path}, {what}: {problem}");
        }
    }
    Ok(())
}

async fn what_a_creator_may_post_is_asked_afresh(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::connect(&cloud).await?;
    let path = format!("/accounts/{}/creator", maker.alias);
    let (status, told) = call(&cloud, Method::GET, &path, None).await?;
    assert_eq!((status, &told["username"]), (200, &json!(maker.user.username)), "{told}");
    assert!(told["privacy_levels"].as_array().is_some_and(|levels| !levels.is_empty()), "{told}");
    assert_eq!(maker.book().await?.calls_of(simulator::Endpoint::CreatorInfo), 1);
    let (status, problem) = call(&cloud, Method::GET, "/accounts/nobody-at-all/creator", None).await?;
    assert_eq!((status, &problem["code"]), (404, &json!("account_not_found")));
    Ok(())
}

/// Runs curl as the README does, and returns what it printed.
async fn curl(cloud: &Cloud, arguments: &[&str], body: &[u8]) -> Result<String> {
    let mut command = Command::new("curl");
    command.args(["--silent", "--show-error", "--fail-with-body"]).args(arguments);
    command.envs(cloud.contract.cli_environment()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().context("curl cannot be run")?;
    child.stdin.take().context("curl reads")?.write_all(body).await?;
    let done = child.wait_with_output().await?;
    let said = String::from_utf8(done.stdout)?;
    ensure!(done.status.success(), "curl {arguments:?}: {said} {}", String::from_utf8_lossy(&done.stderr));
    Ok(said)
}

async fn curl_and_nothing_else_is_needed_to_post_a_video(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::connect(&cloud).await?;
    let footage = Footage::fresh()?;
    let (trust, region) = (cloud.contract.trust.display().to_string(), &cloud.contract.region);
    let (sign, user) = (format!("aws:amz:{region}:execute-api"), cloud.contract.curl_user());
    let signing = ["--cacert", &trust, "--aws-sigv4", &sign, "--user", &user];
    let api = &cloud.outputs().api_url;
    let request = json!({
        "account": maker.alias.as_str(), "file_name": "curled.mp4", "content_type": "video/mp4",
        "bytes": footage.bytes.len(),
    });
    let (request, uploads) = (request.to_string(), format!("{api}/uploads"));
    let asked = curl(&cloud, &[&signing[..], &["--data", &request, &uploads][..]].concat(), b"").await?;
    let asked: Value = serde_json::from_str(&asked)?;
    let url = asked["upload"]["url"].as_str().context("an upload has an address")?;
    let put =
        ["--cacert", &trust, "--header", "content-type: video/mp4", "--request", "PUT", "--data-binary", "@-", url];
    curl(&cloud, &put, &footage.bytes).await?;
    let id = asked["post"]["id"].as_str().context("a post has an id")?.to_owned();
    cloud.await_state(&id.parse()?, domain::post::StateName::Published).await?;
    let shown = curl(&cloud, &[&signing[..], &[format!("{api}/posts/{id}").as_str()][..]].concat(), b"").await?;
    assert_eq!(serde_json::from_str::<Value>(&shown)?["title"], "curled");
    assert_eq!(maker.book().await?.times_published(&footage), 1);
    Ok(())
}
