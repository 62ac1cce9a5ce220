//! A real browser connects an account.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use domain::account::Connection;
use domain::identity::Alias;
use tests::Cloud;

use crate::chromium::Browser;
use crate::connect::somebody;
use crate::harness::stories;
use crate::web::ask;

stories![among: a_person_with_a_real_browser_connects_an_account];

/// The style that counts, which it does only where the page's policy allows it.
const STYLE: &str = "return getComputedStyle(document.querySelector('main')).borderTopStyle";

async fn a_person_with_a_real_browser_connects_an_account(cloud: Arc<Cloud>) -> Result<()> {
    let browser = Browser::open().await?;
    let told = connects(&cloud, &browser).await;
    browser.close().await?;
    told
}

async fn connects(cloud: &Cloud, browser: &Browser) -> Result<()> {
    let (alias, user) = somebody(cloud).await?;
    browser.go(&ask(cloud, &alias).await?).await?;
    assert_eq!(browser.text("h1").await?, "An app asks to use your account");
    browser.click(&format!("input[value='{}']", user.open_id)).await?;
    browser.click("button[value='allow']").await?;
    let page = browser.text("main.good").await?;
    for said in ["Connected", &alias, &user.nickname, &user.username, "You can close this page."] {
        ensure!(page.contains(said), "{said} is not on the page:\n{page}");
    }
    assert_eq!(browser.run(STYLE).await?, "solid", "the page's own policy allows its style");
    let account = cloud.accounts.get(&Alias::new(&alias)?).await?.context("the account is there")?;
    assert_eq!(account.connection, Connection::Connected);
    // The same person thinks better of it the next time.
    browser.go(&ask(cloud, &alias).await?).await?;
    browser.click(&format!("input[value='{}']", user.open_id)).await?;
    browser.click("button[value='deny']").await?;
    let page = browser.text("main.bad").await?;
    ensure!(page.contains("Not connected") && page.contains("authorization_denied"), "{page}");
    Ok(())
}
