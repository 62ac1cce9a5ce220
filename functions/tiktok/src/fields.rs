//! Reads single fields of TikTok's JSON.
//!
//! TikTok does not always send the type that its pages state, so numbers are also read from strings. No number is read
//! as a float: an id has 19 digits and a float keeps 16.
//!
//! Every function except [`text`] bounds what it returns. A response may have 1 MiB, but an item of a DynamoDB table
//! at most 400 KB.

use domain::failure::single_line;
use serde_json::Value;

/// The longest text that is kept unchanged, in bytes: the most that KMS encrypts in one call. The longest documented
/// text, an upload URL, has 256 bytes.
const MAX_RAW_TEXT: usize = 4096;
/// The longest id, error code or privacy level, in bytes.
const MAX_ID: usize = 128;
/// The longest text for people, in characters. A longer one is truncated.
const MAX_DISPLAY_TEXT: usize = 300;
/// The most ids that are read from a list. A publish has one video id, rarely several.
const MAX_IDS: usize = 64;

/// Returns a string that is not empty, of any length and with any characters. The caller must bound it.
pub(crate) fn text(object: &Value, key: &str) -> Option<String> {
    match object.get(key)? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        _ => None,
    }
}

/// Returns a string that is used unchanged, such as a token or a URL. Returns `None` if it is too long or contains
/// control characters: a truncated token or URL is worthless.
pub(crate) fn raw_text(object: &Value, key: &str) -> Option<String> {
    text(object, key).filter(|text| text.len() <= MAX_RAW_TEXT && !text.chars().any(char::is_control))
}

/// Returns a string for people and logs, such as a name or a status, on one line and truncated if it is too long.
pub(crate) fn display_text(object: &Value, key: &str) -> Option<String> {
    text(object, key).map(|text| single_line(&text, MAX_DISPLAY_TEXT))
}

/// Returns a string of at most 128 bytes, or the digits of a whole number.
pub(crate) fn text_or_digits(object: &Value, key: &str) -> Option<String> {
    object.get(key).and_then(digits_or_text)
}

/// Returns a whole number, sent as a number or as a string of digits.
pub(crate) fn count(object: &Value, key: &str) -> Option<u64> {
    match object.get(key)? {
        Value::Number(number) => number.as_u64(),
        Value::String(digits) => digits.parse().ok(),
        _ => None,
    }
}

/// Returns a boolean; `false` if the field is absent or not a boolean.
pub(crate) fn flag(object: &Value, key: &str) -> bool {
    object.get(key).and_then(Value::as_bool).unwrap_or(false)
}

/// Returns one or several ids, sent as numbers or strings, alone or in a list.
pub(crate) fn ids(object: &Value, key: &str) -> Vec<String> {
    match object.get(key) {
        Some(Value::Array(list)) => list.iter().filter_map(digits_or_text).take(MAX_IDS).collect(),
        Some(single) => digits_or_text(single).into_iter().collect(),
        None => Vec::new(),
    }
}

fn digits_or_text(value: &Value) -> Option<String> {
    match value {
        Value::Number(number) => number.as_u64().map(|number| number.to_string()),
        Value::String(text) if (1..=MAX_ID).contains(&text.len()) => Some(single_line(text, MAX_ID)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Value {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn id_keeps_all_digits_in_every_shape() {
        for shape in
            ["[7678907398077074696]", "7678907398077074696", r#"["7678907398077074696"]"#, r#""7678907398077074696""#]
        {
            let object = parse(&format!(r#"{{"id":{shape}}}"#));
            assert_eq!(ids(&object, "id"), ["7678907398077074696"], "{shape}");
        }
    }

    #[test]
    fn value_that_is_not_a_whole_number_is_no_id() {
        for shape in ["[7.678907398077075e18]", "null", "{}", "[]", "[null, {}, -1]", "true", r#""""#] {
            let object = parse(&format!(r#"{{"id":{shape}}}"#));
            assert!(ids(&object, "id").is_empty(), "{shape}");
        }
    }

    #[test]
    fn returned_values_are_bounded() {
        let long = "x".repeat(900_000);
        let object = serde_json::json!({ "a": long, "b": "x\ny", "c": vec![7; 100_000] });
        assert_eq!((raw_text(&object, "a"), raw_text(&object, "b")), (None, None));
        assert_eq!(display_text(&object, "a").map(|text| text.len()), Some(MAX_DISPLAY_TEXT));
        assert_eq!(display_text(&object, "b").as_deref(), Some("x y"));
        assert_eq!((text_or_digits(&object, "a"), text_or_digits(&object, "b").as_deref()), (None, Some("x y")));
        assert_eq!((ids(&object, "a").len(), ids(&object, "c").len()), (0, MAX_IDS));
    }

    #[test]
    fn count_is_read_from_number_and_string() {
        let object = parse(r#"{"a":5,"b":"6","c":-1,"d":1.5,"e":"x","f":null}"#);
        let counts = ["a", "b", "c", "d", "e", "f", "g"].map(|key| count(&object, key));
        assert_eq!(counts, [Some(5), Some(6), None, None, None, None, None]);
    }
}
