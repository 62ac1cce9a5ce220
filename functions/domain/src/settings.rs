//! The settings of a post: the result of its options and the stack's defaults.

use serde::{Deserialize, Serialize};

use crate::options::{Mode, PostOptions, PrivacyLevel};
use crate::title::{Title, TitleFrame, TitleFrameTooLong, TitleLimit, title_of_file};

/// The settings with which a post is sent to TikTok. Each option of [`PostOptions`] has its final value. Two are
/// missing, because TikTok does not get them: `publish_at`, a time that the post's state has, and `repost`.
#[expect(clippy::struct_excessive_bools, reason = "TikTok's API has these switches")]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(
        description = "The settings with which the post is sent to TikTok, resolved from all sources of options."
    )
)]
pub struct Settings {
    /// The caption.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub title: Title,
    /// Whether TikTok publishes the video or sends it to the creator's inbox as a draft.
    pub mode: Mode,
    /// Who can see the post. A draft ignores it.
    pub privacy_level: PrivacyLevel,
    /// Forbids comments.
    pub disable_comment: bool,
    /// Forbids duets.
    pub disable_duet: bool,
    /// Forbids stitches.
    pub disable_stitch: bool,
    /// The frame that is shown as cover, in milliseconds from the start of the video.
    pub cover_timestamp_ms: Option<i32>,
    /// Discloses a paid partnership with a third party.
    pub brand_content: bool,
    /// Discloses that the post promotes the creator's own business.
    pub brand_organic: bool,
    /// Labels the video as made by artificial intelligence.
    pub ai_generated: bool,
}

/// The stack's defaults: parameters of the template for options that no source sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StackDefaults {
    /// The default of `mode`.
    pub mode: Mode,
    /// The default of `privacy_level`.
    pub privacy_level: PrivacyLevel,
    /// The maximum length of a title.
    pub title_limit: TitleLimit,
}

/// Options that contradict each other or TikTok's rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// A direct post with branded content is private. TikTok's [content sharing
    /// guidelines](https://developers.tiktok.com/doc/content-sharing-guidelines) forbid this.
    #[error("branded content cannot be private: with brand_content, choose a privacy_level other than SELF_ONLY")]
    BrandedContentIsPrivate,
    /// The account's title prefix and suffix are longer than a title may be.
    #[error("the title prefix and suffix of the account are too long: shorten title_prefix or title_suffix")]
    TitleFrame(
        #[from]
        #[source]
        TitleFrameTooLong,
    ),
}

impl Settings {
    /// Resolves options without a title prefix and suffix. Without a title, the file name is the title.
    ///
    /// # Errors
    /// [`SettingsError`] if TikTok would reject the settings.
    pub fn resolve(options: &PostOptions, file_name: &str, stack: &StackDefaults) -> Result<Self, SettingsError> {
        Self::resolve_framed(options, file_name, stack, &TitleFrame::default())
    }

    /// Resolves options, with the account's title prefix and suffix around the title.
    ///
    /// # Errors
    /// [`SettingsError`] if TikTok would reject the settings, or prefix and suffix exceed the title limit.
    pub fn resolve_framed(
        options: &PostOptions,
        file_name: &str,
        stack: &StackDefaults,
        frame: &TitleFrame,
    ) -> Result<Self, SettingsError> {
        // Without `..`, so that the compiler reports a new option that is not resolved here.
        let PostOptions {
            title,
            mode,
            privacy_level,
            disable_comment,
            disable_duet,
            disable_stitch,
            cover_timestamp_ms,
            brand_content,
            brand_organic,
            ai_generated,
            publish_at: _,
            repost: _,
        } = options;
        let title = title.as_deref().filter(|title| !title.trim().is_empty());
        let settings = Self {
            title: frame.around(title.unwrap_or_else(|| title_of_file(file_name)), stack.title_limit)?,
            mode: mode.unwrap_or(stack.mode),
            privacy_level: privacy_level.unwrap_or(stack.privacy_level),
            disable_comment: disable_comment.unwrap_or(false),
            disable_duet: disable_duet.unwrap_or(false),
            disable_stitch: disable_stitch.unwrap_or(false),
            cover_timestamp_ms: *cover_timestamp_ms,
            brand_content: brand_content.unwrap_or(false),
            brand_organic: brand_organic.unwrap_or(false),
            ai_generated: ai_generated.unwrap_or(false),
        };
        let private = settings.privacy_level == PrivacyLevel::SelfOnly;
        if settings.mode == Mode::Direct && settings.brand_content && private {
            return Err(SettingsError::BrandedContentIsPrivate);
        }
        Ok(settings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stack() -> StackDefaults {
        StackDefaults {
            mode: Mode::Direct,
            privacy_level: PrivacyLevel::SelfOnly,
            title_limit: TitleLimit::new(10).unwrap(),
        }
    }

    #[test]
    fn defaults_come_from_stack_and_file_name() {
        let settings = Settings::resolve(&PostOptions::default(), "my summer holiday.mp4", &stack()).unwrap();
        assert_eq!(settings.title.as_str(), "my summer");
        assert_eq!(settings.privacy_level, PrivacyLevel::SelfOnly);
    }

    #[test]
    fn blank_title_counts_as_missing() {
        let options = PostOptions { title: Some("  ".into()), ..PostOptions::default() };
        assert_eq!(Settings::resolve(&options, "a.mp4", &stack()).unwrap().title.as_str(), "a");
    }

    #[test]
    fn frame_surrounds_title_from_file_name() {
        let frame = TitleFrame::new("", " #a");
        let settings = Settings::resolve_framed(&PostOptions::default(), "holiday.mp4", &stack(), &frame).unwrap();
        assert_eq!(settings.title.as_str(), "holiday #a");
        let too_long = TitleFrame::new("0123456789", "!");
        let error = Settings::resolve_framed(&PostOptions::default(), "a.mp4", &stack(), &too_long);
        assert!(matches!(error, Err(SettingsError::TitleFrame(_))), "{error:?}");
    }

    #[test]
    fn private_branded_content_is_error_unless_draft() {
        let branded = PostOptions { brand_content: Some(true), ..PostOptions::default() };
        assert_eq!(Settings::resolve(&branded, "a.mp4", &stack()), Err(SettingsError::BrandedContentIsPrivate));
        let draft = PostOptions { mode: Some(Mode::Draft), ..branded };
        assert!(Settings::resolve(&draft, "a.mp4", &stack()).is_ok());
    }
}
