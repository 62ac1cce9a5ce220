//! The parameters of the use cases, read as text once at cold start.

use std::fmt::Display;
use std::num::NonZeroU32;
use std::str::FromStr;

use domain::chunk::ChunkCeiling;
use domain::identity::Alias;
use domain::options::{Mode, PrivacyLevel};
use domain::settings::StackDefaults;
use domain::title::TitleLimit;
use storage::Window;
use tiktok::UploadHosts;

/// Which variable is missing or malformed, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the variable {name} {problem}")]
pub struct ConfigError {
    name: &'static str,
    problem: String,
}

/// What the operator configures.
#[derive(Debug, Clone)]
pub struct Config {
    /// `POSTS_TABLE`: the table of posts.
    pub posts_table: String,
    /// `ACCOUNTS_TABLE`: the table of accounts.
    pub accounts_table: String,
    /// `LIMITS_TABLE`: the table that counts calls against TikTok's limits.
    pub limits_table: String,
    /// `INTAKE_QUEUE_URL`: the queue whose messages wake `publish`.
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
    /// `DEFAULT_MODE`, `DEFAULT_PRIVACY_LEVEL`, `TITLE_LIMIT` (UTF-16 code units).
    pub defaults: StackDefaults,
    /// `CHUNK_BYTES`: the largest chunk, in bytes.
    pub chunk_ceiling: ChunkCeiling,
    /// `READ_AHEAD_BYTES`: how many bytes of a video may be in memory.
    pub window: Window,
    /// `POSTS_PER_DAY`: how many direct posts TikTok is assumed to allow an account in 24 hours.
    pub posts_per_day: u32,
    /// `POSTING_USERS_PER_DAY`: how many accounts TikTok lets post directly in 24 hours; 0 means unknown.
    pub posting_users: Option<NonZeroU32>,
}

/// The base URL of TikTok's API.
const TIKTOK_API: &str = "https://open.tiktokapis.com";
/// The hosts of TikTok's upload URLs.
const UPLOAD_HOSTS: &str = ".tiktokapis.com";
/// The largest chunk that TikTok allows, in bytes. TikTok takes time for each chunk, so fewer chunks are faster; and a
/// lost chunk is sent again within seconds.
const CHUNK_BYTES: &str = "64000000";
/// Enough to bridge the time to S3's first byte while TikTok takes 90 MB per second, in bytes.
const READ_AHEAD_BYTES: &str = "5242880";
/// "Typically around 15", according to TikTok.
/// <https://developers.tiktok.com/doc/content-sharing-guidelines>
const POSTS_PER_DAY: &str = "15";
/// The maximum of both daily limits: each is counted in a single table item, whose size is bounded.
const MAX_PER_DAY: u32 = 1000;

impl Config {
    /// Reads the parameters.
    ///
    /// # Errors
    /// Names the first variable that is missing or malformed.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let variable = &variable;
        Ok(Self {
            posts_table: required(variable, "POSTS_TABLE")?,
            accounts_table: required(variable, "ACCOUNTS_TABLE")?,
            limits_table: required(variable, "LIMITS_TABLE")?,
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

/// Returns a variable that must be set.
pub(crate) fn required(variable: impl Fn(&str) -> Option<String>, name: &'static str) -> Result<String, ConfigError> {
    variable(name).ok_or_else(|| ConfigError { name, problem: "is not set; the template sets it".into() })
}

/// Parses a variable, or its default if it is not set.
fn optional<T, E: Display>(
    variable: impl Fn(&str) -> Option<String>,
    name: &'static str,
    default: &str,
    parse: impl Fn(&str) -> Result<T, E>,
) -> Result<T, ConfigError> {
    parsed(name, &variable(name).unwrap_or_else(|| default.to_owned()), parse)
}

/// Parses a variable's value; the error states both.
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
    use crate::connect::ConnectConfig;
    use crate::create::Intake;
    use crate::webhooks::WebhookConfig;

    const REQUIRED: [&str; 6] =
        ["POSTS_TABLE", "ACCOUNTS_TABLE", "LIMITS_TABLE", "INTAKE_QUEUE_URL", "TOKENS_KEY_ID", "APP_SECRET_ARN"];

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
    }

    #[test]
    fn template_defaults_work_for_unaudited_app() {
        let template = include_str!("../../../template.yaml");
        let default_of = |parameter: &str| {
            let section = template.split(&format!("\n  {parameter}:\n")).nth(1).unwrap();
            section.lines().find_map(|line| line.trim().strip_prefix("Default: ")).unwrap()
        };
        assert_eq!((default_of("DefaultMode"), default_of("DefaultPrivacyLevel")), ("draft", "SELF_ONLY"));
    }

    /// The variables that a part of the template sets: one level below its line `Variables:`.
    fn set_in(part: &str) -> BTreeSet<String> {
        let (before, variables) = part.split_once(" Variables:\n").unwrap_or_default();
        let indent = before.len() - before.trim_end_matches(' ').len() + 3;
        let lines = variables.lines().take_while(|line| line.starts_with(&" ".repeat(indent)));
        let named = lines.filter_map(|line| line[indent..].split_once(':')).map(|(name, _)| name);
        named.filter(|name| name.chars().all(|c| c.is_ascii_uppercase() || c == '_')).map(str::to_owned).collect()
    }

    #[test]
    fn template_sets_exactly_the_variables_each_function_reads() {
        let template = include_str!("../../../template.yaml");
        let (globals, _) = template.split_once("\nResources:\n").unwrap();
        let set_for = |function: &str| {
            let mut set = set_in(globals.split_once("\nGlobals:\n").unwrap().1);
            set.extend(set_in(resource(template, function)));
            set
        };
        let read = RefCell::new(BTreeSet::new());
        let record = |name: &str| {
            read.borrow_mut().insert(name.to_owned());
            Some(REQUIRED.iter().find(|required| **required == name)?.to_string())
        };
        let also = |names: &[&str]| read.borrow_mut().extend(names.iter().map(|name| (*name).to_owned()));
        Config::read(record).unwrap();
        // The other readers of the environment: `runtime::telemetry` and `runtime::metrics`.
        also(&["LOG_LEVEL", "METRICS_NAMESPACE"]);
        assert_eq!(set_for("StatusFunction"), *read.borrow());
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
        assert_eq!(set_for("ApiFunction"), read.take());
        // The C library reads some variables in `publish`. Those of `notices` are found in its main.
        Config::read(record).unwrap();
        also(&["LOG_LEVEL", "METRICS_NAMESPACE"]);
        also(&["MALLOC_ARENA_MAX", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"]);
        assert_eq!(set_for("PublishFunction"), read.take());
        let main = include_str!("../../notices/src/main.rs");
        also(&main.split("variable(\"").skip(1).filter_map(|rest| rest.split('"').next()).collect::<Vec<_>>());
        also(&["LOG_LEVEL"]);
        assert_eq!(set_for("NoticesFunction"), read.take());
    }

    fn resource<'a>(template: &'a str, name: &str) -> &'a str {
        let rest = template.split(&format!("\n  {name}:\n")).nth(1).unwrap();
        rest.split("\n\n").next().unwrap()
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
        ];
        for (name, value) in table {
            let error = read(&[(name, value)]).unwrap_err().to_string();
            assert!(error.contains(name) && error.contains(value), "{error}");
        }
    }
}
