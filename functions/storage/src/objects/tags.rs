//! The tags that tell a person with the S3 console what became of a file.
//!
//! S3 replaces an object's tags as a whole, so others' are read and written
//! back. An object has ten at most, of a limited alphabet.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html>

use aws_sdk_s3::Client;
use aws_sdk_s3::types::{Tag, Tagging};
use domain::source::Source;

use super::error::{ObjectError, ObjectPath};
use super::pins;
use crate::aws::AwsError;

const MOST_TAGS: usize = 10;
const LONGEST_KEY: usize = 128;
const LONGEST_VALUE: usize = 256;
const TO_READ_TAGS: &str = "s3:GetObjectTagging and s3:GetObjectVersionTagging";
const TO_TAG: &str = "s3:PutObjectTagging and s3:PutObjectVersionTagging";

/// Adds tags to the version's own; asks S3 for no change where there is none.
pub(super) async fn add(client: &Client, source: &Source, tags: &[(&str, &str)]) -> Result<(), ObjectError> {
    let place = ObjectPath::of(source);
    let (version_id, _) = pins(source);
    let get = client.get_object_tagging().bucket(&source.bucket).key(&source.key);
    let answer = get.set_version_id(version_id.clone()).send().await;
    let answer = answer.map_err(|error| place.error(TO_READ_TAGS, AwsError::of("S3 GetObjectTagging", &error)))?;
    let there: Vec<_> = answer.tag_set.into_iter().map(|Tag { key, value, .. }| (key, value)).collect();
    let merged = merge(there.clone(), tags);
    if merged == there {
        return Ok(());
    }
    let tagging = tagging_of(merged).map_err(|why| place.broken("S3 PutObjectTagging", why))?;
    let put = client.put_object_tagging().bucket(&source.bucket).key(&source.key);
    let put = put.set_version_id(version_id).tagging(tagging).send().await;
    put.map(|_| ()).map_err(|error| place.error(TO_TAG, AwsError::of("S3 PutObjectTagging", &error)))
}

type Pair = (String, String);

/// Replaces tags of the same key, and appends others while there is room:
/// somebody else's tags are never dropped for ours.
fn merge(there: Vec<Pair>, ours: &[(&str, &str)]) -> Vec<Pair> {
    let mut merged = there;
    for (key, value) in ours {
        let (key, value) = (valid(key, LONGEST_KEY), valid(value, LONGEST_VALUE));
        if let Some((_, there)) = merged.iter_mut().find(|(k, _)| *k == key) {
            *there = value;
        } else if merged.len() < MOST_TAGS {
            merged.push((key, value));
        }
    }
    merged
}

/// Makes a text of letters, digits, spaces and `+-=._:/@`, cut to a length.
fn valid(text: &str, longest: usize) -> String {
    let allowed = |c: char| c.is_alphanumeric() || " +-=._:/@".contains(c);
    let text: String = text.chars().take(longest).map(|c| if allowed(c) { c } else { '_' }).collect();
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
    fn others_tags_stay_and_ours_are_replaced() {
        let there = pairs(&[("team", "video"), ("dropcast:state", "queued")]);
        let merged = merge(there, &[("dropcast:post", "abc"), ("dropcast:state", "published")]);
        assert_eq!(merged, pairs(&[("team", "video"), ("dropcast:state", "published"), ("dropcast:post", "abc")]));
    }

    #[test]
    fn where_ten_tags_are_others_ours_find_no_room() {
        let there: Vec<_> = (0..10).map(|n| (format!("k{n}"), String::new())).collect();
        assert_eq!(merge(there.clone(), &[("dropcast:post", "abc")]), there);
    }

    #[test]
    fn what_a_tag_cannot_hold_is_replaced() {
        assert_eq!(valid("état: échec (403) #1", 256), "état: échec _403_ _1");
    }

    proptest! {
        #[test]
        fn a_tags_text_is_valid_whatever_it_was(text in any::<String>(), longest in 1..256usize) {
            let valid = valid(&text, longest);
            prop_assert!(valid.chars().count() <= longest);
            prop_assert!(valid.chars().all(|c| c.is_alphanumeric() || " +-=._:/@".contains(c)));
        }
    }
}
