//! Example responses in the `OpenAPI` document, serialized from values of the response types.

use domain::account::{Account, Scopes, TokenPair};
use domain::identity::{Alias, OpenId};
use domain::post::Post;
use domain::source::{ObjectVersion, Source};
use jiff::Timestamp;
use posting::ConnectError;
use serde_json::{Value, json};

use crate::problem::Problem;
use crate::{accounts, posts};

/// The names of the most frequent response schemas, each with an example.
pub(super) fn responses() -> [(&'static str, Value); 3] {
    let anna = Alias::new("anna").unwrap();
    let at: Timestamp = "2026-12-01T09:00:00Z".parse().unwrap();
    let source = Source {
        bucket: "dropcast-intake".to_owned(),
        key: "drop/anna/bread.mp4".to_owned(),
        version: ObjectVersion::Id("version-1".to_owned()),
    };
    let post = Post::submit(anna.clone(), source, Some(48_000_000), at);
    let scopes = Scopes::parse("user.info.basic,video.publish");
    let account = Account::new(anna.clone(), OpenId::new("open-1").unwrap(), scopes, TokenPair::forgotten(at));
    [
        ("Post", json!(posts::PostView::of(&post))),
        ("Account", json!(accounts::AccountView::of(&account))),
        ("Problem", json!(Problem::from(ConnectError::AccountNotFound(anna)))),
    ]
}
