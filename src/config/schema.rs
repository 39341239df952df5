//! The shapes as JSON Schema (draft 2020-12), for editors: `# yaml-language-server: $schema=…`.

use serde_json::{Map, Value, json};

use super::keys::{HEAD, PACK_FILE, PIPELINE, PROJECT, TEST_FILE};
use super::shape::{Need, Object, Shape};

/// Which text a schema is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SchemaKind {
    /// `matins.yaml`.
    Project,
    /// `pipelines/<name>.yaml`.
    Pipeline,
    /// The head of a stage.
    Stage,
    /// `sql/<pack>/pack.yaml`.
    Pack,
    /// `sql/<pack>/<schema>/<table>.test.yaml`.
    Test,
}

/// The schema that accepts what `load` understands. Rules between keys and files are left to `load`.
pub fn schema(kind: SchemaKind) -> Value {
    let (title, of) = match kind {
        SchemaKind::Project => ("Matins project", &PROJECT),
        SchemaKind::Pipeline => ("Matins pipeline", &PIPELINE),
        SchemaKind::Stage => ("Head of a Matins stage", &HEAD),
        SchemaKind::Pack => ("Matins pack", &PACK_FILE),
        SchemaKind::Test => ("Tests of a Matins stage", &TEST_FILE),
    };
    let mut schema = object(of);
    schema.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
    schema.insert("title".to_owned(), json!(title));
    Value::Object(schema)
}

fn object(of: &Object) -> Map<String, Value> {
    let mut properties = Map::new();
    for key in of.keys {
        let mut value = shape(&key.shape);
        if let Value::Object(value) = &mut value {
            value.insert("description".to_owned(), json!(key.doc));
        }
        properties.insert(key.name.to_owned(), value);
    }
    let required: Vec<&str> = of.keys.iter().filter(|k| k.required).map(|k| k.name).collect();
    let mut schema = Map::new();
    schema.insert("type".to_owned(), json!("object"));
    schema.insert("properties".to_owned(), Value::Object(properties));
    schema.insert("additionalProperties".to_owned(), json!(false));
    if !required.is_empty() {
        schema.insert("required".to_owned(), json!(required));
    }
    let each = |names: &[&str]| names.iter().map(|n| json!({"required": [n]})).collect::<Vec<_>>();
    match of.need {
        Need::Nothing => {}
        Need::ExactlyOne(names) => drop(schema.insert("oneOf".to_owned(), json!(each(names)))),
        Need::AtLeastOne(names) => drop(schema.insert("anyOf".to_owned(), json!(each(names)))),
    }
    schema
}

fn shape(of: &Shape) -> Value {
    match of {
        // Any single value is taken as text: `description: 42` is no mistake.
        Shape::Text | Shape::Setting | Shape::Literal => json!({"type": ["string", "number", "boolean"]}),
        Shape::Cell => json!({"type": ["string", "number", "boolean", "null"]}),
        Shape::Form(pattern) => json!({"type": ["string", "number"], "pattern": pattern}),
        Shape::OneOf(words) => json!({"enum": words}),
        Shape::Boolean => json!({"type": "boolean"}),
        Shape::Whole(least) => json!({"type": "integer", "minimum": least}),
        Shape::Number => json!({"type": "number"}),
        Shape::Share => json!({"type": ["string", "number"], "pattern": "^[0-9]+(\\.[0-9]+)? *%?$", "minimum": 0}),
        Shape::Date => json!({"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"}),
        Shape::List(item) => json!({"type": "array", "items": shape(item)}),
        Shape::OneOrMany(item) => json!({"anyOf": [shape(item), {"type": "array", "items": shape(item)}]}),
        Shape::Map("", value) => json!({"type": "object", "additionalProperties": shape(value)}),
        Shape::Map(names, value) => json!({
            "type": "object",
            "propertyNames": {"pattern": names},
            "additionalProperties": shape(value),
        }),
        Shape::Object(inner) => Value::Object(object(inner)),
        Shape::Either(short, long) => json!({"anyOf": [shape(short), Value::Object(object(long))]}),
    }
}
