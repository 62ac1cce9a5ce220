//! The proof: what TikTok's ledger says, held against what was dropped.

use anyhow::{Context, Result, ensure};
use simulator::ChunkOutcome;
use tests::Dropped;

use crate::scene::Scene;
use crate::screen::Screen;

/// Holds TikTok's ledger against the drop, and tells what that proves.
pub(crate) async fn tell(screen: &mut Screen, scene: &Scene, dropped: &Dropped) -> Result<()> {
    let book = scene.creator.book().await?;
    let publication = book.ensure_published_once(dropped).context("TikTok's ledger disagrees")?;
    let entry = book.publishes.iter().find(|entry| entry.publish_id == publication.publish_id);
    let entry = entry.context("TikTok published what it never took")?;
    ensure!(book.publishes.len() == 1, "TikTok was asked for {} uploads", book.publishes.len());
    let accepted: Vec<_> = entry.chunks.iter().filter(|chunk| chunk.outcome == ChunkOutcome::Accepted).collect();
    let mut next = 0;
    for chunk in &accepted {
        ensure!(chunk.first == next, "a chunk begins at {} where {next} was expected", chunk.first);
        next = chunk.last + 1;
    }
    ensure!(next == publication.bytes, "the chunks end at {next} of {} bytes", publication.bytes);

    screen.line("")?;
    screen.title("What TikTok's own ledger proves")?;
    screen.proven("published once", "one init, one publication")?;
    screen.proven("byte for byte", "SHA-256 of the file = SHA-256 of what TikTok received")?;
    screen.line(&format!("{:<24} {}", "", dropped.footage.sha256))?;
    screen.proven("chunks in order", &format!("{} of {}", accepted.len(), entry.source_info.total_chunk_count))?;
    screen.proven("rules kept", "every documented limit, header, range and scope was checked")?;
    screen.line("")?;
    screen.line("Now with your own videos: `make up` leaves all of this running, and tells how")?;
    screen.line("to drop a file with the AWS CLI and where to look. README.md goes on from there.")?;
    Ok(())
}
