//! The files of a project → the project: `matins.yaml` itself, and everything that needs more than one file to judge.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono_tz::Tz;

use crate::base::{
    CalendarName, ChannelName, Diagnostic, Diagnostics, PackName, PipelineName, Place, SourceText, StoreName,
    on_all_cores,
};
use crate::system::{Environment, ProjectFiles};

use super::keys::{GC, PROJECT, SERVE, STORE, TIMEOUTS};
use super::mail::{channels, mail, site};
use super::model::{Calendar, Channel, DailyGc, Destination, Pack, Project, Serve, Setting, Store, Timeouts, Unset};
use super::pipeline::{destination, time_of_day};
use super::shape::{Fields, Reading, Shape};
use super::tree::{Node, Value, parse};
use super::words::{name, zone};
use super::{pack, pipeline, schedule, stage};

const SCHEMES: [&str; 11] = ["s3", "s3a", "az", "azure", "abfs", "abfss", "gs", "http", "https", "file", "memory"];

/// What the files of a pipeline are judged against.
pub(super) struct Surroundings<'a> {
    pub(super) environment: &'a Environment,
    pub(super) time_zone: Tz,
    pub(super) timeouts: Timeouts,
    pub(super) notify: &'a [Destination],
    /// `None` when `matins.yaml` could not be read, so that nobody is told of stores that may well be there.
    pub(super) stores: Option<&'a BTreeMap<StoreName, Store>>,
    pub(super) channels: &'a BTreeMap<ChannelName, Channel>,
    pub(super) calendars: &'a BTreeMap<CalendarName, Calendar>,
    pub(super) packs: &'a BTreeMap<PackName, Pack>,
    pub(super) templates: &'a BTreeMap<String, Arc<SourceText>>,
}

/// Reads a project. There is one whenever there is a `matins.yaml`, as complete as its texts allow, so that later rooms
/// can report their mistakes too; it may be used only when no diagnostic is an error.
pub fn load(files: &ProjectFiles, environment: &Environment) -> (Option<Project>, Diagnostics) {
    let mut found = Diagnostics::default();
    let Some(file) = files.texts.get("matins.yaml") else {
        found.push(
            Diagnostic::error("no-project", "there is no `matins.yaml` here")
                .help("go to a project's folder, name one with `--project`, or make one with `matins init`"),
        );
        return (None, found);
    };
    let node = parse(file, 0..file.text.len(), environment, &mut found);
    let stores_known = node.as_ref().is_some_and(stores_known);
    let node = node.unwrap_or(Node { span: 0..0, value: Value::Map(Vec::new()) });
    let mut reading = Reading { file, found: &mut found };
    reading.examine("`matins.yaml`", &node, &Shape::Object(&PROJECT));
    let fields = Fields::new(&node, &PROJECT);

    let mut project = Project {
        root: files.root.clone(),
        file: Arc::clone(file),
        lake: lake(&mut reading, fields, environment),
        stores: stores(&mut reading, fields),
        time_zone: fields.get("time_zone").and_then(|n| zone(&mut reading, n)).unwrap_or(Tz::UTC),
        memory: fields.get("memory").and_then(|n| memory(&mut reading, n)),
        default_pipeline: None,
        mail: mail(&mut reading, fields),
        channels: channels(&mut reading, fields),
        calendars: schedule::calendars(&mut reading, fields),
        serve: serve(&mut reading, fields),
        timeouts: timeouts(&mut reading, fields, Timeouts::default()),
        notify: Vec::new(),
        site: site(&mut reading, fields),
        pipelines: BTreeMap::new(),
        packs: BTreeMap::new(),
        templates: files
            .below("report-templates/", "")
            .filter_map(|(path, text)| Some((path.strip_prefix("report-templates/")?.to_owned(), Arc::clone(text))))
            .collect(),
    };

    project.notify = notify(&mut reading, fields, &project.channels);

    let texts: Vec<_> = files.below("sql/", ".sql").collect();
    let stages = on_all_cores(&texts, |(path, file)| {
        let mut mistakes = Diagnostics::default();
        (stage::read(path, file, environment, &mut mistakes), mistakes)
    });
    for (stage, mistakes) in stages {
        found.extend(mistakes);
        if let Some(stage) = stage {
            project.packs.entry(stage.pack.clone()).or_default().stages.push(stage);
        }
    }
    for (path, file) in files.below("sql/", "/pack.yaml") {
        pack::read(path, file, environment, &mut project.packs, &mut found);
    }

    let surroundings = Surroundings {
        environment,
        time_zone: project.time_zone,
        timeouts: project.timeouts,
        notify: &project.notify,
        stores: stores_known.then_some(&project.stores),
        channels: &project.channels,
        calendars: &project.calendars,
        packs: &project.packs,
        templates: &project.templates,
    };
    let mut names = BTreeSet::new();
    let mut pipelines = BTreeMap::new();
    for (path, file) in files.below("pipelines/", "") {
        let Some(stem) =
            path.strip_prefix("pipelines/").and_then(|p| p.strip_suffix(".yaml").or(p.strip_suffix(".yml")))
        else {
            continue;
        };
        let name = match stem.parse::<PipelineName>() {
            Ok(name) => name,
            Err(error) => {
                let help = "a pipeline is called like its file: `pipelines/<name>.yaml`";
                found.push(Diagnostic::error("bad-name", error.to_string()).at(Place::file(file)).help(help));
                continue;
            }
        };
        if !names.insert(name.clone()) {
            let message = format!("there are two files for the pipeline `{name}`");
            found.push(Diagnostic::error("duplicate-name", message).at(Place::file(file)).help("remove one of them"));
            continue;
        }
        if let Some(pipeline) = pipeline::read(name.clone(), file, &surroundings, &mut found) {
            pipelines.insert(name, pipeline);
        }
    }
    project.pipelines = pipelines;
    schedule::after_each_other(&project, &names, &mut found);

    let mut reading = Reading { file, found: &mut found };
    project.default_pipeline = default_pipeline(&mut reading, fields, &names);
    sort(&mut found);
    (Some(project), found)
}

/// In the order a person walks through the files, whatever order the mistakes were found in.
fn sort(found: &mut Diagnostics) {
    found.0.sort_by_key(|d| d.place.as_ref().map(|p| (p.file.path.clone(), p.span.start)));
}

fn lake(reading: &mut Reading<'_>, fields: Fields<'_>, environment: &Environment) -> Setting {
    if let Some(lake) = environment.get("MATINS_LAKE") {
        return Ok(lake.to_owned());
    }
    fields.get("lake").and_then(|n| url(reading, n)).unwrap_or_else(|| Ok("lake".to_owned()))
}

fn stores(reading: &mut Reading<'_>, fields: Fields<'_>) -> BTreeMap<StoreName, Store> {
    let mut stores = BTreeMap::new();
    for entry in fields.get("stores").map(Node::entries).unwrap_or_default() {
        let name = name::<StoreName>(reading, &entry.key, &entry.key_span);
        let long = Fields::new(&entry.node, &STORE);
        let short = entry.node.scalar().is_some();
        let given = if short { Some(&entry.node) } else { long.get("url") };
        let url = given.and_then(|n| url(reading, n)).unwrap_or_else(|| Ok(String::new()));
        let options = if short { &[] } else { long.get("options").map(Node::entries).unwrap_or_default() };
        let options = options.iter().filter_map(|e| Some((e.key.clone(), setting(reading, &e.node)?))).collect();
        if let Some(name) = name {
            stores.insert(name, Store { url, options, place: reading.place(&entry.key_span) });
        }
    }
    stores
}

/// Whether `stores:` could be read, so that a store that is not in it is known to be missing.
fn stores_known(node: &Node) -> bool {
    match (&node.value, node.entry("stores")) {
        (Value::Map(_), Some(entry)) => matches!(entry.node.value, Value::Map(_) | Value::Null),
        // A misspelt `stores` has been reported.
        (Value::Map(entries), None) => entries.iter().all(|e| PROJECT.keys.iter().any(|k| k.name == e.key)),
        _ => false,
    }
}

/// A text whose variables may be unset; `None` when it is no text at all.
pub(super) fn setting(reading: &Reading<'_>, node: &Node) -> Option<Setting> {
    let scalar = node.scalar()?;
    Some(match &scalar.unset {
        Some(variable) => Err(Unset { variable: variable.clone(), place: reading.place(&node.span) }),
        None => Ok(scalar.text.clone()),
    })
}

fn url(reading: &mut Reading<'_>, node: &Node) -> Option<Setting> {
    let setting = setting(reading, node)?;
    if let Ok(url) = &setting {
        if url.trim().is_empty() {
            reading.error(
                "bad-url",
                &node.span,
                "a place in object storage cannot be empty",
                "write a URL or a folder",
            );
        } else if let Some((scheme, _)) = url.split_once("://")
            && !SCHEMES.contains(&scheme)
        {
            let message = format!("`{scheme}://` is not a kind of store");
            reading.unknown("unknown-scheme", &node.span, message, scheme, "kinds", SCHEMES[..10].iter().copied());
        }
    }
    Some(setting)
}

/// What is not said is as in `otherwise`.
pub(super) fn timeouts(reading: &mut Reading<'_>, fields: Fields<'_>, otherwise: Timeouts) -> Timeouts {
    let Some(node) = fields.get("timeouts") else { return otherwise };
    let mut limit = |key| span_of_time(reading, Fields::new(node, &TIMEOUTS), key);
    Timeouts { step: limit("step").unwrap_or(otherwise.step), run: limit("run").unwrap_or(otherwise.run) }
}

fn serve(reading: &mut Reading<'_>, fields: Fields<'_>) -> Serve {
    let mut serve = Serve::default();
    let Some(fields) = fields.get("serve").map(|n| Fields::new(n, &SERVE)) else { return serve };
    serve.at_once = fields.whole("at_once").unwrap_or(serve.at_once);
    if let Some((node, text)) = fields.get("listen").and_then(|n| Some((n, n.text()?))) {
        serve.listen = text.parse().ok();
        if serve.listen.is_none() {
            let message = format!("`{}` is not an address with a port", reading.shown(node));
            reading.error("bad-listen", &node.span, message, "write it like `127.0.0.1:9180` or `[::1]:9180`");
        }
    }
    if let Some(gc) = fields.get("gc").map(|n| Fields::new(n, &GC)) {
        let at = gc.get("at").and_then(|n| time_of_day(reading, n));
        serve.gc = at.map(|at| DailyGc { at, keep: gc.whole("keep").unwrap_or(400) });
    }
    serve
}

/// The project's `notify`, whose channels stand in the same file.
fn notify(
    reading: &mut Reading<'_>,
    fields: Fields<'_>,
    channels: &BTreeMap<ChannelName, Channel>,
) -> Vec<Destination> {
    let nodes = fields.get("notify").map(Node::items).unwrap_or_default();
    nodes.iter().filter_map(|n| destination(reading, n, channels, true)).collect()
}

/// `10m`, of a key that is there.
pub(super) fn span_of_time(reading: &mut Reading<'_>, fields: Fields<'_>, key: &str) -> Option<std::time::Duration> {
    let node = fields.get(key)?;
    let span = node.text().map(crate::base::parse_duration)?;
    if span.is_none() {
        let message = format!("`{key}` must be a span of time, not `{}`", reading.shown(node));
        reading.error("wrong-value", &node.span, message, "write it like `90s`, `30m`, `3h` or `1d`");
    }
    span
}

fn memory(reading: &mut Reading<'_>, node: &Node) -> Option<crate::base::ByteSize> {
    let text = node.text()?;
    match text.parse::<crate::base::ByteSize>() {
        Ok(size) if size.0 < 64 << 20 => {
            let message = format!("`{}` is too little memory", reading.shown(node));
            reading.error("bad-size", &node.span, message, "give at least `64MiB`");
            None
        }
        Ok(size) => Some(size),
        Err(_) => {
            let message = format!("`{}` is not a size", reading.shown(node));
            reading.error("bad-size", &node.span, message, "write it like `512MiB` or `2GiB`");
            None
        }
    }
}

fn default_pipeline(
    reading: &mut Reading<'_>,
    fields: Fields<'_>,
    names: &BTreeSet<PipelineName>,
) -> Option<PipelineName> {
    let node = fields.get("default_pipeline")?;
    let text = node.text()?;
    let found = names.iter().find(|n| n.as_str() == text);
    if found.is_none() {
        let message = format!("there is no pipeline `{}`", reading.shown(node));
        let known: Vec<&str> = names.iter().map(PipelineName::as_str).collect();
        reading.unknown("unknown-pipeline", &node.span, message, text, "pipelines", known);
    }
    found.cloned()
}
