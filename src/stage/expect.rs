//! Holds the rows a stage made against those a test expects: what is missing, what nobody expected, which values differ. Pure.

use arrow::datatypes::DataType;
use chrono::{NaiveDate, NaiveDateTime};

use crate::base::Place;
use crate::config::{StageTest, WrittenCell, WrittenRow};
use crate::engine::{Cell, Rows};

/// One way in which rows are not as expected. Values are as people read them, NULL as `null`.
#[derive(Debug, Clone, PartialEq)]
pub enum Difference {
    /// An expected row that is not there, and is like none that is.
    Missing {
        place: Place,
        row: Vec<(String, String)>,
    },
    /// A row nobody expected: the columns that the test names anywhere, or all where it names none.
    Unexpected {
        row: Vec<(String, String)>,
    },
    /// A row that is there but for some of its values. `of` are the values that tell which row it is.
    Differs {
        place: Place,
        of: Vec<(String, String)>,
        cells: Vec<Unlike>,
    },
    /// All rows are there, and this is the first that does not stand where it is expected.
    Order {
        place: Place,
        row: Vec<(String, String)>,
    },
    NoColumn {
        place: Place,
        column: String,
        columns: Vec<String>,
    },
}

#[derive(Debug, Clone, PartialEq)]
pub struct Unlike {
    pub column: String,
    pub expected: String,
    pub got: String,
}

/// All differences. `key` are the columns that tell one row of the table from another, where its stage says so.
pub fn differences(rows: &Rows, test: &StageTest, key: &[String], ordered: bool) -> Vec<Difference> {
    let names: Vec<String> = rows.columns.iter().map(|(name, _)| name.clone()).collect();
    let unknown: Vec<Difference> = test
        .expect
        .columns
        .iter()
        .filter(|(column, _)| !names.contains(column))
        .map(|(column, place)| Difference::NoColumn {
            place: place.clone(),
            column: column.clone(),
            columns: names.clone(),
        })
        .collect();
    if !unknown.is_empty() {
        return unknown;
    }
    let holding = Holding { rows, test, key };
    if ordered {
        let (got, wanted) = (&rows.rows, &test.expect.rows);
        let off = wanted.iter().zip(got).find(|(wanted, got)| !holding.fits(wanted, got));
        if off.is_none() && got.len() == wanted.len() {
            return Vec::new();
        }
        let found = holding.in_any_order();
        return match off {
            Some((row, _)) if found.is_empty() => {
                vec![Difference::Order { place: row.place.clone(), row: written(&row.cells) }]
            }
            _ => found,
        };
    }
    holding.in_any_order()
}

struct Holding<'a> {
    rows: &'a Rows,
    test: &'a StageTest,
    key: &'a [String],
}

impl Holding<'_> {
    fn in_any_order(&self) -> Vec<Difference> {
        let wanted = &self.test.expect.rows;
        let mut left: Vec<&Vec<Cell>> = self.rows.rows.iter().collect();
        // A row that says more of itself fits fewer, so it chooses first.
        let mut order: Vec<usize> = (0..wanted.len()).collect();
        order.sort_by_key(|at| std::cmp::Reverse(wanted[*at].cells.len()));
        let mut missing: Vec<usize> = Vec::new();
        for at in order {
            match left.iter().position(|got| self.fits(&wanted[at], got)) {
                Some(found) => drop(left.remove(found)),
                None => missing.push(at),
            }
        }
        missing.sort_unstable();
        let mut found = Vec::new();
        for at in missing {
            let row = &wanted[at];
            let place = row.place.clone();
            found.push(match self.nearest(row, &left) {
                Some(near) => self.unlike(place, row, left.remove(near)),
                None => Difference::Missing { place, row: written(&row.cells) },
            });
        }
        found.extend(left.into_iter().map(|got| Difference::Unexpected { row: self.shown(got) }));
        found
    }

    fn fits(&self, wanted: &WrittenRow, got: &[Cell]) -> bool {
        wanted.cells.iter().all(|(name, cell)| self.equal(name, cell, got))
    }

    fn equal(&self, column: &str, wanted: &WrittenCell, got: &[Cell]) -> bool {
        let Some(at) = self.rows.columns.iter().position(|(name, _)| name == column) else { return false };
        got.get(at).is_some_and(|cell| equal(cell, &self.rows.columns[at].1, wanted, self.test.tolerance))
    }

    /// The row that was most likely meant: the one of the same key; without a key the one that has the most values in common, and
    /// half of them at least.
    fn nearest(&self, wanted: &WrittenRow, left: &[&Vec<Cell>]) -> Option<usize> {
        let alike = |got: &[Cell]| wanted.cells.iter().filter(|(name, cell)| self.equal(name, cell, got)).count();
        let key: Vec<&(String, WrittenCell)> =
            wanted.cells.iter().filter(|(name, _)| self.key.contains(name)).collect();
        if !self.key.is_empty() && key.len() == self.key.len() {
            return left.iter().position(|got| key.iter().all(|(name, cell)| self.equal(name, cell, got)));
        }
        let counts = left.iter().map(|got| alike(got)).enumerate();
        let best = counts.max_by_key(|(at, alike)| (*alike, std::cmp::Reverse(*at)))?;
        (best.1 > 0 && best.1 * 2 >= wanted.cells.len()).then_some(best.0)
    }

    fn unlike(&self, place: Place, wanted: &WrittenRow, got: &[Cell]) -> Difference {
        let (same, other): (Vec<_>, Vec<_>) = wanted.cells.iter().partition(|(name, cell)| self.equal(name, cell, got));
        let of_key: Vec<_> = same.iter().filter(|(name, _)| self.key.contains(name)).collect();
        let of = if of_key.is_empty() { same.iter().take(3).collect() } else { of_key };
        let at = |column: &str| self.rows.columns.iter().position(|(name, _)| name == column);
        let cells = other.iter().map(|(name, cell)| Unlike {
            column: name.clone(),
            expected: text_of(cell),
            got: at(name).and_then(|at| got.get(at)).map_or_else(String::new, shown),
        });
        let of = of.into_iter().map(|(name, cell)| (name.clone(), text_of(cell))).collect();
        Difference::Differs { place, of, cells: cells.collect() }
    }

    fn shown(&self, got: &[Cell]) -> Vec<(String, String)> {
        let named = |name: &String| self.test.expect.columns.iter().any(|(column, _)| column == name);
        let any = !self.test.expect.columns.is_empty();
        let pairs = self.rows.columns.iter().zip(got).filter(|((name, _), _)| !any || named(name));
        pairs.map(|((name, _), cell)| (name.clone(), shown(cell))).collect()
    }
}

fn written(cells: &[(String, WrittenCell)]) -> Vec<(String, String)> {
    cells.iter().map(|(name, cell)| (name.clone(), text_of(cell))).collect()
}

fn text_of(cell: &WrittenCell) -> String {
    match cell.text.as_deref() {
        None => "null".to_owned(),
        Some("") => "\"\"".to_owned(),
        Some(text) => text.to_owned(),
    }
}

fn shown(cell: &Cell) -> String {
    match cell {
        Cell::Null => "null".to_owned(),
        Cell::Text(text) if text.is_empty() => "\"\"".to_owned(),
        cell => cell.text(),
    }
}

/// Whole numbers and decimals are equal digit by digit; floats as far as they are written; moments however they are written.
fn equal(got: &Cell, of: &DataType, wanted: &WrittenCell, tolerance: Option<f64>) -> bool {
    let Some(text) = wanted.text.as_deref() else { return *got == Cell::Null };
    match got {
        Cell::Null => false,
        Cell::Boolean(yes) => text == if *yes { "true" } else { "false" },
        Cell::Integer(n) => same_number(&n.to_string(), text),
        Cell::Decimal(digits) => same_number(digits, text),
        Cell::Float(x) => near(*x, text, tolerance),
        Cell::Date(date) => text.parse::<NaiveDate>().is_ok_and(|wanted| wanted == *date),
        Cell::Text(got) => {
            got == text
                || (matches!(of, DataType::Timestamp(..)) && moment(got).is_some_and(|at| moment(text) == Some(at)))
        }
    }
}

fn same_number(got: &str, wanted: &str) -> bool {
    digits(got).is_some_and(|got| digits(wanted) == Some(got))
}

/// Sign, whole part and fraction, without noughts that say nothing; none for what is no number.
fn digits(text: &str) -> Option<(bool, &str, &str)> {
    let (negative, rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, fraction) = rest.split_once('.').unwrap_or((rest, ""));
    let all_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !all_digits(whole) || !all_digits(fraction) {
        return None;
    }
    let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
    Some((negative && !(whole.is_empty() && fraction.is_empty()), whole, fraction))
}

/// Off by no more than is said; else by no more than half of the last decimal it is written with, from two decimals on. A number of
/// fewer is exact, but for what floats cannot hold.
fn near(got: f64, wanted: &str, tolerance: Option<f64>) -> bool {
    let Ok(number) = wanted.parse::<f64>() else { return false };
    if got.total_cmp(&number).is_eq() || (got.is_nan() && number.is_nan()) {
        return true;
    }
    let decimals = wanted.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    let reach = tolerance.unwrap_or_else(|| match i32::try_from(decimals) {
        // A little more than half, for figures that were rounded by hand on the way.
        Ok(decimals) if decimals > 1 => 0.6 * 10_f64.powi(-decimals),
        _ => 1e-9 * number.abs().max(1.0),
    });
    (got - number).abs() <= reach
}

/// `2024-05-01T10:00`, with seconds or without, with a space for the T, or the midnight of a date.
fn moment(text: &str) -> Option<NaiveDateTime> {
    let text = text.replacen(' ', "T", 1);
    let read = |format| NaiveDateTime::parse_from_str(&text, format).ok();
    read("%Y-%m-%dT%H:%M:%S%.f")
        .or_else(|| read("%Y-%m-%dT%H:%M"))
        .or_else(|| text.parse::<NaiveDate>().ok()?.and_hms_opt(0, 0, 0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Cadence, SourceText, start_of_day};
    use crate::config::WrittenRows;

    fn place() -> Place {
        Place::file(&SourceText::new("a.test.yaml", ""))
    }

    fn cell(text: &str) -> WrittenCell {
        let text = (text != "null").then(|| text.to_owned());
        WrittenCell { text, quoted: false, place: place() }
    }

    /// `a: 1, b: 2`, a row each.
    fn test(rows: &[&str]) -> StageTest {
        let row = |text: &&str| {
            let pairs = text.split(", ").filter_map(|pair| pair.split_once(": "));
            WrittenRow { cells: pairs.map(|(name, text)| (name.to_owned(), cell(text))).collect(), place: place() }
        };
        let rows: Vec<WrittenRow> = rows.iter().map(row).collect();
        let mut columns: Vec<(String, Place)> = Vec::new();
        for (name, _) in rows.iter().flat_map(|row| &row.cells) {
            if columns.iter().all(|(known, _)| known != name) {
                columns.push((name.clone(), place()));
            }
        }
        let day = start_of_day("2024-05-01".parse().expect("a date"), chrono_tz::UTC);
        StageTest {
            table: "mart.days".parse().expect("a table"),
            pack: "shop".parse().expect("a pack"),
            name: "one".to_owned(),
            place: place(),
            interval: Cadence::Day.containing(day),
            params: [].into(),
            given: [].into(),
            expect: WrittenRows { columns, rows },
            ordered: None,
            tolerance: None,
            fails: vec![],
        }
    }

    fn made(rows: &[(i64, f64)]) -> Rows {
        Rows {
            columns: vec![("k".to_owned(), DataType::Int64), ("x".to_owned(), DataType::Float64)],
            rows: rows.iter().map(|(k, x)| vec![Cell::Integer(*k), Cell::Float(*x)]).collect(),
        }
    }

    #[test]
    fn values_of_each_type() {
        let is = |got: Cell, of: DataType, wanted: &str| equal(&got, &of, &cell(wanted), None);
        let money = || Cell::Decimal("12.5000".to_owned());
        assert!(
            is(money(), DataType::Decimal128(18, 4), "12.50") && !is(money(), DataType::Decimal128(18, 4), "12.501")
        );
        assert!(is(Cell::Integer(-3), DataType::Int64, "-3.0") && !is(Cell::Integer(3), DataType::Int64, "-3"));
        assert!(
            is(Cell::Float(0.333_333_3), DataType::Float64, "0.33")
                && !is(Cell::Float(0.34), DataType::Float64, "0.33")
        );
        assert!(
            is(Cell::Float(0.1 + 0.2), DataType::Float64, "0.3") && !is(Cell::Float(0.301), DataType::Float64, "0.3")
        );
        let at = || Cell::Text("2024-05-01T10:00:00".to_owned());
        let moments = DataType::Timestamp(arrow::datatypes::TimeUnit::Nanosecond, None);
        assert!(is(at(), moments.clone(), "2024-05-01 10:00") && !is(at(), moments, "2024-05-01"));
        assert!(!is(at(), DataType::Utf8, "2024-05-01 10:00"));
        assert!(is(Cell::Null, DataType::Utf8, "null") && !is(Cell::Text(String::new()), DataType::Utf8, "null"));
        assert!(equal(&Cell::Float(1.4), &DataType::Float64, &cell("1.5"), Some(0.2)));
    }

    #[test]
    fn a_row_that_is_nearly_there_is_told_by_its_values() {
        let test = test(&["k: 1, x: 0.5", "k: 2, x: 0.5", "k: 4, x: null"]);
        let key = ["k".to_owned()];
        let found = differences(&made(&[(3, 1.0), (2, 0.5), (1, 0.25)]), &test, &key, false);
        let pair = |name: &str, text: &str| (name.to_owned(), text.to_owned());
        let unlike = Unlike { column: "x".to_owned(), expected: "0.5".to_owned(), got: "0.25".to_owned() };
        assert_eq!(
            found,
            [
                Difference::Differs { place: place(), of: vec![pair("k", "1")], cells: vec![unlike] },
                Difference::Missing { place: place(), row: vec![pair("k", "4"), pair("x", "null")] },
                Difference::Unexpected { row: vec![pair("k", "3"), pair("x", "1")] },
            ]
        );
    }

    #[test]
    fn order_counts_where_it_is_asked_for() {
        let test = test(&["k: 2", "k: 1"]);
        let rows = made(&[(1, 0.0), (2, 0.0)]);
        assert!(differences(&rows, &test, &[], false).is_empty());
        assert!(matches!(differences(&rows, &test, &[], true).as_slice(), [Difference::Order { .. }]));
        assert!(differences(&made(&[(2, 0.0), (1, 0.0)]), &test, &[], true).is_empty());
    }

    #[test]
    fn a_row_that_says_less_leaves_the_others_theirs() {
        let rows = made(&[(1, 0.5), (1, 0.25)]);
        assert!(differences(&rows, &test(&["k: 1", "k: 1, x: 0.5"]), &[], false).is_empty());
        let columns = differences(&rows, &test(&["z: 1"]), &[], false);
        assert!(matches!(columns.as_slice(), [Difference::NoColumn { column, .. }] if column == "z"));
    }
}
