//! The command line of `bench`, parsed.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use lexopt::prelude::{Long, Value, ValueExt};

use crate::harness::HarnessConfig;
use crate::measure::Extent;
use crate::pipe::{Strategy, Transfer};
use crate::test_video::TestVideo;

const USAGE: &str = "bench [--quick] [--only start|throughput|latency|memory|calls]… [--set NAME=VALUE]…\n\
    \x20     [--functions DIR] [--programs DIR] [--connect FILE] [--json FILE] [--scratch DIR]\n\
    bench aws | s3 | upload-host\n\
    bench pipe stream|read-ahead|loop|upload-only|download-only BYTES FROM TO CHUNK";

/// The parsed command line. Every variant except `Measure` runs in a child
/// process that the harness starts.
pub(crate) enum Command {
    /// Serves the fake of DynamoDB, KMS, Secrets Manager and SQS.
    Aws,
    /// Serves the fake of S3.
    S3,
    /// Serves the fake of TikTok's upload host.
    UploadHost,
    /// Copies one video with a pipe.
    Pipe(Transfer),
    /// Runs the benchmarks.
    Measure(MeasureOptions),
}

/// Which benchmarks to run, and where programs and results are.
pub(crate) struct MeasureOptions {
    pub(crate) extent: Extent,
    /// The benchmarks to run; all of them if empty.
    pub(crate) only: Vec<Benchmark>,
    /// The path of the JSON report.
    pub(crate) json: PathBuf,
    pub(crate) harness: HarnessConfig,
}

/// A benchmark that can run without the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Benchmark {
    Start,
    Throughput,
    Latency,
    Memory,
    Calls,
}

impl Benchmark {
    fn from_name(name: &str) -> Result<Self> {
        Ok(match name {
            "start" => Self::Start,
            "throughput" => Self::Throughput,
            "latency" => Self::Latency,
            "memory" => Self::Memory,
            "calls" => Self::Calls,
            _ => bail!("no benchmark is named {name}"),
        })
    }
}

/// Parses the arguments of this process.
pub(crate) fn read() -> Result<Command> {
    parse(lexopt::Parser::from_env()).context(USAGE)
}

fn parse(mut parser: lexopt::Parser) -> Result<Command> {
    let mut options = MeasureOptions {
        extent: Extent::Full,
        only: vec![],
        json: "target/bench.json".into(),
        harness: HarnessConfig {
            functions: "target/bench/functions".into(),
            programs: "target/bench/programs".into(),
            connect: "target/lambda/connect/bootstrap".into(),
            scratch: "target/bench".into(),
            extra_env: vec![],
        },
    };
    while let Some(argument) = parser.next()? {
        match argument {
            Value(word) if word == "aws" => return Ok(Command::Aws),
            Value(word) if word == "s3" => return Ok(Command::S3),
            Value(word) if word == "upload-host" => return Ok(Command::UploadHost),
            Value(word) if word == "pipe" => return transfer(&mut parser).map(Command::Pipe),
            Long("quick") => options.extent = Extent::Quick,
            Long("only") => options.only.push(Benchmark::from_name(&parser.value()?.string()?)?),
            Long("set") => options.harness.extra_env.push(variable(&parser.value()?.string()?)?),
            Long("functions") => options.harness.functions = parser.value()?.into(),
            Long("programs") => options.harness.programs = parser.value()?.into(),
            Long("connect") => options.harness.connect = parser.value()?.into(),
            Long("json") => options.json = parser.value()?.into(),
            Long("scratch") => options.harness.scratch = parser.value()?.into(),
            other => return Err(other.unexpected().into()),
        }
    }
    Ok(Command::Measure(options))
}

fn variable(text: &str) -> Result<(String, String)> {
    let (name, value) = text.split_once('=').context("--set takes NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

fn transfer(parser: &mut lexopt::Parser) -> Result<Transfer> {
    Ok(Transfer {
        strategy: Strategy::from_name(&parser.value()?.string()?)?,
        video: TestVideo::new(parser.value()?.parse()?)?,
        from: parser.value()?.parse()?,
        to: parser.value()?.parse()?,
        chunk_bytes: parser.value()?.parse()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &[&str]) -> Result<Command> {
        parse(lexopt::Parser::from_args(words))
    }

    #[test]
    fn no_arguments_select_the_full_run() {
        let Command::Measure(options) = read(&[]).unwrap() else { panic!("not the measure command") };
        assert_eq!((options.extent, options.only.len()), (Extent::Full, 0));
    }

    #[test]
    fn only_and_set_can_be_repeated() {
        let words = ["--quick", "--only", "memory", "--only", "calls", "--set", "CHUNK_BYTES=64000000"];
        let Command::Measure(options) = read(&words).unwrap() else { panic!("not the measure command") };
        assert_eq!(options.only, [Benchmark::Memory, Benchmark::Calls]);
        assert_eq!(options.harness.extra_env, [("CHUNK_BYTES".to_owned(), "64000000".to_owned())]);
        assert_eq!(options.extent, Extent::Quick);
    }

    #[test]
    fn pipe_arguments_describe_the_whole_transfer() {
        let words = ["pipe", "stream", "10000000", "127.0.0.1:1", "127.0.0.1:2", "5242880"];
        let Command::Pipe(transfer) = read(&words).unwrap() else { panic!("not the pipe command") };
        assert_eq!(
            (transfer.strategy, transfer.video.bytes(), transfer.chunk_bytes),
            (Strategy::Stream, 10_000_000, 5_242_880)
        );
    }

    #[test]
    fn unknown_arguments_are_rejected() {
        for words in [&["--only", "luck"][..], &["--set", "X"], &["fly"], &["pipe", "stream"], &["--fast"]] {
            assert!(read(words).is_err(), "{words:?}");
        }
    }
}
