//! The terminal: lines with a clock before them, and a bar that moves.
//!
//! A bar is redrawn in place where somebody watches; into a file or a pipe it is
//! written a few times instead. Colours only where they are wanted.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

const BAR: usize = 20;
/// How often a bar is written where it cannot be redrawn, in parts of the whole.
const PLAIN_PARTS: u64 = 4;

const BOLD: &str = "1";
const DIM: &str = "2";
const RED: &str = "1;31";
const GREEN: &str = "32";
const CYAN: &str = "36";

/// Who looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Audience {
    /// A person, at a terminal that can be redrawn.
    Watching,
    /// Whoever reads it later.
    Measurement,
}

/// Whether colours are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Palette {
    Colours,
    None,
}

/// How far bytes are on their way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Progress {
    /// Bytes that are there.
    pub(crate) done: u64,
    /// Bytes in all.
    pub(crate) total: u64,
    /// The time that it took.
    pub(crate) took: Duration,
}

/// Where the demo is shown.
pub(crate) struct Screen {
    out: io::Stdout,
    audience: Audience,
    palette: Palette,
    begun: Instant,
    /// The bar that stands unfinished on the last line.
    open_bar: Option<u64>,
}

impl Screen {
    /// Opens standard output.
    pub(crate) fn open() -> Self {
        let out = io::stdout();
        let dumb = runtime::environment::variable("TERM").is_some_and(|term| term == "dumb");
        let watching = out.is_terminal() && !dumb;
        let plain = runtime::environment::variable("NO_COLOR").is_some();
        Self {
            audience: if watching { Audience::Watching } else { Audience::Measurement },
            palette: if watching && !plain { Palette::Colours } else { Palette::None },
            out,
            begun: Instant::now(),
            open_bar: None,
        }
    }

    /// Starts the clock.
    pub(crate) fn start(&mut self) {
        self.begun = Instant::now();
    }

    pub(crate) fn title(&mut self, text: &str) -> io::Result<()> {
        let text = self.painted(BOLD, text);
        self.line(&text)
    }

    pub(crate) fn line(&mut self, text: &str) -> io::Result<()> {
        self.close_bar()?;
        if text.is_empty() { writeln!(self.out) } else { writeln!(self.out, "  {text}") }
    }

    /// Writes what has just happened.
    pub(crate) fn step(&mut self, what: &str, detail: &str) -> io::Result<()> {
        self.close_bar()?;
        let head = self.head(what);
        writeln!(self.out, "{head}{detail}")?;
        self.out.flush()
    }

    /// Writes something that was proven.
    pub(crate) fn proven(&mut self, what: &str, detail: &str) -> io::Result<()> {
        let mark = self.painted(GREEN, "✓");
        self.line(&format!("{mark} {what:<22} {detail}"))
    }

    pub(crate) fn failure(&mut self, text: &str) -> io::Result<()> {
        self.close_bar()?;
        let head = self.painted(RED, "The demo did not end well.");
        writeln!(self.out, "\n  {head}\n  {text}")?;
        self.out.flush()
    }

    /// Shows how far something is.
    pub(crate) fn bar(&mut self, what: &str, progress: Progress) -> io::Result<()> {
        match self.audience {
            Audience::Watching => {
                let head = self.head(what);
                let (full, empty) = progress.bar();
                let (full, empty) = (self.painted(GREEN, &full), self.painted(DIM, &empty));
                write!(self.out, "\r\x1b[2K{head}{full}{empty} {progress}")?;
                self.open_bar = Some(0);
            }
            Audience::Measurement => {
                let part = progress.done * PLAIN_PARTS / progress.total.max(1);
                if self.open_bar != Some(part) {
                    let head = self.head(what);
                    writeln!(self.out, "{head}{progress}")?;
                    self.open_bar = Some(part);
                }
            }
        }
        self.out.flush()
    }

    fn close_bar(&mut self) -> io::Result<()> {
        match (self.open_bar.take(), self.audience) {
            (Some(_), Audience::Watching) => writeln!(self.out),
            _ => Ok(()),
        }
    }

    fn head(&self, what: &str) -> String {
        let clock = self.painted(DIM, &format!("{:6.1} s", self.begun.elapsed().as_secs_f64()));
        let what = self.painted(CYAN, &format!("{what:<15}"));
        format!("{clock}  {what} ")
    }

    fn painted(&self, colour: &str, text: &str) -> String {
        match self.palette {
            Palette::Colours => format!("\x1b[{colour}m{text}\x1b[0m"),
            Palette::None => text.to_owned(),
        }
    }
}

impl Progress {
    fn bar(self) -> (String, String) {
        let full = usize::try_from(self.done * BAR as u64 / self.total.max(1)).map_or(BAR, |full| full.min(BAR));
        ("█".repeat(full), "░".repeat(BAR - full))
    }

    /// The rate in bytes a second; 0 while there is none yet.
    pub(crate) fn rate(self) -> u64 {
        let millis = self.took.as_millis().max(1);
        u64::try_from(u128::from(self.done) * 1000 / millis).unwrap_or(u64::MAX)
    }
}

impl std::fmt::Display for Progress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let percent = self.done * 100 / self.total.max(1);
        let rate = self.rate();
        write!(f, "{percent:3} %  {}/{} MB  {} MB/s", megabytes(self.done), megabytes(self.total), megabytes(rate))?;
        match (self.total - self.done.min(self.total)).checked_div(rate) {
            Some(left) if self.done < self.total => write!(f, "  {} s left", left + 1),
            _ => Ok(()),
        }
    }
}

/// Writes bytes as megabytes with one digit behind the point.
pub(crate) fn megabytes(bytes: u64) -> String {
    let tenths = (bytes + 50_000) / 100_000;
    format!("{}.{}", tenths / 10, tenths % 10)
}
