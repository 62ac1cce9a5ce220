//! What a post goes out with: the options of all sources, settled.

use serde::{Deserialize, Serialize};

use crate::options::{Mode, PostOptions, PrivacyLevel};
use crate::title::{Title, TitleFrame, TitleFrameTooLong, TitleLimit, title_of_file};

/// Everything that a post's init says, decided.
#[expect(clippy::struct_excessive_bools, reason = "these are TikTok's own switches, each by its name")]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// The caption.
    pub title: Title,
    /// Posted, or sent to the inbox.
    pub mode: Mode,
    /// Who may see it; of no effect for a draft.
    pub privacy_level: PrivacyLevel,
    /// No comments.
    pub disable_comment: bool,
    /// No duets.
    pub disable_duet: bool,
    /// No stitches.
    pub disable_stitch: bool,
    /// The cover's frame, in milliseconds from the start.
    pub cover_timestamp_ms: Option<i32>,
    /// A paid partnership with a third party.
    pub brand_content: bool,
    /// Promotes the creator's own business.
    pub brand_organic: bool,
    /// Made by artificial intelligence.
    pub ai_generated: bool,
}

/// What the stack says where nobody else does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StackDefaults {
    /// Posted, or sent to the inbox.
    pub mode: Mode,
    /// Who may see it.
    pub privacy_level: PrivacyLevel,
    /// How long a title may be.
    pub title_limit: TitleLimit,
}

/// Options that contradict each other or TikTok's rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// TikTok forbids private branded content.
    /// <https://developers.tiktok.com/doc/content-sharing-guidelines>
    #[error("branded content cannot be private: with brand_content, choose a privacy_level other than SELF_ONLY")]
    BrandedContentIsPrivate,
    /// No title fits between what the account puts around it.
    #[error("the account's title cannot be framed: shorten its title_prefix or title_suffix")]
    TitleFrame(
        #[from]
        #[source]
        TitleFrameTooLong,
    ),
}

impl Settings {
    /// Settles the options; the title falls back to the file's name.
    ///
    /// # Errors
    /// Refuses what TikTok forbids, before anything is sent.
    pub fn resolve(options: &PostOptions, file_name: &str, stack: &StackDefaults) -> Result<Self, SettingsError> {
        Self::resolve_framed(options, file_name, stack, &TitleFrame::default())
    }

    /// Settles the options for an account that frames its titles.
    ///
    /// # Errors
    /// Refuses what TikTok forbids, and a frame that leaves no room.
    pub fn resolve_framed(
        options: &PostOptions,
        file_name: &str,
        stack: &StackDefaults,
        frame: &TitleFrame,
    ) -> Result<Self, SettingsError> {
        let title = options.title.as_deref().filter(|title| !title.trim().is_empty());
        let settings = Self {
            title: frame.around(title.unwrap_or_else(|| title_of_file(file_name)), stack.title_limit)?,
            mode: options.mode.unwrap_or(stack.mode),
            privacy_level: options.privacy_level.unwrap_or(stack.privacy_level),
            disable_comment: options.disable_comment.unwrap_or(false),
            disable_duet: options.disable_duet.unwrap_or(false),
            disable_stitch: options.disable_stitch.unwrap_or(false),
            cover_timestamp_ms: options.cover_timestamp_ms,
            brand_content: options.brand_content.unwrap_or(false),
            brand_organic: options.brand_organic.unwrap_or(false),
            ai_generated: options.ai_generated.unwrap_or(false),
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
    fn without_options_the_stack_and_the_file_speak() {
        let settings = Settings::resolve(&PostOptions::default(), "my summer holiday.mp4", &stack()).unwrap();
        assert_eq!(settings.title.as_str(), "my summer");
        assert_eq!(settings.privacy_level, PrivacyLevel::SelfOnly);
    }

    #[test]
    fn a_blank_title_is_no_title() {
        let options = PostOptions { title: Some("  ".into()), ..PostOptions::default() };
        assert_eq!(Settings::resolve(&options, "a.mp4", &stack()).unwrap().title.as_str(), "a");
    }

    #[test]
    fn the_accounts_frame_is_around_the_files_name_too() {
        let frame = TitleFrame::new("", " #a");
        let settings = Settings::resolve_framed(&PostOptions::default(), "holiday.mp4", &stack(), &frame).unwrap();
        assert_eq!(settings.title.as_str(), "holiday #a");
        let wide = TitleFrame::new("0123456789", "!");
        let refused = Settings::resolve_framed(&PostOptions::default(), "a.mp4", &stack(), &wide);
        assert!(matches!(refused, Err(SettingsError::TitleFrame(_))), "{refused:?}");
    }

    #[test]
    fn private_branded_content_is_refused_unless_it_is_a_draft() {
        let branded = PostOptions { brand_content: Some(true), ..PostOptions::default() };
        assert_eq!(Settings::resolve(&branded, "a.mp4", &stack()), Err(SettingsError::BrandedContentIsPrivate));
        let draft = PostOptions { mode: Some(Mode::Draft), ..branded };
        assert!(Settings::resolve(&draft, "a.mp4", &stack()).is_ok());
    }
}
