//! `matins report preview`: a report as it would be made now, in a browser on this machine or as files.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::net::TcpListener;

use crate::base::{Diagnostics, Observer};
use crate::cli::args::{Cli, PreviewArgs};
use crate::cli::progress::Progress;
use crate::cli::project::{files, pipeline};
use crate::cli::screen::Screen;
use crate::config::{self, Locale};
use crate::pages::{Make, Stamp, serve_preview};
use crate::report::Rendered;
use crate::run::{Preview, RunError, describe, open};
use crate::system::{ProjectFiles, System, read_project};

pub async fn preview(cli: &Cli, screen: &Screen, system: &System, args: &PreviewArgs) -> Result<(), RunError> {
    let found = files(cli)?;
    if let Some(folder) = &args.out {
        let locale = Locale::ALL.into_iter().find(|l| l.tag() == args.locale).unwrap_or_default();
        let preview = made(&found, system, args, locale).await?;
        write(folder, &preview.rendered)?;
        let of = preview.snapshot.map_or_else(|| "made-up rows".to_owned(), |n| format!("snapshot {n}"));
        screen.print(&format!(
            "wrote page.html, mail.html, text.txt and {} pictures of {of} to {}",
            preview.rendered.images.len(),
            folder.display()
        ));
        return Ok(());
    }
    let listener = TcpListener::bind(("127.0.0.1", args.port)).await.map_err(|cause| RunError::Files {
        what: format!("listening on 127.0.0.1:{} (`--port` names another)", args.port),
        cause,
    })?;
    let root = found.root.clone();
    let (system, named) = (system.clone(), (args.report.clone(), args.pipeline.clone(), args.made_up));
    let of = root.clone();
    let make: Make = Arc::new(move |locale| {
        let (root, system) = (of.clone(), system.clone());
        let (report, pipeline, made_up) = named.clone();
        Box::pin(async move {
            let args = PreviewArgs { report, pipeline, made_up, port: 0, out: None, locale: String::new() };
            let found = read_project(&root).map_err(|e| e.to_string())?;
            made(&found, &system, &args, locale).await.map(|p| p.rendered).map_err(|e| told(&e))
        })
    });
    let stamp: Stamp = Arc::new(move || stamp(&root));
    let failed = |cause| RunError::Files { what: "serving the preview".to_owned(), cause };
    let port = listener.local_addr().map_err(failed)?.port();
    screen.print(&format!("http://127.0.0.1:{port}/ shows the report as the project's files say now; Ctrl-C ends"));
    let end = async {
        super::told_to_stop().await;
    };
    serve_preview(listener, make, stamp, end).await.map_err(failed)
}

async fn made(found: &ProjectFiles, system: &System, args: &PreviewArgs, locale: Locale) -> Result<Preview, RunError> {
    let (project, mistakes) = config::load(found, &system.environment);
    let project = match project {
        Some(project) if !mistakes.has_errors() => Arc::new(project),
        _ => return Err(RunError::Project(mistakes)),
    };
    let pipeline = pipeline(&project, args.pipeline.as_deref())?;
    let observer: Arc<dyn Observer> = Arc::new(Progress::silent());
    let shop = open(&project, pipeline, system, &observer)?;
    crate::run::preview(&shop, args.report.as_deref(), locale, args.made_up).await
}

/// For a browser: every mistake of the project, or what failed.
fn told(error: &RunError) -> String {
    let RunError::Project(Diagnostics(all)) = error else { return describe(error) };
    let line = |d: &crate::base::Diagnostic| {
        let place = d.place.as_ref().map(|p| format!("{p}: ")).unwrap_or_default();
        let help = d.help.as_ref().map(|h| format!("\n    {h}")).unwrap_or_default();
        format!("{place}{}{help}", d.message)
    };
    all.iter().map(line).collect::<Vec<_>>().join("\n\n")
}

fn write(folder: &Path, rendered: &Rendered) -> Result<(), RunError> {
    let keep = |name: &str, bytes: &[u8]| {
        let path: PathBuf = folder.join(name);
        std::fs::write(&path, bytes)
            .map_err(|cause| RunError::Files { what: format!("writing {}", path.display()), cause })
    };
    std::fs::create_dir_all(folder)
        .map_err(|cause| RunError::Files { what: format!("making {}", folder.display()), cause })?;
    let mut mail = rendered.mail_html.clone();
    for image in &rendered.images {
        let name = format!("{}.png", image.id.split('@').next().unwrap_or_default());
        mail = mail.replace(&format!("src=\"cid:{}\"", image.id), &format!("src=\"{name}\""));
        keep(&name, &image.png)?;
    }
    keep("page.html", rendered.html.as_bytes())?;
    keep("mail.html", mail.as_bytes())?;
    keep("text.txt", format!("{}\n\n{}", rendered.subject, rendered.text).as_bytes())
}

/// Of the names and times of everything a report is made from.
fn stamp(root: &Path) -> u64 {
    let mut state = DefaultHasher::new();
    for folder in ["report-templates", "pipelines", "sql"] {
        below(&root.join(folder), &mut state);
    }
    file(root.join("matins.yaml"), &mut state);
    state.finish()
}

fn file(path: PathBuf, state: &mut DefaultHasher) {
    if let Ok(of) = path.metadata() {
        (path, of.len(), of.modified().ok()).hash(state);
    }
}

fn below(folder: &Path, state: &mut DefaultHasher) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|e| e.path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            below(&path, state);
        } else {
            file(path, state);
        }
    }
}
