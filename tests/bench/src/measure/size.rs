//! How large the packages are that are deployed: zipped as SAM zips them, in MB
//! of 10^6 bytes. The build makes them; here they are only looked at.

use std::collections::BTreeMap;

use anyhow::Result;

use crate::numbers::mb;
use crate::stage::Stage;

/// The size of each function's package; without those that were not built.
pub(crate) type Sizes = BTreeMap<&'static str, f64>;

/// Measures.
pub(crate) fn measure(stage: &Stage) -> Result<Sizes> {
    let mut sizes = Sizes::new();
    for name in ["publish", "status", "notices", "api"] {
        let package = stage.function(name).with_file_name("bootstrap.zip");
        if package.exists() {
            sizes.insert(name, mb(package.metadata()?.len()));
        }
    }
    Ok(sizes)
}
