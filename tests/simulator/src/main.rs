//! The simulator as a program: prints the address it listens on, and serves until SIGTERM or SIGINT.

use std::io::Write;

use anyhow::Context;
use simulator::{Config, LoopbackRedirects, Settings, Simulator};
use tokio::signal::unix::{SignalKind, signal};

const USAGE: &str = "simulator --listen ADDRESS:PORT --client-key KEY \
    [--webhook-url URL] [--public-url URL] [--redirect-uri URL]... \
    [--loopback-redirects desktop|web]\n\
    The app's secret comes from the environment variable SIMULATOR_CLIENT_SECRET.";

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_max_level(tracing::Level::INFO).init();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let simulator = Simulator::start(arguments()?).await?;
    writeln!(std::io::stdout(), "listening on {}", simulator.url())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    // Not `Simulator::shutdown`, which would wait for calls that a fault has stalled.
    drop(simulator);
    Ok(())
}

fn arguments() -> anyhow::Result<Config> {
    use lexopt::prelude::{Long, ValueExt};

    let mut parser = lexopt::Parser::from_env();
    let mut listen = None;
    let mut client_key = None;
    let mut public_url: Option<String> = None;
    let mut settings = Settings::default();
    while let Some(argument) = parser.next().context(USAGE)? {
        match argument {
            Long("listen") => listen = Some(parser.value()?.parse()?),
            Long("client-key") => client_key = Some(parser.value()?.string()?),
            Long("webhook-url") => settings.webhook_url = Some(parser.value()?.string()?),
            Long("redirect-uri") => settings.redirect_uris.push(parser.value()?.string()?),
            Long("loopback-redirects") => settings.loopback_redirects = loopback(&parser.value()?.string()?)?,
            Long("public-url") => public_url = Some(parser.value()?.string()?),
            other => return Err(other.unexpected()).context(USAGE),
        }
    }
    let mut config = Config::new(client_key.context(USAGE)?, secret()?);
    config.listen = listen.context(USAGE)?;
    config.public_url = public_url.map(|url| url.trim_end_matches('/').to_owned());
    config.settings = settings;
    Ok(config)
}

fn loopback(value: &str) -> anyhow::Result<LoopbackRedirects> {
    match value {
        "desktop" => Ok(LoopbackRedirects::Desktop),
        "web" => Ok(LoopbackRedirects::Web),
        _ => anyhow::bail!("--loopback-redirects must be desktop or web"),
    }
}

#[expect(clippy::disallowed_methods, reason = "a secret must not be a command-line argument")]
fn secret() -> anyhow::Result<String> {
    std::env::var("SIMULATOR_CLIENT_SECRET").context("SIMULATOR_CLIENT_SECRET is not set")
}
