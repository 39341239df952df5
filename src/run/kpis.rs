//! The KPIs of a pipeline: what is wrong with their tables, and their values as they were published, kept for ever.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use chrono::NaiveDate;
use futures::future::try_join_all;

use crate::base::{Diagnostic, Diagnostics, Fingerprint, KpiName, TableName};
use crate::config::{Kpi, Pipeline, Severity, Unit};
use crate::engine::{Cell, Kind, Rows, from_parquet, to_parquet};
use crate::lake::{
    CheckOutcome, CheckStatus, Create, DataFile, Lake, LakeError, Publication, PublishedTable, Sealed, TablePart, paths,
};
use crate::report::{ColumnType, KpiPoint, KpiSeries, Restatement, TableColumn, alerts};
use crate::run::look::{Known, with};
use crate::run::publish::Edition;
use crate::run::{RunError, Workshop};

/// The columns of a KPI's table, with the kinds they may have; the first three must be there.
const COLUMNS: [(&str, &[ColumnType]); 9] = [
    ("period", &[ColumnType::Date]),
    ("value", &[ColumnType::Number, ColumnType::Integer]),
    ("n", &[ColumnType::Integer]),
    ("dimension", &[ColumnType::Text]),
    ("numerator", &[ColumnType::Number, ColumnType::Integer]),
    ("denominator", &[ColumnType::Number, ColumnType::Integer]),
    ("low", &[ColumnType::Number, ColumnType::Integer]),
    ("high", &[ColumnType::Number, ColumnType::Integer]),
    ("provisional", &[ColumnType::Boolean]),
];
const NEEDED: usize = 3;

/// Every KPI whose table no stage makes, or is not a KPI's table. What is said elsewhere of `broken` and `left_out` tables
/// is not said again.
pub fn check(
    pipeline: &Pipeline,
    columns: &BTreeMap<TableName, Vec<TableColumn>>,
    broken: &BTreeSet<TableName>,
    left_out: &BTreeSet<TableName>,
) -> Diagnostics {
    let mut found = Diagnostics::default();
    let names: Vec<String> = columns.keys().map(ToString::to_string).collect();
    for kpi in pipeline.kpis.iter().filter(|k| !broken.contains(&k.table) && !left_out.contains(&k.table)) {
        let Some(known) = columns.get(&kpi.table) else {
            let message = format!("KPI `{}` is in `{}`, which no stage makes", kpi.name, kpi.table);
            found.push(
                Diagnostic::error("unknown-table", message)
                    .at(kpi.place.clone())
                    .did_you_mean(&kpi.table.to_string(), names.iter().map(String::as_str)),
            );
            continue;
        };
        for (at, (name, kinds)) in COLUMNS.iter().enumerate() {
            let message = match known.iter().find(|c| c.name == *name) {
                None if at < NEEDED => format!("KPI table `{}` has no column `{name}`", kpi.table),
                Some(column) if !kinds.contains(&column.kind) => {
                    format!("column `{name}` of KPI table `{}` is of the wrong kind", kpi.table)
                }
                _ => continue,
            };
            found.push(Diagnostic::error("kpi-column", message).at(kpi.place.clone()).help(
                "a KPI table has `period` (a date), `value` and `n` (a whole number); `dimension` (a text), `numerator`, \
                 `denominator`, `low`, `high` and `provisional` (true or false) if they mean something",
            ));
        }
    }
    found
}

/// One value as it was published.
#[derive(Debug, Clone, PartialEq)]
pub struct KpiValue {
    pub kpi: KpiName,
    /// The value of a breakdown; none for the whole.
    pub dimension: Option<String>,
    pub point: KpiPoint,
    /// What a snapshot before this one published for the same period, which was closed, where that was another value.
    pub was: Option<Restated>,
}

/// A value that was published and is no longer so.
#[derive(Debug, Clone, PartialEq)]
pub struct Restated {
    pub value: Option<f64>,
    /// The snapshot that published it.
    pub snapshot: u64,
}

/// A breakdown of more rows than this is left to its table; the whole is kept.
const ROWS_KEPT: usize = 5_000;

/// The columns of `kpis/<pipeline>/<n>.parquet`.
pub const FILE_COLUMNS: [(&str, Kind); 14] = [
    ("kpi", Kind::Text),
    ("period", Kind::Date),
    ("dimension", Kind::Text),
    ("value", Kind::Float),
    ("numerator", Kind::Float),
    ("denominator", Kind::Float),
    ("n", Kind::Integer),
    ("low", Kind::Float),
    ("high", Kind::Float),
    ("provisional", Kind::Boolean),
    ("snapshot", Kind::Integer),
    ("as_of", Kind::Text),
    ("was", Kind::Float),
    ("was_snapshot", Kind::Integer),
];

/// Writes the KPI values of what is about to be published as snapshot `number`, and raises its alerts. `before` is the last
/// publication of the same interval or an earlier one: what it said of closed periods and is otherwise now is restated.
pub async fn keep(
    shop: &Workshop,
    edition: &mut Edition,
    known: &Mutex<Known>,
    before: Option<&(u64, Publication)>,
    number: u64,
) -> Result<(), RunError> {
    let tables: Vec<&PublishedTable> = edition.sealed.iter().map(Sealed::table).collect();
    let mut values = gather(shop, &tables, known).await?;
    if values.is_empty() {
        return Ok(());
    }
    if let Some((snapshot, before)) = before
        && let Some(file) = &before.kpis
    {
        restate(&mut values, &read(&shop.lake, file).await?, *snapshot);
    }
    let publication = &mut edition.publication;
    publication.checks.extend(made(shop).flat_map(|kpi| conventions(kpi, &values)));
    let rows: Vec<Vec<Cell>> = values.iter().map(|v| row(v, number, &publication.as_of)).collect();
    let bytes = to_parquet(&FILE_COLUMNS, &rows)?;
    let path = paths::kpis(&shop.pipeline.name, number);
    let file = DataFile { path: path.clone(), rows: rows.len() as u64, size_bytes: bytes.len() as u64 };
    if shop.lake.create(&path, bytes).await? == Create::Exists {
        return Err(LakeError::Unreadable {
            path,
            kind: "the KPI values of this run",
            why: "other values stand there".to_owned(),
        }
        .into());
    }
    publication.kpis = Some(file);
    let standing = before.map(|(_, b)| b.alerts.as_slice()).unwrap_or_default();
    publication.alerts = alerts(&series(shop, &values, None), &publication.as_of, standing);
    Ok(())
}

/// The KPI values of a snapshot, as they were published.
pub async fn published(shop: &Workshop, publication: &Publication) -> Result<Vec<KpiValue>, RunError> {
    match &publication.kpis {
        Some(file) => read(&shop.lake, file).await,
        // A version of Matins that kept none published it.
        None => gather(shop, &publication.tables.values().collect::<Vec<_>>(), &Mutex::default()).await,
    }
}

/// Which of a KPI's values are meant: the whole, or those of some breakdowns.
fn is_of(value: &KpiValue, dimensions: Option<&BTreeSet<String>>) -> bool {
    match (&value.dimension, dimensions) {
        (None, None) => true,
        (Some(dimension), Some(wanted)) => wanted.contains(dimension),
        _ => false,
    }
}

/// The series of each KPI, in the order of the pipeline: the whole, or what a breakdown says of the dimensions given; a KPI
/// that has no such breakdown is left out then.
pub fn series(shop: &Workshop, values: &[KpiValue], dimensions: Option<&BTreeSet<String>>) -> Vec<KpiSeries> {
    let of = |kpi: &Kpi| {
        let node = shop.graph.nodes.iter().find(|n| *n.table() == kpi.table);
        let described = || node.and_then(|n| n.stage.head.description.clone());
        let mut points: Vec<KpiPoint> =
            values.iter().filter(|v| v.kpi == kpi.name && is_of(v, dimensions)).map(|v| v.point.clone()).collect();
        points.sort_by_key(|p| p.period);
        KpiSeries { kpi: kpi.clone(), definition: kpi.definitions.get("en").cloned().or_else(described), points }
    };
    made(shop).map(of).filter(|s| dimensions.is_none() || !s.points.is_empty()).collect()
}

/// The closed values of the KPIs in reports that this snapshot publishes otherwise than the one before it did.
pub fn restatements(shop: &Workshop, values: &[KpiValue], dimensions: Option<&BTreeSet<String>>) -> Vec<Restatement> {
    let of = |kpi: &Kpi| {
        let changed = values.iter().filter(|v| v.kpi == kpi.name && is_of(v, dimensions));
        let one = |v: &KpiValue| {
            let was = v.was.as_ref()?.value;
            Some(Restatement { kpi: kpi.clone(), period: v.point.period, was, value: v.point.value, n: v.point.n })
        };
        changed.filter_map(one).collect::<Vec<_>>()
    };
    made(shop).filter(|k| k.shown).flat_map(of).collect()
}

/// The KPIs the company has data for.
fn made(shop: &Workshop) -> impl Iterator<Item = &Kpi> {
    shop.pipeline.kpis.iter().filter(|k| shop.graph.makes(&k.table))
}

/// The values of all KPIs in the tables of a snapshot.
async fn gather(shop: &Workshop, tables: &[&PublishedTable], known: &Mutex<Known>) -> Result<Vec<KpiValue>, RunError> {
    let wanted: BTreeSet<&TableName> = made(shop).map(|k| &k.table).collect();
    let read = tables.iter().filter(|t| wanted.contains(&t.name)).map(|table| async move {
        let of = |k: &mut Known| table.parts.iter().filter_map(|p| Some((*p, k.parts.get(p)?.clone()))).collect();
        let mut parts: BTreeMap<Fingerprint, TablePart> = with(known, of);
        let unknown: Vec<Fingerprint> = table.parts.iter().filter(|p| !parts.contains_key(p)).copied().collect();
        parts.extend(shop.lake.parts(&table.name, &unknown).await?);
        let mut all = Rows::default();
        for file in table.parts.iter().filter_map(|part| parts.get(part)).flat_map(|p| &p.files) {
            let rows = whole_file(&shop.lake, &file.path).await?;
            all.columns = rows.columns;
            all.rows.extend(rows.rows);
        }
        Ok::<_, RunError>((&table.name, all))
    });
    let sheets: BTreeMap<&TableName, Rows> = try_join_all(read).await?.into_iter().collect();
    let mut values = Vec::new();
    for kpi in made(shop) {
        values.extend(sheets.get(&kpi.table).map(|rows| of_table(kpi, rows)).unwrap_or_default());
    }
    Ok(values)
}

async fn whole_file(lake: &Lake, path: &str) -> Result<Rows, RunError> {
    let missing = || LakeError::Missing { path: path.to_owned(), location: lake.location().to_owned() };
    Ok(from_parquet(lake.get(path).await?.ok_or_else(missing)?)?)
}

/// One file of values.
pub async fn read(lake: &Lake, file: &DataFile) -> Result<Vec<KpiValue>, RunError> {
    let rows = whole_file(lake, &file.path).await?;
    let column = |name: &str| rows.columns.iter().position(|(c, _)| c == name);
    let (kpi, was, snapshot) = (column("kpi"), column("was"), column("was_snapshot"));
    let value = |row: &Vec<Cell>| {
        let cell = |at: Option<usize>| at.map_or(&Cell::Null, |at| &row[at]);
        Some(KpiValue {
            kpi: cell(kpi).text().parse().ok()?,
            dimension: text(cell(column("dimension"))),
            point: point(&rows, row)?,
            was: cell(snapshot)
                .integer()
                .and_then(|n| Some(Restated { value: cell(was).number(), snapshot: u64::try_from(n).ok()? })),
        })
    };
    Ok(rows.rows.iter().filter_map(value).collect())
}

/// The values of one KPI in the rows of its table, in order of period and dimension.
fn of_table(kpi: &Kpi, rows: &Rows) -> Vec<KpiValue> {
    let dimension = rows.columns.iter().position(|(c, _)| c == "dimension");
    let whole_only = rows.rows.len() > ROWS_KEPT;
    let value = |row: &Vec<Cell>| {
        let dimension = dimension.and_then(|at| text(&row[at]));
        let point = point(rows, row)?;
        Some(KpiValue { kpi: kpi.name.clone(), dimension, point, was: None })
    };
    let mut values: Vec<KpiValue> =
        rows.rows.iter().filter_map(value).filter(|v| !whole_only || v.dimension.is_none()).collect();
    values.sort_by(|a, b| (a.point.period, &a.dimension).cmp(&(b.point.period, &b.dimension)));
    values
}

fn point(rows: &Rows, row: &[Cell]) -> Option<KpiPoint> {
    let cell = |name: &str| rows.columns.iter().position(|(c, _)| c == name).map_or(&Cell::Null, |at| &row[at]);
    let number = |name: &str| cell(name).number();
    Some(KpiPoint {
        period: date(cell("period"))?,
        value: number("value"),
        numerator: number("numerator"),
        denominator: number("denominator"),
        n: cell("n").integer(),
        low: number("low"),
        high: number("high"),
        provisional: *cell("provisional") == Cell::Boolean(true),
    })
}

fn date(cell: &Cell) -> Option<NaiveDate> {
    match cell {
        Cell::Date(date) => Some(*date),
        Cell::Text(text) => text.get(..10)?.parse().ok(),
        _ => None,
    }
}

fn text(cell: &Cell) -> Option<String> {
    if *cell == Cell::Null { None } else { Some(cell.text()) }
}

/// What every KPI promises (catalogue B0.8), where its values break it: a share is its numerator over its denominator, and of
/// nobody there is none; an interval holds its value.
fn conventions(kpi: &Kpi, values: &[KpiValue]) -> Vec<CheckOutcome> {
    let own: Vec<&KpiPoint> = values.iter().filter(|v| v.kpi == kpi.name).map(|v| &v.point).collect();
    let near = |a: f64, b: f64| (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1.0);
    let no_ratio = |p: &KpiPoint| match (p.value, p.numerator, p.denominator) {
        (Some(value), Some(over), Some(under)) => {
            kpi.unit == Unit::Share && (under == 0.0 || !near(value, over / under))
        }
        _ => false,
    };
    let outside = |p: &KpiPoint| match (p.low, p.value, p.high) {
        (Some(low), Some(value), Some(high)) => {
            (value < low && !near(low, value)) || (value > high && !near(high, value))
        }
        _ => false,
    };
    let count = |bad: &dyn Fn(&KpiPoint) -> bool| own.iter().filter(|p| bad(p)).count() as u64;
    let broken = [("value = numerator ÷ denominator", count(&no_ratio)), ("low ≤ value ≤ high", count(&outside))];
    let outcome = |(rule, bad_rows): (&str, u64)| CheckOutcome {
        table: kpi.table.clone(),
        check: format!("KPI {}: {rule}", kpi.name),
        severity: Severity::Warn,
        status: CheckStatus::Noted,
        bad_rows,
        rows: own.len() as u64,
        note: None,
    };
    broken.into_iter().filter(|(_, bad)| *bad > 0).map(outcome).collect()
}

/// Notes on each value what snapshot `snapshot` published for it, where that was for a closed period and is another value.
fn restate(values: &mut [KpiValue], before: &[KpiValue], snapshot: u64) {
    let key = |v: &KpiValue| (v.kpi.clone(), v.point.period, v.dimension.clone());
    let said: BTreeMap<_, &KpiValue> = before.iter().map(|v| (key(v), v)).collect();
    for value in values {
        if let Some(then) = said.get(&key(value))
            && !then.point.provisional
            && then.point.value != value.point.value
        {
            value.was = Some(Restated { value: then.point.value, snapshot });
        }
    }
}

fn row(value: &KpiValue, number: u64, as_of: &str) -> Vec<Cell> {
    let float = |x: Option<f64>| x.map_or(Cell::Null, Cell::Float);
    let integer = |n: u64| i64::try_from(n).map_or(Cell::Null, Cell::Integer);
    let point = &value.point;
    vec![
        Cell::Text(value.kpi.to_string()),
        Cell::Date(point.period),
        value.dimension.clone().map_or(Cell::Null, Cell::Text),
        float(point.value),
        float(point.numerator),
        float(point.denominator),
        point.n.map_or(Cell::Null, Cell::Integer),
        float(point.low),
        float(point.high),
        Cell::Boolean(point.provisional),
        integer(number),
        Cell::Text(as_of.to_owned()),
        float(value.was.as_ref().and_then(|w| w.value)),
        value.was.as_ref().map_or(Cell::Null, |w| integer(w.snapshot)),
    ]
}
