//! Resolves a post's options. Five sources can state an option, and the first one wins: the API request, the sidecar,
//! the object's metadata, the account's preferences, and the stack's defaults.

use domain::account::{Account, Requirement};
use domain::drop_key::sidecar;
use domain::failure::error_chain;
use domain::metadata::{options_from_metadata, unprefixed_options};
use domain::notes;
use domain::options::{OptionsError, PostOptions};
use domain::post::{Approval, HoldReason, Post, Repost};
use domain::reason::Reason;
use domain::settings::{Settings, StackDefaults};
use domain::source::Source;
use futures::future::join_all;
use jiff::Timestamp;
use storage::{ObjectError, ObjectMeta, Objects};

use crate::exit::Exit;

/// The result of all options of a post.
pub(super) struct ResolvedOptions {
    pub(super) settings: Settings,
    /// Whether the post may publish a video that the account has posted before.
    pub(super) repost: Repost,
    /// The exit if the post must wait for a review or for its publish time.
    pub(super) wait: Option<Exit>,
}

/// Resolves a post's settings from all its options. Appends to `notes` what a person should know about options that have
/// no effect; also if it returns an error.
///
/// # Errors
/// The options are invalid, or the post must wait for its sidecar.
pub(super) fn resolve_settings(
    post: &Post,
    object: &ObjectMeta,
    sidecar: Option<PostOptions>,
    account: &Account,
    defaults: StackDefaults,
    now: Timestamp,
    notes: &mut Vec<String>,
) -> Result<ResolvedOptions, Exit> {
    let preferences = &account.preferences;
    let metadata = || object.metadata.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    notes.extend(notes::metadata_ignored(&unprefixed_options(metadata())));
    notes.extend(notes::metadata_missing(object.missing_metadata));
    // Options in the object's metadata do not replace a required sidecar.
    let has_own = sidecar.is_some() || post.request != PostOptions::default();
    if !has_own && preferences.sidecar == Requirement::Required {
        return Err(Exit::Hold(HoldReason::Sidecar));
    }
    let metadata = options_from_metadata(metadata()).map_err(|error| malformed(&error))?;
    let options = post.request.clone().or(sidecar.unwrap_or_default()).or(metadata).or(preferences.defaults.clone());
    let (file_name, frame) = (post.source.file_name(), &preferences.title_frame);
    let settings = Settings::resolve_framed(&options, file_name, &defaults, frame).map_err(|error| invalid(&error))?;
    notes.extend(notes::on_settings(&options, file_name, frame, &settings));
    let publish_at = options.publish_at.map(|at| at.instant(preferences.time_zone.as_ref())).transpose();
    let publish_at = publish_at.map_err(|error| invalid(&error))?;
    let wait = if preferences.review == Requirement::Required && post.approval == Approval::NotGiven {
        Some(Exit::Hold(HoldReason::Review))
    } else {
        publish_at.filter(|at| *at > now).map(Exit::Schedule)
    };
    let repost = if options.repost == Some(true) { Repost::Requested } else { post.repost };
    Ok(ResolvedOptions { settings, repost, wait })
}

/// Loads the options of a video's sidecar, if it has one. Two sidecars for one video are an error, also if their names
/// differ only in Unicode form.
pub(super) async fn load_sidecar(objects: &Objects, source: &Source) -> Result<Option<PostOptions>, Exit> {
    let keys = sidecar::keys_of(&source.key);
    let mut found: Option<(&str, PostOptions)> = None;
    let read = join_all(keys.iter().map(|key| objects.sidecar(&source.bucket, key))).await;
    for (key, read) in keys.iter().zip(read) {
        let read = read.map_err(|error| match error {
            ObjectError::TooLarge { .. } => {
                Exit::fail(Reason::OptionsMalformed, format!("the sidecar cannot be read: {error}"))
            }
            error => error.into(),
        });
        let Some(bytes) = read? else { continue };
        let name = sidecar::name_in_message(key);
        if let Some((first, _)) = found {
            let first = sidecar::name_in_message(first);
            let message = format!("two files hold its options, of which one must be removed: {first} and {name}");
            return Err(Exit::fail(Reason::OptionsInvalid, message));
        }
        let options = PostOptions::from_json(&bytes, &format!("sidecar {name}")).map_err(|error| malformed(&error))?;
        found = Some((key, options));
    }
    Ok(found.map(|(_, options)| options))
}

fn invalid(error: &dyn std::error::Error) -> Exit {
    Exit::fail(Reason::OptionsInvalid, error_chain(error))
}

fn malformed(error: &OptionsError) -> Exit {
    Exit::fail(Reason::OptionsMalformed, error.to_string())
}
