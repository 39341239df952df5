//! How numbers and dates are written for people. A minus is `−`, thousands are `,`, and nothing is ever `NaN`.

use chrono::NaiveDate;

use crate::config::{Locale, Unit};

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

/// `950`, `12.3k`, `1.24M`, in Chinese `1.23万`, `1.24亿`: three digits that count.
pub(super) fn compact(value: f64, locale: Locale) -> String {
    let size = value.abs();
    // The bounds are where the unit below would round up to a thousand (ten thousand) of itself.
    let (scaled, unit) = match (locale, size) {
        (Locale::En, s) if s >= 999_500_000.0 => (value / 1e9, "B"),
        (Locale::En, s) if s >= 999_500.0 => (value / 1e6, "M"),
        (Locale::En, s) if s >= 9_999.5 => (value / 1e3, "k"),
        (Locale::ZhHans, s) if s >= 99_995_000.0 => (value / 1e8, "亿"),
        (Locale::ZhHans, s) if s >= 9_999.5 => (value / 1e4, "万"),
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

/// A number and its unit: Chinese puts nothing between them.
pub(super) fn with_unit(number: &str, unit: &str, locale: Locale) -> String {
    match locale {
        Locale::En => format!("{number}{THIN}{unit}"),
        Locale::ZhHans => format!("{number}{unit}"),
    }
}

/// What changes of shares, and of scores, are counted in; and days and hours.
pub(super) fn unit_words(locale: Locale) -> [&'static str; 4] {
    match locale {
        Locale::En => ["pp", "points", "d", "h"],
        Locale::ZhHans => ["个百分点", "分", "天", "小时"],
    }
}

/// A share between 0 and 1 as `24.3 %`.
pub(super) fn share(value: f64, places: usize, locale: Locale) -> String {
    if !value.is_finite() {
        return NOTHING.to_owned();
    }
    with_unit(&grouped(value * 100.0, places), "%", locale)
}

/// With a sign unless it rounds to nought.
pub(super) fn signed(value: f64, places: usize) -> String {
    let text = grouped(value, places);
    let nought = !text.bytes().any(|b| (b'1'..=b'9').contains(&b));
    if value > 0.0 && !nought { format!("+{text}") } else { text }
}

/// A change of a share: `+1.2 pp`.
pub(super) fn points_of_share(change: f64, locale: Locale) -> String {
    with_unit(&signed(change * 100.0, 1), unit_words(locale)[0], locale)
}

/// A change of an amount as a share of what it was: `+4.2 %`.
pub(super) fn percent_change(change: f64, locale: Locale) -> String {
    if !change.is_finite() {
        return NOTHING.to_owned();
    }
    with_unit(&signed(change * 100.0, 1), "%", locale)
}

/// A KPI's value as it stands on its tile, in English.
pub fn of_unit(value: f64, unit: &Unit) -> String {
    in_unit(value, unit, Locale::En)
}

/// A KPI's value as it stands on its tile.
pub(super) fn in_unit(value: f64, unit: &Unit, locale: Locale) -> String {
    let [_, _, days, hours] = unit_words(locale);
    match unit {
        Unit::Share => share(value, 1, locale),
        Unit::Count => {
            // A mean of counts has a fraction worth showing; a count has none.
            if value.abs() < 1000.0 && (value - value.round()).abs() > 1e-9 {
                grouped(value, 2)
            } else {
                compact(value, locale)
            }
        }
        Unit::Money(sign) => {
            // An average order is worth its pennies; a month's revenue is not.
            let number = if value.abs() < 1000.0 { grouped(value, 2) } else { compact(value, locale) };
            money(value, sign, &number)
        }
        Unit::Score => signed(value, 1),
        Unit::Mean | Unit::Ratio => grouped(value, 2),
        Unit::Days => with_unit(&grouped(value, 1), days, locale),
        Unit::Hours => with_unit(&grouped(value, 1), hours, locale),
    }
}

/// `9 December 2011`; ISO in Chinese.
pub(super) fn long_date(date: NaiveDate, locale: Locale) -> String {
    match locale {
        Locale::En => date.format("%-d %B %Y").to_string(),
        Locale::ZhHans => date.to_string(),
    }
}

/// `9 Dec 2011`; ISO in Chinese.
pub(super) fn short_date(date: NaiveDate, locale: Locale) -> String {
    match locale {
        Locale::En => date.format("%-d %b %Y").to_string(),
        Locale::ZhHans => date.to_string(),
    }
}

/// `Dec 2011`; ISO in Chinese.
pub(super) fn month_of(date: NaiveDate, locale: Locale) -> String {
    match locale {
        Locale::En => date.format("%b %Y").to_string(),
        Locale::ZhHans => date.format("%Y-%m").to_string(),
    }
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
        assert_eq!(compact(9_999.0, Locale::En), "9,999");
        assert_eq!(compact(12_345.0, Locale::En), "12.3k");
        assert_eq!(compact(999_499.0, Locale::En), "999k");
        assert_eq!(compact(999_500.0, Locale::En), "1.00M");
        assert_eq!(compact(1_240_000.0, Locale::En), "1.24M");
        assert_eq!(compact(-2_500_000_000.0, Locale::En), "−2.50B");
        assert_eq!(of_unit(-1_240_000.0, &Unit::Money("£".into())), "−£1.24M");
        assert_eq!(of_unit(18.5, &Unit::Money("EUR".into())), "EUR\u{a0}18.50");
        assert_eq!(of_unit(0.2431, &Unit::Share), "24.3\u{202f}%");
        assert_eq!(of_unit(4.25, &Unit::Count), "4.25");
        assert_eq!(of_unit(32.0, &Unit::Score), "+32.0");
        assert_eq!(of_unit(3.978, &Unit::Mean), "3.98");
        assert_eq!(points_of_share(0.0118, Locale::En), "+1.2\u{202f}pp");
        assert_eq!(percent_change(-0.0421, Locale::En), "−4.2\u{202f}%");
        assert_eq!(percent_change(0.0, Locale::En), "0.0\u{202f}%");
    }

    #[test]
    fn chinese_counts_in_ten_thousands() {
        let zh = Locale::ZhHans;
        assert_eq!(compact(9_999.0, zh), "9,999");
        assert_eq!(compact(9_999.6, zh), "1.00万");
        assert_eq!(compact(1_234_567.0, zh), "123万");
        assert_eq!(compact(99_994_999.0, zh), "9,999万");
        assert_eq!(compact(99_995_000.0, zh), "1.00亿");
        assert_eq!(in_unit(-31_234_567_890.0, &Unit::Money("¥".into()), zh), "−¥312亿");
        assert_eq!(points_of_share(0.0118, zh), "+1.2个百分点");
        assert_eq!(share(0.2431, 1, zh), "24.3%");
    }

    #[test]
    fn texts_from_outside_are_tamed_and_keep_their_letters() {
        assert_eq!(tame("a\u{202e}b\r\nc\u{7}"), "ab  c");
        assert_eq!(tame("张伟 👩‍💻 שלום"), "张伟 👩‍💻 שלום");
    }
}
