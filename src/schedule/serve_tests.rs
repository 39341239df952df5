//! Who goes first and how many go at once: a scheduler by a clock that leaps over one night, and what it tells.

use std::sync::{Arc, Mutex};

use super::{Observers, Serving, serve};
use crate::base::{Event, Observer, PipelineName, Scheduling, SourceText};
use crate::config::load;
use crate::system::{Clock, Environment, Ids, Machine, ProjectFiles, System};

/// What happened, in order.
type Told = Arc<Mutex<Vec<String>>>;

struct Heard {
    name: String,
    told: Told,
}

impl Observer for Heard {
    fn see(&self, event: &Event) {
        let what = match event {
            Event::Beat { running } => format!("{running} at once"),
            Event::RunStarted { .. } => format!("{} starts", self.name),
            Event::Published { .. } => format!("{} publishes", self.name),
            Event::Schedule { what: Scheduling::Failed { why, .. }, .. } => format!("{} fails: {why}", self.name),
            _ => return,
        };
        self.told.lock().expect("no panic").push(what);
    }
}

/// One night of two pipelines that are due at the same instant, the later one by name with the higher priority.
async fn night(at_once: usize) -> Vec<String> {
    let folder = tempfile::tempdir().expect("a folder");
    let pipeline = |priority: &str| {
        format!(
            "interval: day\nschedule: {{cron: \"30 2 * * *\", priority: {priority}}}\n\
             sources:\n  lines:\n    path: drops://{{date}}.csv\n    columns: {{id: text, day: date}}\npacks: [p]\n"
        )
    };
    let project = format!(
        "lake: lake\ntime_zone: UTC\nmemory: 256MiB\nstores: {{drops: drops}}\nserve: {{at_once: {at_once}}}\n"
    );
    let texts = [
        ("matins.yaml", project),
        ("pipelines/ant.yaml", pipeline("low")),
        ("pipelines/zebra.yaml", pipeline("high")),
        ("sql/p/core/lines.sql", "SELECT id FROM raw.lines".to_owned()),
    ];
    let texts = texts.into_iter().map(|(path, text)| (path.to_owned(), SourceText::new(path, text))).collect();
    let (project, found) = load(&ProjectFiles { root: folder.path().to_owned(), texts }, &Environment::default());
    assert!(!found.has_errors(), "{found:?}");
    std::fs::create_dir_all(folder.path().join("drops")).expect("a folder");
    std::fs::write(folder.path().join("drops/2024-01-01.csv"), "id,day\n1,2024-01-01\n").expect("an export");
    let told = Told::default();
    let heard = Arc::clone(&told);
    let observers: Observers = Arc::new(move |name: Option<&PipelineName>| -> Arc<dyn Observer> {
        let name = name.map(ToString::to_string).unwrap_or_default();
        Arc::new(Heard { name, told: Arc::clone(&heard) })
    });
    let system = System {
        clock: "2024-01-01T10:00:00Z..2024-01-02T12:00:00Z".parse::<Clock>().expect("a clock"),
        environment: Environment::default(),
        ids: Ids::Random,
        machine: Machine::this(),
    };
    let serving = Serving { project: Arc::new(project.expect("a project")), system, observers };
    serve(&serving, std::future::pending()).await.expect("it ends with its clock");
    let told = told.lock().expect("no panic");
    told.clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_that_are_due_the_more_urgent_goes_first() {
    let told = night(1).await;
    let runs: Vec<&str> = told.iter().map(String::as_str).filter(|what| !what.ends_with("at once")).collect();
    assert_eq!(runs, ["zebra starts", "zebra publishes", "ant starts", "ant publishes"]);
    assert!(!told.contains(&"2 at once".to_owned()), "{told:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn as_many_run_side_by_side_as_are_wanted() {
    let told = night(2).await;
    assert!(told.contains(&"2 at once".to_owned()), "{told:?}");
    for what in ["zebra publishes", "ant publishes"] {
        assert_eq!(told.iter().filter(|told| *told == what).count(), 1, "{told:?}");
    }
}
