//! Rows as a person writes them in a test → a table of the columns and types it has in a pipeline. Asks no engine.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray, new_null_array};
use arrow::compute::{CastOptions, cast_with_options, concat_batches};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use chrono::{NaiveDate, NaiveDateTime};

use crate::base::{Diagnostic, Diagnostics, Place, TableName};
use crate::config::{WrittenCell, WrittenRow, WrittenRows};
use crate::engine::Held;

/// A value that does not fit its type is told, and never made to fit.
const STRICT: CastOptions<'static> =
    CastOptions { safe: false, format_options: arrow::util::display::FormatOptions::new() };

/// Given rows as a table of these columns; a column that no row names is NULL. Without columns, those that the rows name, of
/// types that all their values fit.
pub fn given_rows(
    table: &TableName,
    place: &Place,
    rows: &WrittenRows,
    known: Option<&SchemaRef>,
) -> Result<Held, Diagnostics> {
    let mut wrong = Diagnostics::default();
    if let Some(known) = known {
        unknown(table, known, rows.columns.iter().map(|(name, place)| (name.as_str(), place)), &mut wrong);
    } else if rows.columns.is_empty() {
        let message = format!("nothing says which columns `{table}` has");
        let help = "no stage makes it and no contract has it: give a row, or `csv` with a header";
        return Err(Diagnostic::error("no-columns", message).at(place.clone()).help(help).into());
    }
    let guessed =
        || Schema::new(rows.columns.iter().map(|(c, _)| Field::new(c, guess(rows, c), true)).collect::<Vec<_>>());
    let schema = known.map_or_else(|| Arc::new(guessed()), Arc::clone);
    let fields: Vec<Field> = schema.fields().iter().map(|f| f.as_ref().clone().with_nullable(true)).collect();
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(fields.len());
    for field in &fields {
        let cells: Vec<Option<&WrittenCell>> = rows.rows.iter().map(|row| row.cell(field.name())).collect();
        match column(field.data_type(), &cells) {
            Some(array) => columns.push(array),
            None => wrong.0.extend(misfits(table, field, &cells)),
        }
    }
    if wrong.has_errors() {
        return Err(wrong);
    }
    let made = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns);
    made.map(Held::of).map_err(|e| Diagnostic::error("given-value", format!("`{table}`: {e}")).at(place.clone()).into())
}

/// The rows of a given statement as a table of these columns: cast where they are of another type, NULL where they are missing.
pub fn conform(table: &TableName, place: &Place, held: Held, known: Option<&SchemaRef>) -> Result<Held, Diagnostics> {
    let Some(known) = known else { return Ok(held) };
    let mut wrong = Diagnostics::default();
    unknown(table, known, held.schema().fields().iter().map(|f| (f.name().as_str(), place)), &mut wrong);
    if wrong.has_errors() {
        return Err(wrong);
    }
    let fail = |why: String| {
        Diagnostics::from(Diagnostic::error("given-value", format!("`{table}`: {why}")).at(place.clone()))
    };
    let whole = concat_batches(held.schema(), held.batches()).map_err(|e| fail(e.to_string()))?;
    let fields: Vec<Field> = known.fields().iter().map(|f| f.as_ref().clone().with_nullable(true)).collect();
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(fields.len());
    for field in &fields {
        let made = match whole.column_by_name(field.name()) {
            Some(array) if array.data_type() == field.data_type() => Ok(Arc::clone(array)),
            Some(array) => cast_with_options(array, field.data_type(), &STRICT),
            None => Ok(new_null_array(field.data_type(), whole.num_rows())),
        };
        columns.push(made.map_err(|e| fail(format!("column `{}`: {e}", field.name())))?);
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).map(Held::of).map_err(|e| fail(e.to_string()))
}

fn unknown<'a>(
    table: &TableName,
    known: &SchemaRef,
    named: impl Iterator<Item = (&'a str, &'a Place)>,
    out: &mut Diagnostics,
) {
    let names: Vec<&str> = known.fields().iter().map(|f| f.name().as_str()).collect();
    for (wrong, place) in named.filter(|(name, _)| !names.contains(name)) {
        out.push(
            Diagnostic::error("unknown-column", format!("`{table}` has no column `{wrong}`"))
                .at(place.clone())
                .help(format!("its columns are {}", names.join(", ")))
                .did_you_mean(wrong, names.iter().copied()),
        );
    }
}

/// The values of a column; none where one of them does not fit.
fn column(of: &DataType, cells: &[Option<&WrittenCell>]) -> Option<ArrayRef> {
    let texts: Vec<Option<&str>> = cells.iter().map(|cell| cell.and_then(|c| c.text.as_deref())).collect();
    if texts.iter().all(Option::is_none) {
        return Some(new_null_array(of, texts.len()));
    }
    // A digit too many would be rounded away.
    if let DataType::Decimal128(_, scale) = of {
        let digits = |text: &&str| text.split_once('.').map_or(0, |(_, digits)| digits.trim_end_matches('0').len());
        if texts.iter().flatten().any(|text| digits(text) > usize::try_from(*scale).unwrap_or(0)) {
            return None;
        }
    }
    let texts: ArrayRef = Arc::new(StringArray::from(texts));
    cast_with_options(&texts, of, &STRICT).ok()
}

/// Each value that does not fit its column, where it stands.
fn misfits(table: &TableName, field: &Field, cells: &[Option<&WrittenCell>]) -> Vec<Diagnostic> {
    let kind = words(field.data_type());
    let alone = cells.iter().flatten().filter(|cell| column(field.data_type(), &[Some(cell)]).is_none());
    let told = alone.map(|cell| {
        let shown = cell.text.as_deref().unwrap_or_default();
        let message = format!("`{shown}` does not fit `{table}.{}`, which is {kind}", field.name());
        let help = match field.data_type() {
            DataType::Date32 => "write it like `2025-01-31`",
            DataType::Timestamp(..) => "write it like `2025-01-31T14:00:00`",
            DataType::Boolean => "write `true` or `false`",
            DataType::List(_) | DataType::Struct(_) => "give the table by `sql`",
            _ => "write a value of that type, or nothing for NULL",
        };
        Diagnostic::error("given-value", message).at(cell.place.clone()).help(help)
    });
    told.collect()
}

/// A type as SQL calls it.
fn words(of: &DataType) -> String {
    match of {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "VARCHAR".to_owned(),
        DataType::Int64 => "BIGINT".to_owned(),
        DataType::Int32 => "INT".to_owned(),
        DataType::Float64 => "DOUBLE".to_owned(),
        DataType::Boolean => "BOOLEAN".to_owned(),
        DataType::Date32 => "DATE".to_owned(),
        DataType::Timestamp(..) => "TIMESTAMP".to_owned(),
        DataType::Decimal128(precision, scale) => format!("DECIMAL({precision}, {scale})"),
        other => other.to_string(),
    }
}

/// Whether a text is a value of some type.
type Fits = fn(&str) -> bool;

/// A type that all values of a column fit.
fn guess(rows: &WrittenRows, column: &str) -> DataType {
    let cells = rows.rows.iter().filter_map(|row: &WrittenRow| row.cell(column)).filter(|cell| cell.text.is_some());
    let cells: Vec<&WrittenCell> = cells.collect();
    if cells.is_empty() || cells.iter().any(|cell| cell.quoted) {
        return DataType::Utf8;
    }
    let all = |fits: Fits| cells.iter().all(|cell| cell.text.as_deref().is_some_and(fits));
    let moment = DataType::Timestamp(arrow::datatypes::TimeUnit::Nanosecond, None);
    let kinds: [(DataType, Fits); 5] = [
        (DataType::Boolean, |text| matches!(text, "true" | "false")),
        (DataType::Int64, |text| text.parse::<i64>().is_ok()),
        (DataType::Float64, |text| {
            text.starts_with(|c: char| c.is_ascii_digit() || c == '-') && text.parse::<f64>().is_ok()
        }),
        (DataType::Date32, |text| text.parse::<NaiveDate>().is_ok()),
        (moment, |text| text.parse::<NaiveDateTime>().is_ok()),
    ];
    kinds.into_iter().find(|(_, fits)| all(*fits)).map_or(DataType::Utf8, |(kind, _)| kind)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::SourceText;

    fn rows(columns: &[&str], values: &[&[Option<&str>]]) -> WrittenRows {
        let place = Place::file(&SourceText::new("a.test.yaml", ""));
        let row = |cells: &&[Option<&str>]| {
            let cells = columns.iter().zip(*cells).map(|(name, text)| {
                let cell = WrittenCell { text: text.map(str::to_owned), quoted: false, place: place.clone() };
                ((*name).to_owned(), cell)
            });
            WrittenRow { cells: cells.collect(), place: place.clone() }
        };
        let columns = columns.iter().map(|name| ((*name).to_owned(), place.clone())).collect();
        WrittenRows { columns, rows: values.iter().map(row).collect() }
    }

    fn given(rows: &WrittenRows, known: Option<&SchemaRef>) -> Result<Held, Vec<String>> {
        let place = Place::file(&SourceText::new("a.test.yaml", ""));
        let table = "core.orders".parse().expect("a table");
        given_rows(&table, &place, rows, known).map_err(|wrong| wrong.0.into_iter().map(|d| d.message).collect())
    }

    #[test]
    fn values_are_of_the_type_they_have_in_a_pipeline_or_are_refused() {
        let known: SchemaRef = Arc::new(Schema::new(vec![
            Field::new("net", DataType::Decimal128(18, 4), false),
            Field::new("bdate", DataType::Date32, true),
            Field::new("note", DataType::Utf8, true),
        ]));
        let held = given(&rows(&["net", "bdate"], &[&[Some("12.50"), None]]), Some(&known)).expect("they fit");
        assert_eq!((held.schema().fields().len(), held.rows().expect("rows").rows.len()), (3, 1));
        let wrong = given(&rows(&["net", "bdate"], &[&[Some("0.12345"), Some("May")]]), Some(&known));
        assert_eq!(
            wrong.expect_err("neither fits"),
            [
                "`0.12345` does not fit `core.orders.net`, which is DECIMAL(18, 4)",
                "`May` does not fit `core.orders.bdate`, which is DATE",
            ]
        );
        let wrong = given(&rows(&["nett"], &[&[Some("1")]]), Some(&known));
        assert_eq!(wrong.expect_err("no such column"), ["`core.orders` has no column `nett`"]);
        assert!(given(&rows(&[], &[]), Some(&known)).is_ok() && given(&rows(&[], &[]), None).is_err());
    }

    #[test]
    fn types_nobody_says_are_those_that_all_values_fit() {
        let all = rows(
            &["a", "b", "c", "d", "e"],
            &[
                &[Some("1"), Some("2024-05-01"), Some("true"), Some("17850"), None],
                &[Some("2.5"), None, Some("false"), Some("C17851"), None],
            ],
        );
        let held = given(&all, None).expect("guessed");
        let types: Vec<&DataType> = held.schema().fields().iter().map(|f| f.data_type()).collect();
        let expected = [DataType::Float64, DataType::Date32, DataType::Boolean, DataType::Utf8, DataType::Utf8];
        assert_eq!(types, expected.iter().collect::<Vec<_>>());
    }
}
