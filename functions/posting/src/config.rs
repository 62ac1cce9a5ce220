//! The settings of the functions, parsed once at cold start from environment variables (`runtime::environment`).

use std::fmt::Display;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

use domain::chunk::ChunkCeiling;
use domain::identity::Alias;
use domain::options::{Mode, PrivacyLevel};
use domain::settings::StackDefaults;
use domain::title::TitleLimit;
use storage::Window;
use tiktok::UploadHosts;

/// An environment variable that is missing or malformed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the variable {name} {problem}")]
pub struct ConfigError {
    name: &'static str,
    problem: String,
}

/// The settings that `status`, `api` and `publish` share. `template.yaml` sets every variable: tables, queue, key and
/// secret from its resources, the others from its parameters, which the operator chooses.
#[derive(Debug, Clone)]
pub struct Config {
    /// `POSTS_TABLE`: the table of posts.
    pub posts_table: String,
    /// `ACCOUNTS_TABLE`: the table of accounts.
    pub accounts_table: String,
    /// `LIMITS_TABLE`: the table that counts calls against TikTok's limits.
    pub limits_table: String,
    /// `REPOST_GUARD_TABLE`: the table that lists the posts of each video.
    pub repost_guard_table: String,
    /// `INTAKE_QUEUE_URL`: the queue that invokes `publish`, with S3 events and with wake-ups for single posts.
    pub intake_queue_url: String,
    /// `TOKENS_KEY_ID`: the KMS key that seals tokens and upload URLs.
    pub tokens_key_id: String,
    /// `APP_SECRET_ARN`: the secret with TikTok's `client_key` and `client_secret`.
    pub app_secret_arn: String,
    /// `TIKTOK_API_URL`: the base URL of TikTok's API.
    pub tiktok_api: url::Url,
    /// `TIKTOK_UPLOAD_HOSTS`: the hosts that an upload URL may name.
    pub upload_hosts: UploadHosts,
    /// `DEFAULT_ACCOUNT`: the account of videos that are dropped directly under `drop/`.
    pub default_account: Alias,
    /// `DEFAULT_MODE`, `DEFAULT_PRIVACY_LEVEL`: for posts without such an option; `TITLE_LIMIT`, in UTF-16 code units.
    pub defaults: StackDefaults,
    /// `CHUNK_BYTES`: the largest chunk, in bytes.
    pub chunk_ceiling: ChunkCeiling,
    /// `READ_AHEAD_BYTES`: how many bytes of a video are buffered at most, ahead of what was sent to TikTok.
    pub window: Window,
    /// `POSTS_PER_DAY`: how many direct posts TikTok is assumed to allow an account in 24 hours.
    pub posts_per_day: u32,
    /// `POSTING_USERS_PER_DAY`: how many accounts of the app may post directly in 24 hours. `None`, written as 0, means
    /// that the number is unknown and is not counted.
    pub posting_users: Option<NonZeroU32>,
    /// `REPOST_GUARD_DAYS`: for how long a post of the same video is held. `None`, written as 0, disables the guard.
    pub repost_guard: Option<Duration>,
}

/// Default of `TIKTOK_API_URL`.
const TIKTOK_API: &str = "https://open.tiktokapis.com";
/// Default of `TIKTOK_UPLOAD_HOSTS`. The leading dot allows every subdomain.
const UPLOAD_HOSTS: &str = ".tiktokapis.com";
/// Default of `CHUNK_BYTES`: 64 MB, the largest chunk that TikTok allows. Each chunk costs a round trip, so few large
/// chunks are fastest, and a lost chunk is sent again within seconds.
const CHUNK_BYTES: &str = "64000000";
/// Default of `READ_AHEAD_BYTES`: 5 MiB. TikTok takes up to 90 MB/s, so 5 MiB last about 58 ms. That is longer than S3
/// needs for its first byte. See `storage/src/objects/window.rs`.
const READ_AHEAD_BYTES: &str = "5242880";
/// Default of `POSTS_PER_DAY`: "typically around 15", according to TikTok.
/// <https://developers.tiktok.com/doc/content-sharing-guidelines>
const POSTS_PER_DAY: &str = "15";
/// Default of `REPOST_GUARD_DAYS`.
const REPOST_GUARD_DAYS: &str = "30";
/// The maximum of `REPOST_GUARD_DAYS`: ten years.
const MAX_GUARD_DAYS: u32 = 3650;
/// The maximum of `POSTS_PER_DAY` and of `POSTING_USERS_PER_DAY`. Each limit is counted in one item of the limits
/// table, whose size DynamoDB bounds. `MaxValue` in `template.yaml` must be the same.
const MAX_PER_DAY: u32 = 1000;

impl Config {
    /// Parses the settings; `variable` returns the value of an environment variable, if it is set.
    ///
    /// # Errors
    /// Names the first variable that is missing or malformed.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let variable = &variable;
        Ok(Self {
            posts_table: required(variable, "POSTS_TABLE")?,
            accounts_table: required(variable, "ACCOUNTS_TABLE")?,
            limits_table: required(variable, "LIMITS_TABLE")?,
            repost_guard_table: required(variable, "REPOST_GUARD_TABLE")?,
            intake_queue_url: required(variable, "INTAKE_QUEUE_URL")?,
            tokens_key_id: required(variable, "TOKENS_KEY_ID")?,
            app_secret_arn: required(variable, "APP_SECRET_ARN")?,
            tiktok_api: optional(variable, "TIKTOK_API_URL", TIKTOK_API, url::Url::parse)?,
            upload_hosts: optional(variable, "TIKTOK_UPLOAD_HOSTS", UPLOAD_HOSTS, UploadHosts::parse)?,
            default_account: optional(variable, "DEFAULT_ACCOUNT", "default", Alias::new)?,
            defaults: StackDefaults {
                mode: optional(variable, "DEFAULT_MODE", "draft", mode)?,
                privacy_level: optional(variable, "DEFAULT_PRIVACY_LEVEL", "SELF_ONLY", privacy_level)?,
                title_limit: optional(variable, "TITLE_LIMIT", "2200", |v| {
                    TitleLimit::new(number(v)?).map_err(|e| e.to_string())
                })?,
            },
            chunk_ceiling: optional(variable, "CHUNK_BYTES", CHUNK_BYTES, |v| {
                ChunkCeiling::new(number(v)?).map_err(|e| e.to_string())
            })?,
            window: optional(variable, "READ_AHEAD_BYTES", READ_AHEAD_BYTES, |v| {
                Window::new(number(v)?).map_err(|e| e.to_string())
            })?,
            posts_per_day: optional(variable, "POSTS_PER_DAY", POSTS_PER_DAY, |v| per_day(v, 1))?,
            posting_users: optional(variable, "POSTING_USERS_PER_DAY", "0", |v| per_day(v, 0).map(NonZeroU32::new))?,
            repost_guard: optional(variable, "REPOST_GUARD_DAYS", REPOST_GUARD_DAYS, guard_term)?,
        })
    }
}

fn mode(value: &str) -> Result<Mode, &'static str> {
    match value {
        "draft" => Ok(Mode::Draft),
        "direct" => Ok(Mode::Direct),
        _ => Err("it must be draft or direct"),
    }
}

fn privacy_level(value: &str) -> Result<PrivacyLevel, &'static str> {
    let levels = "it must be PUBLIC_TO_EVERYONE, MUTUAL_FOLLOW_FRIENDS, FOLLOWER_OF_CREATOR or SELF_ONLY";
    PrivacyLevel::parse(value).ok_or(levels)
}

fn number<T: FromStr>(value: &str) -> Result<T, String> {
    value.parse().map_err(|_| "it is not a number".to_owned())
}

fn per_day(value: &str, min: u32) -> Result<u32, String> {
    let number = value.parse().ok().filter(|number| (min..=MAX_PER_DAY).contains(number));
    number.ok_or_else(|| format!("it must be {min} to {MAX_PER_DAY}"))
}

fn guard_term(value: &str) -> Result<Option<Duration>, String> {
    let days = value.parse::<u32>().ok().filter(|days| *days <= MAX_GUARD_DAYS);
    let days = days.ok_or_else(|| format!("it must be 0 to {MAX_GUARD_DAYS}"))?;
    Ok((days > 0).then(|| Duration::from_hours(24 * u64::from(days))))
}

/// Returns a variable that must be set.
pub(crate) fn required(variable: impl Fn(&str) -> Option<String>, name: &'static str) -> Result<String, ConfigError> {
    variable(name).ok_or_else(|| ConfigError { name, problem: "is not set; template.yaml sets it".into() })
}

/// Parses the value of a variable, or the default if the variable is not set.
pub(crate) fn optional<T, E: Display>(
    variable: impl Fn(&str) -> Option<String>,
    name: &'static str,
    default: &str,
    parse: impl Fn(&str) -> Result<T, E>,
) -> Result<T, ConfigError> {
    parsed(name, &variable(name).unwrap_or_else(|| default.to_owned()), parse)
}

/// Parses the value of the variable `name`. The error states the name and the value.
pub(crate) fn parsed<T, E: Display>(
    name: &'static str,
    value: &str,
    parse: impl Fn(&str) -> Result<T, E>,
) -> Result<T, ConfigError> {
    parse(value.trim()).map_err(|why| ConfigError { name, problem: format!("is {value:?}, and {why}") })
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::BTreeSet;

    use super::*;
    use crate::bucket_check::BucketCheckConfig;
    use crate::connect::ConnectConfig;
    use crate::create::Intake;
    use crate::webhooks::WebhookConfig;

    const REQUIRED: [&str; 7] = [
        "POSTS_TABLE",
        "ACCOUNTS_TABLE",
        "LIMITS_TABLE",
        "REPOST_GUARD_TABLE",
        "INTAKE_QUEUE_URL",
        "TOKENS_KEY_ID",
        "APP_SECRET_ARN",
    ];

    fn read(set: &[(&str, &str)]) -> Result<Config, ConfigError> {
        Config::read(|name| {
            let set = set.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned());
            set.or_else(|| REQUIRED.contains(&name).then(|| format!("the-{name}")))
        })
    }

    #[test]
    fn defaults_are_tiktok_drafts_and_private_posts() {
        let config = read(&[]).unwrap();
        assert_eq!(config.tiktok_api.as_str(), "https://open.tiktokapis.com/");
        assert_eq!(config.defaults.mode, Mode::Draft);
        assert_eq!(config.defaults.privacy_level, PrivacyLevel::SelfOnly);
        assert_eq!((config.posts_per_day, config.posting_users), (15, None));
        assert_eq!(config.repost_guard, Some(Duration::from_hours(24 * 30)));
        assert_eq!(read(&[("REPOST_GUARD_DAYS", "0")]).unwrap().repost_guard, None);
    }

    fn template() -> yaml_serde::Value {
        yaml_serde::from_str(include_str!("../../../template.yaml")).unwrap()
    }

    #[test]
    fn template_defaults_work_for_unaudited_app() {
        let parameters = &template()["Parameters"];
        let default_of = |parameter: &str| parameters[parameter]["Default"].as_str().map(str::to_owned);
        assert_eq!(default_of("DefaultMode").as_deref(), Some("draft"));
        assert_eq!(default_of("DefaultPrivacyLevel").as_deref(), Some("SELF_ONLY"));
    }

    #[test]
    fn template_sets_exactly_the_variables_each_function_reads() {
        let template = template();
        let set_for = |function: &str| -> BTreeSet<String> {
            let own = &template["Resources"][function]["Properties"]["Environment"]["Variables"];
            let shared = &template["Globals"]["Function"]["Environment"]["Variables"];
            let keys = [shared, own].into_iter().flat_map(|variables| variables.as_mapping().unwrap().keys());
            keys.map(|name| name.as_str().unwrap().to_owned()).collect()
        };
        let names_read = RefCell::new(BTreeSet::new());
        let record = |name: &str| {
            names_read.borrow_mut().insert(name.to_owned());
            Some(REQUIRED.iter().find(|required| **required == name)?.to_string())
        };
        let also = |names: &[&str]| names_read.borrow_mut().extend(names.iter().map(|name| (*name).to_owned()));
        // Read by `runtime::telemetry` and `runtime::metrics`.
        let runtime = ["LOG_LEVEL", "METRICS_NAMESPACE"];
        let bucket = |name: &str| record(name).or_else(|| (name == "INTAKE_BUCKET").then(|| "intake".to_owned()));
        Config::read(record).unwrap();
        BucketCheckConfig::read(bucket).unwrap();
        also(&runtime);
        assert_eq!(set_for("StatusFunction"), names_read.take());
        Config::read(record).unwrap();
        also(&runtime);
        ConnectConfig::read(|name| {
            record(name);
            let set =
                [("AUTHORIZATION_REQUESTS_TABLE", "requests"), ("REDIRECT_URL", "https://a.example/oauth/callback")];
            set.iter().find(|(required, _)| *required == name).map(|(_, value)| (*value).to_owned())
        })
        .unwrap();
        Intake::read(|name| {
            record(name);
            Some("intake".to_owned())
        })
        .unwrap();
        WebhookConfig::read(|name| record(name).or_else(|| Some("webhooks".to_owned()))).unwrap();
        assert_eq!(set_for("ApiFunction"), names_read.take());
        Config::read(record).unwrap();
        also(&["LOG_LEVEL", "METRICS_NAMESPACE"]);
        // Read by glibc's `malloc`.
        also(&["MALLOC_ARENA_MAX", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"]);
        // There is no type for the settings of events, so these variables are found in the text of each `main.rs`.
        let named_in = |main: &'static str| {
            main.split("variable(\"").skip(1).filter_map(|rest| rest.split('"').next()).collect::<Vec<_>>()
        };
        also(&named_in(include_str!("../../publish/src/main.rs")));
        assert_eq!(set_for("PublishFunction"), names_read.take());
        also(&named_in(include_str!("../../notices/src/main.rs")));
        also(&["LOG_LEVEL"]);
        assert_eq!(set_for("NoticesFunction"), names_read.take());
    }

    #[test]
    fn error_names_missing_variable() {
        for missing in REQUIRED {
            let error = Config::read(|name| (name != missing).then(|| "https://x".to_owned())).unwrap_err();
            assert!(error.to_string().contains(missing), "{error}");
        }
    }

    #[test]
    fn error_names_malformed_variable_and_value() {
        let table = [
            ("TIKTOK_API_URL", "nowhere"),
            ("DEFAULT_MODE", "live"),
            ("DEFAULT_PRIVACY_LEVEL", "PRIVATE"),
            ("TITLE_LIMIT", "0"),
            ("CHUNK_BYTES", "64MB"),
            ("CHUNK_BYTES", "5242879"),
            ("READ_AHEAD_BYTES", "much"),
            ("READ_AHEAD_BYTES", "1048575"),
            ("DEFAULT_ACCOUNT", "a/b"),
            ("POSTS_PER_DAY", "0"),
            ("POSTING_USERS_PER_DAY", "many"),
            ("REPOST_GUARD_DAYS", "3651"),
            ("REPOST_GUARD_DAYS", "-1"),
        ];
        for (name, value) in table {
            let error = read(&[(name, value)]).unwrap_err().to_string();
            assert!(error.contains(name) && error.contains(value), "{error}");
        }
    }
}
