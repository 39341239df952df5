//! `crm/forecast` on series that are a line and a week, so that everybody knows how they go on.

use super::{and_core, no_refunds, orders};
use crate::crm::lines;
use crate::segments::stages;

/// From 2 January 2023 on the n-th day brings 200 + n and what its weekday adds.
#[test]
fn a_line_with_weeks_goes_on_as_it_did() {
    let project = stages(
        &and_core(&["forecast/forecast/models.sql", "forecast/forecast/revenue.sql", "forecast/forecast/weeks.sql"]),
        &[
            (
                "core/orders",
                "SELECT CAST(d AS VARCHAR) AS order_id, 'ann' AS customer_key,
                      CAST(DATE '2023-01-02' + CAST(d AS INT) AS DATE) AS bdate,
                      CAST(200 + d + [0, 10, 20, 30, 40, -50, -50][d % 7 + 1] AS DECIMAL(18, 4)) AS net, TRUE AS valid
                 FROM (SELECT unnest(generate_series(0, DATE '2024-06-30' - DATE '2023-01-02')) AS d) AS days"
                    .to_owned(),
            ),
            no_refunds(),
        ],
    );
    // Seventeen whole months and June are no two years of months.
    assert_eq!(
        lines(&project, "series; n; last_period; round(mase, 3); ship; reason", "FROM forecast.models ORDER BY series"),
        [
            "daily 364 2024-06-30 0.0 true null",
            "monthly 18 2024-06-01 null false 18 periods, and a fit wants two seasons of 12",
            "weekly 364 2024-06-30 0.0 true null",
        ]
    );
    // On 1 July 2024 n is 546, and 200 + 546 + 0 = 746; on the 6th 200 + 551 − 50 = 701. The first week is 7 · 200 + 546 +
    // … + 552 + 0 of its days.
    assert_eq!(
        lines(
            &project,
            "series; period; method; round(value, 1); round(low80) <= round(value); round(high95) >= round(value)",
            "FROM forecast.revenue
             WHERE period IN (DATE '2024-07-01', DATE '2024-07-06', DATE '2024-07-28', DATE '2024-07-22')
             ORDER BY series, period"
        ),
        [
            "daily 2024-07-01 Holt–Winters 746.0 true true",
            "daily 2024-07-06 Holt–Winters 701.0 true true",
            "daily 2024-07-22 Holt–Winters 767.0 true true",
            "daily 2024-07-28 Holt–Winters 723.0 true true",
            "weekly 2024-07-01 Holt–Winters 5243.0 true true",
            "weekly 2024-07-22 Holt–Winters 5390.0 true true",
        ]
    );
    // From 1 April on, n = 455, to n = 545: 91 · 200 + 91 · 500.
    assert_eq!(
        lines(&project, "count(*); min(week); max(week); sum(revenue)", "FROM forecast.weeks"),
        ["13 2024-04-01 2024-06-24 63700.0000"]
    );
}

#[test]
fn ten_days_are_no_season_to_forecast_from() {
    let project = stages(
        &and_core(&["forecast/forecast/models.sql", "forecast/forecast/revenue.sql", "forecast/forecast/weeks.sql"]),
        &[
            orders(
                "('21', 'ann', '2024-06-21', 100), ('23', 'ann', '2024-06-23', 100),
                 ('24', 'ann', '2024-06-24', 100), ('26', 'ann', '2024-06-26', 100),
                 ('27', 'ann', '2024-06-27', 100), ('29', 'ann', '2024-06-29', 100), ('30', 'ann', '2024-06-30', 100)",
            ),
            no_refunds(),
        ],
    );
    assert_eq!(
        lines(&project, "series; n; last_period; mase; ship; reason", "FROM forecast.models ORDER BY series"),
        [
            "daily 10 2024-06-30 null false 10 periods, and a fit wants two seasons of 7",
            "monthly 1 2024-06-01 null false 1 periods, and a fit wants two seasons of 12",
            "weekly 10 2024-06-30 null false 10 periods, and a fit wants two seasons of 7",
        ]
    );
    assert_eq!(lines(&project, "count(*)", "FROM forecast.revenue"), ["0"]);
    // Of the weeks that end with June only the last began after the first order; two of its days brought nothing.
    assert_eq!(lines(&project, "week; revenue", "FROM forecast.weeks ORDER BY week"), ["2024-06-24 500.0000"]);
}

/// The first order comes on the day of the moment.
#[test]
fn who_never_sold_anything_is_forecast_nothing() {
    let project = stages(
        &and_core(&["forecast/forecast/models.sql", "forecast/forecast/revenue.sql", "forecast/forecast/weeks.sql"]),
        &[orders("('1', 'ann', '2024-07-01', 100)"), no_refunds()],
    );
    assert_eq!(
        lines(&project, "series; n; last_period; mase; ship; reason", "FROM forecast.models ORDER BY series"),
        [
            "daily 0 null null false 0 periods, and a fit wants two seasons of 7",
            "monthly 0 null null false 0 periods, and a fit wants two seasons of 12",
            "weekly 0 null null false 0 periods, and a fit wants two seasons of 7",
        ]
    );
    assert_eq!(lines(&project, "series; period; method; value", "FROM forecast.revenue"), [""; 0]);
    assert_eq!(lines(&project, "week; revenue", "FROM forecast.weeks"), [""; 0]);
}

/// A fit of days that ships, over a leap day; weeks and months that do not, over the end of a year.
#[test]
fn the_periods_to_come() {
    let project = stages(
        &["forecast/forecast/revenue.sql"],
        &[(
            "forecast/models",
            "SELECT series, CAST(last AS DATE) AS last_period, ship, CAST(mase AS DOUBLE) AS mase,
                      array_agg(named_struct('step', n, 'value', 100.0 + n, 'low80', 99.0 + n, 'high80', 101.0 + n,
                      'low95', 98.0 + n, 'high95', 102.0 + n, 'naive', 50.0 + n)
                 ORDER BY n) AS forecast
                 FROM (VALUES ('daily', '2024-02-28', TRUE, 0.5), ('weekly', '2023-12-28', FALSE, 1.2),
                      ('monthly', '2023-11-01', NULL, NULL)) AS t (series, last, ship, mase)
                 CROSS JOIN (SELECT unnest(generate_series(1, 3)) AS n) AS steps
                 GROUP BY series, last, ship, mase"
                .to_owned(),
        )],
    );
    assert_eq!(
        lines(
            &project,
            "series; period; method; value; low80; high80; low95; high95; mase",
            "FROM forecast.revenue ORDER BY series, period"
        ),
        [
            "daily 2024-02-29 Holt–Winters 101.0 100.0 102.0 99.0 103.0 0.5",
            "daily 2024-03-01 Holt–Winters 102.0 101.0 103.0 100.0 104.0 0.5",
            "daily 2024-03-02 Holt–Winters 103.0 102.0 104.0 101.0 105.0 0.5",
            "monthly 2023-12-01 season before 51.0 null null null null null",
            "monthly 2024-01-01 season before 52.0 null null null null null",
            "monthly 2024-02-01 season before 53.0 null null null null null",
            "weekly 2023-12-29 season before 51.0 null null null null 1.2",
            "weekly 2024-01-05 season before 52.0 null null null null 1.2",
            "weekly 2024-01-12 season before 53.0 null null null null 1.2",
        ]
    );
}
