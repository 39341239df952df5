//! Names that would do harm, through every way a report leaves the house: page, mail body, text part, subject, workbook and PDF;
//! and what programs that are not ours make of the message: Python's `email`, `LibreOffice`, poppler. Where such a program is not
//! installed its part is skipped, and says so.

use std::io::{Cursor, Read};
use std::path::PathBuf;
use std::process::Command;

use mail_parser::{Message, MessageParser, MimeHeaders};
use serde_json::Value;

use crate::project::{HEADER, Project, SHOP};

/// As they stand in the export, and as people may see them: marks that turn the direction of what follows are gone, and line
/// breaks are spaces. The mark between letters of right-to-left scripts turns nothing and stays.
const NAMES: [(&str, &str); 8] = [
    ("<script>alert(1)</script>", "<script>alert(1)</script>"),
    ("=cmd()", "=cmd()"),
    ("@SUM(1+1)", "@SUM(1+1)"),
    ("\u{202e}gpj.exe\u{202c}", "gpj.exe"),
    ("\u{200f}שלום\u{2067} עולם", "\u{200f}שלום עולם"),
    ("👩‍💻 Łukasz 张伟", "👩‍💻 Łukasz 张伟"),
    ("O'Neil \"the\" & Sons</td>", "O'Neil \"the\" & Sons</td>"),
    ("{{ title }}\r\nBcc: thief@example.com", "{{ title }}  Bcc: thief@example.com"),
];
const TURNING: [char; 3] = ['\u{202e}', '\u{202c}', '\u{2067}'];

fn project() -> Project {
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    let lines: String =
        NAMES.iter().enumerate().map(|(n, (name, _))| format!("{n},2024-01-01,{n}.50,{}\n", quoted(name))).collect();
    // A title is the project's own, and all the same goes into a header and a file's name.
    let report = "\
reports:
  - name: page
    title: \"<b>=1+1 \\u202Eb\\u202C 👩‍💻\\r\\nBcc: thief@example.com\"
    template: page.html
    pdf: true
    recipients: [board@example.com]
    data: {orders: core.orders}
";
    Project::shop()
        .with("pipelines/shop.yaml", format!("{SHOP}{report}"))
        .with(
            "report-templates/page.html",
            "<title>{{ title }}</title><h1>{{ title }}</h1>\
             <ul>{% for row in data.orders.rows %}<li title=\"{{ row.note }}\">{{ row.note }}</li>{% endfor %}</ul>\n",
        )
        .with("report-templates/page.txt", "{% for row in data.orders.rows %}* {{ row.note }}\n{% endfor %}")
        .with("exports/orders/2024-01-01.csv", format!("{HEADER}{lines}"))
}

fn installed(program: &str) -> Option<PathBuf> {
    let found =
        std::env::split_paths(&std::env::var_os("PATH")?).map(|folder| folder.join(program)).find(|p| p.is_file());
    if found.is_none() {
        eprintln!("skipped: {program} is not installed");
    }
    found
}

fn escaped(name: &str) -> String {
    let text = name.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('"', "&quot;").replace('\'', "&#x27;")
}

/// What a browser would show of a page, as far as these names need it.
fn as_read(html: &str) -> String {
    let text = html.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&#x2F;", "/");
    text.replace("&#x27;", "'").replace("&#39;", "'").replace("&amp;", "&")
}

fn harmless(what: &str, html: &str) {
    // Within quotes a `<` opens nothing; the inliner of styles leaves it there as it is.
    let outside: String = html.split('"').step_by(2).collect();
    for tag in ["<script", "<b>", "</td>", "<img", "src="] {
        assert!(!outside.contains(tag), "{what}: {tag} in {html}");
    }
    assert!(!html.contains(TURNING), "{what}: {html}");
    let read = as_read(html);
    for (_, shown) in NAMES {
        assert!(read.contains(shown), "{what} shows `{shown}`, as in {}: {html}", escaped(shown));
    }
}

fn attachment<'m>(mail: &'m Message<'_>, ending: &str) -> Option<&'m [u8]> {
    let named =
        |part: &&mail_parser::MessagePart<'_>| part.attachment_name().is_some_and(|name| name.ends_with(ending));
    mail.parts.iter().find(named).map(mail_parser::MessagePart::contents)
}

#[test]
fn hostile_names_do_no_harm_in_any_output() {
    let mut project = project();
    if let Some(browser) = installed("chromium") {
        project = project.variable("MATINS_CHROMIUM", &browser.to_string_lossy());
    }
    project.matins(&["run", "--as-of", "2024-01-02"]).ok();
    let pages = project.files("lake/reports");
    let (_, page) = pages.iter().find(|(path, _)| path.ends_with("/page/all.en.html")).expect("a page");
    harmless("the page", &String::from_utf8_lossy(page));

    let mails = project.files("mail");
    assert_eq!(mails.len(), 1, "{:?}", mails.keys());
    let (_, eml) = mails.first_key_value().expect("a mail");
    let mail = MessageParser::default().parse(eml).expect("a message");
    harmless("the mail", &mail.body_html(0).expect("an HTML part"));
    let text = mail.body_text(0).expect("a text part");
    for (_, shown) in NAMES {
        assert!(text.contains(&format!("* {shown}")), "{text}");
    }
    assert!(!text.contains(TURNING), "{text}");
    let subject = mail.subject().expect("a subject");
    assert!(subject.starts_with("<b>=1+1 b 👩‍💻 Bcc: thief@example.com"), "{subject}");
    let to = |addresses: Option<&mail_parser::Address<'_>>| {
        addresses.into_iter().flat_map(|all| all.iter()).filter_map(|one| one.address()).map(str::to_owned).collect()
    };
    let (to, hidden): (Vec<String>, Vec<String>) = (to(mail.to()), to(mail.bcc()));
    assert_eq!((to, hidden), (vec!["board@example.com".to_owned()], vec![]));

    let book = attachment(&mail, ".xlsx").expect("a workbook");
    workbook_is_harmless(book);
    office_reads(book);
    if let Some(printed) = attachment(&mail, ".pdf") {
        print_is_harmless(printed);
    }
    python_agrees(&project, &mail);
}

fn workbook_is_harmless(bytes: &[u8]) {
    let mut book = zip::ZipArchive::new(Cursor::new(bytes)).expect("a workbook");
    let mut all = String::new();
    for at in 0..book.len() {
        book.by_index(at).expect("a file of it").read_to_string(&mut all).expect("XML");
    }
    assert!(
        !all.contains("<f>") && !all.contains("<f ") && !all.contains("<script") && !all.contains(TURNING),
        "{all}"
    );
    let read = as_read(&all);
    for (_, shown) in NAMES {
        assert!(read.contains(shown), "the workbook shows `{shown}`");
    }
}

/// The workbook as `LibreOffice` opens it, a sheet a file: amounts are numbers, and `=cmd()` is still a text.
fn office_reads(bytes: &[u8]) {
    let Some(office) = installed("soffice") else { return };
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("book.xlsx"), bytes).expect("a file");
    let status = Command::new(office)
        .arg(format!("-env:UserInstallation=file://{}", folder.path().join("profile").display()))
        .args([
            "--headless",
            "--convert-to",
            "csv:Text - txt - csv (StarCalc):9,34,76,1,,0,false,true,false,false,false,-1",
        ])
        .args(["--outdir", &folder.path().to_string_lossy()])
        .arg(folder.path().join("book.xlsx"))
        .env("HOME", folder.path())
        .output()
        .expect("LibreOffice");
    let sheet =
        std::fs::read_to_string(folder.path().join("book-Orders.csv")).unwrap_or_else(|e| panic!("{e}: {status:?}"));
    // Tabs between cells, and none in them; a cell with a quotation mark stands in such marks.
    let cell = |text: &str| match text.strip_prefix('"').and_then(|t| t.strip_suffix('"')) {
        Some(inside) => inside.replace("\"\"", "\""),
        None => text.to_owned(),
    };
    let mut rows: Vec<Vec<String>> = sheet.lines().map(|line| line.split('\t').map(cell).collect()).collect();
    assert_eq!(rows.remove(0), ["order_id", "bdate", "net", "note"]);
    rows.sort();
    for (n, (row, (_, shown))) in rows.iter().zip(NAMES).enumerate() {
        let net: f64 = row[2].parse().expect("a number");
        #[expect(clippy::cast_precision_loss, reason = "eight rows")]
        let expected = n as f64 + 0.5;
        assert!((net - expected).abs() < 1e-9, "{row:?}");
        assert_eq!((row[0].as_str(), row[1].as_str(), row[3].as_str()), (&*n.to_string(), "2024-01-01", shown));
    }
    assert_eq!(rows.len(), NAMES.len());
}

fn print_is_harmless(bytes: &[u8]) {
    assert!(bytes.starts_with(b"%PDF"));
    let Some(poppler) = installed("pdftotext") else { return };
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("page.pdf"), bytes).expect("a file");
    let output =
        Command::new(poppler).args(["-layout", "page.pdf", "-"]).current_dir(folder.path()).output().expect("poppler");
    let text = String::from_utf8_lossy(&output.stdout);
    for told in ["<script>alert(1)</script>", "=cmd()", "gpj.exe", "O'Neil \"the\" & Sons</td>", "{{ title }} Bcc:"] {
        assert!(text.contains(told), "the PDF shows `{told}`: {text}");
    }
}

/// Another parser, written by other people in another language, finds the same parts and no defect.
fn python_agrees(project: &Project, mail: &Message<'_>) {
    const READ: &str = "
import email, email.policy, glob, json
path, = glob.glob('mail/*.eml')
mail = email.message_from_binary_file(open(path, 'rb'), policy=email.policy.default)
parts = list(mail.walk())
print(json.dumps({
    'subject': mail['subject'], 'id': mail['message-id'], 'defects': [str(d) for p in parts for d in p.defects],
    'kinds': [p.get_content_type() for p in parts], 'files': [p.get_filename() for p in parts if p.get_filename()],
    'text': mail.get_body(('plain',)).get_content(), 'html': mail.get_body(('html',)).get_content(),
    'bcc': mail['bcc'],
}))";
    let Some(python) = installed("python3") else { return };
    let output = Command::new(python).args(["-c", READ]).current_dir(project.path("")).output().expect("Python");
    let said: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&output.stderr)));
    assert_eq!(said["defects"], Value::Array(vec![]));
    assert_eq!(said["bcc"], Value::Null);
    // One of them makes a space of two where encoded words meet.
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(said["subject"].as_str().map(words), mail.subject().map(words));
    assert_eq!(said["id"].as_str().map(|id| id.trim_matches(['<', '>'])), mail.message_id());
    let plain = |text: &str| text.replace("\r\n", "\n").trim_end().to_owned();
    assert_eq!(said["text"].as_str().map(plain), mail.body_text(0).as_deref().map(plain));
    assert_eq!(said["html"].as_str().map(plain), mail.body_html(0).as_deref().map(plain));
    let ours: Vec<&str> = mail.parts.iter().filter_map(|part| part.attachment_name()).collect();
    let theirs: Vec<&str> = said["files"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    assert_eq!(theirs, ours);
    assert!(theirs.iter().any(|name| name.ends_with(".xlsx")), "{theirs:?}");
}
