//! The command line.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use lexopt::prelude::{Long, Value, ValueExt};

use crate::film::Film;
use crate::measure::Extent;
use crate::pipe::{Job, Manner};
use crate::stage::Places;

const USAGE: &str = "bench [--quick] [--only start|throughput|latency|memory|calls]… [--set NAME=VALUE]…\n\
    \x20     [--functions DIR] [--programs DIR] [--connect FILE] [--json FILE] [--scratch DIR]\n\
    bench amazon | store | drain\n\
    bench pipe stream|ahead|loop|push|pull BYTES FROM TO CHUNK";

/// What is wanted.
pub(crate) enum Asked {
    Amazon,
    Store,
    Drain,
    Pipe(Job),
    Measure(Measuring),
}

/// What is to be measured, and where things are.
pub(crate) struct Measuring {
    pub(crate) extent: Extent,
    /// All where it is empty.
    pub(crate) only: Vec<What>,
    pub(crate) json: PathBuf,
    pub(crate) places: Places,
}

/// What can be measured on its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    Start,
    Throughput,
    Latency,
    Memory,
    Calls,
}

impl What {
    fn named(name: &str) -> Result<Self> {
        Ok(match name {
            "start" => Self::Start,
            "throughput" => Self::Throughput,
            "latency" => Self::Latency,
            "memory" => Self::Memory,
            "calls" => Self::Calls,
            _ => bail!("nothing to measure is called {name}"),
        })
    }
}

/// Reads it.
pub(crate) fn read() -> Result<Asked> {
    parse(lexopt::Parser::from_env()).context(USAGE)
}

fn parse(mut parser: lexopt::Parser) -> Result<Asked> {
    let mut asked = Measuring {
        extent: Extent::Full,
        only: vec![],
        json: "target/bench.json".into(),
        places: Places {
            functions: "target/bench/functions".into(),
            programs: "target/bench/programs".into(),
            connect: "target/lambda/connect/bootstrap".into(),
            scratch: "target/bench".into(),
            set: vec![],
        },
    };
    while let Some(argument) = parser.next()? {
        match argument {
            Value(word) if word == "amazon" => return Ok(Asked::Amazon),
            Value(word) if word == "store" => return Ok(Asked::Store),
            Value(word) if word == "drain" => return Ok(Asked::Drain),
            Value(word) if word == "pipe" => return pipe(&mut parser).map(Asked::Pipe),
            Long("quick") => asked.extent = Extent::Quick,
            Long("only") => asked.only.push(What::named(&parser.value()?.string()?)?),
            Long("set") => asked.places.set.push(setting(&parser.value()?.string()?)?),
            Long("functions") => asked.places.functions = parser.value()?.into(),
            Long("programs") => asked.places.programs = parser.value()?.into(),
            Long("connect") => asked.places.connect = parser.value()?.into(),
            Long("json") => asked.json = parser.value()?.into(),
            Long("scratch") => asked.places.scratch = parser.value()?.into(),
            other => return Err(other.unexpected().into()),
        }
    }
    Ok(Asked::Measure(asked))
}

fn setting(text: &str) -> Result<(String, String)> {
    let (name, value) = text.split_once('=').context("--set takes NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

fn pipe(parser: &mut lexopt::Parser) -> Result<Job> {
    Ok(Job {
        manner: Manner::named(&parser.value()?.string()?)?,
        film: Film::new(parser.value()?.parse()?)?,
        from: parser.value()?.parse()?,
        to: parser.value()?.parse()?,
        chunk: parser.value()?.parse()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &[&str]) -> Result<Asked> {
        parse(lexopt::Parser::from_args(words))
    }

    #[test]
    fn everything_is_measured_where_nothing_is_said() {
        let Asked::Measure(asked) = read(&[]).unwrap() else { panic!("not a measuring") };
        assert_eq!((asked.extent, asked.only.len()), (Extent::Full, 0));
    }

    #[test]
    fn parts_and_variables_are_named_one_by_one() {
        let words = ["--quick", "--only", "memory", "--only", "calls", "--set", "CHUNK_BYTES=64000000"];
        let Asked::Measure(asked) = read(&words).unwrap() else { panic!("not a measuring") };
        assert_eq!(asked.only, [What::Memory, What::Calls]);
        assert_eq!(asked.places.set, [("CHUNK_BYTES".to_owned(), "64000000".to_owned())]);
        assert_eq!(asked.extent, Extent::Quick);
    }

    #[test]
    fn a_pipe_is_described_in_full() {
        let words = ["pipe", "stream", "10000000", "127.0.0.1:1", "127.0.0.1:2", "5242880"];
        let Asked::Pipe(job) = read(&words).unwrap() else { panic!("not a pipe") };
        assert_eq!((job.manner, job.film.bytes(), job.chunk), (Manner::Stream, 10_000_000, 5_242_880));
    }

    #[test]
    fn what_is_not_known_is_refused() {
        for words in [&["--only", "luck"][..], &["--set", "X"], &["fly"], &["pipe", "stream"], &["--fast"]] {
            assert!(read(words).is_err(), "{words:?}");
        }
    }
}
