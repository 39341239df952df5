//! `DISTINCT` over doubles: the engine's own set of values, measured exactly at the end.

use datafusion::arrow::array::{ArrayRef, AsArray};
use datafusion::common::{Result, ScalarValue, internal_err};
use datafusion::logical_expr::Accumulator;

use super::float::ExactSingle;
use super::moments::Measure;

#[derive(Debug)]
pub(super) struct ExactDistinct {
    /// Collects the values; its own sum depends on the order of its hash set and is never asked for.
    set: Box<dyn Accumulator>,
    measure: Measure,
}

impl ExactDistinct {
    pub(super) fn new(set: Box<dyn Accumulator>, measure: Measure) -> Self {
        Self { set, measure }
    }
}

impl Accumulator for ExactDistinct {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.set.update_batch(values)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let state = self.set.state()?;
        let [ScalarValue::List(values)] = state.as_slice() else {
            return internal_err!("the state of a distinct aggregate is not one list");
        };
        let mut exact = ExactSingle::new(self.measure);
        exact.update_batch(&[ArrayRef::clone(values.values())])?;
        debug_assert!(values.values().as_primitive_opt::<datafusion::arrow::datatypes::Float64Type>().is_some());
        exact.evaluate()
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.set.size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.set.state()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.set.merge_batch(states)
    }
}
