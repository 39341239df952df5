//! A back-up is a copy: a lake put back from one is gone on with, as if nothing had happened.

use std::fs;
use std::path::Path;

use super::ground::{COMPANY, Ground};

#[test]
fn a_copied_lake_has_nothing_to_do() {
    let ground = Ground::of_the_company(300);
    let first = ground.run("lake", &["run", "--json"]).done().json();
    assert_eq!(first["published"], true);
    let mails = || fs::read_dir(ground.mail()).expect("the mail").count();
    let sent = mails();
    copy(&ground.lake("lake"), &ground.lake("copy"));

    let again = ground.run("copy", &["run", "--json"]).done().json();
    assert_eq!(again["published"], false, "{again}");
    for field in ["as_of", "snapshot", "content", "rows", "tables"] {
        assert_eq!(again[field], first[field], "{field}");
    }
    assert_eq!(mails(), sent, "what was sent stays sent");
    assert_eq!(ground.chain("copy", COMPANY), ground.chain("lake", COMPANY));
    ground.same_rows(
        COMPANY,
        ("lake", first["snapshot"].as_u64().expect("a number")),
        ("copy", again["snapshot"].as_u64().expect("a number")),
    );
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder").map(|entry| entry.expect("an entry")) {
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a kind").is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("copied");
        }
    }
}
