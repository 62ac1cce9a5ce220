//! What must hold of anything that others send, whatever it is.
//!
//! Each function here takes the bytes that somebody could have sent, hands them
//! to the code that reads them in production, and panics where a promise is
//! broken. libFuzzer looks for such bytes (`targets/`, `make fuzz`); those that
//! teach it something are kept in `corpus/`, which is replayed as a test.
//!
//! It goes through the crates' public doors alone, TikTok's answers through a real
//! connection. It does not know what a right answer is: that the unit tests
//! know. It knows that there is one, that it is no longer than it may be, that
//! it can be kept and read back, and that no secret is in it.
#![expect(
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "a broken promise is told by a panic; that is what libFuzzer listens to"
)]

mod answer;
mod consent;
mod event;
mod options;
mod request;
mod stage;
mod upload;
mod video;
mod webhook;
mod words;

pub use answer::answer;
pub use consent::consent;
pub use event::event;
pub use options::{metadata, preferences, sidecar};
pub use request::request;
pub use upload::upload;
pub use video::video;
pub use webhook::webhook;

/// What is done with an input.
pub type Target = fn(&[u8]);

/// Every target, by the name of its program and of its folder in `corpus/`.
pub const TARGETS: [(&str, Target); 10] = [
    ("answer", answer),
    ("consent", consent),
    ("event", event),
    ("metadata", metadata),
    ("preferences", preferences),
    ("request", request),
    ("sidecar", sidecar),
    ("upload", upload),
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

    fn here(path: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
    }

    fn files(folder: &Path) -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        entries.filter(|path| path.is_file()).collect()
    }

    #[test]
    fn every_kept_input_keeps_the_promises() {
        for (name, target) in TARGETS {
            let mut inputs = files(&here("corpus").join(name));
            match name {
                "video" => inputs.extend(files(&here("../fixtures"))),
                "event" => inputs.extend(files(&here("../../events"))),
                _ => {}
            }
            assert!(!inputs.is_empty(), "{name} has a corpus");
            for path in inputs {
                let input = fs::read(&path).unwrap();
                assert!(catch_unwind(|| target(&input)).is_ok(), "{} of {name} breaks a promise", path.display());
            }
        }
    }

    #[test]
    fn every_target_is_a_program_with_a_corpus_and_words_and_there_are_no_others() {
        let names: BTreeSet<_> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
        let manifest = fs::read_to_string(here("Cargo.toml")).unwrap();
        let (_, bins) = manifest.split_once("[[bin]]").unwrap();
        let programs: BTreeSet<_> = bins.lines().filter_map(|line| line.strip_prefix("name = ")).collect();
        assert_eq!(
            programs,
            names.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().iter().map(String::as_str).collect()
        );
        for (folder, ending) in [("corpus", ""), ("dictionaries", ".txt"), ("targets", ".rs")] {
            let there =
                fs::read_dir(here(folder)).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
            let there: BTreeSet<_> = there.map(|name| name.trim_end_matches(ending).to_owned()).collect();
            assert_eq!(there, names, "{folder}");
        }
    }
}
