//! The terminal output: lines with the elapsed time, and a progress bar.
//!
//! In a terminal, the bar is redrawn in place. In a file or a pipe, it is written a few times. Colours are used only in
//! a terminal, and not if `NO_COLOR` is set.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// The width of the progress bar in characters.
const BAR: usize = 20;
/// If the bar cannot be redrawn, a line is written each time that another quarter of the bytes is received.
const PLAIN_PARTS: u64 = 4;

const BOLD: &str = "1";
const DIM: &str = "2";
const RED: &str = "1;31";
const GREEN: &str = "32";
const CYAN: &str = "36";

/// The kind of output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Output {
    /// A terminal that can be redrawn.
    Terminal,
    /// A file or a pipe.
    File,
}

/// Whether colours are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Palette {
    Colours,
    None,
}

/// The progress of an upload.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Progress {
    /// Bytes that TikTok has received.
    pub(crate) done: u64,
    /// All bytes.
    pub(crate) total: u64,
    /// The elapsed time.
    pub(crate) took: Duration,
}

/// Standard output.
pub(crate) struct Screen {
    out: io::Stdout,
    output: Output,
    palette: Palette,
    begun: Instant,
    /// The last part that was written of the bar on the current line.
    open_bar: Option<u64>,
}

impl Screen {
    /// Opens standard output.
    pub(crate) fn open() -> Self {
        let out = io::stdout();
        let dumb = runtime::environment::variable("TERM").is_some_and(|term| term == "dumb");
        let terminal = out.is_terminal() && !dumb;
        let plain = runtime::environment::variable("NO_COLOR").is_some();
        Self {
            output: if terminal { Output::Terminal } else { Output::File },
            palette: if terminal && !plain { Palette::Colours } else { Palette::None },
            out,
            begun: Instant::now(),
            open_bar: None,
        }
    }

    /// Starts the elapsed time.
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

    /// Writes a step.
    pub(crate) fn step(&mut self, what: &str, detail: &str) -> io::Result<()> {
        self.close_bar()?;
        let head = self.head(what);
        writeln!(self.out, "{head}{detail}")?;
        self.out.flush()
    }

    /// Writes a proven property.
    pub(crate) fn proven(&mut self, what: &str, detail: &str) -> io::Result<()> {
        let mark = self.painted(GREEN, "✓");
        self.line(&format!("{mark} {what:<22} {detail}"))
    }

    pub(crate) fn failure(&mut self, text: &str) -> io::Result<()> {
        self.close_bar()?;
        let head = self.painted(RED, "The demo failed.");
        writeln!(self.out, "\n  {head}\n  {text}")?;
        self.out.flush()
    }

    /// Writes or redraws the progress bar.
    pub(crate) fn bar(&mut self, what: &str, progress: Progress) -> io::Result<()> {
        match self.output {
            Output::Terminal => {
                let head = self.head(what);
                let (full, empty) = progress.bar();
                let (full, empty) = (self.painted(GREEN, &full), self.painted(DIM, &empty));
                write!(self.out, "\r\x1b[2K{head}{full}{empty} {progress}")?;
                self.open_bar = Some(0);
            }
            Output::File => {
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
        match (self.open_bar.take(), self.output) {
            (Some(_), Output::Terminal) => writeln!(self.out),
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

    /// The rate in bytes per second.
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

/// Formats bytes as megabytes with one decimal digit.
pub(crate) fn megabytes(bytes: u64) -> String {
    let tenths = (bytes + 50_000) / 100_000;
    format!("{}.{}", tenths / 10, tenths % 10)
}
