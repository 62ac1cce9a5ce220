//! A headless Chromium, controlled through chromedriver with the `WebDriver` protocol:
//! <https://www.w3.org/TR/webdriver2/>

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};

use crate::aws_cli::text;

/// The timeout of the driver's start, and of each of its responses.
const DRIVER_TIMEOUT: Duration = Duration::from_mins(1);
/// How long the driver waits for an element.
const ELEMENT_TIMEOUT: Duration = Duration::from_secs(45);
/// How often the driver is started at most.
const MAX_STARTS: u32 = 5;
/// The JSON key of an element's id, a constant of the `WebDriver` protocol.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A browser and its driver, which ends when this is dropped.
pub(crate) struct Browser {
    http: Client,
    session: String,
    _driver: Child,
}

impl Browser {
    /// Opens a browser with a new profile.
    pub(crate) async fn open() -> Result<Self> {
        let variable = |name| {
            let help = "no browser: install Chromium and chromedriver, then run `make test` again";
            runtime::environment::variable(name).context(help)
        };
        let (program, driver) = (variable("DROPCAST_BROWSER")?, variable("DROPCAST_BROWSER_DRIVER")?);
        let (driver, port) = start(&driver).await?;
        let http = Client::builder().no_proxy().timeout(DRIVER_TIMEOUT).build()?;
        // Chromium's sandbox does not work for root, some machines have little shared memory, and only the local cloud
        // knows its own certificate.
        let arguments = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-proxy-server"];
        let capabilities = json!({ "capabilities": { "alwaysMatch": {
            "acceptInsecureCerts": true,
            "timeouts": { "implicit": u64::try_from(ELEMENT_TIMEOUT.as_millis())? },
            "goog:chromeOptions": { "binary": program, "args": arguments },
        } } });
        let url = format!("http://127.0.0.1:{port}/session");
        let answer = value_of(http.post(&url).json(&capabilities).send().await?).await?;
        Ok(Self { session: format!("{url}/{}", text(&answer, "sessionId")?), http, _driver: driver })
    }

    async fn command(&self, method: Method, path: &str, body: Value) -> Result<Value> {
        let mut request = self.http.request(method.clone(), format!("{}{path}", self.session));
        if method == Method::POST {
            request = request.json(&body);
        }
        value_of(request.send().await?).await.with_context(|| format!("the browser's command {path} {body}"))
    }

    /// Opens a URL, and waits until the page is loaded.
    pub(crate) async fn go(&self, url: &str) -> Result<()> {
        self.command(Method::POST, "/url", json!({ "url": url })).await.map(drop)
    }

    /// Waits for the element of a CSS selector, and clicks it.
    pub(crate) async fn click(&self, selector: &str) -> Result<()> {
        let id = self.find(selector).await?;
        self.command(Method::POST, &format!("/element/{id}/click"), json!({})).await.map(drop)
    }

    /// Waits for the element of a CSS selector, and returns its visible text.
    pub(crate) async fn text(&self, selector: &str) -> Result<String> {
        let id = self.find(selector).await?;
        let text = self.command(Method::GET, &format!("/element/{id}/text"), Value::Null).await?;
        Ok(text.as_str().context("an element has a text")?.to_owned())
    }

    async fn find(&self, selector: &str) -> Result<String> {
        let query = json!({ "using": "css selector", "value": selector });
        let found = self.command(Method::POST, "/element", query).await?;
        Ok(text(&found, ELEMENT)?.to_owned())
    }

    /// Waits for the file input of a CSS selector, and chooses a file.
    pub(crate) async fn choose(&self, selector: &str, file: &Path) -> Result<()> {
        let id = self.find(selector).await?;
        let path = file.to_str().context("a path is text")?;
        self.command(Method::POST, &format!("/element/{id}/value"), json!({ "text": path })).await.map(drop)
    }

    /// Runs a function with this body on the page, and returns its result.
    pub(crate) async fn run(&self, body: &str) -> Result<Value> {
        self.command(Method::POST, "/execute/sync", json!({ "script": body, "args": [] })).await
    }

    /// Closes the browser.
    pub(crate) async fn close(&self) -> Result<()> {
        self.command(Method::DELETE, "", Value::Null).await.map(drop)
    }
}

/// Starts the driver, and returns its port. The driver chooses a port that is free in IPv4, and ends if the same port
/// is in use in IPv6; then it is started again.
async fn start(driver: &str) -> Result<(Child, u16)> {
    let libraries = runtime::environment::variable("DROPCAST_BROWSER_LIBRARIES").unwrap_or_default();
    for _ in 0..MAX_STARTS {
        let mut command = Command::new(driver);
        command.arg("--port=0").env("LD_LIBRARY_PATH", &libraries).kill_on_drop(true);
        let mut driver = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let output = BufReader::new(driver.stdout.take().context("the driver has an output")?);
        let port =
            tokio::time::timeout(DRIVER_TIMEOUT, port_in(output)).await.context("the driver does not start")??;
        if let Some(port) = port {
            return Ok((driver, port));
        }
    }
    bail!("the driver ended during its start, {MAX_STARTS} times")
}

/// The port in the driver's output; none if the driver ends first.
async fn port_in(output: BufReader<ChildStdout>) -> Result<Option<u16>> {
    let mut lines = output.lines();
    while let Some(line) = lines.next_line().await? {
        if let Some(port) = line.split("started successfully on port ").nth(1) {
            return Ok(Some(port.trim().trim_end_matches('.').parse()?));
        }
    }
    Ok(None)
}

async fn value_of(answer: reqwest::Response) -> Result<Value> {
    let status = answer.status();
    let mut body: Value = answer.json().await?;
    ensure!(status.is_success(), "{}: {}", body["value"]["error"], body["value"]["message"]);
    Ok(body["value"].take())
}
