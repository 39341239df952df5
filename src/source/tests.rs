//! Whole exports through the room: what lands, what is set aside, and that nothing else matters.
use super::*;
use crate::base::SourceText;
use crate::base::Place;
use crate::config::*;
pub(super) fn column(name: &str, kind: ColumnKind) -> Column {
    let file = SourceText::new("p.yaml", "");
    Column { name: name.to_owned(), headers: vec![name.to_owned()], kind, required: false, null_tokens: vec![], accepted: None, min: None, max: None, pii: None, description: None, place: Place::file(&file) }
}
pub(super) fn source(name: &str, columns: Vec<Column>) -> Source {
    let file = SourceText::new("p.yaml", "");
    Source { name: name.parse().expect("a name"), place: Place::file(&file), store: "exports".parse().expect("a name"),
        pattern: ExportPattern { text: "{date}.csv".to_owned(), date_format: None }, mode: Mode::Append,
        format: CsvFormat { delimiter: b',', quote: b'"', encoding: "utf-8".to_owned(), null_tokens: vec![], trim: false },
        columns, key: vec![], keep: Keep::Last, unknown_columns: UnknownColumns::Warn, on_vanish: OnVanish::Keep, quarantine_limit: 0.01, checks: vec![] }
}
