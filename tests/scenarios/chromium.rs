//! A real browser: Chromium, headless, driven by the `WebDriver` protocol, a handful
//! of JSON calls. <https://www.w3.org/TR/webdriver2/>

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// How long the driver has to start, and an answer to come.
const PATIENCE: Duration = Duration::from_mins(1);
/// How long a page has to be there: what is looked for is waited for.
const PAGE: Duration = Duration::from_secs(45);
/// How often the driver is started anew.
const STARTS: u32 = 5;
/// The key under which the protocol names an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A browser, and the program that drives it, which ends with this value.
pub(crate) struct Browser {
    http: Client,
    session: String,
    _driver: Child,
}

impl Browser {
    /// Opens a browser that has seen nothing yet.
    pub(crate) async fn open() -> Result<Self> {
        let variable = |name| {
            let help = "no browser: install Chromium and chromedriver, then run `make test` again";
            runtime::environment::variable(name).context(help)
        };
        let (program, driver) = (variable("DROPCAST_BROWSER")?, variable("DROPCAST_BROWSER_DRIVER")?);
        let (driver, port) = start(&driver).await?;
        let http = Client::builder().no_proxy().timeout(PATIENCE).build()?;
        // Root has no sandbox, some machines have little shared memory, and the
        // local cloud's certificate is nobody's but its own.
        let arguments = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-proxy-server"];
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "acceptInsecureCerts": true,
            "timeouts": { "implicit": u64::try_from(PAGE.as_millis())? },
            "goog:chromeOptions": { "binary": program, "args": arguments },
        } } });
        let at = format!("http://127.0.0.1:{port}/session");
        let answer = answered(http.post(&at).json(&wanted).send().await?).await?;
        let id = answer["sessionId"].as_str().context("a session has an id")?;
        Ok(Self { session: format!("{at}/{id}"), http, _driver: driver })
    }

    async fn order(&self, method: Method, path: &str, order: Value) -> Result<Value> {
        let mut request = self.http.request(method.clone(), format!("{}{path}", self.session));
        if method == Method::POST {
            request = request.json(&order);
        }
        answered(request.send().await?).await.with_context(|| format!("the browser was told {path} {order}"))
    }

    /// Opens an address, and waits until the page is there.
    pub(crate) async fn go(&self, address: &str) -> Result<()> {
        self.order(Method::POST, "/url", json!({ "url": address })).await.map(drop)
    }

    /// Clicks what a selector finds, as soon as it is there.
    pub(crate) async fn click(&self, selector: &str) -> Result<()> {
        let id = self.find(selector).await?;
        self.order(Method::POST, &format!("/element/{id}/click"), json!({})).await.map(drop)
    }

    /// What a person reads where a selector finds it, as soon as it is there.
    pub(crate) async fn text(&self, selector: &str) -> Result<String> {
        let id = self.find(selector).await?;
        let text = self.order(Method::GET, &format!("/element/{id}/text"), Value::Null).await?;
        Ok(text.as_str().context("an element has a text")?.to_owned())
    }

    async fn find(&self, selector: &str) -> Result<String> {
        let found = json!({ "using": "css selector", "value": selector });
        let found = self.order(Method::POST, "/element", found).await?;
        Ok(found[ELEMENT].as_str().context("an element has an id")?.to_owned())
    }

    /// Chooses a file where a selector finds something to choose files with.
    pub(crate) async fn choose(&self, selector: &str, file: &Path) -> Result<()> {
        let id = self.find(selector).await?;
        let path = file.to_str().context("a path is text")?;
        self.order(Method::POST, &format!("/element/{id}/value"), json!({ "text": path })).await.map(drop)
    }

    /// What a function with this body returns on the page.
    pub(crate) async fn run(&self, body: &str) -> Result<Value> {
        self.order(Method::POST, "/execute/sync", json!({ "script": body, "args": [] })).await
    }

    /// Ends the browser.
    pub(crate) async fn close(&self) -> Result<()> {
        self.order(Method::DELETE, "", Value::Null).await.map(drop)
    }
}

/// Starts the driver. It takes a port that is free in IPv4, and ends where
/// somebody has the same one in IPv6; then another is tried.
async fn start(driver: &str) -> Result<(Child, u16)> {
    let libraries = runtime::environment::variable("DROPCAST_BROWSER_LIBRARIES").unwrap_or_default();
    for _ in 0..STARTS {
        let mut command = Command::new(driver);
        command.arg("--port=0").env("LD_LIBRARY_PATH", &libraries).kill_on_drop(true);
        let mut driver = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let said = BufReader::new(driver.stdout.take().context("the driver says where it listens")?);
        let port = tokio::time::timeout(PATIENCE, port_in(said)).await.context("the driver does not start")??;
        if let Some(port) = port {
            return Ok((driver, port));
        }
    }
    bail!("the driver ended without having started, {STARTS} times")
}

/// Where the driver says that it listens; nowhere, if it ends without having said so.
async fn port_in(said: BufReader<tokio::process::ChildStdout>) -> Result<Option<u16>> {
    let mut lines = said.lines();
    while let Some(line) = lines.next_line().await? {
        if let Some(port) = line.split("started successfully on port ").nth(1) {
            return Ok(Some(port.trim().trim_end_matches('.').parse()?));
        }
    }
    Ok(None)
}

async fn answered(answer: reqwest::Response) -> Result<Value> {
    let status = answer.status();
    let mut body: Value = answer.json().await?;
    ensure!(status.is_success(), "{}: {}", body["value"]["error"], body["value"]["message"]);
    Ok(body["value"].take())
}
