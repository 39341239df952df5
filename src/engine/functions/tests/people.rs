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

#[tokio::test]
async fn median_absolute_deviation() {
    let found = values("mad(v) FROM (SELECT unnest([1, 1, 2, 2, 4, 6, 9]) AS v)").await;
    near(&found, &[1.0], 0.0);
    near(&values("mad(v) FROM (SELECT unnest([1.0, 2.0, 3.0, 10.0]) AS v)").await, &[1.0], 0.0);
    near(&values("mad(v) FROM (SELECT 1 AS v WHERE false)").await, &[f64::NAN], 0.0);
}
