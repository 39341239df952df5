//! Runs a shared part once and hands its rows to every reader. What not every reader has taken stays in the engine's memory.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::common::internal_err;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Statistics};
use datafusion::error::Result;
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::statistics::{StatisticsArgs, StatisticsContext};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties,
    ReplaceChildrenOptions, SendableRecordBatchStream,
};
use futures::StreamExt;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;

/// A batch and the room it takes, given back when the last reader has let go of it.
struct Held {
    batch: RecordBatch,
    _room: MemoryReservation,
}

type Handed = Result<Arc<Held>, Arc<DataFusionError>>;

/// A part's rows on their way to its readers.
#[derive(Debug)]
pub(super) struct SharedRows {
    input: Arc<dyn ExecutionPlan>,
    readers: usize,
    running: Mutex<Option<Running>>,
}

/// Ends its tasks when the last reader is gone.
struct Running {
    _tasks: JoinSet<()>,
    /// By partition, then by reader; each is taken once.
    queues: Vec<Vec<Option<UnboundedReceiver<Handed>>>>,
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running").field("partitions", &self.queues.len()).finish_non_exhaustive()
    }
}

impl SharedRows {
    pub(super) fn new(input: Arc<dyn ExecutionPlan>, readers: usize) -> Self {
        Self { input, readers, running: Mutex::new(None) }
    }

    /// A reader's queue of a partition; the first that asks starts all partitions, and nobody waits for another reader.
    fn take(&self, reader: usize, partition: usize, context: &Arc<TaskContext>) -> Result<UnboundedReceiver<Handed>> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let running = match &mut *running {
            Some(running) => running,
            none => none.insert(self.start(context)?),
        };
        match running.queues.get_mut(partition).and_then(|p| p.get_mut(reader)).and_then(Option::take) {
            Some(queue) => Ok(queue),
            None => internal_err!("shared rows were taken twice"),
        }
    }

    fn start(&self, context: &Arc<TaskContext>) -> Result<Running> {
        let mut tasks = JoinSet::new();
        let mut queues = Vec::new();
        for partition in 0..self.input.output_partitioning().partition_count() {
            let (senders, receivers): (Vec<_>, Vec<_>) = (0..self.readers).map(|_| unbounded_channel()).unzip();
            queues.push(receivers.into_iter().map(Some).collect());
            let room = MemoryConsumer::new("SharedRows").register(context.memory_pool());
            tasks.spawn(hand_out(self.input.execute(partition, Arc::clone(context))?, senders, room));
        }
        Ok(Running { _tasks: tasks, queues })
    }
}

async fn hand_out(mut rows: SendableRecordBatchStream, senders: Vec<UnboundedSender<Handed>>, room: MemoryReservation) {
    while let Some(batch) = rows.next().await {
        let held = batch.and_then(|batch| hold(batch, &room)).map(Arc::new).map_err(Arc::new);
        for sender in &senders {
            // A reader may have had enough.
            let _ = sender.send(held.clone());
        }
        if held.is_err() || senders.iter().all(UnboundedSender::is_closed) {
            break;
        }
        // A reader that this woke waits on this thread until it pauses, and no other thread may take it.
        tokio::task::yield_now().await;
    }
}

fn hold(batch: RecordBatch, room: &MemoryReservation) -> Result<Held> {
    // A batch is often a slice of a large one, so only what it shows counts.
    let bytes =
        batch.columns().iter().map(|column| column.to_data().get_slice_memory_size()).sum::<Result<usize, _>>()?;
    room.try_grow(bytes)?;
    Ok(Held { batch, _room: room.split(bytes) })
}

/// One reader's view of a shared part.
#[derive(Debug)]
pub(super) struct SharedExec {
    rows: Arc<SharedRows>,
    reader: usize,
}

impl SharedExec {
    pub(super) fn new(rows: Arc<SharedRows>, reader: usize) -> Self {
        Self { rows, reader }
    }
}

impl DisplayAs for SharedExec {
    fn fmt_as(&self, format: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "SharedExec: reader {} of {}", self.reader + 1, self.rows.readers)?;
        match format {
            // Where the first reader stands, people see what is shared.
            DisplayFormatType::Default | DisplayFormatType::Verbose if self.reader == 0 => {
                let shared = datafusion::physical_plan::displayable(self.rows.input.as_ref()).indent(false).to_string();
                write!(f, " of\n{}", shared.trim_end())
            }
            _ => Ok(()),
        }
    }
}

impl ExecutionPlan for SharedExec {
    fn name(&self) -> &'static str {
        "SharedExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.rows.input.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        _: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let queue = self.rows.take(self.reader, partition, &context)?;
        let schema: SchemaRef = self.schema();
        let batches = futures::stream::unfold((queue, Arc::clone(&self.rows)), |(mut queue, rows)| async move {
            let handed = queue.recv().await?;
            let batch = handed.map(|held| held.batch.clone()).map_err(DataFusionError::Shared);
            Some((batch, (queue, rows)))
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, batches)))
    }

    fn statistics_from_inputs(&self, _: &[Arc<Statistics>], wanted: &StatisticsArgs) -> Result<Arc<Statistics>> {
        StatisticsContext::new().compute(self.rows.input.as_ref(), wanted)
    }
}
