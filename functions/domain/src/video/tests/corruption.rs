//! Property tests with corrupted and random bytes: each inspection ends without a panic and within the read limits.
//! [`Object::inspect`] checks the limits.

use proptest::prelude::*;

use super::object::Object;

/// Complete fixtures, which the tests corrupt.
const COMPLETE: [&str; 10] = [
    "header-first.mp4",
    "header-last.mp4",
    "header-last.mov",
    "fragmented.mp4",
    "fragmented-index-with-audio.mp4",
    "fragmented-index-each.mp4",
    "rotated.mp4",
    "hevc.mp4",
    "vp8.webm",
    "live.webm",
];

/// A random change of a file's bytes.
#[derive(Clone, Debug)]
enum Corruption {
    Truncate(prop::sample::Index),
    SetByte(prop::sample::Index, u8),
    SetU32(prop::sample::Index, u32),
    Insert(prop::sample::Index, Vec<u8>),
    Remove(prop::sample::Index, usize),
}

impl Corruption {
    fn any() -> impl Strategy<Value = Self> {
        let word = prop_oneof![Just(0), Just(1), Just(u32::MAX), Just(0x7fff_ffff), any::<u32>()];
        prop_oneof![
            1 => any::<prop::sample::Index>().prop_map(Self::Truncate),
            4 => any::<(prop::sample::Index, u8)>().prop_map(|(at, byte)| Self::SetByte(at, byte)),
            4 => (any::<prop::sample::Index>(), word).prop_map(|(at, word)| Self::SetU32(at, word)),
            2 => any::<(prop::sample::Index, [u8; 8])>()
                .prop_map(|(at, bytes)| Self::Insert(at, bytes.to_vec())),
            2 => (any::<prop::sample::Index>(), 1..64_usize)
                .prop_map(|(at, len)| Self::Remove(at, len)),
        ]
    }

    fn apply(self, bytes: &mut Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        let len = bytes.len();
        match self {
            Self::Truncate(at) => bytes.truncate(at.index(len)),
            Self::SetByte(at, byte) => bytes[at.index(len)] = byte,
            Self::SetU32(at, word) => {
                let at = at.index(len);
                let until = (at + 4).min(len);
                bytes[at..until].copy_from_slice(&word.to_be_bytes()[..until - at]);
            }
            Self::Insert(at, more) => {
                let at = at.index(len);
                bytes.splice(at..at, more);
            }
            Self::Remove(at, count) => {
                let at = at.index(len);
                bytes.drain(at..(at + count).min(len));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn corrupted_files_end_within_read_limit(
        name in prop::sample::select(&COMPLETE[..]),
        corruptions in prop::collection::vec(Corruption::any(), 1..12),
        padding in prop_oneof![Just(0_u64), Just(100_000), Just(u64::MAX / 2)],
    ) {
        let mut object = Object::fixture(name);
        for corruption in corruptions {
            corruption.apply(&mut object.parts[0].1);
        }
        object.size = object.parts[0].1.len() as u64 + padding;
        if let Ok(facts) = object.inspect().0 {
            prop_assert!(facts.width != Some(0) && facts.height != Some(0));
        }
    }

    #[test]
    fn random_bytes_after_valid_start_are_rejected(
        start in prop::sample::select(vec![
            b"\0\0\0\x10ftypisom\0\0\x02\0".to_vec(),
            b"\0\0\0\x08moov".to_vec(),
            b"\x1a\x45\xdf\xa3\x87\x42\x82\x84webm\x18\x53\x80\x67\xff".to_vec(),
            Vec::new(),
        ]),
        bytes in prop::collection::vec(any::<u8>(), 0..2000),
    ) {
        let (result, reads) = Object::from_bytes([start, bytes].concat()).inspect();
        prop_assert!(reads <= 1);
        prop_assert!(result.is_err());
    }

    #[test]
    fn truncated_file_never_gives_different_facts(
        name in prop::sample::select(&["header-first.mp4", "header-last.mp4", "vp8.webm"][..]),
        at in any::<prop::sample::Index>(),
    ) {
        let complete = Object::fixture(name);
        let mut bytes = complete.parts[0].1.clone();
        bytes.truncate(at.index(bytes.len()));
        if let Ok(facts) = Object::from_bytes(bytes).inspect().0 {
            prop_assert_eq!(facts, complete.facts());
        }
    }
}
