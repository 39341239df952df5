//! What a project means, after every default is filled in and every mistake has been reported.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use chrono::{Datelike, NaiveDate, NaiveTime, Weekday};
use chrono_tz::Tz;

use crate::base::{
    ByteSize, Cadence, CalendarName, ChannelName, Interval, KpiName, PackName, ParamName, PipelineName, Place,
    ReportName, SourceName, SourceText, StoreName, TableName,
};

/// A folder with `matins.yaml` in it.
#[derive(Debug, Clone)]
pub struct Project {
    pub root: PathBuf,
    pub file: Arc<SourceText>,
    /// A URL, or a folder relative to the root.
    pub lake: Setting,
    pub stores: BTreeMap<StoreName, Store>,
    pub time_zone: Tz,
    /// The engine's memory; half of the machine's when not given.
    pub memory: Option<ByteSize>,
    pub default_pipeline: Option<PipelineName>,
    pub mail: Mail,
    pub channels: BTreeMap<ChannelName, Channel>,
    pub calendars: BTreeMap<CalendarName, Calendar>,
    pub serve: Serve,
    /// Of pipelines that do not say it themselves.
    pub timeouts: Timeouts,
    pub notify: Vec<Destination>,
    /// Where the lake's `reports/` is read by people, without a slash at its end: links in messages begin with it.
    pub site: Option<String>,
    pub pipelines: BTreeMap<PipelineName, Pipeline>,
    /// Every pack found under `sql/`, whether or not a pipeline uses it.
    pub packs: BTreeMap<PackName, Pack>,
    /// By path below `report-templates/`.
    pub templates: BTreeMap<String, Arc<SourceText>>,
}

/// A text in which `${VAR}` has been replaced. A variable that is not set fails only those who use the setting.
pub type Setting = Result<String, Unset>;

/// A setting that needs a variable nobody set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unset {
    pub variable: String,
    pub place: Place,
}

/// A named place in object storage.
#[derive(Debug, Clone)]
pub struct Store {
    /// `s3://bucket/prefix`, `az://…`, `gs://…`, `https://…`, `file:///…`, or a folder relative to the project's root.
    pub url: Setting,
    /// Passed to the store as it is: `endpoint`, `region`, `access_key_id`, `allow_http` …
    pub options: BTreeMap<String, Setting>,
    pub place: Place,
}

/// Where mail goes. Nobody is mailed by accident: the default writes files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    pub from: String,
    pub transport: MailTransport,
    /// Lower-case addresses and `*@domain`; everybody when not given.
    pub allow: Option<Vec<String>>,
    pub dkim: Option<Dkim>,
    /// `mailto:` and `https://` addresses; `{recipient}` stands for the recipient's.
    pub unsubscribe: Vec<String>,
    /// How long a message that is refused for now is tried again.
    pub give_up_after_hours: u32,
    /// A maildir to which notices of non-delivery come, relative to the project's root.
    pub bounces: Option<PathBuf>,
}

impl Mail {
    /// Whether the allow-list lets a message go to this bare address.
    pub fn allows(&self, address: &str) -> bool {
        let address = address.to_lowercase();
        let fits = |pattern: &String| match pattern.strip_prefix('*') {
            Some(ending) => address.ends_with(ending),
            None => *pattern == address,
        };
        self.allow.as_ref().is_none_or(|patterns| patterns.iter().any(fits))
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MailTransport {
    /// One `.eml` a message, in this folder relative to the project's root.
    Folder(PathBuf),
    Smtp(Smtp),
}

/// A mail server, and how to talk to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Smtp {
    pub host: Setting,
    pub port: u16,
    pub security: Security,
    /// Both or neither.
    pub login: Option<(Setting, Secret)>,
    /// At once.
    pub connections: usize,
    /// For each answer of the server.
    pub timeout_s: u32,
    /// PEM certificates trusted besides the usual ones; relative to the project's root.
    pub ca: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// TLS after a greeting in the clear, or nothing is sent.
    StartTls,
    Tls,
    None,
}

/// Whom a message is for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Destination {
    /// As written: `someone@example.com`, or with a name before it.
    Address(String),
    Channel(ChannelName),
}

impl std::fmt::Display for Destination {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Address(address) => f.write_str(address),
            Self::Channel(name) => write!(f, "{name}"),
        }
    }
}

/// A place that takes posts over HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    pub kind: ChannelKind,
    /// Whoever knows it can post there.
    pub url: Secret,
    /// For the whole answer.
    pub timeout_s: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChannelKind {
    /// An incoming webhook that takes what Slack's takes; Mattermost and Rocket.Chat have such too.
    Slack,
    /// Matins' own JSON, signed where there is a secret.
    Webhook { secret: Option<Secret> },
}

/// Signs messages (RFC 6376).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dkim {
    pub domain: String,
    pub selector: String,
    pub key: DkimKey,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DkimKey {
    Text(Secret),
    /// Relative to the project's root.
    File(PathBuf),
}

/// A setting that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub Setting);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// `pipelines/<name>.yaml`.
#[derive(Debug, Clone)]
pub struct Pipeline {
    pub name: PipelineName,
    pub file: Arc<SourceText>,
    pub description: String,
    pub time_zone: Tz,
    pub interval: Cadence,
    /// A month is closed so many days after its end, for stages that see closed months only.
    pub close_after_days: u32,
    pub sources: BTreeMap<SourceName, Source>,
    /// In the order written.
    pub packs: Vec<(PackName, Place)>,
    /// Its own, and those of its packs that it does not say.
    pub params: BTreeMap<ParamName, ParamValue>,
    /// First the ones it names, in its order; then the others of its packs.
    pub kpis: Vec<Kpi>,
    pub reports: Vec<Report>,
    pub schedule: Option<Schedule>,
    pub timeouts: Timeouts,
    /// Who is told when it fails, works again, or is late.
    pub notify: Vec<Destination>,
    pub sample: Option<Sample>,
}

/// How `matins serve` uses a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Serve {
    /// How many pipelines run side by side.
    pub at_once: usize,
    /// Where it shows how it is.
    pub listen: Option<SocketAddr>,
    pub gc: Option<DailyGc>,
}

impl Default for Serve {
    fn default() -> Self {
        Self { at_once: 2, listen: None, gc: None }
    }
}

/// Collecting what no snapshot reaches, once a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DailyGc {
    /// In the project's zone.
    pub at: NaiveTime,
    pub keep: usize,
}

/// How long work may last before it is given up. Deliveries have theirs where they are set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    pub step: std::time::Duration,
    pub run: std::time::Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { step: std::time::Duration::from_hours(6), run: std::time::Duration::from_hours(12) }
    }
}

/// A value a stage may use as `$name`.
#[derive(Debug, Clone, PartialEq)]
pub enum ParamValue {
    Integer(i64),
    /// Digits with a point, kept as written so that `0.1` stays a tenth.
    Decimal(String),
    Text(String),
    Boolean(bool),
    Date(NaiveDate),
    /// Local wall-clock time: a bound of an interval that is not a midnight.
    Timestamp(chrono::NaiveDateTime),
}

/// A declared set of exports with one contract.
#[derive(Debug, Clone)]
pub struct Source {
    pub name: SourceName,
    pub place: Place,
    pub store: StoreName,
    /// Path below the store's URL: `erp/orders/{date}.csv`, `crm/customers-*.csv`.
    pub pattern: ExportPattern,
    pub mode: Mode,
    pub format: CsvFormat,
    /// In the order written; this is the order of the columns of `raw.<source>`.
    pub columns: Vec<Column>,
    /// Empty when rows have no key.
    pub key: Vec<String>,
    pub keep: Keep,
    pub unknown_columns: UnknownColumns,
    pub on_vanish: OnVanish,
    /// Above this share of rows quarantined, publishing is blocked. Default 0.01.
    pub quarantine_limit: f64,
    pub checks: Vec<Check>,
}

/// How the names of exports look. At most one `{date}`; `*`, `?` and `**` as in a shell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportPattern {
    /// `{date}` stands in it without its format.
    pub text: String,
    /// Given where there is a `{date}`: its format as chrono writes it; `{date:%Y%m%d}` changes it from `%Y-%m-%d`.
    pub date_format: Option<String>,
}

/// What one export is of the whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Each export adds rows.
    Append,
    /// Each export is everything there is; the latest visible one counts.
    Full,
}

/// CSV as RFC 4180 has it and as companies write it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CsvFormat {
    pub delimiter: u8,
    pub quote: u8,
    /// A label of the WHATWG encoding standard, as in `utf-8`, `gbk`, `windows-1252`.
    pub encoding: String,
    /// Texts that mean "no value" in every column, besides the empty field.
    pub null_tokens: Vec<String>,
    /// Whether spaces around a field are taken off before it is read.
    pub trim: bool,
}

/// One column of the contract.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    pub name: String,
    /// Header texts this column may have in an export, the first being the usual one.
    pub headers: Vec<String>,
    pub kind: ColumnKind,
    pub required: bool,
    /// More texts that mean "no value", for this column only.
    pub null_tokens: Vec<String>,
    pub accepted: Option<Vec<String>>,
    /// Bounds, both included, as written; compared in the column's own type.
    pub min: Option<String>,
    pub max: Option<String>,
    pub pii: Option<String>,
    pub description: Option<String>,
    pub place: Place,
}

/// The type of a column, and how its values are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ColumnKind {
    Text,
    Integer,
    /// A number with at most `scale` digits after the point. More digits are a mistake of the export, not rounded away.
    Decimal {
        precision: u8,
        scale: i8,
        point: DecimalPoint,
    },
    Float,
    Boolean {
        yes: Vec<String>,
        no: Vec<String>,
    },
    /// chrono formats, tried in turn.
    Date {
        formats: Vec<String>,
    },
    /// Local wall-clock time unless `zone` says the zone it is written in; then it becomes UTC.
    Timestamp {
        formats: Vec<String>,
        zone: Option<Tz>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecimalPoint {
    /// `1,234.56`: a comma between groups of three digits is allowed.
    Point,
    /// `1.234,56`.
    Comma,
}

/// Which of the rows with one key stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keep {
    /// The first in order of export, then line.
    First,
    Last,
    /// The greatest value of a column; among equals the last.
    Latest(String),
    /// The least value of a column; among equals the first.
    Earliest(String),
}

/// What to do with a column that the contract does not name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnknownColumns {
    Ignore,
    Warn,
    /// The export does not land, and the run fails.
    Refuse,
}

/// What to do when an export that has landed is no longer in its store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnVanish {
    /// Its landed rows stay in use, with a warning.
    Keep,
    /// The run fails.
    Refuse,
}

/// A folder of stages that travel together, and what its `pack.yaml` says of it.
#[derive(Debug, Clone, Default)]
pub struct Pack {
    pub description: Option<String>,
    /// What its stages use where a pipeline does not say it, each with where it stands.
    pub params: BTreeMap<ParamName, (ParamValue, Place)>,
    /// In order of path.
    pub stages: Vec<Stage>,
    /// In the order written.
    pub kpis: Vec<Kpi>,
}

/// One `.sql` file.
#[derive(Debug, Clone)]
pub struct Stage {
    pub table: TableName,
    pub pack: PackName,
    pub file: Arc<SourceText>,
    pub head: Head,
}

/// A test of a stage: rows it is given, and the rows it must make of them.
#[derive(Debug, Clone)]
pub struct StageTest {
    pub table: TableName,
    pub pack: PackName,
    pub name: String,
    pub place: Place,
    /// The interval it is made for.
    pub interval: Interval,
    /// What it says itself, each with where it stands.
    pub params: BTreeMap<ParamName, (ParamValue, Place)>,
    pub given: BTreeMap<TableName, Given>,
    pub expect: WrittenRows,
    /// Whether the order of the rows counts; where it is not said, the stage says.
    pub ordered: Option<bool>,
    /// How far a float may be off; else as far as the digits it is written with say.
    pub tolerance: Option<f64>,
    /// The checks of the stage's head that its rows break.
    pub fails: Vec<String>,
}

/// A table a test gives.
#[derive(Debug, Clone)]
pub struct Given {
    pub from: GivenFrom,
    pub place: Place,
}

#[derive(Debug, Clone)]
pub enum GivenFrom {
    Rows(WrittenRows),
    /// A statement, as one file of its own.
    Sql(Arc<SourceText>, Place),
}

/// Rows as a person writes them.
#[derive(Debug, Clone, Default)]
pub struct WrittenRows {
    /// Every column that a row names, in the order they are first named.
    pub columns: Vec<(String, Place)>,
    pub rows: Vec<WrittenRow>,
}

#[derive(Debug, Clone)]
pub struct WrittenRow {
    pub cells: Vec<(String, WrittenCell)>,
    pub place: Place,
}

#[derive(Debug, Clone)]
pub struct WrittenCell {
    /// With the digits it is written with; none is NULL.
    pub text: Option<String>,
    /// Written in quotes, so that it is a text whatever it looks like.
    pub quoted: bool,
    pub place: Place,
}

impl WrittenRow {
    pub fn cell(&self, column: &str) -> Option<&WrittenCell> {
        self.cells.iter().find(|(name, _)| name == column).map(|(_, cell)| cell)
    }
}

/// What the comment at the top of a stage says.
#[derive(Debug, Clone, Default)]
pub struct Head {
    pub description: Option<String>,
    pub columns: BTreeMap<String, String>,
    pub key: Vec<String>,
    pub checks: Vec<Check>,
    pub incremental: Option<Incremental>,
    /// Made as of the end of the last closed month, from what could be seen then.
    pub closed: bool,
    /// How long one part of it may take; else as long as any step.
    pub timeout: Option<std::time::Duration>,
    pub words: Words,
}

/// What a head says for people only; it is in no fingerprint.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Words {
    pub grain: Option<String>,
    pub formula: Option<String>,
    pub rules: Vec<String>,
    pub reference: Vec<String>,
}

/// How the table of an incremental stage is cut into parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incremental {
    pub every: Period,
    /// By a time of the rows it reads; else by the dates of the exports.
    pub by: Option<ByTime>,
}

/// Part P is made from the rows whose time lies in P, out of the exports dated from so many days before P to so many after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ByTime {
    /// Of the sources it reads in parts.
    pub column: String,
    pub lookback_days: u32,
    pub lookahead_days: u32,
    /// What it means that a row has a time whose part does not read its export.
    pub late: Severity,
    pub place: Place,
}

/// How long a part is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    Day,
    Month,
}

/// A rule on a table, with a severity.
#[derive(Debug, Clone)]
pub struct Check {
    /// As shown: `unique(order_id)` unless it was given one.
    pub name: String,
    pub rule: Rule,
    pub severity: Severity,
    pub limit: Limit,
    pub place: Place,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Rule {
    NotNull {
        column: String,
    },
    Unique {
        columns: Vec<String>,
    },
    Accepted {
        column: String,
        values: Vec<String>,
    },
    /// Bounds are SQL literals (`0`, `'2024-01-01'`), both included.
    Range {
        column: String,
        min: Option<String>,
        max: Option<String>,
    },
    /// Every value that is not null stands in the other table's column.
    References {
        column: String,
        table: TableName,
        to: String,
    },
    /// A SQL expression true of every row.
    Expression {
        sql: String,
    },
    /// The greatest value of a date or timestamp column is at most so many days before the run's `as_of`.
    Freshness {
        column: String,
        days: u32,
    },
    RowCount {
        min: Option<u64>,
        max: Option<u64>,
    },
    /// The number of rows against the last snapshot: at most this share less, or more.
    RowChange {
        down: Option<f64>,
        up: Option<f64>,
    },
    /// A query that returns the bad rows.
    Query {
        sql: String,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Info,
    Warn,
    /// Takes the bad rows out of the table.
    Quarantine,
    /// Blocks publishing.
    Error,
}

/// How many bad rows a check lets pass; none unless it says so.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Limit {
    pub count: Option<u64>,
    /// Of the table's rows, 0 to 1.
    pub share: Option<f64>,
}

/// A named figure. Its table has the columns `period`, `value`, `n` and, where they mean something, `dimension`,
/// `numerator`, `denominator`, `low`, `high`, `provisional`.
#[derive(Debug, Clone, PartialEq)]
pub struct Kpi {
    pub name: KpiName,
    pub table: TableName,
    /// In English.
    pub label: String,
    /// In other languages, by their tag, as in `zh-Hans`.
    pub labels: BTreeMap<String, String>,
    /// What it means, by language; the description of the stage of its table where there is none in English.
    pub definitions: BTreeMap<String, String>,
    pub unit: Unit,
    pub direction: Direction,
    pub comparison: Comparison,
    /// A smaller sample is shown in grey, and no alert rests on it.
    pub minimum_n: i64,
    pub target: Option<f64>,
    /// Below it reports say that their figures are not reliable, and strike them.
    pub gate: Option<f64>,
    pub alerts: Vec<AlertRule>,
    /// Whether reports show it: the ones a pipeline names, or all where it names none. History and alerts have all.
    pub shown: bool,
    /// Whether the pipeline names it, so that it must not be left out.
    pub named: bool,
    /// Whether the pipeline says what it means, and so no catalogue of phrases does.
    pub worded: bool,
    pub place: Place,
}

/// The period a KPI is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    Previous,
    /// The same period, so that seasons do not mislead.
    LastYear,
}

/// When people must be told. A rule holds only where the sample leaves no doubt (catalogue B0.9).
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum AlertRule {
    Below(Bound),
    Above(Bound),
    /// Since the period it is compared with: in the KPI's own unit (0.05 is five points of a share), or for amounts as a
    /// share of what it was. Negative for a fall.
    Change(f64),
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Bound {
    /// Whatever the KPI's target is; without one the rule sleeps.
    Target,
    Value(f64),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unit {
    /// A share between 0 and 1; its changes are in percentage points.
    Share,
    Count,
    /// With the sign or code shown before it; empty where nobody gave one.
    Money(String),
    /// A score such as NPS; its changes are in points.
    Score,
    /// The mean of what people answered on a scale, such as 4.1 of 5; its changes are in points.
    Mean,
    /// So many times, such as orders for every customer; its changes are relative.
    Ratio,
    Days,
    Hours,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Up is good.
    Up,
    Down,
    Neither,
}

/// A template rendered from one snapshot.
#[derive(Debug, Clone)]
pub struct Report {
    pub name: ReportName,
    pub title: String,
    /// Path below `report-templates/`.
    pub template: String,
    /// What the template calls each table it shows.
    pub data: BTreeMap<String, (TableName, Place)>,
    pub subject: String,
    pub recipients: Vec<Recipient>,
    /// More of them: one a row of a table.
    pub recipients_from: Option<RecipientsFrom>,
    /// Local wall-clock time, after which a notice says that the report is delayed.
    pub deliver_by: Option<NaiveTime>,
    /// What of its `data` every recipient sees whole, whatever rows they are to see; `kpis` stands for its KPIs.
    pub shared: BTreeSet<String>,
    /// Whether its tables are attached to the mail.
    pub workbook: bool,
    /// Whether the page is attached as a PDF, where there is a browser that makes one.
    pub pdf: bool,
    pub when: When,
    pub place: Place,
}

/// Which publications of a report are sent. Its page is made of each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum When {
    #[default]
    Always,
    /// Those that raise an alert, or on which one still stands.
    Alert,
}

/// Who gets a report, in which language, and which rows of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    pub to: Destination,
    pub locale: Locale,
    /// Column and value, in every table of the report that has the column; everything when empty.
    pub filter: BTreeMap<String, String>,
    pub place: Place,
}

/// Recipients that stand in a table of the snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecipientsFrom {
    pub table: TableName,
    /// The column of addresses.
    pub address: String,
    /// The column of languages.
    pub locale: Option<String>,
    /// A column of the report's tables, and the column of this table whose value it must have.
    pub filter: BTreeMap<String, String>,
    pub place: Place,
}

/// A language, with the numbers and dates that go with it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Locale {
    #[default]
    En,
    /// Chinese in simplified characters; amounts in 万 and 亿.
    ZhHans,
}

impl Locale {
    pub const ALL: [Self; 2] = [Self::En, Self::ZhHans];

    /// As BCP 47 has it.
    pub fn tag(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::ZhHans => "zh-Hans",
        }
    }
}

/// When a pipeline runs by itself, and what becomes of what was missed. At least one of `cron`, `after` and `exports`.
#[derive(Debug, Clone)]
pub struct Schedule {
    /// Valid cron patterns, seconds optional.
    pub cron: Vec<String>,
    /// An interval is due when all of these have published it.
    pub after: Vec<(PipelineName, Place)>,
    /// An interval is due when each of these has an export of its last day.
    pub exports: Vec<SourceName>,
    pub look_every_minutes: u32,
    pub calendar: Option<(CalendarName, Calendar)>,
    pub catch_up: CatchUp,
    pub overlap: Overlap,
    pub priority: Priority,
    pub paused: bool,
    /// The time of day after an interval's end by which it must have published.
    pub publish_by: Option<NaiveTime>,
    pub place: Place,
}

/// Days with business and without.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calendar {
    /// Never empty.
    pub business_days: Vec<Weekday>,
    pub holidays: BTreeSet<NaiveDate>,
}

impl Calendar {
    pub fn is_business_day(&self, date: NaiveDate) -> bool {
        self.business_days.contains(&date.weekday()) && !self.holidays.contains(&date)
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CatchUp {
    pub data: CatchUpData,
    pub reports: CatchUpReports,
}

/// Which missed runs are made up for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum CatchUpData {
    /// The latest so many at most.
    #[default]
    All,
    Latest,
    None,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum CatchUpReports {
    #[default]
    Latest,
    All,
    None,
}

/// What becomes of a fire while the pipeline runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Overlap {
    #[default]
    Queue,
    Skip,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    Low,
    #[default]
    Normal,
    High,
}

/// Lets a pipeline run with nothing given: exports of a fictional company are made on the spot.
#[derive(Debug, Clone)]
pub struct Sample {
    /// The store whose folder is filled when it is empty.
    pub store: StoreName,
    pub as_of: NaiveDate,
    pub customers: u32,
    pub place: Place,
}
