//! The rows of a table whose time lies in a period.

use std::sync::Arc;

use arrow::datatypes::{DataType, TimeUnit};
use chrono::{NaiveDate, NaiveTime};
use datafusion::common::{ScalarValue, TableReference};
use datafusion::datasource::{ViewTable, provider_as_source};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::{LogicalPlanBuilder, ident, lit};

use crate::base::TableName;
use crate::engine::session::Table;
use crate::engine::{Engine, EngineError, PartsTable};

impl Engine {
    /// The rows of a table whose date or timestamp lies from one midnight to before another, both by the values that stand in
    /// the column. Reading rules out what the statistics of its files rule out.
    pub fn between(
        &self,
        name: &TableName,
        table: PartsTable,
        column: &str,
        (from, until): (NaiveDate, NaiveDate),
    ) -> Result<Table, EngineError> {
        let table: Table = Arc::new(table);
        let schema = table.schema();
        let kind = schema.field_with_name(column).map_err(|e| self.error(e.into()))?.data_type().clone();
        let bound = |date: NaiveDate| match &kind {
            DataType::Date32 => Ok(ScalarValue::Date32(Some(days(date)))),
            DataType::Timestamp(TimeUnit::Microsecond, zone) => {
                let at = date.and_time(NaiveTime::MIN).and_utc().timestamp_micros();
                Ok(ScalarValue::TimestampMicrosecond(Some(at), zone.clone()))
            }
            other => Err(DataFusionError::Plan(format!("`{column}` is {other}, and no time"))),
        };
        // The name tells two such tables of one statement apart.
        let reference = TableReference::partial(name.schema(), name.table());
        let plan = || {
            LogicalPlanBuilder::scan(reference, provider_as_source(table), None)?
                .filter(ident(column).gt_eq(lit(bound(from)?)).and(ident(column).lt(lit(bound(until)?))))?
                .build()
        };
        Ok(Arc::new(ViewTable::new(plan().map_err(|e| self.error(e))?, None)))
    }
}

/// Since 1970, as Arrow counts them.
fn days(date: NaiveDate) -> i32 {
    let since = date.signed_duration_since(NaiveDate::default()).num_days();
    i32::try_from(since).unwrap_or(if since < 0 { i32::MIN } else { i32::MAX })
}
