//! The upload URL of a publish. It is a secret: any holder can upload to it.
//!
//! Invariant: before every request to an upload URL, its host is checked against the allowed upload hosts (`target`),
//! whether the URL came from TikTok or from storage.

use std::fmt;

use domain::secret::{ExposeSecret, SecretString};
use url::Url;

use crate::upload_hosts::UploadHosts;

/// An upload URL. Its `Debug` does not show it.
#[derive(Clone)]
pub struct UploadUrl(SecretString);

impl UploadUrl {
    /// Wraps a URL that came from TikTok or from storage. It is checked when it is used.
    pub fn restore(url: SecretString) -> Self {
        Self(url)
    }

    /// Returns the URL, for storage.
    pub fn secret(&self) -> &SecretString {
        &self.0
    }

    /// Returns the parsed URL, or `None` if its host is not allowed.
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
    fn debug_is_redacted() {
        let url = UploadUrl::restore("https://open-upload.tiktokapis.com/?upload_token=t-1".into());
        assert_eq!(format!("{url:?}"), "UploadUrl(redacted)");
    }

    #[test]
    fn query_is_sent_unchanged() {
        let text = "https://open-upload.tiktokapis.com/video/?upload_id=67&upload_token=Xza%2B123~_.-";
        let hosts = UploadHosts::parse(UploadHosts::TIKTOKS_OWN).unwrap();
        let target = UploadUrl::restore(text.into()).target(&hosts);
        assert_eq!(target.map(String::from).as_deref(), Some(text));
    }
}
