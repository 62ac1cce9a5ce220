//! Builds ISO and Matroska files for the tests. The fields that no test sets have the values that ffmpeg writes.

/// Returns an ISO box.
pub(super) fn boxed(kind: &str, body: &[u8]) -> Vec<u8> {
    let size = u32::try_from(body.len() + 8).unwrap();
    [&size.to_be_bytes(), kind.as_bytes(), body].concat()
}

/// Returns an ISO box that states `excess` more bytes than it has.
pub(super) fn overlong(kind: &str, body: &[u8], excess: usize) -> Vec<u8> {
    let size = u32::try_from(body.len() + 8 + excess).unwrap();
    [&size.to_be_bytes(), kind.as_bytes(), body].concat()
}

/// Returns 32-bit big-endian words as bytes.
pub(super) fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

/// The identity transformation matrix: no rotation.
const UPRIGHT: [u32; 9] = [0x1_0000, 0, 0, 0, 0x1_0000, 0, 0, 0, 0x4000_0000];

/// Returns a `ftyp` box for MP4.
pub(super) fn file_type() -> Vec<u8> {
    boxed("ftyp", b"isom\0\0\x02\0isom")
}

/// Returns the header of an `mdat` box with `len` bytes of media data.
pub(super) fn media_data_header(len: u64) -> Vec<u8> {
    [words(&[1]), b"mdat".to_vec(), (len + 16).to_be_bytes().to_vec()].concat()
}

/// An `mdat` box with 1000 bytes of media data.
pub(super) fn media_data() -> Vec<u8> {
    boxed("mdat", &[7; 1000])
}

/// A track (`trak`).
#[derive(Clone, Debug)]
pub(super) struct TrackBuilder {
    pub(super) id: u32,
    pub(super) is_enabled: bool,
    pub(super) handler: &'static str,
    pub(super) entry: &'static str,
    /// The boxes inside the sample entry.
    pub(super) entry_boxes: Vec<u8>,
    pub(super) size: (u16, u16),
    /// Ticks per second.
    pub(super) timescale: u32,
    /// The duration that `mdhd` states; `None` for that of the samples.
    pub(super) stated_ticks: Option<u32>,
    /// The rows of `stts`: a number of samples, and the ticks of each.
    pub(super) rows: Vec<(u32, u32)>,
    /// The rows of `elst`: duration in milliseconds, and media time.
    pub(super) edits: Vec<(u32, i32)>,
    /// The bytes per sample in tables that the inspection skips.
    pub(super) skipped_bytes_per_sample: u32,
}

impl TrackBuilder {
    /// Returns an enabled H.264 track.
    pub(super) fn video(timescale: u32, rows: &[(u32, u32)]) -> Self {
        Self {
            id: 7,
            is_enabled: true,
            handler: "vide",
            entry: "avc1",
            entry_boxes: boxed("avcC", &[1; 30]),
            size: (1080, 1920),
            timescale,
            stated_ticks: None,
            rows: rows.to_vec(),
            edits: Vec::new(),
            skipped_bytes_per_sample: 0,
        }
    }

    /// Returns an enabled AAC track.
    pub(super) fn audio(timescale: u32, rows: &[(u32, u32)]) -> Self {
        Self { id: 8, handler: "soun", entry: "mp4a", ..Self::video(timescale, rows) }
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let (width, height) = self.size;
        let samples: u32 = self.rows.iter().map(|(samples, _)| samples).sum();
        let ticks =
            self.rows.iter().fold(0_u32, |sum, (samples, ticks)| sum.wrapping_add(samples.wrapping_mul(*ticks)));
        let header = [
            words(&[self.is_enabled.into(), 0, 0, self.id, 0, 0, 0, 0, 0, 0]),
            words(&UPRIGHT),
            words(&[u32::from(width) << 16, u32::from(height) << 16]),
        ];
        let mut entry = vec![0; 78];
        entry[24..26].copy_from_slice(&width.to_be_bytes());
        entry[26..28].copy_from_slice(&height.to_be_bytes());
        entry.extend_from_slice(&self.entry_boxes);
        let rows: Vec<u32> = self.rows.iter().flat_map(|(samples, ticks)| [*samples, *ticks]).collect();
        let row_count = u32::try_from(self.rows.len()).unwrap();
        let skipped = usize::try_from(samples * self.skipped_bytes_per_sample).unwrap();
        let tables = [
            boxed("stsd", &[words(&[0, 1]), boxed(self.entry, &entry)].concat()),
            boxed("stts", &[words(&[0, row_count]), words(&rows)].concat()),
            boxed("stsz", &[words(&[0, 1000, samples]), vec![0; skipped]].concat()),
        ];
        let handler = [words(&[0, 0]), self.handler.as_bytes().to_vec(), vec![0; 13]];
        let media = [
            boxed("mdhd", &words(&[0, 0, 0, self.timescale, self.stated_ticks.unwrap_or(ticks), 0])),
            boxed("hdlr", &handler.concat()),
            boxed("minf", &boxed("stbl", &tables.concat())),
        ];
        let edits: Vec<u32> =
            self.edits.iter().flat_map(|(duration, start)| [*duration, start.cast_unsigned(), 0x1_0000]).collect();
        let edit_count = u32::try_from(self.edits.len()).unwrap();
        let edits = boxed("edts", &boxed("elst", &[words(&[0, edit_count]), words(&edits)].concat()));
        let edits = if self.edits.is_empty() { Vec::new() } else { edits };
        boxed("trak", &[boxed("tkhd", &header.concat()), edits, boxed("mdia", &media.concat())].concat())
    }
}

/// Returns a movie header (`moov`) that states a duration in milliseconds, with the boxes `children`.
pub(super) fn movie_stating(duration_ms: u32, children: &[Vec<u8>]) -> Vec<u8> {
    boxed("moov", &[movie_header(duration_ms), children.concat()].concat())
}

/// Returns a movie header with these tracks.
pub(super) fn movie(tracks: &[TrackBuilder]) -> Vec<u8> {
    movie_stating(0, &tracks.iter().map(TrackBuilder::bytes).collect::<Vec<_>>())
}

/// Returns an `mvhd` box.
pub(super) fn movie_header(duration_ms: u32) -> Vec<u8> {
    let fields = [words(&[0, 0, 0, 1000, duration_ms, 0x1_0000, 0, 0, 0]), words(&UPRIGHT), vec![0; 28]];
    boxed("mvhd", &fields.concat())
}

/// Returns a whole file: `ftyp`, the movie header, and media data.
pub(super) fn file_of(tracks: &[TrackBuilder]) -> Vec<u8> {
    [file_type(), movie(tracks), media_data()].concat()
}

/// Returns the movie header of a fragmented file, with a default duration of the samples of each track.
pub(super) fn fragmented_movie(tracks: &[TrackBuilder], default_ticks: u32) -> Vec<u8> {
    let defaults: Vec<_> =
        tracks.iter().map(|track| boxed("trex", &words(&[0, track.id, 1, default_ticks, 0, 0]))).collect();
    let mut children: Vec<_> = tracks.iter().map(TrackBuilder::bytes).collect();
    children.push(boxed("mvex", &defaults.concat()));
    movie_stating(0, &children)
}

/// The samples of one track in a fragment (`traf`).
#[derive(Clone, Debug)]
pub(super) struct Run {
    pub(super) track_id: u32,
    /// The time of the first sample, for `tfdt`.
    pub(super) start: Option<u64>,
    /// The ticks per sample that `tfhd` states.
    pub(super) default_ticks: Option<u32>,
    pub(super) samples: Samples,
}

/// The samples in `trun`.
#[derive(Clone, Debug)]
pub(super) enum Samples {
    /// A number of samples without durations.
    Count(u32),
    /// The ticks of each sample.
    Ticks(Vec<u32>),
}

impl Run {
    fn bytes(&self) -> Vec<u8> {
        let header = match self.default_ticks {
            Some(ticks) => words(&[0x2_0008, self.track_id, ticks]),
            None => words(&[0x2_0000, self.track_id]),
        };
        let start =
            self.start.map(|start| boxed("tfdt", &[words(&[0x0100_0000]), start.to_be_bytes().to_vec()].concat()));
        let samples = match &self.samples {
            // A data offset.
            Samples::Count(count) => words(&[0x1, *count, 0]),
            // A data offset, and the duration and the size of each sample.
            Samples::Ticks(ticks) => {
                let rows: Vec<_> = ticks.iter().flat_map(|ticks| [*ticks, 500]).collect();
                [words(&[0x301, u32::try_from(ticks.len()).unwrap(), 0]), words(&rows)].concat()
            }
        };
        boxed("traf", &[boxed("tfhd", &header), start.unwrap_or_default(), boxed("trun", &samples)].concat())
    }
}

/// Returns a fragment (`moof`).
pub(super) fn fragment(runs: &[Run]) -> Vec<u8> {
    let runs: Vec<_> = runs.iter().map(Run::bytes).collect();
    boxed("moof", &[boxed("mfhd", &words(&[0, 1])), runs.concat()].concat())
}

/// Returns a random access table (`mfra`) with rows of a time and the position of a fragment.
pub(super) fn random_access_table(track_id: u32, rows: &[(u64, u64)]) -> Vec<u8> {
    let count = u32::try_from(rows.len()).unwrap();
    let rows: Vec<_> = rows
        .iter()
        .flat_map(|(time, position)| [&time.to_be_bytes()[..], &position.to_be_bytes(), &[1, 1, 1]].concat())
        .collect();
    let entries = boxed("tfra", &[words(&[0x0100_0000, track_id, 0, count]), rows].concat());
    let len = u32::try_from(8 + entries.len() + 16).unwrap();
    boxed("mfra", &[entries, boxed("mfro", &words(&[0, len]))].concat())
}

/// Returns a segment index (`sidx`) of fragments of 2 MB and 2 s each, with one tick per second.
pub(super) fn segment_index(track_id: u32, fragments: u16) -> Vec<u8> {
    let rows = words(&[2_000_000, 2, 0]).repeat(fragments.into());
    let front = words(&[0, track_id, 1, 0, 0, fragments.into()]);
    boxed("sidx", &[front, rows].concat())
}

/// Returns an EBML element with a size of 4 bytes.
pub(super) fn element(id: u32, body: &[u8]) -> Vec<u8> {
    stating(id, body, body.len())
}

/// Returns an EBML element that states `len` bytes.
pub(super) fn stating(id: u32, body: &[u8], len: usize) -> Vec<u8> {
    let id = id.to_be_bytes();
    let first = id.iter().position(|byte| *byte != 0).unwrap();
    let size = 0x1000_0000 | u32::try_from(len).unwrap();
    [&id[first..], &size.to_be_bytes(), body].concat()
}

/// A WebM or Matroska file.
#[derive(Clone, Debug)]
pub(super) struct MatroskaBuilder {
    pub(super) doc_type: &'static str,
    pub(super) codec: &'static str,
    /// Nanoseconds per frame.
    pub(super) default_duration: Option<u32>,
    /// The elements at the end of the track.
    pub(super) track_elements: Vec<u8>,
    /// The times of the blocks in the cluster, in milliseconds. `None` for a file without a cluster.
    pub(super) times: Option<Vec<i16>>,
    /// How many bytes the segment states beyond its end.
    pub(super) excess: usize,
    pub(super) tracks_after_cluster: bool,
}

impl MatroskaBuilder {
    pub(super) fn webm() -> Self {
        Self {
            doc_type: "webm",
            codec: "V_VP9",
            default_duration: Some(33_333_333),
            track_elements: Vec::new(),
            times: Some(vec![0]),
            excess: 0,
            tracks_after_cluster: false,
        }
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let header = element(0x1a45_dfa3, &element(0x4282, self.doc_type.as_bytes()));
        let info = element(0x1549_a966, &element(0x4489, &2000_f64.to_be_bytes()));
        let picture = [element(0xb0, &360_u16.to_be_bytes()), element(0xba, &640_u16.to_be_bytes())].concat();
        let default_duration = self.default_duration.map(|ns| element(0x23_e383, &ns.to_be_bytes()));
        let track = [
            element(0xd7, &[1]),
            element(0x83, &[1]),
            element(0x86, self.codec.as_bytes()),
            default_duration.unwrap_or_default(),
            element(0xe0, &picture),
            self.track_elements.clone(),
        ];
        let tracks = element(0x1654_ae6b, &element(0xae, &track.concat()));
        let block = |time: &i16| element(0xa3, &[&[0x81], &time.to_be_bytes()[..], &[0x80, 1, 2, 3]].concat());
        let blocks = |times: &Vec<i16>| times.iter().flat_map(block).collect::<Vec<_>>();
        let cluster =
            self.times.as_ref().map(|times| element(0x1f43_b675, &[element(0xe7, &[0]), blocks(times)].concat()));
        let cluster = cluster.unwrap_or_default();
        let segment = if self.tracks_after_cluster {
            let seek_head = |position: u32| {
                let seek = [element(0x53ab, &0x1654_ae6b_u32.to_be_bytes()), element(0x53ac, &position.to_be_bytes())];
                element(0x114d_9b74, &element(0x4dbb, &seek.concat()))
            };
            let position = seek_head(0).len() + info.len() + cluster.len();
            [seek_head(position.try_into().unwrap()), info, cluster, tracks].concat()
        } else {
            [info, tracks, cluster].concat()
        };
        [header, stating(0x1853_8067, &segment, segment.len() + self.excess)].concat()
    }
}
