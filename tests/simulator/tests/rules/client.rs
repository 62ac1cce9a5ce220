//! A bare client: it sends what a test tells it to, right or wrong.

use reqwest::header::{CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE};
use serde_json::{Value, json};
use simulator::{Config, Endpoint, OpenId, PublishId, Scope, Settings, Simulator, User};

pub(crate) const MB: u64 = 1_000_000;

/// A simulator with one user, who granted every scope.
pub(crate) struct Client {
    pub(crate) tiktok: Simulator,
    pub(crate) user: OpenId,
    pub(crate) token: String,
    pub(crate) http: reqwest::Client,
}

/// An upload that was begun.
pub(crate) struct Begun {
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

    /// Posts JSON with the user's token.
    pub(crate) async fn post(&self, endpoint: Endpoint, body: &Value) -> (u16, Value) {
        let request = self.http.post(self.url(endpoint)).bearer_auth(&self.token).json(body);
        answer(request.send().await.unwrap()).await
    }

    /// Posts a form to a token endpoint.
    pub(crate) async fn form(&self, endpoint: Endpoint, form: &[(&str, &str)]) -> (u16, Value) {
        let request = self.http.post(self.url(endpoint)).form(form);
        answer(request.send().await.unwrap()).await
    }

    /// Looks at the creator and starts a direct post for a file of a size, in one chunk.
    pub(crate) async fn begin(&self, size: u64) -> Begun {
        self.begin_in(size, size, 1).await
    }

    /// Looks at the creator and starts a direct post.
    pub(crate) async fn begin_in(&self, size: u64, chunk: u64, count: u64) -> Begun {
        self.post(Endpoint::CreatorInfo, &json!({})).await;
        let body = direct(size, chunk, count);
        begun(self.post(Endpoint::DirectInit, &body).await)
    }

    /// Starts a draft for a file of a size, in one chunk.
    pub(crate) async fn begin_draft(&self, size: u64) -> Begun {
        let body = json!({ "source_info": source(size, size, 1) });
        begun(self.post(Endpoint::InboxInit, &body).await)
    }

    /// Puts a range as it should be put.
    pub(crate) async fn put(&self, to: &Begun, first: u64, bytes: &[u8], total: u64) -> Put {
        let request = self.put_request(to, first, bytes, total);
        Put::read(&request.send().await.unwrap())
    }

    pub(crate) fn put_request(&self, to: &Begun, first: u64, bytes: &[u8], total: u64) -> reqwest::RequestBuilder {
        let last = first + bytes.len() as u64 - 1;
        self.http
            .put(&to.url)
            .header(CONTENT_TYPE, "video/mp4")
            .header(CONTENT_LENGTH, bytes.len())
            .header(CONTENT_RANGE, format!("bytes {first}-{last}/{total}"))
            .body(bytes.to_vec())
    }

    /// Sends a whole small file as a direct post.
    pub(crate) async fn upload(&self) -> PublishId {
        let file = movie(3000);
        let begun = self.begin(3000).await;
        assert_eq!(self.put(&begun, 0, &file, 3000).await.status, 201);
        begun.id
    }

    /// Asks what became of a publish.
    pub(crate) async fn status(&self, id: &PublishId) -> Value {
        let body = json!({ "publish_id": id });
        let (_, mut answer) = self.post(Endpoint::StatusFetch, &body).await;
        answer["data"].take()
    }

    /// Names the families of rules that were broken so far.
    pub(crate) fn broken(&self) -> Vec<simulator::Rule> {
        let violations = self.tiktok.ledger().violations;
        violations.iter().map(|it| it.rule).collect()
    }

    pub(crate) fn set(&self, change: impl FnOnce(&mut Settings)) {
        self.tiktok.change_settings(change).unwrap();
    }
}

/// What came back from an upload URL.
#[derive(Debug)]
pub(crate) struct Put {
    pub(crate) status: u16,
    pub(crate) range: Option<String>,
}

impl Put {
    pub(crate) fn read(answer: &reqwest::Response) -> Self {
        let range = answer.headers().get(CONTENT_RANGE);
        Self { status: answer.status().as_u16(), range: range.map(|value| value.to_str().unwrap().to_owned()) }
    }
}

pub(crate) async fn answer(answer: reqwest::Response) -> (u16, Value) {
    let status = answer.status().as_u16();
    let body = answer.text().await.unwrap();
    let body = serde_json::from_str(&body).unwrap_or(Value::String(body));
    (status, body)
}

pub(crate) fn code(answer: &(u16, Value)) -> (u16, &str) {
    (answer.0, answer.1["error"]["code"].as_str().unwrap())
}

fn begun((status, answer): (u16, Value)) -> Begun {
    assert_eq!(status, 200, "{answer}");
    let text = |name: &str| answer["data"][name].as_str().unwrap().to_owned();
    Begun { id: PublishId::new(text("publish_id")), url: text("upload_url") }
}

pub(crate) fn source(size: u64, chunk: u64, count: u64) -> Value {
    json!({
        "source": "FILE_UPLOAD",
        "video_size": size,
        "chunk_size": chunk,
        "total_chunk_count": count,
    })
}

pub(crate) fn direct(size: u64, chunk: u64, count: u64) -> Value {
    json!({
        "post_info": {
            "title": "A day at the sea",
            "privacy_level": "PUBLIC_TO_EVERYONE",
            "brand_content_toggle": false,
            "brand_organic_toggle": false,
        },
        "source_info": source(size, chunk, count),
    })
}

/// Makes bytes that begin as an MP4 does, and differ from place to place.
pub(crate) fn movie(size: usize) -> Vec<u8> {
    let mut file = b"\0\0\0\x10ftypisom\0\0\0\0".to_vec();
    file.extend((file.len()..size).map(|at| u8::try_from(at % 251).unwrap()));
    file
}
