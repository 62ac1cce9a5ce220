//! Resolves a post's options. Five sources can state an option, and the first one wins: the API request, the sidecar,
//! the object's metadata, the account's preferences, and the stack's defaults.

use domain::account::{Account, Requirement};
use domain::drop_key::sidecars_of;
use domain::failure::error_chain;
use domain::metadata::options_from_metadata;
use domain::options::{OptionsError, PostOptions};
use domain::post::{Approval, HoldReason, Post};
use domain::reason::Reason;
use domain::settings::{Settings, StackDefaults};
use domain::source::Source;
use futures::future::join_all;
use jiff::Timestamp;
use storage::{ObjectError, ObjectMeta, Objects};

use crate::exit::Exit;

/// Resolves a post's settings from all its options.
///
/// # Errors
/// The options are invalid, or the post must wait for a sidecar, a review, or its publish time.
pub(super) fn resolve_settings(
    post: &Post,
    object: &ObjectMeta,
    sidecar: Option<PostOptions>,
    account: &Account,
    defaults: StackDefaults,
    now: Timestamp,
) -> Result<Settings, Exit> {
    let preferences = &account.preferences;
    // Options in the object's metadata do not replace a required sidecar.
    let has_own = sidecar.is_some() || post.request != PostOptions::default();
    if !has_own && preferences.sidecar == Requirement::Required {
        return Err(Exit::Hold(HoldReason::Sidecar));
    }
    let metadata = object.metadata.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let metadata = options_from_metadata(metadata).map_err(|error| malformed(&error))?;
    let options = post.request.clone().or(sidecar.unwrap_or_default()).or(metadata).or(preferences.defaults.clone());
    let settings = Settings::resolve_framed(&options, post.source.file_name(), &defaults, &preferences.title_frame)
        .map_err(|error| invalid(&error))?;
    let publish_at = options.publish_at.map(|at| at.instant(preferences.time_zone.as_ref())).transpose();
    let publish_at = publish_at.map_err(|error| invalid(&error))?;
    let was_cut = |title: &&str| !title.trim().is_empty() && !settings.title.as_str().contains(title.trim());
    if let Some(whole) = options.title.as_deref().filter(was_cut) {
        let (given, kept) = (whole.encode_utf16().count(), settings.title.utf16_units());
        tracing::warn!(post.id = %post.id, title.given_units = given, title.kept_units = kept, "title cut to the limit");
    }
    if preferences.review == Requirement::Required && post.approval == Approval::NotGiven {
        return Err(Exit::Hold(HoldReason::Review));
    }
    match publish_at {
        Some(at) if at > now => Err(Exit::Schedule(at)),
        _ => Ok(settings),
    }
}

/// Loads the options of a video's sidecar, if it has one. Two sidecars for one video are an error.
pub(super) async fn load_sidecar(objects: &Objects, source: &Source) -> Result<Option<PostOptions>, Exit> {
    let keys = sidecars_of(&source.key);
    let mut found: Option<PostOptions> = None;
    let read = join_all(keys.iter().map(|key| objects.sidecar(&source.bucket, key))).await;
    for (key, read) in keys.iter().zip(read) {
        let read = read.map_err(|error| match error {
            ObjectError::TooLarge { .. } => {
                Exit::fail(Reason::OptionsMalformed, format!("the sidecar cannot be read: {error}"))
            }
            error => error.into(),
        });
        let Some(bytes) = read? else { continue };
        if found.is_some() {
            let message = format!("two files hold its options, of which one must be removed: {} and {key}", keys[0]);
            return Err(Exit::fail(Reason::OptionsInvalid, message));
        }
        let name = key.rsplit('/').next().unwrap_or(key);
        found = Some(PostOptions::from_json(&bytes, &format!("sidecar {name}")).map_err(|error| malformed(&error))?);
    }
    Ok(found)
}

fn invalid(error: &dyn std::error::Error) -> Exit {
    Exit::fail(Reason::OptionsInvalid, error_chain(error))
}

fn malformed(error: &OptionsError) -> Exit {
    Exit::fail(Reason::OptionsMalformed, error.to_string())
}
