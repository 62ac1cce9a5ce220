//! Reads a video's header, in a few small ranged reads.

use domain::failure::Failure;
use domain::source::Source;
use domain::video::{InspectError, Inspection, Inspector, Limits, VideoFacts, check};

use crate::exit::Exit;
use crate::posting::Posting;

impl Posting {
    /// Reads what the header says; a file that is no video is refused here,
    /// before TikTok hears of it.
    pub(crate) async fn inspect(&self, source: &Source, bytes: u64) -> Result<VideoFacts, Exit> {
        let mut inspector = Inspector::new(bytes);
        loop {
            match inspector.advance().map_err(|error| not_a_video(&error))? {
                Inspection::Done(facts) => return Ok(facts),
                Inspection::Read { offset, len } => {
                    inspector.feed(&self.objects.read_small(source, offset, len).await?);
                }
            }
        }
    }
}

/// Holds a video against the limits, and names everything that it exceeds.
pub(crate) fn hold_against(facts: &VideoFacts, limits: &Limits) -> Result<(), Exit> {
    check(facts, limits).map_err(|violations| {
        let advice = "Export the video within these limits and drop it again; nothing was sent to TikTok.";
        Exit::Fail(Failure::new(violations.code(), violations.to_string(), advice))
    })
}

fn not_a_video(error: &InspectError) -> Exit {
    let advice = "Drop a whole MP4, MOV or WebM file; nothing was sent to TikTok.";
    Exit::Fail(Failure::new(error.code(), error.to_string(), advice))
}
