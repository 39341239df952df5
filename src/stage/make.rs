//! Makes one part of a stage's table: bound SQL, run by the engine, written as Parquet; bad rows go to quarantine.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::dataframe::DataFrame;
use datafusion::prelude::SessionContext;
use datafusion::sql::sqlparser::ast::Statement;
use object_store::{ObjectStore, ObjectStoreExt, PutPayload};
use parquet::arrow::ArrowWriter;

use crate::config::{Check, Severity};
use crate::engine::{
    Cell, Condition, Destination, Effort, Engine, EngineError, Rows, Seen, Tables, Watch, collect, is_grouped_by, write,
};
use crate::lake::{DataFile, TablePart, paths};
use crate::plan::{Node, WantedPart};
use crate::sql::{Bindings, bind, quote};
use crate::stage::StageError;
use crate::stage::check::{conditions, predicate, watch};
use crate::stage::mistake::{Refused, columns, mistake, shown};

/// What making a part needs.
pub struct Making<'a> {
    pub engine: &'a Engine,
    pub lake: &'a Arc<dyn ObjectStore>,
    pub node: &'a Node,
    pub part: &'a WantedPart,
    pub bindings: &'a Bindings,
    /// What the stage reads.
    pub tables: &'a Tables,
    /// A folder name no other try has.
    pub attempt: &'a str,
    /// Frugal after it ran out of memory once.
    pub effort: Effort,
    /// Whether the part is the whole table, so that its rows answer checks.
    pub whole: bool,
}

const VIEW: &str = "made_by_this_stage";

/// Makes a part, once; of a whole table with what was seen of its rows.
pub async fn make(making: &Making<'_>) -> Result<(TablePart, Seen), StageError> {
    let table = making.node.table();
    let fail = |cause| failed(making.engine, making.node, making.tables, cause);
    let statement = bind(&making.node.query, making.bindings).map_err(|cause| StageError::Bind {
        table: table.clone(),
        file: making.node.stage.file.path.display().to_string(),
        cause,
    })?;
    let (session, frame) = planned(making, statement).await.map_err(fail)?;
    let moving: Vec<&Check> =
        making.node.stage.head.checks.iter().filter(|c| c.severity == Severity::Quarantine).collect();
    let folder = format!("tables/{table}/{}/{}", making.part.fingerprint, making.attempt);
    let to = Destination { lake: Arc::clone(making.lake), folder };
    let (good, quarantine) = if moving.is_empty() {
        (frame, None)
    } else {
        let (good, bad) = split(making.engine, &session, frame, &moving).await.map_err(fail)?;
        (good, quarantine(making, &bad).await.map_err(fail)?)
    };
    let plan = good.create_physical_plan().await.map_err(|e| fail(making.engine.error(e)))?;
    let watch = if making.whole {
        let checks = &making.node.stage.head.checks;
        let asked = conditions(checks).filter_map(|text| Condition::new(&session, table, &plan.schema(), &text));
        Watch { conditions: asked.collect(), ..watch(checks) }
    } else {
        Watch::default()
    };
    let told = |e| making.engine.error(e);
    let (files, seen) = write(plan, session.task_ctx(), &to, &watch, told).await.map_err(fail)?;
    let files: Vec<DataFile> =
        files.into_iter().map(|f| DataFile { path: f.path, rows: f.rows, size_bytes: f.size_bytes }).collect();
    let part = TablePart {
        fingerprint: making.part.fingerprint,
        table: table.clone(),
        period: making.part.period.clone(),
        rows: files.iter().map(|f| f.rows).sum(),
        files,
        rows_quarantined: quarantine.as_ref().map_or(0, |q| q.rows),
        quarantine,
        late: None,
    };
    Ok((part, seen))
}

async fn planned(making: &Making<'_>, statement: Statement) -> Result<(SessionContext, DataFrame), EngineError> {
    let engine = making.engine;
    if making.effort == Effort::Last {
        let session = engine.session(making.tables, Effort::Beside)?;
        let frame = engine.plan(&session, statement.clone()).await?;
        let plan = frame.clone().create_physical_plan().await.map_err(|e| engine.error(e))?;
        if is_grouped_by(&plan) {
            return Ok((session, frame));
        }
    }
    let session = engine.session(making.tables, making.effort)?;
    let frame = engine.plan(&session, statement).await?;
    Ok((session, frame))
}

/// The engine says what failed; where in the statement that may be is looked for here.
pub(super) fn failed(engine: &Engine, node: &Node, tables: &Tables, cause: EngineError) -> StageError {
    let refused = Refused {
        file: &node.stage.file,
        statement: node.query.statement(),
        columns: columns(tables),
        tables: Vec::new(),
        functions: engine.function_names(),
    };
    let mistake = mistake("sql-run", &refused, &cause).filter(|m| m.place.is_some());
    let at = mistake.as_ref().and_then(shown).unwrap_or_else(|| node.stage.file.path.display().to_string());
    StageError::Engine { table: node.table().clone(), at, mistake: mistake.map(Box::new), cause }
}

/// The rows that keep every rule, and the others with the first rule they break in their last column.
pub(super) async fn split(
    engine: &Engine,
    session: &SessionContext,
    frame: DataFrame,
    moving: &[&Check],
) -> Result<(DataFrame, Rows), EngineError> {
    let columns: Vec<String> = frame.schema().fields().iter().map(|f| quote(f.name())).collect();
    let columns = columns.join(", ");
    let view = datafusion::common::TableReference::full("lake", "main", VIEW);
    register_main(session, engine)?;
    session.register_table(view, frame.into_view()).map_err(|e| engine.error(e))?;
    let broken: Vec<(String, String)> = moving
        .iter()
        .filter_map(|c| predicate(&c.rule).map(|p| (c.name.clone(), format!("coalesce({p}, true)"))))
        .collect();
    let all = broken.iter().map(|(_, p)| p.as_str()).collect::<Vec<_>>().join(" AND ");
    let which: String = broken.iter().fold("CASE".to_owned(), |case, (name, p)| {
        format!("{case} WHEN NOT {p} THEN {}", crate::sql::quote_text(name))
    });
    let sql = |text: String| async move { session.sql(&text).await.map_err(|e| engine.error(e)) };
    let good = sql(format!("SELECT {columns} FROM lake.main.{VIEW} WHERE {all}")).await?;
    let bad = sql(format!("SELECT {columns}, {which} END AS _rule FROM lake.main.{VIEW} WHERE NOT ({all})")).await?;
    Ok((good, collect(engine, bad).await?))
}

fn register_main(session: &SessionContext, engine: &Engine) -> Result<(), EngineError> {
    use datafusion::catalog::MemorySchemaProvider;
    let catalog =
        session.catalog("lake").ok_or_else(|| EngineError::Execution("the session has no catalog".to_owned()))?;
    catalog.register_schema("main", Arc::new(MemorySchemaProvider::new())).map(|_| ()).map_err(|e| engine.error(e))
}

/// Writes bad rows in the shape every quarantine has.
async fn quarantine(making: &Making<'_>, bad: &Rows) -> Result<Option<DataFile>, EngineError> {
    if bad.rows.is_empty() {
        return Ok(None);
    }
    let names: Vec<&str> = bad.columns.iter().map(|(name, _)| name.as_str()).collect();
    let mut rules = Vec::with_capacity(bad.rows.len());
    let mut records = Vec::with_capacity(bad.rows.len());
    for row in &bad.rows {
        let (rule, values) =
            row.split_last().map_or((String::new(), [].as_slice()), |(rule, rest)| (rule.text(), rest));
        let record: serde_json::Map<String, serde_json::Value> =
            names.iter().zip(values).map(|(n, c)| ((*n).to_owned(), Cell::json(c))).collect();
        rules.push(rule);
        records.push(serde_json::Value::Object(record).to_string());
    }
    let rows = bad.rows.len();
    let none = || -> ArrayRef { Arc::new(StringArray::new_null(rows)) };
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("export", none()),
        ("line", Arc::new(Int64Array::new_null(rows))),
        ("column", none()),
        ("rule", Arc::new(StringArray::from(rules.clone()))),
        (
            "reason",
            Arc::new(StringArray::from(rules.iter().map(|r| format!("the row breaks {r}")).collect::<Vec<_>>())),
        ),
        ("value", none()),
        ("record", Arc::new(StringArray::from(records))),
    ];
    let fields: Vec<Field> = columns
        .iter()
        .map(|(n, a)| Field::new(*n, if *n == "line" { DataType::Int64 } else { a.data_type().clone() }, true))
        .collect();
    let encode = || -> Result<Vec<u8>, parquet::errors::ParquetError> {
        let schema = Arc::new(Schema::new(fields));
        let batch = RecordBatch::try_new(Arc::clone(&schema), columns.into_iter().map(|(_, a)| a).collect())?;
        let mut bytes = Vec::new();
        let mut writer = ArrowWriter::try_new(&mut bytes, schema, None)?;
        writer.write(&batch)?;
        writer.close()?;
        Ok(bytes)
    };
    let bytes = encode().map_err(|e| EngineError::Execution(e.to_string()))?;
    let path = paths::quarantine(making.node.table(), &making.part.fingerprint, making.attempt);
    let size_bytes = bytes.len() as u64;
    making.lake.put(&path.as_str().into(), PutPayload::from(bytes)).await.map_err(EngineError::Store)?;
    Ok(Some(DataFile { path, rows: rows as u64, size_bytes }))
}
