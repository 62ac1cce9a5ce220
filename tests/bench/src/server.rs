//! A server in a process of its own, which says where it listens.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};

const ANNOUNCEMENT: &str = "listening on http://";

/// A running server, which ends when this is dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    _child: Child,
    _said: BufReader<ChildStdout>,
}

impl Server {
    /// Starts a program and waits until it says where it listens.
    pub(crate) async fn start(program: &Path, arguments: &[&str]) -> Result<Self> {
        let mut command = Command::new(program);
        command.args(arguments).env_clear().env("SIMULATOR_CLIENT_SECRET", aws::CLIENT_SECRET);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
        let mut child = command.spawn().with_context(|| format!("{} cannot be started", program.display()))?;
        let mut said = BufReader::new(child.stdout.take().context("it has no output")?);
        let mut line = String::new();
        said.read_line(&mut line).await?;
        let address = line.trim().strip_prefix(ANNOUNCEMENT).context("it did not say where it listens")?;
        Ok(Self { address: address.parse()?, _child: child, _said: said })
    }

    /// Its address as a URL.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}
