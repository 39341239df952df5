//! Holds a company's canonical tables to the core contract: columns, types, key. Reads no data.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

use crate::base::{Diagnostic, Diagnostics, Place, closest};
use crate::config::{CoreTable, CoreType, Rule, core_table};
use crate::plan::Node;

/// Every way in which a stage's table is not the canonical one of its name.
pub(super) fn against_contract(node: &Node, schema: &SchemaRef, out: &mut Diagnostics) {
    let Some(contract) = core_table(node.table()) else { return };
    for column in contract.columns {
        match schema.field_with_name(column.name) {
            Err(_) if column.needed => out.push(missing(node, contract, column.name, schema)),
            Err(_) => {}
            Ok(field) if fits(column.kind, field.data_type()) => {}
            Ok(field) => {
                let sql = column.kind.sql();
                let message = format!("`{}.{}` must be {sql}, not {}", node.table(), column.name, field.data_type());
                let help = match field.data_type() {
                    DataType::Null => format!("write `CAST(NULL AS {sql}) AS {}`", column.name),
                    _ => format!("cast it, as in `CAST(… AS {sql}) AS {}`", column.name),
                };
                out.push(Diagnostic::error("core-type", message).at(given(node, column.name)).help(help));
            }
        }
    }
    let mut key = node.stage.head.key.clone();
    key.sort_unstable();
    let mut wanted = contract.key.to_vec();
    wanted.sort_unstable();
    if key != wanted {
        let said = if key.is_empty() {
            "its head has none".to_owned()
        } else {
            format!("its head says {}", node.stage.head.key.join(", "))
        };
        let of_key = node
            .stage
            .head
            .checks
            .iter()
            .find(|c| matches!(&c.rule, Rule::Unique { columns } if *columns == node.stage.head.key));
        let place =
            of_key.filter(|_| !key.is_empty()).map_or_else(|| Place::file(&node.stage.file), |c| c.place.clone());
        out.push(
            Diagnostic::error(
                "core-key",
                format!("the key of `{}` is {}; {said}", node.table(), contract.key.join(", ")),
            )
            .at(place)
            .help(format!("{}: write `key: [{}]`", contract.grain, contract.key.join(", "))),
        );
    }
}

/// The columns of a canonical table, all of them, as SQL's types of these names are held.
pub fn core_schema(table: &CoreTable) -> SchemaRef {
    let kind = |kind: CoreType| match kind {
        CoreType::Text => DataType::Utf8,
        CoreType::Integer => DataType::Int64,
        CoreType::Money => DataType::Decimal128(18, 4),
        CoreType::Boolean => DataType::Boolean,
        CoreType::Date => DataType::Date32,
        CoreType::Timestamp => DataType::Timestamp(TimeUnit::Nanosecond, None),
    };
    Arc::new(Schema::new(table.columns.iter().map(|c| Field::new(c.name, kind(c.kind), true)).collect::<Vec<_>>()))
}

/// Whether a planned type is the contract's; how a text or a whole number is held in memory does not matter.
fn fits(kind: CoreType, found: &DataType) -> bool {
    match kind {
        CoreType::Text => matches!(found, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View),
        CoreType::Integer => found.is_integer(),
        CoreType::Money => *found == DataType::Decimal128(18, 4),
        CoreType::Boolean => *found == DataType::Boolean,
        CoreType::Date => *found == DataType::Date32,
        CoreType::Timestamp => matches!(found, DataType::Timestamp(_, None)),
    }
}

fn missing(node: &Node, contract: &CoreTable, name: &str, schema: &SchemaRef) -> Diagnostic {
    let mistake = Diagnostic::error("core-column", format!("`{}` has no column `{name}`", node.table()));
    // What the contract does not know may be this column by another name.
    let own = schema.fields().iter().map(|f| f.name().as_str()).filter(|c| contract.column(c).is_none());
    let near = closest(name, own);
    let place = near.map_or_else(|| Place::file(&node.stage.file), |near| given(node, near));
    let kind = contract.column(name).map_or("", |c| c.kind.sql());
    let help = match near {
        Some(near) => format!("`{near}` is not of the core contract: did you mean `{name}`, {kind}?"),
        None => format!("the core contract needs it as {kind}; as NULLs where it is not known"),
    };
    mistake.at(place).help(help)
}

/// Where the statement names a column of its result.
fn given(node: &Node, name: &str) -> Place {
    let named = node.query.output.iter().flatten().find(|(column, _)| column == name);
    named.map_or_else(|| Place::file(&node.stage.file), |(_, place)| place.clone())
}
