//! Plays Lambda's detection of recursive loops. Lambda counts, in the field `Lineage` of the trace header, the invocations
//! of a function of which each caused the next one. The AWS SDK in the function passes the header on to SQS, and SQS
//! passes it to the next invocation. <https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html>
//!
//! AWS does not document the field's format. This one is from headers that Lambda has sent.

use anyhow::{Context, Result};
use harness::lambda::ANY_TRACE;

const FIELD: &str = ";Lineage=1:fc3b4ff1:";

/// The chain of invocations that led to an invocation of `publish`.
pub(crate) struct Lineage {
    /// The number of invocations before this one.
    pub(crate) invocations: u32,
}

impl Lineage {
    /// The lineage of the invocation for a message with this `AWSTraceHeader`.
    ///
    /// # Errors
    /// The header's lineage is none that this test environment sent.
    pub(crate) fn of_message(header: Option<&str>) -> Result<Self> {
        let Some((_, count)) = header.and_then(|header| header.split_once(FIELD)) else {
            return Ok(Self { invocations: 0 });
        };
        let before: u32 = count.parse().with_context(|| format!("{header:?} was changed"))?;
        Ok(Self { invocations: before + 1 })
    }

    /// The trace header of the invocation.
    pub(crate) fn to_header(&self) -> String {
        format!("{ANY_TRACE}{FIELD}{}", self.invocations)
    }
}
