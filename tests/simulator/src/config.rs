//! The start-up configuration of a simulator.
//!
//! Values that can change while the simulator runs are in [`crate::Settings`].

use std::fmt;
use std::net::SocketAddr;

use crate::settings::Settings;

/// The simulator's address, the app's credentials and the initial settings.
///
/// `Debug` omits the app's secret.
#[derive(Clone)]
pub struct Config {
    /// The address to listen on; port 0 picks a free port.
    pub listen: SocketAddr,
    /// The app's `client_key`.
    pub client_key: String,
    /// The app's `client_secret`, which is also the key of webhook signatures.
    pub client_secret: String,
    /// The base URL under which clients reach this simulator, without a trailing slash; `None`: the address it listens
    /// on. Upload URLs begin with this base URL.
    pub public_url: Option<String>,
    /// The initial settings, which a reset restores.
    pub settings: Settings,
}

impl Config {
    /// Builds a configuration with the default settings, on a free port of `127.0.0.1`.
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
