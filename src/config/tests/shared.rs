//! Decoders, shapes and the JSON Schema know the same keys.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::base::Diagnostics;
use crate::system::Environment;

use super::super::keys::{HEAD, PACK_FILE, PIPELINE, PROJECT, TEST_FILE};
use super::super::shape::{Object, Shape, asked};
use super::super::{SchemaKind, schema, stage, stage_tests};
use super::{GOOD, files, read, stages_tests::with_tests};

fn declared(object: &'static Object, into: &mut BTreeSet<(&'static str, String)>) {
    for key in object.keys {
        into.insert((object.name, key.name.to_owned()));
        inside(&key.shape, into);
    }
}

fn inside(shape: &'static Shape, into: &mut BTreeSet<(&'static str, String)>) {
    match shape {
        Shape::List(inner) | Shape::OneOrMany(inner) | Shape::Map(_, inner) => inside(inner, into),
        Shape::Object(object) => declared(object, into),
        Shape::Either(short, object) => {
            inside(short, into);
            declared(object, into);
        }
        _ => {}
    }
}

#[test]
fn every_declared_key_is_read_and_every_read_key_is_declared() {
    let mut expected = BTreeSet::new();
    for object in [&PROJECT, &PIPELINE, &HEAD, &PACK_FILE, &TEST_FILE] {
        declared(object, &mut expected);
    }
    asked::take();
    let good = files(&GOOD);
    let project = read(&good).0.expect("a project");
    // Heads are read on threads of their own, which nobody asks what they read: once more on this one.
    for (path, file) in good.below("sql/", ".sql") {
        stage::read(path, file, &Environment::default(), &mut Diagnostics::default());
    }
    stage_tests(&with_tests(include_str!("good/net_revenue.test.yaml")), &project);
    assert_eq!(asked::take(), expected);
}

/// Every key of the good project is in the schema, and every object of the schema is closed and explained.
#[test]
fn the_schema_knows_what_the_decoder_knows() {
    for (kind, object) in [
        (SchemaKind::Project, &PROJECT),
        (SchemaKind::Pipeline, &PIPELINE),
        (SchemaKind::Stage, &HEAD),
        (SchemaKind::Pack, &PACK_FILE),
        (SchemaKind::Test, &TEST_FILE),
    ] {
        let mut expected = BTreeSet::new();
        declared(object, &mut expected);
        let expected: BTreeSet<String> = expected.into_iter().map(|(_, key)| key).collect();
        let (mut keys, schema) = (BTreeSet::new(), schema(kind));
        collect(&schema, &mut keys);
        assert_eq!(keys, expected, "{kind:?}");
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    }
}

fn collect(schema: &Value, keys: &mut BTreeSet<String>) {
    match schema {
        Value::Object(map) => {
            if let Some(Value::Object(properties)) = map.get("properties") {
                assert_eq!(map.get("additionalProperties"), Some(&Value::Bool(false)));
                for (key, value) in properties {
                    keys.insert(key.clone());
                    assert!(value["description"].as_str().is_some_and(|d| !d.is_empty()), "{key} is not explained");
                }
            }
            map.values().for_each(|v| collect(v, keys));
        }
        Value::Array(items) => items.iter().for_each(|v| collect(v, keys)),
        _ => {}
    }
}
