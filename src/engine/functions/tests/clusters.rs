//! `fit_kmeans` against published divisions of Fisher's iris, and against what can be told by hand.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Float64Array};

use super::{error, near, numbers, rows, table, text, try_rows, values};
use crate::engine::Tables;

/// Fisher 1936, Annals of Eugenics 7:179: length and width of sepals and petals, in millimetres; 50 flowers of each kind.
const IRIS: &str = "\
    51,35,14,02 49,30,14,02 47,32,13,02 46,31,15,02 50,36,14,02 54,39,17,04 46,34,14,03 50,34,15,02 44,29,14,02 \
    49,31,15,01 54,37,15,02 48,34,16,02 48,30,14,01 43,30,11,01 58,40,12,02 57,44,15,04 54,39,13,04 51,35,14,03 \
    57,38,17,03 51,38,15,03 54,34,17,02 51,37,15,04 46,36,10,02 51,33,17,05 48,34,19,02 50,30,16,02 50,34,16,04 \
    52,35,15,02 52,34,14,02 47,32,16,02 48,31,16,02 54,34,15,04 52,41,15,01 55,42,14,02 49,31,15,02 50,32,12,02 \
    55,35,13,02 49,36,14,01 44,30,13,02 51,34,15,02 50,35,13,03 45,23,13,03 44,32,13,02 50,35,16,06 51,38,19,04 \
    48,30,14,03 51,38,16,02 46,32,14,02 53,37,15,02 50,33,14,02 70,32,47,14 64,32,45,15 69,31,49,15 55,23,40,13 \
    65,28,46,15 57,28,45,13 63,33,47,16 49,24,33,10 66,29,46,13 52,27,39,14 50,20,35,10 59,30,42,15 60,22,40,10 \
    61,29,47,14 56,29,36,13 67,31,44,14 56,30,45,15 58,27,41,10 62,22,45,15 56,25,39,11 59,32,48,18 61,28,40,13 \
    63,25,49,15 61,28,47,12 64,29,43,13 66,30,44,14 68,28,48,14 67,30,50,17 60,29,45,15 57,26,35,10 55,24,38,11 \
    55,24,37,10 58,27,39,12 60,27,51,16 54,30,45,15 60,34,45,16 67,31,47,15 63,23,44,13 56,30,41,13 55,25,40,13 \
    55,26,44,12 61,30,46,14 58,26,40,12 50,23,33,10 56,27,42,13 57,30,42,12 57,29,42,13 62,29,43,13 51,25,30,11 \
    57,28,41,13 63,33,60,25 58,27,51,19 71,30,59,21 63,29,56,18 65,30,58,22 76,30,66,21 49,25,45,17 73,29,63,18 \
    67,25,58,18 72,36,61,25 65,32,51,20 64,27,53,19 68,30,55,21 57,25,50,20 58,28,51,24 64,32,53,23 65,30,55,18 \
    77,38,67,22 77,26,69,23 60,22,50,15 69,32,57,23 56,28,49,20 77,28,67,20 63,27,49,18 67,33,57,21 72,32,60,18 \
    62,28,48,18 61,30,49,18 64,28,56,21 72,30,58,16 74,28,61,19 79,38,64,20 64,28,56,22 63,28,51,15 61,26,56,14 \
    77,30,61,23 63,34,56,24 64,31,55,18 60,30,48,18 69,31,54,21 67,31,56,24 69,31,51,23 58,27,51,19 68,32,59,23 \
    67,33,57,25 67,30,52,23 63,25,50,19 65,30,52,20 62,34,54,23 59,30,51,18";

/// In centimetres, as everybody has them.
fn iris(order: impl Fn(usize) -> usize) -> Tables {
    let flowers: Vec<Vec<f64>> = IRIS
        .split_whitespace()
        .map(|flower| flower.split(',').map(|mm| mm.parse::<f64>().unwrap() / 10.0).collect())
        .collect();
    let flowers: Vec<&Vec<f64>> = (0..flowers.len()).map(|at| &flowers[order(at)]).collect();
    let column =
        |at: usize| -> ArrayRef { Arc::new(flowers.iter().map(|flower| Some(flower[at])).collect::<Float64Array>()) };
    table("t.iris", vec![("a", column(0)), ("b", column(1)), ("c", column(2)), ("d", column(3))]).1
}

const FOUND: &str = "f['k'], f['within'], f['silhouette'], f['n'], f['sizes'][1], f['sizes'][2], f['sizes'][3]";

fn fitted(least: u32, most: u32) -> String {
    format!("SELECT fit_kmeans(make_array(a, b, c, d), {least}, {most}) AS f FROM t.iris")
}

/// R's `kmeans`, scikit-learn's `KMeans` and `silhouette_score`.
#[tokio::test]
async fn three_kinds_of_iris_as_published() {
    let tables = iris(|at| at);
    let found = numbers(&rows(&tables, &format!("SELECT {FOUND} FROM ({})", fitted(3, 3))).await);
    near(&found[..3], &[3.0, 78.851_441, 0.552_819_0], 1e-6);
    near(&found[3..], &[150.0, 38.0, 62.0, 50.0], 0.0);
    let centres = "SELECT f['centres'][n][1], f['centres'][n][2], f['centres'][n][3], f['centres'][n][4]";
    let centres =
        format!("{centres} FROM ({}) AS fits CROSS JOIN (VALUES (1), (2), (3)) AS t (n) ORDER BY n", fitted(3, 3));
    let wanted = [
        [6.850_000, 3.073_684, 5.742_105, 2.071_053],
        [5.901_613, 2.748_387, 4.393_548, 1.433_871],
        [5.006_000, 3.428_000, 1.462_000, 0.246_000],
    ];
    near(&numbers(&rows(&tables, &centres).await), &wanted.concat(), 1e-6);
}

#[tokio::test]
async fn the_number_of_clusters_is_that_of_the_widest_silhouettes() {
    let tables = iris(|at| at);
    let found = numbers(&rows(&tables, &format!("SELECT {FOUND} FROM ({})", fitted(2, 6))).await);
    near(&found[..3], &[2.0, 152.347_952, 0.681_046_2], 1e-6);
    near(&found[3..], &[150.0, 97.0, 53.0, f64::NAN], 0.0);
    let tried = format!(
        "SELECT t['k'], t['silhouette'] FROM (SELECT unnest(f['tried']) AS t FROM ({})) ORDER BY 1",
        fitted(2, 6)
    );
    let tried = numbers(&rows(&tables, &tried).await);
    let silhouettes = |k: usize| tried[2 * (k - 2) + 1];
    near(
        &[silhouettes(2), silhouettes(3), silhouettes(5), silhouettes(6)],
        &[0.681_046, 0.552_819, 0.488_749, 0.364_834],
        1e-6,
    );
    for (k, within) in [(5, 46.446_182), (6, 39.039_987)] {
        near(&numbers(&rows(&tables, &format!("SELECT f['within'] FROM ({})", fitted(k, k))).await), &[within], 1e-6);
    }
}

#[tokio::test]
async fn every_flower_is_in_the_cluster_it_was_counted_in() {
    let sql = format!(
        "SELECT nearest_centre(f['centres'], make_array(a, b, c, d)) AS cluster, count(*)
         FROM t.iris CROSS JOIN ({}) AS fits GROUP BY 1 ORDER BY 1",
        fitted(3, 3)
    );
    near(&numbers(&rows(&iris(|at| at), &sql).await), &[1.0, 38.0, 2.0, 62.0, 3.0, 50.0], 0.0);
}

#[tokio::test]
async fn the_order_of_rows_and_the_number_of_cores_change_no_digit() {
    let sql = fitted(2, 6);
    let once = rows(&iris(|at| at), &sql).await;
    let orders: [fn(usize) -> usize; 3] = [|at| at, |at| 149 - at, |at| at * 77 % 150];
    for cores in [1, 2, 5] {
        for order in orders {
            assert_eq!(try_rows(cores, &iris(order), &sql).await.unwrap(), once);
        }
    }
}

/// Three clouds far apart, of 4000, 2000 and 1000 points, no two of which are the same.
fn clouds(order: impl Fn(u32) -> u32) -> Tables {
    const ALL: u32 = 7_000;
    let share = |of: u32| f64::from(of.wrapping_mul(2_654_435_761)) / f64::from(u32::MAX);
    let middle = |at: u32| match at {
        0..4_000 => (0.0, 0.0),
        4_000..6_000 => (10.0, 0.0),
        _ => (0.0, 10.0),
    };
    let column = |of: &dyn Fn(u32) -> f64| -> ArrayRef {
        Arc::new((0..ALL).map(|at| Some(of(order(at)))).collect::<Float64Array>())
    };
    let x = column(&|at| middle(at).0 + share(at));
    let y = column(&|at| middle(at).1 + share(at * at));
    table("t.clouds", vec![("x", x), ("y", y)]).1
}

#[tokio::test]
async fn of_many_points_a_sample_says_how_many_clusters_and_all_say_where() {
    let sql = "
        SELECT f['k'], f['n'], f['sizes'][1], f['sizes'][2], f['sizes'][3], f['within'], f['silhouette'],
               f['centres'][1][1], f['centres'][1][2], f['centres'][2][1], f['centres'][2][2], f['centres'][3][1]
        FROM (SELECT fit_kmeans(make_array(x, y), 2, 8) AS f FROM t.clouds)";
    let once = rows(&clouds(|at| at), sql).await;
    let found = numbers(&once);
    near(&found[..2], &[3.0, 7000.0], 0.0);
    near(&found[2..5], &[1000.0, 4000.0, 2000.0], 0.0);
    // Squares of sides of 1 have a variance of 1/12 each way.
    near(&found[5..6], &[7000.0 / 6.0], 20.0);
    near(&found[6..7], &[0.947], 0.01);
    near(&found[7..], &[0.5, 10.5, 0.5, 0.5, 10.5], 0.03);
    for cores in [1, 3] {
        assert_eq!(try_rows(cores, &clouds(|at| 6_999 - at), sql).await.unwrap(), once);
    }
}

/// Of 0 and 1 the other is 1 away, and 10 is 10 and 9 away: (10 - 1) ÷ 10 and (9 - 1) ÷ 9; 10 is alone, which is 0. With 0
/// twice, its others are 0 and 1 away: (10 - 1/2) ÷ 10, twice.
#[tokio::test]
async fn silhouettes_as_told_by_hand() {
    let of = |points: &str| {
        format!(
            "SELECT f['silhouette'], f['within'] FROM (SELECT fit_kmeans(make_array(x), 2, 2) AS f FROM (VALUES {points}) AS t (x))"
        )
    };
    let once = numbers(&rows(&Tables::new(), &of("(0.0), (1.0), (10.0)")).await);
    near(&once, &[(0.9 + 8.0 / 9.0) / 3.0, 0.5], 1e-12);
    let twice = numbers(&rows(&Tables::new(), &of("(0.0), (1.0), (10.0), (-0.0)")).await);
    near(&twice, &[(0.95 + 0.95 + 8.0 / 9.0) / 4.0, 2.0 / 3.0], 1e-12);
}

#[tokio::test]
async fn too_few_different_points_have_a_reason_and_nulls_are_left_out() {
    let of = |points: &str| format!("(SELECT fit_kmeans(make_array(x, 1), 3, 8) AS f FROM (VALUES {points}) AS t (x))");
    let few = of("(1.0), (2.0), (2.0), (NULL)");
    let found =
        numbers(&rows(&Tables::new(), &format!("SELECT f['k'], f['within'], f['n'], f['sizes'][1] FROM {few}")).await);
    near(&found, &[f64::NAN, f64::NAN, 3.0, f64::NAN], 0.0);
    assert_eq!(text(&format!("f['reason'] FROM {few}")).await, "2 different points are fewer than 3 clusters");
    let none = of("(1.0)").replace("AS t (x)", "AS t (x) WHERE x > 1");
    assert_eq!(text(&format!("f['reason'] FROM {none}")).await, "0 different points are fewer than 3 clusters");
    // No more clusters are tried than points are different, and each of these is one.
    let four = of("(1.0), (1.0), (2.0), (2.0), (5.0), (5.0), (9.0), (9.0), (9.0)");
    let sql = format!("SELECT f['k'], f['within'], f['silhouette'], f['n'], f['sizes'][1] FROM {four}");
    near(&numbers(&rows(&Tables::new(), &sql).await), &[4.0, 0.0, 1.0, 9.0, 3.0], 1e-12);
}

#[tokio::test]
async fn the_nearest_centre_is_counted_from_one() {
    let centres = "make_array(make_array(0, 0), make_array(4, 0), make_array(0.5, 7))";
    let found = values(&format!(
        "nearest_centre({centres}, make_array(3, 1)), nearest_centre({centres}, make_array(2, 0)),
         nearest_centre({centres}, make_array(0, 9)), nearest_centre({centres}, make_array(0, NULL)),
         nearest_centre(NULL, make_array(0, 1)), nearest_centre({centres}, NULL)"
    ))
    .await;
    near(&found, &[2.0, 1.0, 3.0, f64::NAN, f64::NAN, f64::NAN], 0.0);
}

#[tokio::test]
async fn wrong_arguments_are_told() {
    for (sql, message) in [
        ("SELECT fit_kmeans(1.0, 2, 3)", "takes points as lists of numbers, and was given Float64"),
        ("SELECT fit_kmeans(make_array(1.0), 1, 3)", "least_k is a whole number from 2 to 100, not 1"),
        ("SELECT fit_kmeans(make_array(1.0), 4, 3)", "most_k is a whole number from 4 to 100, not 3"),
        ("SELECT fit_kmeans(make_array(1.0), 2)", "was given 2 arguments"),
        ("SELECT fit_kmeans(make_array(x), 2, 3) FROM (VALUES ('NaN'::DOUBLE)) AS t (x)", "was given NaN"),
        (
            "SELECT fit_kmeans(p, 2, 3) FROM (SELECT make_array(1.0) AS p UNION ALL SELECT make_array(1.0, 2.0)) AS t",
            "beside points of",
        ),
        ("SELECT nearest_centre(make_array(1.0), make_array(1.0))", "takes centres as a list of points"),
        (
            "SELECT nearest_centre(make_array(make_array(1.0)), make_array(1.0, 2.0))",
            "a point of 2 numbers and a centre of 1",
        ),
    ] {
        let said = error(sql).await;
        assert!(said.contains(message), "{sql}: {said}");
    }
}
