//! What companies' systems do to exports, and what becomes of it: every fault has a stated behaviour, and loses nothing.

use serde_json::{Value, json};

use crate::project::{HEADER, ORDERS, Project, SHOP, same_as_snapshot};

/// A shop whose quarantine may hold most of the rows, so that a handful of bad lines publishes.
fn lenient() -> Project {
    let project = Project::shop();
    project.edit("pipelines/shop.yaml", "    columns:\n", "    quarantine_limit: 90%\n    columns:\n");
    project
}

fn export(day: u32) -> String {
    format!("exports/orders/2024-01-{day:02}.csv")
}

fn csv(lines: &str) -> String {
    format!("{HEADER}{lines}")
}

/// `line column rule value` of everything in quarantine.
fn quarantine(project: &Project) -> Vec<String> {
    let text = |value: &Value| match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let rows =
        project.query("SELECT export, line, \"column\", rule, value FROM system.quarantine ORDER BY export, line");
    rows.iter().map(|r| ["line", "column", "rule", "value"].map(|key| text(&r[key])).join(" ")).collect()
}

fn count(project: &Project) -> String {
    project.value("SELECT count(*) FROM core.orders")
}

/// The rows of one run balance, and are these.
#[track_caller]
fn balance(night: &Value, read: u64, landed: u64, quarantined: u64) {
    let rows = json!({ "read": read, "landed": landed, "quarantined": quarantined, "deduplicated": 0 });
    assert_eq!(night["rows"], rows);
    assert_eq!(night["sources"]["orders"], rows);
}

#[test]
fn a_bad_line_goes_to_quarantine_and_the_rest_lands() {
    let project = lenient().with(
        &export(1),
        csv("1,2024-01-01,12.50,good\n\
             2,2024-01-01,x,no number\n\
             3,01/01/2024,1.00,no date\n\
             4,2024-01-01\n\
             5,2024-01-01,1.00,a,b\n\
             ,2024-01-01,1.00,no id\n\
             7,2024-01-01,-3.00,below zero\n\
             8,2024-01-01,8.00,\"two\nlines\"\n\
             9,2024-01-01,1.00,\"x\"y\n\
             10,2024-01-01,1.00001,five digits\n\
             11,2024-01-01,11.00,last\n"),
    );
    balance(&project.night("2024-01-02"), 11, 3, 8);
    assert_eq!(
        quarantine(&project),
        [
            "3 net type x",
            "4 ordered_on type 01/01/2024",
            "5 - ragged -",
            "6 - too_long -",
            "7 order_id required ",
            "8 net range -3.00",
            "11 - stray_quote -",
            "12 net scale 1.00001",
        ]
    );
    let whole = project.query("SELECT export, record, reason FROM system.quarantine WHERE line = 8");
    let wanted = json!({
        "export": "orders/2024-01-01.csv",
        "record": "7,2024-01-01,-3.00,below zero",
        "reason": "below 0",
    });
    assert_eq!(whole, [wanted]);
    assert_eq!(project.value("SELECT note FROM core.orders WHERE order_id = '8'"), "two\nlines");
    assert_eq!(project.value("SELECT _line FROM raw.orders WHERE order_id = '11'"), "13", "lines are physical ones");
}

#[test]
fn too_much_quarantine_blocks_and_its_rows_can_be_seen() {
    let lines: String = (1..=49).map(|n| format!("{n},2024-01-01,1.00,fine\n")).collect();
    let project = Project::shop().with_day(1);
    project.night("2024-01-02");
    project.write(&export(2), csv(&format!("{lines}50,2024-01-02,oops,bad\n51,2024-01-02,oops,bad\n")));
    same_as_snapshot("too_much_quarantine", &project.matins(&["run", "--as-of", "2024-01-03"]).code(3));
    assert_eq!(count(&project), "3", "the last snapshot is served");
    assert_eq!(quarantine(&project), ["51 net type oops", "52 net type oops"]);
    assert_eq!(project.value("SELECT rows_quarantined FROM system.runs ORDER BY run DESC LIMIT 1"), "2");

    // Mended, the export is another one, and lands anew.
    project.write(&export(2), csv(&lines.replace("2024-01-01", "2024-01-02")));
    balance(&project.night("2024-01-03"), 52, 52, 0);
    assert!(quarantine(&project).is_empty());
}

#[test]
fn one_bad_line_in_a_hundred_is_noted_and_published() {
    let lines: String = (1..=99).map(|n| format!("{n},2024-01-01,1.00,fine\n")).collect();
    let project = Project::shop().with(&export(1), csv(&format!("{lines}100,2024-01-01,oops,bad\n")));
    let said = project.matins(&["run", "--as-of", "2024-01-02"]).ok();
    said.says("noted quarantine on raw.orders: 1 of 100 rows (1.00 % of rows, allowed 1.00 %)");
}

#[test]
fn an_empty_export_lands_without_rows_and_is_told() {
    let project = lenient().with_day(1).with(&export(2), "").with(&export(3), HEADER);
    let night = project.night("2024-01-04");
    balance(&night, 3, 3, 0);
    assert_eq!(night["warnings"], json!(["orders/2024-01-02.csv: it has no header: nothing is in it"]));
    project.matins(&["run", "--as-of", "2024-01-04"]).ok().says("nothing to do");
}

#[test]
fn a_half_uploaded_export_lands_what_it_has_and_the_whole_one_lands_anew() {
    let whole = csv("1,2024-01-01,1.00,one\n2,2024-01-01,2.00,two\n3,2024-01-01,3.00,\"three\nlines, in\nfact\"\n");
    let ends = [
        ("2,2024", "truncated"),
        ("three\nlines", "unclosed_quote"),
        ("2.0", "truncated"),
        ("\"thr", "unclosed_quote"),
    ];
    for (end, rule) in ends {
        let project = lenient();
        let cut = whole.find(end).expect("it is in the file") + end.len();
        project.write(&export(1), &whole[..cut]);
        let night = project.night("2024-01-02");
        let rows = &night["rows"];
        let number = |key: &str| rows[key].as_u64().expect("a number");
        assert_eq!(number("read"), number("landed") + number("quarantined"), "{end}");
        let warning = json!(["orders/2024-01-01.csv: it seems to be cut off: it ends in the middle of a record"]);
        assert_eq!(night["warnings"], warning, "{end}");
        assert!(quarantine(&project).iter().any(|q| q.contains(rule)), "{end}: {:?}", quarantine(&project));

        project.write(&export(1), &whole);
        let night = project.night("2024-01-02");
        assert_eq!(night["steps"][0]["why"], "the export or its contract changed", "{end}");
        balance(&night, 3, 3, 0);
        assert_eq!(project.value("SELECT sum(net) FROM core.orders"), "6.0000");
        assert!(quarantine(&project).is_empty());
    }
}

#[test]
fn an_upload_under_another_name_is_not_seen_before_it_is_done() {
    let project = Project::shop().with_day(1).with("exports/orders/2024-01-02.csv.part", "order_id,ord");
    project.edit("pipelines/shop.yaml", "{date}.csv", "{date}.csv*");
    balance(&project.night("2024-01-03"), 3, 3, 0);
}

#[test]
fn the_rows_of_a_vanished_export_stay() {
    let project = Project::shop_of_days(2);
    project.night("2024-01-03");
    project.remove(&export(1));
    project.write(&export(3), csv("3-1,2024-01-03,5.00,new\n"));
    let night = project.night("2024-01-04");
    balance(&night, 7, 7, 0);
    let warning = night["warnings"][0].as_str().expect("a warning");
    assert!(warning.starts_with("source `orders`: `orders/2024-01-01.csv` has vanished from file://"), "{warning}");
    assert!(warning.ends_with("its landed rows stay in use"), "{warning}");
    assert_eq!(project.value("SELECT count(*) FROM raw.orders WHERE _export = 'orders/2024-01-01.csv'"), "3");
}

#[test]
fn a_vanished_export_blocks_where_the_contract_says_so() {
    let project = Project::shop_of_days(2);
    project.edit("pipelines/shop.yaml", "    columns:\n", "    on_vanish: refuse\n    columns:\n");
    project.night("2024-01-03");
    project.remove(&export(1));
    let said = project.matins(&["run", "--as-of", "2024-01-03"]).code(3);
    said.says("`orders/2024-01-01.csv`").says("put them back, or set `on_vanish: keep`");
    assert_eq!(count(&project), "6", "the last snapshot is served");
    let project = project.with_day(1);
    project.night("2024-01-03");
    assert_eq!(count(&project), "6");
}

#[test]
fn a_full_dump_that_a_later_one_replaced_is_not_missed() {
    let project = Project::shop_of_days(2);
    let full = "    mode: full\n    on_vanish: refuse\n    columns:\n";
    project.edit("pipelines/shop.yaml", "    columns:\n", full);
    balance(&project.night("2024-01-03"), 3, 3, 0);
    project.remove(&export(1));
    project.matins(&["run", "--as-of", "2024-01-03"]).ok().says("nothing to do");
    project.remove(&export(2));
    project.matins(&["run", "--as-of", "2024-01-03"]).code(3);
    project.write(&export(3), csv("3-1,2024-01-03,5.00,new\n"));
    let night = project.night("2024-01-04");
    balance(&night, 1, 1, 0);
    assert_eq!(night["warnings"], json!([]));
}

#[test]
fn a_changed_export_is_used_by_new_runs_and_the_old_snapshot_still_answers() {
    let project = Project::shop_of_days(1);
    let before = project.night("2024-01-02")["snapshot"].to_string();
    project.write(&export(1), csv("1-1,2024-01-01,10.00,fine\n1-2,2024-01-01,25.00,corrected\n"));
    let night = project.night("2024-01-02");
    assert_eq!(night["steps"][0]["why"], "the export or its contract changed");
    assert_eq!(project.value("SELECT sum(net) FROM core.orders"), "35.0000");
    let old = project.matins(&["query", "--json", "--snapshot", &before, "SELECT sum(net) AS net FROM core.orders"]);
    assert_eq!(old.ok().json(), json!([{ "net": "60.0000" }]));
}

#[test]
fn what_is_no_text_is_refused_and_changes_nothing() {
    let binary: Vec<u8> = (0..4000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let gzip = [b"\x1f\x8b\x08\x00".as_slice(), &binary].concat();
    for (what, bytes) in [("random bytes", &binary), ("gzip", &gzip)] {
        let project = Project::shop_of_days(1);
        project.night("2024-01-02");
        project.write(&export(2), bytes);
        let said = project.matins(&["run", "--as-of", "2024-01-03"]).code(3);
        let said = said.says("orders/2024-01-02.csv").says("this is a compressed or binary file, not text");
        assert!(!said.err.contains(|c: char| c.is_control() && c != '\n'), "{what}: {:?}", said.err);
        assert_eq!(count(&project), "3");
        project.remove(&export(2));
        project.matins(&["run", "--as-of", "2024-01-02"]).ok().says("nothing to do");
    }
}

#[test]
fn binary_rows_below_a_good_header_are_set_aside() {
    let bytes =
        [csv("1,2024-01-01,1.00,fine\n").as_bytes(), b"\xff\xfe\x00\x01\x02\n2,2024-01-01,2.00,\xc3\x28\n"].concat();
    let project = lenient().with(&export(1), bytes);
    balance(&project.night("2024-01-02"), 3, 1, 2);
    assert_eq!(quarantine(&project), ["3 - ragged -", "4 note encoding \u{fffd}("]);
}

#[test]
fn columns_are_found_by_name_wherever_they_stand() {
    let project =
        Project::shop_of_days(1).with(&export(2), "note,net,ordered_on,order_id\nswapped,7.00,2024-01-02,2-1\n");
    balance(&project.night("2024-01-03"), 4, 4, 0);
    let row = project.query("SELECT order_id, bdate, net, note FROM core.orders WHERE note = 'swapped'");
    assert_eq!(row, [json!({ "order_id": "2-1", "bdate": "2024-01-02", "net": "7.0000", "note": "swapped" })]);
}

#[test]
fn a_file_whose_name_fits_no_path_is_told_and_nothing_fails_by_it() {
    let project = Project::shop_of_days(1)
        .with("exports/orders/2024-1-02.csv", "order_id,ordered_on,net,note\n")
        .with("exports/orders/_SUCCESS", "");
    let told = "beside the exports of `orders` 1 file fits no source's path and is not read: `orders/2024-1-02.csv` is not `orders/{date}.csv`";
    project.matins(&["plan", "--as-of", "2024-01-02"]).ok().says(&format!("warning: {told}"));
    assert_eq!(project.night("2024-01-02")["warnings"], json!([told]));
    // What another pipeline reads is none of its.
    project.write("pipelines/other.yaml", SHOP.replace("orders/{date}.csv", "orders/2024-1-02.csv"));
    assert_eq!(project.matins(&["plan", "--as-of", "2024-01-02", "--json"]).ok().json()["warnings"], json!([]));
}

#[test]
fn a_header_without_a_required_column_blocks_and_changes_nothing() {
    let project = Project::shop_of_days(1);
    project.night("2024-01-02");
    project.write(&export(2), "order_id,ordered_on,nett,note\n2-1,2024-01-02,7.00,fine\n");
    same_as_snapshot("missing_column", &project.matins(&["run", "--as-of", "2024-01-03"]).code(3));
    project.matins(&["runs", "watch"]).code(3).says("ended as failed");
    assert_eq!(count(&project), "3");
    assert_eq!(project.value("SELECT count(*) FROM system.runs WHERE status = 'failed'"), "1");
}

#[test]
fn a_column_the_contract_does_not_name_is_told_or_refused() {
    let lines = "order_id,ordered_on,net,note,colour\n1,2024-01-01,7.00,fine,red\n";
    let project = Project::shop().with(&export(1), lines);
    let night = project.night("2024-01-02");
    assert_eq!(night["warnings"], json!(["orders/2024-01-01.csv: columns the contract does not name: colour"]));
    project.edit("pipelines/shop.yaml", "    columns:\n", "    unknown_columns: refuse\n    columns:\n");
    project.matins(&["run", "--as-of", "2024-01-02"]).code(3).says("does not name: colour");
}

#[test]
fn files_are_read_as_companies_write_them() {
    let pipeline = "\
interval: day
sources:
  chinese:
    path: exports://chinese/{date:%Y%m%d}.csv
    format: {encoding: gbk}
    columns: {id: text, city: text}
  german:
    path: exports://german/*.csv
    format: {delimiter: \";\", null_tokens: [\"-\"]}
    columns:
      id: text
      amount: {type: \"decimal(18,4)\", header: Betrag, decimal_comma: true}
      paid_on: {type: date, format: \"%d.%m.%Y\"}
  windows:
    path: exports://windows/{date}.csv
    columns: {id: text, amount: \"decimal(18,4)\", note: text}
packs: [mixed]
";
    let mixed = "\
SELECT id, city AS word, CAST(NULL AS DECIMAL(18, 4)) AS amount FROM raw.chinese
UNION ALL SELECT id, CAST(paid_on AS VARCHAR), amount FROM raw.german
UNION ALL SELECT id, note, amount FROM raw.windows
";
    // 北京 and 上海.
    let gbk = b"id,city\nc1,\xb1\xb1\xbe\xa9\nc2,\xc9\xcf\xba\xa3\n";
    let project = Project::shop()
        .with("pipelines/shop.yaml", pipeline)
        .with("sql/mixed/core/all.sql", mixed)
        .with("exports/chinese/20240101.csv", gbk)
        .with("exports/german/a.csv", "id;Betrag;paid_on\ng1;1.234,50;31.12.2023\ng2;-;-\n")
        .with(
            "exports/windows/2024-01-01.csv",
            "\u{feff}id,amount,note\r\nw1,5.25,\"two\r\nlines\"\r\nw2,6,\"say \"\"hi\"\"\"\r\n",
        );
    let night = project.night("2024-01-02");
    assert_eq!(night["rows"], json!({ "read": 6, "landed": 6, "quarantined": 0, "deduplicated": 0 }));
    assert_eq!(night["reproducible"], false, "the German exports carry no date");
    let row = |id: &str, word: Option<&str>, amount: Option<&str>| json!({ "id": id, "word": word, "amount": amount });
    assert_eq!(
        project.query("SELECT id, word, amount FROM core.\"all\" ORDER BY id"),
        [
            row("c1", Some("北京"), None),
            row("c2", Some("上海"), None),
            row("g1", Some("2023-12-31"), Some("1234.5000")),
            row("g2", None, None),
            row("w1", Some("two\r\nlines"), Some("5.2500")),
            row("w2", Some("say \"hi\""), Some("6.0000")),
        ]
    );
}

#[test]
fn a_step_that_fails_publishes_nothing_and_its_neighbours_keep_their_work() {
    let project = Project::shop_of_days(1);
    project.night("2024-01-02");
    let project = project
        .with_day(2)
        .with("sql/shop/mart/ratio.sql", "SELECT order_id, CAST(note AS INT) AS n FROM core.orders\n");
    let said = project.matins(&["run", "--as-of", "2024-01-03"]).code(2);
    said.says("failed make mart.ratio").says("steps of `shop` failed; nothing was published");
    assert_eq!(count(&project), "3", "the last snapshot is served");
    assert_eq!(project.value("SELECT outcome FROM system.steps WHERE step = 'make mart.ratio'"), "failed");
    assert_eq!(project.value("SELECT outcome FROM system.steps WHERE step = 'check mart.ratio'"), "skipped");

    project.edit("sql/shop/mart/ratio.sql", "CAST(note AS INT)", "length(note)");
    let night = project.night("2024-01-03");
    let ran: Vec<&str> = night["steps"].as_array().expect("steps").iter().filter_map(|s| s["step"].as_str()).collect();
    assert_eq!(ran, ["make mart.ratio", "check mart.ratio"], "everything else was made by the run that failed");
    assert_eq!(count(&project), "6");

    project.edit("sql/shop/mart/ratio.sql", "length(note)", "1 / (length(note) - 4)");
    project.matins(&["run", "--as-of", "2024-01-03"]).code(2).says("division by zero");
    assert_eq!(count(&project), "6");
}

#[test]
fn duplicates_of_a_key_are_counted_and_the_chosen_one_stays() {
    let shop = SHOP.replace("    columns:\n", "    key: order_id\n    columns:\n");
    let project = Project::shop().with("pipelines/shop.yaml", shop).with_day(1);
    project.write(&export(2), csv("1-1,2024-01-02,99.00,again\n1-1,2024-01-02,98.00,and again\n"));
    let night = project.night("2024-01-03");
    assert_eq!(night["rows"], json!({ "read": 5, "landed": 3, "quarantined": 0, "deduplicated": 2 }));
    assert_eq!(project.value("SELECT net FROM core.orders WHERE order_id = '1-1'"), "98.0000");
}

#[test]
fn rows_a_check_takes_out_are_counted_and_kept_apart() {
    let project = Project::shop_of_days(1);
    let rule = "checks:\n  - range: {column: net, max: 25}\n    severity: quarantine\n    limit: {share: 50%}";
    project.write("sql/shop/core/orders.sql", ORDERS.replace("key: [order_id]", rule));
    project.matins(&["run", "--as-of", "2024-01-02"]).ok().says("quarantine on core.orders: 1 of 3 rows");
    assert_eq!(count(&project), "2");
    let row = project.query("SELECT rule, record FROM system.quarantine");
    assert_eq!(row[0]["rule"], "range(net)");
    assert!(row[0]["record"].as_str().is_some_and(|r| r.contains("\"order_id\":\"1-3\"")), "{row:?}");
}
