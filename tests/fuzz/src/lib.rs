//! Fuzz targets: properties of the code that reads external input.
//!
//! Each target takes bytes that an external party could send, passes them to the
//! production code that reads them, and panics if a property is violated.
//! libFuzzer searches for such bytes (`targets/`, `make fuzz`). Inputs that reached
//! new code are stored in `corpus/`, which a test replays without libFuzzer.
//!
//! The targets use the crates' public functions only, and a real connection for
//! TikTok's responses. They do not know the correct result of an input; the unit
//! tests do. They check that there is a result, that it is not too long, that it
//! can be stored and read back, and that it displays no secret.
#![expect(clippy::expect_used, clippy::missing_panics_doc, reason = "libFuzzer detects a violated property by a panic")]

mod api_request;
mod authorization_response;
mod checks;
mod event;
mod fake_tiktok;
mod options;
mod tiktok_response;
mod upload_response;
mod video;
mod webhook;

pub use api_request::api_request;
pub use authorization_response::authorization_response;
pub use event::event;
pub use options::{metadata, preferences, sidecar};
pub use tiktok_response::tiktok_response;
pub use upload_response::upload_response;
pub use video::video;
pub use webhook::webhook;

/// A function that checks one input.
pub type Target = fn(&[u8]);

/// Every target, by the name of its binary, of its folder in `corpus/` and of its file
/// in `dictionaries/`.
pub const TARGETS: [(&str, Target); 10] = [
    ("api_request", api_request),
    ("authorization_response", authorization_response),
    ("event", event),
    ("metadata", metadata),
    ("preferences", preferences),
    ("sidecar", sidecar),
    ("tiktok_response", tiktok_response),
    ("upload_response", upload_response),
    ("video", video),
    ("webhook", webhook),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::panic::catch_unwind;
    use std::path::{Path, PathBuf};

    use super::*;

    fn in_crate(path: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
    }

    fn files(folder: &Path) -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        entries.filter(|path| path.is_file()).collect()
    }

    #[test]
    fn no_corpus_input_violates_a_property() {
        for (name, target) in TARGETS {
            let mut inputs = files(&in_crate("corpus").join(name));
            match name {
                "video" => inputs.extend(files(&in_crate("../fixtures"))),
                "event" => inputs.extend(files(&in_crate("../../events"))),
                _ => {}
            }
            assert!(!inputs.is_empty(), "{name} has no corpus");
            for path in inputs {
                let input = fs::read(&path).unwrap();
                assert!(catch_unwind(|| target(&input)).is_ok(), "{} violates a property of {name}", path.display());
            }
        }
    }

    #[test]
    fn every_target_has_binary_corpus_and_dictionary() {
        // The sets are compared for equality, so a superfluous entry fails too.
        let names: BTreeSet<_> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
        let manifest = fs::read_to_string(in_crate("Cargo.toml")).unwrap();
        let (_, bins) = manifest.split_once("[[bin]]").unwrap();
        let binaries: BTreeSet<_> = bins.lines().filter_map(|line| line.strip_prefix("name = ")).collect();
        assert_eq!(
            binaries,
            names.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().iter().map(String::as_str).collect()
        );
        for (folder, extension) in [("corpus", ""), ("dictionaries", ".txt"), ("targets", ".rs")] {
            let entries = fs::read_dir(in_crate(folder)).unwrap();
            let entries = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
            let entries: BTreeSet<_> = entries.map(|name| name.trim_end_matches(extension).to_owned()).collect();
            assert_eq!(entries, names, "{folder}");
        }
    }
}
