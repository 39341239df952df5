//! Dates and times as companies write them → days or microseconds since 1970. A date that does not exist is none.
//!
//! A format of plain numbers (`%d/%m/%Y %H:%M`) is compiled to steps over bytes, which is ten times faster than
//! chrono's; anything else (`%b`, `%p`, `%z`) goes to chrono. Both take unpadded numbers where something separates them.
//! The commonest format, when its numbers are padded, is read at its fixed places.

use chrono::format::{Item, Parsed, StrftimeItems, parse};
use chrono::{DateTime, LocalResult, TimeZone, Timelike};
use chrono_tz::Tz;

use super::value::Fault;

/// One format.
#[derive(Debug, Clone)]
pub(super) enum Format {
    /// `%Y-%m-%d %H:%M:%S`, with this byte between date and time.
    Usual(u8, Vec<Step>),
    Steps(Vec<Step>),
    Chrono(Vec<Item<'static>>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Literal(u8),
    /// Between `least` and `most` digits of a part of the date.
    Number {
        part: usize,
        least: u8,
        most: u8,
    },
}

const YEAR: usize = 0;
const MONTH: usize = 1;
const DAY: usize = 2;

/// The formats of a date or timestamp column, tried in turn, and the zone its times are written in.
#[derive(Debug, Clone)]
pub(super) struct Moments {
    formats: Vec<Format>,
    zone: Option<Tz>,
}

impl Moments {
    /// Fails with the format that cannot be used.
    pub(super) fn new(formats: &[String], usual: &[&str], zone: Option<Tz>) -> Result<Self, String> {
        let texts: Vec<&str> =
            if formats.is_empty() { usual.to_vec() } else { formats.iter().map(String::as_str).collect() };
        let formats = texts.iter().map(|text| Format::new(text).ok_or((*text).to_owned())).collect::<Result<_, _>>()?;
        Ok(Self { formats, zone })
    }

    /// Days since 1970-01-01.
    pub(super) fn date(&self, text: &[u8]) -> Result<i32, Fault> {
        let micros = self.formats.iter().find_map(|format| format.read(text)).ok_or(Fault::Type)?.micros;
        i32::try_from(micros.div_euclid(DAY_MICROS)).map_err(|_| Fault::Type)
    }

    /// Microseconds since 1970-01-01 00:00: of the wall clock as written, or in UTC where the zone is known. Of two
    /// instants with one wall-clock time the first; a time that never was is a fault.
    pub(super) fn timestamp(&self, text: &[u8]) -> Result<i64, Fault> {
        let read = self.formats.iter().find_map(|format| format.read(text)).ok_or(Fault::Type)?;
        let Some(zone) = self.zone else { return Ok(read.micros) };
        if let Some(offset_s) = read.offset_s {
            return Ok(read.micros - i64::from(offset_s) * 1_000_000);
        }
        if zone == Tz::UTC {
            return Ok(read.micros);
        }
        let wall = DateTime::from_timestamp_micros(read.micros).ok_or(Fault::Type)?.naive_utc();
        match zone.from_local_datetime(&wall) {
            LocalResult::Single(at) | LocalResult::Ambiguous(at, _) => Ok(at.timestamp_micros()),
            LocalResult::None => Err(Fault::ClockGap),
        }
    }
}

const DAY_MICROS: i64 = 86_400_000_000;

struct Read {
    micros: i64,
    offset_s: Option<i32>,
}

impl Format {
    fn new(text: &str) -> Option<Self> {
        if let Some(steps) = compile(text) {
            let has = |wanted| steps.iter().any(|s| matches!(s, Step::Number { part, .. } if *part == wanted));
            let whole = has(YEAR) && (has(MONTH) || !has(DAY));
            let between = [b' ', b'T'].into_iter().find(|b| steps == usual(*b));
            return whole.then_some(match between {
                Some(between) => Self::Usual(between, steps),
                None => Self::Steps(steps),
            });
        }
        StrftimeItems::new(text).parse_to_owned().ok().map(Self::Chrono)
    }

    fn read(&self, text: &[u8]) -> Option<Read> {
        match self {
            // What is not padded, or is no moment, is for the steps to judge.
            Self::Usual(between, steps) => {
                let micros = padded(text, *between).or_else(|| walk(steps, text));
                micros.map(|micros| Read { micros, offset_s: None })
            }
            Self::Steps(steps) => walk(steps, text).map(|micros| Read { micros, offset_s: None }),
            Self::Chrono(items) => by_chrono(items, std::str::from_utf8(text).ok()?),
        }
    }
}

fn compile(text: &str) -> Option<Vec<Step>> {
    let text = text.replace("%F", "%Y-%m-%d").replace("%T", "%H:%M:%S").replace("%R", "%H:%M");
    let mut steps = Vec::new();
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            steps.push(Step::Literal(byte));
            continue;
        }
        let mut letter = bytes.next()?;
        if letter == b'-' {
            letter = bytes.next().filter(|l| *l != b'Y' && *l != b'%')?;
        }
        let part = match letter {
            b'%' => {
                steps.push(Step::Literal(b'%'));
                continue;
            }
            b'Y' => YEAR,
            b'm' => MONTH,
            b'd' => DAY,
            b'H' => 3,
            b'M' => 4,
            b'S' => 5,
            _ => return None,
        };
        let most = if part == YEAR { 4 } else { 2 };
        steps.push(Step::Number { part, least: if part == YEAR { 4 } else { 1 }, most });
    }
    // Where nothing separates two numbers, only their full width does.
    let number = |at: Option<&Step>| matches!(at, Some(Step::Number { .. }));
    let fixed: Vec<bool> =
        (0..steps.len()).map(|i| number(steps.get(i + 1)) || (i > 0 && number(steps.get(i - 1)))).collect();
    for (step, fixed) in steps.iter_mut().zip(fixed) {
        if let (Step::Number { least, most, .. }, true) = (step, fixed) {
            *least = *most;
        }
    }
    Some(steps)
}

/// The steps of the commonest format.
fn usual(between: u8) -> Vec<Step> {
    let number = |part, least, most| Step::Number { part, least, most };
    let literal = Step::Literal;
    vec![
        number(YEAR, 4, 4),
        literal(b'-'),
        number(MONTH, 1, 2),
        literal(b'-'),
        number(DAY, 1, 2),
        literal(between),
        number(3, 1, 2),
        literal(b':'),
        number(4, 1, 2),
        literal(b':'),
        number(5, 1, 2),
    ]
}

/// A moment of nineteen bytes, such as `2011-12-09 12:50:00`.
fn padded(text: &[u8], between: u8) -> Option<i64> {
    let mut plain = <[u8; 19]>::try_from(text).ok()?;
    for (at, mark) in [(4, b'-'), (7, b'-'), (10, between), (13, b':'), (16, b':')] {
        // A digit where it is the right one, so that all bytes are looked at in one go.
        plain[at] = if plain[at] == mark { b'0' } else { 0 };
    }
    let digits = plain.map(|byte| byte.wrapping_sub(b'0'));
    if digits.iter().any(|digit| *digit > 9) {
        return None;
    }
    let two = |at: usize| u32::from(digits[at]) * 10 + u32::from(digits[at + 1]);
    moment([two(0) * 100 + two(2), two(5), two(8), two(11), two(14), two(17)])
}

fn walk(steps: &[Step], mut text: &[u8]) -> Option<i64> {
    let mut parts = [0u32, 1, 1, 0, 0, 0];
    for step in steps {
        match *step {
            Step::Literal(wanted) => {
                let (first, rest) = text.split_first()?;
                if *first != wanted {
                    return None;
                }
                text = rest;
            }
            Step::Number { part, least, most } => {
                let mut value = 0;
                let mut taken = 0u8;
                while taken < most {
                    let Some(digit) = text.get(usize::from(taken)).map(|b| b.wrapping_sub(b'0')).filter(|d| *d <= 9)
                    else {
                        break;
                    };
                    value = value * 10 + u32::from(digit);
                    taken += 1;
                }
                if taken < least {
                    return None;
                }
                text = &text[usize::from(taken)..];
                parts[part] = value;
            }
        }
    }
    if text.is_empty() { moment(parts) } else { None }
}

fn moment([year, month, day, hour, minute, second]: [u32; 6]) -> Option<i64> {
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let seconds = days(year, month, day)? * 86_400 + i64::from(hour * 3600 + minute * 60 + second);
    Some(seconds * 1_000_000)
}

/// Days since 1970-01-01 in the Gregorian calendar; `days_from_civil` of Howard Hinnant's `chrono`-compatible
/// low-level date algorithms.
fn days(year: u32, month: u32, day: u32) -> Option<i64> {
    const LENGTHS: [u32; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let length = *LENGTHS.get(usize::try_from(month).ok()?.checked_sub(1)?)? + u32::from(leap && month == 2);
    if day == 0 || day > length || year == 0 {
        return None;
    }
    let (year, month, day) = (i64::from(year), i64::from(month), i64::from(day));
    let shifted = if month <= 2 { year - 1 } else { year };
    let era = shifted.div_euclid(400);
    let of_era = shifted - era * 400;
    let of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    let day_of_era = of_era * 365 + of_era / 4 - of_era / 100 + of_year;
    Some(era * 146_097 + day_of_era - 719_468)
}

fn by_chrono(items: &[Item<'static>], text: &str) -> Option<Read> {
    let mut parsed = Parsed::new();
    parse(&mut parsed, text, items.iter()).ok()?;
    let wall = parsed
        .to_naive_datetime_with_offset(parsed.offset().unwrap_or(0))
        .or_else(|_| parsed.to_naive_date().map(|date| date.and_time(chrono::NaiveTime::MIN)))
        .ok()?;
    // chrono takes `%Y` of one digit and the second 60; neither is what the file means.
    if chrono::Datelike::year(&wall) < 1000 || wall.time().nanosecond() >= 1_000_000_000 {
        return None;
    }
    Some(Read { micros: wall.and_utc().timestamp_micros(), offset_s: parsed.offset() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{Datelike, NaiveDate, NaiveDateTime};

    fn moments(format: &str, zone: Option<Tz>) -> Moments {
        Moments::new(&[format.to_owned()], &[], zone).expect("a format")
    }

    fn time(format: &str, text: &str, zone: Option<Tz>) -> Result<String, Fault> {
        let micros = moments(format, zone).timestamp(text.as_bytes())?;
        Ok(DateTime::from_timestamp_micros(micros).expect("in range").naive_utc().to_string())
    }

    #[test]
    fn times_of_many_forms() {
        for (format, text, wanted) in [
            ("%Y-%m-%d %H:%M:%S", "2011-12-09 12:50:00", "2011-12-09 12:50:00"),
            ("%Y-%m-%dT%H:%M:%S", "2011-12-09T12:50:01", "2011-12-09 12:50:01"),
            ("%Y/%m/%d %H:%M", "2016/8/1 11:05", "2016-08-01 11:05:00"),
            ("%d/%m/%Y %H:%M", "29/2/2016 01:16", "2016-02-29 01:16:00"),
            ("%Y%m%d%H%M%S", "20160229011601", "2016-02-29 01:16:01"),
            ("%F %T", "2016-02-29 01:16:01", "2016-02-29 01:16:01"),
            ("%F %T", "2016-2-9 1:6:01", "2016-02-09 01:06:01"),
            ("%Y年%m月%d日", "2016年8月1日", "2016-08-01 00:00:00"),
            ("%d %b %Y %I:%M %p", "09 Dec 2011 01:05 PM", "2011-12-09 13:05:00"),
            ("%Y-%m-%d %H:%M:%S%.f", "2011-12-09 12:50:00.123456", "2011-12-09 12:50:00.123456"),
            ("%d-%b-%y", "09-Dec-11", "2011-12-09 00:00:00"),
        ] {
            assert_eq!(time(format, text, None).as_deref(), Ok(wanted), "{format} {text}");
        }
    }

    #[test]
    fn moments_that_do_not_exist_are_faults() {
        for text in [
            "0000-00-00 00:00:00",
            "2011-02-29 00:00:00",
            "2011-13-01 00:00:00",
            "2011-12-09 24:00:00",
            "2011-12-09",
            "2011-12-09 12:50:60",
            "11-12-09 12:50:00",
            "2011-12-09 12:50:00 ",
            "2011-12-09 12:50:00.5",
            "2011-12-09T12:50:00",
            "2011-12-09 12.50.00",
            "2011-12-0a 12:50:00",
            "2011-12-9 12:50:000",
            "",
        ] {
            assert_eq!(time("%Y-%m-%d %H:%M:%S", text, None), Err(Fault::Type), "{text}");
        }
        assert_eq!(time("%d %b %Y", "9 Dec 11", None), Err(Fault::Type));
        assert!(Moments::new(&["%H:%M".to_owned()], &[], None).is_err());
        assert!(Moments::new(&["%Q".to_owned()], &[], None).is_err());
    }

    #[test]
    fn a_zone_turns_wall_clock_time_into_utc() {
        let berlin = Some(chrono_tz::Europe::Berlin);
        let format = "%Y-%m-%d %H:%M:%S";
        assert_eq!(time(format, "2024-07-01 12:00:00", berlin).as_deref(), Ok("2024-07-01 10:00:00"));
        assert_eq!(time(format, "2024-03-31 02:30:00", berlin), Err(Fault::ClockGap));
        assert_eq!(time(format, "2024-10-27 02:30:00", berlin).as_deref(), Ok("2024-10-27 00:30:00"));
        let offset = "%Y-%m-%dT%H:%M:%S%:z";
        assert_eq!(time(offset, "2024-07-01T12:00:00+05:30", berlin).as_deref(), Ok("2024-07-01 06:30:00"));
        assert_eq!(time(offset, "2024-07-01T12:00:00+05:30", None).as_deref(), Ok("2024-07-01 12:00:00"));
    }

    proptest::proptest! {
        #[test]
        fn the_fast_way_agrees_with_chrono(text in "[0-9]{4}-[0-9]{1,2}-[0-9]{1,2} [0-9]{1,2}:[0-9]{1,2}:[0-5][0-9]") {
            let format = "%Y-%m-%d %H:%M:%S";
            let wanted = NaiveDateTime::parse_from_str(&text, format).ok().filter(|t| t.year() >= 1000);
            let got = moments(format, None).timestamp(text.as_bytes()).ok();
            if wanted.is_some() || got.is_some_and(|m| m > -30_000_000_000_000_000) {
                proptest::prop_assert_eq!(got, wanted.map(|t| t.and_utc().timestamp_micros()));
            }
        }

        #[test]
        fn days_agree_with_chrono(year in 1u32..9999, month in 0u32..14, day in 0u32..33) {
            let epoch = NaiveDate::from_ymd_opt(1970, 1, 1).expect("a date");
            let wanted = NaiveDate::from_ymd_opt(i32::try_from(year).expect("small"), month, day)
                .map(|d| d.signed_duration_since(epoch).num_days());
            proptest::prop_assert_eq!(days(year, month, day), wanted);
        }
    }
}
