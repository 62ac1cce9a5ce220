//! The extractor of a request's X-Ray trace id.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use domain::trace::TraceId;
use lambda_http::RequestExt;

/// The trace id of the Lambda invocation. If the caller is traced, it is the caller's. A malformed header gives none.
pub(crate) struct TraceHeader(pub(crate) Option<TraceId>);

impl<S: Sync> FromRequestParts<S> for TraceHeader {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let header = parts.lambda_context_ref().and_then(|context| context.xray_trace_id.as_deref());
        Ok(Self(header.and_then(TraceId::from_header)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use axum::http::Request;
    use lambda_http::Context;

    #[tokio::test]
    async fn request_has_the_trace_id_of_its_invocation() {
        let trace = "1-67403a18-1f2e3d4c5b6a798081726354";
        let header = format!("Root={trace};Parent=53995c3f42cd8ad8;Sampled=0");
        for (header, expected) in [(Some(header), Some(trace)), (Some("Root=1-2-3".to_owned()), None), (None, None)] {
            let mut context = Context::default();
            context.xray_trace_id = header;
            let (mut parts, ()) = Request::new(()).with_lambda_context(context).into_parts();
            let Ok(TraceHeader(found)) = TraceHeader::from_request_parts(&mut parts, &()).await;
            assert_eq!(found.map(String::from).as_deref(), expected);
        }
    }
}
