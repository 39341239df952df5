//! Masks, pseudonyms and scores.

use super::{error, near, text, values};

#[tokio::test]
async fn people_are_masked() {
    for (call, shown) in [
        ("mask_name('张三')", "张**"),
        ("mask_name(' Øystein Ålesund')", "Ø**"),
        ("mask_name('')", ""),
        ("mask_email('zhang.san@example.com')", "z***@example.com"),
        ("mask_email('no address')", "***"),
        ("mask_phone('13812345678')", "138****5678"),
        ("mask_phone('+86 138-1234-5678')", "138****5678"),
        ("mask_phone('0086 13812345678')", "138****5678"),
        ("mask_phone('１３８１２３４５６７８')", "138****5678"),
        ("mask_phone('0571 8765')", "05****65"),
        ("mask_phone('110')", "****"),
        // RFC 4231, test case 2.
        ("pseudonym('what do ya want for nothing?', 'Jefe')", "5bdcc146bf"),
        ("pseudonym(42, 'k') = pseudonym('42', 'k')", "true"),
    ] {
        assert_eq!(text(call).await, shown, "{call}");
    }
    assert!(error("SELECT pseudonym('a', '')").await.contains("the key is empty"));
    assert!(error("SELECT mask_name(1.5)").await.contains("takes texts"));
}

#[tokio::test]
async fn equal_values_score_alike() {
    let cuts = "2, 4, 6, 8";
    let found = values(&format!(
        "quantile_score(2, {cuts}), quantile_score(2.5, {cuts}), quantile_score(9, {cuts}), quantile_score(1, 1, 1, 1, 1),
         quantile_score_rfm(2, {cuts}), quantile_score_rfm(3, {cuts}), quantile_score_rfm(4, 3.4, 5, 6, 7),
         quantile_score(4, 3.4, 5, 6, 7), quantile_score(NULL, {cuts})"
    ))
    .await;
    near(&found, &[1.0, 2.0, 5.0, 1.0, 1.0, 2.0, 1.0, 2.0, f64::NAN], 0.0);
    assert!(error("SELECT quantile_score(1, 4, 3, 2, 1)").await.contains("must not fall"));
}

/// The first customers of `rfm_data_orders`, with the thresholds and scores that R's package rfm prints for its 995.
#[tokio::test]
async fn scores_as_the_r_package_rfm_has_them() {
    for (recency, frequency, money, scores) in [
        (205, 6, 472, [3.0, 4.0, 3.0]),
        (140, 3, 340, [4.0, 1.0, 2.0]),
        (194, 4, 405, [3.0, 2.0, 3.0]),
        (132, 5, 448, [4.0, 3.0, 3.0]),
        (90, 9, 843, [5.0, 5.0, 5.0]),
        (281, 8, 699, [3.0, 5.0, 5.0]),
        (246, 4, 157, [3.0, 2.0, 1.0]),
        (349, 3, 363, [2.0, 1.0, 2.0]),
        (619, 4, 196, [1.0, 2.0, 1.0]),
    ] {
        let found = values(&format!(
            "6 - quantile_score_rfm({recency}, 114, 180, 296.4, 481), quantile_score_rfm({frequency}, 3, 4, 5, 7),
             quantile_score_rfm({money}, 254.8, 381, 505.4, 665)"
        ))
        .await;
        near(&found, &scores, 0.0);
    }
}

#[tokio::test]
async fn median_absolute_deviation() {
    let found = values("mad(v) FROM (SELECT unnest([1, 1, 2, 2, 4, 6, 9]) AS v)").await;
    near(&found, &[1.0], 0.0);
    near(&values("mad(v) FROM (SELECT unnest([1.0, 2.0, 3.0, 10.0]) AS v)").await, &[1.0], 0.0);
    near(&values("mad(v) FROM (SELECT 1 AS v WHERE false)").await, &[f64::NAN], 0.0);
}
