//! Project + as-of + what exists → steps. Fingerprints, lineage, reasons; when runs are due. Does no I/O.

mod closed;
mod due;
#[cfg(test)]
mod due_tests;
mod export;
mod graph;
mod handbook;
mod left_out;
mod periods;
mod steps;
#[cfg(test)]
mod tests;
mod timetable;
#[cfg(test)]
mod timetable_tests;
mod trial;
mod wanted;

pub use due::{
    Agenda, Arrived, Batch, Cause, Cursor, Due, DueRun, Published, Signals, Skip, first_after, intervals_of,
};
pub use export::{Export, Inventory, contract_fingerprint, raw_fingerprint};
pub use graph::{Graph, Node, graph, graph_of};
pub use handbook::{handbook, statement};
pub use left_out::{Cost, LeftOut, costs};
pub use periods::{Cut, Span, lookahead_for, lookback_for};
pub use steps::{At, Before, Existing, Plan, Step, Task, plan, standing};
pub use timetable::{Fire, Note, Timetable};
pub use trial::{Made, Maker, Trial, trial};
pub use wanted::{
    Input, Memory, Own, Remembered, Timed, Vanished, Wanted, WantedExport, WantedPart, WantedSource, WantedTable,
    checks_fingerprint, wanted,
};
