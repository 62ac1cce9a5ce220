//! The system's clock: the wall clock, ahead by as much as is ordered.
//!
//! It is everybody's on a stage: TikTok's, the queue's, and that of the
//! functions' processes, which read it through `shift.c` and know nothing of
//! it. It moves by leaps, so nobody waits for anything but real work. Where
//! a process itself waits, the clock by which it does so moves along.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicI64, Ordering};

use anyhow::{Context, Result, ensure};
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

/// The clock of one stage.
pub(crate) struct Clock {
    ahead_s: AtomicI64,
    /// What the processes have waited for in no time, in seconds: it never goes back.
    waited_s: AtomicI64,
    file: File,
    path: PathBuf,
}

impl Clock {
    /// Makes a clock that is right.
    pub(crate) fn new(folder: &Path) -> Result<Self> {
        let path = folder.join(format!("clock-{}", Uuid::new_v4().simple()));
        let file = File::create(&path).with_context(|| format!("{} cannot be written", path.display()))?;
        let clock = Self { ahead_s: AtomicI64::new(0), waited_s: AtomicI64::new(0), file, path };
        clock.file.set_len(2 * size_of::<i64>() as u64)?;
        clock.set(0)?;
        Ok(clock)
    }

    /// What the time is.
    pub(crate) fn now(&self) -> Timestamp {
        runtime::clock::now() + SignedDuration::from_secs(self.ahead_s.load(Ordering::SeqCst))
    }

    /// Sets how far it is ahead, in seconds.
    pub(crate) fn set(&self, ahead_s: i64) -> Result<()> {
        self.ahead_s.store(ahead_s, Ordering::SeqCst);
        Ok(self.file.write_all_at(&ahead_s.to_ne_bytes(), 0)?)
    }

    /// Lets seconds pass.
    pub(crate) fn advance(&self, seconds: u64) -> Result<()> {
        self.set(self.ahead_s.load(Ordering::SeqCst).saturating_add_unsigned(seconds))
    }

    /// Lets seconds pass for which somebody waits.
    pub(crate) fn wait(&self, seconds: u32) -> Result<()> {
        let waited_s = self.waited_s.fetch_add(seconds.into(), Ordering::SeqCst) + i64::from(seconds);
        self.file.write_all_at(&waited_s.to_ne_bytes(), size_of::<i64>() as u64)?;
        self.advance(seconds.into())
    }

    /// The variables that make a process live by it.
    pub(crate) fn environment(&self, shim: &Path) -> [(String, String); 2] {
        [
            ("LD_PRELOAD".to_owned(), shim.display().to_string()),
            ("CLOCK_SHIFT".to_owned(), self.path.display().to_string()),
        ]
    }
}

impl Drop for Clock {
    fn drop(&mut self) {
        // What is left behind is eight bytes in `target`.
        drop(std::fs::remove_file(&self.path));
    }
}

/// Compiles what is loaded into the functions' processes.
pub(crate) fn shim(folder: &Path) -> Result<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("chaos/shift.c");
    let (made, shim) = (folder.join(format!("shift-{}.so", std::process::id())), folder.join("shift.so"));
    let compiled = Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&made).arg(source).status();
    ensure!(compiled.context("a C compiler, cc, is needed")?.success(), "shift.c does not compile");
    std::fs::rename(made, &shim)?;
    Ok(shim)
}
