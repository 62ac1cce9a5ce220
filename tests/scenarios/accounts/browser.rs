//! An account connection in a real browser, which enforces the policy of our pages.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use domain::account::Connection;
use harness::Cloud;

use super::chromium::Browser;
use super::consent::authorize_url;
use super::{account, new_user};
use crate::runner::scenarios;

scenarios![concurrent: real_browser_connects_an_account];

/// A script that returns the style of the page's border. It is `solid` only if the content security policy of the page
/// allows its style sheet.
const BORDER_STYLE: &str = "return getComputedStyle(document.querySelector('main')).borderTopStyle";

async fn real_browser_connects_an_account(cloud: Arc<Cloud>) -> Result<()> {
    let browser = Browser::open().await?;
    let result = connect_in(&browser, &cloud).await;
    browser.close().await?;
    result
}

async fn connect_in(browser: &Browser, cloud: &Cloud) -> Result<()> {
    let (alias, user) = new_user(cloud).await?;
    browser.go(&authorize_url(cloud, &alias).await?).await?;
    assert_eq!(browser.text("h1").await?, "An app asks to use your account");
    browser.click(&format!("input[value='{}']", user.open_id)).await?;
    browser.click("button[value='allow']").await?;
    let page = browser.text("main.good").await?;
    for words in ["Connected", &alias, &user.nickname, &user.username, "You can close this page."] {
        ensure!(page.contains(words), "{words} is not on the page:\n{page}");
    }
    assert_eq!(browser.run(BORDER_STYLE).await?, "solid", "the page's policy allows its style");
    let account = account(cloud, &alias).await?.context("the account exists")?;
    assert_eq!(account.connection, Connection::Connected);
    // The same user denies the next request.
    browser.go(&authorize_url(cloud, &alias).await?).await?;
    browser.click(&format!("input[value='{}']", user.open_id)).await?;
    browser.click("button[value='deny']").await?;
    let page = browser.text("main.bad").await?;
    ensure!(page.contains("Not connected") && page.contains("authorization_denied"), "{page}");
    Ok(())
}
