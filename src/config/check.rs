//! One item of `checks:` → the checks it stands for (`not_null` of two columns is two).

use std::ops::Range;

use crate::base::Diagnostic;

use super::column::is_reversed;
use super::keys::{ACCEPTED, CHECK, FRESHNESS, LIMIT, RANGE, REFERENCES, ROW_CHANGE, ROW_COUNT};
use super::model::{Check, Limit, Rule, Severity};
use super::shape::{Fields, Reading};
use super::tree::Node;
use super::{number, pipeline};

pub(super) fn read(reading: &mut Reading<'_>, node: &Node) -> Vec<Check> {
    let fields = Fields::new(node, &CHECK);
    let rules = rules(reading, fields);
    let severity = severity(reading, fields, &rules);
    let limit = limit(reading, fields, &rules);
    let place = reading.place(&reading.first_line(&node.span));
    let single = rules.len() == 1;
    let given = fields.text("name");
    rules
        .into_iter()
        .map(|rule| {
            let name = match (given, &rule) {
                (Some(name), Rule::NotNull { column }) if !single => format!("{name}({column})"),
                (Some(name), _) => name.to_owned(),
                (None, rule) => default_name(rule),
            };
            Check { name, rule, severity, limit, place: place.clone() }
        })
        .collect()
}

/// What a key promises: every column of it has a value, and no two rows are equal in it.
pub(super) fn of_key(reading: &Reading<'_>, key: &[String], span: &Range<usize>) -> Vec<Check> {
    let not_null = key.iter().map(|column| Rule::NotNull { column: column.clone() });
    let unique = (!key.is_empty()).then(|| Rule::Unique { columns: key.to_vec() });
    not_null
        .chain(unique)
        .map(|rule| Check {
            name: default_name(&rule),
            rule,
            severity: Severity::Error,
            limit: Limit::default(),
            place: reading.place(span),
        })
        .collect()
}

/// Adds written checks to those of a key. A rule the key has already is not made twice.
pub(super) fn add(reading: &mut Reading<'_>, checks: &mut Vec<Check>, written: Vec<Check>) {
    let implied = checks.len();
    for check in written {
        if !checks[..implied].iter().any(|c| c.rule == check.rule) {
            checks.push(check);
        } else if check.severity != Severity::Error || check.limit != Limit::default() {
            let message = format!("`key` makes `{}` an error that lets no row pass", default_name(&check.rule));
            let help = "remove this check, or take the column out of `key`";
            reading.found.push(Diagnostic::warning("check-of-key", message).at(check.place).help(help));
        }
    }
    unique_names(reading, checks);
}

/// A check is recorded by its name, so two of one table cannot share one.
pub(super) fn unique_names(reading: &mut Reading<'_>, checks: &[Check]) {
    for at in 1..checks.len() {
        if checks[..at].iter().any(|c| c.name == checks[at].name) {
            let message = format!("two checks of this table are called `{}`", checks[at].name);
            reading.error(
                "duplicate-check",
                &checks[at].place.span.clone(),
                message,
                "remove one of them, or give it a `name`",
            );
        }
    }
}

/// The columns a check names, each with its place.
pub(super) fn columns(node: &Node) -> Vec<(&str, Range<usize>)> {
    let fields = Fields::new(node, &CHECK);
    let mut columns = Vec::new();
    for rule in ["not_null", "unique"] {
        let items = fields.get(rule).map(Node::items).unwrap_or_default();
        columns.extend(items.iter().filter_map(|n| Some((n.text()?, n.span.clone()))));
    }
    for (rule, object) in
        [("accepted", &ACCEPTED), ("range", &RANGE), ("references", &REFERENCES), ("freshness", &FRESHNESS)]
    {
        let column = fields.get(rule).and_then(|n| Fields::new(n, object).get("column"));
        columns.extend(column.and_then(|n| Some((n.text()?, n.span.clone()))));
    }
    columns
}

fn rules(reading: &mut Reading<'_>, fields: Fields<'_>) -> Vec<Rule> {
    let mut rules: Vec<Rule> = fields.texts("not_null").into_iter().map(|column| Rule::NotNull { column }).collect();
    let unique = fields.texts("unique");
    for key in ["not_null", "unique"] {
        if let Some(node) = fields.get(key).filter(|n| n.items().is_empty() && !n.is_broken()) {
            reading.error("empty-list", &node.span, format!("`{key}` names no column"), "name at least one");
        }
    }
    if !unique.is_empty() {
        rules.push(Rule::Unique { columns: unique });
    }
    rules.extend(fields.get("accepted").and_then(|n| accepted(reading, Fields::new(n, &ACCEPTED))));
    rules.extend(fields.get("range").and_then(|n| range(reading, Fields::new(n, &RANGE))));
    rules.extend(fields.get("references").and_then(|n| references(reading, Fields::new(n, &REFERENCES))));
    rules.extend(sql(reading, fields, "expression").map(|sql| Rule::Expression { sql }));
    rules.extend(fields.get("freshness").and_then(|n| freshness(reading, n)));
    rules.extend(fields.get("row_count").and_then(|n| row_count(reading, n)));
    rules.extend(fields.get("row_change").and_then(|n| row_change(reading, n)));
    rules.extend(sql(reading, fields, "query").map(|sql| Rule::Query { sql }));
    rules
}

fn accepted(reading: &mut Reading<'_>, fields: Fields<'_>) -> Option<Rule> {
    let values = fields.texts("values");
    if let Some(node) = fields.get("values").filter(|n| n.items().is_empty() && !n.is_broken()) {
        reading.error("empty-list", &node.span, "`values` accepts nothing", "name at least one value");
    }
    Some(Rule::Accepted { column: fields.text("column")?.to_owned(), values })
}

fn range(reading: &mut Reading<'_>, fields: Fields<'_>) -> Option<Rule> {
    if let (Some(low), Some(high)) = (fields.text("min"), fields.text("max"))
        && is_reversed(low, high)
        && let Some(node) = fields.get("max")
    {
        reading.error(
            "bad-range",
            &node.span,
            format!("nothing lies between {low} and {high}"),
            "`min` must not be greater than `max`",
        );
    }
    let literal = |key: &str| fields.text(key).map(literal);
    Some(Rule::Range { column: fields.text("column")?.to_owned(), min: literal("min"), max: literal("max") })
}

/// A bound as SQL: numbers and typed literals as they are written, all else as a quoted text.
fn literal(text: &str) -> String {
    let upper = text.to_ascii_uppercase();
    let typed = ["DATE '", "TIMESTAMP '"].iter().find_map(|word| upper.strip_prefix(word));
    let is_typed = typed.and_then(|rest| rest.strip_suffix('\'')).is_some_and(|inside| !inside.contains('\''));
    if is_typed || number::is_decimal(text) { text.to_owned() } else { format!("'{}'", text.replace('\'', "''")) }
}

fn references(reading: &mut Reading<'_>, fields: Fields<'_>) -> Option<Rule> {
    let table = fields.get("table").and_then(|n| pipeline::table(reading, n));
    let column = fields.text("column")?;
    let to = fields.text("to").unwrap_or(column);
    Some(Rule::References { column: column.to_owned(), table: table?, to: to.to_owned() })
}

fn sql(reading: &mut Reading<'_>, fields: Fields<'_>, key: &str) -> Option<String> {
    let node = fields.get(key)?;
    let text = node.text()?;
    if text.trim().is_empty() {
        reading.error("empty-text", &node.span, format!("`{key}` is empty"), "write it in SQL, or remove the check");
        return None;
    }
    Some(text.to_owned())
}

fn freshness(reading: &mut Reading<'_>, node: &Node) -> Option<Rule> {
    let fields = Fields::new(node, &FRESHNESS);
    let days = bounded::<u32>(reading, fields, "days");
    Some(Rule::Freshness { column: fields.text("column")?.to_owned(), days: days? })
}

/// A whole number that also fits where it is kept.
fn bounded<T: std::str::FromStr>(reading: &mut Reading<'_>, fields: Fields<'_>, key: &str) -> Option<T> {
    let node = fields.get(key)?;
    let value = fields.whole(key);
    if value.is_none() && node.text().is_some_and(|t| t.bytes().all(|b| b.is_ascii_digit())) {
        reading.error("wrong-value", &node.span, format!("`{key}` is too great"), "write a smaller number");
    }
    value
}

fn row_count(reading: &mut Reading<'_>, node: &Node) -> Option<Rule> {
    let fields = Fields::new(node, &ROW_COUNT);
    let (min, max) = (fields.whole::<u64>("min"), fields.whole::<u64>("max"));
    if let (Some(low), Some(high)) = (min, max)
        && low > high
    {
        let message = format!("no number of rows lies between {low} and {high}");
        reading.error("bad-range", &reading.first_line(&node.span), message, "`min` must not be greater than `max`");
    }
    (min.is_some() || max.is_some()).then_some(Rule::RowCount { min, max })
}

fn row_change(reading: &mut Reading<'_>, node: &Node) -> Option<Rule> {
    let fields = Fields::new(node, &ROW_CHANGE);
    let (down, up) = (fields.share("down"), fields.share("up"));
    if let Some(node) = fields.get("down").filter(|_| down.is_some_and(|d| d > 1.0)) {
        let message = format!("a table cannot lose more than all its rows: `{}`", reading.shown(node));
        reading.error("bad-share", &node.span, message, "write a share like `20%` or `0.2`");
    }
    (down.is_some() || up.is_some()).then_some(Rule::RowChange { down, up })
}

fn severity(reading: &mut Reading<'_>, fields: Fields<'_>, rules: &[Rule]) -> Severity {
    match fields.text("severity") {
        Some("info") => Severity::Info,
        Some("warn") => Severity::Warn,
        Some("quarantine") => {
            let of_rows = |r: &Rule| {
                matches!(r, Rule::NotNull { .. } | Rule::Accepted { .. } | Rule::Range { .. } | Rule::Expression { .. })
            };
            if let Some(node) = fields.get("severity").filter(|_| !rules.iter().all(of_rows)) {
                let help =
                    "only not_null, accepted, range and expression can say which row is bad: use `warn` or `error`";
                reading.error("bad-severity", &node.span, "this check cannot take rows out of its table", help);
            }
            Severity::Quarantine
        }
        _ => Severity::Error,
    }
}

fn limit(reading: &mut Reading<'_>, fields: Fields<'_>, rules: &[Rule]) -> Limit {
    let Some(node) = fields.get("limit") else { return Limit::default() };
    let whole_table = |r: &Rule| matches!(r, Rule::Freshness { .. } | Rule::RowCount { .. } | Rule::RowChange { .. });
    if rules.iter().any(whole_table) {
        let span = fields.key_span("limit").unwrap_or(&node.span);
        reading.error("unused-key", span, "`limit` means nothing for a check that counts no bad rows", "remove it");
    }
    let fields = Fields::new(node, &LIMIT);
    let limit = Limit { count: fields.whole("count"), share: fields.share("share") };
    if let Some(node) = fields.get("share").filter(|_| limit.share.is_some_and(|s| s > 1.0)) {
        let message = format!("`{}` is more than all rows", reading.shown(node));
        reading.error("bad-share", &node.span, message, "write a share like `1%` or `0.01`");
    }
    limit
}

/// What a check is called when nobody named it.
fn default_name(rule: &Rule) -> String {
    match rule {
        Rule::NotNull { column } => format!("not_null({column})"),
        Rule::Unique { columns } => format!("unique({})", columns.join(", ")),
        Rule::Accepted { column, .. } => format!("accepted({column})"),
        Rule::Range { column, .. } => format!("range({column})"),
        Rule::References { column, .. } => format!("references({column})"),
        Rule::Expression { sql } => format!("expression({})", one_line(sql)),
        Rule::Freshness { column, .. } => format!("freshness({column})"),
        Rule::RowCount { .. } => "row_count".to_owned(),
        Rule::RowChange { .. } => "row_change".to_owned(),
        Rule::Query { sql } => {
            let line = one_line(sql);
            let short: String = line.chars().take(40).collect();
            format!("query({short}{})", if short.len() < line.len() { "…" } else { "" })
        }
    }
}

fn one_line(sql: &str) -> String {
    sql.split_whitespace().collect::<Vec<_>>().join(" ")
}
