//! A backfill that is killed at random instants and started again, with a reader beside it: what it publishes is what an
//! undisturbed one does, and the reader never sees half a night.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use super::ground::{Ground, RETAIL, Random, asked, drops};

/// Tables of several stages in one answer. If they were of two nights, the pairs would not be equal.
const LOOK: &str = "SELECT
    (SELECT max(_export) FROM raw.invoice_lines) AS export,
    (SELECT count(*) FROM raw.invoice_lines) AS landed,
    (SELECT count(*) FROM core.order_lines) AS lines,
    (SELECT count(DISTINCT order_id) FROM core.order_lines) AS order_ids,
    (SELECT count(*) FROM core.orders) AS orders,
    (SELECT sum(net) FROM core.order_lines WHERE valid) AS net,
    (SELECT sum(value) FROM kpi.net_revenue) AS net_by_month,
    (SELECT count(DISTINCT customer_key) FROM core.order_lines WHERE valid) AS customers,
    (SELECT sum(customers) FROM retention.cohorts WHERE month_index = 0) AS customers_by_cohort";

#[test]
fn a_backfill_survives_being_killed() {
    let test = "a_backfill_survives_being_killed";
    let Some(folder) = drops(test) else { return };
    let kills = asked("MATINS_TEST_KILLS", 8);
    let to = if asked("MATINS_TEST_FULL", 0) == 1 { "2011-12-09" } else { "2010-12-23" };
    let ground = Ground::of_drops_until(&folder, to);
    let backfill = ["backfill", RETAIL, "--from", "2010-12-01", "--to", to, "--json"];
    let calm = ground.run("calm", &backfill).done();
    // What a whole snapshot holds, by the newest export in it. Closed days bring none, and change no row.
    let truth: BTreeMap<String, u64> = ground.publications("calm", RETAIL).iter().map(newest_and_rows).collect();

    let mut random = Random::new(test);
    // Together a little less than the undisturbed backfill takes, so that nearly every kill finds it at work.
    let longest = calm.took * 2 / u32::try_from(kills + 1).expect("a few kills");
    let stop = AtomicBool::new(false);
    let (looks, seen) = thread::scope(|scope| {
        let reader = scope.spawn(|| read_until(&ground, &stop, &truth));
        let end = StopOnDrop(&stop);
        let mut hit = Vec::new();
        for _ in 0..kills {
            let after = random.below(longest);
            let (killed, ended) = ground.start("killed", &backfill).kill_when(|since| since >= after);
            if !killed {
                ended.done();
                break;
            }
            hit.push(format!("{after:.0?}"));
        }
        println!("{test}: killed after {}", hit.join(", "));
        assert!(hit.len() as u64 > kills / 2, "only {} of {kills} kills found it at work", hit.len());
        ground.run("killed", &backfill).done();
        drop(end);
        reader.join().expect("the reader saw only whole snapshots")
    });
    println!("{test}: {looks} looks saw {seen} snapshots");
    assert!(seen > 1, "the reader saw {seen} snapshots");

    let (killed, calm) = (ground.contents("killed", RETAIL), ground.contents("calm", RETAIL));
    let names = |all: &BTreeMap<String, (u64, String)>| {
        all.iter().map(|(as_of, (_, content))| (as_of.clone(), content.clone())).collect::<Vec<_>>()
    };
    assert_eq!(names(&killed), names(&calm), "every night's content");
    // A content's name says what tables are made of; that the rows are the same too is seen by looking.
    let nights: Vec<&String> = calm.keys().collect();
    for as_of in [nights[nights.len() / 2], nights[nights.len() - 1]] {
        ground.same_rows(RETAIL, ("killed", killed[as_of].0), ("calm", calm[as_of].0));
    }
    let again = ground.run("killed", &backfill).done().json();
    assert!(again.as_array().expect("nights").iter().all(|n| n["published"] == false), "nothing is left to do");
}

/// Looks as often as it can. Before the first snapshot there is nothing to see, and that is the only refusal.
fn read_until(ground: &Ground, stop: &AtomicBool, truth: &BTreeMap<String, u64>) -> (usize, usize) {
    let (mut looks, mut seen) = (0, 0);
    let mut newest = String::new();
    while !stop.load(Ordering::SeqCst) {
        let answer = ground.run("killed", &["query", "--json", "--pipeline", RETAIL, LOOK]);
        looks += 1;
        if answer.code() != 0 {
            assert!(answer.err.contains("has published nothing yet"), "{}", answer.err);
            assert!(newest.is_empty(), "what was published is gone: {}", answer.err);
        } else {
            let row = answer.json()[0].clone();
            let export = row["export"].as_str().expect("an export").to_owned();
            let number = |name: &str| row[name].as_u64().unwrap_or_else(|| panic!("{name}: {row}"));
            assert_eq!(Some(&number("landed")), truth.get(&export), "rows up to {export}");
            assert_eq!(number("lines"), number("landed"), "{row}");
            assert_eq!(number("orders"), number("order_ids"), "{row}");
            assert_eq!(number("customers"), number("customers_by_cohort"), "{row}");
            assert_eq!(row["net"], row["net_by_month"], "{row}");
            assert!(export >= newest, "readers went back from {newest} to {export}");
            seen += usize::from(export > newest);
            newest = export;
        }
        thread::sleep(Duration::from_millis(20));
    }
    (looks, seen)
}

fn newest_and_rows(link: &Value) -> (String, u64) {
    let raw = &link["publication"]["tables"]["raw.invoice_lines"];
    let newest = raw["made_from"]["latest export"].as_str().expect("a date");
    (format!("{newest}.csv"), raw["rows"].as_u64().expect("rows"))
}

/// Lets the reader end, also when the test fails.
struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}
