//! The models by published values that need no data, and by what must hold of any model.

use std::sync::Arc;

use datafusion::arrow::array::{Float64Array, Int64Array};

use super::{error, near, numbers, rows, table, text, values};
use crate::engine::Tables;

const CDNOW: &str = "0.243, 4.414, 0.793, 2.426";

#[tokio::test]
async fn probabilities_as_in_btyd() {
    let found = values(&format!("bgnbd_probability({CDNOW}, 39, 0), bgnbd_probability({CDNOW}, 2, 10)")).await;
    near(&found, &[0.573_786_4, 1.078_69e-7], 1e-7);
    assert!((found[1] / 1.078_69e-7 - 1.0).abs() < 1e-5, "{found:?}");
}

#[tokio::test]
async fn pareto_nbd_as_in_btyd() {
    let found = values(
        "pareto_nbd_expected(0.5533, 10.5777, 0.6062, 11.6687, 52, 26, 30.86, 31),
         pareto_nbd_alive(0.5533, 10.5777, 0.6062, 11.6687, 26, 30.86, 31),
         pareto_nbd_unconditional(0.5533, 10.5777, 0.6062, 11.6687, 52)",
    )
    .await;
    near(&found, &[25.46, 0.9979, 1.473], 0.01);
}

#[tokio::test]
async fn probabilities_add_up_to_one_and_to_the_expectation() {
    for (model, parameters) in [
        ("bgnbd", CDNOW),
        ("mbgnbd", "0.525, 6.183, 0.891, 1.614"),
        ("pareto_nbd", "0.5533, 10.5777, 0.6062, 11.6687"),
        ("pareto_nbd", "0.9, 12.5, 1.6, 8.0"),
    ] {
        let found = rows(
            &Tables::new(),
            &format!(
                "SELECT sum({model}_probability({parameters}, 20, n)), sum(n * {model}_probability({parameters}, 20, n)),
                        {model}_unconditional({parameters}, 20)
                 FROM (SELECT unnest(generate_series(0, 120)) AS n)"
            ),
        )
        .await;
        let found = numbers(&found);
        near(&found[..1], &[1.0], 1e-8);
        near(&found[1..2], &found[2..], 1e-6);
    }
}

/// The published formula of E[Y(t)], by `hyp2f1`, where it is well behaved.
#[tokio::test]
async fn expectations_equal_the_published_formula_and_pass_a_equal_to_one() {
    let found = values(
        "bgnbd_expected(0.243, 4.414, 0.793, 2.426, 39, 5, 20, 38),
         (0.793 + 2.426 + 5 - 1) / (0.793 - 1)
         * (1 - power((4.414 + 38) / (4.414 + 38 + 39), 0.243 + 5)
              * hyp2f1(0.243 + 5, 2.426 + 5, 0.793 + 2.426 + 5 - 1, 39.0 / (4.414 + 38 + 39)))
         / (1 + 0.793 / (2.426 + 5 - 1) * power((4.414 + 38) / (4.414 + 20), 0.243 + 5))",
    )
    .await;
    near(&found[..1], &found[1..], 1e-10);
    // a = 1 lies between its neighbours, and neither many purchases nor a long horizon overflow.
    let near_one = values(
        "bgnbd_expected(0.243, 4.414, 1, 2.426, 39, 2, 30, 38),
         (bgnbd_expected(0.243, 4.414, 0.99999, 2.426, 39, 2, 30, 38)
          + bgnbd_expected(0.243, 4.414, 1.00001, 2.426, 39, 2, 30, 38)) / 2",
    )
    .await;
    near(&near_one[..1], &near_one[1..], 1e-9);
    let far = values(
        "bgnbd_expected(0.243, 4.414, 0.793, 2.426, 5200, 900, 37.9, 38), mbgnbd_unconditional(0.5, 6, 1, 2, 100000)",
    )
    .await;
    assert!(far.iter().all(|v| v.is_finite() && *v > 0.0), "{far:?}");
}

#[tokio::test]
async fn who_never_came_back_is_alive_in_one_model_and_doubted_in_the_other() {
    let found = values(&format!("bgnbd_alive({CDNOW}, 0, 0, 38), mbgnbd_alive({CDNOW}, 0, 0, 38)")).await;
    near(&found[..1], &[1.0], 0.0);
    assert!((0.1..0.9).contains(&found[1]), "{found:?}");
}

#[tokio::test]
async fn shifted_beta_geometric_as_published() {
    for (survivors, alpha, beta, log_likelihood, projected) in [
        ("1000, 631, 468, 382, 326, 289, 262, 241", 0.7041, 1.1820, -1680.27, [0.220, 0.204, 0.191, 0.180, 0.170]),
        ("1000, 869, 743, 653, 593, 551, 517, 491", 0.6681, 3.8061, -1611.16, [0.460, 0.436, 0.414, 0.395, 0.378]),
    ] {
        let found = rows(
            &Tables::new(),
            &format!(
                "SELECT f['alpha'], f['beta'], f['log_likelihood'], sbg_survival(f, 8), sbg_survival(f, 9),
                        sbg_survival(f, 10), sbg_survival(f, 11), sbg_survival(f, 12)
                 FROM (SELECT fit_sbg(p, s) AS f FROM
                       (SELECT unnest(generate_series(0, 7)) AS p, unnest([{survivors}]) AS s))"
            ),
        )
        .await;
        let found = numbers(&found);
        near(&found[..2], &[alpha, beta], 0.001);
        near(&found[2..3], &[log_likelihood], 0.01);
        near(&found[3..], &projected, 0.001);
    }
    assert!(error("SELECT fit_sbg(p, 1) FROM (SELECT unnest([0, 2]) AS p)").await.contains("each once"));
}

#[tokio::test]
async fn lifetime_multiples_of_gupta_and_lehmann() {
    let found = values("clv_multiple(0.8, 0.12), clv_multiple(0.6, 0.10), clv_multiple(0.9, 0.10), clv_multiple(0.9, 0.16), clv_multiple(1, 0)").await;
    near(&found, &[2.5, 1.2, 4.5, 3.4615, f64::NAN], 1e-4);
}

#[tokio::test]
async fn too_few_customers_give_a_reason_and_no_parameters() {
    let few = "(SELECT unnest([0, 1, 2]) AS x, unnest([0.0, 3.0, 4.0]) AS t_x, unnest([10.0, 10.0, 10.0]) AS t)";
    assert_eq!(
        text(&format!("f['reason'] FROM (SELECT fit_bgnbd(x, t_x, t) AS f FROM {few})")).await,
        "3 customers, and a fit wants 500"
    );
    assert_eq!(
        text(&format!("f['reason'] FROM (SELECT fit_mbgnbd(x, t_x, t, 3, 3) AS f FROM {few})")).await,
        "2 customers came back, and a fit wants 3"
    );
    assert_eq!(
        text(&format!("concat(f['converged'], f['r'] IS NULL) FROM (SELECT fit_mbgnbd(x, t_x, t) AS f FROM {few})"))
            .await,
        "falsetrue"
    );
    assert!(error("SELECT fit_bgnbd(1, 5.0, 3.0)").await.contains("0 ≤ t_x ≤ t"));
    assert!(error("SELECT fit_bgnbd(1, 5.0)").await.contains("fit_bgnbd(x, t_x, t[, min_customers, min_repeaters])"));
    assert!(
        error("SELECT bgnbd_alive(f, 1, 2, 3) FROM (SELECT fit_gamma_gamma(1, 2.0) AS f)").await.contains("no field r")
    );
}

/// Spend that grows with the number of purchases is not what the model is for.
#[tokio::test]
async fn correlated_spend_is_refused_with_its_correlation() {
    let (_, tables) = table(
        "t.spend",
        vec![
            ("x", Arc::new((0..400).map(|i| Some(1 + i % 20)).collect::<Int64Array>())),
            (
                "m",
                Arc::new((0..400).map(|i| Some(10.0 + f64::from(i % 20) + f64::from(i % 7))).collect::<Float64Array>()),
            ),
        ],
    );
    let found =
        rows(&tables, "SELECT f['p'], f['correlation'] FROM (SELECT fit_gamma_gamma(x, m) AS f FROM t.spend)").await;
    let found = numbers(&found);
    assert!(found[0].is_nan() && found[1] > 0.9, "{found:?}");
}

/// With a → 0 and b → ∞ nobody is lost, and purchases come at the rate of the gamma posterior. The series of the general
/// formula then has a parameter of fifty thousand, which must not mean that many terms.
#[tokio::test]
async fn where_hardly_anybody_is_lost_purchases_come_at_their_rate() {
    for model in ["bgnbd", "mbgnbd"] {
        let never = "0.7413, 8.8315, 1e-9, 5e4";
        let found =
            values(&format!("{model}_expected({never}, 26, 3, 10, 20), {model}_expected({never}, 26, 0, 0, 5)")).await;
        let rate = |x: f64, end: f64| (0.7413 + x) / (8.8315 + end) * 26.0;
        near(&found, &[rate(3.0, 20.0), rate(0.0, 5.0)], 1e-9);
    }
}

/// Customers of a gamma-Poisson process whom nothing stops: the likelihood rises as a falls, for ever.
#[tokio::test]
async fn a_fit_that_runs_away_says_so_before_it_has_asked_thousands_of_times() {
    let histories =
        "SELECT CAST(n % 6 AS DOUBLE) AS x, CASE n % 6 WHEN 0 THEN 0.0 ELSE 38.0 + n % 2 END AS t_x, 40.0 AS t
                     FROM (SELECT unnest(generate_series(1, 1200)) AS n)";
    let found = rows(
        &Tables::new(),
        &format!(
            "SELECT CAST(f['converged'] AS BIGINT) + 0.0, CAST(f['iterations'] AS DOUBLE)
             FROM (SELECT fit_mbgnbd(x, t_x, t) AS f FROM ({histories}))"
        ),
    )
    .await;
    let found = numbers(&found);
    assert!(found[0].abs() < f64::MIN_POSITIVE, "{found:?}");
    assert!(found[1] < 3000.0, "{found:?}");
}
