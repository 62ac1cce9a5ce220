//! Package sizes: the zip files that SAM deploys, in MB of 10^6 bytes. The build
//! creates them; this module only reads their sizes.

use std::collections::BTreeMap;

use anyhow::Result;

use crate::harness::Harness;
use crate::statistics::mb;

/// The package size of each function in MB; a function without a package is missing.
pub(crate) type Sizes = BTreeMap<&'static str, f64>;

/// Reads the sizes.
pub(crate) fn measure(harness: &Harness) -> Result<Sizes> {
    let mut sizes = Sizes::new();
    for name in ["publish", "status", "notices", "api"] {
        let package = harness.function(name).with_file_name("bootstrap.zip");
        if package.exists() {
            sizes.insert(name, mb(package.metadata()?.len()));
        }
    }
    Ok(sizes)
}
