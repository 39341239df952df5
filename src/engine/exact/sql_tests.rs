//! The aggregates through SQL: the same digits on one, two and eight partitions, and the engine's own answers elsewhere.

use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, AsArray, Decimal128Array, Float32Array, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray,
};
use datafusion::arrow::datatypes::{DataType, Decimal128Type, Float64Type, Int64Type};
use datafusion::arrow::util::pretty::pretty_format_batches;
use datafusion::common::Result;
use datafusion::datasource::MemTable;
use datafusion::prelude::{SessionConfig, SessionContext};

use super::functions;

/// A fixed, well-mixed sequence: `SplitMix64`.
struct Sequence(u64);

impl Sequence {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn shuffle<T>(&mut self, values: &mut [T]) {
        for i in (1..values.len()).rev() {
            values.swap(i, usize::try_from(self.next() % (i as u64 + 1)).unwrap());
        }
    }
}

/// Shewchuk's exact summation with a correctly rounded end, as in Python's `math.fsum`: another road to the same digits.
fn fsum(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut partials: Vec<f64> = Vec::new();
    for mut x in values {
        let mut kept = 0;
        for j in 0..partials.len() {
            let mut y = partials[j];
            if x.abs() < y.abs() {
                std::mem::swap(&mut x, &mut y);
            }
            let high = x + y;
            let low = y - (high - x);
            if low != 0.0 {
                partials[kept] = low;
                kept += 1;
            }
            x = high;
        }
        partials.truncate(kept);
        partials.push(x);
    }
    let Some(mut high) = partials.pop() else { return 0.0 };
    let mut low = 0.0;
    while let Some(y) = partials.pop() {
        let x = high;
        high = x + y;
        low = y - (high - x);
        if low != 0.0 {
            break;
        }
    }
    if let Some(next) = partials.last()
        && ((low < 0.0 && *next < 0.0) || (low > 0.0 && *next > 0.0))
    {
        let y = low * 2.0;
        let x = high + y;
        if y.to_bits() == (x - high).to_bits() {
            high = x;
        }
    }
    high
}

fn session(partitions: usize, ours: bool) -> SessionContext {
    let config = SessionConfig::new().with_target_partitions(partitions).with_batch_size(64);
    let context = SessionContext::new_with_config(config);
    if ours {
        for function in functions() {
            context.register_udaf((*function).clone());
        }
    }
    context
}

/// Registers `t` over as many partitions as the session has.
fn table(context: &SessionContext, columns: &[(&str, ArrayRef)]) {
    let batch =
        RecordBatch::try_from_iter_with_nullable(columns.iter().map(|(n, a)| (*n, Arc::clone(a), true))).unwrap();
    let partitions = context.state().config().target_partitions();
    let size = batch.num_rows().div_ceil(partitions).max(1);
    let parts = (0..partitions)
        .map(|p| {
            let start = (p * size).min(batch.num_rows());
            let part = batch.slice(start, size.min(batch.num_rows() - start));
            (0..part.num_rows()).step_by(50).map(|at| part.slice(at, 50.min(part.num_rows() - at))).collect()
        })
        .collect();
    context.register_table("t", Arc::new(MemTable::try_new(batch.schema(), parts).unwrap())).unwrap();
}

async fn rows(context: &SessionContext, sql: &str) -> Result<RecordBatch> {
    let batches = context.sql(sql).await?.collect().await?;
    let schema = batches.first().map(RecordBatch::schema).expect("every test query returns rows");
    Ok(datafusion::arrow::compute::concat_batches(&schema, &batches)?)
}

async fn text(context: &SessionContext, sql: &str) -> String {
    match rows(context, sql).await {
        Ok(batch) => pretty_format_batches(&[batch]).unwrap().to_string(),
        Err(error) => error.strip_backtrace(),
    }
}

fn bits(column: &ArrayRef) -> Vec<Option<u64>> {
    column.as_primitive::<Float64Type>().iter().map(|x| x.map(f64::to_bits)).collect()
}

/// Group and value: ordinary amounts, rates, giants that cancel, denormals, one group of NaN and one of infinities.
fn hostile() -> Vec<(i64, Option<f64>)> {
    let mut sequence = Sequence(7);
    let mut rows = Vec::new();
    for i in 0..4000_i64 {
        let unit = (sequence.next() >> 11) as f64 / (1_u64 << 53) as f64;
        let value = match i % 8 {
            0 => None,
            1 => Some(unit * 1e-9),
            2 => Some(f64::from_bits(sequence.next() >> 14)),
            3 => Some((unit * 1e4).round() / 100.0),
            _ => Some((unit - 0.5) * 1e6),
        };
        rows.push((i % 37, value));
    }
    for group in 0..20 {
        rows.extend([(group, Some(1e308)), (group, Some(1.5e308)), (group, Some(-1e308)), (group, Some(-1.5e308))]);
    }
    rows.extend([(40, Some(f64::NAN)), (40, Some(1.0)), (41, Some(f64::INFINITY)), (41, Some(2.0))]);
    rows.extend([(42, Some(f64::INFINITY)), (42, Some(f64::NEG_INFINITY)), (43, None), (44, Some(1e300))]);
    rows
}

fn register(context: &SessionContext, rows: &[(i64, Option<f64>)]) {
    table(
        context,
        &[
            ("g", Arc::new(rows.iter().map(|r| Some(r.0)).collect::<Int64Array>())),
            ("x", Arc::new(rows.iter().map(|r| r.1).collect::<Float64Array>())),
        ],
    );
}

#[tokio::test]
async fn every_order_and_partitioning_gives_the_same_bits() {
    let mut rows_in = hostile();
    let measures = "sum(x), avg(x), var_samp(x), var_pop(x), stddev_samp(x), stddev_pop(x), sum(DISTINCT x), \
                    avg(DISTINCT x), var_pop(DISTINCT x), sum(x) FILTER (WHERE g % 2 = 0), mean(x + 1)";
    let mut seen = Vec::new();
    let mut engines = Vec::new();
    for (turn, partitions) in [1, 2, 8, 1, 2, 8].into_iter().enumerate() {
        let context = session(partitions, true);
        register(&context, &rows_in);
        let grouped = rows(&context, &format!("SELECT g, {measures} FROM t GROUP BY g ORDER BY g")).await.unwrap();
        let whole = rows(&context, &format!("SELECT 0, {measures} FROM t WHERE g < 40")).await.unwrap();
        let all: Vec<_> = grouped.columns()[1..].iter().chain(&whole.columns()[1..]).map(bits).collect();
        seen.push(all);
        assert_eq!(seen[turn], seen[0], "with {partitions} partitions, turn {turn}");
        let context = session(partitions, false);
        register(&context, &rows_in);
        let total = rows(&context, "SELECT sum(x) FROM t WHERE g BETWEEN 20 AND 36").await.unwrap();
        engines.push(bits(total.column(0))[0]);
        Sequence(turn as u64).shuffle(&mut rows_in);
    }
    assert!(
        engines.iter().any(|&sum| sum != engines[0]),
        "these rows would not show a sum that depends on their order"
    );
    let value = |column: usize, group: usize| seen[0][column][group].map(f64::from_bits);
    assert!(value(0, 40 - 3).unwrap().is_nan());
    assert_eq!(value(0, 41 - 3), Some(f64::INFINITY));
    assert!(value(0, 42 - 3).unwrap().is_nan());
    assert_eq!(value(0, 43 - 3), None);
    assert_eq!(value(1, 44 - 3), Some(1e300));
    assert_eq!((value(2, 44 - 3), value(3, 44 - 3)), (None, Some(0.0)));
}

#[tokio::test]
async fn sums_are_what_fsum_gives() {
    let rows_in: Vec<_> = hostile().into_iter().filter(|r| r.0 < 37 && r.1.is_none_or(|x| x.abs() < 1e300)).collect();
    let context = session(2, true);
    register(&context, &rows_in);
    let result = rows(&context, "SELECT g, sum(x), avg(x) FROM t GROUP BY g ORDER BY g").await.unwrap();
    for group in 0..37 {
        let values: Vec<f64> = rows_in.iter().filter(|r| r.0 == group).filter_map(|r| r.1).collect();
        let (sum, row) = (fsum(values.iter().copied()), usize::try_from(group).unwrap());
        assert_eq!(result.column(1).as_primitive::<Float64Type>().value(row).to_bits(), sum.to_bits());
        assert_eq!(
            result.column(2).as_primitive::<Float64Type>().value(row).to_bits(),
            (sum / values.len() as f64).to_bits()
        );
    }
}

#[tokio::test]
async fn published_variances() {
    // NIST StRD univariate summary statistics: certified standard deviations of NumAcc1 to NumAcc3.
    let context = session(2, true);
    let alternate = |tenths: i32| -> Vec<f64> {
        let values = (0..1000).map(|i| if i % 2 == 0 { tenths - 1 } else { tenths + 1 });
        std::iter::once(tenths).chain(values).map(|x| f64::from(x) / 10.0).collect()
    };
    let cases: [(Vec<f64>, f64); 4] = [
        (vec![10_000_001.0, 10_000_003.0, 10_000_002.0], 1.0),
        (alternate(12), 0.1),
        (alternate(10_000_002), 0.1),
        (vec![2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0], (32.0_f64 / 7.0).sqrt()),
    ];
    for (values, expected) in cases {
        table(&context, &[("x", Arc::new(Float64Array::from(values)))]);
        let result =
            rows(&context, "SELECT stddev(x), var(x), var_pop(x), stddev_pop(x), count(x) FROM t").await.unwrap();
        let at = |c: usize| result.column(c).as_primitive::<Float64Type>().value(0);
        assert!((at(0) / expected - 1.0).abs() < 1e-9, "{} for {expected}", at(0));
        assert_eq!(at(1).sqrt().to_bits(), at(0).to_bits());
        let n = result.column(4).as_primitive::<Int64Type>().value(0) as f64;
        assert!((at(2) * n / (n - 1.0) / at(1) - 1.0).abs() < 1e-15);
        assert_eq!(at(2).sqrt().to_bits(), at(3).to_bits());
        context.deregister_table("t").unwrap();
    }
    // numpy.var([2, 4, 4, 4, 5, 5, 7, 9]) is 4.0, and of equal values exactly nothing.
    assert!(
        text(&context, "SELECT var_population(column1) FROM (VALUES (2.0::double),(4),(4),(4),(5),(5),(7),(9))")
            .await
            .contains("| 4.0 ")
    );
    assert!(text(&context, "SELECT var_pop(column1) FROM (VALUES (0.1::double),(0.1),(0.1))").await.contains("| 0.0 "));
}

#[tokio::test]
async fn sliding_windows_forget_exactly() {
    let values: Vec<Option<f64>> = vec![
        Some(1e16),
        Some(1.0),
        Some(f64::NAN),
        Some(-1e16),
        None,
        Some(0.1),
        Some(1e308),
        Some(0.2),
        Some(0.3),
        Some(0.5),
    ];
    let context = session(2, true);
    table(
        &context,
        &[("i", Arc::new(Int64Array::from_iter_values(0..10))), ("x", Arc::new(Float64Array::from(values.clone())))],
    );
    let frame = "OVER (ORDER BY i ROWS BETWEEN 2 PRECEDING AND CURRENT ROW)";
    let sql = format!("SELECT i, sum(x) {frame}, avg(x) {frame}, var_pop(x) {frame} FROM t ORDER BY i");
    let result = rows(&context, &sql).await.unwrap();
    for row in 0..10_usize {
        let window: Vec<f64> = values[row.saturating_sub(2)..=row].iter().copied().flatten().collect();
        let sum = fsum(window.iter().copied());
        let got = |c: usize| result.column(c).as_primitive::<Float64Type>().value(row);
        assert!(got(1) == sum || (got(1).is_nan() && sum.is_nan()), "row {row}: {} is not {sum}", got(1));
        assert!(got(2) == sum / window.len() as f64 || sum.is_nan(), "row {row}");
    }
    let last = result.column(3).as_primitive::<Float64Type>().value(9);
    assert!((last - 0.015_555_555_555_555_555).abs() < 1e-17, "{last}");
}

#[tokio::test]
async fn everything_else_is_the_engines() {
    let queries = [
        "SELECT g, sum(i), avg(i), sum(d), avg(d), count(d) FROM t GROUP BY g ORDER BY g",
        "SELECT sum(i), sum(d), avg(d), sum(i) FILTER (WHERE g = 1), sum(DISTINCT i), avg(DISTINCT d) FROM t",
        "SELECT sum(i), avg(x), sum(d), var(x), stddev(x) FROM t WHERE g > 100",
        "SELECT g, sum(x), var_pop(x) FROM t WHERE x IS NULL GROUP BY g ORDER BY g",
        "SELECT g, sum(i) OVER (ORDER BY k ROWS 3 PRECEDING), sum(d) OVER (PARTITION BY g ORDER BY k) FROM t ORDER BY k",
        "SELECT sum(i + 1), sum(i + 2), sum(d + 1), sum(f), arrow_typeof(sum(f)), arrow_typeof(avg(d)), arrow_typeof(sum(s)) FROM t",
        "SELECT sum(i), count(DISTINCT g), max(i) FROM t",
        "SELECT sum(arrow_cast(i, 'UInt16')), arrow_typeof(sum(arrow_cast(i, 'UInt16'))) FROM t",
        "SELECT sum(arrow_cast(i, 'Duration(Second)')), avg(arrow_cast(i, 'Duration(Second)')) FROM t",
        "SELECT sum('a') FROM t",
        "SELECT g, sum(sum(i)) OVER (ORDER BY g) FROM t GROUP BY g ORDER BY g",
    ];
    for partitions in [1, 2, 8] {
        let mut answers = Vec::new();
        for ours in [false, true] {
            let context = session(partitions, ours);
            let n = 500_i64;
            table(
                &context,
                &[
                    ("k", Arc::new(Int64Array::from_iter_values(0..n))),
                    ("g", Arc::new(Int64Array::from_iter_values((0..n).map(|i| i % 7)))),
                    ("i", Arc::new((0..n).map(|i| (i % 11 != 0).then_some(i * 13 % 101)).collect::<Int64Array>())),
                    ("s", Arc::new(Int32Array::from_iter_values((0..500).map(|i| i % 17)))),
                    (
                        "d",
                        Arc::new(
                            (0..n)
                                .map(|i| (i % 5 != 0).then(|| i128::from(i) * 12_345))
                                .collect::<Decimal128Array>()
                                .with_precision_and_scale(18, 4)
                                .unwrap(),
                        ),
                    ),
                    ("f", Arc::new(Float32Array::from_iter_values((0..500_i16).map(f32::from)))),
                    ("x", Arc::new((0..n).map(|i| (i % 2 == 0).then_some(i as f64)).collect::<Float64Array>())),
                ],
            );
            let mut all = Vec::new();
            for query in queries {
                all.push(text(&context, query).await);
            }
            answers.push(all);
        }
        for (query, (theirs, ours)) in queries.iter().zip(answers[0].iter().zip(&answers[1])) {
            assert_eq!(theirs, ours, "{query}");
        }
    }
}

#[tokio::test]
async fn a_sum_that_does_not_fit_is_an_error() {
    for partitions in [1, 2, 8] {
        let context = session(partitions, true);
        let top = 10_i128.pow(38) - 1;
        table(
            &context,
            &[
                ("i", Arc::new(Int64Array::from(vec![i64::MAX, 1, i64::MAX, -1, i64::MIN, i64::MIN, 5]))),
                (
                    "d",
                    Arc::new(
                        Decimal128Array::from(vec![top, -1, 1, 1, 0, 0, 0]).with_precision_and_scale(38, 0).unwrap(),
                    ),
                ),
                ("g", Arc::new(StringArray::from(vec!["a", "b", "a", "b", "a", "a", "a"]))),
            ],
        );
        // The total fits, whatever the partial sums do.
        let total = rows(&context, "SELECT sum(i) FROM t").await.unwrap();
        assert_eq!(total.column(0).as_primitive::<Int64Type>().value(0), 3);
        for sql in ["SELECT sum(i) FROM t WHERE i > 0", "SELECT g, sum(i) FROM t WHERE i > 0 GROUP BY g"] {
            let error = text(&context, sql).await;
            assert!(error.contains("arithmetic overflow") && error.contains("sum(t.i)"), "{error}");
        }
        let error = text(&context, "SELECT sum(d) FROM t").await;
        assert!(error.contains("arithmetic overflow"), "{error}");
        let fits = rows(&context, "SELECT sum(d) FROM t WHERE d > 1").await.unwrap();
        assert_eq!(fits.column(0).as_primitive::<Decimal128Type>().value(0), top);
        assert_eq!(fits.column(0).data_type(), &DataType::Decimal128(38, 0));
    }
}

#[tokio::test]
async fn many_groups_stay_small() {
    use super::float::ExactGroups;
    use super::moments::Measure;
    use datafusion::logical_expr::GroupsAccumulator;

    let groups: Vec<usize> = (0..100_000).collect();
    let scores: ArrayRef = Arc::new(Float64Array::from_iter_values((0..100_000_u32).map(|i| f64::from(i % 5 + 1))));
    let mut exact = ExactGroups::new(Measure::Mean);
    exact.update_batch(&[scores], &groups, None, groups.len()).unwrap();
    assert!(exact.size() <= 40 * groups.len(), "{} bytes a group", exact.size() / groups.len());
}

#[test]
fn groups_leave_from_the_front() {
    use super::float::ExactGroups;
    use super::moments::Measure;
    use datafusion::logical_expr::{EmitTo, GroupsAccumulator};

    let values: ArrayRef = Arc::new(Float64Array::from(vec![1e-9, 2.0, 3e-9, 4.0, 1e300, 0.1]));
    for measure in [Measure::Sum, Measure::Variance { sample: false }] {
        let mut exact = ExactGroups::new(measure);
        exact.update_batch(&[Arc::clone(&values)], &[0, 1, 2, 3, 4, 5], None, 6).unwrap();
        let first = exact.state(EmitTo::First(3)).unwrap();
        // Groups 3, 4 and 5 are 0, 1 and 2 now, and 3e-9 opens a wide sum in a freed place.
        exact.update_batch(&[Arc::clone(&values)], &[3, 0, 4, 1, 2, 5], None, 6).unwrap();
        exact.merge_batch(&first, &[3, 4, 5], 6).unwrap();
        let result = exact.evaluate(EmitTo::All).unwrap();
        let result = result.as_primitive::<Float64Type>();
        if measure == Measure::Sum {
            let expected = [6.0, 1e300 + 4.0, 1e300, 2e-9, 2.0 + 3e-9, 0.1 + 3e-9];
            assert_eq!(result.values().to_vec(), expected);
        } else {
            assert_eq!((result.value(0), result.value(3)), (1.0, 0.0));
        }
        assert!(exact.size() < 600, "{}", exact.size());
    }
}
