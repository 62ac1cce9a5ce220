//! A server in a child process, which prints its address when it is ready.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};

/// What a server prints before its address. `serve::announce` and the simulator must
/// both print it.
const ANNOUNCEMENT: &str = "listening on http://";

/// A running server; dropping it kills the process.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    _child: Child,
    /// Keeps the pipe open, so that the server can still write to it.
    _stdout: BufReader<ChildStdout>,
}

impl Server {
    /// Starts a program and waits until it prints its address.
    pub(crate) async fn start(program: &Path, arguments: &[&str]) -> Result<Self> {
        let mut command = Command::new(program);
        command.args(arguments).env_clear().env("SIMULATOR_CLIENT_SECRET", harness::aws::CLIENT_SECRET);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
        let mut child = command.spawn().with_context(|| format!("could not start {}", program.display()))?;
        let mut stdout = BufReader::new(child.stdout.take().context("the server has no standard output")?);
        let mut line = String::new();
        stdout.read_line(&mut line).await?;
        let address = line.trim().strip_prefix(ANNOUNCEMENT);
        let address = address.with_context(|| format!("{} did not print its address", program.display()))?;
        Ok(Self { address: address.parse()?, _child: child, _stdout: stdout })
    }

    /// The address as a URL.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}
