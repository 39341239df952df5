//! How numbers and dates are written for people. A minus is `−`, thousands are `,`, and nothing is ever `NaN`.

use chrono::NaiveDate;

use crate::config::Unit;

/// What stands where there is no value.
pub(super) const NOTHING: &str = "–";
/// Keeps a number and its unit on one line.
const THIN: char = '\u{202f}';

/// `1,234.5` with a fixed number of decimals.
pub(super) fn grouped(value: f64, places: usize) -> String {
    if !value.is_finite() {
        return NOTHING.to_owned();
    }
    let digits = format!("{:.places$}", value.abs());
    let (whole, fraction) = digits.split_once('.').map_or((digits.as_str(), None), |(w, f)| (w, Some(f)));
    let mut out = String::with_capacity(digits.len() + digits.len() / 3 + 4);
    // A value that rounds to nought has no sign.
    if value < 0.0 && digits.bytes().any(|b| (b'1'..=b'9').contains(&b)) {
        out.push('−');
    }
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    if let Some(fraction) = fraction {
        out.push('.');
        out.push_str(fraction);
    }
    out
}

/// `950`, `12.3k`, `1.24M`: three digits that count.
pub(super) fn compact(value: f64) -> String {
    let size = value.abs();
    // The bounds are where the unit below would round up to a thousand of itself.
    let (scaled, unit) = match size {
        s if s >= 999_500_000.0 => (value / 1e9, "B"),
        s if s >= 999_500.0 => (value / 1e6, "M"),
        s if s >= 9_999.5 => (value / 1e3, "k"),
        _ => return grouped(value, 0),
    };
    let places = if scaled.abs() < 9.995 { 2 } else { usize::from(scaled.abs() < 99.95) };
    format!("{}{unit}", grouped(scaled, places))
}

/// `£1.24M`, `EUR 950`: the sign of the currency goes after the minus and before the number.
pub(super) fn money(value: f64, sign: &str, number: &str) -> String {
    if !value.is_finite() {
        return NOTHING.to_owned();
    }
    let gap = if sign.ends_with(char::is_alphabetic) { "\u{a0}" } else { "" };
    match number.strip_prefix('−') {
        Some(digits) => format!("−{sign}{gap}{digits}"),
        None => format!("{sign}{gap}{number}"),
    }
}

/// A share between 0 and 1 as `24.3 %`.
pub(super) fn share(value: f64, places: usize) -> String {
    if !value.is_finite() {
        return NOTHING.to_owned();
    }
    format!("{}{THIN}%", grouped(value * 100.0, places))
}

/// With a sign unless it rounds to nought.
pub(super) fn signed(value: f64, places: usize) -> String {
    let text = grouped(value, places);
    let nought = !text.bytes().any(|b| (b'1'..=b'9').contains(&b));
    if value > 0.0 && !nought { format!("+{text}") } else { text }
}

/// A change of a share: `+1.2 pp`.
pub(super) fn points_of_share(change: f64) -> String {
    format!("{}{THIN}pp", signed(change * 100.0, 1))
}

/// A change of an amount as a share of what it was: `+4.2 %`.
pub(super) fn percent_change(change: f64) -> String {
    if !change.is_finite() {
        return NOTHING.to_owned();
    }
    format!("{}{THIN}%", signed(change * 100.0, 1))
}

/// A KPI's value as it stands on its tile.
pub fn of_unit(value: f64, unit: &Unit) -> String {
    match unit {
        Unit::Share => share(value, 1),
        Unit::Count => {
            // A mean of counts has a fraction worth showing; a count has none.
            if value.abs() < 1000.0 && (value - value.round()).abs() > 1e-9 {
                grouped(value, 2)
            } else {
                compact(value)
            }
        }
        Unit::Money(sign) => {
            // An average order is worth its pennies; a month's revenue is not.
            let number = if value.abs() < 1000.0 { grouped(value, 2) } else { compact(value) };
            money(value, sign, &number)
        }
        Unit::Score => signed(value, 1),
        Unit::Ratio => grouped(value, 2),
        Unit::Days => format!("{}{THIN}d", grouped(value, 1)),
        Unit::Hours => format!("{}{THIN}h", grouped(value, 1)),
    }
}

/// `9 December 2011`.
pub(super) fn long_date(date: NaiveDate) -> String {
    date.format("%-d %B %Y").to_string()
}

/// `9 Dec 2011`.
pub(super) fn short_date(date: NaiveDate) -> String {
    date.format("%-d %b %Y").to_string()
}

/// A text from outside, made harmless to lay out: line breaks and tabs become spaces, other control characters and the
/// marks that turn the direction of what follows are taken out. Letters of any script and emoji stay.
pub(super) fn tame(text: &str) -> String {
    text.chars()
        .filter_map(|c| match c {
            '\n' | '\r' | '\t' | '\u{2028}' | '\u{2029}' => Some(' '),
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => None,
            c if c.is_control() => None,
            c => Some(c),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_people_write_them() {
        assert_eq!(grouped(1_234_567.891, 2), "1,234,567.89");
        assert_eq!(grouped(-1234.0, 0), "−1,234");
        assert_eq!(grouped(-0.004, 2), "0.00");
        assert_eq!(grouped(f64::NAN, 2), "–");
        assert_eq!(compact(9_999.0), "9,999");
        assert_eq!(compact(12_345.0), "12.3k");
        assert_eq!(compact(999_499.0), "999k");
        assert_eq!(compact(999_500.0), "1.00M");
        assert_eq!(compact(1_240_000.0), "1.24M");
        assert_eq!(compact(-2_500_000_000.0), "−2.50B");
        assert_eq!(of_unit(-1_240_000.0, &Unit::Money("£".into())), "−£1.24M");
        assert_eq!(of_unit(18.5, &Unit::Money("EUR".into())), "EUR\u{a0}18.50");
        assert_eq!(of_unit(0.2431, &Unit::Share), "24.3\u{202f}%");
        assert_eq!(of_unit(4.25, &Unit::Count), "4.25");
        assert_eq!(of_unit(32.0, &Unit::Score), "+32.0");
        assert_eq!(points_of_share(0.0118), "+1.2\u{202f}pp");
        assert_eq!(percent_change(-0.0421), "−4.2\u{202f}%");
        assert_eq!(percent_change(0.0), "0.0\u{202f}%");
    }

    #[test]
    fn texts_from_outside_are_tamed_and_keep_their_letters() {
        assert_eq!(tame("a\u{202e}b\r\nc\u{7}"), "ab  c");
        assert_eq!(tame("张伟 👩‍💻 שלום"), "张伟 👩‍💻 שלום");
    }
}
