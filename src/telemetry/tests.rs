//! What events come to in metrics and on the board.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::{Board, Metrics, State};
use crate::base::{Event, PipelineName, RunEnd, Scheduling, StepOutcome};
use crate::system::{Clock, Usage};

fn name() -> PipelineName {
    "shop".parse().expect("a name")
}

/// A night that publishes, seen by whoever looks on.
fn night(end: RunEnd) -> Vec<Event> {
    let run: crate::base::RunId = "r1".parse().expect("an id");
    let step = "make core.orders".to_owned();
    let mut all = vec![
        Event::RunStarted { pipeline: name(), run: run.clone(), as_of: "2024-01-02".to_owned(), steps: 2 },
        Event::StepStarted { step: step.clone() },
        Event::StepFinished { step, outcome: StepOutcome::Made { rows: 3 }, took: Duration::from_millis(200) },
    ];
    if end == RunEnd::Published {
        let (read, landed, quarantined, deduplicated) = (10, 7, 2, 1);
        let as_of = "2024-01-02".to_owned();
        all.push(Event::Published { snapshot: 2, as_of, read, landed, quarantined, deduplicated });
    }
    all.push(Event::RunEnded { run, end, message: (end != RunEnd::Published).then(|| "the disk is full".to_owned()) });
    all
}

fn scheduled(what: Scheduling) -> Event {
    Event::Schedule { pipeline: name(), what }
}

#[test]
fn metrics_count_what_happens() {
    let clock: Clock = "2024-01-03T02:30:00Z..2024-01-04T00:00:00Z".parse().expect("a clock");
    let metrics = Metrics::new(&clock, [name()]);
    let text = |metrics: &Metrics| metrics.text(Usage { resident_bytes: 5, cpu_ms: 1500, started_s: 9 }).expect("text");
    let first = text(&metrics);
    for zero in [
        "matins_runs_total{pipeline=\"shop\",end=\"failed\"} 0",
        "matins_late{pipeline=\"shop\"} 0",
        "process_cpu_seconds_total 1.5",
        "process_resident_memory_bytes 5",
        "process_start_time_seconds 9",
    ] {
        assert!(first.contains(zero), "{zero} in {first}");
    }
    let observer = metrics.observer(Some(&name()));
    for event in &night(RunEnd::Published) {
        observer.see(event);
    }
    observer.see(&scheduled(Scheduling::Late { as_of: "2024-01-03".to_owned() }));
    for event in &night(RunEnd::Failed) {
        observer.see(event);
    }
    observer.see(&scheduled(Scheduling::Failed {
        as_of: String::new(),
        why: "the disk is full".to_owned(),
        again: None,
    }));
    let next = "2024-01-03T02:30:00Z".parse().expect("an instant");
    let head = Some(("2024-01-02".to_owned(), "2024-01-02T02:31:00Z".parse().expect("an instant")));
    observer.see(&scheduled(Scheduling::Idle { next: Some(next), head }));
    let all = text(&metrics);
    for line in [
        "matins_runs_total{pipeline=\"shop\",end=\"published\"} 1",
        "matins_runs_total{pipeline=\"shop\",end=\"failed\"} 1",
        "matins_run_duration_seconds_count{pipeline=\"shop\"} 2",
        "matins_steps_total{pipeline=\"shop\",kind=\"make\",outcome=\"ran\"} 2",
        "matins_step_duration_seconds_bucket{le=\"0.5\",pipeline=\"shop\"} 2",
        "matins_source_rows_total{pipeline=\"shop\",what=\"read\"} 10",
        "matins_source_rows_total{pipeline=\"shop\",what=\"quarantined\"} 2",
        "matins_late{pipeline=\"shop\"} 1",
        "matins_consecutive_failures{pipeline=\"shop\"} 1",
        "matins_next_fire_timestamp_seconds{pipeline=\"shop\"} 1704249000.0",
        "matins_published_timestamp_seconds{pipeline=\"shop\"} 1704162660.0",
        "# EOF",
    ] {
        assert!(all.contains(line), "{line} in {all}");
    }
}

/// A failure or a missing publication as this process learns of it, and then what it sees of the chain.
#[test]
fn what_another_process_publishes_ends_a_failure_and_a_lateness() {
    let clock: Clock = "2024-01-03T02:30:00Z..2024-01-04T00:00:00Z".parse().expect("a clock");
    let at = |text: &str| text.parse::<DateTime<Utc>>().expect("an instant");
    let (old, again) = (at("2024-01-02T02:31:00Z"), at("2024-01-03T03:00:00Z"));
    for (again, before, after) in [(None, old, again), (Some(again), old, old)] {
        let metrics = Metrics::new(&clock, [name()]);
        let board = Board::new(&clock, [(name(), String::new(), false)]);
        let see = |what: Scheduling| {
            // Each look and each upkeep has observers of its own.
            metrics.observer(Some(&name())).see(&scheduled(what.clone()));
            board.observer(Some(&name())).see(&scheduled(what));
        };
        let idle = |as_of: &str, at| see(Scheduling::Idle { next: None, head: Some((as_of.to_owned(), at)) });
        let stands = || {
            let state = board.pipelines().remove(&name()).expect("the pipeline");
            let usage = Usage { resident_bytes: 5, cpu_ms: 1500, started_s: 9 };
            let text = metrics.text(usage).expect("text");
            let figure = |metric: &str| {
                let line = text.lines().find_map(|l| l.strip_prefix(&format!("{metric}{{pipeline=\"shop\"}} ")));
                line.expect("the metric").to_owned()
            };
            let figures = (figure("matins_consecutive_failures"), figure("matins_late"));
            (state.state, state.failure.is_some(), state.late.is_some(), figures)
        };
        let failures = |failures: &str, late: &str| (failures.to_owned(), late.to_owned());
        let (as_of, why) = ("2024-01-03".to_owned(), "the disk is full".to_owned());
        see(Scheduling::Late { as_of: as_of.clone() });
        see(Scheduling::Failed { as_of: as_of.clone(), why: why.clone(), again });
        see(Scheduling::Failed { as_of, why, again });
        assert_eq!(stands(), (State::Failed, true, true, failures("2", "1")));
        if again.is_none() {
            idle("2024-01-02", before);
            assert_eq!(stands(), (State::Failed, true, true, failures("2", "1")), "it stood before the failure");
        }
        idle("2024-01-02", after);
        assert_eq!(stands(), (State::Idle, false, true, failures("0", "1")), "the interval is still missing");
        idle("2024-01-03", after);
        assert_eq!(stands(), (State::Idle, false, false, failures("0", "0")));
    }
}

/// Catching up ends the intervals before the late one first.
#[test]
fn a_run_of_an_earlier_interval_leaves_the_late_one_late() {
    let clock: Clock = "2024-01-03T07:00:00Z..2024-01-04T00:00:00Z".parse().expect("a clock");
    let metrics = Metrics::new(&clock, [name()]);
    let observer = metrics.observer(Some(&name()));
    let late = || metrics.text(Usage::default()).expect("text").contains("matins_late{pipeline=\"shop\"} 1");
    observer.see(&scheduled(Scheduling::Late { as_of: "2024-01-03".to_owned() }));
    observer.see(&scheduled(Scheduling::Ended { as_of: "2024-01-02".into(), snapshot: 2, published: true }));
    assert!(late());
    observer.see(&scheduled(Scheduling::Ended { as_of: "2024-01-03".into(), snapshot: 3, published: true }));
    assert!(!late());
}

#[test]
fn the_board_knows_what_a_pipeline_is_at() {
    let clock: Clock = "2024-01-02T02:30:00Z..2024-01-03T00:00:00Z".parse().expect("a clock");
    let board = Board::new(&clock, [(name(), "The shop".to_owned(), false)]);
    let observer = board.observer(Some(&name()));
    let state = || board.pipelines().remove(&name()).expect("the pipeline");
    assert_eq!(state().state, State::Starting);
    let events = night(RunEnd::Published);
    for event in &events[..2] {
        observer.see(event);
    }
    let run = state().run.expect("a run");
    assert_eq!(
        (state().state, run.steps, run.ended, run.at),
        (State::Running, 2, 0, vec!["make core.orders".to_owned()])
    );
    for event in &events[2..] {
        observer.see(event);
    }
    assert_eq!(
        (state().state, state().as_of.as_deref(), state().run.is_none()),
        (State::Idle, Some("2024-01-02"), true)
    );
    observer.see(&scheduled(Scheduling::Late { as_of: "2024-01-03".to_owned() }));
    for event in &night(RunEnd::Failed) {
        observer.see(event);
    }
    observer.see(&scheduled(Scheduling::Failed {
        as_of: "2024-01-03".into(),
        why: "the disk is full".into(),
        again: None,
    }));
    assert_eq!((state().state, state().late.as_deref()), (State::Failed, Some("2024-01-03")));
    assert_eq!(state().failure.expect("a failure").why, "the disk is full");
    assert_eq!(board.lines()[0].text, "failed: the disk is full", "the newest first");
    let head = Some(("2024-01-03".to_owned(), clock.now()));
    observer.see(&scheduled(Scheduling::Ended { as_of: "2024-01-03".into(), snapshot: 3, published: true }));
    observer.see(&scheduled(Scheduling::Idle { next: None, head }));
    let now = state();
    assert!(now.state == State::Idle && now.late.is_none() && now.failure.is_none(), "{now:?}");
}

#[test]
fn a_login_in_a_url_stays_here() {
    let of = |url| super::lineage::namespace(url, std::path::Path::new("/home"));
    assert_eq!(of("https://me:secret@host:81/a/b@c/"), "https://host:81/a/b@c");
    assert_eq!(of("s3://bucket/lake"), "s3://bucket/lake");
    assert_eq!(of("https://token@host?x=a@b"), "https://host?x=a@b");
    assert_eq!(of("lake"), "file:///home/lake");
}
