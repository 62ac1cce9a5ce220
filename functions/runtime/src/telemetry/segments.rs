//! X-Ray subsegments: `tracing` spans, sent to X-Ray so that a trace shows the steps of an invocation.
//!
//! Each span inside the span of an invocation becomes a subsegment with the span's name. The span's fields become
//! annotations: `annotation.post_id = "…"` finds every invocation of every function that worked on a post, and
//! `annotation.trace_id` finds those of the trace in which the post was dropped.
//!
//! A subsegment is one datagram to the daemon that Lambda runs beside a function. The function never waits for it.
//! Nothing is sent if the invocation is not sampled, or if tracing is off and there is no daemon.
//! <https://docs.aws.amazon.com/xray/latest/devguide/xray-api-segmentdocuments.html>
//!
//! This module knows no span by its name. It recognizes the span of an invocation by the field that
//! `lambda_runtime` gives it.

use std::fmt;
use std::io;
use std::net::UdpSocket;

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use crate::{clock, environment, random};

/// The field that contains the tracing header, in the span of an invocation.
const TRACE_HEADER_FIELD: &str = "xrayTraceId";
/// The header of each datagram to the daemon.
const DATAGRAM_HEADER: &str = "{\"format\":\"json\",\"version\":1}\n";

/// Sends spans to the X-Ray daemon.
pub(super) struct Segments {
    daemon: UdpSocket,
}

/// The trace and the segment of a sampled invocation.
#[derive(Clone)]
struct Invocation {
    trace_id: String,
    segment_id: String,
}

/// A span that becomes a subsegment when it closes.
struct Subsegment {
    start: Timestamp,
    annotations: Map<String, Value>,
    failed: bool,
}

impl Segments {
    /// Reads the daemon's address and port from `AWS_XRAY_DAEMON_ADDRESS`, which Lambda sets. None if it is not set, or
    /// if no socket can be opened: traces are optional.
    pub(super) fn start() -> Option<Self> {
        Self::to(&environment::variable("AWS_XRAY_DAEMON_ADDRESS")?).ok()
    }

    fn to(address: &str) -> io::Result<Self> {
        let daemon = UdpSocket::bind(("0.0.0.0", 0))?;
        daemon.set_nonblocking(true)?;
        daemon.connect(address)?;
        Ok(Self { daemon })
    }

    fn send(&self, name: &str, subsegment: &Subsegment, invocation: &Invocation) {
        let random = random::random_bytes().ok();
        let Some(id) = random.and_then(|random| random.first_chunk().copied()).map(u64::from_be_bytes) else { return };
        let document = json!({
            "type": "subsegment",
            "name": name,
            "id": format!("{id:016x}"),
            "trace_id": invocation.trace_id,
            "parent_id": invocation.segment_id,
            "start_time": subsegment.start.as_duration().as_secs_f64(),
            "end_time": clock::now().as_duration().as_secs_f64(),
            "fault": subsegment.failed,
            "annotations": subsegment.annotations,
        });
        // A lost datagram only leaves a gap in the trace.
        let _ = self.daemon.send(format!("{DATAGRAM_HEADER}{document}").as_bytes());
    }
}

impl Invocation {
    /// Parses a tracing header, `Root=1-…;Parent=…;Sampled=1`. None if the invocation is not sampled.
    fn sampled(header: &str) -> Option<Self> {
        let part = |name| header.split(';').find_map(|part| part.trim().strip_prefix(name)).map(str::to_owned);
        part("Sampled=").filter(|sampled| sampled == "1")?;
        Some(Self { trace_id: part("Root=")?, segment_id: part("Parent=")? })
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Segments {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(header) = fields.0.get(TRACE_HEADER_FIELD).and_then(Value::as_str) {
            if let Some(invocation) = Invocation::sampled(header) {
                span.extensions_mut().insert(invocation);
            }
        } else if span.scope().skip(1).any(|outer| outer.extensions().get::<Invocation>().is_some()) {
            span.extensions_mut().insert(Subsegment { start: clock::now(), annotations: fields.0, failed: false });
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        if *event.metadata().level() != Level::ERROR {
            return;
        }
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(subsegment) = span.extensions_mut().get_mut::<Subsegment>() {
                subsegment.failed = true;
            }
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(span) = context.span(&id) else { return };
        let Some(subsegment) = span.extensions_mut().remove::<Subsegment>() else { return };
        let invocation = span.scope().skip(1).find_map(|outer| outer.extensions().get::<Invocation>().cloned());
        if let Some(invocation) = invocation {
            self.send(span.name(), &subsegment, &invocation);
        }
    }
}

/// The fields of a span. The names have `_` instead of `.`, because annotations may not contain a dot.
#[derive(Default)]
struct Fields(Map<String, Value>);

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().replace('.', "_"), json!(value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name().replace('.', "_"), json!(format!("{value:?}")));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tracing_subscriber::prelude::*;

    use super::*;

    const TRACE: &str = "1-6925e988-bd862e3fe1be46a994272793";

    /// The subsegments that are sent while `work` runs in a post's span, in an invocation with this tracing header.
    fn sent_in(header: &str, work: impl FnOnce()) -> Vec<Value> {
        let daemon = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
        daemon.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        let segments = Segments::to(&daemon.local_addr().unwrap().to_string()).unwrap();
        tracing::subscriber::with_default(tracing_subscriber::registry().with(segments), || {
            let invocation = tracing::info_span!("Lambda runtime invoke", requestId = "r-1", xrayTraceId = header);
            invocation.in_scope(|| tracing::error_span!("post", post.id = %"p-1", account = "anna").in_scope(work));
        });
        let mut buffer = [0; 4096];
        std::iter::from_fn(|| daemon.recv(&mut buffer).ok().map(|length| buffer[..length].to_vec()))
            .map(|datagram| {
                let document = datagram.strip_prefix(DATAGRAM_HEADER.as_bytes()).unwrap();
                serde_json::from_slice(document).unwrap()
            })
            .collect()
    }

    #[test]
    fn span_becomes_subsegment_with_annotations() {
        let header = format!("Root={TRACE};Parent=53995c3f42cd8ad8;Sampled=1");
        let sent = sent_in(&header, || tracing::info!("upload begun"));
        let [post] = &sent[..] else { panic!("{sent:?}") };
        assert_eq!((&post["name"], &post["type"]), (&json!("post"), &json!("subsegment")));
        assert_eq!((&post["trace_id"], &post["parent_id"]), (&json!(TRACE), &json!("53995c3f42cd8ad8")));
        assert_eq!(post["annotations"], json!({ "post_id": "p-1", "account": "anna" }));
        assert_eq!(post["fault"], false);
        assert_eq!(post["id"].as_str().map(str::len), Some(16), "{post}");
        let time = |name: &str| post[name].as_f64().unwrap();
        assert!(time("start_time") > 1.7e9 && time("start_time") <= time("end_time"), "{post}");
    }

    #[test]
    fn error_log_marks_the_subsegment_as_failed() {
        let header = format!("Root={TRACE};Parent=53995c3f42cd8ad8;Sampled=1;Lineage=1:2:3");
        let sent = sent_in(&header, || tracing::error!("post failed"));
        assert_eq!(sent[0]["fault"], true);
    }

    #[test]
    fn unsampled_invocation_sends_nothing() {
        for header in
            [format!("Root={TRACE};Parent=53995c3f42cd8ad8;Sampled=0"), format!("Root={TRACE}"), String::new()]
        {
            assert_eq!(sent_in(&header, || tracing::error!("post failed")), Vec::<Value>::new(), "{header}");
        }
    }
}
