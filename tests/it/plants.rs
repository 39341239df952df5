//! What the generator planted, as `truth.json` tells it, is what the KPIs find: the month, and the size within their intervals.

use chrono::{Months, NaiveDate};
use serde_json::Value;

use crate::project::Project;

/// One month of a share or score.
struct Month {
    period: NaiveDate,
    k: f64,
    n: f64,
    low: f64,
    high: f64,
}

pub fn are_found(project: &Project, truth: &Value) {
    let business = &truth["business"];
    service_fails(project, business);
    many_leave_at_once(project, business);
    fewer_give_up(project, business);
    new_customers_find_a_place(project, business);
    some_of_the_lost_come_back(project, business);
}

fn date(value: &Value) -> NaiveDate {
    value.as_str().and_then(|text| text.parse().ok()).expect("a date")
}

/// The closed months of a KPI, in order.
fn months(project: &Project, kpi: &str) -> Vec<Month> {
    let sql = format!(
        "SELECT period, CAST(numerator AS DOUBLE) AS k, CAST(denominator AS DOUBLE) AS n, low, high FROM kpi.{kpi} \
         WHERE NOT provisional AND low IS NOT NULL ORDER BY period"
    );
    let number = |row: &Value, name: &str| row[name].as_f64().expect("a number");
    let month = |row: &Value| Month {
        period: date(&row["period"]),
        k: number(row, "k"),
        n: number(row, "n"),
        low: number(row, "low"),
        high: number(row, "high"),
    };
    project.query(&sql).iter().map(month).collect()
}

/// Of all months the planted one, and no other, excludes what is usual; it holds what was planted.
fn service_fails(project: &Project, business: &Value) {
    for (kpi, planted) in [("nps", &business["nps_planted"]), ("sla", &business["sla_planted"])] {
        let (usually, in_the_drop) = (planted["usually"].as_f64(), planted["in_the_drop"].as_f64());
        let (usually, in_the_drop) = (usually.expect("a number"), in_the_drop.expect("a number"));
        let months = months(project, kpi);
        assert!(months.len() >= 17, "{kpi}: {} months", months.len());
        let unusual: Vec<&Month> = months.iter().filter(|m| usually < m.low || m.high < usually).collect();
        let found: Vec<NaiveDate> = unusual.iter().map(|m| m.period).collect();
        assert_eq!(found, [date(&business["nps_drop_month"])], "{kpi}");
        assert!(unusual[0].low <= in_the_drop && in_the_drop <= unusual[0].high, "{kpi}");
    }
}

/// The wave is the only month whose retention fell from the month before beyond doubt (Newcombe).
fn many_leave_at_once(project: &Project, business: &Value) {
    let fell = project.query(
        "WITH months AS (
             SELECT period, CAST(numerator AS DOUBLE) AS k, CAST(denominator AS DOUBLE) AS n,
                    CAST(lag(numerator) OVER (ORDER BY period) AS DOUBLE) AS k_before,
                    CAST(lag(denominator) OVER (ORDER BY period) AS DOUBLE) AS n_before
             FROM kpi.retention
             WHERE NOT provisional
         )
         SELECT period FROM months WHERE newcombe_high(k, n, k_before, n_before) < 0",
    );
    let fell: Vec<NaiveDate> = fell.iter().map(|row| date(&row["period"])).collect();
    assert_eq!(fell, [date(&business["churn_wave_month"])]);
}

/// Since the shift fewer give up after an order, so those active in its month are the first to come back more often. Of all
/// months the likelihood of one change is greatest there; the wave is left out.
fn fewer_give_up(project: &Project, business: &Value) {
    let wave = date(&business["churn_wave_month"]);
    let months: Vec<Month> = months(project, "retention").into_iter().filter(|m| m.period != wave).collect();
    let likelihood = |part: &[Month]| {
        let (k, n) = part.iter().fold((0.0, 0.0), |(k, n), m| (k + m.k, n + m.n));
        k * (k / n).ln() + (n - k) * ((n - k) / n).ln()
    };
    let of_split = |at: usize| likelihood(&months[..at]) + likelihood(&months[at..]);
    let best = (1..months.len()).max_by(|a, b| of_split(*a).total_cmp(&of_split(*b))).expect("months");
    assert_eq!(months[best].period, date(&business["retention_shift_month"]) + Months::new(1));
    // Twice the gain is chi-square with one degree of freedom; 10.8 is one in a thousand.
    assert!(2.0 * (of_split(best) - likelihood(&months)) > 10.8);
}

/// Migration: whoever first bought in the last month had no place a month ago, and has one in each scheme now.
fn new_customers_find_a_place(project: &Project, business: &Value) {
    let months = business["months"].as_array().expect("months");
    let new = &months.last().expect("a month")["new_customers"];
    assert!(new.as_u64() > Some(100));
    for scheme in ["rfm", "tier"] {
        let sql = format!(
            "SELECT sum(customers) AS came FROM segment.migration WHERE scheme = '{scheme}' AND place_before = 'none'"
        );
        assert_eq!(project.query(&sql)[0]["came"], *new, "{scheme}");
    }
    let by_month = project.query("SELECT month, new FROM growth.customers ORDER BY month");
    for (month, found) in months.iter().zip(&by_month) {
        assert_eq!((&month["month"], &month["new_customers"]), (&found["month"], &found["new"]));
    }
}

/// The campaign's month is the only one in which as many of the lost came back as it brought back.
fn some_of_the_lost_come_back(project: &Project, business: &Value) {
    let share = business["win_back_share"].as_f64().expect("a number");
    let months: Vec<Month> = months(project, "win_back").into_iter().filter(|m| m.n >= 30.0).collect();
    assert!(months.len() >= 10, "{} months", months.len());
    let found: Vec<NaiveDate> = months.iter().filter(|m| m.high >= share).map(|m| m.period).collect();
    assert_eq!(found, [date(&business["win_back_month"])]);
    assert!(months.iter().any(|m| m.low <= share && share <= m.high));
}

/// Migration: at the end of the campaign's month, and of no other, so many of those who were lost a month before are won back.
pub fn the_lost_move(project: &Project, truth: &Value) {
    let business = &truth["business"];
    let share = business["win_back_share"].as_f64().expect("a number");
    let campaign = date(&business["win_back_month"]);
    let after = |months: i32| match u32::try_from(months) {
        Ok(later) => campaign + Months::new(later),
        Err(_) => campaign - Months::new(months.unsigned_abs()),
    };
    let found: Vec<NaiveDate> = (-3..=2)
        .map(after)
        .filter(|month| {
            project.matins(&["run", "--as-of", &(*month + Months::new(1)).to_string()]).ok();
            let moved = project.query(
                "SELECT wilson_low(customers, from_customers) AS low, wilson_high(customers, from_customers) AS high
                 FROM segment.migration
                 WHERE scheme = 'lifecycle' AND place_before = 'lost' AND place_now = 'won-back' AND from_customers >= 30",
            );
            let elsewhere = project.query(
                "SELECT place_now FROM segment.migration
                 WHERE scheme = 'lifecycle' AND place_before = 'lost' AND place_now NOT IN ('lost', 'won-back')",
            );
            assert!(elsewhere.is_empty(), "who is lost comes back or stays lost: {elsewhere:?}");
            let bound = |name: &str| moved.first().and_then(|row| row[name].as_f64());
            bound("low").is_some_and(|low| low <= share) && bound("high").is_some_and(|high| share <= high)
        })
        .collect();
    assert_eq!(found, [campaign]);
}
