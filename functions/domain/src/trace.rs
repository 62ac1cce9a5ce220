//! The id of an AWS X-Ray trace. It relates the log lines of several functions.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::macros::string_conversions;

/// The id of an X-Ray trace: `1-<time>-<random>`, with 8 and 24 hexadecimal digits.
///
/// Format: [X-Ray developer guide](https://docs.aws.amazon.com/xray/latest/devguide/xray-api-sendingdata.html)
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TraceId(String);

/// A text that is not a trace id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a trace id must be 1-<8 hexadecimal digits>-<24 hexadecimal digits>")]
pub struct InvalidTraceId;

impl TraceId {
    /// Returns the root of a tracing header, `Root=1-…;Parent=…;Sampled=1`. Returns `None` if the header has no root
    /// or the root is not a valid id.
    pub fn from_header(header: &str) -> Option<Self> {
        header.split(';').find_map(|part| part.trim().strip_prefix("Root="))?.parse().ok()
    }
}

impl FromStr for TraceId {
    type Err = InvalidTraceId;
    fn from_str(text: &str) -> Result<Self, InvalidTraceId> {
        let is_hex = |digits: &str, many| digits.len() == many && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        match text.split('-').collect::<Vec<_>>()[..] {
            ["1", time, random] if is_hex(time, 8) && is_hex(random, 24) => Ok(Self(text.to_owned())),
            _ => Err(InvalidTraceId),
        }
    }
}

string_conversions!(TraceId);

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
    fn root_is_found_at_any_position() {
        for header in [format!("Root={ID}"), format!("Parent=53995c3f42cd8ad8;Root={ID};Sampled=1")] {
            assert_eq!(TraceId::from_header(&header).unwrap().to_string(), ID);
        }
    }

    #[test]
    fn invalid_trace_id_is_rejected() {
        // Trace ids are logged, so that a caller could otherwise forge log lines.
        for header in ["", ID, "Root=", "Root=1-2-3", "Root=1-5759e988-zd862e3fe1be46a994272793", "Root=x\ny"] {
            assert_eq!(TraceId::from_header(header), None, "{header}");
        }
    }
}
