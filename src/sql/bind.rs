//! Puts the values of a run in the place of `$name`, as typed literals of the parsed statement: no text is pasted.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use chrono::Months;
use datafusion::sql::sqlparser::ast::{Expr, Statement, Value, visit_expressions_mut};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;

use crate::base::{Interval, ParamName};
use crate::config::ParamValue;
use crate::sql::{Query, quote_text};

/// The values a run gives to parameters.
#[derive(Debug, Clone, Default)]
pub struct Bindings(pub BTreeMap<ParamName, ParamValue>);

#[derive(Debug, thiserror::Error)]
pub enum BindError {
    #[error("parameter `${0}` has no value")]
    Missing(String),
    #[error("parameter `${0}` has a value that is not a literal: {1}")]
    NotALiteral(String, String),
}

impl Bindings {
    /// The pipeline's parameters, its zone and the bounds of the interval: dates, or local timestamps when a bound is not a
    /// midnight. `prev_as_of` is the same wall clock a month before `as_of`, or the interval's start where that lies further
    /// back; `as_of_utc` is `as_of` as a moment in UTC.
    pub fn of(params: &BTreeMap<ParamName, ParamValue>, interval: &Interval) -> Self {
        Self::typed(params, interval, whole_days(interval))
    }

    /// The same for a closed month, of the types that a run for this interval gives.
    pub fn of_month(params: &BTreeMap<ParamName, ParamValue>, month: &Interval, run: &Interval) -> Self {
        Self::typed(params, month, whole_days(run))
    }

    fn typed(params: &BTreeMap<ParamName, ParamValue>, interval: &Interval, whole_days: bool) -> Self {
        let mut all = params.clone();
        let (start, end) = (interval.start.naive_local(), interval.end.naive_local());
        let month_before = end.checked_sub_months(Months::new(1)).unwrap_or(start);
        for (name, at) in [("as_of", end), ("start", start), ("end", end), ("prev_as_of", month_before.min(start))] {
            let value = if whole_days { ParamValue::Date(at.date()) } else { ParamValue::Timestamp(at) };
            all.extend(name.parse().map(|name| (name, value)));
        }
        all.extend("as_of_utc".parse().map(|name| (name, ParamValue::Timestamp(interval.end.naive_utc()))));
        all.extend("time_zone".parse().map(|name| (name, ParamValue::Text(interval.end.timezone().name().to_owned()))));
        Self(all)
    }

    /// Every name a stage of a pipeline may use.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(ParamName::as_str)
    }
}

fn whole_days(interval: &Interval) -> bool {
    interval.as_of().is_midnight() && crate::base::AsOf(interval.start).is_midnight()
}

/// The statement with its parameters replaced.
pub fn bind(query: &Query, bindings: &Bindings) -> Result<Statement, BindError> {
    let mut statement = query.statement.clone();
    let done = visit_expressions_mut(&mut statement, |expr| {
        if let Expr::Value(value) = expr
            && let Value::Placeholder(text) = &value.value
        {
            let name = text.trim_start_matches('$');
            match bindings.0.iter().find(|(known, _)| known.as_str() == name) {
                None => return ControlFlow::Break(BindError::Missing(name.to_owned())),
                Some((_, value)) => match literal(value) {
                    Ok(literal) => *expr = literal,
                    Err(why) => return ControlFlow::Break(BindError::NotALiteral(name.to_owned(), why)),
                },
            }
        }
        ControlFlow::Continue(())
    });
    match done {
        ControlFlow::Continue(()) => Ok(statement),
        ControlFlow::Break(error) => Err(error),
    }
}

fn literal(value: &ParamValue) -> Result<Expr, String> {
    let text = match value {
        ParamValue::Integer(n) => format!("CAST({n} AS BIGINT)"),
        ParamValue::Decimal(digits) => {
            let scale = digits.split_once('.').map_or(0, |(_, fraction)| fraction.len());
            format!("CAST({} AS DECIMAL(38, {scale}))", quote_text(digits))
        }
        ParamValue::Text(text) => quote_text(text),
        ParamValue::Boolean(yes) => yes.to_string(),
        ParamValue::Date(date) => format!("CAST('{date}' AS DATE)"),
        ParamValue::Timestamp(at) => format!("CAST('{}' AS TIMESTAMP)", at.format("%Y-%m-%dT%H:%M:%S%.f")),
    };
    let parser = Parser::new(&GenericDialect {}).try_with_sql(&text);
    parser.and_then(|mut p| p.parse_expr()).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{SourceText, start_of_day};
    use crate::sql::parse;

    #[test]
    fn values_become_typed_literals_and_quotes_stay_inside() {
        let query = parse(&SourceText::new("s.sql", "SELECT $who, $rate, $as_of FROM core.t")).expect("good SQL");
        let name = |n: &str| n.parse::<ParamName>().expect("a name");
        let bindings = Bindings(BTreeMap::from([
            (name("who"), ParamValue::Text("O'Brien'); DROP".to_owned())),
            (name("rate"), ParamValue::Decimal("0.20".to_owned())),
            (name("as_of"), ParamValue::Date("2024-02-29".parse().expect("a date"))),
        ]));
        assert_eq!(
            bind(&query, &bindings).expect("bound").to_string(),
            "SELECT 'O''Brien''); DROP', CAST('0.20' AS DECIMAL(38,2)), CAST('2024-02-29' AS DATE) FROM core.t"
        );
        assert!(matches!(bind(&query, &Bindings::default()), Err(BindError::Missing(_))));
    }

    #[test]
    fn the_moment_before_is_a_month_back_or_the_start_of_a_longer_interval() {
        let at = |text: &str| start_of_day(text.parse().expect("a date"), chrono_tz::Europe::London);
        for (start, end, before) in [
            ("2024-12-31", "2025-01-01", "2024-12-01"),
            ("2024-03-30", "2024-03-31", "2024-02-29"),
            ("2024-02-01", "2024-03-01", "2024-02-01"),
            ("2024-04-01", "2024-07-01", "2024-04-01"),
        ] {
            let bindings = Bindings::of(&BTreeMap::new(), &Interval { start: at(start), end: at(end) });
            let name: ParamName = "prev_as_of".parse().expect("a name");
            assert_eq!(bindings.0[&name], ParamValue::Date(before.parse().expect("a date")), "{start} to {end}");
        }
    }

    #[test]
    fn the_moment_in_utc_is_that_of_the_zones_midnight() {
        let shanghai = |text: &str| start_of_day(text.parse().expect("a date"), chrono_tz::Asia::Shanghai);
        let day = Interval { start: shanghai("2024-02-29"), end: shanghai("2024-03-01") };
        let bindings = Bindings::of(&BTreeMap::new(), &day);
        let value = |name: &str| bindings.0[&name.parse::<ParamName>().expect("a name")].clone();
        let moment = "2024-02-29T16:00:00".parse().expect("a moment");
        assert_eq!(value("as_of_utc"), ParamValue::Timestamp(moment));
        assert_eq!(value("time_zone"), ParamValue::Text("Asia/Shanghai".to_owned()));
    }
}
