//! Compares TikTok's ledger with the dropped video.

use anyhow::{Context, Result, ensure};
use harness::{Creator, Dropped};
use simulator::ChunkOutcome;

use crate::screen::Screen;

/// Checks TikTok's ledger, and shows what it proves.
pub(crate) async fn verify(screen: &mut Screen, creator: &Creator, dropped: &Dropped) -> Result<()> {
    let ledger = creator.ledger().await?;
    let publication = ledger.ensure_published_once(dropped).context("TikTok's ledger differs")?;
    let entry = ledger.publishes.iter().find(|entry| entry.publish_id == publication.publish_id);
    let entry = entry.context("TikTok published a video without an init")?;
    ensure!(ledger.publishes.len() == 1, "there were {} inits", ledger.publishes.len());
    let accepted: Vec<_> = entry.chunks.iter().filter(|chunk| chunk.outcome == ChunkOutcome::Accepted).collect();
    let mut next = 0;
    for chunk in &accepted {
        ensure!(chunk.first == next, "a chunk begins at {} instead of {next}", chunk.first);
        next = chunk.last + 1;
    }
    ensure!(next == publication.bytes, "the chunks end at {next} of {} bytes", publication.bytes);

    screen.line("")?;
    screen.title("What TikTok's own ledger proves")?;
    screen.proven("published once", "one init, one publication")?;
    screen.proven("byte for byte", "SHA-256 of the file = SHA-256 of what TikTok received")?;
    screen.line(&format!("{:<24} {}", "", dropped.video.sha256))?;
    screen.proven("chunks in order", &format!("{} of {}", accepted.len(), entry.source_info.total_chunk_count))?;
    screen.proven("rules kept", "every documented limit, header, range and scope was checked")?;
    screen.line("")?;
    screen.line("Next, post your own videos: `make up` starts a cloud that keeps running, and shows")?;
    screen.line("how to drop a file with the AWS CLI and where to look. README.md says more.")?;
    Ok(())
}
