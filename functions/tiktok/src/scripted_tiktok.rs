//! A scripted TikTok for this crate's tests: a client that sends every call to a scripted server, and test data.

use domain::chunk::{ChunkCeiling, ChunkPlan};
use domain::options::{Mode, PostOptions, PrivacyLevel};
use domain::settings::{Settings, StackDefaults};
use domain::size::VideoSize;
use domain::title::TitleLimit;
pub(crate) use scripted_server::{Reply, Request, ScriptedServer, reply};
use serde_json::{Value, json};

use crate::client::{Config, TikTok};
use crate::credentials::AccessToken;
use crate::timeouts::Timeouts;
use crate::upload_hosts::UploadHosts;

/// Makes clients of a scripted server, which is also the only permitted upload host.
pub(crate) trait ScriptedTikTok {
    fn client(&self) -> TikTok {
        self.client_with_timeouts(|_| ())
    }

    fn client_with_timeouts(&self, adjust: impl FnOnce(&mut Timeouts)) -> TikTok;
}

impl ScriptedTikTok for ScriptedServer {
    fn client_with_timeouts(&self, adjust: impl FnOnce(&mut Timeouts)) -> TikTok {
        let mut timeouts = Timeouts::default();
        adjust(&mut timeouts);
        let upload_hosts = UploadHosts::parse(&format!("127.0.0.1:{}", self.port())).unwrap();
        TikTok::with_timeouts(Config { api: self.url("/").parse().unwrap(), upload_hosts }, timeouts).unwrap()
    }
}

/// A successful response of the v2 API, with log id `log-1`.
pub(crate) fn ok(data: &Value) -> Reply {
    let error = json!({ "code": "ok", "message": "", "log_id": "log-1" });
    Reply::new(200, json!({ "data": data, "error": error }).to_string())
}

/// The fields of a request's form.
pub(crate) fn form(request: &Request) -> Vec<(String, String)> {
    url::form_urlencoded::parse(&request.body).into_owned().collect()
}

/// The access token `access-1`.
pub(crate) fn access() -> AccessToken {
    AccessToken::new("access-1".into())
}

/// A plan with chunks of at most 10,000,025 bytes.
pub(crate) fn plan(bytes: u64) -> ChunkPlan {
    ChunkPlan::new(VideoSize::new(bytes).unwrap(), ChunkCeiling::new(10_000_025).unwrap())
}

/// Settings of a private post without comments and stitches.
pub(crate) fn settings(mode: Mode) -> Settings {
    let stack = StackDefaults { mode, privacy_level: PrivacyLevel::SelfOnly, title_limit: TitleLimit::default() };
    let options = PostOptions {
        title: Some("A title ü 👍".into()),
        disable_comment: Some(true),
        disable_stitch: Some(true),
        ..PostOptions::default()
    };
    Settings::resolve(&options, "a.mp4", &stack).unwrap()
}
