//! Web pages of other origins in a real browser (CORS). Only pages of the origins in the stack's parameter
//! `CorsOrigins` can upload videos. The page is `upload.html`.

use std::path::PathBuf;

use anyhow::{Context, Result};
use axum::Router;
use axum::response::Html;
use axum::routing::get;
use domain::identity::PostId;
use domain::post::StateName;
use harness::{Cloud, Creator, Dropped, TestVideo};
use jiff::SignedDuration;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

use crate::access::issuer::Issuer;
use crate::accounts::chromium::Browser;
use crate::aws_cli::text;
use crate::http::client;
use crate::operations::stack::deployed_with;
use crate::runner::{WithCreator, scenarios};
use crate::uploads::MULTIPART_BYTES;

scenarios![exclusive: only_pages_of_allowed_origins_can_upload];

/// The audience of the tokens.
const AUDIENCE: &str = "dropcast";
/// The lifetime of the tokens.
const HOUR: SignedDuration = SignedDuration::from_hours(1);
/// The error that a browser shows to a page whose request the server does not allow.
const BLOCKED: &str = "TypeError: Failed to fetch";

/// A page with an origin of its own, served until it is dropped.
struct Page {
    origin: String,
    server: AbortHandle,
}

impl Page {
    async fn open() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let origin = format!("http://{}", listener.local_addr()?);
        let router = Router::new().route("/", get(async || Html(include_str!("../upload.html"))));
        let server = tokio::spawn(async move { axum::serve(listener, router).await }).abort_handle();
        Ok(Self { origin, server })
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// A user with a browser, a token and a video file.
struct Visitor<'a> {
    cloud: &'a Cloud,
    browser: &'a Browser,
    creator: &'a Creator,
    issuer: &'a Issuer,
    file: PathBuf,
}

impl Visitor<'_> {
    /// Uploads a video on a page. Returns the page's output: the post's id or an error.
    async fn upload(&self, page: &Page, video: &TestVideo) -> Result<String> {
        std::fs::write(&self.file, video.content())?;
        let (api, alias, token) =
            (&self.cloud.outputs().api_url, &self.creator.alias, self.issuer.token(AUDIENCE, HOUR)?);
        // The hash makes the address a new one, so the browser loads the page again.
        let address = format!("{}/?{}#api={api}&account={alias}&token={token}", page.origin, video.sha256);
        self.browser.go(&address).await?;
        self.browser.choose("input", &self.file).await?;
        self.browser.text("output[class]").await
    }

    async fn ensure_published(&self, page: &Page) -> Result<()> {
        let mut drops = Vec::new();
        for video in [TestVideo::small(), TestVideo::new(MULTIPART_BYTES)?] {
            let output = self.upload(page, &video).await?;
            let post: PostId = output.parse().with_context(|| format!("the page shows: {output}"))?;
            // The ledger's check needs the post's id and the bytes only.
            drops.push(Dropped { post, ..Dropped::at("", "", "", &video) });
        }
        self.creator.await_each_published_once(&drops).await.map(drop)
    }

    /// Checks that neither the API nor the bucket answers the page, although the visitor has a token and an upload URL.
    async fn ensure_blocked(&self, page: &Page) -> Result<()> {
        assert_eq!(self.upload(page, &TestVideo::small()).await?, BLOCKED);
        let request = json!({
            "account": self.creator.alias.as_str(), "file_name": "a.mp4", "content_type": "video/mp4", "bytes": 5,
        });
        let token = self.issuer.token(AUDIENCE, HOUR)?;
        let create = client()?.post(format!("{}/uploads", self.cloud.outputs().api_url)).bearer_auth(token);
        let created: Value = create.json(&request).send().await?.json().await?;
        let put = json!({ "method": "PUT", "headers": created["upload"]["headers"], "body": "bytes" });
        let send = format!("return fetch({}, {put}).then(() => 'sent', String)", created["upload"]["url"]);
        assert_eq!(self.browser.run(&send).await?, BLOCKED);
        let id: PostId = text(&created["post"], "id")?.parse()?;
        assert_eq!(self.cloud.post(&id).await?.state_name(), StateName::Held, "no video came");
        Ok(())
    }
}

async fn only_pages_of_allowed_origins_can_upload((cloud, creator): WithCreator) -> Result<()> {
    let (issuer, allowed, other) = (Issuer::open(&cloud).await?, Page::open().await?, Page::open().await?);
    let folder = std::env::temp_dir().join(format!("dropcast-{}", creator.alias));
    std::fs::create_dir_all(&folder)?;
    let browser = Browser::open().await?;
    let visitor = Visitor {
        cloud: &cloud,
        browser: &browser,
        creator: &creator,
        issuer: &issuer,
        file: folder.join("bread.mp4"),
    };
    let origins = format!("https://app.example.com,{}", allowed.origin);
    let parameters = [("OidcIssuer", issuer.url.as_str()), ("OidcAudience", AUDIENCE), ("CorsOrigins", &origins)];
    let result = deployed_with(&cloud, &parameters, async {
        visitor.ensure_published(&allowed).await?;
        visitor.ensure_blocked(&other).await
    });
    let result = Box::pin(result).await;
    browser.close().await?;
    std::fs::remove_dir_all(folder)?;
    issuer.close(&cloud).await?;
    result
}
