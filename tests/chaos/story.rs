//! What is played over and over: one drop, from its event to its end.

use std::collections::BTreeMap;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use anyhow::Result;
use jiff::Timestamp;
use simulator::{ExpiredUpload, RefreshRotation, RepeatedRange, Settings, UploadedBytes};
use tests::Creator;

use crate::aws::Film;
use crate::dropped::Drop;
use crate::gate::{Call, Order};
use crate::judge::{Judged, Verdict};
use crate::stage::{Lambda, Rest, Stage};

/// The smallest chunk that TikTok takes where there are several, in bytes.
pub(crate) const CHUNK: u64 = 5_242_880;
/// After this, an account's tokens are too old for an upload.
const TOKENS_AGE: Duration = Duration::from_mins(90);

/// A story.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Story {
    /// A small video, posted directly.
    OneChunk,
    /// One that goes in three chunks.
    ManyChunks,
    /// A small one, to the creator's inbox.
    Draft,
    /// A small one that waits for its time.
    Scheduled,
    /// A small one whose account's tokens must be exchanged first.
    Renewed,
}

impl Story {
    pub(crate) const ALL: [Self; 5] = [Self::OneChunk, Self::ManyChunks, Self::Draft, Self::Scheduled, Self::Renewed];

    /// What it is called in the report.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::OneChunk => "one chunk",
            Self::ManyChunks => "three chunks",
            Self::Draft => "draft",
            Self::Scheduled => "scheduled",
            Self::Renewed => "old tokens",
        }
    }

    fn bytes(self) -> u64 {
        match self {
            Self::ManyChunks => 3 * CHUNK + 17,
            Self::OneChunk | Self::Draft | Self::Scheduled | Self::Renewed => 100_000,
        }
    }

    fn metadata(self, stage: &Stage) -> Vec<(&'static str, String)> {
        match self {
            Self::Draft => vec![("mode", "draft".to_owned())],
            Self::Scheduled => vec![("publish-at", (stage.now() + Duration::from_hours(2)).to_string())],
            Self::OneChunk | Self::ManyChunks | Self::Renewed => Vec::new(),
        }
    }
}

/// TikTok, as far as nobody knows how it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TikTok {
    /// What it is called in the report.
    pub(crate) name: &'static str,
    pub(crate) set: fn(&mut Settings),
}

/// As documented, or as the documents are read most strictly.
pub(crate) const DOCUMENTED: TikTok = TikTok { name: "as documented", set: |_| {} };

/// One that works on a video for hours, and meanwhile says nothing of its bytes:
/// after the URL's hour, only what was stored can keep a second upload from being begun.
pub(crate) const SILENT: TikTok = TikTok {
    name: "hours long, and silent",
    set: |it| {
        it.uploaded_bytes = UploadedBytes::Absent;
        it.processing_ms = 3 * 3600 * 1000;
    },
};

/// In a row that is about all of them.
pub(crate) const EACH: TikTok = TikTok { name: "each setting", set: |_| {} };

/// Everything that the documents leave open, one setting at a time.
pub(crate) const OPEN: [TikTok; 7] = [
    TikTok { name: "a chunk again: 206", set: |it| it.repeated_range = RepeatedRange::Accepted },
    TikTok { name: "a chunk again: 201", set: |it| it.repeated_range = RepeatedRange::Created },
    TikTok { name: "uploaded_bytes: last index", set: |it| it.uploaded_bytes = UploadedBytes::LastIndex },
    TikTok { name: "uploaded_bytes: absent", set: |it| it.uploaded_bytes = UploadedBytes::Absent },
    TikTok { name: "an expired upload fails", set: |it| it.expired_upload = ExpiredUpload::Fails },
    TikTok { name: "refresh token: unchanged", set: |it| it.refresh_rotation = RefreshRotation::Unchanged },
    TikTok { name: "refresh token: survives", set: |it| it.refresh_rotation = RefreshRotation::PredecessorSurvives },
];

/// What a run showed.
#[derive(Debug)]
pub(crate) struct Played {
    /// The calls up to the end, in the order in which they came.
    pub(crate) calls: Vec<Call>,
    /// What was carried out, by name.
    pub(crate) fired: Vec<String>,
    /// How often somebody had to connect an account again.
    pub(crate) reconnects: usize,
    pub(crate) verdict: Verdict,
    /// From the first kill to the end, in the system's time.
    pub(crate) recovery: Option<Duration>,
}

/// Plays a story to its end, with what was ordered; then tells the system of the
/// same drop once more, hours later; then judges.
pub(crate) async fn play(
    stage: &Stage,
    story: Story,
    tiktok: TikTok,
    orders: Vec<Order>,
    outage: Duration,
) -> Result<Played> {
    stage.clear(tiktok.set)?;
    let maker = Creator::connect(&stage.cloud).await?;
    if story == Story::Renewed {
        stage.advance(TOKENS_AGE.as_secs())?;
    }
    let metadata = story.metadata(stage);
    let metadata: Vec<_> = metadata.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let dropped = stage.drop_film(&maker.key("clip.mp4"), &film(story.bytes())?, &metadata)?;
    let begun = stage.now();
    stage.gate.order(orders);
    let mut lambda = Lambda::new(stage, CHUNK);
    lambda.outage = outage;
    conclude(stage, &mut lambda, &[maker], &[dropped], begun).await
}

/// Lets everything come to its end, tells the system of the same drops once
/// more, hours later, and judges.
pub(crate) async fn conclude(
    stage: &Stage,
    lambda: &mut Lambda<'_>,
    makers: &[Creator],
    drops: &[Drop],
    begun: Timestamp,
) -> Result<Played> {
    let rest = lambda.settle(makers, drops.len()).await?;
    let (calls, fired) = (stage.gate.calls(), stage.gate.fired());
    stage.gate.be_calm();
    let since = lambda.killed_at.unwrap_or(begun);
    let recovery = match rest {
        Rest::AtEnd { since: end } => Duration::try_from(end.duration_since(since)).ok(),
        Rest::Forgotten | Rest::Never => None,
    };
    for dropped in drops {
        stage.tell_of(dropped)?;
    }
    stage.advance(Duration::from_hours(2).as_secs())?;
    lambda.settle(makers, drops.len()).await?;
    lambda.end().await?;
    let judged = Judged { drops, rest, fired: fired.len(), chunk: lambda.chunk };
    let verdict = judged.judge(stage).await?;
    Ok(Played { calls, fired, reconnects: lambda.reconnects, verdict, recovery })
}

/// A film of this length; the same one for everybody who asks.
pub(crate) fn film(bytes: u64) -> Result<Film> {
    static FILMS: OnceLock<Mutex<BTreeMap<u64, Film>>> = OnceLock::new();
    let mut films = FILMS.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(film) = films.get(&bytes) {
        return Ok(film.clone());
    }
    let film = Film::new(bytes)?;
    films.insert(bytes, film.clone());
    Ok(film)
}
