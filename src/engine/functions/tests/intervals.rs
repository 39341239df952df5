//! Wilson, Newcombe, net promoter scores; special functions.

use super::{error, near, values};

#[tokio::test]
async fn wilson_as_newcombe_published_it() {
    for (k, n, low, high) in
        [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)]
    {
        near(&values(&format!("wilson_low({k}, {n}), wilson_high({k}, {n})")).await, &[low, high], 5e-5);
    }
    near(&values("wilson_low(20, 20), wilson_high(20, 20)").await, &[1.0 - 0.1611, 1.0], 5e-5);
    near(&values("wilson_low(0, 0), wilson_high(NULL, 5)").await, &[f64::NAN, f64::NAN], 0.0);
    // 90 % is narrower, and 95 % said is 95 % unsaid.
    let found =
        values("wilson_low(81, 263, 0.90) - wilson_low(81, 263), wilson_low(81, 263, 0.95) - wilson_low(81, 263)")
            .await;
    assert!(found[0] > 0.0 && found[1].abs() < 1e-15, "{found:?}");
    assert!(error("SELECT wilson_low(5, 3)").await.contains("0 ≤ k ≤ n"));
    assert!(error("SELECT wilson_low(5)").await.contains("wilson_low(k, n[, confidence])"));
    assert!(error("SELECT wilson_low('a', 'b')").await.contains("takes numbers"));
}

#[tokio::test]
async fn differences_of_shares_as_newcombe_published_them() {
    // Newcombe 1998, table II, method 10: 56/70 - 48/80, 9/10 - 3/10, 10/10 - 0/10.
    for (counts, low, high) in
        [("56, 70, 48, 80", 0.0524, 0.3339), ("9, 10, 3, 10", 0.1705, 0.8090), ("10, 10, 0, 10", 0.6075, 1.0)]
    {
        near(&values(&format!("newcombe_low({counts}), newcombe_high({counts})")).await, &[low, high], 5e-5);
    }
}

#[tokio::test]
async fn net_promoter_scores_by_adjusted_wald() {
    for (counts, low, high) in [
        ("15, 8, 36", -6.2804, 42.1778),
        ("12, 12, 31", -29.11, 29.11),
        ("50, 20, 100", 14.05, 44.20),
        ("500, 200, 1000", 25.08, 34.74),
    ] {
        near(&values(&format!("nps_low({counts}), nps_high({counts})")).await, &[low, high], 0.01);
    }
    near(&values("nps_low(0, 0, 0)").await, &[f64::NAN], 0.0);
}

#[tokio::test]
async fn special_functions() {
    near(&values("hyp2f1(1, 1, 2, 0.5), lgamma(0.5)").await, &[1.386_294_361_1, 0.572_364_942_9], 1e-10);
    near(
        &values("normal_quantile(0.975), normal_cdf(1.959963984540054), normal_quantile(0.5), normal_cdf(-3)").await,
        &[1.959_963_984_540_054, 0.975, 0.0, 0.001_349_898_031_630_1],
        1e-14,
    );
    // For every branch: far series, connection formula, Euler, Pfaff, whole c - a - b near 1, Gauss at 1.
    for (arguments, wanted) in HYP2F1 {
        let found = values(&format!("hyp2f1({arguments})")).await;
        let wanted: f64 = wanted.parse().unwrap();
        assert!((found[0] / wanted - 1.0).abs() < 1e-9, "hyp2f1({arguments}) is {wanted}, not {}", found[0]);
    }
    near(&values("hyp2f1(1, 1, -2, 0.5), hyp2f1(1, 1, 2, 1)").await, &[f64::NAN, f64::NAN], 0.0);
}

/// By mpmath with 40 digits.
const HYP2F1: &[(&str, &str)] = &[
    ("0.5, 0.7, 2.3, 0.3", "1.05196571760431"),
    ("2.243, 3.2, 3.9, 0.55", "4.19923059835908"),
    ("0.243, 2.426, 2.219, 0.9465", "2.39089124141248"),
    ("0.243, 2.426, 2.219, 0.9999", "29.9961870281001"),
    ("2.243, 4.426, 4.219, 0.97", "4676.08414844688"),
    ("26.5, 28.4, 28.0, 0.98", "4.92973652299367e+45"),
    ("1, 2, 3, 0.97", "5.39176936405565"),
    ("1, 2, 3, -0.5", "0.756279135134685"),
    ("0.5, 1.5, 2.5, -30", "0.256461269059823"),
    ("1.2, 0.7, 3.4, 1", "1.55236224796811"),
    ("-3, 2.5, 1.5, 0.8", "-0.056"),
    ("1.5, 2.5, 5.0, 0.95", "3.89478691624379"),
];

/// Upper critical values as every table has them (NIST/SEMATECH e-Handbook, 1.3.6.7.4).
#[tokio::test]
async fn tails_of_chi_squared_as_tabled() {
    for (x, degrees, tail) in [
        (3.841, 1, 0.05),
        (6.635, 1, 0.01),
        (10.828, 1, 0.001),
        (9.210, 2, 0.01),
        (11.070, 5, 0.05),
        (18.307, 10, 0.05),
        (124.342, 100, 0.05),
    ] {
        near(&values(&format!("chi_squared_tail({x}, {degrees})")).await, &[tail], 2e-5);
    }
    near(&values("chi_squared_tail(0, 3), chi_squared_tail(NULL, 3)").await, &[1.0, f64::NAN], 0.0);
    assert!(error("SELECT chi_squared_tail(1, 0)").await.contains("degrees of freedom"));
}
