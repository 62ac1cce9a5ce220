//! A fault that makes some of a `DynamoDB` client's writes fail.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::Result;
use aws_sdk_dynamodb::config::interceptors::BeforeTransmitInterceptorContextMut;
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::BoxError;
use tokio::net::TcpListener;

/// An address at which nothing listens: the kernel refuses the connection.
const CLOSED_PORT: &str = "http://127.0.0.1:1/";

/// An interceptor that sends some of a client's `PutItem` requests to a wrong address. It counts these requests from 1
/// as they are sent, each retry of the SDK too.
#[derive(Debug)]
pub struct WriteFault {
    writes: Writes,
    /// The numbers of the requests that fail.
    failing: RangeInclusive<u32>,
    address: String,
    /// A listener that accepts no connection: the kernel connects a client, and no response ever comes.
    _silent: Option<TcpListener>,
}

/// The number of writes that a client has sent.
#[derive(Debug, Clone, Default)]
pub struct Writes(Arc<AtomicU32>);

impl Writes {
    /// The number of writes so far.
    #[must_use]
    pub fn so_far(&self) -> u32 {
        self.0.load(Ordering::SeqCst)
    }
}

impl WriteFault {
    /// A fault by which the connection of the writes with these numbers is refused.
    #[must_use]
    pub fn refusing(failing: RangeInclusive<u32>) -> Self {
        Self { writes: Writes::default(), failing, address: CLOSED_PORT.to_owned(), _silent: None }
    }

    /// A fault by which the writes with these numbers never get a response.
    pub async fn unanswered(failing: RangeInclusive<u32>) -> Result<Self> {
        let silent = TcpListener::bind("127.0.0.1:0").await?;
        let address = format!("http://{}/", silent.local_addr()?);
        Ok(Self { writes: Writes::default(), failing, address, _silent: Some(silent) })
    }

    /// The counter of this client's writes.
    #[must_use]
    pub fn writes(&self) -> Writes {
        self.writes.clone()
    }
}

impl Intercept for WriteFault {
    fn name(&self) -> &'static str {
        "write fault"
    }

    fn modify_before_transmit(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let request = context.request_mut();
        let is_write = request.headers().get("x-amz-target").is_some_and(|target| target.ends_with(".PutItem"));
        if is_write && self.failing.contains(&(self.writes.0.fetch_add(1, Ordering::SeqCst) + 1)) {
            request.set_uri(self.address.as_str())?;
        }
        Ok(())
    }
}
