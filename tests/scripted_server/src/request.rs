//! A request that the scripted server received.

use serde_json::Value;

/// A request as it came over the wire.
#[derive(Debug, Clone)]
pub struct Request {
    /// The method, for example `GET`.
    pub method: String,
    /// The path with its query, for example `/bucket/key?versionId=1`.
    pub target: String,
    /// The body, as far as it arrived.
    pub body: Vec<u8>,
    headers: Vec<(String, String)>,
    /// Whether the server has finished reading the request, even if the body is not whole.
    complete: bool,
}

impl Request {
    /// The value of a header. `name` must be in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Whether the body has as many bytes as the head declares.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.declared_length() == self.body.len()
    }

    /// Parses the request line and the headers.
    pub(crate) fn parse(head: &str) -> Self {
        let mut lines = head.lines();
        let mut request_line = lines.next().unwrap().split(' ').map(str::to_owned);
        let (method, target) = (request_line.next().unwrap(), request_line.next().unwrap());
        let header = |(name, value): (&str, &str)| (name.to_ascii_lowercase(), value.trim().to_owned());
        let headers = lines.filter_map(|line| line.split_once(':')).map(header).collect();
        Self { method, target, body: Vec::new(), headers, complete: false }
    }

    /// The length in `content-length`, or 0 without that header.
    pub(crate) fn declared_length(&self) -> usize {
        self.header("content-length").map_or(0, |length| length.parse().unwrap())
    }

    /// Adds the body, as far as it arrived, and marks the request as complete.
    pub(crate) fn complete(&mut self, body: Vec<u8>) {
        (self.body, self.complete) = (body, true);
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.complete
    }
}
