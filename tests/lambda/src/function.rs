//! A process of a function behind the Runtime API.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use jiff::Timestamp;
use serde_json::Value;
use tokio::process::{Child, Command};

use crate::runtime_api::RuntimeApi;

/// How long anything that a function does may take.
const PATIENCE: Duration = Duration::from_mins(10);

/// The variables of a function.
pub type Environment = Vec<(String, String)>;

/// A function that has started and is ready for an event.
pub struct Function {
    child: Child,
    runtime: RuntimeApi,
    /// From the start of the process to its first call for an event.
    pub start: Duration,
}

impl Function {
    /// Starts a program with this environment and no other; its log goes to a file.
    ///
    /// # Errors
    /// It is not there, or it ended before it asked for an event.
    pub async fn start(program: &Path, environment: &Environment, log: &Path) -> Result<Self> {
        let mut runtime = RuntimeApi::start().await?;
        let log = std::fs::OpenOptions::new().create(true).append(true).open(log)?;
        let mut command = Command::new(program);
        command.env_clear().envs(environment.iter().cloned());
        command.env("AWS_LAMBDA_RUNTIME_API", runtime.address.to_string());
        command.envs([("AWS_LAMBDA_FUNCTION_NAME", "played"), ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")]);
        command.envs([("AWS_LAMBDA_FUNCTION_VERSION", "1"), ("AWS_LAMBDA_LOG_GROUP_NAME", "played")]);
        command.env("AWS_LAMBDA_LOG_STREAM_NAME", "played");
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).kill_on_drop(true);
        let began = Instant::now();
        let mut child = command.spawn().with_context(|| format!("{} cannot be started", program.display()))?;
        let ready = tokio::select! {
            ready = runtime.ready() => ready?,
            ended = child.wait() => bail!("{} ended while starting: {}", program.display(), ended?),
        };
        Ok(Self { child, runtime, start: ready.duration_since(began) })
    }

    /// Hands it an event, with the end of the invocation; returns its answer, and
    /// the time from one to the other.
    ///
    /// # Errors
    /// It reported an error, or ended.
    pub async fn invoke(&mut self, event: Value, deadline: Timestamp) -> Result<(Value, Duration)> {
        let began = Instant::now();
        let answer = tokio::select! {
            answer = tokio::time::timeout(PATIENCE, self.runtime.invoke(event, deadline)) => answer.context("no answer in time")??,
            ended = self.child.wait() => bail!("the function ended in the middle: {}", ended?),
        };
        Ok((answer, began.elapsed()))
    }

    /// The most memory that it has had resident so far, in bytes.
    ///
    /// # Errors
    /// The system does not tell.
    pub fn peak_memory(&self) -> Result<u64> {
        let pid = self.child.id().context("the function has ended")?;
        let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
        peak_of(&status).context("the system does not tell the peak of a process's memory")
    }

    /// Kills it, and waits until it is gone.
    ///
    /// # Errors
    /// It could not be killed.
    pub async fn stop(mut self) -> Result<()> {
        Ok(self.child.kill().await?)
    }
}

/// The high-water mark in `/proc/<pid>/status`, in bytes.
fn peak_of(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kib| kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_is_read_in_bytes() {
        assert_eq!(peak_of("VmPeak:\t  99 kB\nVmHWM:\t    2048 kB\nVmRSS:\t 1 kB\n"), Some(2_097_152));
        assert_eq!(peak_of("VmPeak:\t  99 kB\n"), None);
    }
}
