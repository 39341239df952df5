//! The verbs as a person meets them: exit codes, what is printed, what is changed and what is not.

use serde_json::Value;

use crate::project::{ORDERS, Project, SHOP, same_as_snapshot};

/// The last day of January 2024 that `run` knows after `days` days.
fn as_of(days: u32) -> String {
    format!("2024-01-{:02}", days + 1)
}

fn published(days: u32) -> Project {
    let project = Project::shop_of_days(days);
    project.matins(&["run", "--as-of", &as_of(days)]).ok();
    project
}

/// `step: why` of what a plan would do.
fn plan(project: &Project, as_of: &str) -> Vec<String> {
    let plan = project.matins(&["plan", "--as-of", as_of, "--json"]).ok().json();
    let text = |step: &Value, key: &str| step[key].as_str().unwrap_or_default().to_owned();
    let steps = plan["steps"].as_array().expect("steps");
    steps.iter().map(|s| format!("{}: {}", text(s, "step"), text(s, "why"))).collect()
}

#[test]
fn a_run_says_what_it_did_and_the_next_has_nothing_to_do() {
    let project = Project::shop_of_days(2);
    same_as_snapshot("first_run", &project.matins(&["run", "--as-of", "2024-01-03"]).ok());
    let before = project.files("lake");
    same_as_snapshot("second_run", &project.matins(&["run", "--as-of", "2024-01-03"]).ok());
    assert_eq!(before.keys().collect::<Vec<_>>(), project.files("lake").keys().collect::<Vec<_>>());
}

#[test]
fn mistakes_of_the_command_line_end_with_2() {
    let project = Project::shop_of_days(1);
    project.matins(&["run", "shopp"]).code(2).says("there is no pipeline `shopp`").says("did you mean `shop`?");
    project.matins(&["run", "--as-of", "2024-13-01"]).code(2).says("`2024-13-01` is not a date");
    project.matins(&["run", "--as-of", "yesterday"]).code(2).says("`yesterday` is not a date");
    project.matins(&["backfill", "--from", "2024-01-02", "--to", "2024-01-01"]).code(2).says("is before --from");
    project.matins(&["runs", "show", "nope"]).code(2).says("`nope`");
    project.matins(&["runs", "show"]).code(2).says("has not run yet");
    project.matins(&["rollback", "99"]).code(2).says("no published snapshot 99");
    project.matins(&["runs", "--limit", "0"]).code(2).says("at least 1");
    project.matins(&["run", "warehouse"]).code(2).says("there is no pipeline `warehouse`\nhelp: there is shop\n");
    project.matins(&["plan", "--as-of", "2999-01-01"]).ok().says("2999-01-01 has not come yet");
    project.matins(&["functions", "zzz"]).ok().says("no function's name holds `zzz`");
    project.matins(&["dance"]).code(2);
    project.matins(&["query", "SELECT nothing FROM"]).code(2);
    Project::empty().matins(&["run"]).code(2).says("no matins.yaml");
    assert!(project.files("lake").keys().all(|path| !path.starts_with("tables")), "nothing was made");
}

#[test]
fn an_interval_that_does_not_end_there_is_refused() {
    let project = Project::shop_of_days(1);
    project.edit("pipelines/shop.yaml", "interval: day", "interval: month");
    let said = project.matins(&["run", "--as-of", "2024-01-15"]).code(2);
    said.says("one ends at 2024-01-01, the next at 2024-02-01");
}

#[test]
fn a_blocked_check_ends_with_3_and_the_last_snapshot_is_served() {
    let project = published(1).with_day(2);
    project.write("sql/shop/core/orders.sql", ORDERS.replace("key: [order_id]", "checks:\n  - row_count: {max: 5}"));
    same_as_snapshot("blocked", &project.matins(&["run", "--as-of", "2024-01-03"]).code(3));
    assert_eq!(project.value("SELECT count(*) FROM core.orders"), "3");
    assert_eq!(project.value("SELECT status FROM system.runs ORDER BY run DESC LIMIT 1"), "blocked");
    let failed = "SELECT check_name FROM system.checks WHERE status = 'failed'";
    assert_eq!(project.value(failed), "row_count");
    project.matins(&["run", "--as-of", "2024-01-02"]).ok();
}

#[test]
fn a_store_that_is_not_there_ends_with_4() {
    let project = Project::shop_of_days(1).with("file", "in the way").variable("MATINS_LAKE", "file/lake");
    project.matins(&["run", "--as-of", "2024-01-02"]).code(4);
    let gone = Project::shop();
    gone.edit("matins.yaml", "exports: exports", "exports: nowhere");
    gone.matins(&["run", "--as-of", "2024-01-02"]).code(2).says("nowhere` does not exist");
}

#[test]
fn init_writes_a_project_that_works() {
    let place = Project::empty();
    same_as_snapshot("init", &place.matins(&["init", "new"]).ok());
    place.matins(&["-C", "new", "check"]).ok().says("no mistakes");
    place.matins(&["-C", "new", "run"]).ok().says("published snapshot 2").says("1 quarantined").says("  report   ");
    place.matins(&["-C", "new", "run"]).ok().says("nothing to do");
    place.matins(&["init", "new"]).code(2).says("holds something already");
    let rows = place.matins(&["-C", "new", "query", "--json", "SELECT value, rule FROM system.quarantine"]).ok().json();
    assert_eq!(rows, serde_json::json!([{ "value": "n/a", "rule": "type" }]));
    place.matins(&["-C", "new", "test"]).ok().says("1 file, 1 test passed");
    for kind in ["project", "pipeline", "stage", "pack", "test"] {
        assert!(place.path(&format!("new/.matins/{kind}.schema.json")).is_file());
    }
}

#[test]
fn schemas_are_json_that_refuses_unknown_keys() {
    let place = Project::empty();
    for kind in ["project", "pipeline", "stage"] {
        let schema = place.matins(&["schema", kind]).ok().json();
        assert_eq!(schema["type"], "object", "{kind}");
        assert_eq!(schema["additionalProperties"], false, "{kind}");
        assert!(schema["properties"].as_object().is_some_and(|p| p.len() > 3), "{kind}");
        assert!(schema["$schema"].as_str().is_some_and(|s| s.contains("json-schema.org")), "{kind}");
    }
}

#[test]
fn a_plan_says_why_each_step_runs() {
    let project = Project::shop_of_days(1);
    project.edit("sql/shop/mart/days.sql", "GROUP BY", "WHERE net >= $least\nGROUP BY");
    project.edit("pipelines/shop.yaml", "interval: day\n", "interval: day\nparams: {least: 0}\n");
    same_as_snapshot("plan_first", &project.matins(&["plan", "--as-of", "2024-01-02"]).ok());
    assert!(project.files("lake").is_empty(), "a plan writes nothing");
    project.matins(&["run", "--as-of", "2024-01-02"]).ok();
    same_as_snapshot("plan_nothing", &project.matins(&["plan", "--as-of", "2024-01-02"]).ok());

    let project = project.with_day(2);
    same_as_snapshot("plan_new_export", &project.matins(&["plan", "--as-of", "2024-01-03"]).ok());
    assert!(plan(&project, "2024-01-02").is_empty(), "an export of a later day is not of this one");
    project.matins(&["run", "--as-of", "2024-01-03"]).ok();

    project.write("sql/shop/core/orders.sql", format!("-- who bought\n{}", ORDERS.replace("SELECT ", "select\n    ")));
    assert!(plan(&project, "2024-01-03").is_empty(), "comments, white space and case of keywords mean nothing");

    project.edit("sql/shop/core/orders.sql", "note\n", "upper(note) AS note\n");
    let steps = plan(&project, "2024-01-03");
    assert_eq!(steps[0], "make core.orders: SQL changed", "{steps:?}");
    assert!(steps.contains(&"make mart.days: core.orders changed".to_owned()), "{steps:?}");
    assert!(!steps.iter().any(|s| s.contains("raw.orders")), "{steps:?}");
    project.write("sql/shop/core/orders.sql", ORDERS);
    assert!(plan(&project, "2024-01-03").is_empty(), "what stood before still stands");

    project.edit("pipelines/shop.yaml", "least: 0", "least: 15");
    let steps = plan(&project, "2024-01-03");
    assert_eq!(steps[0], "make mart.days: $least was 0, is 15", "{steps:?}");
    assert!(!steps.iter().any(|s| s.contains("core.orders:")), "{steps:?}");
    project.matins(&["run", "--as-of", "2024-01-03"]).ok();
    assert_eq!(project.value("SELECT sum(orders) FROM mart.days"), "4");
}

#[test]
fn query_answers_in_json_and_knows_its_own_runs() {
    let project = published(2);
    let rows = project.query("SELECT bdate, orders, net FROM mart.days ORDER BY bdate");
    let day = |day: u32| serde_json::json!({ "bdate": format!("2024-01-{day:02}"), "orders": 3, "net": "60.0000" });
    assert_eq!(rows, [day(1), day(2)]);
    assert_eq!(project.value("SELECT rows_read FROM system.runs"), "6");
    assert_eq!(project.value("SELECT count(*) FROM system.steps WHERE outcome = 'ran' AND step LIKE 'land %'"), "2");
    assert_eq!(project.value("SELECT count(*) FROM system.checks WHERE status <> 'passed'"), "0");
    assert_eq!(project.value("SELECT count(*) FROM system.quarantine"), "0");
    let both =
        "SELECT count(*) FROM system.runs r JOIN system.steps s ON r.run = s.run WHERE s.step = 'make mart.days'";
    assert_eq!(project.value(both), "1");
    assert_eq!(project.value("SELECT count(*) FROM raw.orders WHERE _line = 2"), "2");
    let names = "SELECT count(*) FROM information_schema.tables WHERE table_schema IN ('raw', 'core', 'mart')";
    assert_eq!(project.value(names), "3");
    project.matins(&["query", "SELECT * FROM core.order"]).code(2);
    for number in ["1", "99"] {
        // The first link of the chain is the taking of the lease, and there is no other of that number.
        let said = project.matins(&["query", "--snapshot", number, "SELECT * FROM core.orders"]).code(2);
        said.says(&format!("no published snapshot {number}"));
    }
    Project::shop().matins(&["query", "SELECT * FROM core.orders"]).code(2).says("has published nothing yet");
}

#[test]
fn a_wrong_question_is_told_with_its_place_and_what_was_perhaps_meant() {
    let project = published(1);
    let other = SHOP.replace("packs: [shop]", "packs: [shop, other]");
    project.write("pipelines/other.yaml", other);
    project.write("sql/other/mart/weeks.sql", "SELECT bdate FROM core.orders\n");
    for (sql, says) in [
        (
            "SELECT * FROM core.order",
            vec!["there is no table `core.order`", "query:1:15", "did you mean `core.orders`?"],
        ),
        ("SELECT * FROM system.run", vec!["query:1:15", "did you mean `system.runs`?"]),
        ("SELECT * FROM mart.weeks", vec!["pipeline `other` makes it: ask with `--pipeline other`"]),
        (
            "SELECT order_id,\n  nett FROM core.orders",
            vec!["column 'nett' not found", "query:2:3", "did you mean `net`?"],
        ),
        ("SELECT summ(net) FROM core.orders", vec!["there is no function `summ`", "query:1:8", "did you mean `sum`?"]),
        ("SELECT sum(note) FROM core.orders", vec!["no function fits `sum(VARCHAR)`; there is", "query:1:8"]),
        ("SELECT net / 0 FROM core.orders", vec!["division by zero", "query:1:8", "nullif(…, 0)"]),
        ("SELECT 1 FROM core.orders WHERE bdate > 'x'", vec!["cannot cast string 'x'", "query:1:41", "try_cast"]),
        ("SELECT 1 FROM core.orders WHERE", vec!["Expected: an expression, found: the end", "query:1:31"]),
        ("SELECT 1; SELECT 2", vec!["a question is one SELECT, and this is 2 statements"]),
        ("", vec!["a question is one SELECT, and this is nothing"]),
        ("DROP TABLE core.orders", vec!["a question only reads"]),
    ] {
        let said = project.matins(&["query", sql]).code(2);
        let said = says.into_iter().fold(said, |said, text| said.says(text));
        said.says_not("DataFusion").says_not("rror during planning");
    }
}

#[test]
fn a_value_that_a_stage_cannot_take_is_told_with_its_expression() {
    let project = Project::shop_of_days(1);
    project.edit("sql/shop/mart/days.sql", "sum(net)", "sum(net / (net - 10))");
    let said = project.matins(&["run", "--as-of", "2024-01-02"]).code(2);
    said.says("stage `mart.days` (sql/shop/mart/days.sql:4:39 `net / (net - 10)`): division by zero")
        .says("error[sql-run]: division by zero")
        .says("with `nullif(…, 0)` as the divisor the result is NULL where it is zero");
    let why = project.matins(&["runs", "show"]).ok();
    why.says("sql/shop/mart/days.sql:4:39");
}

#[test]
fn query_only_reads() {
    let project = published(1);
    let before = project.files("lake");
    let target = project.path("out.csv");
    for sql in [
        &format!("COPY core.orders TO '{}'", target.display()),
        "CREATE TABLE copy AS SELECT * FROM core.orders",
        "CREATE EXTERNAL TABLE x (a INT) STORED AS PARQUET LOCATION '/etc/'",
        "INSERT INTO core.orders SELECT * FROM core.orders",
        "DROP TABLE core.orders",
        "SET datafusion.execution.batch_size = 1",
        "SELECT 1; SELECT 2",
        "SELECT * FROM '/etc/passwd'",
    ] {
        let said = project.matins(&["query", sql]).code(2);
        assert!(said.out.is_empty(), "{sql}: {}", said.out);
    }
    assert!(!target.exists());
    assert_eq!(before, project.files("lake"));
}

#[test]
fn runs_are_listed_and_shown() {
    let project = published(1);
    same_as_snapshot("runs", &project.matins(&["runs"]).ok());
    let id = project.value("SELECT run FROM system.runs");
    same_as_snapshot("one_run", &project.matins(&["runs", "show", &id]).ok());
    let record = project.matins(&["runs", "show", "latest", "--json"]).ok().json();
    assert_eq!(record["finished"]["status"], "published");
    assert_eq!(record["finished"]["balances"]["orders"]["landed"], 3);
    project.matins(&["runs", "watch", &id]).ok().says("Published");
    project.matins(&["runs", "cancel", &id]).code(2).says("is over: published at");
    Project::shop().matins(&["runs"]).ok().says("has not run yet");
}

#[test]
fn readers_stay_where_a_rollback_put_them_until_it_is_released() {
    let project = published(1);
    let count = || project.value("SELECT count(*) FROM core.orders");
    let write_day = |day: u32| project.write(&format!("exports/orders/2024-01-{day:02}.csv"), day_of(day));
    let first = project.value("SELECT snapshot FROM system.runs");
    write_day(2);
    project.matins(&["run", "--as-of", "2024-01-03"]).ok();
    assert_eq!(count(), "6");
    project.matins(&["rollback", &first]).ok().says("stay there");
    assert_eq!(count(), "3");
    write_day(3);
    project.matins(&["run", "--as-of", "2024-01-04"]).ok().says("published snapshot");
    assert_eq!(count(), "3", "a new run does not move readers");
    project.matins(&["run", "--as-of", "2024-01-04"]).ok().says("nothing to do");
    // Nor does another word on the interval they are held at, which is spoken once.
    project.edit("sql/shop/core/orders.sql", "net, note", "net, upper(note) AS note");
    project.matins(&["run", "--as-of", "2024-01-02"]).ok().says("published snapshot");
    project.matins(&["run", "--as-of", "2024-01-02"]).ok().says("nothing to do");
    assert_eq!(project.value("SELECT max(note) FROM core.orders"), "fine");
    project.matins(&["rollback", "--release"]).ok().says("newest snapshot again");
    assert_eq!(count(), "9");
}

/// One day's export, as `Project::with_day` writes it.
fn day_of(day: u32) -> String {
    let lines: String = (1..=3).map(|n| format!("{day}-{n},2024-01-{day:02},{n}0.00,fine\n")).collect();
    format!("{}{lines}", crate::project::HEADER)
}

#[test]
fn a_backfilled_day_does_not_become_today() {
    let project = Project::shop_of_days(3);
    project.matins(&["run", "--as-of", "2024-01-04"]).ok();
    let shown = project.matins(&["backfill", "--from", "2024-01-01", "--to", "2024-01-02", "--dry-run", "--json"]).ok();
    assert_eq!(shown.json()["intervals"].as_array().map(Vec::len), Some(2), "both ends belong to it");
    project.matins(&["backfill", "--from", "2024-01-01", "--to", "2024-01-02"]).ok().says("2 published");
    assert_eq!(project.value("SELECT count(*) FROM core.orders"), "9");
    project.matins(&["backfill", "--from", "2024-01-01", "--to", "2024-01-02"]).ok().says("0 published");
}

#[test]
fn gc_deletes_what_nothing_reaches_and_nothing_else() {
    let project = published(1);
    project.matins(&["gc", "--wait-hours", "0"]).ok().says("nothing to delete");
    // A run that is blocked leaves work that no snapshot names.
    project.write("sql/shop/core/orders.sql", ORDERS.replace("key: [order_id]", "checks:\n  - row_count: {max: 1}"));
    project.edit("sql/shop/core/orders.sql", "note\n", "upper(note) AS note\n");
    project.matins(&["run", "--as-of", "2024-01-02"]).code(3);
    project.write("sql/shop/core/orders.sql", ORDERS);

    let before = project.files("lake");
    let dry = project.matins(&["gc", "--wait-hours", "0", "--dry-run", "--json"]).ok().json();
    assert_eq!(before, project.files("lake"), "a dry run writes nothing");
    let listed = project.matins(&["gc", "--wait-hours", "0", "--json"]).ok().json();
    assert_eq!((&listed["phase"], &listed["objects"]), (&"listed".into(), &dry["objects"]));
    assert!(before.keys().all(|path| project.path("lake").join(path).exists()), "a list deletes nothing");
    let deleted = project.matins(&["gc", "--wait-hours", "0", "--json"]).ok().json();
    assert_eq!((&deleted["phase"], &deleted["objects"]), (&"deleted".into(), &dry["objects"]));

    let gone: Vec<String> = serde_json::from_value(dry["objects"].clone()).expect("paths");
    assert!(!gone.is_empty());
    let after = project.files("lake");
    assert!(gone.iter().all(|path| !after.contains_key(path)));
    assert!(before.iter().filter(|(path, _)| !gone.contains(path)).all(|(path, bytes)| after.get(path) == Some(bytes)));
    assert_eq!(project.value("SELECT count(*) FROM core.orders"), "3");
    project.matins(&["run", "--as-of", "2024-01-02"]).ok().says("nothing to do");
    project.matins(&["gc", "--wait-hours", "0"]).ok().says("nothing to delete");
}

#[test]
fn a_snapshot_that_was_collected_is_no_snapshot_to_go_back_to_and_can_be_made_again() {
    let project = published(2);
    let first = project.value("SELECT snapshot FROM system.runs");
    project.write("exports/orders/2024-01-03.csv", day_of(3));
    project.matins(&["run", "--as-of", "2024-01-04"]).ok();
    for _ in 0..2 {
        project.matins(&["gc", "--keep", "1", "--wait-hours", "0"]).ok();
    }
    let asked = ["query", "SELECT count(*) FROM core.orders", "--snapshot", first.as_str()];
    project.matins(&asked).code(2).says("no longer in the lake");
    project.matins(&["rollback", &first]).code(2).says("have been collected").says("--as-of 2024-01-03");
    project.matins(&["run", "--as-of", "2024-01-03"]).ok().says("published snapshot");
    project.matins(&["run", "--as-of", "2024-01-03"]).ok().says("nothing to do");
    assert_eq!(project.value("SELECT count(*) FROM core.orders"), "9");
    project.matins(&["gc", "--keep", "1", "--wait-hours", "0"]).ok();
}

#[test]
fn gc_keeps_what_a_run_came_to_need_while_the_list_waited() {
    let project = published(1);
    let other = ORDERS.replace("note\n", "upper(note) AS note\n");
    project.write("sql/shop/core/orders.sql", other.replace("key: [order_id]", "checks:\n  - row_count: {max: 1}"));
    project.matins(&["run", "--as-of", "2024-01-02"]).code(3);
    project.matins(&["gc", "--wait-hours", "0"]).ok().says("listed");
    // Now the check is gone, and the tables on the list are wanted.
    project.write("sql/shop/core/orders.sql", other.replace("key: [order_id]\n", ""));
    project.matins(&["run", "--as-of", "2024-01-02"]).ok().says("published");
    project.matins(&["gc", "--wait-hours", "0"]).ok();
    project.matins(&["gc", "--wait-hours", "0"]).ok();
    assert_eq!(project.value("SELECT count(*) FROM core.orders WHERE note = 'FINE'"), "3");
}

#[test]
fn nothing_is_coloured_where_nobody_looks_and_quiet_is_quiet() {
    let project = Project::shop_of_days(1).variable("NO_COLOR", "1");
    let said = project.matins(&["run", "--as-of", "2024-01-02"]).ok();
    said.says_not("\u{1b}");
    project.edit("sql/shop/mart/days.sql", "sum(net)", "sum(nett)");
    let said = project.matins(&["check"]).code(2);
    assert!(!said.err.contains('\u{1b}'), "{}", said.err);

    let quiet = Project::shop_of_days(1);
    let said = quiet.matins(&["-q", "run", "--as-of", "2024-01-02"]).ok();
    assert!(said.err.is_empty(), "{}", said.err);
    let said = quiet.matins(&["-q", "query", "SELECT count(*) AS n FROM core.orders"]).ok();
    assert_eq!((said.out.trim_end(), said.err.as_str()), (" n\n 3", ""));
    // Errors are said even so.
    quiet.matins(&["-q", "run", "nope"]).code(2).says("no pipeline `nope`");
}

/// Readers follow a newer interval, or are held at one: in neither case does what they follow tell that another was published.
#[test]
fn two_that_wait_for_one_interval_publish_it_once() {
    let project = Project::shop_of_days(3);
    let both = |as_of: &str| {
        let run = || project.matins(&["run", "--as-of", as_of, "--wait"]).ok();
        let said = std::thread::scope(|threads| {
            let other = threads.spawn(run);
            [run(), other.join().expect("the other one's word")]
        });
        let published = said.iter().filter(|s| s.out.contains("published snapshot")).count();
        assert_eq!(published, 1, "{as_of}: {said:?}");
        assert!(said.iter().any(|s| s.out.contains("nothing to do")), "{as_of}: {said:?}");
    };
    let newest = project.night("2024-01-04")["snapshot"].to_string();
    both("2024-01-03");
    project.matins(&["rollback", &newest]).ok();
    both("2024-01-02");
}

#[test]
fn two_pipelines_share_a_lake_and_the_tables_that_are_equal() {
    let project = Project::shop_of_days(1).with("pipelines/twin.yaml", SHOP);
    project.matins(&["run", "--as-of", "2024-01-02"]).ok();
    let twin = project.matins(&["run", "twin", "--as-of", "2024-01-02", "--json"]).ok().json();
    assert_eq!(twin["steps_run"], 0, "{twin}");
    assert_eq!(twin["published"], true);
}

#[test]
fn a_time_out_of_leases_that_is_none_is_told() {
    for wrong in ["-1", "0", "nan", "1e300", "soon"] {
        let project = Project::shop().variable("MATINS_LEASE_TIMEOUT", wrong);
        project.matins(&["runs"]).code(2).says(&format!("MATINS_LEASE_TIMEOUT is `{wrong}`; it takes seconds"));
    }
}

/// What is made is named by what it is made from; two that are made from the same are still two.
#[test]
fn two_sources_of_one_export_and_two_stages_of_one_statement_are_all_there() {
    let project = Project::shop_of_days(2);
    let (head, source) = SHOP.split_once("  orders:\n").expect("a source");
    let (source, packs) = source.split_once("packs:").expect("packs");
    project.write("pipelines/shop.yaml", format!("{head}  orders:\n{source}  again:\n{source}packs:{packs}"));
    project.write("sql/shop/core/twin.sql", ORDERS);
    project.write("sql/shop/mart/more.sql", "SELECT count(*) AS n FROM raw.again");
    for as_of in ["2024-01-03", "2024-01-04"] {
        let night = project.night(as_of);
        assert_eq!(night["rows"]["landed"], 12, "{night}");
        for table in ["raw.orders", "raw.again", "core.orders", "core.twin"] {
            assert_eq!(project.value(&format!("SELECT count(*) FROM {table}")), "6", "{table}");
        }
        assert_eq!(project.value("SELECT n FROM mart.more"), "6");
    }
    assert_eq!(project.night("2024-01-04")["steps_run"], 0);
}

#[test]
fn the_fires_of_a_year_stand_with_their_intervals_and_what_clock_changes_do() {
    let project = Project::shop();
    // At half past one clocks go forward over it in spring, and back over it in autumn.
    let nightly = "time_zone: Europe/London\ninterval: day\nschedule: {cron: \"30 1 * * *\"}\n";
    project.edit("pipelines/shop.yaml", "interval: day\n", nightly);
    let said = project.matins(&["schedule", "shop", "--year", "2027"]).ok();
    let fires: Vec<&str> = said.out.lines().filter(|line| line.contains('Z')).collect();
    assert_eq!(fires.len(), 365, "{}", said.out);
    assert!(fires[0].contains("Fri 2027-01-01 01:30:00 GMT") && fires[0].contains(" 2026-12-31"), "{}", fires[0]);
    for (utc, parts) in [
        ("2027-03-28T01:00:00Z", ["02:00:00 BST", " 2027-03-27 ", "clocks go forward: there is no 01:30"]),
        ("2027-03-29T00:30:00Z", ["01:30:00 BST", " 2027-03-28 ", "2027-03-28 has 23 hours"]),
        ("2027-10-31T00:30:00Z", ["01:30:00 BST", " 2027-10-30 ", "clocks go back: the first of two"]),
        ("2027-11-01T01:30:00Z", ["01:30:00 GMT", " 2027-10-31 ", "2027-10-31 has 25 hours"]),
    ] {
        let line = fires.iter().find(|line| line.contains(utc)).expect(utc);
        assert!(parts.iter().all(|part| line.contains(part)), "{line}");
    }
    let of_a_year = |project: &Project| project.matins(&["schedule", "shop", "--year", "2027", "--json"]).ok().json();
    let all = of_a_year(&project);
    let spring = &all[0]["fires"][87];
    assert_eq!(spring["at"], "2027-03-29T01:30:00+01:00");
    assert_eq!(spring["intervals"][0]["start"], "2027-03-28T00:00:00+00:00");
    assert_eq!(spring["notes"], serde_json::json!(["2027-03-28 has 23 hours"]));
    assert_eq!((all[0]["fires"].as_array().map(Vec::len), &all[0]["more"]), (Some(365), &Value::Bool(false)));
    // More than a person reads: so many are shown, and a program has them all.
    project.edit("pipelines/shop.yaml", "interval: day\n", "interval: hour\n");
    project.edit("pipelines/shop.yaml", "30 1 * * *", "0 * * * *");
    let said = project.matins(&["schedule", "shop", "--year", "2027"]).ok();
    assert_eq!(said.out.lines().filter(|line| line.contains('Z')).count(), 400, "{}", said.out);
    said.says("and 8,360 more: `--limit 8760` shows them");
    let all = of_a_year(&project);
    let fires = all[0]["fires"].as_array().expect("fires");
    let again = fires.iter().filter(|fire| fire["notes"][0] == "clocks go back: the same hour again").count();
    assert_eq!((fires.len(), again), (8760, 1));
}
