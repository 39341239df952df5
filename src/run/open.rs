//! Opens what a pipeline needs: its graph, the lake, the stores of its sources, the engine.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::OnceCell;

use crate::base::{Diagnostic, Diagnostics, Observer, Place, StoreName};
use crate::config::{Pipeline, Project, Setting};
use crate::engine::{Engine, Settings};
use crate::lake::{Lake, RootedStore, open_store};
use crate::plan::{Graph, graph};
use crate::report::Templates;
use crate::run::{Keeper, RunError, Running};
use crate::system::System;

/// Everything a run of one pipeline works with.
#[derive(Clone)]
pub struct Workshop {
    pub project: Arc<Project>,
    pub pipeline: Arc<Pipeline>,
    pub graph: Arc<Graph>,
    pub lake: Lake,
    pub stores: BTreeMap<StoreName, RootedStore>,
    pub engine: Arc<Engine>,
    pub system: System,
    pub observer: Arc<dyn Observer>,
    pub lease: Keeper,
    pub running: Running,
    /// Compiled when the first report asks for them.
    pub templates: Arc<OnceCell<Arc<Templates>>>,
}

/// Opens a pipeline for work. Mistakes of its stages are found here, before anything is read.
pub fn open(
    project: &Arc<Project>,
    pipeline: &Pipeline,
    system: &System,
    observer: &Arc<dyn Observer>,
) -> Result<Workshop, RunError> {
    let lake = open_lake(project, system)?;
    let engine = Arc::new(engine(project, system, &lake)?);
    open_beside(project, pipeline, system, observer, &lake, &engine)
}

/// Opens a pipeline for work beside others, which share the lake and the engine with its memory.
pub fn open_beside(
    project: &Arc<Project>,
    pipeline: &Pipeline,
    system: &System,
    observer: &Arc<dyn Observer>,
    lake: &Lake,
    engine: &Arc<Engine>,
) -> Result<Workshop, RunError> {
    let shop = open_without_exports(project, pipeline, system, observer, lake, engine)?;
    let mut stores = BTreeMap::new();
    for source in pipeline.sources.values() {
        if !stores.contains_key(&source.store) {
            stores.insert(source.store.clone(), open_exports(project, &source.store, system)?);
        }
    }
    Ok(Workshop { stores, ..shop })
}

/// For what looks at snapshots only: exports that cannot be reached are no trouble then.
pub fn open_without_exports(
    project: &Arc<Project>,
    pipeline: &Pipeline,
    system: &System,
    observer: &Arc<dyn Observer>,
    lake: &Lake,
    engine: &Arc<Engine>,
) -> Result<Workshop, RunError> {
    let (graph, mistakes) = graph(project, pipeline);
    if mistakes.has_errors() {
        return Err(RunError::Project(mistakes));
    }
    Ok(Workshop {
        project: Arc::clone(project),
        pipeline: Arc::new(pipeline.clone()),
        graph: Arc::new(graph),
        lake: lake.clone(),
        stores: BTreeMap::new(),
        engine: Arc::clone(engine),
        system: system.clone(),
        observer: Arc::clone(observer),
        lease: Keeper::default(),
        running: Running::default(),
        templates: Arc::default(),
    })
}

/// The lake of a project: where `MATINS_LAKE` says, or `matins.yaml`.
pub fn open_lake(project: &Project, system: &System) -> Result<Lake, RunError> {
    let location = match system.environment.get("MATINS_LAKE") {
        Some(location) => location.to_owned(),
        None => known(&project.lake)?,
    };
    Ok(Lake::open(&location, &project.root, &BTreeMap::new(), &system.environment)?)
}

/// The store of a source.
pub fn open_exports(project: &Project, name: &StoreName, system: &System) -> Result<RootedStore, RunError> {
    let Some(store) = project.stores.get(name) else {
        return Err(RunError::Usage(format!("no store `{name}` in matins.yaml")));
    };
    let mut options = BTreeMap::new();
    for (key, value) in &store.options {
        options.insert(key.clone(), known(value)?);
    }
    Ok(open_store(&known(&store.url)?, &project.root, &options, &system.environment)?)
}

/// The engine, with the memory the project gives it or half of the machine's.
pub fn engine(project: &Project, system: &System, lake: &Lake) -> Result<Engine, RunError> {
    let memory_bytes = project.memory.map_or(system.machine.memory_bytes / 2, |m| m.0);
    Ok(Engine::new(Settings { memory_bytes, cores: system.machine.cores }, lake.store())?)
}

/// A setting's value, or a mistake that names the variable nobody set.
pub(super) fn known(setting: &Setting) -> Result<String, RunError> {
    setting.clone().map_err(|unset| {
        RunError::Project(Diagnostics::from(
            Diagnostic::error("unset-variable", format!("the variable `{}` is not set", unset.variable))
                .at(Place::new(&unset.place.file, unset.place.span.clone()))
                .help(format!(
                    "set it, as in `{}=… matins run …`, or give a default: `${{{}:-…}}`",
                    unset.variable, unset.variable
                )),
        ))
    })
}
