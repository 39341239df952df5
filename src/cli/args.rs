//! The command line as a type.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Every night: raw exports in, checked tables and a report out.
#[derive(Debug, Parser)]
#[command(name = "matins", version, about, max_term_width = 110)]
pub struct Cli {
    /// The project's folder: the nearest one with `matins.yaml`, from here upwards, when not given.
    #[arg(short = 'C', long, global = true, value_name = "FOLDER")]
    pub project: Option<PathBuf>,
    /// Print results and errors only.
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Print JSON: one stable shape a verb, described in docs/cli.md.
    #[arg(long, global = true)]
    pub json: bool,
    /// How messages and logs on stderr are written: `json` is one object a line.
    #[arg(long, global = true, value_enum, default_value_t, env = "MATINS_LOG_FORMAT", hide_env_values = true)]
    pub log_format: LogFormat,
    #[command(subcommand)]
    pub verb: Verb,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    #[default]
    Text,
    Json,
}

#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Write a new project that works.
    Init(InitArgs),
    /// Find every mistake of the project, without reading any data.
    Check(CheckArgs),
    /// Run the tests beside the stages: rows they are given, and the rows they must make of them.
    Test(TestArgs),
    /// Say what a run would do, and why.
    Plan(RunArgs),
    /// Run one interval: land, make, check, publish, report.
    Run(RunArgs),
    /// Run every interval of a range.
    Backfill(BackfillArgs),
    /// Say when pipelines run by themselves: every fire, its intervals, and what a clock change does to it.
    Schedule(ScheduleArgs),
    /// Run pipelines when they are due, until told to stop.
    Serve(ServeArgs),
    /// Ask what was published, in SQL; `system.runs`, `.steps`, `.checks` and `.quarantine` too.
    Query(QueryArgs),
    /// Say what a published figure is: its formula and SQL, its checks, its run and the exports it comes from.
    Explain(ExplainArgs),
    /// List runs; show, follow or cancel one.
    Runs(RunsArgs),
    /// List the reports that were made, as pages to open.
    Report(ReportArgs),
    /// See what became of each message, and decide on those that stand still.
    Outbox(OutboxArgs),
    /// Let readers follow an earlier snapshot, until it is released.
    Rollback(RollbackArgs),
    /// Delete what no snapshot reaches any more.
    Gc(GcArgs),
    /// Write the exports of the fictional company.
    Sample(SampleArgs),
    /// List the functions Matins adds to SQL.
    Functions(FunctionsArgs),
    /// Print the JSON Schema that editors use.
    Schema(SchemaArgs),
    /// Write the pages about the project's KPIs and the core contract, from its packs.
    Docs(DocsArgs),
}

#[derive(Debug, Args)]
pub struct InitArgs {
    /// The new project's folder; it must be empty or absent.
    pub folder: PathBuf,
}

#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Only this pipeline.
    pub pipeline: Option<String>,
    /// Show every table that is left out for want of data, with its place, and not a line a pack.
    #[arg(short, long)]
    pub verbose: bool,
}

#[derive(Debug, Args)]
pub struct TestArgs {
    /// Only tests whose table, file or name holds this.
    pub pattern: Option<String>,
    /// Show the tests that pass too, each with its time, and how many stages have none.
    #[arg(short, long)]
    pub verbose: bool,
}

#[derive(Debug, Args)]
pub struct RunArgs {
    /// The pipeline; `default_pipeline` of matins.yaml when not given.
    pub pipeline: Option<String>,
    /// The end of the interval: `2011-12-10`. The last closed interval when not given.
    #[arg(long, value_name = "DATE")]
    pub as_of: Option<String>,
    /// Wait for a run that holds the pipeline, instead of leaving with exit code 6.
    #[arg(long)]
    pub wait: bool,
    /// Render reports, and send nothing.
    #[arg(long)]
    pub no_mail: bool,
    /// Tell those whom `notify` names when it fails, or works again; `serve` does so by itself.
    #[arg(long)]
    pub notify: bool,
}

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub struct BackfillArgs {
    pub pipeline: Option<String>,
    /// The start of the first interval.
    #[arg(long, value_name = "DATE")]
    pub from: String,
    /// The start of the last interval.
    #[arg(long, value_name = "DATE")]
    pub to: String,
    /// Begin with the last interval: what people look at first is there first.
    #[arg(long)]
    pub newest_first: bool,
    /// Work on so many intervals at the same time; each is published in its turn.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=32))]
    pub parallel: u8,
    /// Say what there is to do for each interval, and do nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Wait for a run that holds the pipeline, instead of leaving with exit code 6.
    #[arg(long)]
    pub wait: bool,
    /// Send the last interval's report.
    #[arg(long)]
    pub mail: bool,
}

#[derive(Debug, Args)]
pub struct ScheduleArgs {
    /// The pipeline; every one that has a schedule when not given.
    pub pipeline: Option<String>,
    /// A whole year; the next fires when not given.
    #[arg(long)]
    pub year: Option<i32>,
    /// Fires shown of each pipeline [default: 400 of a year and with --json all, else 10, or 1 of many pipelines].
    #[arg(long, value_parser = at_least_one)]
    pub limit: Option<usize>,
}

#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Only these pipelines.
    pub pipelines: Vec<String>,
    /// Where it shows how it is, as in `127.0.0.1:9180`: `/`, `/status`, `/metrics`, `/healthz`, `/readyz`.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<std::net::SocketAddr>,
}

#[derive(Debug, Args)]
pub struct QueryArgs {
    /// One SELECT.
    pub sql: String,
    #[arg(long)]
    pub pipeline: Option<String>,
    /// A snapshot other than the one readers follow.
    #[arg(long, value_name = "NUMBER")]
    pub snapshot: Option<u64>,
}

#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// The KPI's name.
    pub kpi: String,
    #[arg(long)]
    pub pipeline: Option<String>,
    /// As it was published at this instant; the snapshot that readers follow when not given.
    #[arg(long, value_name = "DATE")]
    pub as_of: Option<String>,
    /// The first day of the period to explain: the last closed one when not given.
    #[arg(long, value_name = "DATE")]
    pub period: Option<chrono::NaiveDate>,
}

#[derive(Debug, Args)]
pub struct DocsArgs {
    /// The folder they are written to, in the project's when it is relative.
    #[arg(default_value = "docs")]
    pub folder: PathBuf,
    /// Write nothing; leave with exit code 2 when a page is not as it would be written.
    #[arg(long)]
    pub check: bool,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct RunsArgs {
    #[command(subcommand)]
    pub what: Option<RunsVerb>,
    #[arg(long)]
    pub pipeline: Option<String>,
    #[arg(long, default_value_t = 20, value_parser = at_least_one)]
    pub limit: usize,
}

#[derive(Debug, Subcommand)]
pub enum RunsVerb {
    /// Show one run's steps, reasons and checks.
    Show(OneRun),
    /// Follow a run until it ends, wherever it works; leaves with its exit code.
    Watch(OneRun),
    /// Have a run end now, wherever it works. What it made stays.
    Cancel {
        #[command(flatten)]
        run: OneRun,
        /// Why, for whoever looks later.
        #[arg(long)]
        why: Option<String>,
    },
}

#[derive(Debug, Args)]
pub struct OneRun {
    /// The run's id, or `latest`.
    #[arg(default_value = "latest")]
    pub run: String,
    #[arg(long)]
    pub pipeline: Option<String>,
}

#[derive(Debug, Args)]
pub struct ReportArgs {
    #[command(subcommand)]
    pub what: ReportVerb,
}

#[derive(Debug, Subcommand)]
pub enum ReportVerb {
    /// List reports by date, the newest last.
    List {
        pipeline: Option<String>,
        #[arg(long, default_value_t = 30, value_parser = at_least_one)]
        limit: usize,
    },
    /// Write the index of the archive anew, from what lies in the lake.
    Archive { pipeline: Option<String> },
    /// Show a report as it would be made now, in the browser, and again whenever a file of the project is saved.
    Preview(PreviewArgs),
}

#[derive(Debug, Args)]
pub struct PreviewArgs {
    /// The report's name; the first of the pipeline when not given.
    pub report: Option<String>,
    #[arg(long)]
    pub pipeline: Option<String>,
    /// Made-up rows, although there is a snapshot.
    #[arg(long)]
    pub made_up: bool,
    /// Where on this machine the browser finds it.
    #[arg(long, default_value_t = 8025)]
    pub port: u16,
    /// Write page, mail, pictures and text into this folder, and serve nothing.
    #[arg(long, value_name = "FOLDER", conflicts_with = "port")]
    pub out: Option<PathBuf>,
    /// The language of what is written.
    #[arg(long, default_value = "en", value_parser = ["en", "zh-Hans"], requires = "out")]
    pub locale: String,
}

#[derive(Debug, Args)]
pub struct OutboxArgs {
    #[command(subcommand)]
    pub what: OutboxVerb,
}

#[derive(Debug, Subcommand)]
pub enum OutboxVerb {
    /// List messages, the newest last.
    List {
        /// Only those in this state.
        #[arg(long, value_parser = ["pending", "sending", "accepted", "deferred", "failed", "unknown", "suppressed"])]
        state: Option<String>,
        #[arg(long, default_value_t = 50, value_parser = at_least_one)]
        limit: usize,
    },
    /// Show one message and every step of its life.
    Show {
        id: String,
        /// Print the message itself, as it was or will be sent.
        #[arg(long)]
        eml: bool,
    },
    /// Send a message once more, although it was sent or may have been.
    Resend { id: String },
    /// Say that a message is not to be sent, or that it has been dealt with.
    Suppress {
        id: String,
        /// Why, for whoever looks later.
        #[arg(long)]
        why: Option<String>,
    },
    /// List mailboxes that sent a message back, to which nothing more is sent.
    Bounces {
        /// Let messages go to this address again.
        #[arg(long, value_name = "ADDRESS")]
        forget: Option<String>,
    },
    /// Deliver what is due, and announce reports that are late; what `serve` does at each tick.
    Deliver {
        /// The pipeline whose reports may be late; `default_pipeline` when not given.
        pipeline: Option<String>,
    },
}

#[derive(Debug, Args)]
pub struct RollbackArgs {
    /// The snapshot's number, as `matins runs` shows it.
    #[arg(required_unless_present = "release")]
    pub snapshot: Option<u64>,
    #[arg(long)]
    pub pipeline: Option<String>,
    /// Let readers follow the newest snapshot again.
    #[arg(long, conflicts_with = "snapshot")]
    pub release: bool,
    #[arg(long)]
    pub wait: bool,
}

#[derive(Debug, Args)]
pub struct GcArgs {
    /// Snapshots kept for each pipeline, besides the one readers follow.
    #[arg(long, default_value_t = 400)]
    pub keep: usize,
    /// Hours a thing must be old, and hours a list waits before anything on it is deleted.
    #[arg(long, default_value_t = 24)]
    pub wait_hours: u64,
    /// Show what is not reached, and write nothing.
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Debug, Args)]
pub struct SampleArgs {
    /// Where the exports go.
    pub folder: PathBuf,
    #[arg(long, default_value_t = 2000)]
    pub customers: u32,
    /// The day after the last day of business.
    #[arg(long, default_value = "2025-01-01")]
    pub as_of: chrono::NaiveDate,
}

#[derive(Debug, Args)]
pub struct FunctionsArgs {
    /// Only those whose name holds this.
    pub name: Option<String>,
    /// Print docs/functions.md.
    #[arg(long, conflicts_with = "name")]
    pub markdown: bool,
}

#[derive(Debug, Args)]
pub struct SchemaArgs {
    #[arg(value_enum, default_value_t = SchemaOf::Pipeline)]
    pub of: SchemaOf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SchemaOf {
    /// `matins.yaml`
    Project,
    /// `pipelines/*.yaml`
    Pipeline,
    /// The comment at the top of a stage.
    Stage,
    /// `sql/<pack>/pack.yaml`
    Pack,
    /// `sql/<pack>/<schema>/<table>.test.yaml`
    Test,
}

/// A list of nothing would say that there is nothing.
fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse::<usize>() {
        Ok(0) => Err("at least 1".to_owned()),
        Ok(n) => Ok(n),
        Err(why) => Err(why.to_string()),
    }
}
