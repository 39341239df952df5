//! Single values that mean something: names, zones, addresses, bytes, time formats, cron patterns.

use std::fmt::Write as _;
use std::ops::Range;
use std::str::FromStr;

use chrono::NaiveDate;
use chrono::format::{Item, StrftimeItems};
use chrono_tz::Tz;
use croner::parser::{CronParser, Seconds, Year};

use crate::base::{BadName, closest};

use super::shape::Reading;
use super::tree::Node;

/// Reads a name of any kind.
pub(super) fn name<T: FromStr<Err = BadName>>(reading: &mut Reading<'_>, text: &str, span: &Range<usize>) -> Option<T> {
    text.parse().map_err(|error: BadName| bad_name(reading, text, span, &error)).ok()
}

pub(super) fn bad_name(reading: &mut Reading<'_>, text: &str, span: &Range<usize>, error: &BadName) {
    let help = match snake(text) {
        near if near.is_empty() || near == text => "write it in lower-case letters, digits and `_`".to_owned(),
        near => format!("write it `{near}`"),
    };
    reading.error("bad-name", span, error.to_string(), help);
}

/// Whether SQL and templates read it as one identifier without quotes.
pub(super) fn is_word(text: &str) -> bool {
    text.len() <= 100
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

/// The name a person would give in lower-case: `Order ID` → `order_id`, `InvoiceNo` → `invoice_no`.
pub(super) fn snake(text: &str) -> String {
    let mut out = String::new();
    let mut lower_before = false;
    for c in text.chars() {
        if c.is_ascii_alphanumeric() {
            if c.is_ascii_uppercase() && lower_before {
                out.push('_');
            }
            out.push(c.to_ascii_lowercase());
            lower_before = c.is_ascii_lowercase() || c.is_ascii_digit();
        } else if !out.is_empty() && !out.ends_with(['_', '.', '/']) {
            out.push(if matches!(c, '.' | '/') { c } else { '_' });
            lower_before = false;
        }
    }
    out.trim_matches(|c: char| !c.is_ascii_lowercase() && !c.is_ascii_digit())
        .trim_start_matches(|c: char| !c.is_ascii_lowercase())
        .to_owned()
}

pub(super) fn zone(reading: &mut Reading<'_>, node: &Node) -> Option<Tz> {
    let text = node.text()?;
    let zone = text.parse::<Tz>().ok();
    if zone.is_none() {
        // People write the city, or a zone with the wrong continent: compare the last part when the whole is far.
        let names = || chrono_tz::TZ_VARIANTS.iter().map(|z| z.name());
        let city = |z: &str| z.rsplit('/').next().unwrap_or(z).to_lowercase();
        let near = closest(text, names()).or_else(|| {
            let cities: Vec<String> = names().map(city).collect();
            let found = closest(&city(text), cities.iter().map(String::as_str))?;
            names().find(|n| city(n) == found)
        });
        let help = match near {
            Some(near) => format!("did you mean `{near}`? Zones are named as in the IANA database"),
            None => "name it as in the IANA database: `Europe/London`, `Asia/Shanghai`, `UTC`".to_owned(),
        };
        let message = format!("`{}` is not a time zone", reading.shown(node));
        reading.error("unknown-time-zone", &node.span, message, help);
    }
    zone
}

/// `someone@example.com`, or `Some One <someone@example.com>`.
pub(super) fn address(reading: &mut Reading<'_>, node: &Node) -> Option<String> {
    let text = node.text()?;
    let bare = match text.split_once('<') {
        Some((_, rest)) => rest.strip_suffix('>').unwrap_or(""),
        None => text,
    };
    let fits = bare.split_once('@').is_some_and(|(user, host)| {
        !user.is_empty()
            && !host.is_empty()
            && !host.contains('@')
            && !bare.contains(|c: char| c.is_whitespace() || ",;<>".contains(c))
    });
    // A line break in an address would let a text write its own mail headers.
    if !fits || text.contains(|c: char| c.is_control()) {
        let message = format!("`{}` is not a mail address", reading.shown(node));
        reading.error("bad-address", &node.span, message, "write `name@example.com` or `Some Name <name@example.com>`");
        return None;
    }
    Some(text.to_owned())
}

/// A separator: one byte of ASCII. `tab` and `\t` are the tab.
pub(super) fn byte(reading: &mut Reading<'_>, node: &Node, what: &str) -> Option<u8> {
    let text = match node.text()? {
        "tab" | "\\t" => "\t",
        text => text,
    };
    match text.as_bytes() {
        [byte] if byte.is_ascii() && !matches!(byte, b'\n' | b'\r' | 0) => Some(*byte),
        _ => {
            let message = format!("`{what}` must be one byte, not `{}`", reading.shown(node));
            reading.error("bad-byte", &node.span, message, "write one ASCII character, as in `\";\"`, or `tab`");
            None
        }
    }
}

/// Whether chrono can read a date written in this format, and say which date it is.
pub(super) fn is_date_format(format: &str) -> bool {
    let Some(date) = NaiveDate::from_ymd_opt(2021, 11, 29) else { return false };
    written(&date.and_time(chrono::NaiveTime::MIN), format)
        .is_some_and(|text| NaiveDate::parse_from_str(&text, format) == Ok(date))
}

/// Whether chrono can read a timestamp of whole minutes written in this format.
pub(super) fn is_timestamp_format(format: &str) -> bool {
    let Some(wall) = NaiveDate::from_ymd_opt(2021, 11, 29).and_then(|d| d.and_hms_opt(17, 42, 0)) else { return false };
    let zoned = wall.and_utc();
    let mut text = String::new();
    if StrftimeItems::new(format).any(|i| i == Item::Error) || write!(text, "{}", zoned.format(format)).is_err() {
        return false;
    }
    chrono::NaiveDateTime::parse_from_str(&text, format) == Ok(wall)
}

fn written(wall: &chrono::NaiveDateTime, format: &str) -> Option<String> {
    if StrftimeItems::new(format).any(|i| i == Item::Error) {
        return None;
    }
    let mut text = String::new();
    write!(text, "{}", wall.format(format)).ok()?;
    Some(text)
}

/// A valid cron pattern with five fields, or six with seconds.
pub(super) fn cron(reading: &mut Reading<'_>, node: &Node) -> Option<String> {
    let text = node.text()?;
    let parser = CronParser::builder().seconds(Seconds::Optional).year(Year::Disallowed).build();
    if let Ok(pattern) = parser.parse(text) {
        let any_time = chrono::DateTime::UNIX_EPOCH;
        if pattern.find_next_occurrence(&any_time, true).is_ok() {
            return Some(text.to_owned());
        }
        let message = format!("`{}` never fires", reading.shown(node));
        reading.error("bad-cron", &node.span, message, "no year has such a day: check the day and the month");
        return None;
    }
    let fields: Vec<&str> = text.split_whitespace().collect();
    let names: &[(&str, &str)] = match fields.len() {
        5 => &CRON_FIELDS[1..],
        6 => &CRON_FIELDS,
        count => {
            let message = format!("a cron pattern has five fields, or six with seconds, and this has {count}");
            let help = "minute hour day-of-month month weekday, as in `30 2 * * *` for 02:30 every day";
            reading.error("bad-cron", &node.span, message, help);
            return None;
        }
    };
    let mut said = false;
    for (at, (field, (name, range))) in fields.iter().zip(names).enumerate() {
        let alone: Vec<&str> = (0..fields.len()).map(|i| if i == at { *field } else { "*" }).collect();
        if parser.parse(&alone.join(" ")).is_err() {
            let message =
                format!("`{}` is not the {name} of a cron pattern", if substituted(node) { "…" } else { field });
            reading.error(
                "bad-cron",
                &within(reading, node, at),
                message,
                format!("the {name} is {range}, `*`, a list, a range or a step"),
            );
            said = true;
        }
    }
    if !said {
        let message = format!("`{}` is not a cron pattern", reading.shown(node));
        reading.error("bad-cron", &node.span, message, "minute hour day-of-month month weekday, as in `30 2 * * *`");
    }
    None
}

const CRON_FIELDS: [(&str, &str); 6] = [
    ("second", "0-59"),
    ("minute", "0-59"),
    ("hour", "0-23"),
    ("day of the month", "1-31"),
    ("month", "1-12 or JAN-DEC"),
    ("weekday", "0-7 or SUN-SAT"),
];

fn substituted(node: &Node) -> bool {
    node.scalar().is_some_and(|s| s.substituted)
}

/// The place of one field of a pattern, where the text is written as it is meant.
fn within(reading: &Reading<'_>, node: &Node, at: usize) -> Range<usize> {
    let raw = reading.file.text.get(node.span.clone()).unwrap_or_default();
    let quote = usize::from(raw.starts_with(['"', '\'']));
    if substituted(node) || raw.contains('\n') {
        return node.span.clone();
    }
    let inner = &raw[quote..raw.len().saturating_sub(quote).max(quote)];
    let Some(field) = inner.split_whitespace().nth(at) else { return node.span.clone() };
    let start = node.span.start + quote + (field.as_ptr() as usize - inner.as_ptr() as usize);
    start..start + field.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_people_meant() {
        for (text, expected) in [
            ("Order ID", "order_id"),
            ("InvoiceNo", "invoice_no"),
            ("core.Orders", "core.orders"),
            ("1st", "st"),
            ("é", ""),
        ] {
            assert_eq!(snake(text), expected);
        }
    }

    #[test]
    fn formats_that_can_be_read_back() {
        assert!(is_date_format("%Y%m%d") && is_date_format("%d.%m.%y") && is_date_format("%d %b %Y"));
        assert!(
            !is_date_format("%Y-%m") && !is_date_format("YYYY-MM-DD") && !is_date_format("%Q") && !is_date_format("%H")
        );
        assert!(is_timestamp_format("%Y-%m-%d %H:%M:%S%.f") && is_timestamp_format("%d/%m/%Y %H:%M"));
        assert!(is_timestamp_format("%Y-%m-%dT%H:%M:%S%:z") && is_timestamp_format("%m/%d/%Y %I:%M %p"));
        assert!(!is_timestamp_format("%Y-%m-%d") && !is_timestamp_format("%H:%M"));
    }
}
