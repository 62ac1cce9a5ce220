//! A table that fails when a story says so: some of the writes never get there.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::Result;
use aws_sdk_dynamodb::config::interceptors::BeforeTransmitInterceptorContextMut;
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::BoxError;
use tokio::net::TcpListener;

/// Where nobody listens.
const NOWHERE: &str = "http://127.0.0.1:1/";

/// Leads some of a client's writes astray, counted from 1 as they are sent: an
/// attempt of the client's own counts as one.
#[derive(Debug)]
pub struct Hiccup {
    writes: Writes,
    astray: RangeInclusive<u32>,
    to: String,
    /// Keeps whoever is there from being gone.
    _silent: Option<TcpListener>,
}

/// How many writes there were.
#[derive(Debug, Clone, Default)]
pub struct Writes(Arc<AtomicU32>);

impl Writes {
    /// As of now.
    #[must_use]
    pub fn so_far(&self) -> u32 {
        self.0.load(Ordering::SeqCst)
    }
}

impl Hiccup {
    /// These writes fail at once.
    #[must_use]
    pub fn refusing(astray: RangeInclusive<u32>) -> Self {
        Self { writes: Writes::default(), astray, to: NOWHERE.to_owned(), _silent: None }
    }

    /// These writes are never answered.
    pub async fn silent(astray: RangeInclusive<u32>) -> Result<Self> {
        let silent = TcpListener::bind("127.0.0.1:0").await?;
        let to = format!("http://{}/", silent.local_addr()?);
        Ok(Self { writes: Writes::default(), astray, to, _silent: Some(silent) })
    }

    /// The count of this client's writes.
    #[must_use]
    pub fn writes(&self) -> Writes {
        self.writes.clone()
    }
}

impl Intercept for Hiccup {
    fn name(&self) -> &'static str {
        "hiccup"
    }

    fn modify_before_transmit(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let request = context.request_mut();
        let writes = request.headers().get("x-amz-target").is_some_and(|target| target.ends_with(".PutItem"));
        if writes && self.astray.contains(&(self.writes.0.fetch_add(1, Ordering::SeqCst) + 1)) {
            request.set_uri(self.to.as_str())?;
        }
        Ok(())
    }
}
