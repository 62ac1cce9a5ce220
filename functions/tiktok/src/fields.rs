//! Measurement single fields of TikTok's JSON, which is not always of the type that
//! the documentation states.
//!
//! No number goes through a float: an id has 19 digits, a float keeps 16. And an
//! answer may have a mebibyte, an item of a table 400 KB: what is kept of an
//! answer is bounded here.

use domain::failure::single_line;
use serde_json::Value;

/// The most that a text may have that is kept as it is, in bytes: what KMS seals
/// at once. The longest that is documented, an upload URL, has 256.
const LONGEST_TEXT: usize = 4096;
/// The most that an id or a code may have, in bytes.
const LONGEST_WORD: usize = 128;
/// How much is kept of words, in characters.
const LONGEST_WORDS: usize = 300;
/// How many ids are kept of a list. A publish has one, and seldom some.
const MOST_IDS: usize = 64;

/// A text that is not empty, of any length and in any characters.
pub(crate) fn text(object: &Value, key: &str) -> Option<String> {
    match object.get(key)? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        _ => None,
    }
}

/// A text that is kept and used as it is, such as a token or a URL; none where it
/// is too long for that, or has characters that such a text cannot have.
pub(crate) fn exact(object: &Value, key: &str) -> Option<String> {
    text(object, key).filter(|text| text.len() <= LONGEST_TEXT && !text.chars().any(char::is_control))
}

/// A text for people and logs, such as a name or a status: in one line, and cut
/// where it is too long.
pub(crate) fn words(object: &Value, key: &str) -> Option<String> {
    text(object, key).map(|text| single_line(&text, LONGEST_WORDS))
}

/// A text, or a whole number in its digits.
pub(crate) fn text_or_digits(object: &Value, key: &str) -> Option<String> {
    object.get(key).and_then(digits_or_text)
}

/// A count, stated as a number or as its digits.
pub(crate) fn count(object: &Value, key: &str) -> Option<u64> {
    match object.get(key)? {
        Value::Number(number) => number.as_u64(),
        Value::String(digits) => digits.parse().ok(),
        _ => None,
    }
}

/// A switch; absent or strange, it is off.
pub(crate) fn is_on(object: &Value, key: &str) -> bool {
    object.get(key).and_then(Value::as_bool).unwrap_or(false)
}

/// One or several ids, stated as numbers or texts, alone or in a list.
pub(crate) fn ids(object: &Value, key: &str) -> Vec<String> {
    match object.get(key) {
        Some(Value::Array(several)) => several.iter().filter_map(digits_or_text).take(MOST_IDS).collect(),
        Some(one) => digits_or_text(one).into_iter().collect(),
        None => Vec::new(),
    }
}

fn digits_or_text(value: &Value) -> Option<String> {
    match value {
        Value::Number(number) => number.as_u64().map(|number| number.to_string()),
        Value::String(text) if (1..=LONGEST_WORD).contains(&text.len()) => Some(single_line(text, LONGEST_WORD)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Value {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn an_id_keeps_all_its_digits_in_every_shape() {
        for shape in
            ["[7678907398077074696]", "7678907398077074696", r#"["7678907398077074696"]"#, r#""7678907398077074696""#]
        {
            let object = read(&format!(r#"{{"id":{shape}}}"#));
            assert_eq!(ids(&object, "id"), ["7678907398077074696"], "{shape}");
        }
    }

    #[test]
    fn what_is_no_whole_number_is_no_id() {
        for shape in ["[7.678907398077075e18]", "null", "{}", "[]", "[null, {}, -1]", "true", r#""""#] {
            let object = read(&format!(r#"{{"id":{shape}}}"#));
            assert!(ids(&object, "id").is_empty(), "{shape}");
        }
    }

    #[test]
    fn what_is_kept_of_an_answer_is_bounded() {
        let long = "x".repeat(900_000);
        let object = serde_json::json!({ "a": long, "b": "x\ny", "c": vec![7; 100_000] });
        assert_eq!((exact(&object, "a"), exact(&object, "b")), (None, None));
        assert_eq!(words(&object, "a").map(|words| words.len()), Some(LONGEST_WORDS));
        assert_eq!(words(&object, "b").as_deref(), Some("x y"));
        assert_eq!((text_or_digits(&object, "a"), text_or_digits(&object, "b").as_deref()), (None, Some("x y")));
        assert_eq!((ids(&object, "a").len(), ids(&object, "c").len()), (0, MOST_IDS));
    }

    #[test]
    fn a_count_is_read_from_number_and_text() {
        let object = read(r#"{"a":5,"b":"6","c":-1,"d":1.5,"e":"x","f":null}"#);
        let counts = ["a", "b", "c", "d", "e", "f", "g"].map(|key| count(&object, key));
        assert_eq!(counts, [Some(5), Some(6), None, None, None, None, None]);
    }
}
