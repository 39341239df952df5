//! Everything that can be wrong with a project and can be known without data: all of it, at once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use object_store::memory::InMemory;

use crate::base::{Cadence, Diagnostics, Interval, PackName, PipelineName, TableName, start_of_day};
use crate::config::{self, Project};
use crate::engine::{Engine, Settings};
use crate::plan::{Cost, costs, graph_of};
use crate::report;
use crate::run::report::{check, table_columns};
use crate::run::test::prepare;
use crate::run::{RunError, kpis};
use crate::source;
use crate::sql::Statements;
use crate::stage::{Planned, Schemas, plan_offline};
use crate::system::{ProjectFiles, System};

/// What a check came to.
#[derive(Debug)]
pub struct Checked {
    pub project: Option<Project>,
    pub diagnostics: Diagnostics,
    pub pipelines: usize,
    pub stages: usize,
    pub reports: usize,
    /// Tests of stages that were read, and not run.
    pub tests: usize,
    /// What each pipeline does without for want of data; among `diagnostics` as notes too.
    pub costs: Vec<(PipelineName, Vec<Cost>)>,
}

/// Reads the project's texts, plans every stage of these pipelines (of all, when none is named) against the contracts, renders
/// every report on made-up data, and reads the tests of their packs.
pub async fn check_project(files: &ProjectFiles, system: &System, only: &[PipelineName]) -> Result<Checked, RunError> {
    let (project, mut diagnostics) = config::load(files, &system.environment);
    let mut checked = Checked {
        project: None,
        diagnostics: Diagnostics::default(),
        pipelines: 0,
        stages: 0,
        reports: 0,
        tests: 0,
        costs: Vec::new(),
    };
    if let Some(project) = project {
        let settings = Settings { memory_bytes: 256 << 20, cores: 1 };
        let engine = Engine::new(settings, Arc::new(InMemory::new()))?;
        let templates = match report::compile(&project.templates) {
            Ok(templates) => Some(templates),
            Err(mistakes) => {
                diagnostics.extend(mistakes);
                None
            }
        };
        let (mut statements, mut planned) = (Statements::default(), Planned::default());
        for pipeline in project.pipelines.values().filter(|p| only.is_empty() || only.contains(&p.name)) {
            checked.pipelines += 1;
            let (graph, mistakes) = graph_of(&project, pipeline, &mut statements);
            diagnostics.extend(mistakes);
            checked.stages += graph.nodes.len();
            let raw: Schemas =
                pipeline.sources.values().map(|s| (TableName::raw(&s.name), source::schema(s))).collect();
            let some_day = some_day(pipeline.time_zone);
            let (schemas, mistakes) = plan_offline(&engine, pipeline, &graph, &some_day, raw, &mut planned).await;
            diagnostics.extend(mistakes);
            let columns: BTreeMap<TableName, _> =
                schemas.iter().map(|(name, schema)| (name.clone(), table_columns(schema))).collect();
            let left_out: BTreeSet<TableName> = graph.left_out.keys().cloned().collect();
            let without = costs(&project, pipeline, &graph.left_out);
            diagnostics.0.extend(without.iter().map(Cost::note));
            checked.costs.push((pipeline.name.clone(), without));
            let stages = pipeline.packs.iter().filter_map(|(pack, _)| project.packs.get(pack)).flat_map(|p| &p.stages);
            let broken = stages
                .map(|s| s.table.clone())
                .filter(|table| !columns.contains_key(table) && !left_out.contains(table))
                .collect();
            diagnostics.extend(kpis::check(pipeline, &columns, &broken, &left_out));
            for one in &pipeline.reports {
                checked.reports += 1;
                diagnostics.extend(check(templates.as_ref(), one, pipeline, &columns, &broken, &left_out));
            }
        }
        let (mut tests, mistakes) = config::stage_tests(files, &project);
        diagnostics.extend(mistakes);
        let uses = |pack: &PackName| {
            let mut asked = only.iter().filter_map(|name| project.pipelines.get(name));
            only.is_empty() || asked.any(|pipeline| pipeline.packs.iter().any(|(name, _)| name == pack))
        };
        tests.retain(|test| uses(&test.pack));
        checked.tests = tests.len();
        let (_, mistakes) = prepare(&engine, &project, tests, &mut statements).await?;
        diagnostics.extend(mistakes);
        // A pipeline with a mistake is not among them, and its KPIs are not known.
        if let Some(templates) = templates.filter(|_| !diagnostics.has_errors()) {
            let of_packs = project.packs.values().flat_map(|pack| &pack.kpis);
            let all = project.pipelines.values().flat_map(|pipeline| &pipeline.kpis).chain(of_packs);
            diagnostics.extend(templates.said_of_no_kpi(&all.map(|kpi| kpi.name.as_str()).collect()));
        }
        checked.project = Some(project);
    }
    // A pack that two pipelines use is parsed for each, and its mistakes are told once.
    let mut told = Diagnostics::default();
    for diagnostic in diagnostics.0 {
        if !told.0.contains(&diagnostic) {
            told.push(diagnostic);
        }
    }
    checked.diagnostics = told;
    Ok(checked)
}

/// Planning needs values for `$as_of`; which ones does not matter.
fn some_day(zone: chrono_tz::Tz) -> Interval {
    Cadence::Day.containing(start_of_day(chrono::NaiveDate::default(), zone))
}
