//! What can be asked of posts, and for them.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use super::{Route, Schemas};
use crate::contract::mirrors::{Options, PostRequest, State, UploadRequest};
use crate::posts::{CreatedUploadView, PostView as Post};

#[derive(Serialize, JsonSchema)]
struct Posts {
    /// The newest first; there may be none, and more behind.
    posts: Vec<Post>,
    /// What the next request's `cursor` is to be; null where this is the last page.
    next_cursor: Option<String>,
}

/// The routes of posts, and of their uploads.
pub(super) fn posts(schemas: &mut Schemas) -> Value {
    let alias = json!({ "type": "string", "minLength": 1, "maxLength": 128, "example": "anna" });
    let time = |example: &str| json!({ "type": "string", "format": "date-time", "example": example });
    let state = schemas.answered::<State>();
    let about = ("List posts", "The newest first. Every part of the query may be left out.");
    let list = Route::closed(schemas, "list_posts", "posts", about)
        .with("account", "query", "Of this account", &alias)
        .with("state", "query", "In this state", &state)
        .with("since", "query", "Submitted at this time or later", &time("2026-12-01T00:00:00Z"))
        .with("before", "query", "Submitted before this time", &time("2026-12-24T17:00:00Z"))
        .with(
            "limit",
            "query",
            "At most so many",
            &json!({ "type": "integer", "minimum": 1, "maximum": 100, "default": 20 }),
        )
        .with(
            "cursor",
            "query",
            "What the page before named as its next_cursor",
            &json!({ "type": "string", "maxLength": 128 }),
        )
        .problem(400, "The query cannot be read")
        .answer::<Posts>(200, "A page of posts, without their histories")
        .done();
    let about = (
        "Post an object that is in the bucket",
        "A version of an object is one post; under an Idempotency-Key it is one for each key. The same request is answered \
         the same.",
    );
    let ask = Route::closed(schemas, "create_post", "posts", about)
        .named()
        .saying::<PostRequest>()
        .answer::<Post>(201, "The post")
        .telling(201, "Location", "The post's path")
        .problem(409, "This version is a post already: post_exists")
        .problem(422, "No post can be made of it, or the key is another request's: idempotency_key_reused")
        .done();
    let about =
        ("Show a post", "Where it stands, how far it is, what it waits for, what became of it, and what happened.");
    let one = Route::closed(schemas, "show_post", "posts", about).of_post().answer::<Post>(200, "The post").done();
    let about = (
        "Say otherwise how a post goes out",
        "As a merge patch (RFC 7396), until TikTok hears of it, and of one that has failed before it is tried again. An \
         approval given before is taken back.",
    );
    let reword = Route::closed(schemas, "reword_post", "posts", about)
        .of_post()
        .saying::<Options>()
        .answer::<Post>(200, "The post as it is now")
        .problem(409, "It is past that: upload_under_way, post_ended")
        .done();
    json!({ "/posts": { "get": list, "post": ask }, "/posts/{id}": { "get": one, "patch": reword } })
}

pub(super) fn wishes(schemas: &mut Schemas) -> Value {
    let mut wish = |id: &str, about: (&str, &str), refused: &str| {
        let route = Route::closed(schemas, id, "posts", about).of_post();
        route.answer::<Post>(200, "The post as it is now").problem(409, refused).done()
    };
    let about = ("Approve of a post", "It goes out that is held for its review. To approve twice is no fault.");
    let approve = wish("approve_post", about, "It does not wait for an approval: not_for_review");
    let about = (
        "Stop a post",
        "For good, until its last chunk may have left: then TikTok decides, who cancels nothing that was uploaded. To cancel \
         twice is no fault.",
    );
    let cancel = wish("cancel_post", about, "It is past that: may_be_posted, post_ended");
    let about = ("Try a post again", "As the same post, where it has failed and cannot have been posted.");
    let retry = wish("retry_post", about, "It cannot be: not_failed, outcome_unknown, upload_missing");
    json!({
        "/posts/{id}/approve": { "post": approve },
        "/posts/{id}/cancel": { "post": cancel },
        "/posts/{id}/retry": { "post": retry },
    })
}

pub(super) fn uploads(schemas: &mut Schemas) -> Value {
    let about = (
        "Ask for an address to upload a video to",
        "The post exists at once and is held for its bytes; when they are there, it goes out. The address is signed for this \
         length and media type: send both as the answer says. Above 100,000,000 bytes there is an address for each part, and \
         the upload is completed afterwards. The same request under the same Idempotency-Key is the same post at the same \
         addresses, signed anew, which end when the first did.",
    );
    let ask = Route::closed(schemas, "create_upload", "posts", about)
        .named()
        .saying::<UploadRequest>()
        .answer::<CreatedUploadView>(201, "The post, and where its video goes")
        .telling(201, "Location", "The post's path")
        .problem(422, "No post can be made of it, or the key is another request's: idempotency_key_reused")
        .done();
    let about =
        ("Complete an upload in parts", "Where all parts are there as they should be. To complete twice is no fault.");
    let complete = Route::closed(schemas, "complete_upload", "posts", about)
        .of_post()
        .answer::<Post>(202, "The post; its bytes arrive in a moment")
        .problem(409, "It cannot be: parts_missing, not_multipart")
        .done();
    json!({ "/uploads": { "post": ask }, "/uploads/{id}/complete": { "post": complete } })
}
