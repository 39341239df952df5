//! `frequent_pairs` against the example its paper works out, and against the join it stands for.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Int64Array, StringArray};
use datafusion::arrow::util::pretty::pretty_format_batches;

use super::{error, rows, table, try_rows};

/// Agrawal & Srikant 1994, figure 3: four transactions, minimum support 2.
const PAPER: &str = "
    SELECT p['a'] AS a, p['b'] AS b, p['together'] AS together, p['baskets_a'] AS baskets_a, p['baskets_b'] AS baskets_b,
        p['baskets'] AS baskets
    FROM (
        SELECT unnest(frequent_pairs(tid, item, 2)) AS p
        FROM (VALUES (100, 1), (100, 3), (100, 4), (200, 2), (200, 3), (200, 5), (300, 1), (300, 2), (300, 3), (300, 5),
            (400, 2), (400, 5)) AS t (tid, item)
    ) AS pairs";

#[tokio::test]
async fn the_papers_example_has_the_papers_pairs() {
    let found = rows(&super::Tables::new(), PAPER).await;
    let wanted = "\
+---+---+----------+-----------+-----------+---------+
| a | b | together | baskets_a | baskets_b | baskets |
+---+---+----------+-----------+-----------+---------+
| 1 | 3 | 2        | 2         | 3         | 4       |
| 2 | 3 | 2        | 3         | 3         | 4       |
| 2 | 5 | 3        | 3         | 3         | 4       |
| 3 | 5 | 2        | 3         | 3         | 4       |
+---+---+----------+-----------+-----------+---------+";
    assert_eq!(pretty_format_batches(&[found]).unwrap().to_string(), wanted);
}

/// What a stage would say without the function.
const JOINED: &str = "
    WITH items AS (SELECT DISTINCT basket, item FROM t.lines WHERE basket IS NOT NULL),
        counts AS (SELECT item, count(*) AS n FROM items GROUP BY item)
    SELECT a.item AS a, b.item AS b, count(*) AS together, min(x.n) AS baskets_a, min(y.n) AS baskets_b,
        (SELECT count(DISTINCT basket) FROM t.lines) AS baskets
    FROM items AS a JOIN items AS b ON a.basket = b.basket AND a.item < b.item
    JOIN counts AS x ON x.item = a.item JOIN counts AS y ON y.item = b.item
    GROUP BY a.item, b.item HAVING count(*) >= 12 ORDER BY a, b";

const COUNTED: &str = "
    SELECT p['a'] AS a, p['b'] AS b, p['together'] AS together, p['baskets_a'] AS baskets_a, p['baskets_b'] AS baskets_b,
        p['baskets'] AS baskets
    FROM (SELECT unnest(frequent_pairs(basket, item, 12)) AS p FROM t.lines) AS pairs ORDER BY a, b";

#[tokio::test]
async fn pairs_are_those_of_a_join_on_any_number_of_cores() {
    // Baskets of one to nine lines, repeated lines, lines without an item, lines without a basket.
    let lines = 0..6000_u64;
    let random = |at: u64| {
        at.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(23).wrapping_mul(0xD6E8_FEB8_6659_FD93) >> 40
    };
    let baskets: StringArray =
        lines.clone().map(|at| (at % 97 != 0).then(|| format!("o{}", at / 5 + random(at) % 3))).collect();
    let items: Int64Array = lines
        .map(|at| (at % 31 != 0).then(|| i64::try_from(random(at + 7) % 40 * (random(at + 9) % 2)).unwrap()))
        .collect();
    let texts: StringArray = items.iter().map(|item| item.map(|item| format!("净{item}"))).collect();
    let columns: Vec<(&str, ArrayRef)> = vec![("basket", Arc::new(baskets)), ("item", Arc::new(texts))];
    let (_, tables) = table("t.lines", columns);
    let wanted = rows(&tables, JOINED).await;
    assert!(wanted.num_rows() > 20, "{}", wanted.num_rows());
    for cores in [1, 2, 3] {
        let found = try_rows(cores, &tables, COUNTED).await.unwrap();
        let print = |batch| pretty_format_batches(&[batch]).unwrap().to_string();
        assert_eq!(print(found), print(wanted.clone()));
    }
}

#[tokio::test]
async fn no_rows_give_no_pairs_and_wrong_arguments_are_told() {
    let none = "SELECT unnest(frequent_pairs(a, b, 1)) AS p FROM (SELECT 'x' AS a, 'y' AS b) AS t WHERE a = b";
    assert_eq!(rows(&super::Tables::new(), none).await.num_rows(), 0);
    let zero = error("SELECT frequent_pairs('x', 'y', 0)").await;
    assert!(zero.contains("the least number of baskets is at least 1, not 0"), "{zero}");
    let date = error("SELECT frequent_pairs(DATE '2024-01-01', 'y', 2)").await;
    assert!(date.contains("takes texts or whole numbers"), "{date}");
}
