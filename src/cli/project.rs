//! Finds and reads the project a verb works on.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::base::{AsOf, Diagnostic, Diagnostics, Interval, Level, PipelineName};
use crate::cli::args::Cli;
use crate::cli::screen::Screen;
use crate::config::{self, Pipeline, Project};
use crate::run::{RunError, ensure_sample};
use crate::system::{ProjectFiles, System, read_project};

/// The texts of the project: at `-C`, or in the nearest folder upwards that has `matins.yaml`.
pub fn files(cli: &Cli) -> Result<ProjectFiles, RunError> {
    let root = match &cli.project {
        Some(folder) => folder.clone(),
        None => nearest()?,
    };
    if !root.join("matins.yaml").is_file() {
        return Err(RunError::Usage(format!(
            "{} holds no matins.yaml; `matins init FOLDER` writes a new project",
            root.display()
        )));
    }
    read_project(&root).map_err(|cause| RunError::Files { what: "reading the project".to_owned(), cause })
}

fn nearest() -> Result<PathBuf, RunError> {
    let here = std::env::current_dir()
        .map_err(|cause| RunError::Files { what: "finding the current folder".to_owned(), cause })?;
    let found = here.ancestors().find(|folder| folder.join("matins.yaml").is_file()).map(Path::to_owned);
    found.ok_or_else(|| {
        RunError::Usage(format!(
            "no matins.yaml in {} or above it; `matins init FOLDER` writes a new project",
            here.display()
        ))
    })
}

/// The project, when it has no mistakes; warnings are shown and passed over.
pub fn project(cli: &Cli, screen: &Screen, system: &System) -> Result<Arc<Project>, RunError> {
    let (project, diagnostics) = config::load(&files(cli)?, &system.environment);
    match project {
        Some(project) if !diagnostics.has_errors() => {
            for warning in diagnostics.0.iter().filter(|d| d.level == Level::Warning) {
                screen.warning(&warning.message);
            }
            Ok(Arc::new(project))
        }
        _ => Err(RunError::Project(diagnostics)),
    }
}

/// The pipeline that is named, or the default one.
pub fn pipeline<'a>(project: &'a Project, named: Option<&str>) -> Result<&'a Pipeline, RunError> {
    let names = || project.pipelines.keys().map(PipelineName::as_str);
    let name = match (named, &project.default_pipeline) {
        (Some(name), _) => name,
        (None, Some(name)) => name.as_str(),
        (None, None) => {
            let all: Vec<&str> = names().collect();
            return Err(RunError::Usage(format!(
                "name a pipeline ({}), or set `default_pipeline` in matins.yaml",
                all.join(", ")
            )));
        }
    };
    project.pipelines.values().find(|p| p.name.as_str() == name).ok_or_else(|| {
        let mistake = Diagnostic::error("unknown-pipeline", format!("there is no pipeline `{name}`"));
        RunError::Project(Diagnostics::from(mistake.one_of(name, names())))
    })
}

/// The interval a run is for: the one that ends at `as_of`; the sample's; or the last that has closed.
///
/// A pipeline with a `sample` whose exports are absent gets them here.
pub fn interval(
    project: &Project,
    pipeline: &Pipeline,
    as_of: Option<&str>,
    system: &System,
    screen: &Screen,
) -> Result<Interval, RunError> {
    let sample = ensure_sample(project, pipeline, |folder, files| {
        screen.say(&format!("wrote {files} sample exports to {}", folder.display()));
    })?;
    let zone = pipeline.time_zone;
    let end = match (as_of, sample) {
        (Some(text), _) => AsOf::parse(text, zone).map_err(RunError::Usage)?,
        (None, Some(date)) => AsOf(crate::base::start_of_day(date, zone)),
        (None, None) => return Ok(pipeline.interval.last_closed(system.clock.now().with_timezone(&zone))),
    };
    if as_of.is_some() && end.0 > system.clock.now() {
        screen
            .warning(&format!("{end} has not come yet: once it is published, readers follow it until a later one is"));
    }
    pipeline.interval.ending_at(end.0).ok_or_else(|| {
        let holds = pipeline.interval.containing(end.0);
        RunError::Usage(format!(
            "no interval of `{}` ends at {end}: one ends at {}, the next at {}",
            pipeline.name,
            AsOf(holds.start),
            holds.as_of()
        ))
    })
}
