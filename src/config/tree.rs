//! YAML text → a tree of nodes that know where they stand. Knows no key of Matins.
//!
//! Aliases, tags and second documents are refused: a setting stands where it is used, and no small text can grow large.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use granit_parser::{Event, Parser, ScalarStyle, Span};

use crate::base::{Diagnostic, Diagnostics, Place, SourceText};
use crate::system::Environment;

use super::substitute::substitute;

/// One value of the text.
#[derive(Debug, Clone)]
pub(super) struct Node {
    /// Bytes of the file.
    pub(super) span: Range<usize>,
    pub(super) value: Value,
}

#[derive(Debug, Clone)]
pub(super) enum Value {
    /// Nothing was written.
    Null,
    Scalar(Scalar),
    List(Vec<Node>),
    Map(Vec<Entry>),
    /// Already reported; whoever meets it stays silent.
    Broken,
}

#[derive(Debug, Clone)]
pub(super) struct Scalar {
    /// After substitution.
    pub(super) text: String,
    /// Written without quotes, so that `true` is a boolean and `1` a number.
    pub(super) plain: bool,
    /// Holds a variable's value, which is never shown.
    pub(super) substituted: bool,
    /// The variable it needs that nobody set.
    pub(super) unset: Option<String>,
}

#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) key_span: Range<usize>,
    pub(super) node: Node,
}

impl Node {
    fn broken(span: Range<usize>) -> Self {
        Self { span, value: Value::Broken }
    }

    pub(super) fn is_null(&self) -> bool {
        matches!(self.value, Value::Null)
    }

    pub(super) fn is_broken(&self) -> bool {
        matches!(self.value, Value::Broken)
    }

    pub(super) fn scalar(&self) -> Option<&Scalar> {
        match &self.value {
            Value::Scalar(scalar) => Some(scalar),
            _ => None,
        }
    }

    /// The text of a scalar that has one.
    pub(super) fn text(&self) -> Option<&str> {
        self.scalar().filter(|s| s.unset.is_none()).map(|s| s.text.as_str())
    }

    /// The items of a list, or the one value that stands for a list of one.
    pub(super) fn items(&self) -> &[Node] {
        match &self.value {
            Value::List(items) => items,
            Value::Scalar(_) => std::slice::from_ref(self),
            _ => &[],
        }
    }

    pub(super) fn entries(&self) -> &[Entry] {
        match &self.value {
            Value::Map(entries) => entries,
            _ => &[],
        }
    }

    pub(super) fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().find(|e| e.key == key)
    }

    /// What it is, for a message.
    pub(super) fn what(&self) -> &'static str {
        match &self.value {
            Value::Null | Value::Broken => "nothing",
            Value::Scalar(_) => "a single value",
            Value::List(_) => "a list",
            Value::Map(_) => "a mapping",
        }
    }
}

/// Reads the part of a file that is YAML. `None` when it cannot be read at all; an empty text is an empty mapping.
pub(super) fn parse(
    file: &Arc<SourceText>,
    part: Range<usize>,
    environment: &Environment,
    found: &mut Diagnostics,
) -> Option<Node> {
    let text = file.text.get(part.clone())?;
    let mut builder =
        Builder { file, base: part.start, end: part.end, environment, found, open: Vec::new(), root: None };
    let options = granit_parser::options! { emit_comments: false, flow_nesting_limit: 60, block_nesting_limit: 60 };
    let mut parser = Parser::new_from_str_with_options(text, options);
    while let Some(next) = parser.next_event() {
        match next {
            Ok((event, span)) => {
                if !builder.take(event, span) {
                    break;
                }
            }
            Err(error) => {
                let at = builder.base + error.marker().byte_offset().unwrap_or(0).min(text.len());
                let span = at..char_end(&file.text, at);
                let mut diagnostic = Diagnostic::error("yaml-syntax", error.info()).at(Place::new(file, span));
                if line_of(&file.text, at).contains("${") {
                    diagnostic = diagnostic.help("put quotes around a text that holds `${…}`");
                } else {
                    diagnostic = diagnostic
                        .help("texts with `: `, ` #`, `{`, `[`, `*`, `%` or `,` in special places need quotes");
                }
                builder.found.push(diagnostic);
                return None;
            }
        }
    }
    Some(builder.root.unwrap_or(Node { span: part.start..part.start, value: Value::Map(Vec::new()) }))
}

fn char_end(text: &str, at: usize) -> usize {
    text.get(at..).and_then(|rest| rest.chars().next()).map_or(at, |c| at + c.len_utf8())
}

fn line_of(text: &str, at: usize) -> &str {
    let start = text.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |n| n + 1);
    text.get(start..).and_then(|rest| rest.lines().next()).unwrap_or_default()
}

enum Open {
    List { start: usize, items: Vec<Node> },
    Map { start: usize, entries: Vec<Entry>, seen: HashMap<String, usize>, key: Option<Node> },
}

struct Builder<'a> {
    file: &'a Arc<SourceText>,
    base: usize,
    end: usize,
    environment: &'a Environment,
    found: &'a mut Diagnostics,
    open: Vec<Open>,
    root: Option<Node>,
}

impl Builder<'_> {
    /// Whether to go on.
    fn take(&mut self, event: Event<'_>, span: Span) -> bool {
        let range = span.byte_range().unwrap_or(0..0);
        let span = (self.base + range.start).min(self.end)..(self.base + range.end).min(self.end);
        match event {
            Event::DocumentStart(..) if self.root.is_some() => {
                self.error("yaml-document", "a file holds one document", span, "remove what follows the second `---`");
                return false;
            }
            Event::Alias(_) => {
                let help = "write the value out where it is used";
                self.error("yaml-alias", "an alias (`*name`) is not used here", span.clone(), help);
                self.add(Node::broken(span));
            }
            Event::Scalar(text, style, _, tag) => {
                self.refuse_tag(tag.is_some(), &span);
                // The value of a key follows it: a key is compared as written, never substituted.
                let is_key = matches!(self.open.last(), Some(Open::Map { key: None, .. }));
                let node = self.scalar(&text, style, span, is_key);
                self.add(node);
            }
            Event::SequenceStart(_, _, tag) => {
                self.refuse_tag(tag.is_some(), &span);
                self.open.push(Open::List { start: span.start, items: Vec::new() });
            }
            Event::MappingStart(_, _, tag) => {
                self.refuse_tag(tag.is_some(), &span);
                self.open.push(Open::Map { start: span.start, entries: Vec::new(), seen: HashMap::new(), key: None });
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(Open::List { start, items }) => {
                    let end = self.trimmed(start, span.end);
                    self.add(Node { span: start..end, value: Value::List(items) });
                }
                Some(Open::Map { start, entries, .. }) => {
                    let end = self.trimmed(start, span.end);
                    self.add(Node { span: start..end, value: Value::Map(entries) });
                }
                None => {}
            },
            _ => {}
        }
        true
    }

    fn scalar(&self, text: &str, style: ScalarStyle, span: Range<usize>, is_key: bool) -> Node {
        let plain = style == ScalarStyle::Plain;
        if plain && matches!(text, "" | "~" | "null" | "Null" | "NULL") && !is_key {
            return Node { span, value: Value::Null };
        }
        let span = span.start..self.trimmed(span.start, span.end);
        let scalar = if is_key {
            Scalar { text: text.to_owned(), plain, substituted: false, unset: None }
        } else {
            let replaced = substitute(text, self.environment);
            Scalar { text: replaced.text, plain, substituted: replaced.substituted, unset: replaced.unset }
        };
        Node { span, value: Value::Scalar(scalar) }
    }

    fn add(&mut self, node: Node) {
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(Open::List { items, .. }) => items.push(node),
            Some(Open::Map { key: key @ None, .. }) => *key = Some(node),
            Some(Open::Map { entries, seen, key, .. }) => {
                let Some(key) = key.take() else { return };
                let Some(scalar) = key.scalar() else {
                    if !key.is_broken() {
                        let help = "put quotes around a text that begins with `{` or `[`";
                        self.error("yaml-key", "a key must be a text", key.span, help);
                    }
                    return;
                };
                let text = scalar.text.clone();
                if let Some(first) = seen.get(&text) {
                    let line = self.file.line_column(*first).0;
                    let help = format!("it stands on line {line} already: remove one of them");
                    self.error("duplicate-key", &format!("`{text}` is given twice"), key.span, &help);
                    return;
                }
                seen.insert(text.clone(), key.span.start);
                entries.push(Entry { key: text, key_span: key.span, node });
            }
        }
    }

    fn refuse_tag(&mut self, tagged: bool, span: &Range<usize>) {
        if tagged {
            let help = "remove it; quotes make a text of a number";
            self.error("yaml-tag", "a tag (`!name`) is not used here", span.clone(), help);
        }
    }

    /// The end of a block reaches to the next token: white space after it belongs to nobody.
    fn trimmed(&self, start: usize, end: usize) -> usize {
        self.file.text.get(start..end).map_or(end, |text| start + text.trim_end().len())
    }

    fn error(&mut self, code: &'static str, message: &str, span: Range<usize>, help: &str) {
        self.found.push(Diagnostic::error(code, message).at(Place::new(self.file, span)).help(help));
    }
}
