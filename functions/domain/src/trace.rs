//! Traces: the id by which lines of several functions are known to belong together.

use serde::{Deserialize, Serialize};

/// The id of an X-Ray trace, `1-<time>-<random>` in hexadecimal digits.
/// <https://docs.aws.amazon.com/xray/latest/devguide/xray-api-sendingdata.html>
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TraceId(String);

/// A text that is no trace's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a trace's id is 1-<8 digits>-<24 digits>, in hexadecimal")]
pub struct InvalidTraceId;

impl TraceId {
    /// Reads the root of a tracing header, `Root=1-…;Parent=…;Sampled=1`. None,
    /// where it has none that could be an id.
    #[must_use]
    pub fn of_header(header: &str) -> Option<Self> {
        let root = header.split(';').find_map(|part| part.trim().strip_prefix("Root="))?;
        Self::try_from(root.to_owned()).ok()
    }
}

impl TryFrom<String> for TraceId {
    type Error = InvalidTraceId;
    fn try_from(text: String) -> Result<Self, InvalidTraceId> {
        let is_hex = |digits: &str, many| digits.len() == many && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        match text.split('-').collect::<Vec<_>>()[..] {
            ["1", time, random] if is_hex(time, 8) && is_hex(random, 24) => Ok(Self(text)),
            _ => Err(InvalidTraceId),
        }
    }
}

impl From<TraceId> for String {
    fn from(id: TraceId) -> Self {
        id.0
    }
}

impl std::fmt::Display for TraceId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "1-5759e988-bd862e3fe1be46a994272793";

    #[test]
    fn the_root_of_a_header_is_found_wherever_it_stands() {
        for header in [format!("Root={ID}"), format!("Parent=53995c3f42cd8ad8;Root={ID};Sampled=1")] {
            assert_eq!(TraceId::of_header(&header).unwrap().to_string(), ID);
        }
    }

    #[test]
    fn what_is_no_id_gets_into_no_log() {
        for header in ["", ID, "Root=", "Root=1-2-3", "Root=1-5759e988-zd862e3fe1be46a994272793", "Root=x\ny"] {
            assert_eq!(TraceId::of_header(header), None, "{header}");
        }
    }
}
