//! What a simulator is started with.
//!
//! Everything that can change while it runs is in [`crate::Settings`] instead.

use std::fmt;
use std::net::SocketAddr;

use crate::settings::Settings;

/// The address and the app's registration.
#[derive(Clone)]
pub struct Config {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The app's public name.
    pub client_key: String,
    /// The app's secret, which also signs webhooks.
    pub client_secret: String,
    /// Where clients reach this simulator, if not at the address it listens on;
    /// upload URLs begin with it. No slash at its end.
    pub public_url: Option<String>,
    /// The settings to start with, to which a reset returns.
    pub settings: Settings,
}

impl Config {
    /// Starts from the documented behaviour on a free port of this machine.
    pub fn new(client_key: impl Into<String>, client_secret: impl Into<String>) -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            client_key: client_key.into(),
            client_secret: client_secret.into(),
            public_url: None,
            settings: Settings::default(),
        }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("listen", &self.listen)
            .field("client_key", &self.client_key)
            .field("public_url", &self.public_url)
            .finish_non_exhaustive()
    }
}
