//! What SQL cannot say well: intervals, models of customers, clusters, working time, masks, sentiment. One file a family.
//!
//! What each means is said once, in `sql::functions`; here is how it is computed. Formulas are plain functions of numbers;
//! `numeric`, `text` and `fit` hand rows to them.

mod beta_geometric;
mod calendar;
mod clusters;
mod customers;
mod exponential_smoothing;
mod fit;
mod gamma_gamma;
mod kmeans;
mod language;
mod mask;
mod models;
mod names;
mod numeric;
mod optimum;
mod pairs;
mod pareto;
mod robust;
mod scores;
mod sentiment;
mod sentiment_zh;
mod shares;
mod shifted_geometric;
mod smoothing;
mod special;
mod text;
mod trunc;

#[cfg(test)]
mod tests;

use datafusion::common::Result;
use datafusion::execution::FunctionRegistry;

/// Makes them known to a session.
pub fn register(registry: &mut dyn FunctionRegistry) -> Result<()> {
    for function in numeric::functions() {
        registry.register_udf(function)?;
    }
    for function in text::functions() {
        registry.register_udf(function)?;
    }
    registry.register_udf(calendar::function())?;
    let own = registry.udf("date_trunc")?;
    registry.register_udf(trunc::function(own))?;
    for function in fit::functions() {
        registry.register_udaf(function)?;
    }
    for function in smoothing::functions() {
        registry.register_udaf(function)?;
    }
    registry.register_udaf(robust::function())?;
    registry.register_udaf(pairs::function())?;
    registry.register_udaf(clusters::fit())?;
    registry.register_udf(clusters::nearest())?;
    Ok(())
}
