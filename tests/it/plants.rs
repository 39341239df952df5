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
    the_wave_takes_its_share(project, business);
    the_wave_is_lost_in_the_months_after(project, business);
    fewer_give_up(project, business);
    fewer_give_up_by_as_much(project, business);
    new_customers_find_a_place(project, business);
    some_of_the_lost_come_back(project, business);
    as_many_come_back(project, business);
}

fn date(value: &Value) -> NaiveDate {
    value.as_str().and_then(|text| text.parse().ok()).expect("a date")
}

fn number(value: &Value) -> f64 {
    value.as_f64().expect("a number")
}

/// Such as `36 %`.
fn percent(value: &Value) -> f64 {
    let text = value.as_str().expect("a percentage");
    text.trim_end_matches(" %").parse::<f64>().expect("a number") / 100.0
}

/// The one row of a statement, `low` to `high`.
fn interval(project: &Project, sql: &str) -> (f64, f64) {
    let row = project.query(sql).remove(0);
    (number(&row["low"]), number(&row["high"]))
}

/// Beyond doubt there is something, and it may be as much as was planted.
fn holds((low, high): (f64, f64), planted: f64) {
    assert!(0.0 < low && low <= planted && planted <= high, "{low} to {high}, and {planted} was planted");
}

/// The closed months of a KPI, in order.
fn months(project: &Project, kpi: &str) -> Vec<Month> {
    let sql = format!(
        "SELECT period, CAST(numerator AS DOUBLE) AS k, CAST(denominator AS DOUBLE) AS n, low, high FROM kpi.{kpi} \
         WHERE NOT provisional AND low IS NOT NULL ORDER BY period"
    );
    let month = |row: &Value| Month {
        period: date(&row["period"]),
        k: number(&row["k"]),
        n: number(&row["n"]),
        low: number(&row["low"]),
        high: number(&row["high"]),
    };
    project.query(&sql).iter().map(month).collect()
}

/// Of all months the planted one, and no other, excludes what is usual; it holds what was planted.
fn service_fails(project: &Project, business: &Value) {
    for (kpi, planted) in [("nps", &business["nps_planted"]), ("sla", &business["sla_planted"])] {
        let (usually, in_the_drop) = (number(&planted["usually"]), number(&planted["in_the_drop"]));
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

/// Who leaves in the wave is drawn on its first day, whatever he did before. So of those who bought in the month before it, the share that
/// stayed is what is left of the usual retention; who had given up earlier is in neither. Usual is what the months before and after it have
/// together, as they are nearest in season and growth. The wave's month is quieter than those two by a tenth, which adds a few hundredths
/// to the share that is found; chance alone, by the interval of a ratio of two shares (Katz and others 1978, 95 %), is 0.15 either way.
fn the_wave_takes_its_share(project: &Project, business: &Value) {
    let wave = date(&business["churn_wave_month"]);
    let months = months(project, "retention");
    let sums = |periods: &[NaiveDate]| {
        let of_these = months.iter().filter(|m| periods.contains(&m.period));
        of_these.fold((0.0, 0.0), |(k, n), m| (k + m.k, n + m.n))
    };
    let (k, n) = sums(&[wave]);
    let (k_beside, n_beside) = sums(&[wave - Months::new(1), wave + Months::new(1)]);
    let left = (k / n) / (k_beside / n_beside);
    let error = 1.96 * (1.0 / k - 1.0 / n + 1.0 / k_beside - 1.0 / n_beside).sqrt();
    let found = (1.0 - left * error.exp(), 1.0 - left * (-error).exp());
    holds(found, number(&business["churn_wave_customers"]) / number(&business["churn_wave_among"]));
}

/// Nobody who is lost by silence says whether it was in the wave. Who left in it passes `lost_after` from then until as long after it, so
/// what can be told is how many more are lost in those months than as many customers lose usually: in the months before, as far back as
/// those who are lost in them went silent since the shift. Months count where the middle of them does. The interval is Newcombe's of a
/// difference of two shares, 95 %, times the customers: 47 either way. About a fifth of the wave is not in the excess, as some had been
/// silent so long that they were lost before, and the campaign brought some back before they were; that is well within it.
fn the_wave_is_lost_in_the_months_after(project: &Project, business: &Value) {
    let (wave, shift) = (date(&business["churn_wave_month"]), date(&business["retention_shift_month"]));
    let sql = format!(
        "WITH sums AS (
             SELECT month >= DATE '{wave}' AS since,
                    CAST(sum(newly_lost) AS DOUBLE) AS k, CAST(sum(active_at_start) AS DOUBLE) AS n
             FROM churn.months
             WHERE month + 15 >= DATE '{shift}' + lost_after AND month + 15 < DATE '{wave}' + lost_after
             GROUP BY 1
         )
         SELECT newcombe_low(w.k, w.n, u.k, u.n) * w.n AS low, newcombe_high(w.k, w.n, u.k, u.n) * w.n AS high
         FROM sums AS w CROSS JOIN sums AS u
         WHERE w.since AND NOT u.since"
    );
    holds(interval(project, &sql), number(&business["churn_wave_customers"]));
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

/// Who gives up after a purchase day is silent for longer than `lost_after` from then on. So is one in eight of those who do not, before
/// and since, which takes an eighth off the difference; chance, by Newcombe's interval, is six hundredths either way. Only consumers, since
/// the truth tells of them and their share of the purchase days falls; and only silences that pass the limit before the wave, which is
/// another reason to fall silent.
fn fewer_give_up_by_as_much(project: &Project, business: &Value) {
    let (wave, shift) = (date(&business["churn_wave_month"]), date(&business["retention_shift_month"]));
    let sql = format!(
        "WITH silences AS (
             SELECT p.bdate >= DATE '{shift}' AS since, coalesce(p.next_day - p.bdate > m.lost_after, TRUE) AS given_up
             FROM core.purchase_days AS p
             INNER JOIN core.customers AS c ON c.customer_key = p.customer_key
             CROSS JOIN (SELECT max(lost_after) AS lost_after FROM churn.months) AS m
             WHERE c.segment = 'consumer' AND p.bdate + m.lost_after < DATE '{wave}'
         ),
         sums AS (
             SELECT since, CAST(count(*) FILTER (WHERE given_up) AS DOUBLE) AS k, CAST(count(*) AS DOUBLE) AS n
             FROM silences
             GROUP BY since
         )
         SELECT newcombe_low(b.k, b.n, s.k, s.n) AS low, newcombe_high(b.k, b.n, s.k, s.n) AS high
         FROM sums AS b CROSS JOIN sums AS s
         WHERE s.since AND NOT b.since"
    );
    let before = percent(&business["gives_up_after_an_order_before_the_shift"]);
    holds(interval(project, &sql), before - percent(&business["gives_up_after_an_order_since_the_shift"]));
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
    let share = number(&business["win_back_share"]);
    let months: Vec<Month> = months(project, "win_back").into_iter().filter(|m| m.n >= 30.0).collect();
    assert!(months.len() >= 10, "{} months", months.len());
    let found: Vec<NaiveDate> = months.iter().filter(|m| m.high >= share).map(|m| m.period).collect();
    assert_eq!(found, [date(&business["win_back_month"])]);
    assert!(months.iter().any(|m| m.low <= share && share <= m.high));
}

/// Whom the campaign brings back left 60 days before its month and so did not buy in the month before: where the order counts, growth
/// accounting has them as resurrected. Of others there are about as many as in the months beside it. Their number is Poisson, in that month
/// and in the mean of two others, so 1.96 times the root of one and a half of it is as far as chance goes: 17 of 300.
fn as_many_come_back(project: &Project, business: &Value) {
    let campaign = date(&business["win_back_month"]);
    let rows = project.query("SELECT month, CAST(resurrected AS DOUBLE) AS back FROM growth.customers");
    let back = |month: NaiveDate| {
        let row = rows.iter().find(|row| date(&row["month"]) == month).expect("a month");
        number(&row["back"])
    };
    let usual = f64::midpoint(back(campaign - Months::new(1)), back(campaign + Months::new(1)));
    let (found, seen) = (back(campaign) - usual, number(&business["win_back_customers_seen"]));
    assert!((found - seen).abs() <= 1.96 * (1.5 * usual).sqrt(), "{found} came back, and {seen} were planted");
}

/// Migration: at the end of the campaign's month, and of no other, so many of those who were lost a month before are won back.
pub fn the_lost_move(project: &Project, truth: &Value) {
    let business = &truth["business"];
    let share = number(&business["win_back_share"]);
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
