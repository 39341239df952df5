//! When the world fails: a disk without room, an engine without memory. The outcome says so, nothing that was published
//! changes, and the next run goes on.

use std::process::Command;

use serde_json::Value;

use crate::project::Project;

/// Whether this machine lets a test have a small disk of its own: as root, or as root of a name space.
fn small_disks(test: &str) -> Option<&'static [&'static str]> {
    let ways: [&[&str]; 2] = [&["-m"], &["-r", "-m"]];
    let works = |way: &&[&str]| {
        let mut command = Command::new("unshare");
        command.args(*way).args(["sh", "-c", "mount -t tmpfs -o size=1m none /mnt"]);
        command.output().is_ok_and(|o| o.status.success())
    };
    let found = ways.into_iter().find(works);
    if found.is_none() {
        println!("{test}: skipped, neither `unshare -m` nor `unshare -r -m` lets this user mount a tmpfs");
    }
    found
}

/// A night, then a disk with `$KIB` KiB left, a night on it, room again, and the same night. Prints one line of JSON a look.
const NIGHTS: &str = r#"
set -u
cd "$PROJECT"
mkdir -p lake
mount -t tmpfs -o size=8m none lake || exit 77
"$MATINS" run --as-of 2024-01-02 >&2 || exit 78
left() { df --output=avail -k lake | tail -1; }
dd if=/dev/zero of=lake/.filler bs=1k count=$(($(left) - KIB)) 2>/dev/null
full=0
"$MATINS" run --as-of 2024-01-03 2>err >/dev/null || full=$?
cat err >&2
published() { "$MATINS" query --json 'SELECT count(*) AS n FROM core.orders' | tr -d ' \n[]'; }
echo "{\"code\": $full, \"said\": \"$(grep -c 'no room left on the disk' err)\", \"look\": $(published)}"
rm lake/.filler
again=0
"$MATINS" run --as-of 2024-01-03 >&2 || again=$?
echo "{\"code\": $again, \"look\": $(published), \"content\": $("$MATINS" query --json 'SELECT * FROM mart.days ORDER BY bdate' | tr -d '\n')}"
"#;

#[test]
fn a_full_disk_is_said_changes_nothing_and_is_gone_on_from() {
    let test = "a_full_disk_is_said_changes_nothing_and_is_gone_on_from";
    let Some(way) = small_disks(test) else { return };
    let calm = Project::shop_of_days(2);
    calm.matins(&["backfill", "--from", "2024-01-01", "--to", "2024-01-02"]).ok();
    let whole = calm.query("SELECT * FROM mart.days ORDER BY bdate");
    let mut codes = Vec::new();
    // Room for nothing, for a lease, for some steps, for nearly all.
    for kib in [0, 4, 12, 20, 32, 44, 56, 72, 96] {
        let project = Project::shop_of_days(2);
        let output = Command::new("unshare")
            .args(way)
            .args(["bash", "-c", NIGHTS])
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("PROJECT", project.path(""))
            .env("MATINS", env!("CARGO_BIN_EXE_matins"))
            .env("KIB", kib.to_string())
            .output()
            .expect("unshare is there");
        let err = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{kib} KiB left: {:?}\n{err}", output.status);
        let out = String::from_utf8(output.stdout).expect("text");
        let looks: Vec<Value> =
            out.lines().map(|l| serde_json::from_str(l).unwrap_or_else(|e| panic!("{e} in {out}\n{err}"))).collect();
        let (full, again) = (&looks[0], &looks[1]);
        match full["code"].as_i64() {
            Some(4) => {
                assert_eq!(full["said"], "1", "{kib} KiB left:\n{err}");
                assert_eq!(full["look"]["n"], 3, "the last snapshot is what readers see");
            }
            Some(0) => assert_eq!(full["look"]["n"], 6),
            // Published, and no room for its report: there is none here.
            other => panic!("{kib} KiB left: exit code {other:?}\n{err}"),
        }
        codes.push(full["code"].clone());
        assert_eq!((&again["code"], &again["look"]["n"]), (&0.into(), &6.into()), "{kib} KiB left, then room:\n{err}");
        assert_eq!(again["content"].as_array(), Some(&whole), "{kib} KiB left, then room");
    }
    println!("{test}: exit codes {codes:?}");
    assert!(codes.iter().filter(|code| **code == 4).count() > 3, "{codes:?}");
}

#[test]
fn memory_that_does_not_suffice_is_said_and_the_rest_is_done() {
    // One text of all, which cannot spill: sixty rows crossed with themselves twice, a long text each.
    let hungry = "SELECT length(string_agg(repeat(a.order_id || b.order_id || c.order_id, 60), ',' \
                  ORDER BY a.order_id, b.order_id, c.order_id)) AS n \
                  FROM core.orders a CROSS JOIN core.orders b CROSS JOIN core.orders c\n";
    let project = Project::shop_of_days(20).with("sql/shop/mart/hungry.sql", hungry);
    project.edit("matins.yaml", "memory: 256MiB", "memory: 64MiB");
    let said = project.matins(&["run", "--as-of", "2024-01-21"]).code(4);
    let said = said.says("the engine's memory of 64 MiB is used up").says("raise `memory` in matins.yaml");
    said.says("again make mart.hungry").says("1 of ");
    assert!(project.contents("shop").is_empty(), "nothing was published");
    let outcome = |step: &str| {
        let record = project.matins(&["runs", "show", "--json"]).ok().json();
        let steps = record["finished"]["steps"].as_array().expect("steps").clone();
        let found = steps.iter().find(|s| s["step"] == step).unwrap_or_else(|| panic!("no {step} in {steps:?}"));
        found["outcome"].as_str().expect("an outcome").to_owned()
    };
    assert_eq!((outcome("make mart.hungry"), outcome("make mart.days")), ("failed".to_owned(), "ran".to_owned()));

    project.edit("matins.yaml", "memory: 64MiB", "memory: 2GiB");
    let night = project.night("2024-01-21");
    let ran: Vec<&str> = night["steps"].as_array().expect("steps").iter().filter_map(|s| s["step"].as_str()).collect();
    assert_eq!(ran, ["make mart.hungry", "check mart.hungry"]);
}
