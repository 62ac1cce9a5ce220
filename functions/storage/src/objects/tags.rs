//! The tags of an object, which show a person in the S3 console the state of the object's post.
//!
//! S3 only replaces all tags of an object at once, so the existing tags are read first and written back. An object
//! has at most ten tags, of a limited alphabet.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html>

use aws_sdk_s3::Client;
use aws_sdk_s3::types::{Tag, Tagging};
use domain::post::StateName;
use domain::source::Source;

use super::error::{ObjectError, ObjectPath};
use super::pins;

/// The prefix of our own tags.
const OWN: &str = "dropcast:";
const MAX_TAGS: usize = 10;
const MAX_KEY_CHARS: usize = 128;
const MAX_VALUE_CHARS: usize = 256;
const GET: &str = "S3 GetObjectTagging";
const PUT: &str = "S3 PutObjectTagging";
const GET_PERMISSIONS: &str = "s3:GetObjectTagging and s3:GetObjectVersionTagging";
const PUT_PERMISSIONS: &str = "s3:PutObjectTagging and s3:PutObjectVersionTagging";

/// The tag with the id of an object's post.
const POST: &str = "dropcast:post";
/// The tag with the state of an object's post. The bucket's lifecycle rules (`template.yaml`) delete by it.
const STATE: &str = "dropcast:state";

/// Adds tags to those of the version, and removes our tags that are not among them. Sends no change if the version has
/// these tags already, or if the tags of another post must stay ([`protects_another_post`]).
pub(super) async fn add(client: &Client, source: &Source, tags: &[(&str, &str)]) -> Result<(), ObjectError> {
    let path = ObjectPath::of(source);
    let (version_id, _) = pins(source);
    let existing = read(client, source).await?;
    let merged = merge(existing.clone(), tags);
    if merged == existing || protects_another_post(&existing, tags) {
        return Ok(());
    }
    let tagging = tagging_of(merged).map_err(|why| path.unavailable(PUT, why))?;
    let put = client.put_object_tagging().bucket(&source.bucket).key(&source.key);
    let put = put.set_version_id(version_id).tagging(tagging).send().await;
    put.map(|_| ()).map_err(|error| path.error(PUT, PUT_PERMISSIONS, &error))
}

/// Reads the value of one tag of the version.
pub(super) async fn value(client: &Client, source: &Source, key: &str) -> Result<Option<String>, ObjectError> {
    let tags = read(client, source).await?;
    Ok(tags.into_iter().find(|(name, _)| name == key).map(|(_, value)| value))
}

/// Reads all tags of the version.
async fn read(client: &Client, source: &Source) -> Result<Vec<Pair>, ObjectError> {
    let (version_id, _) = pins(source);
    let get = client.get_object_tagging().bucket(&source.bucket).key(&source.key);
    let response = get.set_version_id(version_id).send().await;
    let response = response.map_err(|error| ObjectPath::of(source).error(GET, GET_PERMISSIONS, &error))?;
    Ok(response.tag_set.into_iter().map(|Tag { key, value, .. }| (key, value)).collect())
}

type Pair = (String, String);

/// Whether the version's tags name another post that is not finished, and the new tags name a finished one. A request can
/// make several posts of one version. The bucket deletes a version whose tags state a final state, so the state of an
/// unfinished post, which still needs the version, takes precedence.
fn protects_another_post(existing: &[Pair], new: &[(&str, &str)]) -> bool {
    let old = |name| existing.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let new = |name| new.iter().find(|(key, _)| *key == name).map(|(_, value)| *value);
    let is_unfinished = |state: Option<&str>| state.and_then(StateName::parse).is_some_and(|state| !state.is_final());
    old(POST).is_some() && old(POST) != new(POST) && is_unfinished(old(STATE)) && !is_unfinished(new(STATE))
}

/// Replaces our tags: removes those that are not new, because they are about an earlier state. Appends tags while there
/// is room. Tags of other programs are never removed.
fn merge(existing: Vec<Pair>, new: &[(&str, &str)]) -> Vec<Pair> {
    let mut merged = existing;
    merged.retain(|(key, _)| !key.starts_with(OWN) || new.iter().any(|(new, _)| new == key));
    for (key, value) in new {
        let (key, value) = (sanitized(key, MAX_KEY_CHARS), sanitized(value, MAX_VALUE_CHARS));
        if let Some((_, existing)) = merged.iter_mut().find(|(k, _)| *k == key) {
            *existing = value;
        } else if merged.len() < MAX_TAGS {
            merged.push((key, value));
        }
    }
    merged
}

/// Cuts a text to a number of characters, and replaces all characters except letters, digits, spaces and `+-=._:/@`
/// by `_`.
fn sanitized(text: &str, max_chars: usize) -> String {
    let is_allowed = |c: char| c.is_alphanumeric() || " +-=._:/@".contains(c);
    let text: String = text.chars().take(max_chars).map(|c| if is_allowed(c) { c } else { '_' }).collect();
    text.trim().to_owned()
}

fn tagging_of(pairs: Vec<Pair>) -> Result<Tagging, String> {
    let tags = pairs.into_iter().map(|(key, value)| Tag::builder().key(key).value(value).build());
    let tags = tags.collect::<Result<_, _>>().map_err(|error| error.to_string())?;
    Tagging::builder().set_tag_set(Some(tags)).build().map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pairs(pairs: &[(&str, &str)]) -> Vec<Pair> {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn other_tags_stay_and_own_tags_are_replaced() {
        let existing = pairs(&[("team", "video"), ("dropcast:state", "queued")]);
        let merged = merge(existing, &[("dropcast:post", "abc"), ("dropcast:state", "published")]);
        assert_eq!(merged, pairs(&[("team", "video"), ("dropcast:state", "published"), ("dropcast:post", "abc")]));
    }

    #[test]
    fn final_state_does_not_replace_unfinished_state_of_another_post() {
        let tags_of = |post: &str, state: &str| pairs(&[("dropcast:post", post), ("dropcast:state", state)]);
        for (old, new, protects) in [
            (("a", "scheduled"), ("b", "published"), true),
            (("a", "held"), ("b", "failed"), true),
            (("a", "scheduled"), ("a", "published"), false),
            (("a", "published"), ("b", "queued"), false),
            (("a", "scheduled"), ("b", "queued"), false),
            (("a", "published"), ("b", "delivered"), false),
        ] {
            let new = [("dropcast:post", new.0), ("dropcast:state", new.1)];
            assert_eq!(protects_another_post(&tags_of(old.0, old.1), &new), protects, "{old:?} {new:?}");
        }
        let ignored = [("dropcast:state", "ignored")];
        assert!(protects_another_post(&tags_of("a", "queued"), &ignored));
        assert!(!protects_another_post(&[], &ignored));
    }

    #[test]
    fn own_tag_of_earlier_state_is_removed() {
        let existing = pairs(&[("dropcast:state", "ignored"), ("dropcast:reason", "no video"), ("team", "video")]);
        let merged = merge(existing, &[("dropcast:post", "abc"), ("dropcast:state", "queued")]);
        assert_eq!(merged, pairs(&[("dropcast:state", "queued"), ("team", "video"), ("dropcast:post", "abc")]));
    }

    #[test]
    fn ten_other_tags_leave_no_room() {
        let existing: Vec<_> = (0..10).map(|n| (format!("k{n}"), String::new())).collect();
        assert_eq!(merge(existing.clone(), &[("dropcast:post", "abc")]), existing);
    }

    #[test]
    fn invalid_characters_are_replaced() {
        assert_eq!(sanitized("état: échec (403) #1", 256), "état: échec _403_ _1");
    }

    proptest! {
        #[test]
        fn any_text_becomes_a_valid_tag(text in any::<String>(), max_chars in 1..256usize) {
            let valid = sanitized(&text, max_chars);
            prop_assert!(valid.chars().count() <= max_chars);
            prop_assert!(valid.chars().all(|c| c.is_alphanumeric() || " +-=._:/@".contains(c)));
        }
    }
}
