//! The contract of a source: its columns in the order written, each with its type and how its values look.

use chrono::NaiveDateTime;

use super::keys::COLUMN;
use super::model::{Column, ColumnKind, CsvFormat, DecimalPoint};
use super::number;
use super::shape::{Fields, Reading};
use super::source::shared_headers;
use super::tree::{Entry, Node};
use super::words::{is_date_format, is_timestamp_format, is_word, snake, zone};

const TYPES: [&str; 7] = ["text", "integer", "decimal(18,4)", "float", "boolean", "date", "timestamp"];

/// What other systems call our types.
const FOREIGN: [(&str, &str); 18] = [
    ("string", "text"),
    ("varchar", "text"),
    ("str", "text"),
    ("char", "text"),
    ("uuid", "text"),
    ("int", "integer"),
    ("bigint", "integer"),
    ("long", "integer"),
    ("int64", "integer"),
    ("bool", "boolean"),
    ("datetime", "timestamp"),
    ("double", "float"),
    ("real", "float"),
    ("number", "decimal(18,4)"),
    ("numeric", "decimal(18,4)"),
    ("decimal", "decimal(18,4)"),
    ("money", "decimal(18,4)"),
    ("currency", "decimal(18,4)"),
];

const YES: [&str; 11] = ["true", "True", "TRUE", "t", "T", "yes", "Yes", "YES", "y", "Y", "1"];
const NO: [&str; 11] = ["false", "False", "FALSE", "f", "F", "no", "No", "NO", "n", "N", "0"];

/// The words of a type, before the keys beside it say how it is written.
#[derive(Clone, Copy, PartialEq)]
enum Type {
    Text,
    Integer,
    Decimal { precision: u8, scale: i8 },
    Float,
    Boolean,
    Date,
    Timestamp,
}

pub(super) fn read(reading: &mut Reading<'_>, source: Fields<'_>, format: &CsvFormat) -> Vec<Column> {
    let Some(node) = source.get("columns") else { return Vec::new() };
    if node.entries().is_empty() && matches!(node.value, super::tree::Value::Map(_)) {
        reading.error("empty-list", &node.span, "a source has at least one column", "write one `name: type` a line");
    }
    let columns: Vec<Column> = node.entries().iter().map(|e| column(reading, e)).collect();
    shared_headers(reading, &columns, format.trim);
    columns
}

/// A column is kept whatever is wrong with it, so that nobody is told that it is not there.
fn column(reading: &mut Reading<'_>, entry: &Entry) -> Column {
    column_name(reading, entry);
    let short = entry.node.scalar().is_some();
    let fields = Fields::new(&entry.node, &COLUMN);
    let type_node = if short { Some(&entry.node) } else { fields.get("type") };
    let parsed = type_node.and_then(|n| type_of(reading, n));
    let mut column = Column {
        name: entry.key.clone(),
        headers: vec![entry.key.clone()],
        kind: ColumnKind::Text,
        required: false,
        null_tokens: Vec::new(),
        accepted: None,
        min: None,
        max: None,
        pii: None,
        description: None,
        place: reading.place(&entry.key_span),
    };
    if short {
        column.kind = kind(reading, None, parsed.unwrap_or(Type::Text));
        return column;
    }
    column.kind = kind(reading, parsed.map(|_| fields), parsed.unwrap_or(Type::Text));
    let headers = fields.texts("header");
    if fields.get("header").is_some_and(|n| n.items().is_empty() && !n.is_broken()) {
        empty(reading, fields, "header");
    }
    if !headers.is_empty() {
        column.headers = headers;
    }
    column.required = fields.boolean("required").unwrap_or(false);
    column.null_tokens = fields.texts("null_tokens");
    if fields.get("accepted").is_some() {
        column.accepted = Some(fields.texts("accepted"));
        if fields.get("accepted").is_some_and(|n| n.items().is_empty() && !n.is_broken()) {
            empty(reading, fields, "accepted");
        }
    }
    (column.min, column.max) = bounds(reading, fields, parsed);
    column.pii = fields.text("pii").map(str::to_owned);
    column.description = fields.text("description").map(str::to_owned);
    column
}

fn column_name(reading: &mut Reading<'_>, entry: &Entry) {
    let name = &entry.key;
    if !is_word(name) {
        let help = match snake(name) {
            near if near.is_empty() => "call it in a-z, 0-9 and `_`, and give the export's text as `header`".to_owned(),
            near => format!("call it `{near}`, with `header: {name}`"),
        };
        let message = format!("`{name}` is not a column name: SQL reads a-z, 0-9 and `_` without quotes");
        reading.error("bad-name", &entry.key_span, message, help);
    }
}

fn empty(reading: &mut Reading<'_>, fields: Fields<'_>, key: &str) {
    if let Some(span) = fields.key_span(key) {
        reading.error("empty-list", span, format!("`{key}` has no value"), "name at least one, or remove it");
    }
}

fn type_of(reading: &mut Reading<'_>, node: &Node) -> Option<Type> {
    let text = node.text()?;
    match text {
        "text" => return Some(Type::Text),
        "integer" => return Some(Type::Integer),
        "float" => return Some(Type::Float),
        "boolean" => return Some(Type::Boolean),
        "date" => return Some(Type::Date),
        "timestamp" => return Some(Type::Timestamp),
        _ => {}
    }
    if let Some(inside) = text.strip_prefix("decimal(").and_then(|t| t.strip_suffix(')'))
        && let Some((precision, scale)) = inside.split_once(',')
        && let (Ok(precision), Ok(scale)) = (precision.trim().parse::<u8>(), scale.trim().parse::<i8>())
    {
        if !(1..=38).contains(&precision) || scale < 0 || i16::from(scale) > i16::from(precision) {
            let message = format!("`{}` is no decimal that can be kept", reading.shown(node));
            reading.error(
                "bad-decimal",
                &node.span,
                message,
                "from 1 to 38 digits, of which at most as many after the point: `decimal(18,4)`",
            );
            return None;
        }
        return Some(Type::Decimal { precision, scale });
    }
    let message = format!("`{}` is not a type", reading.shown(node));
    let word = text.to_lowercase();
    let word = word.split('(').next().unwrap_or_default().trim();
    if text.starts_with("decimal(") && !text.ends_with(')') {
        let help = "inside braces a comma ends the value: put quotes around it, as in `type: \"decimal(18,4)\"`";
        reading.error("unknown-type", &node.span, message, help);
    } else if let Some((_, ours)) = FOREIGN.iter().find(|(theirs, _)| *theirs == word) {
        reading.error(
            "unknown-type",
            &node.span,
            message,
            format!("did you mean `{ours}`? types: `{}`", TYPES.join("`, `")),
        );
    } else {
        reading.unknown("unknown-type", &node.span, message, text, "types", TYPES);
    }
    None
}

/// The type with how it is written; `fields` is `None` where nothing beside the type was written or can be judged.
fn kind(reading: &mut Reading<'_>, fields: Option<Fields<'_>>, of: Type) -> ColumnKind {
    if let Some(fields) = fields {
        for (key, fits, meant) in [
            ("format", matches!(of, Type::Date | Type::Timestamp), "a date or timestamp"),
            ("zone", of == Type::Timestamp, "a timestamp"),
            ("decimal_comma", matches!(of, Type::Decimal { .. }), "a decimal"),
            ("yes", of == Type::Boolean, "a boolean"),
            ("no", of == Type::Boolean, "a boolean"),
        ] {
            if let Some(span) = fields.key_span(key).filter(|_| fields.get(key).is_some() && !fits) {
                let message = format!("`{key}` is for {meant}, and this column is none");
                reading.error("unused-key", span, message, "remove it, or change the type");
            }
        }
    }
    let texts = |key: &str| fields.map(|f| f.texts(key)).filter(|t| !t.is_empty());
    let or = |given: Option<Vec<String>>, default: &[&str]| {
        given.unwrap_or_else(|| default.iter().map(|&t| t.to_owned()).collect())
    };
    match of {
        Type::Text => ColumnKind::Text,
        Type::Integer => ColumnKind::Integer,
        Type::Float => ColumnKind::Float,
        Type::Decimal { precision, scale } => {
            let comma = fields.and_then(|f| f.boolean("decimal_comma")).unwrap_or(false);
            ColumnKind::Decimal {
                precision,
                scale,
                point: if comma { DecimalPoint::Comma } else { DecimalPoint::Point },
            }
        }
        Type::Boolean => {
            let (yes, no) = (or(texts("yes"), &YES), or(texts("no"), &NO));
            if let Some(both) = yes.iter().find(|y| no.contains(y))
                && let Some(span) = fields.and_then(|f| f.key_span("yes").or(f.key_span("no")))
            {
                reading.error(
                    "bad-boolean",
                    span,
                    format!("`{both}` means both yes and no"),
                    "give both `yes` and `no`, with no text in common",
                );
            }
            ColumnKind::Boolean { yes, no }
        }
        Type::Date => {
            check_formats(reading, fields, is_date_format, "a date", "`%d.%m.%Y`");
            ColumnKind::Date { formats: or(texts("format"), &["%Y-%m-%d"]) }
        }
        Type::Timestamp => {
            check_formats(reading, fields, is_timestamp_format, "a date and a time", "`%d.%m.%Y %H:%M`");
            ColumnKind::Timestamp {
                formats: or(texts("format"), &["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f"]),
                zone: fields.and_then(|f| f.get("zone")).and_then(|n| zone(reading, n)),
            }
        }
    }
}

fn check_formats(
    reading: &mut Reading<'_>,
    fields: Option<Fields<'_>>,
    fits: fn(&str) -> bool,
    what: &str,
    like: &str,
) {
    for node in fields.and_then(|f| f.get("format")).map(Node::items).unwrap_or_default() {
        if node.text().is_some_and(|t| !fits(t)) {
            let message = format!("`{}` is not a format from which {what} can be read", reading.shown(node));
            reading.error("bad-format", &node.span, message, format!("write it with chrono's letters, as in {like}"));
        }
    }
}

/// `min` and `max` as written, once they are values of the column's type.
fn bounds(reading: &mut Reading<'_>, fields: Fields<'_>, of: Option<Type>) -> (Option<String>, Option<String>) {
    let mut read = |key: &str| {
        let node = fields.get(key)?;
        let text = node.text()?;
        let (fits, wanted) = match of? {
            Type::Integer => (text.parse::<i64>().is_ok(), "a whole number"),
            Type::Decimal { .. } | Type::Float => (number::is_decimal(text), "a number"),
            Type::Date => (number::date(text).is_some(), "a date like `2025-01-31`"),
            Type::Timestamp => (instant(text).is_some(), "a time like `2025-01-31 08:00:00`"),
            Type::Text | Type::Boolean => {
                let span = fields.key_span(key).unwrap_or(&node.span);
                reading.error(
                    "unused-key",
                    span,
                    format!("`{key}` is for numbers and times"),
                    "remove it, or use `accepted`",
                );
                return None;
            }
        };
        if !fits {
            let message = format!("`{key}` of this column must be {wanted}, not `{}`", reading.shown(node));
            reading.error("bad-range", &node.span, message, "write it in the column's own type");
        }
        fits.then(|| text.to_owned())
    };
    let (min, max) = (read("min"), read("max"));
    if let (Some(low), Some(high)) = (&min, &max)
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
    (min, max)
}

/// Whether the least is greater than the greatest, where that can be told.
pub(super) fn is_reversed(low: &str, high: &str) -> bool {
    if number::is_decimal(low) && number::is_decimal(high) {
        return matches!((low.parse::<f64>(), high.parse::<f64>()), (Ok(low), Ok(high)) if low > high);
    }
    matches!((instant(low), instant(high)), (Some(low), Some(high)) if low > high)
}

fn instant(text: &str) -> Option<NaiveDateTime> {
    number::date(text).map(|d| d.and_time(chrono::NaiveTime::MIN)).or_else(|| {
        ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M"]
            .iter()
            .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
    })
}
