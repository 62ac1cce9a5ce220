//! A client that sends exactly what a test says, correct or not.

use reqwest::header::{CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE};
use serde_json::{Value, json};
use simulator::{Config, Endpoint, OpenId, PublishId, Scope, Settings, Simulator, User};

pub(crate) const MB: u64 = 1_000_000;
/// Seconds from the last byte of an upload to the end of its processing: the default of `processing_ms`.
pub(crate) const PROCESSING_S: u64 = 2;
/// Seconds from publication to public availability: the default of `moderation_ms`.
pub(crate) const MODERATION_S: u64 = 1;
/// TikTok's number in `authorization.removed` if the user removed the app.
pub(crate) const REMOVED_BY_USER: u8 = 1;

/// A running simulator with one user, who granted every scope.
pub(crate) struct Client {
    pub(crate) tiktok: Simulator,
    pub(crate) user: OpenId,
    pub(crate) token: String,
    pub(crate) http: reqwest::Client,
}

/// The `publish_id` and `upload_url` of an init.
pub(crate) struct StartedUpload {
    pub(crate) id: PublishId,
    pub(crate) url: String,
}

impl Client {
    pub(crate) async fn new() -> Self {
        Self::with(Settings::default()).await
    }

    pub(crate) async fn with(settings: Settings) -> Self {
        let mut config = Config::new("key-1", "secret-1");
        config.settings = settings;
        let tiktok = Simulator::start(config).await.unwrap();
        tiktok.put_user(User::new("user-1", "maker"));
        let user = OpenId::new("user-1");
        let pair = tiktok.grant(&user, &Scope::ALL).unwrap();
        Self { tiktok, user, token: pair.access_token, http: reqwest::Client::new() }
    }

    pub(crate) fn url(&self, endpoint: Endpoint) -> String {
        format!("{}{}", self.tiktok.url(), endpoint.path())
    }

    /// Posts JSON with the user's token. Returns the HTTP status and the body.
    pub(crate) async fn post(&self, endpoint: Endpoint, body: &Value) -> (u16, Value) {
        let request = self.http.post(self.url(endpoint)).bearer_auth(&self.token).json(body);
        read_response(request.send().await.unwrap()).await
    }

    /// Posts a form to an OAuth endpoint. Returns the HTTP status and the body.
    pub(crate) async fn form(&self, endpoint: Endpoint, form: &[(&str, &str)]) -> (u16, Value) {
        let request = self.http.post(self.url(endpoint)).form(form);
        read_response(request.send().await.unwrap()).await
    }

    /// Starts a direct post of a file of `size` bytes in one chunk, after the `creator_info/query` that it requires.
    pub(crate) async fn start_direct(&self, size: u64) -> StartedUpload {
        self.start_direct_in_chunks(size, size, 1).await
    }

    /// Starts a direct post of `size` bytes in `count` chunks of `chunk` bytes, after its `creator_info/query`.
    pub(crate) async fn start_direct_in_chunks(&self, size: u64, chunk: u64, count: u64) -> StartedUpload {
        self.post(Endpoint::CreatorInfo, &json!({})).await;
        let body = direct_init_body(size, chunk, count);
        started_upload(self.post(Endpoint::DirectInit, &body).await)
    }

    /// Starts a draft of a file of `size` bytes in one chunk.
    pub(crate) async fn start_draft(&self, size: u64) -> StartedUpload {
        let body = json!({ "source_info": source_info(size, size, 1) });
        started_upload(self.post(Endpoint::InboxInit, &body).await)
    }

    /// Puts `bytes` at offset `first` of a file of `total` bytes, with correct headers.
    pub(crate) async fn put(&self, upload: &StartedUpload, first: u64, bytes: &[u8], total: u64) -> PutResponse {
        let request = self.put_request(upload, first, bytes, total);
        PutResponse::read(&request.send().await.unwrap())
    }

    /// Builds the request of [`Client::put`].
    pub(crate) fn put_request(
        &self,
        upload: &StartedUpload,
        first: u64,
        bytes: &[u8],
        total: u64,
    ) -> reqwest::RequestBuilder {
        let last = first + bytes.len() as u64 - 1;
        self.http
            .put(&upload.url)
            .header(CONTENT_TYPE, "video/mp4")
            .header(CONTENT_LENGTH, bytes.len())
            .header(CONTENT_RANGE, format!("bytes {first}-{last}/{total}"))
            .body(bytes.to_vec())
    }

    /// Starts a direct post and uploads a whole file of 3,000 bytes.
    pub(crate) async fn upload_direct_post(&self) -> PublishId {
        let file = mp4_file(3000);
        let upload = self.start_direct(3000).await;
        assert_eq!(self.put(&upload, 0, &file, 3000).await.status, 201);
        upload.id
    }

    /// Returns the `data` of `status/fetch`.
    pub(crate) async fn status(&self, id: &PublishId) -> Value {
        let body = json!({ "publish_id": id });
        let (_, mut response) = self.post(Endpoint::StatusFetch, &body).await;
        response["data"].take()
    }

    /// Lists the rule of each violation so far.
    pub(crate) fn violated_rules(&self) -> Vec<simulator::Rule> {
        self.tiktok.ledger().violations.iter().map(|violation| violation.rule).collect()
    }

    pub(crate) fn change_settings(&self, change: impl FnOnce(&mut Settings)) {
        self.tiktok.change_settings(change).unwrap();
    }
}

/// The response to a PUT to an upload URL.
#[derive(Debug)]
pub(crate) struct PutResponse {
    pub(crate) status: u16,
    /// The `Content-Range` header.
    pub(crate) range: Option<String>,
}

impl PutResponse {
    pub(crate) fn read(response: &reqwest::Response) -> Self {
        let range = response.headers().get(CONTENT_RANGE);
        Self { status: response.status().as_u16(), range: range.map(|value| value.to_str().unwrap().to_owned()) }
    }
}

/// Returns the HTTP status and the body. A body that is not JSON becomes a string.
pub(crate) async fn read_response(response: reqwest::Response) -> (u16, Value) {
    let status = response.status().as_u16();
    let body = response.text().await.unwrap();
    let body = serde_json::from_str(&body).unwrap_or(Value::String(body));
    (status, body)
}

/// Returns the HTTP status and the `error.code` of a v2 response.
pub(crate) fn status_and_code(response: &(u16, Value)) -> (u16, &str) {
    (response.0, response.1["error"]["code"].as_str().unwrap())
}

/// Reads the response of an init that succeeded.
pub(crate) fn started_upload((status, response): (u16, Value)) -> StartedUpload {
    assert_eq!(status, 200, "{response}");
    let text = |name: &str| response["data"][name].as_str().unwrap().to_owned();
    StartedUpload { id: PublishId::new(text("publish_id")), url: text("upload_url") }
}

pub(crate) fn source_info(size: u64, chunk: u64, count: u64) -> Value {
    json!({
        "source": "FILE_UPLOAD",
        "video_size": size,
        "chunk_size": chunk,
        "total_chunk_count": count,
    })
}

/// Builds the body of a direct init for a public post. `size` and `chunk` are in bytes.
pub(crate) fn direct_init_body(size: u64, chunk: u64, count: u64) -> Value {
    json!({
        "post_info": {
            "title": "A day at the sea",
            "privacy_level": "PUBLIC_TO_EVERYONE",
            "brand_content_toggle": false,
            "brand_organic_toggle": false,
        },
        "source_info": source_info(size, chunk, count),
    })
}

/// Makes a file that begins like an MP4. Its bytes differ by offset, so that swapped chunks change the hash.
pub(crate) fn mp4_file(size: usize) -> Vec<u8> {
    let mut file = b"\0\0\0\x10ftypisom\0\0\0\0".to_vec();
    file.extend((file.len()..size).map(|at| u8::try_from(at % 251).unwrap()));
    file
}
