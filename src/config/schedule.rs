//! `schedule:` of a pipeline and `calendars:` of `matins.yaml`: when a pipeline runs by itself.

use std::collections::{BTreeMap, BTreeSet};

use chrono::Weekday;

use crate::base::{CalendarName, Diagnostic, Diagnostics, PipelineName, SourceName};

use super::keys::{CALENDAR, CATCH_UP, SCHEDULE, WEEKDAYS};
use super::model::{
    Calendar, CatchUp, CatchUpData, CatchUpReports, Mode, Overlap, Priority, Project, Schedule, Source,
};
use super::number;
use super::pipeline::time_of_day;
use super::project::Surroundings;
use super::shape::{Fields, Reading};
use super::tree::Node;
use super::words::{cron, name};

const DAYS: [Weekday; 7] =
    [Weekday::Mon, Weekday::Tue, Weekday::Wed, Weekday::Thu, Weekday::Fri, Weekday::Sat, Weekday::Sun];

pub(super) fn read(
    reading: &mut Reading<'_>,
    node: &Node,
    own: &PipelineName,
    sources: &BTreeMap<SourceName, Source>,
    around: &Surroundings<'_>,
) -> Option<Schedule> {
    let fields = Fields::new(node, &SCHEDULE);
    for key in ["cron", "after", "exports"] {
        let empty = fields.get(key).filter(|n| n.items().is_empty() && !n.is_broken());
        if let Some(list) = empty {
            let message = format!("`{key}` names nothing");
            let help = "write one, or remove `schedule`: then it runs only when asked to";
            reading.error("empty-list", &list.span, message, help);
        }
    }
    let items = |key: &str| fields.get(key).map(Node::items).unwrap_or_default();
    let cron: Vec<String> = items("cron").iter().filter_map(|n| cron(reading, n)).collect();
    let mut after = Vec::new();
    for node in items("after") {
        let named = node.text().and_then(|text| name::<PipelineName>(reading, text, &node.span));
        if named.as_ref() == Some(own) {
            reading.error("own-pipeline", &node.span, "a pipeline cannot wait for itself", "name another one");
        } else if let Some(named) = named {
            after.push((named, reading.place(&node.span)));
        }
    }
    let exports = items("exports").iter().filter_map(|n| awaited(reading, n, sources)).collect();
    let catch_up = fields.get("catch_up").map(|n| catch_up(Fields::new(n, &CATCH_UP))).unwrap_or_default();
    let schedule = Schedule {
        cron,
        after,
        exports,
        look_every_minutes: fields.whole("look_every_minutes").unwrap_or(5),
        calendar: fields.get("calendar").and_then(|n| calendar(reading, n, around)),
        catch_up,
        overlap: if fields.text("overlap") == Some("skip") { Overlap::Skip } else { Overlap::Queue },
        priority: match fields.text("priority") {
            Some("low") => Priority::Low,
            Some("high") => Priority::High,
            _ => Priority::Normal,
        },
        paused: fields.boolean("paused").unwrap_or(false),
        publish_by: fields.get("publish_by").and_then(|n| time_of_day(reading, n)),
        place: reading.place(&reading.first_line(&node.span)),
    };
    let fires = !schedule.cron.is_empty() || !schedule.after.is_empty() || !schedule.exports.is_empty();
    fires.then_some(schedule)
}

/// A source whose exports are waited for: only a date in their names says which interval one is of.
fn awaited(reading: &mut Reading<'_>, node: &Node, sources: &BTreeMap<SourceName, Source>) -> Option<SourceName> {
    let text = node.text()?;
    let named = name::<SourceName>(reading, text, &node.span)?;
    match sources.get(&named) {
        None => {
            let message = format!("the pipeline has no source `{}`", reading.shown(node));
            reading.unknown(
                "unknown-source",
                &node.span,
                message,
                text,
                "sources",
                sources.keys().map(SourceName::as_str),
            );
        }
        Some(source) if source.pattern.date_format.is_none() => {
            let message = format!("nobody can tell which interval an export of `{named}` is of");
            let help = match source.mode {
                Mode::Full => "put `{date}` into its path, or use `cron`",
                Mode::Append => "put `{date}` into its path",
            };
            reading.error("undated-exports", &node.span, message, help);
        }
        Some(_) => return Some(named),
    }
    None
}

fn calendar(reading: &mut Reading<'_>, node: &Node, around: &Surroundings<'_>) -> Option<(CalendarName, Calendar)> {
    let text = node.text()?;
    let named = name::<CalendarName>(reading, text, &node.span)?;
    let found = around.calendars.get(&named).cloned();
    // Where `matins.yaml` cannot be read, its calendars may well be there.
    if found.is_none() && around.stores.is_some() {
        let message = format!("`matins.yaml` declares no calendar `{named}`");
        let known = around.calendars.keys().map(CalendarName::as_str);
        reading.unknown("unknown-calendar", &node.span, message, text, "calendars", known);
    }
    found.map(|calendar| (named, calendar))
}

fn catch_up(fields: Fields<'_>) -> CatchUp {
    CatchUp {
        data: match fields.text("data") {
            Some("latest") => CatchUpData::Latest,
            Some("none") => CatchUpData::None,
            _ => CatchUpData::All,
        },
        reports: match fields.text("reports") {
            Some("all") => CatchUpReports::All,
            Some("none") => CatchUpReports::None,
            _ => CatchUpReports::Latest,
        },
    }
}

pub(super) fn calendars(reading: &mut Reading<'_>, project: Fields<'_>) -> BTreeMap<CalendarName, Calendar> {
    let mut all = BTreeMap::new();
    for entry in project.get("calendars").map(Node::entries).unwrap_or_default() {
        let named = name::<CalendarName>(reading, &entry.key, &entry.key_span);
        let fields = Fields::new(&entry.node, &CALENDAR);
        let days = fields.texts("business_days");
        let business_days: Vec<Weekday> =
            WEEKDAYS.iter().zip(DAYS).filter(|(word, _)| days.iter().any(|d| d == *word)).map(|(_, day)| day).collect();
        if fields.get("business_days").is_some_and(|n| n.items().is_empty() && !n.is_broken()) {
            let message = format!("the calendar `{}` has no business day", entry.key);
            reading.error("empty-list", &entry.key_span, message, "name at least one weekday, as in `monday`");
        }
        let business_days = if business_days.is_empty() { DAYS[..5].to_vec() } else { business_days };
        let holidays = fields.texts("holidays").iter().filter_map(|text| number::date(text)).collect();
        if let Some(named) = named {
            all.insert(named, Calendar { business_days, holidays });
        }
    }
    all
}

/// Pipelines that wait for one that is not there, or for each other in a circle.
pub(super) fn after_each_other(project: &Project, names: &BTreeSet<PipelineName>, found: &mut Diagnostics) {
    let waits_for = |name: &PipelineName| {
        let schedule = project.pipelines.get(name).and_then(|p| p.schedule.as_ref());
        schedule.map(|s| s.after.as_slice()).unwrap_or_default()
    };
    for pipeline in project.pipelines.values() {
        for (named, place) in waits_for(&pipeline.name) {
            if !names.contains(named) {
                let known: Vec<&str> = names.iter().map(PipelineName::as_str).collect();
                let mistake = Diagnostic::error("unknown-pipeline", format!("there is no pipeline `{named}`"));
                found.push(mistake.at(place.clone()).did_you_mean(named.as_str(), known));
            }
            let mut seen = BTreeSet::new();
            let mut next = vec![named];
            while let Some(name) = next.pop() {
                if *name == pipeline.name {
                    let message = format!("`{}` and `{named}` wait for each other", pipeline.name);
                    let mistake = Diagnostic::error("cycle", message).help("one of them must not wait for the other");
                    found.push(mistake.at(place.clone()));
                    break;
                }
                if seen.insert(name) {
                    next.extend(waits_for(name).iter().map(|(name, _)| name));
                }
            }
        }
    }
}
