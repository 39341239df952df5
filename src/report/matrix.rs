//! Who moved from where to where between two moments: a table of moves as a matrix, each row of it adding up to all who stood
//! there.

use serde::Serialize;
use tera::Value;

use super::chart::shade;
use super::number::{NOTHING, grouped, share, tame};
use super::tables::{Refused, rows};
use super::words::Words;

/// Fewer people than this are not counted in public (catalogue D2).
const FEW: f64 = 5.0;
/// From the best to the last, where a scheme has such an order; every other place follows by its name.
const ORDER: [&str; 11] = [
    "platinum",
    "gold",
    "iron",
    "lead",
    "new",
    "won-back",
    "expanding",
    "retained",
    "one-time ageing",
    "at-risk",
    "lost",
];
const NOWHERE: &str = "none";

#[derive(Debug, Default, Serialize)]
pub(super) struct Matrix {
    empty: bool,
    places: Vec<String>,
    rows: Vec<From>,
}

#[derive(Debug, Serialize)]
struct From {
    place: String,
    size: String,
    cells: Vec<Flow>,
}

#[derive(Debug, Default, Serialize)]
struct Flow {
    text: String,
    back: String,
    ink: &'static str,
    /// Stayed where they were.
    stayed: bool,
    notable: bool,
}

struct Move {
    before: String,
    now: String,
    customers: f64,
    of: f64,
    notable: bool,
}

pub(super) fn matrix(table: &Value, scheme: &str, words: &Words) -> Result<Matrix, Refused> {
    let needed = ["scheme", "place_before", "place_now", "customers", "from_customers", "notable"];
    let mut moves = Vec::new();
    for row in rows(table, &needed)? {
        let text = |column| Ok::<_, Refused>(row.get(column)?.as_str().unwrap_or(NOWHERE).to_owned());
        if text("scheme")? != scheme {
            continue;
        }
        let (customers, of) = (row.number("customers")?, row.number("from_customers")?);
        let (Some(customers), Some(of)) = (customers, of) else { continue };
        let notable = row.truth("notable")?;
        moves.push(Move { before: text("place_before")?, now: text("place_now")?, customers, of, notable });
    }
    if moves.is_empty() {
        return Ok(Matrix { empty: true, ..Matrix::default() });
    }
    let rank = |place: &str| {
        (place == NOWHERE, ORDER.iter().position(|o| *o == place).unwrap_or(ORDER.len()), place.to_owned())
    };
    let ordered = |mut all: Vec<String>| {
        all.sort_by_key(|p| rank(p));
        all.dedup();
        all
    };
    let before = ordered(moves.iter().map(|m| m.before.clone()).collect());
    let now = ordered(moves.iter().map(|m| m.now.clone()).collect());
    let name = |place: &String| words.find(&format!("values.{scheme}.{place}")).map_or_else(|| tame(place), tame);
    let flow = |from: &String, to: &String| {
        let stayed = from == to;
        match moves.iter().find(|m| m.before == *from && m.now == *to) {
            None => Flow { stayed, ..Flow::default() },
            Some(m) if m.of < FEW => Flow { text: NOTHING.to_owned(), stayed, ..Flow::default() },
            Some(m) if m.customers < FEW => Flow { text: "≤4".to_owned(), stayed, ..Flow::default() },
            Some(m) => {
                let (back, ink) = shade(m.customers / m.of);
                Flow { text: share(m.customers / m.of, 0, words.locale), back, ink, stayed, notable: m.notable }
            }
        }
    };
    let rows = before
        .iter()
        .map(|from| {
            let of = moves.iter().find(|m| m.before == *from).map_or(0.0, |m| m.of);
            From {
                place: name(from),
                size: if of < FEW { "≤4".to_owned() } else { grouped(of, 0) },
                cells: now.iter().map(|to| flow(from, to)).collect(),
            }
        })
        .collect();
    Ok(Matrix { empty: false, places: now.iter().map(name).collect(), rows })
}
