//! `pipelines/<name>.yaml` → a pipeline, judged against the stores, packs and templates around it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use chrono::{NaiveTime, Weekday};

use crate::base::{
    Cadence, ChannelName, Diagnostic, Diagnostics, PackName, ParamName, PipelineName, Place, ReportName, SourceName,
    SourceText, StoreName, TableName,
};

use super::keys::{INTERVALS, PIPELINE, RECIPIENT, RECIPIENTS_FROM, REPORT, SAMPLE};
use super::model::{
    Channel, Destination, Locale, ParamValue, Pipeline, Recipient, RecipientsFrom, Report, Sample, When,
};
use super::project::{Surroundings, timeouts};
use super::shape::{Fields, Reading, Shape};
use super::stage::days;
use super::tree::{Node, parse};
use super::words::{address, is_word, name, zone};
use super::{kpi, number, schedule, source};

/// What a stage is given without being asked.
const RESERVED_PARAMS: [&str; 6] = ["as_of", "start", "end", "prev_as_of", "as_of_utc", "time_zone"];

pub(super) fn read(
    name: PipelineName,
    file: &Arc<SourceText>,
    around: &Surroundings<'_>,
    found: &mut Diagnostics,
) -> Option<Pipeline> {
    let node = parse(file, 0..file.text.len(), around.environment, found)?;
    let mut reading = Reading { file, found };
    let reading = &mut reading;
    reading.examine(&format!("the pipeline `{name}`"), &node, &Shape::Object(&PIPELINE));
    let fields = Fields::new(&node, &PIPELINE);
    let packs = packs(reading, fields, around);
    let sources = sources(reading, fields, around);
    Some(Pipeline {
        kpis: kpi::of_pipeline(reading, fields, packs.iter().filter_map(|(name, _)| around.packs.get(name))),
        schedule: fields.get("schedule").and_then(|n| schedule::read(reading, n, &name, &sources, around)),
        name,
        file: Arc::clone(file),
        description: fields.text("description").unwrap_or_default().to_owned(),
        time_zone: fields.get("time_zone").and_then(|n| zone(reading, n)).unwrap_or(around.time_zone),
        interval: interval(reading, fields),
        close_after_days: days(reading, fields, "close_after").unwrap_or(0),
        sources,
        params: params_of_all(reading, fields, &packs, around),
        packs,
        reports: reports(reading, fields, around),
        timeouts: timeouts(reading, fields, around.timeouts),
        notify: notify(reading, fields, around),
        sample: fields.get("sample").and_then(|n| sample(reading, n, around)),
    })
}

fn interval(reading: &mut Reading<'_>, fields: Fields<'_>) -> Cadence {
    let interval = fields.text("interval").unwrap_or("day");
    let starts = match fields.text("week_starts") {
        Some("sunday") => Weekday::Sun,
        _ => Weekday::Mon,
    };
    if let Some(span) = fields
        .key_span("week_starts")
        .filter(|_| fields.get("week_starts").is_some() && interval != "week" && INTERVALS.contains(&interval))
    {
        let message = format!("`week_starts` means nothing for an interval of one {interval}");
        reading.error("unused-key", span, message, "remove it, or set `interval: week`");
    }
    match interval {
        "hour" => Cadence::Hour,
        "week" => Cadence::Week { starts },
        "month" => Cadence::Month,
        "quarter" => Cadence::Quarter,
        _ => Cadence::Day,
    }
}

fn sources(
    reading: &mut Reading<'_>,
    fields: Fields<'_>,
    around: &Surroundings<'_>,
) -> BTreeMap<SourceName, super::model::Source> {
    let mut sources = BTreeMap::new();
    for entry in fields.get("sources").map(Node::entries).unwrap_or_default() {
        let name = name::<SourceName>(reading, &entry.key, &entry.key_span);
        // A source with a bad name is read all the same, for its other mistakes.
        let stand_in = name.clone().or_else(|| "unnamed".parse().ok());
        let read = stand_in.and_then(|n| source::read(reading, n, entry, around));
        if let (Some(name), Some(source)) = (name, read) {
            sources.insert(name, source);
        }
    }
    sources
}

fn packs(reading: &mut Reading<'_>, fields: Fields<'_>, around: &Surroundings<'_>) -> Vec<(PackName, Place)> {
    let mut packs: Vec<(PackName, Place)> = Vec::new();
    let mut makers: HashMap<&TableName, &PackName> = HashMap::new();
    for node in fields.get("packs").map(Node::items).unwrap_or_default() {
        let Some(text) = node.text() else { continue };
        let Some(pack) = name::<PackName>(reading, text, &node.span) else { continue };
        if packs.iter().any(|(p, _)| *p == pack) {
            reading.error(
                "duplicate-pack",
                &node.span,
                format!("the pack `{pack}` is named twice"),
                "remove one of them",
            );
            continue;
        }
        let Some((known, found)) = around.packs.get_key_value(&pack) else {
            unknown_pack(reading, node, text, around);
            continue;
        };
        for stage in &found.stages {
            match makers.get(&stage.table) {
                // Two files of one pack cannot make one table: they would be one file.
                Some(first) if *first != known => {
                    let message = format!("the packs `{first}` and `{pack}` both make the table `{}`", stage.table);
                    reading.error(
                        "duplicate-table",
                        &node.span,
                        message,
                        format!("leave one of the packs out, or rename `{}`", stage.file.path.display()),
                    );
                }
                _ => {
                    makers.insert(&stage.table, known);
                }
            }
        }
        packs.push((pack, reading.place(&node.span)));
    }
    packs
}

fn unknown_pack(reading: &mut Reading<'_>, node: &Node, text: &str, around: &Surroundings<'_>) {
    let inside: Vec<&str> = around
        .packs
        .keys()
        .map(PackName::as_str)
        .filter(|p| p.strip_prefix(text).is_some_and(|r| r.starts_with('/')))
        .collect();
    let message = format!("there is no pack `{}`", reading.shown(node));
    if inside.is_empty() {
        reading.unknown(
            "unknown-pack",
            &node.span,
            message,
            text,
            "packs below `sql/`",
            around.packs.keys().map(PackName::as_str),
        );
    } else {
        let help = format!("it is a folder of packs: name them, as in `{}`", inside.join("`, `"));
        reading.error("unknown-pack", &node.span, message, help);
    }
}

/// What the pipeline says, then what its packs say. Of a parameter that two packs have, the pipeline must say the value.
fn params_of_all(
    reading: &mut Reading<'_>,
    fields: Fields<'_>,
    packs: &[(PackName, Place)],
    around: &Surroundings<'_>,
) -> BTreeMap<ParamName, ParamValue> {
    let own: BTreeMap<ParamName, ParamValue> =
        params(reading, fields).into_iter().map(|(name, (value, _))| (name, value)).collect();
    let mut defaults: BTreeMap<&ParamName, &(ParamValue, Place)> = BTreeMap::new();
    for (name, given) in packs.iter().filter_map(|(pack, _)| around.packs.get(pack)).flat_map(|pack| &pack.params) {
        let first = defaults.entry(name).or_insert(given);
        if first.0 != given.0 && !own.contains_key(name) {
            let message = format!("two packs of this pipeline give the parameter `{name}` different values");
            let help = format!("the other stands at {}: say in `params` of the pipeline which one is meant", first.1);
            reading.found.push(Diagnostic::error("duplicate-name", message).at(given.1.clone()).help(help));
        }
    }
    let defaults = defaults.into_iter().map(|(name, (value, _))| (name.clone(), value.clone()));
    defaults.chain(own).collect()
}

/// The values below `params`, each with where it stands.
pub(super) fn params(reading: &mut Reading<'_>, fields: Fields<'_>) -> BTreeMap<ParamName, (ParamValue, Place)> {
    let mut params = BTreeMap::new();
    for entry in fields.get("params").map(Node::entries).unwrap_or_default() {
        let name = name::<ParamName>(reading, &entry.key, &entry.key_span);
        if RESERVED_PARAMS.contains(&entry.key.as_str()) {
            let message = format!("a parameter cannot be called `{}`: every stage has that value already", entry.key);
            reading.error("reserved-name", &entry.key_span, message, "give it another name");
        }
        if let (Some(name), Some(value)) = (name, param(reading, &entry.node)) {
            params.insert(name, (value, reading.place(&entry.key_span)));
        }
    }
    params
}

fn param(reading: &mut Reading<'_>, node: &Node) -> Option<ParamValue> {
    let scalar = node.scalar().filter(|s| s.unset.is_none())?;
    let text = scalar.text.as_str();
    if !scalar.plain {
        return Some(ParamValue::Text(text.to_owned()));
    }
    if let Ok(boolean) = text.parse() {
        return Some(ParamValue::Boolean(boolean));
    }
    if let Some(date) = number::date(text) {
        return Some(ParamValue::Date(date));
    }
    if number::is_decimal(text) {
        let digits = text.trim_start_matches(['-', '+']);
        if digits.len() > 1 && digits.starts_with('0') && !digits.starts_with("0.") {
            let message = format!("`{}` is a number with a zero before it, or a text", reading.shown(node));
            reading.error("bad-param", &node.span, message, "put quotes around it if it is a text, or remove the zero");
            return None;
        }
        if digits.bytes().filter(u8::is_ascii_digit).count() > 38 {
            let message = format!("`{}` has more than 38 digits", reading.shown(node));
            reading.error("bad-param", &node.span, message, "put quotes around it if it is a text");
            return None;
        }
        let text = text.trim_start_matches('+');
        return Some(text.parse().map_or_else(|_| ParamValue::Decimal(text.to_owned()), ParamValue::Integer));
    }
    Some(ParamValue::Text(text.to_owned()))
}

fn reports(reading: &mut Reading<'_>, fields: Fields<'_>, around: &Surroundings<'_>) -> Vec<Report> {
    let mut names = HashSet::new();
    let mut reports = Vec::new();
    for node in fields.get("reports").map(Node::items).unwrap_or_default() {
        let fields = Fields::new(node, &REPORT);
        let name = fields.get("name").and_then(|n| name::<ReportName>(reading, n.text()?, &n.span));
        if name.as_ref().is_some_and(|n| n.as_str() == "why") {
            let message = "a report cannot be called `why`: the pages that explain figures lie there";
            reading.error("reserved-name", &name_span(fields), message, "give it another name");
        }
        let template = fields.get("template").and_then(|n| Some((n, n.text()?)));
        if let Some((node, text)) = template.filter(|(_, t)| !around.templates.contains_key(*t)) {
            let message = format!("there is no template `{}`", reading.shown(node));
            let known = around.templates.keys().map(String::as_str);
            reading.unknown(
                "unknown-template",
                &node.span,
                message,
                text,
                "templates below `report-templates/`",
                known,
            );
        }
        let title = fields.text("title").map(str::to_owned);
        let subject = fields.text("subject").map(str::to_owned);
        let recipients = fields.get("recipients").map(Node::items).unwrap_or_default();
        let recipients = recipients.iter().filter_map(|n| recipient(reading, n, around)).collect();
        let deliver_by = fields.get("deliver_by").and_then(|n| time_of_day(reading, n));
        let workbook = fields.boolean("workbook").unwrap_or(true);
        let mut data = BTreeMap::new();
        for entry in fields.get("data").map(Node::entries).unwrap_or_default() {
            if !is_word(&entry.key) {
                let message = format!("`{}` cannot be used in a template", entry.key);
                let help = "call it something of a-z, 0-9 and `_` that begins with a letter";
                reading.error("bad-name", &entry.key_span, message, help);
            }
            if let Some(table) = table(reading, &entry.node) {
                data.insert(entry.key.clone(), (table, reading.place(&entry.node.span)));
            }
        }
        let shared = shared(reading, fields, &data);
        if let Some(name) = &name {
            unique(reading, &mut names, name.as_str(), "reports", fields);
        }
        if let (Some(name), Some((_, template))) = (name, template) {
            let title = title.unwrap_or_else(|| spoken(name.as_str()));
            let subject = subject.unwrap_or_else(|| title.clone());
            let place = reading.place(&name_span(fields));
            let template = template.to_owned();
            let pdf = fields.boolean("pdf").unwrap_or(false);
            let recipients_from = fields.get("recipients_from").and_then(|n| recipients_from(reading, n));
            let when = if fields.text("when") == Some("alert") { When::Alert } else { When::Always };
            reports.push(Report {
                name,
                title,
                template,
                data,
                subject,
                recipients,
                recipients_from,
                deliver_by,
                shared,
                workbook,
                pdf,
                when,
                place,
            });
        }
    }
    reports
}

/// What every recipient sees whole.
fn shared(
    reading: &mut Reading<'_>,
    fields: Fields<'_>,
    data: &BTreeMap<String, (TableName, Place)>,
) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for node in fields.get("shared").map(Node::items).unwrap_or_default() {
        let Some(text) = node.text() else { continue };
        if text != "kpis" && !data.contains_key(text) {
            let message = format!("the report's `data` has no `{}`", reading.shown(node));
            let known = data.keys().map(String::as_str).chain(["kpis"]);
            reading.unknown("unknown-data", &node.span, message, text, "it has", known.collect::<Vec<_>>());
        }
        all.insert(text.to_owned());
    }
    all
}

fn recipients_from(reading: &mut Reading<'_>, node: &Node) -> Option<RecipientsFrom> {
    let fields = Fields::new(node, &RECIPIENTS_FROM);
    let place = reading.place(&node.span);
    let table = fields.get("table").and_then(|n| table(reading, n));
    let address = fields.text("address").unwrap_or("address").to_owned();
    let locale = fields.text("locale").map(str::to_owned);
    let filter = fields.get("filter").map(Node::entries).unwrap_or_default();
    let filter = filter.iter().filter_map(|e| Some((e.key.clone(), e.node.text()?.to_owned()))).collect();
    Some(RecipientsFrom { table: table?, address, locale, filter, place })
}

/// An address, or the name of a channel of `matins.yaml`.
pub(super) fn destination(
    reading: &mut Reading<'_>,
    node: &Node,
    channels: &BTreeMap<ChannelName, Channel>,
    all: bool,
) -> Option<Destination> {
    let text = node.text()?;
    if text.contains('@') {
        address(reading, node).map(Destination::Address)
    } else {
        channel(reading, node, channels, all)
    }
}

/// Where `matins.yaml` could not be read, these are not `all` channels, and others may well be there.
fn channel(
    reading: &mut Reading<'_>,
    node: &Node,
    channels: &BTreeMap<ChannelName, Channel>,
    all: bool,
) -> Option<Destination> {
    let text = node.text()?;
    let found = channels.keys().find(|name| name.as_str() == text).cloned();
    if found.is_none() && all {
        let message = format!("`{}` is neither a mail address nor a channel of `matins.yaml`", reading.shown(node));
        let known = channels.keys().map(ChannelName::as_str);
        reading.unknown("unknown-channel", &node.span, message, text, "channels", known);
    }
    found.map(Destination::Channel)
}

/// Those it names; the project's where it says nothing, and nobody where it names nobody.
fn notify(reading: &mut Reading<'_>, fields: Fields<'_>, around: &Surroundings<'_>) -> Vec<Destination> {
    let Some(nodes) = fields.get("notify").map(Node::items) else { return around.notify.to_vec() };
    nodes.iter().filter_map(|n| destination(reading, n, around.channels, around.stores.is_some())).collect()
}

fn recipient(reading: &mut Reading<'_>, node: &Node, around: &Surroundings<'_>) -> Option<Recipient> {
    let place = reading.place(&node.span);
    if node.scalar().is_some() {
        let to = destination(reading, node, around.channels, around.stores.is_some())?;
        return Some(Recipient { to, locale: Locale::default(), filter: BTreeMap::new(), place });
    }
    let fields = Fields::new(node, &RECIPIENT);
    let address = fields.get("address").and_then(|n| address(reading, n)).map(Destination::Address);
    let to =
        address.or(fields.get("channel").and_then(|n| channel(reading, n, around.channels, around.stores.is_some())));
    let locale = Locale::ALL.into_iter().find(|l| fields.text("locale") == Some(l.tag())).unwrap_or_default();
    let filter = fields.get("filter").map(Node::entries).unwrap_or_default();
    let filter = filter.iter().filter_map(|e| Some((e.key.clone(), e.node.text()?.to_owned()))).collect();
    Some(Recipient { to: to?, locale, filter, place })
}

/// `07:30`.
pub(super) fn time_of_day(reading: &mut Reading<'_>, node: &Node) -> Option<NaiveTime> {
    let time = NaiveTime::parse_from_str(node.text()?, "%H:%M").ok();
    if time.is_none() {
        let message = format!("`{}` is not a time of day", reading.shown(node));
        reading.error("bad-time", &node.span, message, "write hours and minutes, as in `07:30`");
    }
    time
}

fn unique(reading: &mut Reading<'_>, names: &mut HashSet<String>, name: &str, kind: &str, fields: Fields<'_>) {
    if !names.insert(name.to_owned()) {
        let message = format!("two {kind} of this pipeline are called `{name}`");
        reading.error("duplicate-name", &name_span(fields), message, "give one of them another name");
    }
}

pub(super) fn name_span(fields: Fields<'_>) -> Range<usize> {
    fields.get("name").map_or_else(|| fields.node.span.clone(), |n| n.span.clone())
}

/// `net_revenue` → `Net revenue`.
pub(super) fn spoken(name: &str) -> String {
    let text = name.replace(['_', '-'], " ");
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// A table as `schema.table`.
pub(super) fn table(reading: &mut Reading<'_>, node: &Node) -> Option<TableName> {
    let text = node.text()?;
    if text.contains('.') {
        return name(reading, text, &node.span);
    }
    let message = format!("`{}` does not say which schema it is of", reading.shown(node));
    reading.error("bad-name", &node.span, message, "name a table with its schema, as in `core.orders`");
    None
}

fn sample(reading: &mut Reading<'_>, node: &Node, around: &Surroundings<'_>) -> Option<Sample> {
    let fields = Fields::new(node, &SAMPLE);
    let store = fields.get("store").and_then(|n| store(reading, n.text()?, &n.span, around));
    let as_of = fields.text("as_of").and_then(number::date);
    let customers = fields.whole("customers").unwrap_or(2000);
    Some(Sample { store: store?, as_of: as_of?, customers, place: reading.place(&node.span) })
}

/// A store that `matins.yaml` declares.
pub(super) fn store(
    reading: &mut Reading<'_>,
    text: &str,
    span: &Range<usize>,
    around: &Surroundings<'_>,
) -> Option<StoreName> {
    let name = name::<StoreName>(reading, text, span)?;
    if let Some(stores) = around.stores.filter(|s| !s.contains_key(&name)) {
        let message = format!("`matins.yaml` declares no store `{name}`");
        reading.unknown("unknown-store", span, message, text, "stores", stores.keys().map(StoreName::as_str));
    }
    Some(name)
}
