//! Published values that plain SQL gives: Kaplan–Meier and the ten-ticket fixture.

use std::sync::Arc;

use datafusion::arrow::array::{Float64Array, Int64Array};

use super::{near, numbers, rows, table};

/// Freireich et al. 1963 as in Gehan 1965: weeks of remission under 6-MP, and whether it ended.
const GEHAN: [(f64, i64); 21] = [
    (6., 1),
    (6., 1),
    (6., 1),
    (6., 0),
    (7., 1),
    (9., 0),
    (10., 1),
    (10., 0),
    (11., 0),
    (13., 1),
    (16., 1),
    (17., 0),
    (19., 0),
    (20., 0),
    (22., 1),
    (23., 1),
    (25., 0),
    (32., 0),
    (32., 0),
    (34., 0),
    (35., 0),
];

#[tokio::test]
async fn survival_as_published() {
    let (_, tables) = table(
        "t.life",
        vec![
            ("t", Arc::new(GEHAN.iter().map(|(t, _)| Some(*t)).collect::<Float64Array>())),
            ("event", Arc::new(GEHAN.iter().map(|(_, e)| Some(*e)).collect::<Int64Array>())),
        ],
    );
    let found = numbers(
        &rows(
            &tables,
            "WITH g AS (SELECT t, sum(event) d, count(*) k FROM t.life GROUP BY t),
         r AS (SELECT t, d, sum(k) OVER (ORDER BY t DESC) n FROM g)
         SELECT t, exp(sum(ln(1-d*1.0/n)) OVER (ORDER BY t)) s,
           exp(sum(ln(1-d*1.0/n)) OVER (ORDER BY t))*sqrt(sum(d*1.0/(n*(n-d))) OVER (ORDER BY t)) se
         FROM r WHERE d>0 AND d<n ORDER BY t",
        )
        .await,
    );
    let wanted = [
        [6.0, 0.8571, 0.0764],
        [7.0, 0.8067, 0.0869],
        [10.0, 0.7529, 0.0963],
        [13.0, 0.6902, 0.1068],
        [16.0, 0.6275, 0.1141],
        [22.0, 0.5378, 0.1282],
        [23.0, 0.4482, 0.1346],
    ];
    near(&found, &wanted.concat(), 1e-4);
}

/// The other arm: weeks of remission under placebo, all of which ended.
const PLACEBO: [f64; 21] = [1., 1., 2., 2., 3., 4., 4., 5., 5., 8., 8., 8., 8., 11., 11., 12., 12., 15., 17., 22., 23.];

#[tokio::test]
async fn medians_bounds_and_the_log_rank_test_as_published() {
    let arms = GEHAN.iter().map(|(t, e)| (*t, *e, 1)).chain(PLACEBO.iter().map(|t| (*t, 1, 0)));
    let arms: Vec<(f64, i64, i64)> = arms.collect();
    let whole = |of: fn(&(f64, i64, i64)) -> i64| Arc::new(arms.iter().map(|a| Some(of(a))).collect::<Int64Array>());
    let (_, tables) = table(
        "t.life",
        vec![
            ("t", Arc::new(arms.iter().map(|a| Some(a.0)).collect::<Float64Array>())),
            ("event", whole(|a| a.1)),
            ("treated", whole(|a| a.2)),
        ],
    );
    let curves = "WITH g AS (SELECT treated, t, sum(event) d, count(*) k FROM t.life GROUP BY treated, t),
         r AS (SELECT treated, t, d, sum(k) OVER (PARTITION BY treated ORDER BY t DESC) n FROM g),
         s AS (SELECT treated, t, CASE WHEN max(d - n) OVER w = 0 THEN 0.0
                      ELSE exp(sum(CASE WHEN d < n THEN ln(1 - d * 1.0 / n) END) OVER w) END AS s,
                      sqrt(sum(CASE WHEN d < n THEN d * 1.0 / (n * (n - d)) END) OVER w) AS u
               FROM r WHERE d > 0 WINDOW w AS (PARTITION BY treated ORDER BY t))";
    let medians = format!("{curves} SELECT min(t) FROM s WHERE s <= 0.5 GROUP BY treated ORDER BY treated");
    near(&numbers(&rows(&tables, &medians).await), &[8.0, 23.0], 0.0);
    let bounds = format!(
        "{curves} SELECT power(s, exp(normal_quantile(0.975) * u / abs(ln(s)))),
                         power(s, exp(-normal_quantile(0.975) * u / abs(ln(s))))
         FROM s WHERE treated = 1 AND t IN (6, 23) ORDER BY t"
    );
    near(&numbers(&rows(&tables, &bounds).await), &[0.6197, 0.9516, 0.1881, 0.6801], 1e-4);
    let log_rank = "WITH g AS (SELECT t, sum(event) d, count(*) k, sum(treated) k1, sum(event * treated) d1
                               FROM t.life GROUP BY t),
         r AS (SELECT t, d, d1, sum(k) OVER w n, sum(k1) OVER w n1 FROM g WINDOW w AS (ORDER BY t DESC))
         SELECT power(sum(d1 - d * n1 * 1.0 / n), 2)
                / sum(CASE WHEN n > 1 THEN d * (n1 * 1.0 / n) * (1 - n1 * 1.0 / n) * (n - d) / (n - 1.0) END)
         FROM r WHERE d > 0";
    near(&numbers(&rows(&tables, log_rank).await), &[16.793], 1e-3);
}

/// Hours opened, first answered and resolved; reopens, contacts, hours allowed.
type Ticket = (f64, Option<f64>, Option<f64>, i64, i64, f64);

#[tokio::test]
async fn ten_tickets_as_of_hour_48() {
    let tickets: [Ticket; 10] = [
        (0., Some(1.), Some(4.), 0, 1, 24.),
        (1., Some(1.5), Some(9.), 0, 1, 24.),
        (2., Some(8.), Some(40.), 1, 3, 24.),
        (3., Some(4.), Some(5.), 0, 1, 4.),
        (5., Some(6.), None, 0, 2, 24.),
        (6., None, None, 0, 0, 24.),
        (8., Some(8.25), Some(10.), 0, 1, 4.),
        (9., Some(12.), Some(33.), 0, 2, 24.),
        (10., Some(10.5), Some(12.), 2, 2, 24.),
        (12., Some(20.), Some(72.), 0, 1, 24.),
    ];
    let double = |of: fn(&Ticket) -> Option<f64>| Arc::new(tickets.iter().map(of).collect::<Float64Array>());
    let (_, tables) = table(
        "t.tickets",
        vec![
            ("opened", double(|t| Some(t.0))),
            ("first", double(|t| t.1)),
            ("resolved", double(|t| t.2)),
            ("reopens", Arc::new(tickets.iter().map(|t| Some(t.3)).collect::<Int64Array>())),
            ("contacts", Arc::new(tickets.iter().map(|t| Some(t.4)).collect::<Int64Array>())),
            ("sla_h", double(|t| Some(t.5))),
        ],
    );
    let found = numbers(&rows(&tables,
        "WITH seen AS (
             SELECT opened, sla_h, reopens, contacts, 48 - opened AS age_h,
                    CASE WHEN first <= 48 THEN first END AS first, CASE WHEN resolved <= 48 THEN resolved END AS resolved
             FROM t.tickets
         ),
         t_asof AS (SELECT *, first - opened AS frt, resolved - opened AS res FROM seen)
         SELECT count(resolved), avg(frt), median(frt), percentile_cont(0.9) WITHIN GROUP (ORDER BY frt),
                avg(res), median(res), percentile_cont(0.9) WITHIN GROUP (ORDER BY res),
                count(*) FILTER (WHERE res <= sla_h) * 1.0 / count(*) FILTER (WHERE resolved IS NOT NULL OR age_h > sla_h),
                count(*) FILTER (WHERE resolved IS NOT NULL AND reopens > 0) * 1.0 / count(resolved),
                count(*) FILTER (WHERE resolved IS NOT NULL AND reopens = 0 AND contacts = 1) * 1.0 / count(resolved),
                count(*) FILTER (WHERE resolved IS NULL), count(*) FILTER (WHERE resolved IS NULL AND age_h > 24)
         FROM t_asof").await);
    near(&found, &[7.0, 2.3611, 1.0, 6.4, 11.4286, 4.0, 29.6, 0.6, 2.0 / 7.0, 4.0 / 7.0, 3.0, 3.0], 1e-4);
}
