//! What a purchase model is fitted to: repeat purchases, the last of them, time seen, and how many customers share them.

use std::collections::BTreeMap;

use super::fit::Row;

/// Customers with equal numbers stand together, in ascending order, so that a fit adds up the same way every time.
#[derive(Debug)]
pub(super) struct Customers {
    /// Different numbers of repeat purchases.
    pub xs: Vec<f64>,
    /// Different times, of last purchases and of ends.
    pub times: Vec<f64>,
    pub groups: Vec<Group>,
    pub count: f64,
    pub repeaters: f64,
}

/// Customers with the same history, by the places of its numbers.
#[derive(Debug)]
pub(super) struct Group {
    pub x: usize,
    pub last: usize,
    pub end: usize,
    pub count: f64,
}

impl Customers {
    /// Rows are (x, `t_x`, t), ascending.
    pub(super) fn of(rows: &[Row]) -> Result<Self, String> {
        for row in rows {
            let [x, last, end] = row.values;
            let why = if x < 0.0 || x.fract() != 0.0 {
                "x counts repeat purchases, 0, 1, 2, …"
            } else if !(0.0 <= last && last <= end) {
                "the last purchase lies between the first and the end, 0 ≤ t_x ≤ t"
            } else if x == 0.0 && last != 0.0 {
                "without a repeat purchase, t_x is 0"
            } else {
                continue;
            };
            return Err(format!("x = {x}, t_x = {last}, t = {end}: {why}"));
        }
        let xs = distinct(rows.iter().map(|r| r.values[0]));
        let times = distinct(rows.iter().flat_map(|r| [r.values[1], r.values[2]]));
        let groups = rows.iter().map(|row| {
            let [x, last, end] = row.values;
            Group { x: xs[&key(x)].0, last: times[&key(last)].0, end: times[&key(end)].0, count: row.count }
        });
        let groups: Vec<Group> = groups.collect();
        // The sum of none is −0, and `too_few` says the number.
        let count = rows.iter().map(|r| r.count).sum::<f64>() + 0.0;
        let repeaters = rows.iter().filter(|r| r.values[0] > 0.0).map(|r| r.count).sum();
        let values = |all: BTreeMap<u64, (usize, f64)>| all.into_values().map(|(_, value)| value).collect();
        Ok(Self { xs: values(xs), times: values(times), groups, count, repeaters })
    }

    /// Why there are too few of them for a fit.
    pub(super) fn too_few(&self, min_customers: f64, min_repeaters: f64) -> Option<String> {
        let (count, repeaters) = (self.count, self.repeaters);
        if count < min_customers {
            Some(format!("{count} customers, and a fit wants {min_customers}"))
        } else if repeaters < min_repeaters {
            Some(format!("{repeaters} customers came back, and a fit wants {min_repeaters}"))
        } else {
            None
        }
    }

    pub(super) fn mean_end(&self) -> f64 {
        self.groups.iter().map(|g| g.count * self.times[g.end]).sum::<f64>() / self.count
    }
}

/// Bits of numbers that are not negative are in the numbers' order.
fn key(value: f64) -> u64 {
    value.to_bits()
}

fn distinct(values: impl Iterator<Item = f64>) -> BTreeMap<u64, (usize, f64)> {
    let mut all: BTreeMap<u64, (usize, f64)> = values.map(|v| (key(v), (0, v))).collect();
    for (place, (at, _)) in all.values_mut().enumerate() {
        *at = place;
    }
    all
}
