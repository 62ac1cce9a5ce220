//! The report of a run: a table on standard output, and JSON for comparing runs.
//!
//! The field names are the keys of the JSON file, unless a field has `serde(rename)`.
//! tests/README.md defines the results and their required values.

use std::fmt::{self, Display, Formatter};
use std::path::Path;

use anyhow::Result;
use serde::Serialize;

use crate::call_counts::CallCounts;
use crate::measure::Extent;
use crate::measure::calls::PostCalls;
use crate::measure::latency::Latency;
use crate::measure::memory::Memory;
use crate::measure::size::Sizes;
use crate::measure::start::Start;
use crate::measure::throughput::Throughput;
use crate::statistics::{mb, median, min, rounded};

/// The measurements of one run; none for a benchmark that did not run.
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
    /// Creates a report without measurements.
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

    /// Copies the main results from the measurements to the top level, rounded.
    pub(crate) fn with_ratios(mut self) -> Self {
        self.throughput_ratio = self.throughput.as_ref().map(|it| rounded(it.ratio));
        self.throughput_latency_ratio = self.latency.as_ref().map(|it| rounded(it.ratio));
        self.times_faster_than_loop = self.latency.as_ref().map(|it| rounded(it.times_loop));
        self.rss_peak_mb = self.memory.as_ref().map(|it| rounded(it.peak_mb));
        self.rss_flatness = self.memory.as_ref().map(|it| rounded(it.flatness));
        self.start_ratio = self.start.as_ref().map(|it| rounded(it.ratio));
        self
    }

    /// Writes the report as JSON.
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

fn row(f: &mut Formatter<'_>, label: &str, value: &str) -> fmt::Result {
    writeln!(f, "  {label:<44}{value:>14}")
}

fn timed(f: &mut Formatter<'_>, label: &str, bytes: u64, seconds: &[f64]) -> fmt::Result {
    let (best, middle) = (min(seconds), median(seconds));
    writeln!(f, "  {label:<44}{best:>12.3} s  {:>6.0} MB/s   median {middle:.3} s", mb(bytes) / best)
}

fn throughput(f: &mut Formatter<'_>, it: &Throughput) -> fmt::Result {
    writeln!(f, "\nThroughput: {:.0} MB in chunks of {:.1} MB, best of each", mb(it.video_bytes), mb(it.chunk_bytes))?;
    timed(f, "download only", it.video_bytes, &it.download_s)?;
    timed(f, "upload only", it.video_bytes, &it.upload_s)?;
    timed(f, "plain pipe (hyper)", it.video_bytes, &it.pipe_s)?;
    if !it.curl_s.is_empty() {
        timed(f, "plain pipe (curl | curl)", it.video_bytes, &it.curl_s)?;
    }
    timed(f, "publish, from event to response", it.video_bytes, &it.publish_s)?;
    row(f, "throughput_ratio (at least 0.9)", &format!("{:.3}", it.ratio))
}

fn latency(f: &mut Formatter<'_>, it: &Latency) -> fmt::Result {
    let links = "30 ms to S3's first bytes, 100 ms to TikTok's responses, 90 MB/s per connection";
    writeln!(f, "\nSlow links: {:.0} MB, {links}", mb(it.video_bytes))?;
    row(f, "computed lower bound", &format!("{:.3} s", it.lower_bound_s))?;
    timed(f, "tuned pipe, chunks of 64 MB", it.video_bytes, &it.tuned_pipe_s)?;
    timed(f, "loop, chunks of 10 MiB", it.video_bytes, &[it.loop_s])?;
    timed(f, &format!("publish, {} chunks of {:.1} MB", it.chunks, mb(it.chunk_bytes)), it.video_bytes, &it.publish_s)?;
    row(f, "throughput_latency_ratio (at least 0.9)", &format!("{:.3}", it.ratio))?;
    row(f, "  to the tuned pipe alone", &format!("{:.3}", it.ratio_to_pipe))?;
    row(f, "times faster than the loop", &format!("{:.2}", it.times_loop))
}

fn memory(f: &mut Formatter<'_>, it: &Memory) -> fmt::Result {
    writeln!(f, "\nMemory: peak resident memory of publish, a fresh process per video")?;
    for post in &it.posts {
        row(f, &format!("{:.0} MB", mb(post.video_bytes)), &format!("{:.1} MB", post.peak_mb))?;
    }
    row(f, "rss_peak_mb (at most 64)", &format!("{:.1}", it.peak_mb))?;
    row(f, "rss_flatness (at most 1.15)", &format!("{:.3}", it.flatness))
}

fn start(f: &mut Formatter<'_>, it: &Start) -> fmt::Result {
    writeln!(f, "\nStart: from process start to the first request for an event, medians of {}", it.runs)?;
    row(f, "a function that does nothing", &format!("{:.1} ms", it.empty_ms))?;
    for (name, ms) in &it.functions_ms {
        row(f, name, &format!("{ms:.1} ms"))?;
    }
    row(f, "start_ratio (at most 2)", &format!("{:.3}", it.ratio))
}

/// Selects the calls to one service.
type ServiceCalls = fn(&PostCalls) -> &CallCounts;

fn calls(f: &mut Formatter<'_>, posts: &[PostCalls]) -> fmt::Result {
    writeln!(f, "\nCalls of a post, from event to response")?;
    let counts: Vec<_> = posts.iter().map(|post| post.chunks.to_string()).collect();
    columns(f, "chunks", &counts)?;
    let services: [(&str, ServiceCalls); 4] =
        [("TikTok", |it| &it.tiktok), ("S3", |it| &it.s3), ("DynamoDB", |it| &it.dynamodb), ("others", |it| &it.other)];
    for (service, calls_of) in services {
        let sums: Vec<_> = posts.iter().map(|post| calls_of(post).values().sum::<u64>().to_string()).collect();
        columns(f, service, &sums)?;
        let names: std::collections::BTreeSet<_> = posts.iter().flat_map(|post| calls_of(post).keys()).collect();
        for name in names {
            let counts: Vec<_> =
                posts.iter().map(|post| calls_of(post).get(name).copied().unwrap_or(0).to_string()).collect();
            columns(f, &format!("  {name}"), &counts)?;
        }
    }
    Ok(())
}

fn columns(f: &mut Formatter<'_>, label: &str, values: &[String]) -> fmt::Result {
    write!(f, "  {label:<32}")?;
    values.iter().try_for_each(|value| write!(f, "{value:>8}"))?;
    writeln!(f)
}
