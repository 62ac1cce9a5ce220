//! The meaning of an object's key: a video, a sidecar, or the bytes of an upload.
//!
//! - `drop/<account>/…/<file>` with the extension `mp4`, `mov` or `webm` is a video of that account. `drop/<file>` is
//!   a video of the default account.
//! - `<file>.json` or `<file>.mp4.json` beside a video is its sidecar.
//! - `uploads/<post>/<file>` has the bytes of a post that the API created.
//!
//! Every other key is ignored, and the log of `publish` says why.

use crate::identity::{Alias, PostId};
use crate::video::Container;

/// The prefix of dropped videos and sidecars.
pub const DROP_PREFIX: &str = "drop/";
/// The prefix of objects that callers of the API upload.
pub const UPLOAD_PREFIX: &str = "uploads/";

/// The meaning of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DropKey {
    /// A video to post.
    Video {
        /// The account that the folder names. `None` is the default account.
        account: Option<Alias>,
    },
    /// A sidecar: the options of the video with the same name.
    Sidecar,
    /// The bytes that a post waits for.
    Upload {
        /// The post.
        post: PostId,
    },
    /// A key that is ignored.
    Ignored(Ignored),
}

/// Why a key is ignored. The text follows the key in a log message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Ignored {
    /// The key is outside of `drop/`, and under `uploads/` it has no post id.
    #[error("the key is neither under drop/ nor under uploads/<post id>/")]
    Elsewhere,
    /// The key is the marker of a folder.
    #[error("the key is a folder")]
    Folder,
    /// The file name starts with a dot.
    #[error("the file name starts with a dot")]
    Hidden,
    /// The file is neither a video nor a sidecar.
    #[error("the extension of the file is not .mp4, .mov, .webm or .json")]
    Extension,
    /// The name of the account's folder is not a valid alias.
    #[error("the folder's name is not a valid account alias (1 to 128 bytes, no '#', no control characters)")]
    Account,
}

impl DropKey {
    /// Returns the meaning of a key, which has no URL encoding.
    pub fn parse(key: &str) -> Self {
        Self::read(key).unwrap_or_else(Self::Ignored)
    }

    fn read(key: &str) -> Result<Self, Ignored> {
        if let Some((post, _)) = key.strip_prefix(UPLOAD_PREFIX).and_then(|path| path.split_once('/')) {
            return PostId::new(post).map(|post| Self::Upload { post }).map_err(|_| Ignored::Elsewhere);
        }
        let path = key.strip_prefix(DROP_PREFIX).ok_or(Ignored::Elsewhere)?;
        let (folder, file) = path.rsplit_once('/').map_or((None, path), |(folder, file)| (Some(folder), file));
        match extension(file) {
            _ if file.is_empty() => Err(Ignored::Folder),
            _ if file.starts_with('.') => Err(Ignored::Hidden),
            Some(extension) if extension.eq_ignore_ascii_case("json") => Ok(Self::Sidecar),
            Some(extension) if Container::from_extension(extension).is_some() => {
                // The first folder names the account. Folders inside it have no meaning.
                let account = folder.map(|path| Alias::new(path.split('/').next().unwrap_or(path))).transpose();
                account.map(|account| Self::Video { account }).map_err(|_| Ignored::Account)
            }
            _ => Err(Ignored::Extension),
        }
    }
}

/// A file name that an uploaded object cannot have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("file_name must have 1 to 200 bytes without '/' or control characters, and not begin with a dot")]
pub struct InvalidFileName;

/// Returns the key to which the caller uploads the bytes of a post.
///
/// # Errors
/// [`InvalidFileName`] if the file name is empty, longer than 200 bytes, starts with a dot, or contains `/` or a
/// control character.
pub fn upload_key(post: &PostId, file_name: &str) -> Result<String, InvalidFileName> {
    let is_valid = (1..=200).contains(&file_name.len()) && !file_name.starts_with('.');
    if is_valid && !file_name.contains(|c: char| c == '/' || c.is_control()) {
        Ok(format!("{UPLOAD_PREFIX}{post}/{file_name}"))
    } else {
        Err(InvalidFileName)
    }
}

/// Returns the keys that a video's sidecar can have: for `clip.mp4`, these are `clip.mp4.json` and `clip.json`.
pub fn sidecars_of(video_key: &str) -> [String; 2] {
    [format!("{video_key}.json"), format!("{}.json", without_extension(video_key))]
}

/// Returns the common prefix of all videos that can have this sidecar.
///
/// Other keys can have this prefix too; [`is_sidecar_of`] excludes them.
pub fn videos_prefix_of(sidecar_key: &str) -> &str {
    without_extension(sidecar_key)
}

/// Tells whether a key is one that the sidecar of this video can have.
pub fn is_sidecar_of(sidecar_key: &str, video_key: &str) -> bool {
    matches!(DropKey::parse(video_key), DropKey::Video { .. })
        && sidecars_of(video_key).iter().any(|key| key == sidecar_key)
}

/// Returns the extension of a key's file name without its dot. `.mp4` has no extension.
fn extension(key: &str) -> Option<&str> {
    let file = key.rsplit('/').next()?;
    file.rsplit_once('.').filter(|(stem, _)| !stem.is_empty()).map(|(_, extension)| extension)
}

fn without_extension(key: &str) -> &str {
    extension(key).map_or(key, |extension| &key[..key.len() - extension.len() - 1])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn video(account: Option<&str>) -> DropKey {
        DropKey::Video { account: account.map(|a| Alias::new(a).unwrap()) }
    }

    #[test]
    fn key_determines_kind_and_account() {
        let table = [
            ("drop/clip.mp4", video(None)),
            ("drop/anna/clip.MP4", video(Some("anna"))),
            ("drop/Anna/2026/may/clip.mov", video(Some("anna"))),
            ("drop/anna/ü ber+ & #1.webm", video(Some("anna"))),
            ("drop/anna/clip.json", DropKey::Sidecar),
            ("drop/anna/clip.mp4.json", DropKey::Sidecar),
            ("drop/anna/", DropKey::Ignored(Ignored::Folder)),
            ("drop/", DropKey::Ignored(Ignored::Folder)),
            ("drop/anna/.hidden.mp4", DropKey::Ignored(Ignored::Hidden)),
            ("drop/anna/clip.avi", DropKey::Ignored(Ignored::Extension)),
            ("drop/anna/mp4", DropKey::Ignored(Ignored::Extension)),
            ("drop//clip.mp4", DropKey::Ignored(Ignored::Account)),
            ("Drop/clip.mp4", DropKey::Ignored(Ignored::Elsewhere)),
            ("uploads/x/clip.mp4", DropKey::Ignored(Ignored::Elsewhere)),
            ("", DropKey::Ignored(Ignored::Elsewhere)),
        ];
        for (key, expected) in table {
            assert_eq!(DropKey::parse(key), expected, "{key}");
        }
    }

    #[test]
    fn upload_key_contains_post_id() {
        let post = PostId::new("a".repeat(32)).unwrap();
        let key = upload_key(&post, "Ü 1.mp4").unwrap();
        assert_eq!(key, format!("uploads/{post}/Ü 1.mp4"));
        assert_eq!(DropKey::parse(&key), DropKey::Upload { post: post.clone() });
        for name in ["", "a/b.mp4", ".mp4", "..", "a\n.mp4", &"x".repeat(201)] {
            assert_eq!(upload_key(&post, name), Err(InvalidFileName), "{name}");
        }
    }

    #[test]
    fn sidecar_key_matches_its_video_only() {
        assert_eq!(sidecars_of("drop/a.b/clip.mp4"), ["drop/a.b/clip.mp4.json", "drop/a.b/clip.json"]);
        for key in sidecars_of("drop/a.b/clip.v2.mov") {
            assert!(is_sidecar_of(&key, "drop/a.b/clip.v2.mov"));
            assert!("drop/a.b/clip.v2.mov".starts_with(videos_prefix_of(&key)), "{key}");
        }
        assert!(!is_sidecar_of("drop/a.b/clip.json", "drop/a.b/clip2.mp4"));
        assert!(!is_sidecar_of("drop/a.b/clip.json", "drop/a.b/clip.avi"));
    }
}
