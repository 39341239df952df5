//! The plain text of a report whose template has no `.txt` beside it.

use super::context::View;
use super::input::ReportInput;

pub(super) fn text(input: &ReportInput, view: &View) -> String {
    let mut lines = vec![view.title.clone(), view.through.clone(), String::new()];
    for sentence in &view.changes {
        lines.push(format!("* {sentence}"));
    }
    if !view.changes.is_empty() {
        lines.push(String::new());
    }
    lines.extend(view.kpis.iter().map(|kpi| kpi.summary.clone()));
    lines.push(String::new());
    lines.push(view.quality.sentence.clone());
    lines.push(format!("Pipeline {}, as of {}, content {}", input.pipeline, input.as_of, input.content));
    lines.push(String::new());
    lines.join("\n")
}
