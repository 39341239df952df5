//! What people see: results on stdout, everything else on stderr; colour only on a terminal, `NO_COLOR` obeyed.

use std::io::{IsTerminal, Write};

use annotate_snippets::{AnnotationKind, Group, Level as Shown, Renderer, Snippet};
use anstyle::{AnsiColor, Style};
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

use crate::base::{Diagnostic, Diagnostics, Level, human_count};
use crate::cli::args::{Cli, LogFormat};
use crate::engine::{Cell, Rows};
use crate::lake::{CheckOutcome, CheckStatus};

/// Where things are printed, and how.
#[expect(clippy::struct_excessive_bools, reason = "four questions that have nothing to do with each other")]
pub struct Screen {
    pub quiet: bool,
    pub json: bool,
    /// Whether what goes to stderr is one JSON object a line.
    pub log_json: bool,
    /// Whether a person looks at stderr.
    pub live: bool,
}

const BOLD: Style = Style::new().bold();
pub const GREEN: Style = AnsiColor::Green.on_default();
pub const RED: Style = AnsiColor::Red.on_default().bold();
const YELLOW: Style = AnsiColor::Yellow.on_default().bold();
pub const DIM: Style = Style::new().dimmed();

impl Screen {
    pub fn new(cli: &Cli) -> Self {
        let filter = tracing_subscriber::EnvFilter::try_from_env("MATINS_LOG").unwrap_or_else(|_| "warn".into());
        // Another subscriber, as a test may have set, is as good.
        let log_json = cli.log_format == LogFormat::Json;
        let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
        let _ = if log_json {
            log.json().flatten_event(true).try_init()
        } else {
            log.with_ansi(std::io::stderr().is_terminal()).try_init()
        };
        let live = !cli.quiet && !log_json && std::io::stderr().is_terminal();
        Self { quiet: cli.quiet, json: cli.json, log_json, live }
    }

    /// A result. A reader that has left, as `head` does, is no failure.
    pub fn print(&self, text: &str) {
        let _ = writeln!(anstream::stdout(), "{text}");
    }

    pub fn print_json(&self, value: &serde_json::Value) {
        self.print(&serde_json::to_string_pretty(value).unwrap_or_default());
    }

    /// Something about the work, not its result.
    pub fn say(&self, text: &str) {
        if !self.quiet && !self.logged("info", text) {
            let _ = writeln!(anstream::stderr(), "{text}");
        }
    }

    pub fn error(&self, text: &str) {
        if !self.logged("error", text) {
            let _ = writeln!(anstream::stderr(), "{RED}error{RED:#}{BOLD}: {text}{BOLD:#}");
        }
    }

    pub fn warning(&self, text: &str) {
        if !self.logged("warning", text) {
            let _ = writeln!(anstream::stderr(), "{YELLOW}warning{YELLOW:#}: {text}");
        }
    }

    pub fn note(&self, text: &str) {
        if !self.logged("note", text) {
            let _ = writeln!(anstream::stderr(), "  {text}");
        }
    }

    /// Writes a line for a program that collects logs, where that is wanted.
    fn logged(&self, level: &str, text: &str) -> bool {
        if self.log_json {
            let text = anstream::adapter::strip_str(text).to_string();
            let _ = writeln!(std::io::stderr(), "{}", serde_json::json!({ "level": level, "message": text }));
        }
        self.log_json
    }

    /// All mistakes, each with its lines, then their number.
    pub fn diagnostics(&self, all: &Diagnostics) {
        for one in &all.0 {
            self.diagnostic(one);
        }
        let errors = all.0.iter().filter(|d| d.level == Level::Error).count();
        let warnings = all.0.iter().filter(|d| d.level == Level::Warning).count();
        let count = |n: usize, what: &str| if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") };
        match (errors, warnings) {
            (0, 0) => {}
            (0, n) => self.say(&count(n, "warning")),
            (n, 0) => self.error(&format!("{} found", count(n, "mistake"))),
            (e, w) => self.error(&format!("{} and {} found", count(e, "mistake"), count(w, "warning"))),
        }
    }

    /// One mistake, with its lines.
    pub fn diagnostic(&self, one: &Diagnostic) {
        if self.log_json {
            let place = one.place.as_ref().map(ToString::to_string);
            let line = serde_json::json!({ "level": one.level, "message": one.message, "code": one.code, "place": place, "help": one.help });
            let _ = writeln!(std::io::stderr(), "{line}");
            return;
        }
        let _ = writeln!(anstream::stderr(), "{}\n", render(&Renderer::styled(), one));
    }

    /// A mistake with its lines, as part of a result.
    pub fn shown(&self, one: &Diagnostic) -> String {
        render(&Renderer::styled(), one)
    }

    /// A result of a query.
    pub fn rows(&self, rows: &Rows) {
        if self.json {
            let all: Vec<serde_json::Value> = rows.rows.iter().map(|row| object(rows, row)).collect();
            self.print_json(&all.into());
            return;
        }
        let header: Vec<String> = rows.columns.iter().map(|(name, _)| name.clone()).collect();
        let numeric: Vec<bool> = rows.columns.iter().map(|(_, t)| t.is_numeric()).collect();
        let body: Vec<Vec<String>> = rows.rows.iter().map(|row| row.iter().map(Cell::text).collect()).collect();
        self.table(&header, &numeric, body);
        if !self.quiet {
            let count = rows.rows.len();
            self.say(&format!("{DIM}{} {}{DIM:#}", human_count(count as u64), if count == 1 { "row" } else { "rows" }));
        }
    }

    /// A table for people; numbers to the right.
    pub fn table(&self, header: &[String], right: &[bool], body: Vec<Vec<String>>) {
        let mut table = Table::new();
        table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled).set_header(header);
        for row in body {
            table.add_row(row);
        }
        for (at, right) in right.iter().enumerate() {
            if let Some(column) = table.column_mut(at).filter(|_| *right) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        let lines: Vec<String> = table.to_string().lines().map(|l| l.trim_end().to_owned()).collect();
        self.print(&lines.join("\n"));
    }
}

fn object(rows: &Rows, row: &[Cell]) -> serde_json::Value {
    rows.columns
        .iter()
        .zip(row)
        .map(|((name, _), cell)| (name.clone(), cell.json()))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

fn render(renderer: &Renderer, one: &Diagnostic) -> String {
    let level = match one.level {
        Level::Error => Shown::ERROR,
        Level::Warning => Shown::WARNING,
        Level::Note => Shown::NOTE,
    };
    let title = level.primary_title(one.message.as_str()).id(one.code);
    let path = one.place.as_ref().map(|p| p.file.path.display().to_string()).unwrap_or_default();
    let mut groups = Vec::new();
    match &one.place {
        Some(place) => {
            let end = place.file.text.len();
            let span = place.span.start.min(end)..place.span.end.min(end).max(place.span.start.min(end));
            let snippet = Snippet::source(place.file.text.as_str())
                .path(path.as_str())
                .annotation(AnnotationKind::Primary.span(span));
            groups.push(title.element(snippet));
        }
        // Without lines to show, what to do stands right below.
        None => {
            let title = renderer.render(&[Group::with_title(title)]);
            return match &one.help {
                Some(help) => format!("{title}\nhelp: {help}"),
                None => title,
            };
        }
    }
    if let Some(help) = &one.help {
        groups.push(Group::with_title(Shown::HELP.secondary_title(help.as_str())));
    }
    renderer.render(&groups)
}

/// `warn unique(order_id) on core.orders: 3 of 1,200 rows (allowed 5)`.
pub fn outcome_line(outcome: &CheckOutcome) -> String {
    let word = match outcome.status {
        CheckStatus::Passed => "passed",
        CheckStatus::Noted => "noted",
        CheckStatus::Failed => "failed",
    };
    let note = outcome.note.as_ref().map(|n| format!(" ({n})")).unwrap_or_default();
    format!(
        "{word} {} on {}: {} of {} rows{note}",
        outcome.check,
        outcome.table,
        human_count(outcome.bad_rows),
        human_count(outcome.rows)
    )
}
