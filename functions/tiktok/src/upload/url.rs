//! Where a video's bytes go: an address that is a secret, because whoever has it
//! can upload.
//!
//! Its invariant: no request goes to it that was not checked against the upload
//! hosts right before, whether it came from TikTok or from a store.

use std::fmt;

use domain::secret::{ExposeSecret, SecretString};
use url::Url;

use crate::upload_hosts::UploadHosts;

/// An upload URL. It is never shown.
#[derive(Clone)]
pub struct UploadUrl(SecretString);

impl UploadUrl {
    /// Takes up a URL that was kept.
    #[must_use]
    pub fn restore(url: SecretString) -> Self {
        Self(url)
    }

    /// The URL, for whoever keeps it.
    #[must_use]
    pub fn secret(&self) -> &SecretString {
        &self.0
    }

    /// The URL to send to; none where a video may not be sent there.
    pub(crate) fn target(&self, hosts: &UploadHosts) -> Option<Url> {
        let url = Url::parse(self.0.expose_secret()).ok()?;
        hosts.allow(&url).then_some(url)
    }
}

impl fmt::Debug for UploadUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UploadUrl(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing() {
        let url = UploadUrl::restore("https://open-upload.tiktokapis.com/?upload_token=t-1".into());
        assert_eq!(format!("{url:?}"), "UploadUrl(redacted)");
    }

    #[test]
    fn the_query_is_sent_as_it_came() {
        let text = "https://open-upload.tiktokapis.com/video/?upload_id=67&upload_token=Xza%2B123~_.-";
        let hosts = UploadHosts::parse(UploadHosts::TIKTOKS_OWN).unwrap();
        let target = UploadUrl::restore(text.into()).target(&hosts);
        assert_eq!(target.map(String::from).as_deref(), Some(text));
    }
}
