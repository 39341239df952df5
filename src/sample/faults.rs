//! Faults planted into the exports, as companies' systems make them: rows that cannot be read, and rows sent twice. Every
//! fault is a row of its own with its own key, so the business they tell of stays known exactly.

use std::collections::BTreeMap;

use super::table::Table;

/// A row is planted after so many good ones. It keeps every prefix of a source at half of the usual limit of 1 %.
const ROWS_PER_FAULT: u64 = 200;
/// And one is sent again, letter by letter, after so many.
const ROWS_PER_REPEAT: u64 = 500;

#[derive(Debug, Clone, Copy)]
pub(super) enum Fault {
    /// The last two fields are missing.
    Ragged,
    /// Two fields too many.
    Overlong,
    /// No number stands in this field.
    BadNumber(usize, &'static str),
    /// No date stands in this field.
    BadDate(usize, &'static str),
}

impl Fault {
    fn name(self) -> &'static str {
        match self {
            Self::Ragged => "ragged_row",
            Self::Overlong => "overlong_row",
            Self::BadNumber(..) => "bad_number",
            Self::BadDate(..) => "bad_date",
        }
    }
}

/// Counts what one source has written, and says when a fault is due.
pub(super) struct Planter {
    faults: &'static [Fault],
    /// How many fields at the beginning of a row make up its key.
    key_fields: usize,
    good: u64,
    pub(super) rows: u64,
    pub(super) planted: BTreeMap<&'static str, u64>,
    /// Rows whose key was sent before.
    pub(super) repeated: u64,
}

impl Planter {
    pub(super) fn new(faults: &'static [Fault], key_fields: usize) -> Self {
        Self { faults, key_fields, good: 0, rows: 0, planted: BTreeMap::new(), repeated: 0 }
    }

    /// Writes a good row, and whatever is due after it.
    pub(super) fn write(&mut self, table: &mut Table, fields: &[String]) {
        table.row(fields);
        self.good += 1;
        self.rows += 1;
        if self.good.is_multiple_of(ROWS_PER_REPEAT) {
            table.row(fields);
            self.rows += 1;
            self.repeated += 1;
        }
        if self.good.is_multiple_of(ROWS_PER_FAULT) {
            self.plant(table, fields);
        }
    }

    fn plant(&mut self, table: &mut Table, fields: &[String]) {
        let number = self.good / ROWS_PER_FAULT;
        let kinds = self.faults.len() as u64;
        let fault = self.faults[usize::try_from((number - 1) % kinds).unwrap_or(0)];
        let mut fields = fields.to_vec();
        fields[self.key_fields - 1] = format!("9{number:07}");
        match fault {
            Fault::Ragged => table.ragged_row(&fields),
            Fault::Overlong => table.overlong_row(&fields),
            Fault::BadNumber(at, text) | Fault::BadDate(at, text) => {
                text.clone_into(&mut fields[at]);
                table.row(&fields);
            }
        }
        self.rows += 1;
        *self.planted.entry(fault.name()).or_default() += 1;
    }
}
