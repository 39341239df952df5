//! One field's text → one value, or why not. Pure, and exact: nothing is rounded, guessed or cut.

use crate::config::{Column, ColumnKind, DecimalPoint};

/// Why a field, or a whole record, cannot land. `rule` is the word people see and count by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// Not written as the column's type.
    Type,
    Scale,
    Precision,
    ClockGap,
    Required,
    Key,
    Accepted,
    Range,
    Encoding,
    /// Fewer fields than the header.
    Ragged,
    TooLong,
    /// The last record, without a line ending and with too few fields.
    Truncated,
    UnclosedQuote,
    /// Text between a closing quote and the next delimiter.
    StrayQuote,
    /// A record longer than any record may be.
    Oversized,
    /// A compressed or binary file.
    NoText,
}

impl Fault {
    pub(super) fn rule(self) -> &'static str {
        match self {
            Self::Type => "type",
            Self::Scale => "scale",
            Self::Precision => "precision",
            Self::ClockGap => "clock_gap",
            Self::Required => "required",
            Self::Key => "key",
            Self::Accepted => "accepted",
            Self::Range => "range",
            Self::Encoding => "encoding",
            Self::Ragged => "ragged",
            Self::TooLong => "too_long",
            Self::Truncated => "truncated",
            Self::UnclosedQuote => "unclosed_quote",
            Self::StrayQuote => "stray_quote",
            Self::Oversized => "oversized",
            Self::NoText => "no_text",
        }
    }

    /// For a person; `column` where one field is to blame.
    pub(super) fn reason(self, column: Option<&Column>) -> String {
        match (self, column) {
            (Self::Type, Some(column)) => match &column.kind {
                ColumnKind::Text => "not a text".to_owned(),
                ColumnKind::Integer => "not a whole number".to_owned(),
                ColumnKind::Decimal { point: DecimalPoint::Point, .. } => "not a decimal number".to_owned(),
                ColumnKind::Decimal { point: DecimalPoint::Comma, .. } => {
                    "not a number with a decimal comma".to_owned()
                }
                ColumnKind::Float => "not a finite number".to_owned(),
                ColumnKind::Boolean { .. } => "neither yes nor no".to_owned(),
                ColumnKind::Date { formats } => format!("not a date of the form {}", formats.join(" or ")),
                ColumnKind::Timestamp { formats, .. } => format!("not a time of the form {}", formats.join(" or ")),
            },
            (Self::Scale, Some(Column { kind: ColumnKind::Decimal { scale, .. }, .. })) => {
                format!("more than {scale} digits after the point")
            }
            (Self::Precision, Some(Column { kind: ColumnKind::Decimal { precision, scale, .. }, .. })) => {
                format!("too large for decimal({precision},{scale})")
            }
            (Self::ClockGap, Some(Column { kind: ColumnKind::Timestamp { zone: Some(zone), .. }, .. })) => {
                format!("a time that the clocks of {zone} skipped")
            }
            (Self::Accepted, Some(Column { accepted: Some(accepted), .. })) => {
                format!("not one of {}", accepted.join(", "))
            }
            (Self::Range, Some(Column { min, max, .. })) => match (min, max) {
                (Some(min), Some(max)) => format!("not between {min} and {max}"),
                (Some(min), None) => format!("below {min}"),
                (_, max) => format!("above {}", max.as_deref().unwrap_or_default()),
            },
            (Self::Required, _) => "no value in a required column".to_owned(),
            (Self::Key, _) => "no value in a column of the key".to_owned(),
            (Self::Encoding, _) => "bytes that are no text in this encoding".to_owned(),
            (Self::Ragged, _) => "fewer fields than the header".to_owned(),
            (Self::TooLong, _) => "more fields than the header".to_owned(),
            (Self::Truncated, _) => "the file ends in the middle of a record".to_owned(),
            (Self::UnclosedQuote, _) => "a quote that never closes".to_owned(),
            (Self::StrayQuote, _) => "text after a closing quote".to_owned(),
            (Self::Oversized, _) => "a record without end".to_owned(),
            (Self::NoText, _) => "this is a compressed or binary file, not text".to_owned(),
            (fault, _) => fault.rule().to_owned(),
        }
    }
}

/// A whole number: a sign and digits, nothing else. `17850.0` is not one.
pub(super) fn integer(text: &[u8]) -> Result<i64, Fault> {
    let (negative, digits) = sign(text);
    if digits.is_empty() {
        return Err(Fault::Type);
    }
    let mut value: i64 = 0;
    for byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return Err(Fault::Type);
        }
        // Downwards, because the least i64 has no positive twin.
        value = value.checked_mul(10).and_then(|v| v.checked_sub(i64::from(digit))).ok_or(Fault::Type)?;
    }
    if negative { Ok(value) } else { value.checked_neg().ok_or(Fault::Type) }
}

fn sign(text: &[u8]) -> (bool, &[u8]) {
    match text.split_first() {
        Some((b'-', rest)) => (true, rest),
        Some((b'+', rest)) => (false, rest),
        _ => (false, text),
    }
}

/// How a decimal column is written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Decimals {
    /// Digits after the point that are kept.
    pub scale: u32,
    /// 10 to the power of the precision: the first value that does not fit.
    pub limit: i128,
    pub point: DecimalPoint,
}

impl Decimals {
    pub(super) fn new(precision: u8, scale: i8, point: DecimalPoint) -> Option<Self> {
        let scale = u32::try_from(scale).ok().filter(|s| *s <= u32::from(precision))?;
        let limit = 10i128.checked_pow(u32::from(precision)).filter(|_| (1..=38).contains(&precision))?;
        Some(Self { scale, limit, point })
    }

    /// The value times 10 to the power of the scale. Thousands separators only between whole groups of three digits.
    pub(super) fn read(&self, text: &[u8]) -> Result<i128, Fault> {
        let (negative, text) = sign(text);
        let (point, separator) = match self.point {
            DecimalPoint::Point => (b'.', b','),
            DecimalPoint::Comma => (b',', b'.'),
        };
        let mut value = Sum::default();
        let mut digits = 0usize;
        // Digits since the last separator; none seen yet when `None`.
        let mut group: Option<usize> = None;
        let mut bytes = text.iter();
        let mut fraction = false;
        for &byte in bytes.by_ref() {
            let digit = byte.wrapping_sub(b'0');
            if digit <= 9 {
                value.push(digit)?;
                digits += 1;
                group = group.map(|n| n + 1);
            } else if byte == separator {
                let whole = if group.is_none() { (1..=3).contains(&digits) } else { group == Some(3) };
                if !whole {
                    return Err(Fault::Type);
                }
                group = Some(0);
            } else if byte == point {
                fraction = true;
                break;
            } else {
                return Err(Fault::Type);
            }
        }
        if group.is_some_and(|n| n != 3) {
            return Err(Fault::Type);
        }
        let mut places = 0;
        let mut lost = false;
        if fraction {
            for &byte in bytes {
                let digit = byte.wrapping_sub(b'0');
                if digit > 9 {
                    return Err(Fault::Type);
                }
                digits += 1;
                if places < self.scale {
                    value.push(digit)?;
                    places += 1;
                } else {
                    lost |= digit != 0;
                }
            }
        }
        if digits == 0 {
            return Err(Fault::Type);
        }
        if lost {
            return Err(Fault::Scale);
        }
        for _ in places..self.scale {
            value.push(0)?;
        }
        let value = value.get();
        if value >= self.limit {
            return Err(Fault::Precision);
        }
        Ok(if negative { -value } else { value })
    }
}

/// Digits added up: in 64 bits while they fit, because a 128-bit multiplication per digit is slow.
#[derive(Default)]
struct Sum {
    small: u64,
    large: i128,
    count: u32,
}

impl Sum {
    fn push(&mut self, digit: u8) -> Result<(), Fault> {
        if self.count < 18 {
            self.small = self.small * 10 + u64::from(digit);
        } else {
            if self.count == 18 {
                self.large = i128::from(self.small);
            }
            self.large =
                self.large.checked_mul(10).and_then(|v| v.checked_add(i128::from(digit))).ok_or(Fault::Precision)?;
        }
        self.count += 1;
        Ok(())
    }

    fn get(&self) -> i128 {
        if self.count <= 18 { i128::from(self.small) } else { self.large }
    }
}

/// A finite number, with a point and possibly an exponent.
pub(super) fn float(text: &[u8]) -> Result<f64, Fault> {
    let text = std::str::from_utf8(text).map_err(|_| Fault::Type)?;
    let value: f64 = text.parse().map_err(|_| Fault::Type)?;
    if value.is_finite() { Ok(value) } else { Err(Fault::Type) }
}

/// The words of a boolean column; exactly as listed, or else in any letter case.
#[derive(Debug, Clone)]
pub(super) struct Words {
    yes: Vec<String>,
    no: Vec<String>,
}

impl Words {
    pub(super) fn new(yes: &[String], no: &[String]) -> Self {
        let or = |words: &[String], usual: &[&str]| {
            if words.is_empty() { usual.iter().map(|w| (*w).to_owned()).collect() } else { words.to_vec() }
        };
        Self { yes: or(yes, &["true", "t", "yes", "y", "1"]), no: or(no, &["false", "f", "no", "n", "0"]) }
    }

    pub(super) fn read(&self, text: &[u8]) -> Result<bool, Fault> {
        let exact = |words: &[String]| words.iter().any(|w| w.as_bytes() == text);
        let alike = |words: &[String]| words.iter().any(|w| w.as_bytes().eq_ignore_ascii_case(text));
        match (exact(&self.yes), exact(&self.no)) {
            (true, _) => Ok(true),
            (_, true) => Ok(false),
            _ => match (alike(&self.yes), alike(&self.no)) {
                (true, false) => Ok(true),
                (false, true) => Ok(false),
                _ => Err(Fault::Type),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_digits_and_nothing_else() {
        for (text, value) in [("0", 0), ("-7", -7), ("+7", 7), ("007", 7), ("-9223372036854775808", i64::MIN)] {
            assert_eq!(integer(text.as_bytes()), Ok(value));
        }
        for text in ["", "-", "1.0", "17850.0", "1,000", "1e3", " 1", "9223372036854775808", "0x1", "½"] {
            assert_eq!(integer(text.as_bytes()), Err(Fault::Type), "{text}");
        }
    }

    #[test]
    fn decimals_are_exact() {
        let point = Decimals::new(10, 2, DecimalPoint::Point).expect("a decimal");
        let comma = Decimals::new(10, 2, DecimalPoint::Comma).expect("a decimal");
        for (text, value) in [
            ("1", 100),
            ("1.5", 150),
            ("-1.50", -150),
            ("1.500", 150),
            (".5", 50),
            ("5.", 500),
            ("1,234.56", 123_456),
            ("12,345,678", 1_234_567_800),
            ("+0.01", 1),
            ("-0", 0),
            ("00000000000000000000000012.34", 1234),
            ("99999999.99", 9_999_999_999),
        ] {
            assert_eq!(point.read(text.as_bytes()), Ok(value), "{text}");
        }
        for (text, fault) in [
            ("", Fault::Type),
            (".", Fault::Type),
            ("-", Fault::Type),
            ("1,23.4", Fault::Type),
            ("1234,567", Fault::Type),
            (",123", Fault::Type),
            ("1,", Fault::Type),
            ("1.2.3", Fault::Type),
            ("1.2,3", Fault::Type),
            ("1e2", Fault::Type),
            ("£5", Fault::Type),
            ("NaN", Fault::Type),
            ("1.005", Fault::Scale),
            ("100000000", Fault::Precision),
            ("1".repeat(60).as_str(), Fault::Precision),
        ] {
            assert_eq!(point.read(text.as_bytes()), Err(fault), "{text}");
        }
        assert_eq!(comma.read(b"1.234,56"), Ok(123_456));
        assert_eq!(comma.read(b"1,5"), Ok(150));
        assert_eq!(comma.read(b"1.5"), Err(Fault::Type));
        let widest = Decimals::new(38, 0, DecimalPoint::Point).expect("a decimal");
        assert_eq!(widest.read("9".repeat(38).as_bytes()), Ok(10i128.pow(38) - 1));
        assert_eq!(widest.read("1".repeat(39).as_bytes()), Err(Fault::Precision));
    }

    #[test]
    fn floats_are_finite_and_booleans_are_listed() {
        assert_eq!(float(b"-1.5e3"), Ok(-1500.0));
        for text in ["NaN", "inf", "1e999", "", "1,5"] {
            assert_eq!(float(text.as_bytes()), Err(Fault::Type));
        }
        let words = Words::new(&["Y".to_owned()], &["N".to_owned()]);
        assert_eq!((words.read(b"Y"), words.read(b"n")), (Ok(true), Ok(false)));
        assert_eq!(words.read(b"yes"), Err(Fault::Type));
        assert_eq!(Words::new(&[], &[]).read(b"TRUE"), Ok(true));
    }
}
