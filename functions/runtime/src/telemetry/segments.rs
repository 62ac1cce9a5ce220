//! What X-Ray shows of an invocation besides that it was.
//!
//! Each span that is opened within an invocation is a subsegment of it, named as the
//! span is, with the span's fields as annotations: `annotation.post_id = "…"` finds
//! every invocation of every function that worked on a post, and `annotation.trace_id`
//! those of the trace in which it was dropped. A subsegment is one datagram to the daemon
//! that Lambda runs beside a function. Nothing waits for it, nothing is sent of an
//! invocation that is not sampled, and where nobody traces there is no daemon.
//! <https://docs.aws.amazon.com/xray/latest/devguide/xray-api-segmentdocuments.html>
//!
//! It knows no span by its name, and invocations by the one field that `lambda_runtime`
//! gives theirs.

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

/// The field with the tracing header, in the span of an invocation.
const HEADER: &str = "xrayTraceId";
/// What the daemon reads in front of each document.
const PREFACE: &str = "{\"format\":\"json\",\"version\":1}\n";

/// Tells the daemon of spans.
pub(super) struct Segments {
    daemon: UdpSocket,
}

/// What an invocation says of its trace.
#[derive(Clone)]
struct Invocation {
    trace: String,
    segment: String,
}

/// A span that is to become a subsegment.
struct Open {
    since: Timestamp,
    annotations: Map<String, Value>,
    failed: bool,
}

impl Segments {
    /// `AWS_XRAY_DAEMON_ADDRESS`, which Lambda sets: the daemon's address and port. None
    /// where it is not set, or cannot be sent to: nothing depends on it.
    pub(super) fn start() -> Option<Self> {
        Self::to(&environment::variable("AWS_XRAY_DAEMON_ADDRESS")?).ok()
    }

    fn to(address: &str) -> io::Result<Self> {
        let daemon = UdpSocket::bind(("0.0.0.0", 0))?;
        daemon.set_nonblocking(true)?;
        daemon.connect(address)?;
        Ok(Self { daemon })
    }

    fn send(&self, name: &str, open: &Open, invocation: &Invocation) {
        let random = random::random_bytes().ok();
        let Some(id) = random.and_then(|random| random.first_chunk().copied()).map(u64::from_be_bytes) else { return };
        let subsegment = json!({
            "type": "subsegment",
            "name": name,
            "id": format!("{id:016x}"),
            "trace_id": invocation.trace,
            "parent_id": invocation.segment,
            "start_time": open.since.as_duration().as_secs_f64(),
            "end_time": clock::now().as_duration().as_secs_f64(),
            "fault": open.failed,
            "annotations": open.annotations,
        });
        // Nobody is served worse where a datagram is lost.
        let _ = self.daemon.send(format!("{PREFACE}{subsegment}").as_bytes());
    }
}

impl Invocation {
    /// Reads a tracing header, `Root=1-…;Parent=…;Sampled=1`. None, where the invocation is not sampled.
    fn sampled(header: &str) -> Option<Self> {
        let part = |name| header.split(';').find_map(|part| part.trim().strip_prefix(name)).map(str::to_owned);
        part("Sampled=").filter(|sampled| sampled == "1")?;
        Some(Self { trace: part("Root=")?, segment: part("Parent=")? })
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Segments {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(header) = fields.0.get(HEADER).and_then(Value::as_str) {
            if let Some(invocation) = Invocation::sampled(header) {
                span.extensions_mut().insert(invocation);
            }
        } else if span.scope().skip(1).any(|outer| outer.extensions().get::<Invocation>().is_some()) {
            span.extensions_mut().insert(Open { since: clock::now(), annotations: fields.0, failed: false });
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        if *event.metadata().level() != Level::ERROR {
            return;
        }
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(open) = span.extensions_mut().get_mut::<Open>() {
                open.failed = true;
            }
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(span) = context.span(&id) else { return };
        let Some(open) = span.extensions_mut().remove::<Open>() else { return };
        let invocation = span.scope().skip(1).find_map(|outer| outer.extensions().get::<Invocation>().cloned());
        if let Some(invocation) = invocation {
            self.send(span.name(), &open, &invocation);
        }
    }
}

/// The fields of a span, by names that annotations may have.
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

    /// What the daemon is sent while a function works on a post in an invocation with this header.
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
                let document = datagram.strip_prefix(PREFACE.as_bytes()).unwrap();
                serde_json::from_slice(document).unwrap()
            })
            .collect()
    }

    #[test]
    fn work_on_a_post_is_a_subsegment_that_is_found_by_the_post() {
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
    fn what_failed_is_shown_as_failed() {
        let header = format!("Root={TRACE};Parent=53995c3f42cd8ad8;Sampled=1;Lineage=1:2:3");
        let sent = sent_in(&header, || tracing::error!("post failed"));
        assert_eq!(sent[0]["fault"], true);
    }

    #[test]
    fn nothing_is_sent_of_an_invocation_that_is_not_sampled() {
        for header in
            [format!("Root={TRACE};Parent=53995c3f42cd8ad8;Sampled=0"), format!("Root={TRACE}"), String::new()]
        {
            assert_eq!(sent_in(&header, || tracing::error!("post failed")), Vec::<Value>::new(), "{header}");
        }
    }
}
