//! The shifted clock of one test environment. TikTok, the queue and the functions' processes all use it.
//!
//! It is the real clock plus an offset that only grows during a run, so no test waits for a lease or a schedule. The
//! library `shift.c` is loaded into the processes and adds the offset to each reading of their clock. Their timers
//! (monotonic clock) use a second offset, which grows only during a stall ([`Clock::advance_with_timers`]).

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicI64, Ordering};

use anyhow::{Context, Result, ensure};
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

/// The clock of one test environment.
pub(crate) struct Clock {
    /// The offset of the wall clock, in seconds.
    wall_offset_s: AtomicI64,
    /// The offset of the processes' monotonic clocks, in seconds. It is never reset, because a monotonic clock must
    /// not go back.
    timer_offset_s: AtomicI64,
    /// The wall clock's offset, then the timers' offset, as `shift.c` reads them.
    file: File,
    path: PathBuf,
}

impl Clock {
    /// Creates a clock without an offset, and its file in this folder.
    pub(crate) fn new(folder: &Path) -> Result<Self> {
        let path = folder.join(format!("clock-{}", Uuid::new_v4().simple()));
        let file = File::create(&path).with_context(|| format!("could not create {}", path.display()))?;
        file.set_len(2 * size_of::<i64>() as u64)?;
        Ok(Self { wall_offset_s: AtomicI64::new(0), timer_offset_s: AtomicI64::new(0), file, path })
    }

    /// The current time.
    pub(crate) fn now(&self) -> Timestamp {
        runtime::clock::now() + SignedDuration::from_secs(self.wall_offset_s.load(Ordering::SeqCst))
    }

    /// Sets the wall clock's offset.
    pub(crate) fn set(&self, wall_offset_s: i64) -> Result<()> {
        self.wall_offset_s.store(wall_offset_s, Ordering::SeqCst);
        Ok(self.file.write_all_at(&wall_offset_s.to_ne_bytes(), 0)?)
    }

    /// Advances the wall clock only. The functions' timers and timeouts do not see it.
    pub(crate) fn advance(&self, seconds: u64) -> Result<()> {
        self.set(self.wall_offset_s.load(Ordering::SeqCst).saturating_add_unsigned(seconds))
    }

    /// Advances the wall clock and the processes' timers, so that their timeouts elapse.
    pub(crate) fn advance_with_timers(&self, seconds: u32) -> Result<()> {
        let timer_offset_s = self.timer_offset_s.fetch_add(seconds.into(), Ordering::SeqCst) + i64::from(seconds);
        self.file.write_all_at(&timer_offset_s.to_ne_bytes(), size_of::<i64>() as u64)?;
        self.advance(seconds.into())
    }

    /// The environment variables that make a process use this clock.
    pub(crate) fn environment(&self, shim: &Path) -> [(String, String); 2] {
        [
            ("LD_PRELOAD".to_owned(), shim.display().to_string()),
            ("CLOCK_SHIFT".to_owned(), self.path.display().to_string()),
        ]
    }
}

impl Drop for Clock {
    fn drop(&mut self) {
        // If this fails, a file of 16 bytes remains in `target`.
        drop(std::fs::remove_file(&self.path));
    }
}

/// Compiles `shift.c`, and returns the library's path. The result is renamed at the end, so a test process that runs at
/// the same time never loads a half-written library.
pub(crate) fn compile_shim(folder: &Path) -> Result<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("chaos/shift.c");
    let (compiled, shim) = (folder.join(format!("shift-{}.so", std::process::id())), folder.join("shift.so"));
    let status = Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&compiled).arg(source).status();
    ensure!(status.context("could not run the C compiler `cc`")?.success(), "shift.c does not compile");
    std::fs::rename(compiled, &shim)?;
    Ok(shim)
}
