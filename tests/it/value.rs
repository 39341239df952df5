//! `crm/value` where a model has nothing to say.

use crate::crm::lines;
use crate::segments::stages;

/// Customers who buy at rates of their own and never leave: of x repeat purchases in a year the last lies where x evenly spread
/// ones have it. The likelihoods of both models are greatest where nobody is ever lost.
const FAITHFUL: &str = "
    SELECT concat(x, ' ', n) AS customer_key, DATE '2024-06-01' AS last_order, CAST(x AS BIGINT) AS x,
           CASE WHEN x = 0 THEN 0.0 ELSE 52.0 * x / (x + 1) END AS t_x, 52.0 AS t,
           CASE WHEN x > 0 THEN 10.0 + n % 17 END AS repeat_mean
    FROM (SELECT x, unnest(generate_series(1, customers)) AS n
          FROM (VALUES (0, 120), (1, 100), (2, 90), (3, 80), (4, 70), (5, 60), (6, 50), (7, 40), (8, 30), (9, 20), (10, 12), (11, 8))
               AS t (x, customers)) AS each";

#[test]
fn a_model_that_knows_no_loss_says_so_and_nobody_is_called_alive() {
    let project = stages(
        &["value/value/models.sql", "value/value/scores.sql", "value/kpi/valuable_at_risk.sql"],
        &[
            ("value/customers", FAITHFUL.to_owned()),
            (
                "value/assumptions",
                "SELECT 'net' AS basis, 1.0 AS margin_share, 0.008 AS monthly_rate, 0.024 AS quarterly_rate".to_owned(),
            ),
            ("segment/rfm", "SELECT customer_key, 5 AS m, x + 1 AS frequency FROM value.customers".to_owned()),
        ],
    );
    assert_eq!(
        lines(&project, "model; coalesce(note, reason) IS NOT NULL", "FROM value.models WHERE model <> 'Gamma-Gamma'"),
        ["BG/NBD true", "MBG/NBD true"]
    );
    assert_eq!(lines(&project, "count(*); count(alive)", "FROM value.scores"), ["680 0"]);
    assert_eq!(
        lines(&project, "period; value; numerator; denominator; low", "FROM kpi.valuable_at_risk"),
        ["2024-06-30 null null 560 null"]
    );
    // What is told of the end of a day is told for good, in the middle of a month too.
    project.matins(&["run", "--as-of", "2024-07-12"]).ok();
    assert_eq!(lines(&project, "period; n; provisional", "FROM kpi.valuable_at_risk"), ["2024-07-11 560 false"]);
}
