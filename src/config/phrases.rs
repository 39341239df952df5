//! A catalogue of texts (`report-templates/locales/<locale>.yaml`, `theme.yaml`) → its keys, joined by dots, each with its
//! text and place. Knows no key.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::base::{Diagnostic, Diagnostics, Place, SourceText};
use crate::system::Environment;

use super::tree::{Node, Value, parse};

/// A text and where it stands.
pub type Phrases = BTreeMap<String, (String, Place)>;

/// All texts of a file, and what is wrong with it.
pub fn phrases(file: &Arc<SourceText>) -> (Phrases, Diagnostics) {
    let (mut all, mut found) = (Phrases::new(), Diagnostics::default());
    // What a report says does not depend on the machine it is made on.
    let nothing = Environment::default();
    if let Some(root) = parse(file, 0..file.text.len(), &nothing, &mut found) {
        flatten(file, "", &root, &mut all, &mut found);
    }
    (all, found)
}

fn flatten(file: &Arc<SourceText>, under: &str, node: &Node, all: &mut Phrases, found: &mut Diagnostics) {
    for entry in node.entries() {
        let key = if under.is_empty() { entry.key.clone() } else { format!("{under}.{}", entry.key) };
        match &entry.node.value {
            Value::Map(_) => flatten(file, &key, &entry.node, all, found),
            Value::Scalar(scalar) => {
                all.insert(key, (scalar.text.clone(), Place::new(file, entry.node.span.clone())));
            }
            Value::Broken => {}
            Value::Null | Value::List(_) => {
                let message = format!("`{key}` is {}, not a text", entry.node.what());
                let place = Place::new(file, entry.key_span.clone());
                found.push(Diagnostic::error("bad-phrase", message).at(place).help("write one text after the key"));
            }
        }
    }
}
