//! A drop's options: from the request, the sidecar, the object's metadata, the
//! account and the stack, the most specific first.

use domain::account::{Account, Requirement};
use domain::drop_key::sidecars_of;
use domain::failure::{Failure, error_chain};
use domain::metadata::options_from_metadata;
use domain::options::{OptionsError, PostOptions};
use domain::post::{Approval, HoldReason, Post};
use domain::settings::Settings;
use domain::source::Source;
use futures::future::join_all;
use storage::{ObjectError, ObjectMeta};

use crate::exit::Exit;
use crate::posting::Posting;

impl Posting {
    /// Settles what the post goes out with, or tells what it waits for.
    pub(crate) fn settings(
        &self,
        post: &Post,
        object: &ObjectMeta,
        sidecar: Option<PostOptions>,
        account: &Account,
    ) -> Result<Settings, Exit> {
        let said = sidecar.is_some() || post.request != PostOptions::default();
        if !said && account.preferences.sidecar == Requirement::Required {
            return Err(Exit::Hold(HoldReason::Sidecar));
        }
        let metadata = object.metadata.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let metadata = options_from_metadata(metadata).map_err(|error| malformed(&error))?;
        let options = post.request.clone();
        let preferences = &account.preferences;
        let options = options.or(sidecar.unwrap_or_default()).or(metadata).or(preferences.defaults.clone());
        let frame = &preferences.title_frame;
        let settings = Settings::resolve_framed(&options, post.source.file_name(), &self.defaults, frame)
            .map_err(|error| refused(&error))?;
        let publish_at = options.publish_at.map(|at| at.instant(preferences.time_zone.as_ref())).transpose();
        let publish_at = publish_at.map_err(|error| refused(&error))?;
        let cut = |title: &&str| !title.trim().is_empty() && !settings.title.as_str().contains(title.trim());
        if let Some(whole) = options.title.as_deref().filter(cut) {
            let (given, kept) = (whole.encode_utf16().count(), settings.title.utf16_units());
            tracing::warn!(post.id = %post.id, title.given_units = given, title.kept_units = kept, "title cut to the limit");
        }
        if preferences.review == Requirement::Required && post.approval == Approval::NotGiven {
            return Err(Exit::Hold(HoldReason::Review));
        }
        match publish_at {
            Some(at) if at > self.now() => Err(Exit::Schedule(at)),
            _ => Ok(settings),
        }
    }

    /// The sidecar's options; two sidecars for one video are one too many.
    pub(crate) async fn sidecar(&self, source: &Source) -> Result<Option<PostOptions>, Exit> {
        let keys = sidecars_of(&source.key);
        let mut found: Option<PostOptions> = None;
        let read = join_all(keys.iter().map(|key| self.objects.sidecar(&source.bucket, key))).await;
        for (key, read) in keys.iter().zip(read) {
            let Some(bytes) = read.map_err(unreadable)? else {
                continue;
            };
            if found.is_some() {
                let message = format!("two files hold its options: {} and {}", keys[0], key);
                return Err(Exit::Fail(Failure::new(
                    "options_invalid",
                    message,
                    "Remove one of them, then drop the video again.",
                )));
            }
            let name = key.rsplit('/').next().unwrap_or(key);
            let place = format!("sidecar {name}");
            found = Some(PostOptions::from_json(&bytes, &place).map_err(|error| malformed(&error))?);
        }
        Ok(found)
    }
}

const FIX_OPTIONS: &str = "Mend the options and drop the video again; nothing was sent to TikTok.";

/// A sidecar that is too large is no sidecar; else the bucket is at fault.
fn unreadable(error: ObjectError) -> Exit {
    match error {
        ObjectError::TooLarge { .. } => {
            let message = format!("the sidecar cannot be read: {error}");
            Exit::Fail(Failure::new("options_malformed", message, FIX_OPTIONS))
        }
        error => error.into(),
    }
}

/// Options that can be read and cannot be.
fn refused(error: &dyn std::error::Error) -> Exit {
    Exit::Fail(Failure::new("options_invalid", error_chain(error), FIX_OPTIONS))
}

fn malformed(error: &OptionsError) -> Exit {
    Exit::Fail(Failure::new("options_malformed", error.to_string(), FIX_OPTIONS))
}
