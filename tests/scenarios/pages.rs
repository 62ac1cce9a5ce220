//! Pages of other origins, in a real browser: those that the operator names upload
//! videos, and nobody else's do. The page is `upload.html`.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result};
use axum::Router;
use axum::response::Html;
use axum::routing::get;
use domain::identity::PostId;
use domain::post::{Post, StateName};
use jiff::SignedDuration;
use serde_json::{Value, json};
use tests::{Cloud, Creator, Dropped, Footage, Patience};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

use crate::chromium::Browser;
use crate::harness::stories;
use crate::issuer::Issuer;
use crate::stack::deployed_with;
use crate::web::client;

stories![alone: a_page_of_a_named_origin_uploads_videos_that_are_posted_and_no_other_page_can];

/// Whom tokens are for.
const AUDIENCE: &str = "dropcast";
const HOUR: SignedDuration = SignedDuration::from_hours(1);
/// What a browser says to a page that is not let in.
const TURNED_AWAY: &str = "TypeError: Failed to fetch";

/// A page of an origin of its own, until it is dropped.
struct Page {
    origin: String,
    server: AbortHandle,
}

impl Page {
    async fn open() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let origin = format!("http://{}", listener.local_addr()?);
        let router = Router::new().route("/", get(async || Html(include_str!("upload.html"))));
        let server = tokio::spawn(async move { axum::serve(listener, router).await }).abort_handle();
        Ok(Self { origin, server })
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Somebody at a browser, with a token and a video.
struct Visitor<'a> {
    cloud: &'a Cloud,
    browser: &'a Browser,
    maker: &'a Creator,
    issuer: &'a Issuer,
    file: PathBuf,
}

impl Visitor<'_> {
    /// Uploads a film on a page; tells what that says in the end.
    async fn uploads(&self, page: &Page, footage: &Footage) -> Result<String> {
        std::fs::write(&self.file, &footage.bytes)?;
        let (api, alias, token) =
            (&self.cloud.outputs().api_url, &self.maker.alias, self.issuer.token(AUDIENCE, HOUR)?);
        // The film's own name makes it another page, which is loaded anew.
        let address = format!("{}/?{}#api={api}&account={alias}&token={token}", page.origin, footage.sha256);
        self.browser.go(&address).await?;
        self.browser.choose("input", &self.file).await?;
        self.browser.text("output[class]").await
    }
}

async fn a_page_of_a_named_origin_uploads_videos_that_are_posted_and_no_other_page_can(
    cloud: Arc<Cloud>,
) -> Result<()> {
    let maker = Creator::connect(&cloud).await?;
    let (issuer, named, stranger) = (Issuer::open(&cloud).await?, Page::open().await?, Page::open().await?);
    let folder = std::env::temp_dir().join(format!("dropcast-{}", maker.alias));
    std::fs::create_dir_all(&folder)?;
    let browser = Browser::open().await?;
    let visitor =
        Visitor { cloud: &cloud, browser: &browser, maker: &maker, issuer: &issuer, file: folder.join("bread.mp4") };
    let origins = format!("https://app.example.com,{}", named.origin);
    let parameters = [("OidcIssuer", issuer.url.as_str()), ("OidcAudience", AUDIENCE), ("CorsOrigins", &origins)];
    let told = deployed_with(&cloud, &parameters, async {
        is_posted(&visitor, &named).await?;
        is_turned_away(&visitor, &stranger).await
    });
    let told = Box::pin(told).await;
    browser.close().await?;
    std::fs::remove_dir_all(folder)?;
    issuer.close(&cloud).await?;
    told
}

async fn is_posted(visitor: &Visitor<'_>, named: &Page) -> Result<()> {
    let (whole, in_parts) = (Footage::fresh()?, Footage::long(100_000_001)?);
    let mut drops = Vec::new();
    for footage in [whole, in_parts] {
        let said = visitor.uploads(named, &footage).await?;
        let post: PostId = said.parse().with_context(|| format!("the page says: {said}"))?;
        drops.push(Dropped { post, ..Dropped::at("", "", "", &footage) });
    }
    let published = |post: &Post| post.state_name() == StateName::Published;
    for dropped in &drops {
        visitor.cloud.await_post(&dropped.post, "published", Patience::seconds(200), published).await?;
    }
    visitor.maker.book().await?.ensure_published_each_once(&drops.iter().collect::<Vec<_>>())
}

/// Neither the API nor the bucket is open to a page, though whoever looks at it has a
/// token, and an address to upload to.
async fn is_turned_away(visitor: &Visitor<'_>, stranger: &Page) -> Result<()> {
    let footage = Footage::fresh()?;
    assert_eq!(visitor.uploads(stranger, &footage).await?, TURNED_AWAY);
    let wanted = json!({
        "account": visitor.maker.alias.as_str(), "file_name": "a.mp4", "content_type": "video/mp4", "bytes": 5,
    });
    let token = visitor.issuer.token(AUDIENCE, HOUR)?;
    let ask = client()?.post(format!("{}/uploads", visitor.cloud.outputs().api_url)).bearer_auth(token);
    let asked: Value = ask.json(&wanted).send().await?.json().await?;
    let put = json!({ "method": "PUT", "headers": asked["upload"]["headers"], "body": "bytes" });
    let send = format!("return fetch({}, {put}).then(() => 'sent', String)", asked["upload"]["url"]);
    assert_eq!(visitor.browser.run(&send).await?, TURNED_AWAY);
    let id: PostId = asked["post"]["id"].as_str().context("a post has an id")?.parse()?;
    assert_eq!(visitor.cloud.post(&id).await?.state_name(), StateName::Held, "nothing has come");
    Ok(())
}
