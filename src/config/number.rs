//! Numbers, shares and dates as people write them.

use chrono::NaiveDate;

/// `-12.50`: digits, at most one point with digits on both sides.
pub(super) fn is_decimal(text: &str) -> bool {
    let digits = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
    let text = text.strip_prefix(['-', '+']).unwrap_or(text);
    match text.split_once('.') {
        Some((whole, fraction)) => digits(whole) && digits(fraction),
        None => digits(text),
    }
}

/// `1%` or `0.01`; never negative.
pub(super) fn share(text: &str) -> Option<f64> {
    let (number, factor) = match text.strip_suffix('%') {
        Some(percent) => (percent.trim_end(), 100.0),
        None => (text, 1.0),
    };
    if !is_decimal(number) {
        return None;
    }
    number.parse::<f64>().ok().map(|n| n / factor).filter(|n| *n >= 0.0)
}

/// `2025-01-31`.
pub(super) fn date(text: &str) -> Option<NaiveDate> {
    (text.len() == 10).then(|| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()).flatten()
}

#[cfg(test)]
mod tests {
    #[test]
    fn shares_and_decimals() {
        assert_eq!(super::share("1%"), Some(0.01));
        assert_eq!(super::share("0.5 %"), Some(0.005));
        assert_eq!(super::share("0.25"), Some(0.25));
        for bad in ["-1%", "%", "nan", "1e3", "one", "", "."] {
            assert_eq!(super::share(bad), None, "{bad}");
        }
        assert!(super::is_decimal("-12.50") && !super::is_decimal("1.") && !super::is_decimal("1,5"));
    }
}
