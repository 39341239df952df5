//! Which tables a run made, and from what, as `OpenLineage` events (specification 2-0-2), where `OPENLINEAGE_URL` says to. A job
//! for the pipeline, and one for each table below it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

use super::TelemetryError;
use crate::base::{Event, Fingerprint, Observer, PipelineName, Recipe, RunEnd, StepOutcome, TableName};
use crate::config::{Pipeline, Project};
use crate::plan::graph;
use crate::system::{Clock, System};

const URL: &str = "OPENLINEAGE_URL";
const PATH: &str = "/api/v1/lineage";
const PRODUCER: &str = concat!("urn:matins:", env!("CARGO_PKG_VERSION"));
const SPECIFICATION: &str = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent";
const PATIENCE: Duration = Duration::from_secs(5);
/// After so many failures in a row the rest of them is thrown away.
const GIVE_UP: u32 = 3;

/// Sends events in order from a task of its own; a collector that is away costs a run nothing.
pub struct Lineage {
    project: Arc<Project>,
    clock: Clock,
    namespace: String,
    lake: String,
    sending: Mutex<Option<UnboundedSender<Value>>>,
    sender: Mutex<Option<JoinHandle<()>>>,
}

impl Lineage {
    /// None where no variable asks for it.
    pub fn from_environment(project: &Arc<Project>, system: &System) -> Result<Option<Self>, TelemetryError> {
        let Some(url) = system.environment.get(URL) else { return Ok(None) };
        if system.environment.get("OPENLINEAGE_DISABLED").is_some_and(|v| v.eq_ignore_ascii_case("true")) {
            return Ok(None);
        }
        let wrong = |why: String| TelemetryError { variable: URL, why };
        let path = system.environment.get("OPENLINEAGE_ENDPOINT").unwrap_or(PATH);
        let url = format!("{}/{}", url.trim_end_matches('/'), path.trim_start_matches('/'));
        let url = reqwest::Url::parse(&url).map_err(|e| wrong(e.to_string()))?;
        let client = reqwest::Client::builder().timeout(PATIENCE).build().map_err(|e| wrong(e.to_string()))?;
        let key = system.environment.get("OPENLINEAGE_API_KEY").map(str::to_owned);
        let (sending, mut events) = unbounded_channel::<Value>();
        let sender = tokio::spawn(async move {
            let mut failures = 0;
            while let Some(event) = events.recv().await {
                if failures == GIVE_UP {
                    continue;
                }
                let request = client.post(url.clone()).body(event.to_string());
                let request = request.header("Content-Type", "application/json");
                let request = key.iter().fold(request, reqwest::RequestBuilder::bearer_auth);
                match request.send().await.and_then(reqwest::Response::error_for_status) {
                    Ok(_) => failures = 0,
                    Err(error) => {
                        failures += 1;
                        tracing::warn!(error = %error.without_url(), "an OpenLineage event was not taken");
                    }
                }
            }
        });
        let lake = system.environment.get("MATINS_LAKE").map(str::to_owned).or(project.lake.clone().ok());
        let lake = namespace(&lake.unwrap_or_default(), &project.root);
        Ok(Some(Self {
            project: Arc::clone(project),
            clock: system.clock.clone(),
            namespace: system.environment.get("OPENLINEAGE_NAMESPACE").unwrap_or("matins").to_owned(),
            lake,
            sending: Mutex::new(Some(sending)),
            sender: Mutex::new(Some(sender)),
        }))
    }

    pub fn observer(self: &Arc<Self>, pipeline: &PipelineName) -> Arc<dyn Observer> {
        let known = self.project.pipelines.get(pipeline).map(|p| Known::of(&self.project, p, &self.lake));
        let (lineage, known) = (Arc::clone(self), known.unwrap_or_default());
        Arc::new(Telling { lineage, pipeline: pipeline.clone(), known, run: Mutex::default() })
    }

    /// Waits until what is left is sent, for some seconds at most.
    pub async fn finish(&self) {
        drop(self.sending.lock().unwrap_or_else(PoisonError::into_inner).take());
        let sender = self.sender.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(sender) = sender
            && tokio::time::timeout(PATIENCE, sender).await.is_err()
        {
            tracing::warn!("the last OpenLineage events were not sent");
        }
    }

    fn send(&self, event: Value) {
        if let Some(sending) = &*self.sending.lock().unwrap_or_else(PoisonError::into_inner) {
            // The receiver ends after this.
            sending.send(event).ok();
        }
    }
}

/// A store's URL as datasets are named by it, without a login that may be in it; a folder by its full path.
pub(super) fn namespace(url: &str, root: &std::path::Path) -> String {
    match url.split_once("://") {
        Some(("file", path)) => format!("file://{path}"),
        Some((scheme, rest)) => {
            let authority = rest.find(['/', '?', '#']).unwrap_or(rest.len());
            let from = rest[..authority].rfind('@').map_or(0, |at| at + 1);
            format!("{scheme}://{}", rest[from..].trim_end_matches('/'))
        }
        None => format!("file://{}", root.join(url).display()),
    }
}

/// What a pipeline's texts say of its tables.
#[derive(Default)]
struct Known {
    tables: BTreeMap<TableName, Table>,
    /// The sources' exports.
    inputs: Vec<Value>,
}

struct Table {
    inputs: Vec<Value>,
    output: Value,
    sql: Option<String>,
}

impl Known {
    fn of(project: &Project, pipeline: &Pipeline, lake: &str) -> Self {
        let table = |name: &TableName| json!({ "namespace": lake, "name": name.to_string() });
        let mut known = Self::default();
        for source in pipeline.sources.values() {
            let url = project.stores.get(&source.store).and_then(|store| store.url.clone().ok()).unwrap_or_default();
            let input = json!({ "namespace": namespace(&url, &project.root), "name": source.pattern.text });
            let raw = TableName::raw(&source.name);
            let output = table(&raw);
            known.inputs.push(input.clone());
            known.tables.insert(raw, Table { inputs: vec![input], output, sql: None });
        }
        for node in graph(project, pipeline).0.nodes {
            let inputs = node.query.reads.keys().map(table).collect();
            let (output, sql) = (table(node.table()), Some(node.stage.file.text.clone()));
            known.tables.insert(node.table().clone(), Table { inputs, output, sql });
        }
        known
    }
}

struct Telling {
    lineage: Arc<Lineage>,
    pipeline: PipelineName,
    known: Known,
    /// Id and `as_of` of the run under way, and the tables it made.
    run: Mutex<Option<Open>>,
}

struct Open {
    id: String,
    as_of: String,
    made: BTreeMap<TableName, u64>,
}

impl Observer for Telling {
    fn see(&self, event: &Event) {
        let mut run = self.run.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::RunStarted { run: id, as_of, .. } => {
                let open = Open { id: uuid_of(id.as_str()), as_of: as_of.clone(), made: BTreeMap::new() };
                self.lineage.send(self.event("START", &open.id, &self.whole(&open), &json!({})));
                *run = Some(open);
            }
            Event::StepFinished { step, outcome, .. } => {
                let Some(open) = run.as_mut() else { return };
                let mut words = step.split(' ');
                let (Some("assemble" | "make"), Some(name)) = (words.next(), words.next()) else { return };
                if matches!(outcome, StepOutcome::Made { .. }) && step.contains(" as of ") {
                    // What a closed month stands on is not what this run says that the table is.
                    return;
                }
                let Ok(name) = name.parse::<TableName>() else { return };
                let (kind, facets) = match outcome {
                    StepOutcome::Made { rows } => {
                        *open.made.entry(name.clone()).or_default() += rows;
                        ("COMPLETE", json!({}))
                    }
                    StepOutcome::Failed { message } => ("FAIL", failed(message)),
                    StepOutcome::Reused | StepOutcome::Skipped => return,
                };
                let rows = if let StepOutcome::Made { rows } = outcome { Some(*rows) } else { None };
                if let Some(event) = self.of_table(open, step, &name, kind, rows, facets) {
                    self.lineage.send(event);
                }
            }
            Event::RunEnded { end, message, .. } => {
                let Some(open) = run.take() else { return };
                let kind = match end {
                    RunEnd::Published => "COMPLETE",
                    RunEnd::Cancelled => "ABORT",
                    RunEnd::Blocked | RunEnd::Failed | RunEnd::Fenced => "FAIL",
                };
                let facets =
                    if *end == RunEnd::Published { json!({}) } else { failed(message.as_deref().unwrap_or("")) };
                self.lineage.send(self.event(kind, &open.id, &self.whole(&open), &facets));
            }
            _ => {}
        }
    }
}

/// What an event is about.
struct Job {
    name: String,
    kind: &'static str,
    sql: Option<String>,
    inputs: Vec<Value>,
    outputs: Vec<Value>,
}

impl Telling {
    /// The pipeline: from its exports to every table it made.
    fn whole(&self, open: &Open) -> Job {
        let outputs =
            open.made.iter().filter_map(|(name, rows)| Some(with_rows(&self.known.tables.get(name)?.output, *rows)));
        let (name, inputs, outputs) = (self.pipeline.to_string(), self.known.inputs.clone(), outputs.collect());
        Job { name, kind: "PIPELINE", sql: None, inputs, outputs }
    }

    fn of_table(
        &self,
        open: &Open,
        step: &str,
        name: &TableName,
        kind: &str,
        rows: Option<u64>,
        mut facets: Value,
    ) -> Option<Value> {
        let table = self.known.tables.get(name)?;
        let output = rows.map_or_else(|| table.output.clone(), |rows| with_rows(&table.output, rows));
        let job = Job {
            name: format!("{}.{name}", self.pipeline),
            kind: "TABLE",
            sql: table.sql.clone(),
            inputs: table.inputs.clone(),
            outputs: vec![output],
        };
        facets["parent"] = facet(
            "1-0-1/ParentRunFacet.json#/$defs/ParentRunFacet",
            json!({
                "run": { "runId": open.id },
                "job": { "namespace": self.lineage.namespace, "name": self.pipeline.to_string() },
            }),
        );
        let id = uuid_of_hash(Recipe::new("lineage/1").text("run", &open.id).text("step", step).finish());
        Some(self.event(kind, &id, &job, &with_as_of(facets, &open.as_of)))
    }

    fn event(&self, kind: &str, run: &str, job: &Job, facets: &Value) -> Value {
        let job_type = json!({ "processingType": "BATCH", "integration": "MATINS", "jobType": job.kind });
        let mut job_facets = json!({ "jobType": facet("2-0-3/JobTypeJobFacet.json#/$defs/JobTypeJobFacet", job_type) });
        if let Some(sql) = &job.sql {
            let sql = json!({ "query": sql, "dialect": "datafusion" });
            job_facets["sql"] = facet("1-1-0/SQLJobFacet.json#/$defs/SQLJobFacet", sql);
        }
        json!({
            "eventType": kind,
            "eventTime": self.lineage.clock.now().to_rfc3339(),
            "producer": PRODUCER,
            "schemaURL": SPECIFICATION,
            "run": { "runId": run, "facets": facets },
            "job": { "namespace": self.lineage.namespace, "name": job.name, "facets": job_facets },
            "inputs": job.inputs,
            "outputs": job.outputs,
        })
    }
}

fn facet(schema: &str, mut content: Value) -> Value {
    content["_producer"] = PRODUCER.into();
    content["_schemaURL"] = format!("https://openlineage.io/spec/facets/{schema}").into();
    content
}

fn failed(message: &str) -> Value {
    let content = json!({ "message": message, "programmingLanguage": "SQL" });
    json!({ "errorMessage": facet("1-0-1/ErrorMessageRunFacet.json#/$defs/ErrorMessageRunFacet", content) })
}

fn with_as_of(mut facets: Value, as_of: &str) -> Value {
    let content = json!({ "asOf": as_of });
    facets["matins"] = facet("1-0-0/BaseFacet.json", content);
    facets
}

fn with_rows(dataset: &Value, rows: u64) -> Value {
    let mut dataset = dataset.clone();
    let statistics = facet(
        "1-0-2/OutputStatisticsOutputDatasetFacet.json#/$defs/OutputStatisticsOutputDatasetFacet",
        json!({ "rowCount": rows }),
    );
    dataset["outputFacets"] = json!({ "outputStatistics": statistics });
    dataset
}

/// A run's id is a UUID with a letter before it.
fn uuid_of(run: &str) -> String {
    let plain = run.strip_prefix('r').and_then(|text| uuid::Uuid::try_parse(text).ok());
    plain.map_or_else(|| uuid_of_hash(Recipe::new("lineage/1").text("run", run).finish()), |id| id.to_string())
}

fn uuid_of_hash(fingerprint: Fingerprint) -> String {
    let hex = fingerprint.to_string();
    let number = u128::from_str_radix(hex.get(..32).unwrap_or_default(), 16).unwrap_or_default();
    uuid::Builder::from_custom_bytes(number.to_be_bytes()).into_uuid().to_string()
}
