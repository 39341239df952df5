//! What may be written where: shapes of values, and the pass that reports whatever does not fit.
//!
//! Shapes are data (`keys.rs`). The decoder, this pass and the JSON Schema read the same ones, so they cannot disagree.
//! After this pass the decoders may pass over a wrong shape in silence: it has been reported.

use std::ops::Range;
use std::sync::Arc;

use crate::base::{Diagnostic, Diagnostics, Place, SourceText, closest};

use super::number;
use super::tree::{Entry, Node, Value};

/// The shape of one value.
#[derive(Debug)]
pub(super) enum Shape {
    /// Any single value; a number is taken as it is written.
    Text,
    /// A text whose variables need not be set until somebody uses it.
    Setting,
    /// A text of this form (a regular expression, for editors); its decoder says what is wrong with it.
    Form(&'static str),
    OneOf(&'static [&'static str]),
    Boolean,
    /// A whole number of at least this.
    Whole(i64),
    Number,
    /// A number or a text, kept as written.
    Literal,
    /// A value of a row: the same, or nothing.
    Cell,
    /// `1%` or `0.01`.
    Share,
    Date,
    List(&'static Shape),
    /// One value, or a list of them.
    OneOrMany(&'static Shape),
    /// Names the user chooses (of this form) with values of one shape.
    Map(&'static str, &'static Shape),
    Object(&'static Object),
    /// A short form, or a mapping that says it all.
    Either(&'static Shape, &'static Object),
}

/// A mapping whose keys Matins knows.
#[derive(Debug)]
pub(super) struct Object {
    pub(super) name: &'static str,
    pub(super) keys: &'static [Key],
    pub(super) need: Need,
}

/// Which of an object's keys must be there, besides the required ones.
#[derive(Debug)]
pub(super) enum Need {
    Nothing,
    ExactlyOne(&'static [&'static str]),
    AtLeastOne(&'static [&'static str]),
}

#[derive(Debug)]
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) doc: &'static str,
    pub(super) shape: Shape,
    pub(super) required: bool,
}

/// The file being read, and the mistakes found in it.
pub(super) struct Reading<'a> {
    pub(super) file: &'a Arc<SourceText>,
    pub(super) found: &'a mut Diagnostics,
}

impl Reading<'_> {
    pub(super) fn place(&self, span: &Range<usize>) -> Place {
        Place::new(self.file, span.clone())
    }

    pub(super) fn error(
        &mut self,
        code: &'static str,
        span: &Range<usize>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.found.push(Diagnostic::error(code, message).at(self.place(span)).help(help));
    }

    /// Reports a word that is none of the known ones, offering the nearest.
    pub(super) fn unknown<'c>(
        &mut self,
        code: &'static str,
        span: &Range<usize>,
        message: String,
        wrong: &str,
        kind: &str,
        known: impl IntoIterator<Item = &'c str> + Clone,
    ) {
        let listed = known.clone().into_iter().map(|k| format!("`{k}`")).collect::<Vec<_>>().join(", ");
        let listed = if listed.is_empty() { format!("there are no {kind}") } else { format!("{kind}: {listed}") };
        let help = match closest(wrong, known) {
            Some(near) => format!("did you mean `{near}`? {listed}"),
            None => listed,
        };
        self.error(code, span, message, help);
    }

    /// A scalar's text as it may be shown: never what a variable held.
    pub(super) fn shown<'n>(&'n self, node: &'n Node) -> &'n str {
        match node.scalar() {
            Some(scalar) if !scalar.substituted => &scalar.text,
            _ => self.file.text.get(node.span.clone()).unwrap_or_default(),
        }
    }

    /// Reports what does not fit; `what` names the value in messages.
    pub(super) fn examine(&mut self, what: &str, node: &Node, shape: &Shape) {
        if node.is_broken() {
            return;
        }
        if let Some(variable) = node.scalar().and_then(|s| s.unset.as_deref()) {
            if !matches!(shape, Shape::Setting | Shape::Either(Shape::Setting, _)) {
                let help = format!("set it, or give a default: `${{{variable}:-…}}`");
                self.error(
                    "unset-variable",
                    &node.span,
                    format!("{what} needs the variable `{variable}`, which is not set"),
                    help,
                );
            }
            return;
        }
        match shape {
            Shape::List(item) => match &node.value {
                Value::List(items) => self.items(what, items, item),
                _ => self.wrong(what, node, "a list", "write it as `[a, b]`, or one `- item` a line"),
            },
            Shape::OneOrMany(item) => match &node.value {
                Value::List(items) => self.items(what, items, item),
                Value::Scalar(_) => self.examine(what, node, item),
                _ => self.wrong(what, node, "a value or a list of them", "write it as `a` or `[a, b]`"),
            },
            Shape::Map(_, value) => match &node.value {
                Value::Map(entries) => {
                    for entry in entries {
                        self.examine(&format!("`{}`", entry.key), &entry.node, value);
                    }
                }
                _ => self.wrong(what, node, "a mapping", "write one `name: value` a line"),
            },
            Shape::Object(object) => match &node.value {
                Value::Map(entries) => self.object(what, node, entries, object),
                _ => self.wrong(what, node, "a mapping", format!("known keys: {}", known(object))),
            },
            Shape::Either(short, object) => match &node.value {
                Value::Map(entries) => self.object(what, node, entries, object),
                _ => self.examine(what, node, short),
            },
            Shape::Cell if node.is_null() => {}
            _ => match node.scalar() {
                Some(scalar) => self.scalar(what, node, &scalar.text, scalar.plain, shape),
                None => self.wrong(what, node, expected(shape), "write one value after the colon"),
            },
        }
    }

    fn items(&mut self, what: &str, items: &[Node], shape: &Shape) {
        for item in items {
            self.examine(&format!("an item of {what}"), item, shape);
        }
    }

    fn object(&mut self, what: &str, node: &Node, entries: &[Entry], object: &Object) {
        for entry in entries {
            match object.keys.iter().find(|k| k.name == entry.key) {
                // `key:` with nothing after it is a setting not made.
                Some(_) if entry.node.is_null() => {}
                Some(key) => self.examine(&format!("`{}`", key.name), &entry.node, &key.shape),
                None => self.unknown(
                    "unknown-key",
                    &entry.key_span,
                    format!("{} has no key `{}`", object.name, entry.key),
                    &entry.key,
                    "known keys",
                    object.keys.iter().map(|k| k.name),
                ),
            }
        }
        let given = |name: &str| entries.iter().filter(|e| e.key == name && !e.node.is_null()).count() > 0;
        for key in object.keys.iter().filter(|k| k.required && !given(k.name)) {
            let span = self.first_line(&node.span);
            self.error(
                "missing-key",
                &span,
                format!("{what} needs `{}`", key.name),
                format!("`{}:` {}", key.name, key.doc),
            );
        }
        let (names, most) = match object.need {
            Need::Nothing => return,
            Need::ExactlyOne(names) => (names, 1),
            Need::AtLeastOne(names) => (names, names.len()),
        };
        let count = names.iter().filter(|n| given(n)).count();
        if count == 0 || count > most {
            let span = self.first_line(&node.span);
            let amount = if most == 1 { "exactly one" } else { "at least one" };
            // An unknown key is most likely the one meant, and has been reported.
            if count > 0 || entries.iter().all(|e| object.keys.iter().any(|k| k.name == e.key)) {
                let listed = names.join(", ");
                self.error(
                    "one-of-keys",
                    &span,
                    format!("{} has {amount} of these keys, not {count}: {listed}", object.name),
                    if count == 0 { "write the one that is meant" } else { "keep the one that is meant" },
                );
            }
        }
    }

    fn scalar(&mut self, what: &str, node: &Node, text: &str, plain: bool, shape: &Shape) {
        let fits = match shape {
            Shape::OneOf(words) => {
                if !words.contains(&text) {
                    let message = format!("{what} cannot be `{}`", self.shown(node));
                    self.unknown("unknown-value", &node.span, message, text, "it is one of", words.iter().copied());
                }
                return;
            }
            Shape::Boolean => plain && matches!(text, "true" | "false"),
            Shape::Whole(least) => plain && text.parse::<i64>().is_ok_and(|n| n >= *least),
            Shape::Number => plain && number::is_decimal(text),
            Shape::Share => number::share(text).is_some(),
            Shape::Date => number::date(text).is_some(),
            _ => return,
        };
        if !fits {
            let help = match shape {
                Shape::Boolean => "write `true` or `false`, without quotes",
                Shape::Share => "write it like `5%` or `0.05`",
                Shape::Date => "write it like `2025-01-31`",
                Shape::Whole(1) => "write digits, without quotes; the least is 1",
                _ => "write digits, without quotes",
            };
            let message = format!("{what} must be {}, not `{}`", expected(shape), self.shown(node));
            self.error("wrong-value", &node.span, message, help);
        }
    }

    fn wrong(&mut self, what: &str, node: &Node, wanted: &str, help: impl Into<String>) {
        let span = self.first_line(&node.span);
        self.error("wrong-type", &span, format!("{what} must be {wanted}, not {}", node.what()), help);
    }

    /// A mistake of a whole block is shown at its first line.
    pub(super) fn first_line(&self, span: &Range<usize>) -> Range<usize> {
        let text = self.file.text.get(span.clone()).unwrap_or_default();
        span.start..span.start + text.lines().next().unwrap_or_default().trim_end().len()
    }
}

fn known(object: &Object) -> String {
    object.keys.iter().map(|k| format!("`{}`", k.name)).collect::<Vec<_>>().join(", ")
}

fn expected(shape: &Shape) -> &'static str {
    match shape {
        Shape::Boolean => "`true` or `false`",
        Shape::Whole(_) => "a whole number",
        Shape::Number => "a number",
        Shape::Share => "a share",
        Shape::Date => "a date",
        _ => "a single value",
    }
}

/// An object's values by key; only its declared keys can be asked for.
#[derive(Clone, Copy)]
pub(super) struct Fields<'n> {
    pub(super) node: &'n Node,
    object: &'static Object,
}

impl<'n> Fields<'n> {
    pub(super) fn new(node: &'n Node, object: &'static Object) -> Self {
        Self { node, object }
    }

    /// What stands after a key; `None` when it is not there or nothing stands after it.
    pub(super) fn get(&self, key: &str) -> Option<&'n Node> {
        debug_assert!(self.object.keys.iter().any(|k| k.name == key), "{} declares no `{key}`", self.object.name);
        #[cfg(test)]
        asked::note(self.object.name, key);
        self.node.entry(key).map(|e| &e.node).filter(|n| !n.is_null())
    }

    pub(super) fn key_span(&self, key: &str) -> Option<&'n Range<usize>> {
        self.node.entry(key).map(|e| &e.key_span)
    }

    pub(super) fn text(&self, key: &str) -> Option<&'n str> {
        self.get(key).and_then(Node::text)
    }

    pub(super) fn texts(&self, key: &str) -> Vec<String> {
        let items = self.get(key).map(Node::items).unwrap_or_default();
        items.iter().filter_map(Node::text).map(str::to_owned).collect()
    }

    pub(super) fn boolean(&self, key: &str) -> Option<bool> {
        self.text(key).and_then(|t| t.parse().ok())
    }

    pub(super) fn share(&self, key: &str) -> Option<f64> {
        self.text(key).and_then(number::share)
    }

    pub(super) fn whole<T: std::str::FromStr>(&self, key: &str) -> Option<T> {
        self.text(key).and_then(|t| t.parse().ok())
    }
}

/// Which keys the decoders asked for, so that a test can find a declared key nobody reads.
#[cfg(test)]
pub(super) mod asked {
    use std::cell::RefCell;
    use std::collections::BTreeSet;

    thread_local!(static ASKED: RefCell<BTreeSet<(&'static str, String)>> = const { RefCell::new(BTreeSet::new()) });

    pub(in super::super) fn note(object: &'static str, key: &str) {
        ASKED.with_borrow_mut(|asked| asked.insert((object, key.to_owned())));
    }

    pub(in super::super) fn take() -> BTreeSet<(&'static str, String)> {
        ASKED.take()
    }
}
