//! A function's process behind the fake Runtime API.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use jiff::Timestamp;
use serde_json::Value;
use tokio::process::{Child, Command};

use super::runtime_api::{ANY_TRACE, RuntimeApi};

/// How long an invocation may take by this process's clock, so that a function that hangs fails the test. It does not
/// depend on the invocation's deadline, which the caller may take from a shifted clock.
const INVOCATION_TIMEOUT: Duration = Duration::from_mins(10);

/// The environment variables of a function.
pub type Environment = Vec<(String, String)>;

/// A running function that is ready for an event.
pub struct Function {
    child: Child,
    runtime: RuntimeApi,
    /// The time from the start of the process to its first request for an event.
    pub init_duration: Duration,
}

impl Function {
    /// Starts a program with only these environment variables, and appends its output to the file `log`.
    ///
    /// # Errors
    /// The program could not be started, or ended before it requested an event.
    pub async fn start(program: &Path, environment: &Environment, log: &Path) -> Result<Self> {
        let mut runtime = RuntimeApi::start().await?;
        let log = std::fs::OpenOptions::new().create(true).append(true).open(log)?;
        let mut command = Command::new(program);
        command.env_clear().envs(environment.iter().cloned());
        command.env("AWS_LAMBDA_RUNTIME_API", runtime.address.to_string());
        // Lambda always sets these variables. Their values are arbitrary.
        command.envs([("AWS_LAMBDA_FUNCTION_NAME", "test"), ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")]);
        command.envs([("AWS_LAMBDA_FUNCTION_VERSION", "1"), ("AWS_LAMBDA_LOG_GROUP_NAME", "test")]);
        command.env("AWS_LAMBDA_LOG_STREAM_NAME", "test");
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).kill_on_drop(true);
        let started = Instant::now();
        let mut child = command.spawn().with_context(|| format!("could not start {}", program.display()))?;
        let ready = tokio::select! {
            ready = runtime.ready() => ready?,
            ended = child.wait() => bail!("{} ended during its start: {}", program.display(), ended?),
        };
        Ok(Self { child, runtime, init_duration: ready.duration_since(started) })
    }

    /// Invokes the function with an event and a deadline. Returns its response and how long the invocation took.
    ///
    /// # Errors
    /// The function reported an error, ended, or took longer than 10 minutes.
    pub async fn invoke(&mut self, event: Value, deadline: Timestamp) -> Result<(Value, Duration)> {
        self.invoke_traced(event, deadline, ANY_TRACE).await
    }

    /// The same, with this trace header (`Lambda-Runtime-Trace-Id`).
    ///
    /// # Errors
    /// The same as of [`Function::invoke`].
    pub async fn invoke_traced(&mut self, event: Value, deadline: Timestamp, trace: &str) -> Result<(Value, Duration)> {
        let started = Instant::now();
        let response = tokio::time::timeout(INVOCATION_TIMEOUT, self.runtime.invoke(event, deadline, trace));
        let response = tokio::select! {
            response = response => response.context("the function did not respond within 10 minutes")??,
            ended = self.child.wait() => bail!("the function ended during the invocation: {}", ended?),
        };
        Ok((response, started.elapsed()))
    }

    /// The peak resident memory of the process so far, in bytes.
    ///
    /// # Errors
    /// The process has ended, or `/proc` does not contain the peak.
    pub fn peak_memory(&self) -> Result<u64> {
        let pid = self.child.id().context("the function has ended")?;
        let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
        parse_peak(&status).with_context(|| format!("/proc/{pid}/status does not contain VmHWM"))
    }

    /// Kills the process and waits for its end.
    ///
    /// # Errors
    /// The process could not be killed.
    pub async fn stop(mut self) -> Result<()> {
        Ok(self.child.kill().await?)
    }
}

/// Parses `VmHWM` (the peak resident memory) in `/proc/<pid>/status`, in bytes.
fn parse_peak(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kib| kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peak_memory_is_parsed_in_bytes() {
        assert_eq!(parse_peak("VmPeak:\t  99 kB\nVmHWM:\t    2048 kB\nVmRSS:\t 1 kB\n"), Some(2_097_152));
        assert_eq!(parse_peak("VmPeak:\t  99 kB\n"), None);
    }
}
