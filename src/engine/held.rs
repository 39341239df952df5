//! Results held in memory, as tables that the next statement reads.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::dataframe::DataFrame;
use datafusion::datasource::MemTable;

use crate::engine::output::nullable;
use crate::engine::rows::push;
use crate::engine::{Engine, EngineError, Rows, Table};

/// A table in memory.
#[derive(Debug, Clone)]
pub struct Held {
    schema: SchemaRef,
    batches: Vec<RecordBatch>,
}

/// All rows of a statement, in its order. Any column may hold a null, as in the tables of the lake.
pub async fn hold(engine: &Engine, frame: DataFrame) -> Result<Held, EngineError> {
    let failed = |e| engine.error(e);
    let context = Arc::new(frame.task_ctx());
    let plan = frame.create_physical_plan().await.map_err(failed)?;
    let schema = nullable(&plan.schema());
    let batches = datafusion::physical_plan::collect(plan, context).await.map_err(failed)?;
    let batches = batches.into_iter().map(|b| RecordBatch::try_new(Arc::clone(&schema), b.columns().to_vec()));
    let batches = batches.collect::<Result<Vec<_>, _>>().map_err(|e| failed(e.into()))?;
    Ok(Held { schema, batches })
}

impl Held {
    /// One batch as a table.
    pub fn of(batch: RecordBatch) -> Self {
        Self { schema: batch.schema(), batches: vec![batch] }
    }

    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    pub fn batches(&self) -> &[RecordBatch] {
        &self.batches
    }

    pub fn table(&self) -> Result<Table, EngineError> {
        let made = MemTable::try_new(Arc::clone(&self.schema), vec![self.batches.clone()]);
        Ok(Arc::new(made.map_err(|e| EngineError::new(e, 0))?))
    }

    pub fn rows(&self) -> Result<Rows, EngineError> {
        let columns = self.schema.fields().iter().map(|f| (f.name().clone(), f.data_type().clone())).collect();
        let mut rows = Rows { columns, rows: Vec::new() };
        for batch in &self.batches {
            push(batch, &mut rows.rows).map_err(|e| EngineError::new(e.into(), 0))?;
        }
        Ok(rows)
    }
}
