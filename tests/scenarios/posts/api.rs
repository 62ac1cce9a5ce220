//! The HTTP API as a whole: who may call it, its contract, and invalid requests.

use std::process::Stdio;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use aws_sdk_lambda::types::FunctionUrlAuthType;
use domain::post::StateName;
use harness::{Cloud, TestVideo};
use reqwest::Method;
use serde_json::{Value, json};
use simulator::Endpoint;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::aws_cli::text;
use crate::http::{Answer, client, get, send, signature};
use crate::operations::stack::and_restore;
use crate::recorded_events::{invoke, recorded};
use crate::runner::{WithCreator, scenarios};

scenarios![concurrent:
    unsigned_requests_are_rejected_and_signed_ones_answered,
    recorded_http_events_are_answered,
    function_url_answers_signed_requests,
    served_openapi_document_equals_the_repository,
    invalid_bodies_are_rejected,
    creator_options_are_read_from_tiktok,
    curl_alone_can_post_a_video,
];

/// Every route that requires a signature, or a token if the stack has an issuer. A new route must be added here.
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

/// Routes that do not exist.
const UNKNOWN: [(Method, &str); 2] = [(Method::GET, "/nothing"), (Method::DELETE, "/posts/x")];

async fn unsigned_requests_are_rejected_and_signed_ones_answered(cloud: Arc<Cloud>) -> Result<()> {
    // API Gateway checks the signature of known routes only.
    for (routes, expected) in [(&SIGNED[..], 403), (&UNKNOWN[..], 404)] {
        for (method, path) in routes {
            let url = format!("{}{path}", cloud.outputs().api_url);
            let status = client()?.request(method.clone(), &url).send().await?.status().as_u16();
            assert_eq!(status, expected, "{method} {path}");
        }
    }
    let [health, posts] = ["/health", "/posts"].map(|path| format!("{}{path}", cloud.outputs().api_url));
    let mut other_path = client()?.get(posts);
    for (name, value) in signature(&cloud, "execute-api", &Method::GET, &health, b"")? {
        other_path = other_path.header(name, value);
    }
    assert_eq!(other_path.send().await?.status(), 403, "the signature is of another request");
    assert_eq!(get(&cloud, "/health").await?.with_status(200)?, json!({ "status": "ok" }));
    Ok(())
}

async fn recorded_http_events_are_answered(cloud: Arc<Cloud>) -> Result<()> {
    for (event, status) in [
        ("http-get-health.json", 200),
        ("function-url-get-health.json", 200),
        ("http-get-posts.json", 200),
        ("http-post-upload.json", 422), // Its account does not exist.
    ] {
        let answer = invoke(&cloud, &cloud.outputs().api_function, &recorded(event)?).await?;
        assert_eq!(answer["statusCode"], json!(status), "{event}: {answer}");
    }
    Ok(())
}

async fn function_url_answers_signed_requests(cloud: Arc<Cloud>) -> Result<()> {
    let function = &cloud.outputs().api_function;
    let create = cloud.lambda.create_function_url_config().function_name(function);
    let created = create.auth_type(FunctionUrlAuthType::AwsIam).send().await?;
    let delete = cloud.lambda.delete_function_url_config().function_name(function);
    let delete = async { Ok(delete.send().await.map(drop)?) };
    and_restore(ensure_answers_at(&cloud, created.function_url()), delete).await
}

async fn ensure_answers_at(cloud: &Cloud, url: &str) -> Result<()> {
    // The URL's host does not resolve on this machine; the local cloud serves it under a path.
    let id = url.strip_prefix("https://").and_then(|rest| rest.split('.').next()).context("a URL has a host")?;
    let base = format!("{}/_aws/lambda-url/{id}", cloud.contract.endpoint);
    assert_eq!(client()?.get(format!("{base}/health")).send().await?.status(), 403, "unsigned");
    let send = async |method: Method, path: &str, body: &str| {
        let url = format!("{base}{path}");
        let mut request = client()?.request(method.clone(), &url).header("content-type", "application/json");
        for (name, value) in signature(cloud, "lambda", &method, &url, body.as_bytes())? {
            request = request.header(name, value);
        }
        Answer::read(request.body(body.to_owned()).send().await?, format!("{method} {url}")).await
    };
    assert_eq!(send(Method::GET, "/health", "").await?.with_status(200)?, json!({ "status": "ok" }));
    let request = r#"{"account":"nobody","file_name":"a.mp4","content_type":"video/mp4","bytes":1}"#;
    send(Method::POST, "/uploads", request).await?.problem(422, "account_not_found")?;
    let page = send(Method::GET, "/posts?account=nobody&limit=1", "").await?.with_status(200)?;
    assert_eq!(page["posts"], json!([]), "{page}");
    Ok(())
}

async fn served_openapi_document_equals_the_repository(cloud: Arc<Cloud>) -> Result<()> {
    let served = get(&cloud, "/openapi.json").await?.with_status(200)?;
    let stored: Value = serde_json::from_str(include_str!("../../../functions/api/openapi.json"))?;
    assert!(served == stored && served["openapi"] == "3.1.0", "{}", served["openapi"]);
    Ok(())
}

async fn invalid_bodies_are_rejected((cloud, creator): WithCreator) -> Result<()> {
    let metadata = [("dropcast-publish-at", "2031-01-01T00:00:00Z")];
    let scheduled = creator.drop_with_metadata("clip.mp4", &TestVideo::small(), &metadata).await?;
    cloud.await_state(&scheduled.post, StateName::Scheduled).await?;
    // The API's maximum is 64 KiB (`MAX_BODY_BYTES` in api/src/body.rs). Each level has 12 bytes.
    let nested = |depth| [b"{\"options\":".repeat(depth), b"{}".to_vec(), b"}".repeat(depth)].concat();
    let bodies: [(&str, Vec<u8>, u16); 7] = [
        ("empty", Vec::new(), 400),
        ("not JSON", b"post it".to_vec(), 400),
        ("not UTF-8", vec![b'{', b'"', 0xff, 0xfe, b'"', b':', b'1', b'}'], 400),
        ("truncated", b"{\"options\":{\"title\":\"".to_vec(), 400),
        ("deeply nested and large", nested(20_000), 413),
        ("deeply nested", nested(2_000), 400),
        ("large", [b"{\"title\":\"".to_vec(), vec![b'a'; 3_000_000], b"\"}".to_vec()].concat(), 413),
    ];
    let (post, account) = (format!("/posts/{}", scheduled.post), format!("/accounts/{}", creator.alias));
    for (method, path) in [
        (Method::POST, "/posts"),
        (Method::POST, "/uploads"),
        (Method::PATCH, post.as_str()),
        (Method::PATCH, account.as_str()),
    ] {
        for (what, body, status) in &bodies {
            let problem =
                send(&cloud, method.clone(), path, &[], body.clone()).await?.with_status(*status).context(*what)?;
            ensure!(problem["code"].is_string() && problem["type"].is_string(), "{method} {path}, {what}: {problem}");
        }
    }
    Ok(())
}

async fn creator_options_are_read_from_tiktok((cloud, creator): WithCreator) -> Result<()> {
    let shown = get(&cloud, &format!("/accounts/{}/creator", creator.alias)).await?.with_status(200)?;
    assert_eq!(shown["username"], json!(creator.user.username), "{shown}");
    assert!(shown["privacy_levels"].as_array().is_some_and(|levels| !levels.is_empty()), "{shown}");
    assert_eq!(creator.ledger().await?.calls_of(Endpoint::CreatorInfo), 1);
    get(&cloud, "/accounts/nobody-at-all/creator").await?.problem(404, "account_not_found").map(drop)
}

/// Runs curl with the options of README.md, and returns its output.
async fn curl(cloud: &Cloud, arguments: &[&str], body: &[u8]) -> Result<String> {
    let mut command = Command::new("curl");
    command.args(["--silent", "--show-error", "--fail-with-body"]).args(arguments);
    command.envs(cloud.contract.cli_environment()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().context("curl cannot be run")?;
    child.stdin.take().context("curl reads")?.write_all(body).await?;
    let done = child.wait_with_output().await?;
    let output = String::from_utf8(done.stdout)?;
    ensure!(done.status.success(), "curl {arguments:?}: {output} {}", String::from_utf8_lossy(&done.stderr));
    Ok(output)
}

async fn curl_alone_can_post_a_video((cloud, creator): WithCreator) -> Result<()> {
    let video = TestVideo::small();
    let (trust, region) = (cloud.contract.trust.display().to_string(), &cloud.contract.region);
    let (sign, user) = (format!("aws:amz:{region}:execute-api"), cloud.contract.curl_user());
    let signing = ["--cacert", &trust, "--aws-sigv4", &sign, "--user", &user];
    let api = &cloud.outputs().api_url;
    let request = json!({
        "account": creator.alias.as_str(), "file_name": "curled.mp4", "content_type": "video/mp4",
        "bytes": video.bytes,
    });
    let (request, uploads) = (request.to_string(), format!("{api}/uploads"));
    let created = curl(&cloud, &[&signing[..], &["--data", &request, &uploads][..]].concat(), b"").await?;
    let created: Value = serde_json::from_str(&created)?;
    let url = text(&created["upload"], "url")?;
    let put =
        ["--cacert", &trust, "--header", "content-type: video/mp4", "--request", "PUT", "--data-binary", "@-", url];
    curl(&cloud, &put, &video.content()).await?;
    let id = text(&created["post"], "id")?;
    cloud.await_state(&id.parse()?, StateName::Published).await?;
    let shown = curl(&cloud, &[&signing[..], &[format!("{api}/posts/{id}").as_str()][..]].concat(), b"").await?;
    assert_eq!(serde_json::from_str::<Value>(&shown)?["title"], "curled");
    assert_eq!(creator.ledger().await?.times_published(&video), 1);
    Ok(())
}
