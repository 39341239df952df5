//! The rows of a table that one reader may see.

use std::collections::BTreeMap;

use arrow::datatypes::DataType;
use datafusion::common::TableReference;
use datafusion::dataframe::DataFrame;
use datafusion::logical_expr::{cast, ident, lit};
use datafusion::prelude::SessionContext;

use crate::base::TableName;
use crate::engine::{Engine, EngineError};

/// The rows whose columns have these values, compared as texts; NULL is nobody's. A column that the table does not have is an
/// error, so that nobody is given rows because a filter was not applied. At most `limit` rows.
pub async fn matching(
    engine: &Engine,
    session: &SessionContext,
    table: &TableName,
    filter: &BTreeMap<String, String>,
    limit: usize,
) -> Result<DataFrame, EngineError> {
    let reference = TableReference::partial(table.schema(), table.table());
    let mut frame = session.table(reference).await.map_err(|e| engine.error(e))?;
    for (column, value) in filter {
        // The value is never a part of a statement.
        let is_theirs = cast(ident(column), DataType::Utf8).eq(lit(value.clone()));
        frame = frame.filter(is_theirs).map_err(|e| engine.error(e))?;
    }
    frame.limit(0, Some(limit)).map_err(|e| engine.error(e))
}
