//! Asks TikTok for the names of a user who has just authorized the app.

use std::time::Duration;

use domain::failure::error_chain;
use tiktok::{TikTok, TokenResponse};

/// The longest time that TikTok has to answer: an account is connected without its names too.
const TIMEOUT: Duration = Duration::from_secs(6);

/// The user's names, as far as they are known.
#[derive(Default)]
pub(super) struct Names {
    pub(super) username: Option<String>,
    pub(super) display_name: Option<String>,
}

/// Asks for the names, within the timeout and the time that is `left`.
pub(super) async fn fetch_names(tiktok: &TikTok, grant: &TokenResponse, left: Duration) -> Names {
    tokio::time::timeout(TIMEOUT.min(left), ask(tiktok, grant)).await.unwrap_or_else(|_| {
        tracing::warn!(user.open_id = %grant.open_id, "TikTok did not return the user's names in time");
        Names::default()
    })
}

/// Asks for the user. If the answer lacks the user name, and the scopes allow it, asks for the creator too.
async fn ask(tiktok: &TikTok, grant: &TokenResponse) -> Names {
    let mut names = Names::default();
    match tiktok.user(&grant.access, &grant.scopes).await {
        Ok(user) => names = Names { username: user.username, display_name: user.display_name },
        Err(error) => tracing::warn!(error = error_chain(&error), "TikTok did not return the user"),
    }
    if names.username.is_some() || !grant.scopes.allow("video.publish") {
        return names;
    }
    match tiktok.creator(&grant.access).await {
        Ok(creator) => Names {
            username: Some(creator.username).filter(|name| !name.is_empty()),
            display_name: names.display_name.or(Some(creator.nickname).filter(|name| !name.is_empty())),
        },
        Err(error) => {
            tracing::warn!(error = error_chain(&error), "TikTok did not return the creator");
            names
        }
    }
}
