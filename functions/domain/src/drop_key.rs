//! The meaning of an object's key: a video, a sidecar, or the bytes of an upload.
//!
//! - `drop/<account>/…/<file>` with the extension `mp4`, `m4v`, `mov` or `webm` is a video of that account.
//!   `drop/<file>` is a video of the default account.
//! - `<file>.json` or `<file>.mp4.json` beside a video is its sidecar ([`sidecar`]).
//! - `uploads/<post>/<file>` has the bytes of a post that the API created.
//!
//! Every other key is ignored ([`Ignored`]).
//!
//! Keys are compared byte for byte. `.` and `..` are folders like any other: `drop/anna/../clip.mp4` is a video of anna.

mod ignored;
pub mod sidecar;

pub use ignored::Ignored;

use crate::identity::{Alias, PostId};
use crate::video::Container;

/// The prefix of dropped videos and sidecars.
pub const DROP_PREFIX: &str = "drop/";
/// The prefix of objects that callers of the API upload.
pub const UPLOAD_PREFIX: &str = "uploads/";
/// The longest key of an S3 object, in bytes.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html>
pub const MAX_KEY_BYTES: usize = 1024;

/// The meaning of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DropKey {
    /// A video to post.
    Video {
        /// The account that the folder names, which may not exist. `None` is the default account.
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

impl DropKey {
    /// Returns the meaning of a key, which has no URL encoding.
    pub fn parse(key: &str) -> Self {
        Self::read(key).unwrap_or_else(Self::Ignored)
    }

    fn read(key: &str) -> Result<Self, Ignored> {
        if let Some(path) = key.strip_prefix(UPLOAD_PREFIX) {
            require_file(path)?;
            let post = path.split_once('/').and_then(|(post, _)| PostId::new(post).ok());
            return post.map(|post| Self::Upload { post }).ok_or(Ignored::NoPost);
        }
        let path = key.strip_prefix(DROP_PREFIX).ok_or(Ignored::Elsewhere)?;
        match extension(require_file(path)?) {
            Some(extension) if extension.eq_ignore_ascii_case("json") => Ok(Self::Sidecar),
            Some(extension) if Container::from_extension(extension).is_some() => {
                // The first folder names the account. Folders inside it have no meaning.
                let folder = path.split_once('/').map(|(folder, _)| folder);
                Ok(Self::Video { account: folder.map(Alias::of_folder) })
            }
            _ => Err(Ignored::Extension),
        }
    }
}

/// Returns the file name of a path, unless the path is the marker of a folder or a hidden file.
fn require_file(path: &str) -> Result<&str, Ignored> {
    match path.rsplit('/').next().unwrap_or(path) {
        // The S3 console marks a folder with an empty file name, and Hadoop with this ending.
        "" => Err(Ignored::Folder),
        file if file.ends_with("_$folder$") => Err(Ignored::Folder),
        file if file.starts_with('.') => Err(Ignored::Hidden),
        file => Ok(file),
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

    fn video(folder: Option<&str>) -> DropKey {
        DropKey::Video { account: folder.map(Alias::of_folder) }
    }

    #[test]
    fn key_determines_kind_and_account() {
        let table = [
            ("drop/clip.mp4", video(None)),
            ("drop/anna/clip.MP4", video(Some("anna"))),
            ("drop/anna/clip.m4v", video(Some("anna"))),
            ("drop/anna/2026/may/clip.mov", video(Some("anna"))),
            ("drop/anna/ü ber+ & #1.webm", video(Some("anna"))),
            ("drop/anna/clip.json", DropKey::Sidecar),
            ("drop/anna/clip.mp4.json", DropKey::Sidecar),
            ("drop/anna/", DropKey::Ignored(Ignored::Folder)),
            ("drop/", DropKey::Ignored(Ignored::Folder)),
            ("drop/anna_$folder$", DropKey::Ignored(Ignored::Folder)),
            ("uploads/", DropKey::Ignored(Ignored::Folder)),
            ("drop/anna/.hidden.mp4", DropKey::Ignored(Ignored::Hidden)),
            ("drop/anna/.DS_Store", DropKey::Ignored(Ignored::Hidden)),
            ("drop/anna/clip.avi", DropKey::Ignored(Ignored::Extension)),
            ("drop/anna/mp4", DropKey::Ignored(Ignored::Extension)),
            ("Drop/clip.mp4", DropKey::Ignored(Ignored::Elsewhere)),
            ("uploads/x/clip.mp4", DropKey::Ignored(Ignored::NoPost)),
            ("uploads/clip.mp4", DropKey::Ignored(Ignored::NoPost)),
            ("", DropKey::Ignored(Ignored::Elsewhere)),
        ];
        for (key, expected) in table {
            assert_eq!(DropKey::parse(key), expected, "{key}");
        }
    }

    #[test]
    fn folder_with_other_case_is_not_the_account() {
        let anna = Alias::new("anna").unwrap();
        for key in ["drop/Anna/clip.mp4", "drop//clip.mp4", "drop/./anna/clip.mp4", "drop/../anna/clip.mp4"] {
            let DropKey::Video { account: Some(account) } = DropKey::parse(key) else { panic!("{key} is no video") };
            assert!(account != anna && !account.is_valid(), "{key}");
        }
    }

    #[test]
    fn dots_and_empty_folders_have_no_meaning() {
        for key in ["drop/anna/x/./a.mp4", "drop/anna//a.mp4", "drop/anna/../a.mp4", "drop/anna/../ceo/a.mp4"] {
            assert_eq!(DropKey::parse(key), video(Some("anna")), "{key}");
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
}
