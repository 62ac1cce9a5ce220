//! The links of a published post.

use domain::account::Account;
use domain::post::{Post, PostState};
use domain::report::Links;
use jiff::Timestamp;

/// The scope that TikTok requires for a video's cover URL.
pub(crate) const COVER_SCOPE: &str = "video.list";

/// Adds links to a published post: those that TikTok returned (`found`), and the share URL, which is made of the first
/// video's id and the account's user name. If the account lacks [`COVER_SCOPE`], no further link can be found, and the
/// post is no longer due.
///
/// Other posts are returned unchanged.
pub(crate) fn with_links(post: Post, account: Option<&Account>, found: Links, now: Timestamp) -> Post {
    let PostState::Published { video_ids, .. } = &post.state else { return post };
    let username = account.and_then(|account| account.username.as_ref());
    let derived = username.zip(video_ids.first()).map(|(name, id)| Links::of_video(name, id));
    let linked = post.clone().linked(found.or(derived.unwrap_or_default()), now).unwrap_or(post);
    match account {
        Some(account) if !account.scopes.allow(COVER_SCOPE) => linked.finalize(),
        _ => linked,
    }
}
