//! Lands the bench's five exports and prints what that cost: `cargo run --release --example landing -- EXPORTS LAKE [CORES]`.
//!
//! EXPORTS is a folder that `generate.py` of the bench filled.

use std::sync::Arc;
use std::time::Instant;

use futures::{StreamExt, TryStreamExt, stream};
use matins::base::{Fingerprint, Place, SourceText};
use matins::config::{
    Column, ColumnKind, CsvFormat, DecimalPoint, ExportPattern, Keep, Mode, OnVanish, Source, UnknownColumns,
};
use matins::lake::{Landed, RawExport};
use matins::source::{Landing, assemble, find, land};
use object_store::ObjectStore;
use object_store::local::LocalFileSystem;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn source(name: &str, columns: &[(&str, ColumnKind)], key: &[&str]) -> Source {
    let place = Place::file(&SourceText::new("bench.yaml", ""));
    let column = |(name, kind): &(&str, ColumnKind)| Column {
        name: (*name).to_owned(),
        headers: vec![(*name).to_owned()],
        kind: kind.clone(),
        required: false,
        null_tokens: Vec::new(),
        accepted: None,
        min: None,
        max: None,
        pii: None,
        description: None,
        place: place.clone(),
    };
    Source {
        name: name.parse().expect("a name"),
        place: place.clone(),
        store: "exports".parse().expect("a name"),
        pattern: ExportPattern { text: format!("{name}.csv"), date_format: None },
        mode: Mode::Full,
        format: CsvFormat {
            delimiter: b',',
            quote: b'"',
            encoding: "utf-8".to_owned(),
            null_tokens: Vec::new(),
            trim: false,
        },
        columns: columns.iter().map(column).collect(),
        key: key.iter().map(|k| (*k).to_owned()).collect(),
        keep: Keep::First,
        unknown_columns: UnknownColumns::Warn,
        on_vanish: OnVanish::Keep,
        quarantine_limit: 0.01,
        checks: Vec::new(),
    }
}

fn sources() -> Vec<Source> {
    use ColumnKind::{Integer, Text};
    let time = ColumnKind::Timestamp { formats: vec!["%Y-%m-%d %H:%M:%S".to_owned()], zone: None };
    let money = ColumnKind::Decimal { precision: 18, scale: 2, point: DecimalPoint::Point };
    vec![
        source(
            "orders",
            &[
                ("order_id", Text),
                ("customer_id", Text),
                ("order_status", Text),
                ("order_purchase_timestamp", time.clone()),
                ("order_delivered_customer_date", time.clone()),
                ("order_estimated_delivery_date", time.clone()),
            ],
            &["order_id"],
        ),
        source(
            "order_items",
            &[
                ("order_id", Text),
                ("order_item_id", Integer),
                ("product_id", Text),
                ("seller_id", Text),
                ("price", money.clone()),
                ("freight_value", money.clone()),
            ],
            &["order_id", "order_item_id"],
        ),
        source(
            "customers",
            &[("customer_id", Text), ("customer_unique_id", Text), ("customer_city", Text), ("customer_state", Text)],
            &["customer_id"],
        ),
        source(
            "reviews",
            &[
                ("review_id", Text),
                ("order_id", Text),
                ("review_score", Integer),
                ("review_comment_title", Text),
                ("review_comment_message", Text),
                ("review_creation_date", time),
            ],
            &["review_id"],
        ),
        source(
            "payments",
            &[("order_id", Text), ("payment_sequential", Integer), ("payment_type", Text), ("payment_value", money)],
            &[],
        ),
    ]
}

fn raw_export(landed: &Landed) -> RawExport {
    RawExport {
        fingerprint: landed.fingerprint,
        path: landed.export.path.clone(),
        date: landed.export.date,
        files: landed.files.clone(),
        rows_read: landed.rows_read,
        rows_quarantined: landed.rows_quarantined,
        quarantine: landed.quarantine.clone(),
    }
}

/// Seconds of processor time so far and the most memory ever held, in MB.
fn used() -> (f64, u64) {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks: f64 = fields[11].parse::<f64>().unwrap_or(0.0) + fields[12].parse::<f64>().unwrap_or(0.0);
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).unwrap_or("0");
    (ticks / 100.0, peak.trim().trim_end_matches(" kB").parse::<u64>().unwrap_or(0) / 1024)
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let cores = arguments.get(3).map_or(2, |n| n.parse().unwrap_or(2));
    let exports: Arc<dyn ObjectStore> = Arc::new(LocalFileSystem::new_with_prefix(&arguments[1])?);
    std::fs::create_dir_all(&arguments[2])?;
    let lake: Arc<dyn ObjectStore> = Arc::new(LocalFileSystem::new_with_prefix(&arguments[2])?);
    let all = sources();
    let (exports, lake) = (&exports, &lake);
    let whole = Instant::now();
    stream::iter(&all)
        .map(|source| async move {
            let (begun, cpu) = (Instant::now(), used().0);
            let inventory = find(exports, "file:///bench", source).await?;
            let mut landed = Vec::new();
            for export in &inventory.exports {
                let landing = Landing { lake, exports, source, attempt: "a", cores };
                landed.push(land(&landing, export, Fingerprint::of_bytes(export.path.as_bytes())).await?);
            }
            let bytes: u64 = inventory.exports.iter().map(|e| e.size_bytes).sum();
            let (took, spent) = (begun.elapsed().as_secs_f64(), used().0 - cpu);
            let (begun, cpu) = (Instant::now(), used().0);
            let raw: Vec<RawExport> = landed.iter().map(raw_export).collect();
            let table = assemble(lake, source, Fingerprint::of_bytes(b"t"), "a", &raw).await?;
            #[expect(clippy::cast_precision_loss, reason = "shown")]
            let mb = bytes as f64 / 1e6;
            println!(
                "{:12} {mb:7.1} MB  land {took:.2} s wall {spent:.2} s cpu ({:.0} MB/s a core)  assemble {:.2} s wall {:.2} s cpu  {:?}",
                source.name.to_string(), mb / spent.max(0.01), begun.elapsed().as_secs_f64(), used().0 - cpu, table.balance
            );
            anyhow::Ok(())
        })
        .buffered(1)
        .try_collect::<Vec<()>>()
        .await?;
    let (cpu, peak) = used();
    println!("all: {:.2} s wall, {cpu:.2} s cpu, {peak} MB at most", whole.elapsed().as_secs_f64());
    Ok(())
}
