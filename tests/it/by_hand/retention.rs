//! `crm/retention`: medians of curves that reach a half exactly.

use crate::crm::lines;
use crate::segments::stages;

/// Of n customers one is lost on each of the first n / 2 + 1 days; the others are watched a day longer each.
#[test]
fn a_half_that_is_reached_is_the_median() {
    let project = stages(
        &["retention/retention/survival.sql", "retention/retention/medians.sql"],
        &[(
            "retention/lifetimes",
            "SELECT concat('half of ', n) AS curve, CAST(t AS BIGINT) AS t,
                      CASE WHEN 2 * t <= n + 2 THEN CAST(1 AS BIGINT) ELSE CAST(0 AS BIGINT) END AS event,
                      CAST(1 AS BIGINT) AS customers
                 FROM (SELECT n, unnest(generate_series(1, n)) AS t
                 FROM (VALUES (1), (2), (4), (6), (10), (38)) AS t (n)) AS each
                 UNION ALL
                 SELECT 'nobody lost' AS curve, CAST(9 AS BIGINT) AS t, CAST(0 AS BIGINT) AS event,
                      CAST(3 AS BIGINT) AS customers"
                .to_owned(),
        )],
    );
    // Of four half are left on the second day, of 38 on the 19th; in binary some of these halves are 0.5000000000000001. Of
    // one nobody is left on the first.
    assert_eq!(
        lines(&project, "curve; customers; events; median", "FROM retention.medians ORDER BY customers, curve"),
        [
            "half of 1 1 1 1",
            "half of 2 2 2 1",
            "nobody lost 3 0 null",
            "half of 4 4 3 2",
            "half of 6 6 4 3",
            "half of 10 10 6 5",
            "half of 38 38 20 19",
        ]
    );
}
