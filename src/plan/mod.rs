//! Project + as-of + what exists → steps. Fingerprints, lineage, reasons. Does no I/O.

mod export;
mod graph;
mod handbook;
mod left_out;
mod steps;
#[cfg(test)]
mod tests;
mod wanted;

pub use export::{Export, Inventory, contract_fingerprint, raw_fingerprint};
pub use graph::{Graph, Node, graph};
pub use handbook::{handbook, statement};
pub use left_out::{LeftOut, costs};
pub use steps::{Before, Existing, Plan, Step, Task, plan};
pub use wanted::{
    Input, Memory, Remembered, Vanished, Wanted, WantedExport, WantedPart, WantedSource, WantedTable,
    checks_fingerprint, wanted,
};
