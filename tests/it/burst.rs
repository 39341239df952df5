//! One report for many recipients: each sees the rows that are theirs and nobody else's, in every part of the message.

use std::collections::BTreeMap;
use std::io::{Cursor, Read};

use mail_parser::{Message, MessageParser, MimeHeaders};

use crate::project::{HEADER, Project, SHOP};

const REGIONS: [&str; 6] = ["north", "south", "east", "west", "centre", "abroad"];

/// A word that stands in one region's rows only.
fn secret(region: &str) -> String {
    format!("secret-of-{region}-only")
}

const SALES: &str = "\
/* matins
key: [order_id]
*/
SELECT order_id, bdate, net, split_part(note, '~', 1) AS region, split_part(note, '~', 2) AS note
FROM core.orders
";

/// A KPI with a breakdown by region.
const NET: &str = "\
/* matins
description: What was sold
*/
SELECT CAST(date_trunc('month', bdate) AS DATE) AS period, region AS dimension, CAST(sum(net) AS DOUBLE) AS value,
  count(*) AS n
FROM mart.sales
GROUP BY 1, 2
UNION ALL
SELECT CAST(date_trunc('month', bdate) AS DATE) AS period, CAST(NULL AS VARCHAR) AS dimension,
  CAST(sum(net) AS DOUBLE) AS value, count(*) AS n
FROM mart.sales
GROUP BY 1
";

const PAGE: &str = "\
<p>{{ title }}</p>
<ul>{% for row in data.sales.rows %}<li>{{ row.region }} {{ row.note }} {{ row.net }}</li>{% endfor %}</ul>
{% for kpi in kpis %}<p>{{ kpi.label }} {{ kpi.text }}</p>{% endfor %}
";

const TEXT: &str = "\
{% for row in data.sales.rows %}{{ row.region }} {{ row.note }} {{ row.net }}
{% endfor %}{% for kpi in kpis %}{{ kpi.label }} {{ kpi.text }}
{% endfor %}";

fn burst(recipients: &str, shared: &str) -> Project {
    let report = format!(
        "kpis: [{{name: net, table: kpi.net, unit: count}}]\n\
         reports:\n  - name: regional\n    template: regional.html\n    subject: Sales\n    data: {{sales: mart.sales}}\n\
         {shared}    recipients:\n{recipients}"
    );
    let lines: String = REGIONS
        .iter()
        .enumerate()
        .flat_map(|(at, region)| (1..=12).map(move |n| (at, region, n)))
        .map(|(at, region, n)| format!("{at}-{n},2024-01-{n:02},{}.00,{region}~{}\n", (at + 1) * 1000, secret(region)))
        .collect();
    Project::shop()
        .with("pipelines/shop.yaml", format!("{SHOP}{report}"))
        .with("sql/shop/mart/sales.sql", SALES)
        .with("sql/shop/kpi/net.sql", NET)
        .with("report-templates/regional.html", PAGE)
        .with("report-templates/regional.txt", TEXT)
        .with("exports/orders/2024-01-31.csv", format!("{HEADER}{lines}"))
}

/// Everything a message says, in whatever part: subject, texts, names of files, and the cells of workbooks.
fn everything(mail: &Message<'_>) -> String {
    let mut all = mail.subject().unwrap_or_default().to_owned();
    for part in &mail.parts {
        all.push_str(part.attachment_name().unwrap_or_default());
        let bytes = part.contents();
        if bytes.starts_with(b"PK") {
            let mut book = zip::ZipArchive::new(Cursor::new(bytes)).expect("a workbook");
            for at in 0..book.len() {
                let mut text = String::new();
                book.by_index(at).expect("a file of it").read_to_string(&mut text).expect("XML");
                all.push_str(&text);
            }
        } else {
            all.push_str(&String::from_utf8_lossy(bytes));
        }
    }
    all
}

#[test]
fn nobody_gets_the_rows_of_another() {
    let mut recipients: String = REGIONS
        .iter()
        .flat_map(|r| ["en", "zh-Hans"].map(|l| (r, l)))
        .map(|(r, l)| format!("      - {{address: {r}-{l}@example.com, locale: {l}, filter: {{region: {r}}}}}\n"))
        .collect();
    recipients.push_str("      - everything@example.com\n");
    let project = burst(&recipients, "");
    project.matins(&["check"]).ok();
    project.matins(&["run", "--as-of", "2024-02-01"]).ok();
    let mails = project.files("mail");
    assert_eq!(mails.len(), REGIONS.len() * 2 + 1);
    let mut got = BTreeMap::new();
    for bytes in mails.values() {
        let mail = MessageParser::default().parse(bytes).expect("a message");
        let to = mail.to().and_then(|to| to.first()).and_then(|to| to.address()).expect("a recipient").to_owned();
        got.insert(to, everything(&mail));
    }
    for (to, said) in &got {
        for (at, region) in REGIONS.iter().enumerate() {
            let theirs = to.starts_with(region) || to.starts_with("everything");
            let times = said.matches(&secret(region)).count();
            // Twelve rows in the page, twelve in the text; the workbook keeps equal texts once.
            assert_eq!(times, if theirs { 25 } else { 0 }, "{to} and the rows of {region}");
            let n = (at + 1) * 12;
            let total = if to.contains("zh-Hans") { format!("{}.{}0万", n / 10, n % 10) } else { format!("{n}.0k") };
            assert!(said.contains(&total) == to.starts_with(region), "{to} and the figures of {region}");
        }
        assert!(said.contains("252k") == to.starts_with("everything"), "{to}: the figure of all");
    }
    // Each page of the archive holds one group's rows, under a name of its own.
    let pages: Vec<String> = project
        .files("lake/reports")
        .into_keys()
        .filter(|p| p.contains("/regional/") && p.ends_with(".html"))
        .collect();
    assert_eq!(pages.len(), REGIONS.len() * 2 + 1, "{pages:?}");
}

#[test]
fn recipients_may_stand_in_a_table() {
    let from = "    recipients_from: {table: mart.readers, address: mail, locale: language, filter: {region: area}}\n";
    let project = burst("      - everything@example.com\n", from).with(
        "sql/shop/mart/readers.sql",
        "/* matins\nkey: [mail]\n*/\nSELECT mail, language, area\nFROM (VALUES ('north@example.com', 'en', 'north'), \
         ('south@example.com', 'zh-Hans', 'south'), ('no address', 'en', 'east'), ('nobody@example.com', 'en', NULL)) \
         AS t (mail, language, area)\n",
    );
    project.matins(&["check"]).ok();
    project.matins(&["run", "--as-of", "2024-02-01"]).ok().says("2 rows of `mart.readers` get none");
    let mails = project.files("mail");
    assert_eq!(mails.len(), 3, "{:?}", mails.keys());
    for (name, theirs) in [("everything", &REGIONS[..]), ("north", &["north"]), ("south", &["south"])] {
        let (_, bytes) = mails.iter().find(|(file, _)| file.contains(&format!("-{name}@"))).expect("a mail");
        let said = everything(&MessageParser::default().parse(bytes).expect("a message"));
        for region in REGIONS {
            assert_eq!(said.contains(&secret(region)), theirs.contains(&region), "{name} and the rows of {region}");
        }
    }
    project.edit("pipelines/shop.yaml", "filter: {region: area}", "filter: {regon: area}");
    project.matins(&["check"]).code(2).says("has no such column").says("did you mean `region`?");
}

/// What a stranger may have called themselves.
const HOSTILE: [&str; 6] = [
    "=cmd|' /C calc'!A0",
    "@SUM(1+1)*cmd",
    "<script>alert(1)</script>",
    "\u{202e}evil\u{202c}",
    "🦉 Ünï 客户",
    "Bcc: nobody@example.com",
];

fn hostile() -> Project {
    let project = burst(
        "      - \"=cmd() 🦉 <everything@example.com>\"\n      - {address: zh@example.com, locale: zh-Hans}\n",
        "",
    );
    let names: String =
        HOSTILE.iter().enumerate().map(|(n, name)| format!("h-{n},2024-01-20,1.50,north~{name}\n")).collect();
    let text = project.read("exports/orders/2024-01-31.csv");
    project.write("exports/orders/2024-01-31.csv", format!("{text}{names}"));
    project
}

/// The cells of a workbook as `LibreOffice` reads them: by sheet, lines of fields.
fn through_libreoffice(book: &[u8]) -> Option<BTreeMap<String, Vec<String>>> {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("book.xlsx"), book).expect("a file");
    let home = format!("-env:UserInstallation=file://{}/home", folder.path().display());
    // Comma, quotes, UTF-8, from line 1, every sheet, values and not how they are shown.
    let csv = "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,true,false,false,false,-1";
    let ended = std::process::Command::new("soffice")
        .args([&home, "--headless", "--convert-to", csv, "--outdir"])
        .args([folder.path(), &folder.path().join("book.xlsx")])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .status()
        .ok()?;
    assert!(ended.success(), "LibreOffice opens it");
    let files = std::fs::read_dir(folder.path()).expect("a folder").map(|e| e.expect("an entry").path());
    let sheets = files.filter_map(|path| {
        let sheet = path.file_name()?.to_str()?.strip_prefix("book-")?.strip_suffix(".csv")?.to_owned();
        let text = std::fs::read_to_string(&path).expect("a sheet");
        Some((sheet, text.lines().map(str::to_owned).collect()))
    });
    Some(sheets.collect())
}

fn workbook(mail: &[u8]) -> (String, Vec<u8>) {
    let mail = MessageParser::default().parse(mail).expect("a message");
    let book = mail.attachments().find(|a| a.contents().starts_with(b"PK")).expect("a workbook");
    (book.attachment_name().expect("a name").to_owned(), book.contents().to_vec())
}

#[test]
fn hostile_names_do_no_harm() {
    let project = hostile();
    project.matins(&["run", "--as-of", "2024-02-01"]).ok();
    for (name, bytes) in project.files("mail") {
        let mail = MessageParser::default().parse(&bytes).expect("a message");
        let (html, text) = (mail.body_html(0).expect("HTML"), mail.body_text(0).expect("text"));
        assert!(!html.contains("<script") && html.contains("&lt;script&gt;"), "{name}");
        assert!(
            !html.contains('\u{202e}') && !text.contains('\u{202e}'),
            "{name}: nothing turns the direction of writing"
        );
        assert!(html.contains("🦉 Ünï 客户") && text.contains("🦉 Ünï 客户"), "{name}");
        assert!(mail.bcc().is_none() && mail.to().is_some_and(|to| to.clone().into_list().len() == 1), "{name}");
        let (_, book) = workbook(&bytes);
        let mut book = zip::ZipArchive::new(Cursor::new(book)).expect("a workbook");
        for at in 0..book.len() {
            let (mut file, mut xml) = (book.by_index(at).expect("a file"), String::new());
            file.read_to_string(&mut xml).expect("XML");
            assert!(!xml.contains("<f>") && !xml.contains("<f "), "{name} has a formula");
        }
    }
}

#[test]
fn a_workbook_opens_in_libreoffice_with_the_right_values() {
    let test = "a_workbook_opens_in_libreoffice_with_the_right_values";
    let project = hostile();
    project.matins(&["run", "--as-of", "2024-02-01"]).ok();
    let mails = project.files("mail");
    let of = |who: &str| {
        mails.iter().find(|(name, _)| name.contains(who)).map(|(_, bytes)| workbook(bytes)).expect("a mail")
    };
    let Some(sheets) = through_libreoffice(&of("everything").1) else {
        println!("{test}: skipped, there is no `soffice`");
        return;
    };
    let (figures, sales) = (&sheets["Key figures"], &sheets["Sales"]);
    assert!(figures[0].starts_with("Figure,Period from,Value,Unit,n,"), "{figures:?}");
    // 12 × (1000 + 2000 + … + 6000) and six of 1.50; 78 orders.
    assert!(figures[1].starts_with("Net,2024-01-01,252009,,78,"), "{figures:?}");
    assert_eq!(sales[0], "order_id,bdate,net,region,note");
    assert_eq!(sales.len(), 1 + 72 + HOSTILE.len());
    assert!(sales.contains(&format!("0-1,2024-01-01,1000,north,{}", secret("north"))), "{sales:?}");
    assert!(sales.iter().any(|line| line.contains("1.5,north,=cmd|' /C calc'!A0")), "a text, as it was: {sales:?}");
    let chinese = through_libreoffice(&of("zh").1).expect("LibreOffice was here");
    assert!(chinese["关键指标"][0].starts_with("指标,周期开始,数值"), "{chinese:?}");
}

#[test]
fn the_same_figures_are_the_same_bytes_whenever_they_are_made() {
    let project = hostile();
    project.matins(&["run", "--as-of", "2024-02-01"]).ok();
    let project = project.variable("MATINS_LAKE", "second");
    project.matins(&["run", "--as-of", "2024-02-01"]).ok();
    let messages = |lake: &str| -> BTreeMap<String, Vec<u8>> {
        project.files(&format!("{lake}/outbox")).into_iter().filter(|(path, _)| path.ends_with(".eml")).collect()
    };
    let (one, two) = (messages("lake"), messages("second"));
    assert_eq!(one.len(), 2);
    assert!(one == two, "a mail is the same to the byte: {:?} {:?}", one.keys(), two.keys());
}

#[test]
fn a_table_that_cannot_be_filtered_is_a_mistake_and_not_a_leak() {
    let recipients = "      - {address: north@example.com, filter: {area: north}}\n";
    let project = burst(recipients, "");
    project.matins(&["check"]).code(2).says("unfiltered-table").says("shared: [sales]");
    // And where nobody asked `check`, nothing is sent.
    let said = project.matins(&["run", "--as-of", "2024-02-01"]);
    assert_ne!(said.code, 0, "{}", said.out);
    assert!(project.files("mail").is_empty());
    let project = burst(recipients, "    shared: [sales]\n");
    project.matins(&["check"]).ok();
    project.matins(&["run", "--as-of", "2024-02-01"]).ok();
    assert_eq!(project.files("mail").len(), 1);
}
