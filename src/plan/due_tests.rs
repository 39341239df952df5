//! What is due, over made-up lives of a schedule: outages, edits, pauses, waiting for others.

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, Utc};
use proptest::prelude::*;

use super::{Agenda, Arrived, Batch, Cause, Cursor, Due, DueRun, Published, Signals};
use crate::base::{AsOf, SourceText};
use crate::config::load;
use crate::system::{Environment, ProjectFiles};

fn agenda_in(zone: &str, interval: &str, schedule: &str) -> Agenda {
    let calendars = "calendars: {bank: {holidays: [2027-01-01]}}\n";
    let source = "sources: {orders: {path: \"drops://{date}.csv\", columns: {id: text}}}\n";
    let pipeline = format!("time_zone: {zone}\ninterval: {interval}\nschedule: {schedule}\n{source}");
    let texts = [
        ("matins.yaml", format!("stores: {{drops: drops}}\n{calendars}")),
        ("pipelines/erp.yaml", "description: Another one".to_owned()),
        ("pipelines/shop.yaml", pipeline),
    ];
    let texts: BTreeMap<_, _> = texts.into_iter().map(|(p, t)| (p.to_owned(), SourceText::new(p, t))).collect();
    let (project, found) = load(&ProjectFiles { root: "/project".into(), texts }, &Environment::default());
    assert!(!found.has_errors(), "{found:?}");
    let project = project.expect("a good project");
    Agenda::of(&project.pipelines[&"shop".parse().expect("a name")]).expect("a schedule")
}

fn agenda(schedule: &str) -> Agenda {
    agenda_in("Europe/London", "day", schedule)
}

fn at(text: &str) -> DateTime<Utc> {
    AsOf::parse(text, chrono_tz::Europe::London).expect("a time").0.to_utc()
}

fn look(agenda: &Agenda, cursor: Option<&Cursor>, now: &str) -> Due {
    agenda.due(cursor, at(now), at(now), &Signals::default(), None)
}

fn adopted(agenda: &Agenda, old: Option<&Cursor>, now: &str) -> Cursor {
    match look(agenda, old, now) {
        Due::Adopt(cursor) => cursor,
        other => panic!("{other:?}"),
    }
}

fn batch(due: Due) -> Batch {
    match due {
        Due::Run(batch) => batch,
        other => panic!("{other:?}"),
    }
}

/// `2027-01-04 late report`, one a run.
fn runs(batch: &Batch) -> Vec<String> {
    let word = |yes: bool, word: &str| if yes { format!(" {word}") } else { String::new() };
    let line = |r: &DueRun| format!("{}{}{}", r.interval.label(), word(r.late, "late"), word(r.report, "report"));
    batch.runs.iter().map(line).collect()
}

fn done(batch: &Batch) -> Cursor {
    batch.accounted(batch.runs.len().saturating_sub(1))
}

#[test]
fn a_night_is_due_once() {
    let agenda = agenda("{cron: \"30 2 * * *\"}");
    let cursor = adopted(&agenda, None, "2027-01-04T10:00");
    assert_eq!(look(&agenda, Some(&cursor), "2027-01-05T02:29"), Due::Nothing);
    let night = batch(look(&agenda, Some(&cursor), "2027-01-05T02:30"));
    assert_eq!(runs(&night), ["2027-01-04 report"]);
    assert_eq!(look(&agenda, Some(&done(&night)), "2027-01-05T02:31"), Due::Nothing);
    assert_eq!(done(&night).next, Some(at("2027-01-06T02:30")));
}

#[test]
fn deployed_before_its_time_it_runs_the_same_night() {
    let agenda = agenda("{cron: \"30 2 * * *\"}");
    let cursor = adopted(&agenda, None, "2027-01-05T01:00");
    assert_eq!(runs(&batch(look(&agenda, Some(&cursor), "2027-01-05T02:30"))), ["2027-01-04 report"]);
}

#[test]
fn five_missed_nights_give_five_data_runs_and_one_report_marked_late() {
    let agenda = agenda("{cron: \"30 2 * * *\"}");
    let cursor = adopted(&agenda, None, "2027-01-04T10:00");
    let missed = batch(look(&agenda, Some(&cursor), "2027-01-09T09:00"));
    let days: Vec<String> = (4..8).map(|d| format!("2027-01-{d:02} late")).collect();
    assert_eq!(runs(&missed)[..4], days);
    assert_eq!(runs(&missed)[4..], ["2027-01-08 late report"]);
    assert!(missed.skipped.is_empty());
    // Killed after the second: the rest is due, and the report is still one.
    let two = missed.accounted(1);
    assert_eq!(runs(&batch(look(&agenda, Some(&two), "2027-01-09T09:20")))[..], runs(&missed)[2..]);
}

#[test]
fn the_policies_of_catching_up() {
    let missed = |policy: &str, now: &str| {
        let agenda = agenda(&format!("{{cron: \"30 2 * * *\", catch_up: {policy}}}"));
        let cursor = adopted(&agenda, None, "2027-01-04T10:00");
        let batch = batch(look(&agenda, Some(&cursor), now));
        let skipped: Vec<String> = batch
            .skipped
            .iter()
            .map(|s| format!("{}..{} {}", s.from.date_naive(), s.until.date_naive(), s.why))
            .collect();
        (runs(&batch), skipped)
    };
    let (ran, skipped) = missed("{data: latest}", "2027-01-07T09:00");
    assert_eq!(ran, ["2027-01-06 late report"]);
    assert_eq!(skipped, ["2027-01-04..2027-01-06 it was missed, and `catch_up.data` is `latest`"]);
    let (ran, skipped) = missed("{data: none}", "2027-01-07T02:30");
    assert_eq!((ran, skipped.len()), (vec!["2027-01-06 report".to_owned()], 1));
    let (ran, skipped) = missed("{data: none}", "2027-01-07T09:00");
    assert_eq!(
        (ran.len(), skipped[0].as_str()),
        (0, "2027-01-04..2027-01-07 it was missed, and `catch_up.data` is `none`")
    );
    let (ran, _) = missed("{reports: all}", "2027-01-06T09:00");
    assert_eq!(ran, ["2027-01-04 late report", "2027-01-05 late report"]);
    let (ran, _) = missed("{reports: none}", "2027-01-06T02:31");
    assert_eq!(ran, ["2027-01-04 late", "2027-01-05 report"], "the night that is on time has its report");
    let (ran, skipped) = missed("{}", "2027-02-20T09:00");
    assert_eq!((ran.len(), ran[0].as_str()), (31, "2027-01-20 late"));
    assert_eq!(skipped, ["2027-01-04..2027-01-20 more than 31 runs were missed; `matins backfill` makes up for them"]);
}

#[test]
fn an_edit_a_pause_and_a_deployment_fire_nothing_old() {
    let old = agenda("{cron: \"30 2 * * *\"}");
    let cursor = adopted(&old, None, "2027-01-04T10:00");
    // Three nights nobody was there, and then the cron is another one: none of them runs, and the reason stands there.
    let new = agenda("{cron: \"30 5 * * *\"}");
    let changed = adopted(&new, Some(&cursor), "2027-01-07T10:00");
    assert_eq!(changed.skipped[0].why, "the schedule was changed; `matins backfill` makes up for it");
    assert_eq!(
        (changed.skipped[0].from, changed.skipped[0].until),
        (
            at("2027-01-04").with_timezone(&chrono::FixedOffset::east_opt(0).expect("UTC")),
            at("2027-01-07").fixed_offset()
        )
    );
    assert_eq!(look(&new, Some(&changed), "2027-01-08T05:29"), Due::Nothing);
    assert_eq!(runs(&batch(look(&new, Some(&changed), "2027-01-08T05:30"))), ["2027-01-07 report"]);
    // Moved to later in the same night before either time: the night still runs, once.
    let earlier = adopted(&new, Some(&cursor), "2027-01-05T01:00");
    assert!(earlier.skipped.is_empty());
    assert_eq!(runs(&batch(look(&new, Some(&earlier), "2027-01-05T05:30"))), ["2027-01-04 report"]);
    // A pause of three days, and on again.
    let paused = agenda("{cron: \"30 2 * * *\", paused: true}");
    let stopped = adopted(&paused, Some(&cursor), "2027-01-04T12:00");
    assert_eq!((look(&paused, Some(&stopped), "2027-01-06T12:00"), stopped.next), (Due::Nothing, None));
    let resumed = adopted(&old, Some(&stopped), "2027-01-07T12:00");
    assert_eq!(resumed.skipped[0].why, "the schedule was paused; `matins backfill` makes up for it");
    assert_eq!(look(&old, Some(&resumed), "2027-01-07T12:01"), Due::Nothing);
    assert_eq!(runs(&batch(look(&old, Some(&resumed), "2027-01-08T02:30"))), ["2027-01-07 report"]);
    // A restart of the same thing, spaces and policies apart, is no edit.
    let same = agenda("{cron: \"30  2 * * *\", catch_up: {data: latest}, priority: high}");
    assert_eq!(look(&same, Some(&cursor), "2027-01-04T12:00"), Due::Nothing);
}

#[test]
fn what_fires_between_the_first_look_and_taking_over_is_not_lost() {
    let agenda = agenda("{cron: \"30 2 * * *\"}");
    // The pipeline was held from the evening on, so the schedule could be taken over in the morning only.
    let Due::Adopt(cursor) =
        agenda.due(None, at("2027-01-04T22:00"), at("2027-01-05T08:00"), &Signals::default(), None)
    else {
        panic!("it is new")
    };
    assert_eq!(runs(&batch(look(&agenda, Some(&cursor), "2027-01-05T08:00"))), ["2027-01-04 late report"]);
}

#[test]
fn several_fires_in_one_interval_look_again_and_a_rare_one_takes_all() {
    let twice = agenda("{cron: [\"30 2 * * *\", \"30 14 * * *\"]}");
    let cursor = adopted(&twice, None, "2027-01-04T10:00");
    let afternoon = batch(look(&twice, Some(&cursor), "2027-01-04T14:30"));
    assert_eq!(runs(&afternoon), ["2027-01-03 report"]);
    assert_eq!(look(&twice, Some(&done(&afternoon)), "2027-01-04T15:00"), Due::Nothing);
    let weekly = agenda("{cron: \"0 6 * * MON\"}");
    let cursor = adopted(&weekly, None, "2027-01-05T10:00");
    let monday = batch(look(&weekly, Some(&cursor), "2027-01-11T06:00"));
    assert_eq!((runs(&monday).len(), runs(&monday)[6].as_str()), (7, "2027-01-10 report"));
    let business = agenda("{cron: \"0 6 * * *\", calendar: bank}");
    let cursor = adopted(&business, None, "2026-12-31T10:00");
    assert_eq!(look(&business, Some(&cursor), "2027-01-03T12:00"), Due::Nothing);
    let monday = batch(look(&business, Some(&cursor), "2027-01-04T06:00"));
    assert_eq!(runs(&monday), ["2026-12-31", "2027-01-01", "2027-01-02", "2027-01-03 report"]);
}

#[test]
fn a_fire_while_it_runs_waits_or_is_skipped() {
    let busy = Some((at("2027-01-05T02:30"), at("2027-01-06T03:00")));
    let now = at("2027-01-06T03:00");
    for (overlap, expected) in [("queue", 1), ("skip", 0)] {
        let agenda = agenda(&format!("{{cron: \"30 2 * * *\", overlap: {overlap}}}"));
        let cursor = adopted(&agenda, None, "2027-01-05T02:29");
        let night = batch(look(&agenda, Some(&cursor), "2027-01-05T02:30"));
        let next = batch(agenda.due(Some(&done(&night)), now, now, &Signals::default(), busy));
        assert_eq!(next.runs.len(), expected, "{overlap}");
        if overlap == "skip" {
            assert!(next.skipped[0].why.contains("`overlap` is `skip`"), "{:?}", next.skipped);
            // No gap: the next fire takes its interval too.
            let later = batch(look(&agenda, Some(&done(&next)), "2027-01-07T02:30"));
            assert_eq!(runs(&later), ["2027-01-05 late", "2027-01-06 report"]);
        }
    }
}

/// That `erp` has published a day, the one that ends at `until`.
fn published(until: &str, when: &str, head: u64) -> Signals {
    let (at, until) = (at(when), at(until));
    let heads = BTreeMap::from([("erp".parse().expect("a name"), head)]);
    Signals { published: Some(Published { at, from: until - Duration::days(1), until, heads }), exports: None }
}

/// That the exports of the day that ends at `until` came at an instant.
fn arrived(until: &str, when: &str) -> Signals {
    Signals { published: None, exports: Some(Arrived { at: at(when), until: at(until) }) }
}

#[test]
fn it_waits_for_other_pipelines() {
    let agenda = agenda("{after: erp}");
    let see =
        |cursor: Option<&Cursor>, now: &str, signals: &Signals| agenda.due(cursor, at(now), at(now), signals, None);
    let before = published("2027-01-04", "2027-01-04T02:00", 3);
    let Due::Adopt(cursor) = see(None, "2027-01-04T10:00", &before) else { panic!("it is new") };
    assert_eq!(see(Some(&cursor), "2027-01-05T02:00", &before), Due::Nothing);
    let night = batch(see(Some(&cursor), "2027-01-05T02:01", &published("2027-01-05", "2027-01-05T02:00", 5)));
    assert_eq!((runs(&night), night.runs[0].cause), (vec!["2027-01-04 report".to_owned()], Cause::After));
    let cursor = done(&night);
    assert_eq!(see(Some(&cursor), "2027-01-05T03:00", &published("2027-01-05", "2027-01-05T02:00", 5)), Due::Nothing);
    // It published the same interval once more, with other rows perhaps: look again.
    let again = batch(see(Some(&cursor), "2027-01-05T11:00", &published("2027-01-05", "2027-01-05T10:59", 7)));
    assert_eq!(runs(&again), ["2027-01-04 report"]);
}

#[test]
fn it_waits_for_exports_and_cron_is_the_last_word() {
    let agenda = agenda("{exports: orders, cron: \"0 6 * * *\"}");
    let cursor = adopted(&agenda, None, "2027-01-04T10:00");
    let see = |cursor: &Cursor, now: &str, signals: &Signals| agenda.due(Some(cursor), at(now), at(now), signals, None);
    assert_eq!(see(&cursor, "2027-01-05T01:00", &Signals::default()), Due::Nothing);
    let early = batch(see(&cursor, "2027-01-05T01:05", &arrived("2027-01-05", "2027-01-05T01:02")));
    assert_eq!((runs(&early), early.runs[0].cause), (vec!["2027-01-04 report".to_owned()], Cause::Exports));
    // At six it looks again, which costs nothing; and where they never came, it runs without them.
    let again = batch(see(&done(&early), "2027-01-05T06:00", &Signals::default()));
    assert_eq!((runs(&again), again.runs[0].cause), (vec!["2027-01-04 report".to_owned()], Cause::Cron));
    let without = batch(see(&done(&again), "2027-01-06T06:00", &Signals::default()));
    assert_eq!(runs(&without), ["2027-01-05 report"]);
}

/// Nobody was there for five nights, and the others were.
#[test]
fn catching_up_is_the_same_whatever_makes_a_run_due() {
    let missed = |which: &str, policy: &str, until: &str, now: &str| {
        let agenda = agenda(&format!("{{{which}, catch_up: {policy}}}"));
        let signals = |until: &str, head: u64| match which {
            "after: erp" => published(until, &format!("{until}T02:00"), head),
            _ => arrived(until, &format!("{until}T02:00")),
        };
        let first = at("2027-01-04T10:00");
        let Due::Adopt(cursor) = agenda.due(None, first, first, &signals("2027-01-04", 3), None) else {
            panic!("it is new")
        };
        let batch = batch(agenda.due(Some(&cursor), at(now), at(now), &signals(until, 13), None));
        let cause = if which == "after: erp" { Cause::After } else { Cause::Exports };
        assert!(batch.runs.iter().all(|run| run.cause == cause), "{which}");
        let skipped: Vec<String> = batch
            .skipped
            .iter()
            .map(|s| format!("{}..{} {}", s.from.date_naive(), s.until.date_naive(), s.why))
            .collect();
        (runs(&batch), skipped)
    };
    for which in ["after: erp", "exports: orders"] {
        let late = |days: std::ops::RangeInclusive<u32>, report: &str| -> Vec<String> {
            days.map(|d| format!("2027-01-{d:02} late{report}")).collect()
        };
        let (ran, skipped) = missed(which, "{}", "2027-01-09", "2027-01-09T09:00");
        assert_eq!(ran, [late(4..=7, ""), late(8..=8, " report")].concat(), "{which}");
        assert!(skipped.is_empty());
        let (ran, _) = missed(which, "{}", "2027-01-09", "2027-01-09T02:05");
        assert_eq!(
            ran,
            [late(4..=7, ""), vec!["2027-01-08 report".to_owned()]].concat(),
            "{which}: the last is on time"
        );
        let (ran, _) = missed(which, "{reports: all}", "2027-01-09", "2027-01-09T09:00");
        assert_eq!(ran, late(4..=8, " report"), "{which}");
        let (ran, _) = missed(which, "{reports: none}", "2027-01-09", "2027-01-09T09:00");
        assert_eq!(ran, late(4..=8, ""), "{which}");
        let (ran, skipped) = missed(which, "{data: latest}", "2027-01-09", "2027-01-09T09:00");
        assert_eq!(ran, late(8..=8, " report"), "{which}");
        assert_eq!(skipped, ["2027-01-04..2027-01-08 it was missed, and `catch_up.data` is `latest`"]);
        let (ran, skipped) = missed(which, "{data: none}", "2027-01-09", "2027-01-09T09:00");
        assert_eq!((ran.len(), skipped.len()), (0, 1), "{which}");
        let (ran, skipped) = missed(which, "{data: none}", "2027-01-09", "2027-01-09T02:05");
        assert_eq!((ran, skipped.len()), (vec!["2027-01-08 report".to_owned()], 1), "{which}");
        let (ran, skipped) = missed(which, "{}", "2027-02-20", "2027-02-20T09:00");
        assert_eq!((ran.len(), ran[0].as_str()), (31, "2027-01-20 late"), "{which}");
        let why = "2027-01-04..2027-01-20 more than 31 runs were missed; `matins backfill` makes up for them";
        assert_eq!(skipped, [why], "{which}");
    }
}

/// A day of an awaited pipeline makes its hours due at once, as a fire does: nothing is missed.
#[test]
fn what_one_publication_makes_due_is_one_run() {
    let agenda = agenda_in("Europe/London", "hour", "{after: erp, catch_up: {data: latest}}");
    let first = at("2027-01-05");
    let before = published("2027-01-05", "2027-01-05T00:00", 3);
    let Due::Adopt(cursor) = agenda.due(None, first, first, &before, None) else { panic!("it is new") };
    let now = at("2027-01-06T02:01");
    let day = published("2027-01-06", "2027-01-06T02:00", 5);
    let hours = batch(agenda.due(Some(&cursor), now, now, &day, None));
    assert_eq!((hours.runs.len(), hours.skipped.len()), (24, 0));
    assert_eq!(hours.runs.iter().filter(|run| run.report).count(), 1);
    assert!(hours.runs[23].report && hours.runs.iter().all(|run| !run.late));
    assert_eq!(done(&hours).intervals_until, at("2027-01-06"));
}

const SCHEDULES: [(&str, &str); 6] = [
    ("day", "30 2 * * *"),
    ("hour", "5 * * * *"),
    ("week", "0 1 * * MON"),
    ("month", "15 3 1 * *"),
    ("day", "*/30 0 * * TUE,SAT"),
    ("quarter", "30 2 * * *"),
];

#[test]
fn a_promise_is_the_newest_interval_whose_time_has_run_out() {
    let nightly = agenda("{cron: \"30 2 * * *\", publish_by: \"06:30\"}");
    let promised = |agenda: &Agenda, now: &str| agenda.promised(at(now)).map(|i| i.as_of().to_string());
    assert_eq!(
        promised(&nightly, "2027-05-04T06:29").as_deref(),
        Some("2027-05-03"),
        "last night's still has a minute"
    );
    assert_eq!(promised(&nightly, "2027-05-04T06:30").as_deref(), Some("2027-05-04"));
    // A business day later, three nights are for one fire.
    let business = "{cron: \"30 2 * * 1-5\", publish_by: \"06:30\"}";
    assert_eq!(promised(&agenda(business), "2027-05-09T12:00").as_deref(), Some("2027-05-07"), "a Sunday");
    assert_eq!(promised(&agenda(business), "2027-05-10T07:00").as_deref(), Some("2027-05-10"));
    // The time of day before the fire's is that of the next day.
    let early = agenda("{cron: \"30 2 * * *\", publish_by: \"02:00\"}");
    assert_eq!(promised(&early, "2027-05-04T03:00").as_deref(), Some("2027-05-03"));
    // However often it fires, and without a clock at all.
    assert_eq!(
        promised(&agenda("{cron: \"* * * * *\", publish_by: \"01:00\"}"), "2027-05-04T01:00").as_deref(),
        Some("2027-05-04")
    );
    assert_eq!(
        promised(&agenda("{after: erp, publish_by: \"06:30\"}"), "2027-05-04T06:31").as_deref(),
        Some("2027-05-04")
    );
    assert_eq!(
        promised(&agenda("{cron: \"30 2 * * *\", publish_by: \"06:30\", paused: true}"), "2027-05-04T12:00"),
        None
    );
    assert_eq!(promised(&agenda("{cron: \"30 2 * * *\"}"), "2027-05-04T12:00"), None);
    assert_eq!(nightly.version, agenda("{cron: \"30 2 * * *\"}").version, "a promise is no part of the schedule");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    /// Whatever the zone, and whenever somebody looks: every interval runs once, in order, with no gap and no overlap; and
    /// of two looks with nothing between them the second finds nothing.
    #[test]
    fn every_interval_runs_once_whenever_somebody_looks(
        zone in 0..chrono_tz::TZ_VARIANTS.len(),
        which in 0..SCHEDULES.len(),
        start_hour in 0i64..90_000,
        sleeps in prop::collection::vec(1i64..40_000, 12),
        kill in 0usize..5,
    ) {
        let (interval, cron) = SCHEDULES[which];
        let agenda = agenda_in(chrono_tz::TZ_VARIANTS[zone].name(), interval, &format!("{{cron: \"{cron}\"}}"));
        let mut now = at("2020-01-01") + Duration::hours(start_hour);
        let Due::Adopt(mut cursor) = agenda.due(None, now, now, &Signals::default(), None) else { panic!("new") };
        let mut until = cursor.intervals_until;
        for sleep in sleeps {
            // As long as no more than 31 runs can be missed, however often it is killed.
            now += Duration::minutes(sleep % match (interval, kill) {
                ("hour", 0) => 150,
                ("hour", _) => 1500,
                (_, 0) => 3400,
                _ => 40_000,
            });
            let due = agenda.due(Some(&cursor), now, now, &Signals::default(), None);
            let Due::Run(batch) = due else { continue };
            prop_assert!(batch.skipped.is_empty(), "{:?}", batch.skipped);
            // Killed on the way: what was accounted for is not run again, the rest is.
            let stop = batch.runs.len().min(if kill == 0 { 1 } else { batch.runs.len() });
            for (at, run) in batch.runs.iter().take(stop).enumerate() {
                prop_assert!(run.due.to_utc() <= now && run.interval.end <= run.due);
                if run.interval.end.to_utc() > until {
                    prop_assert_eq!(run.interval.start.to_utc(), until);
                    until = run.interval.end.to_utc();
                } else {
                    // Nothing new: the last one once more, and nothing else.
                    prop_assert_eq!((batch.runs.len(), run.interval.end.to_utc()), (1, until));
                }
                cursor = batch.accounted(at);
            }
            if stop == batch.runs.len() {
                let again = agenda.due(Some(&cursor), now, now, &Signals::default(), None);
                prop_assert_eq!(again, Due::Nothing);
                let last = agenda.timetable.last(now).expect("it fired").at;
                prop_assert_eq!(until, agenda.cadence.last_closed(last).end.to_utc());
            }
        }
    }
}
