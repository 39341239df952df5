//! A trace a run and a span a step, over OTLP with protobuf, where `OTEL_EXPORTER_OTLP_ENDPOINT` says to. The other variables
//! of the OpenTelemetry specification (headers, time-out, resource attributes) count too.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use opentelemetry::trace::{Span as _, SpanKind, Status, TraceContextExt, Tracer as _, TracerProvider as _};
use opentelemetry::{Context, KeyValue};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{SpanExporter, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider, Span};
use tokio::runtime::Handle;

use super::TelemetryError;
use crate::base::{Event, Observer, PipelineName, RunEnd, StepOutcome};
use crate::system::System;

const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
const TRACES_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
/// For one export, and for the last one at the end of the process.
const PATIENCE: Duration = Duration::from_secs(5);

/// Sends spans from a thread of its own; a collector that is away costs a run nothing.
pub struct Traces {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
}

impl Traces {
    /// None where no variable asks for it.
    pub fn from_environment(system: &System) -> Result<Option<Self>, TelemetryError> {
        let get = |name| system.environment.get(name);
        let asked = get(ENDPOINT).is_some() || get(TRACES_ENDPOINT).is_some();
        let off = get("OTEL_SDK_DISABLED").is_some_and(|v| v.eq_ignore_ascii_case("true"))
            || get("OTEL_TRACES_EXPORTER").is_some_and(|v| v == "none");
        if !asked || off {
            return Ok(None);
        }
        let wrong = |why: String| TelemetryError { variable: ENDPOINT, why };
        let client = reqwest::Client::builder().timeout(PATIENCE).build().map_err(|e| wrong(e.to_string()))?;
        let client = Client { client, runtime: Handle::current() };
        let exporter = SpanExporter::builder().with_http().with_http_client(client).build();
        let exporter = exporter.map_err(|e| wrong(e.to_string()))?;
        let name = get("OTEL_SERVICE_NAME").unwrap_or("matins").to_owned();
        let resource = Resource::builder()
            .with_service_name(name)
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .with_attribute(KeyValue::new("host.name", system.machine.host.clone()))
            .build();
        let provider = SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build();
        let tracer = provider.tracer("matins");
        Ok(Some(Self { provider, tracer }))
    }

    pub fn observer(&self, pipeline: &PipelineName) -> Arc<dyn Observer> {
        Arc::new(Tracing { tracer: self.tracer.clone(), pipeline: pipeline.clone(), run: Mutex::default() })
    }

    /// Blocks until what is left is sent, for some seconds at most.
    pub fn finish(&self) {
        if let Err(error) = self.provider.shutdown_with_timeout(PATIENCE) {
            tracing::warn!(%error, "the last spans were not sent");
        }
    }
}

/// Requests of the exporter's thread, which is none of the runtime's.
#[derive(Debug)]
struct Client {
    client: reqwest::Client,
    runtime: Handle,
}

#[async_trait::async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let request: reqwest::Request = request.try_into()?;
        let client = self.client.clone();
        let answer = self.runtime.spawn(async move {
            let answer = client.execute(request).await?;
            let status = answer.status();
            Ok::<_, reqwest::Error>((status, answer.bytes().await?))
        });
        let (status, bytes) = answer.await??;
        Ok(Response::builder().status(status).body(bytes)?)
    }
}

struct Tracing {
    tracer: SdkTracer,
    pipeline: PipelineName,
    run: Mutex<Option<Open>>,
}

/// The run under way and its steps.
struct Open {
    root: Context,
    steps: HashMap<String, Span>,
}

impl Observer for Tracing {
    fn see(&self, event: &Event) {
        let mut run = self.run.lock().unwrap_or_else(PoisonError::into_inner);
        if let Event::RunStarted { run: id, as_of, steps, .. } = event {
            let attributes = [
                KeyValue::new("matins.pipeline", self.pipeline.to_string()),
                KeyValue::new("matins.run", id.to_string()),
                KeyValue::new("matins.as_of", as_of.clone()),
                KeyValue::new("matins.steps", i64::try_from(*steps).unwrap_or(i64::MAX)),
            ];
            let span = self.tracer.span_builder(format!("run {}", self.pipeline)).with_kind(SpanKind::Internal);
            let span = self.tracer.build_with_context(span.with_attributes(attributes), &Context::new());
            *run = Some(Open { root: Context::new().with_span(span), steps: HashMap::new() });
            return;
        }
        let Some(open) = run.as_mut() else { return };
        match event {
            Event::StepStarted { step } => {
                // Named by its kind, so that a backend can put the same steps of all nights together.
                let kind = step.split(' ').next().unwrap_or_default().to_owned();
                let span = self.tracer.span_builder(kind).with_attributes([KeyValue::new("matins.step", step.clone())]);
                open.steps.insert(step.clone(), self.tracer.build_with_context(span, &open.root));
            }
            Event::StepFinished { step, outcome, .. } => {
                let Some(mut span) = open.steps.remove(step) else { return };
                match outcome {
                    StepOutcome::Made { rows } => {
                        span.set_attribute(KeyValue::new("matins.rows", i64::try_from(*rows).unwrap_or(i64::MAX)));
                    }
                    StepOutcome::Failed { message } => span.set_status(Status::error(message.clone())),
                    StepOutcome::Reused | StepOutcome::Skipped => {}
                }
                span.end();
            }
            Event::Retrying { what, attempt, why, .. } => {
                let attributes = vec![
                    KeyValue::new("matins.what", what.clone()),
                    KeyValue::new("matins.attempt", i64::from(*attempt)),
                    KeyValue::new("matins.why", why.clone()),
                ];
                open.root.span().add_event("retry", attributes);
            }
            Event::Warning { message } => {
                open.root.span().add_event("warning", vec![KeyValue::new("matins.message", message.clone())]);
            }
            Event::Published { snapshot, .. } => {
                let number = i64::try_from(*snapshot).unwrap_or(i64::MAX);
                open.root.span().set_attribute(KeyValue::new("matins.snapshot", number));
                open.root.span().add_event("published", vec![]);
            }
            Event::RunEnded { end, message, .. } => {
                let span = open.root.span();
                span.set_attribute(KeyValue::new("matins.end", end.word()));
                if *end != RunEnd::Published {
                    span.set_status(Status::error(message.clone().unwrap_or_default()));
                }
                // Those that were dropped with it.
                for (_, mut step) in open.steps.drain() {
                    step.set_status(Status::error("cancelled"));
                    step.end();
                }
                span.end();
                *run = None;
            }
            _ => {}
        }
    }
}
