//! The results: a table for people, and JSON for whoever compares runs.

use std::fmt::{self, Display, Formatter};
use std::path::Path;

use anyhow::Result;
use serde::Serialize;

use crate::measure::Extent;
use crate::measure::calls::PostCalls;
use crate::measure::latency::Latency;
use crate::measure::memory::Memory;
use crate::measure::size::Sizes;
use crate::measure::start::Start;
use crate::measure::throughput::Throughput;
use crate::numbers::{least, mb, median, rounded};
use crate::store::Calls;

/// Everything that was measured in one run; none where it was left out.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) extent: &'static str,
    pub(crate) throughput_ratio: Option<f64>,
    pub(crate) throughput_latency_ratio: Option<f64>,
    pub(crate) times_faster_than_loop: Option<f64>,
    pub(crate) rss_peak_mb: Option<f64>,
    pub(crate) rss_flatness: Option<f64>,
    pub(crate) start_ratio: Option<f64>,
    pub(crate) zip_mb: Sizes,
    pub(crate) calls: Vec<PostCalls>,
    pub(crate) throughput: Option<Throughput>,
    pub(crate) latency: Option<Latency>,
    pub(crate) memory: Option<Memory>,
    pub(crate) start: Option<Start>,
}

impl Report {
    /// An empty one.
    pub(crate) fn new(extent: Extent) -> Self {
        Self {
            extent: extent.choose("full", "quick"),
            throughput_ratio: None,
            throughput_latency_ratio: None,
            times_faster_than_loop: None,
            rss_peak_mb: None,
            rss_flatness: None,
            start_ratio: None,
            zip_mb: Sizes::new(),
            calls: vec![],
            throughput: None,
            latency: None,
            memory: None,
            start: None,
        }
    }

    /// Draws the ratios from what was measured.
    pub(crate) fn conclude(mut self) -> Self {
        self.throughput_ratio = self.throughput.as_ref().map(|it| rounded(it.ratio));
        self.throughput_latency_ratio = self.latency.as_ref().map(|it| rounded(it.ratio));
        self.times_faster_than_loop = self.latency.as_ref().map(|it| rounded(it.times_loop));
        self.rss_peak_mb = self.memory.as_ref().map(|it| rounded(it.peak_mb));
        self.rss_flatness = self.memory.as_ref().map(|it| rounded(it.flatness));
        self.start_ratio = self.start.as_ref().map(|it| rounded(it.ratio));
        self
    }

    /// Writes it as JSON.
    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        Ok(std::fs::write(path, serde_json::to_string_pretty(self)? + "\n")?)
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.throughput.iter().try_for_each(|it| throughput(f, it))?;
        self.latency.iter().try_for_each(|it| latency(f, it))?;
        self.memory.iter().try_for_each(|it| memory(f, it))?;
        self.start.iter().try_for_each(|it| start(f, it))?;
        self.zip_mb.iter().try_for_each(|(name, size)| row(f, &format!("{name}, zipped"), &format!("{size:.2} MB")))?;
        if !self.calls.is_empty() {
            calls(f, &self.calls)?;
        }
        Ok(())
    }
}

fn row(f: &mut Formatter<'_>, what: &str, value: &str) -> fmt::Result {
    writeln!(f, "  {what:<44}{value:>14}")
}

fn timed(f: &mut Formatter<'_>, what: &str, bytes: u64, seconds: &[f64]) -> fmt::Result {
    let (best, middle) = (least(seconds), median(seconds));
    writeln!(f, "  {what:<44}{best:>12.3} s  {:>6.0} MB/s   median {middle:.3} s", mb(bytes) / best)
}

fn throughput(f: &mut Formatter<'_>, it: &Throughput) -> fmt::Result {
    writeln!(f, "\nThroughput: {:.0} MB in chunks of {:.1} MB, best of each", mb(it.video_bytes), mb(it.chunk_bytes))?;
    timed(f, "the store alone", it.video_bytes, &it.store_s)?;
    timed(f, "the drain alone", it.video_bytes, &it.drain_s)?;
    timed(f, "plain pipe (hyper)", it.video_bytes, &it.pipe_s)?;
    if !it.curl_s.is_empty() {
        timed(f, "plain pipe (curl | curl)", it.video_bytes, &it.curl_s)?;
    }
    timed(f, "publish, from event to answer", it.video_bytes, &it.publish_s)?;
    row(f, "throughput_ratio (at least 0.9)", &format!("{:.3}", it.ratio))
}

fn latency(f: &mut Formatter<'_>, it: &Latency) -> fmt::Result {
    let road = "30 ms to S3's first bytes, 100 ms to TikTok's answers, 90 MB/s a connection";
    writeln!(f, "\nLong road: {:.0} MB, {road}", mb(it.video_bytes))?;
    row(f, "what the road allows, computed", &format!("{:.3} s", it.allowed_s))?;
    timed(f, "tuned pipe, chunks of 64 MB", it.video_bytes, &it.tuned_pipe_s)?;
    timed(f, "the loop of 10 MiB", it.video_bytes, &[it.loop_s])?;
    timed(f, &format!("publish, {} chunks of {:.1} MB", it.chunks, mb(it.chunk_bytes)), it.video_bytes, &it.publish_s)?;
    row(f, "throughput_latency_ratio (at least 0.9)", &format!("{:.3}", it.ratio))?;
    row(f, "  to the tuned pipe alone", &format!("{:.3}", it.ratio_to_pipe))?;
    row(f, "times faster than the loop", &format!("{:.2}", it.times_loop))
}

fn memory(f: &mut Formatter<'_>, it: &Memory) -> fmt::Result {
    writeln!(f, "\nMemory: the peak of publish's resident set, a fresh process each")?;
    for post in &it.posts {
        row(f, &format!("{:.0} MB", mb(post.video_bytes)), &format!("{:.1} MB", post.peak_mb))?;
    }
    row(f, "rss_peak_mb (at most 64)", &format!("{:.1}", it.peak_mb))?;
    row(f, "rss_flatness (at most 1.15)", &format!("{:.3}", it.flatness))
}

fn start(f: &mut Formatter<'_>, it: &Start) -> fmt::Result {
    writeln!(f, "\nStart: from the process to its first call for an event, medians of {}", it.runs)?;
    row(f, "a function that does nothing", &format!("{:.1} ms", it.empty_ms))?;
    for (name, ms) in &it.functions_ms {
        row(f, name, &format!("{ms:.1} ms"))?;
    }
    row(f, "start_ratio (at most 2)", &format!("{:.3}", it.ratio))
}

/// A service's share of the calls.
type Of = fn(&PostCalls) -> &Calls;

fn calls(f: &mut Formatter<'_>, posts: &[PostCalls]) -> fmt::Result {
    writeln!(f, "\nCalls of a post, from its event to its answer")?;
    let counts: Vec<_> = posts.iter().map(|post| post.chunks.to_string()).collect();
    columns(f, "chunks", &counts)?;
    let services: [(&str, Of); 4] =
        [("TikTok", |it| &it.tiktok), ("S3", |it| &it.s3), ("DynamoDB", |it| &it.dynamodb), ("others", |it| &it.other)];
    for (service, of) in services {
        let sums: Vec<_> = posts.iter().map(|post| of(post).values().sum::<u64>().to_string()).collect();
        columns(f, service, &sums)?;
        let names: std::collections::BTreeSet<_> = posts.iter().flat_map(|post| of(post).keys()).collect();
        for name in names {
            let counts: Vec<_> =
                posts.iter().map(|post| of(post).get(name).copied().unwrap_or(0).to_string()).collect();
            columns(f, &format!("  {name}"), &counts)?;
        }
    }
    Ok(())
}

fn columns(f: &mut Formatter<'_>, what: &str, values: &[String]) -> fmt::Result {
    write!(f, "  {what:<32}")?;
    values.iter().try_for_each(|value| write!(f, "{value:>8}"))?;
    writeln!(f)
}
