//! Functions that read a single field of TikTok's JSON.
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
/// The longest short text (an id, an error code or a privacy level), in bytes.
const MAX_SHORT_TEXT: usize = 128;
/// The longest text for people, in characters. A longer one is truncated.
const MAX_DISPLAY_TEXT: usize = 300;
/// The most short texts that are read from a list. A publish has one video id, rarely several.
const MAX_SHORT_TEXTS: usize = 64;

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

/// Returns a string of 1 to 128 bytes, or the digits of a whole number. Returns `None` for anything else.
pub(crate) fn short_text(object: &Value, key: &str) -> Option<String> {
    object.get(key).and_then(short_text_of)
}

/// Returns a whole number, sent as a number or as a string of digits.
pub(crate) fn whole_number(object: &Value, key: &str) -> Option<u64> {
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

/// Returns the short texts of a field that is a list or a single value. Other values are skipped.
pub(crate) fn short_texts(object: &Value, key: &str) -> Vec<String> {
    match object.get(key) {
        Some(Value::Array(list)) => list.iter().filter_map(short_text_of).take(MAX_SHORT_TEXTS).collect(),
        Some(single) => short_text_of(single).into_iter().collect(),
        None => Vec::new(),
    }
}

fn short_text_of(value: &Value) -> Option<String> {
    match value {
        Value::Number(number) => number.as_u64().map(|number| number.to_string()),
        Value::String(text) if (1..=MAX_SHORT_TEXT).contains(&text.len()) => Some(single_line(text, MAX_SHORT_TEXT)),
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
            assert_eq!(short_texts(&object, "id"), ["7678907398077074696"], "{shape}");
        }
    }

    #[test]
    fn value_neither_text_nor_whole_number_is_skipped() {
        for shape in ["[7.678907398077075e18]", "null", "{}", "[]", "[null, {}, -1]", "true", r#""""#] {
            let object = parse(&format!(r#"{{"id":{shape}}}"#));
            assert!(short_texts(&object, "id").is_empty(), "{shape}");
        }
    }

    #[test]
    fn returned_values_are_bounded() {
        let long = "x".repeat(900_000);
        let object = serde_json::json!({ "a": long, "b": "x\ny", "c": vec![7; 100_000] });
        assert_eq!((raw_text(&object, "a"), raw_text(&object, "b")), (None, None));
        assert_eq!(display_text(&object, "a").map(|text| text.len()), Some(MAX_DISPLAY_TEXT));
        assert_eq!(display_text(&object, "b").as_deref(), Some("x y"));
        assert_eq!((short_text(&object, "a"), short_text(&object, "b").as_deref()), (None, Some("x y")));
        assert_eq!((short_texts(&object, "a").len(), short_texts(&object, "c").len()), (0, MAX_SHORT_TEXTS));
    }

    #[test]
    fn whole_number_is_read_from_number_and_string() {
        let object = parse(r#"{"a":5,"b":"6","c":-1,"d":1.5,"e":"x","f":null}"#);
        let numbers = ["a", "b", "c", "d", "e", "f", "g"].map(|key| whole_number(&object, key));
        assert_eq!(numbers, [Some(5), Some(6), None, None, None, None, None]);
    }
}
