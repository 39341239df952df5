//! Names, ids, time and intervals, spans, diagnostics, events: the words every other room speaks. Does no I/O.

mod cadence;
mod cores;
mod diagnostic;
mod event;
mod failure;
mod fingerprint;
mod name;
mod units;

pub use cadence::{AsOf, Cadence, Interval, WallTime, start_of_day};
pub use cores::on_all_cores;
pub use diagnostic::{Diagnostic, Diagnostics, Level, Place, SourceText, closest};
pub use event::{Event, Observer, RunEnd, Scheduling, StepOutcome, Tee};
pub use failure::is_disk_full;
pub use fingerprint::{Fingerprint, Recipe};
pub use name::{
    BadName, CalendarName, ChannelName, KpiName, PackName, ParamName, PipelineName, ReportName, RunId, SourceName,
    StoreName, TableName,
};
pub use units::{ByteSize, human_bytes, human_count, human_duration, parse_duration};
