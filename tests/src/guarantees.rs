//! Checks that each test named in `docs/guarantees.md` exists, so that a renamed or removed test is noticed there.

use std::fs;
use std::path::Path;

/// The page names a test as `path.rs::name`. The path is below `tests/` or `functions/`.
#[test]
fn each_test_named_in_guarantees_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let page = include_str!("../../docs/guarantees.md");
    let named: Vec<_> = page.split('`').filter_map(|code| code.split_once(".rs::")).collect();
    assert!(!named.is_empty(), "the page names tests");
    for (file, test) in named {
        let path = format!("{file}.rs");
        let read = |folder: &&str| fs::read_to_string(root.join(folder).join(&path)).ok();
        let source = ["tests", "functions"].iter().find_map(read).unwrap_or_default();
        let mut words = source.split(|c: char| !c.is_alphanumeric() && c != '_');
        assert!(words.any(|word| word == test), "{path} has no test {test}");
    }
}
