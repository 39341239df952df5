//! The exact accumulators of doubles as the engine calls them: one for all groups of an aggregation, one for a window.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray, BooleanArray};
use datafusion::arrow::datatypes::Float64Type;
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{Accumulator, EmitTo, GroupsAccumulator};

use super::moments::{Measure, Moments};

/// Of all groups.
pub(super) struct ExactGroups {
    measure: Measure,
    moments: Moments,
}

impl ExactGroups {
    pub(super) fn new(measure: Measure) -> Self {
        Self { measure, moments: Moments::new(measure) }
    }
}

impl GroupsAccumulator for ExactGroups {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        opt_filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        self.moments.resize(total_num_groups);
        self.moments.update(values[0].as_primitive::<Float64Type>(), group_indices, opt_filter);
        Ok(())
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        Ok(Arc::new(self.moments.evaluate(emit_to)))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        Ok(self.moments.state(emit_to))
    }

    fn merge_batch(&mut self, values: &[ArrayRef], group_indices: &[usize], total_num_groups: usize) -> Result<()> {
        self.moments.resize(total_num_groups);
        self.moments.merge(values, group_indices)
    }

    fn convert_to_state(&self, values: &[ArrayRef], opt_filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let rows = values[0].len();
        let mut each_row = Self::new(self.measure);
        let groups: Vec<usize> = (0..rows).collect();
        each_row.update_batch(values, &groups, opt_filter, rows)?;
        each_row.state(EmitTo::All)
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.moments.size()
    }
}

/// Of one group, from which a sliding window can take values out again.
#[derive(Debug)]
pub(super) struct ExactSingle {
    moments: Moments,
}

impl ExactSingle {
    pub(super) fn new(measure: Measure) -> Self {
        let mut moments = Moments::new(measure);
        moments.resize(1);
        Self { moments }
    }
}

impl Accumulator for ExactSingle {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.moments.update_only(values[0].as_primitive::<Float64Type>());
        Ok(())
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.moments.retract(values[0].as_primitive::<Float64Type>());
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(ScalarValue::Float64(self.moments.peek(0)))
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let columns = self.moments.state(EmitTo::All);
        self.moments.resize(1);
        columns.iter().map(|column| ScalarValue::try_from_array(column, 0)).collect()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.moments.merge(states, &vec![0; states[0].len()])
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.moments.size()
    }
}
