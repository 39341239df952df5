//! `matins test`: the tests beside the stages of this repository pass, and what is said of tests of small projects that do not.

use serde_json::{Value, json};

use crate::project::{ORDERS, Project};

const TEST: &str = "\
tests:
  - name: the orders of a day
    as_of: 2024-01-03
    given:
      core.orders:
        - {order_id: a, bdate: 2024-01-01, net: 12.50}
        - {order_id: b, bdate: 2024-01-01, net: 7.5}
        - {order_id: c, bdate: 2024-01-02, net: 1}
    expect:
      - {bdate: 2024-01-02, orders: 1, net: 1.00}
      - {bdate: 2024-01-01, orders: 2, net: 20}
  - name: a day without orders
    as_of: 2024-01-03
    given:
      core.orders: []
    expect: []
";

const FILE: &str = "sql/shop/mart/days.test.yaml";

/// The shop with these tests of its days.
fn tested(text: &str) -> Project {
    Project::shop().with(FILE, text)
}

#[test]
fn every_stage_of_this_repository_makes_what_its_tests_expect() {
    let said = Project::empty().matins(&["-C", env!("CARGO_MANIFEST_DIR"), "test", "--json"]);
    let found: Value = serde_json::from_str(&said.out).unwrap_or_else(|e| panic!("{e}: {}{}", said.out, said.err));
    let tests = found["tests"].as_array().expect("tests");
    let failed: Vec<String> = tests.iter().filter(|t| t["status"] != "passed").map(|t| format!("{t:#}")).collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(found["files"].as_u64().is_some_and(|n| n > 50) && tests.len() > 60, "they were found");
}

#[test]
fn tests_that_pass_are_counted_and_nothing_is_written() {
    let project = tested(TEST);
    let said = project.matins(&["test"]).ok();
    assert!(said.out.starts_with("1 file, 2 tests passed in ") && said.err.is_empty(), "{}{}", said.out, said.err);
    project
        .matins(&["test", "-v"])
        .ok()
        .says("passed mart.days: the orders of a day (")
        .says("passed mart.days: a day without orders (")
        .says("1 stage has no test");
    assert!(project.matins(&["-q", "test"]).ok().out.is_empty());
    assert!(project.files("lake").is_empty() && project.files("exports").is_empty());
}

#[test]
fn a_test_that_fails_shows_the_rows_and_values_that_differ() {
    let project = tested(TEST);
    project.edit(FILE, "orders: 2, net: 20}", "orders: 3, net: 20}");
    project.edit(FILE, "{bdate: 2024-01-02, orders: 1, net: 1.00}", "{bdate: 2024-01-04, orders: 1, net: null}");
    let said = project.matins(&["test"]).code(3);
    said.says("failed mart.days: the orders of a day (sql/shop/mart/days.test.yaml:2)")
        .says("- missing     bdate 2024-01-04, orders 1, net null (line 10)")
        .says("~ differs     bdate 2024-01-01 (line 11)")
        .says("orders  expected 3, got 2")
        .says("+ unexpected  bdate 2024-01-02, orders 1, net 1.0000")
        .says("error: 1 of 2 tests failed")
        .says_not("a day without orders");

    let found = project.matins(&["test", "--json"]).code(3).json();
    assert_eq!((&found["files"], &found["passed"], &found["failed"]), (&1.into(), &1.into(), &1.into()));
    assert_eq!(found["untested"], json!(["sql/shop/core/orders.sql"]));
    let test = &found["tests"][0];
    assert_eq!((&test["file"], &test["line"], &test["status"]), (&FILE.into(), &2.into(), &"failed".into()));
    let kinds: Vec<&Value> = test["findings"].as_array().expect("findings").iter().map(|f| &f["kind"]).collect();
    assert_eq!(kinds, ["missing", "differs", "unexpected"]);
    let cells = json!([{ "column": "orders", "expected": "3", "got": "2" }]);
    assert_eq!((&test["findings"][1]["cells"], &test["findings"][1]["line"]), (&cells, &11.into()));
}

#[test]
fn a_mistake_in_a_test_is_told_with_its_place_and_stops_no_night() {
    let project = tested(TEST).with_day(1);
    project.edit(FILE, "order_id: a, bdate: 2024-01-01, net: 12.50", "order_id: a, bdate: May, nett: 12.50");
    project.edit(FILE, "{bdate: 2024-01-02, orders: 1, net: 1.00}", "{bdate: 2024-01-02, order: 1}");
    project.edit(FILE, "      core.orders: []", "      core.ordes: []");
    for verb in ["test", "check"] {
        project
            .matins(&[verb])
            .code(2)
            .says("`core.orders` has no column `nett`")
            .says("did you mean `net`?")
            .says(&format!("{FILE}:6:37"))
            .says("`May` does not fit `core.orders.bdate`, which is DATE")
            .says("`mart.days` has no column `order`")
            .says("did you mean `orders`?")
            .says("`core.ordes` is given, and nothing that is made here reads it")
            .says("did you mean `core.orders`?");
    }
    project.matins(&["run", "--as-of", "2024-01-02"]).ok();
}

#[test]
fn a_part_of_a_name_chooses_tests() {
    let project = tested(TEST).with(
        "sql/shop/core/orders.test.yaml",
        "tests:\n  - name: nothing\n    as_of: 2024-01-02\n    given: {raw.orders: []}\n    expect: []\n",
    );
    for (pattern, count) in
        [("mart.days", "1 file, 2 tests"), ("WITHOUT", "1 file, 1 test"), ("sql/shop", "2 files, 3 tests")]
    {
        let said = project.matins(&["test", pattern]).ok();
        assert!(said.out.starts_with(&format!("{count} passed in ")), "{pattern}: {}", said.out);
    }
    project
        .matins(&["test", "mart.dais"])
        .code(2)
        .says("no test is called like `mart.dais`")
        .says("did you mean `mart.days`?");
}

#[test]
fn a_stage_without_a_test_is_told_how_to_get_one() {
    let said = tested(TEST).matins(&["test", "core.orders"]).code(2);
    said.says("`core.orders` has no test").says("write one in sql/shop/core/orders.test.yaml");
    tested(TEST)
        .with("sql/shop/mart/day.test.yaml", TEST)
        .matins(&["test"])
        .code(2)
        .says("there is no stage `sql/shop/mart/day.sql`");
    Project::shop().matins(&["test"]).ok().says("there are no tests");
}

/// Rows of a source have the types of its contract, what is not given is NULL, and a table that is not given is made by its stage.
#[test]
fn given_rows_are_what_a_night_would_have_read() {
    let test = "\
tests:
  - name: from the exports to the days
    as_of: 2024-01-03
    given:
      raw.orders:
        csv: |
          order_id, ordered_on, net,    note
          a,        2024-01-01, 0.1,    \"\"
          b,        2024-01-01, 0.2,
    expect: {csv: \"bdate, orders, net\\n2024-01-01, 2, 0.3\\n\"}
  - name: a text is no amount, and a decimal has no more digits than its type
    as_of: 2024-01-03
    given:
      raw.orders:
        sql: SELECT 'a' AS order_id, DATE '2024-01-01' AS ordered_on, 0.25 AS net WHERE $as_of > DATE '2024-01-02'
    expect:
      - {bdate: 2024-01-01, orders: 1, net: 0.25}
";
    let project = tested(test);
    project.matins(&["test"]).ok().says("1 file, 2 tests passed");
    project.edit(FILE, "0.1, ", "0.12345, ");
    project
        .matins(&["test"])
        .code(2)
        .says("`0.12345` does not fit `raw.orders.net`, which is DECIMAL(18, 4)")
        .says(&format!("{FILE}:8:11"));
}

#[test]
fn checks_of_the_head_hold_unless_the_test_says_that_they_are_broken() {
    let test = "\
tests:
  - name: an order twice
    as_of: 2024-01-03
    given:
      raw.orders:
        - {order_id: a, ordered_on: 2024-01-01, net: 1}
        - {order_id: a, ordered_on: 2024-01-01, net: 2}
        - {order_id: b, ordered_on: 2024-01-01, net: -1}
    expect:
      - {order_id: a}
      - {order_id: a}
";
    let head = "key: [order_id]\nchecks:\n  - range: {column: net, min: 0}\n    severity: quarantine\n";
    let file = "sql/shop/core/orders.test.yaml";
    let project = Project::shop().with(file, test);
    project.write("sql/shop/core/orders.sql", ORDERS.replace("key: [order_id]\n", head));
    project.matins(&["test"]).code(3).says("the check `unique(order_id)` is broken by 1 row");
    project.edit(file, "    expect:\n", "    fails: [unique(order_id), range(net)]\n    expect:\n");
    project.matins(&["test"]).ok();
    project.edit(file, "net: -1", "net: 1");
    project.edit(
        file,
        "      - {order_id: a}\n      - {order_id: a}\n",
        "      - {order_id: a}\n      - {order_id: b}\n      - {order_id: a}\n",
    );
    project.matins(&["test"]).code(3).says("the check `range(net)` was to be broken, and is not");
    project.edit(file, "range(net)]", "rang(net)]");
    project.matins(&["test"]).code(2).says("`core.orders` has no check `rang(net)`").says("did you mean `range(net)`?");
}

#[test]
fn parameters_order_and_statements_that_fail() {
    let stage = "SELECT bdate, count(*) * $each AS points, sum(net) / (count(*) - 1) AS mean FROM core.orders GROUP BY bdate ORDER BY bdate DESC\n";
    let test = "\
tests:
  - name: points
    as_of: 2024-01-03
    params: {each: 10}
    given:
      core.orders:
        sql: SELECT concat(day, n) AS order_id, CAST(day AS DATE) AS bdate, 1.5 AS net FROM (VALUES ('2024-01-01', 1), ('2024-01-01', 2), ('2024-01-02', 1), ('2024-01-02', 2)) AS t (day, n)
    expect:
      - {bdate: 2024-01-01, points: 20}
      - {bdate: 2024-01-02, points: 20}
";
    let project = Project::shop().with("sql/shop/mart/points.sql", stage).with("sql/shop/mart/points.test.yaml", test);
    let file = "sql/shop/mart/points.test.yaml";
    project.matins(&["test"]).code(3).says("in another order").says("bdate 2024-01-01, points 20 (line 9)");
    project.edit(file, "    expect:", "    ordered: false\n    expect:");
    project.matins(&["test"]).ok();
    project.edit(file, "('2024-01-02', 2)", "('2024-01-03', 2)");
    let said = project.matins(&["test"]).code(3).says("division by zero").says("sql/shop/mart/points.sql:1:");
    assert!(said.err.ends_with("error: 1 of 1 tests failed\n"), "{}", said.err);
    project.edit(file, "{each: 10}", "{eahc: 10}");
    let said = project.matins(&["test"]).code(2).says("`mart.points` uses `$each`, which has no value here");
    said.says("nothing that is made here uses `$eahc`").says("did you mean `each`?");
}

#[test]
fn a_stage_of_closed_months_is_made_as_of_the_end_of_the_last_one() {
    let stage = "/* matins\nclosed: month\n*/\nSELECT $as_of AS as_of, count(*) AS orders FROM core.orders WHERE bdate < $as_of\n";
    let test = "\
tests:
  - name: the orders of January
    as_of: 2024-02-03
    given:
      core.orders:
        - {order_id: a, bdate: 2024-01-31}
        - {order_id: b, bdate: 2024-02-01}
    expect:
      - {as_of: 2024-02-01, orders: 1}
";
    let project = Project::shop().with("sql/shop/mart/closed.sql", stage).with("sql/shop/mart/closed.test.yaml", test);
    project.matins(&["test"]).ok();
}
