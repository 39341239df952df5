//! A page as a PDF, printed by a Chromium of this machine. There is no other way that keeps the page as it is, so where there
//! is none, or it fails, the mail goes without and the run says so.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::base::AsOf;
use crate::system::Environment;

const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
const PATIENCE: Duration = Duration::from_mins(1);
const LOOK: Duration = Duration::from_millis(20);

/// The PDF of a page that needs nothing from outside itself, or why there is none. Its dates are the report's.
pub(super) async fn pdf(environment: &Environment, html: &str, as_of: &AsOf) -> Result<Vec<u8>, String> {
    let browser = browser(environment)
        .ok_or("no Chromium was found: install it, or name it in MATINS_CHROMIUM, or set `pdf: false`")?;
    let folder = tempfile::tempdir().map_err(|e| format!("no temporary folder: {e}"))?;
    let (page, printed) = (folder.path().join("page.html"), folder.path().join("page.pdf"));
    tokio::fs::write(&page, html).await.map_err(|e| format!("{}: {e}", page.display()))?;
    let said = folder.path().join("said");
    let log = std::fs::File::create(&said).map_err(|e| format!("{}: {e}", said.display()))?;
    let mut command = Command::new(&browser);
    command
        .args(["--headless", "--disable-gpu", "--no-first-run", "--disable-background-networking"])
        .args(["--disable-component-update", "--disable-sync", "--disable-extensions", "--no-pdf-header-footer"])
        // The page is ours and its values are escaped; all the same, nothing is fetched.
        .arg("--host-resolver-rules=MAP * ~NOTFOUND")
        .arg(format!("--user-data-dir={}", folder.path().join("profile").display()))
        .arg(format!("--print-to-pdf={}", printed.display()))
        .arg(format!("file://{}", page.display()))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log);
    // Chromium's own sandbox does not start as root.
    if is_root() {
        command.arg("--no-sandbox");
    }
    let mut browsing = Browsing(command.spawn().map_err(|e| format!("{}: {e}", browser.display()))?);
    let since = Instant::now();
    let status = loop {
        match browsing.0.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if since.elapsed() < PATIENCE => tokio::time::sleep(LOOK).await,
            Ok(None) => return Err(format!("{} took more than {} s", browser.display(), PATIENCE.as_secs())),
            Err(e) => return Err(format!("{}: {e}", browser.display())),
        }
    };
    let Ok(bytes) = tokio::fs::read(&printed).await else {
        let said = tokio::fs::read_to_string(&said).await.unwrap_or_default();
        let last = said.lines().rfind(|l| !l.trim().is_empty()).unwrap_or("it said nothing");
        return Err(format!("{} printed nothing ({status}): {last}", browser.display()));
    };
    Ok(dated(bytes, as_of))
}

/// Ended with the work that wanted it.
struct Browsing(Child);

impl Drop for Browsing {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn browser(environment: &Environment) -> Option<PathBuf> {
    if let Some(named) = environment.get("MATINS_CHROMIUM") {
        return Some(PathBuf::from(named));
    }
    let folders: Vec<PathBuf> = std::env::split_paths(environment.get("PATH")?).collect();
    NAMES.iter().flat_map(|name| folders.iter().map(move |f| f.join(name))).find(|path| path.is_file())
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    Path::new("/proc/self").metadata().is_ok_and(|m| m.uid() == 0)
}

/// With the report's date in place of the clock's, so that the same page is the same bytes: places in a PDF are counted in
/// bytes, and these are as many.
fn dated(mut bytes: Vec<u8>, as_of: &AsOf) -> Vec<u8> {
    let date = format!("D:{}+00'00'", as_of.0.to_utc().format("%Y%m%d%H%M%S"));
    for key in [&b"/CreationDate ("[..], b"/ModDate ("] {
        let at = bytes.windows(key.len()).position(|w| w == key).map(|at| at + key.len());
        let Some(at) = at else { continue };
        let Some(length) = bytes[at..].iter().position(|b| *b == b')') else { continue };
        if length == date.len() {
            bytes[at..at + length].copy_from_slice(date.as_bytes());
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_replaced_where_it_stands_and_nothing_moves() {
        let as_of = AsOf::parse("2011-12-10", chrono_tz::UTC).expect("a date");
        let said = b"<</CreationDate (D:20261125094500+00'00')\n/ModDate (D:20261125094500+00'00')>> tail".to_vec();
        let done = String::from_utf8(dated(said.clone(), &as_of)).expect("text");
        assert_eq!(done.matches("D:20111210000000+00'00'").count(), 2);
        assert_eq!((done.len(), done.ends_with(">> tail")), (said.len(), true));
        assert_eq!(dated(b"no dates".to_vec(), &as_of), b"no dates");
    }

    #[tokio::test]
    async fn without_a_browser_it_says_what_to_do() {
        let as_of = AsOf::parse("2011-12-10", chrono_tz::UTC).expect("a date");
        let why = pdf(&Environment::default(), "<p>", &as_of).await.expect_err("no browser");
        assert!(why.contains("MATINS_CHROMIUM") && why.contains("pdf: false"), "{why}");
    }
}
