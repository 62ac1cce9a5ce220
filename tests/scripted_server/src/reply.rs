//! A scripted reply: the response, and what the server does with the request's body and the connection.

/// One reply of a script.
///
/// Without further calls, the server reads the whole request, sends the whole response, and keeps the
/// connection for the next request. If the client closes the connection before its request is whole, the
/// server sends no response, unless the reply is made with [`Reply::before_body`] or [`Reply::never_reads_body`].
#[derive(Debug, Clone)]
pub struct Reply {
    /// None: no response is sent.
    status: Option<u16>,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    /// How many bytes of the body are sent at most.
    max_sent: usize,
    pub(crate) read_body: ReadBody,
    pub(crate) next: Next,
    /// How many requests must be complete before the response is sent.
    pub(crate) after_requests: usize,
}

/// When the server reads the body of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReadBody {
    BeforeReply,
    AfterReply,
    Never,
}

/// What the server does with the connection after the reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// It serves the next request.
    Serve,
    Close,
    /// It keeps the connection open, and neither sends nor reads.
    Stall,
}

impl Reply {
    /// A response with this status and body.
    #[must_use]
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status: Some(status),
            headers: Vec::new(),
            body: body.into(),
            max_sent: usize::MAX,
            read_body: ReadBody::BeforeReply,
            next: Next::Serve,
            after_requests: 0,
        }
    }

    /// No response: the server reads the request and closes the connection.
    #[must_use]
    pub fn hang_up() -> Self {
        Self { status: None, next: Next::Close, ..Self::new(0, "") }
    }

    /// No response: the server reads the request and keeps the connection open.
    #[must_use]
    pub fn silence() -> Self {
        Self { status: None, next: Next::Stall, ..Self::new(0, "") }
    }

    /// Adds a header. A `content-length` replaces the true length of the body.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sends at most this many bytes of the body, and closes the connection.
    #[must_use]
    pub fn cut_at(mut self, bytes: usize) -> Self {
        (self.max_sent, self.next) = (bytes, Next::Close);
        self
    }

    /// Sends at most this many bytes of the body, and then nothing more on this connection.
    #[must_use]
    pub fn silent_at(mut self, bytes: usize) -> Self {
        (self.max_sent, self.next) = (bytes, Next::Stall);
        self
    }

    /// Sends the response as soon as the request's head was read, then reads the body, and closes the connection.
    #[must_use]
    pub fn before_body(mut self) -> Self {
        (self.read_body, self.next) = (ReadBody::AfterReply, Next::Close);
        self
    }

    /// Never reads the request's body, and keeps the connection open.
    #[must_use]
    pub fn never_reads_body(mut self) -> Self {
        (self.read_body, self.next) = (ReadBody::Never, Next::Stall);
        self
    }

    /// Delays the response until this many requests are complete. The request of this reply counts.
    #[must_use]
    pub fn after_requests(mut self, count: usize) -> Self {
        self.after_requests = count;
        self
    }

    /// The response on the wire. The response to `HEAD` has no body.
    pub(crate) fn bytes(&self, method: &str) -> Vec<u8> {
        let Some(status) = self.status else { return Vec::new() };
        let mut head = vec![format!("HTTP/1.1 {status} Scripted")];
        head.extend(self.headers.iter().map(|(name, value)| format!("{name}: {value}")));
        if !self.headers.iter().any(|(name, _)| name == "content-length") {
            head.push(format!("content-length: {}", self.body.len()));
        }
        let mut bytes = format!("{}\r\n\r\n", head.join("\r\n")).into_bytes();
        if method != "HEAD" {
            bytes.extend_from_slice(&self.body[..self.body.len().min(self.max_sent)]);
        }
        bytes
    }
}
