//! CSV text as a company's systems write it: their delimiters, line ends, byte order marks and column orders.

/// How one file is written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dialect {
    pub(super) delimiter: char,
    pub(super) line_end: &'static str,
    pub(super) byte_order_mark: bool,
}

pub(super) const PLAIN: Dialect = Dialect { delimiter: ',', line_end: "\n", byte_order_mark: false };

/// One file being written.
pub(super) struct Table {
    dialect: Dialect,
    /// Where each column of the file stands in the fields of a row.
    order: &'static [usize],
    text: String,
}

impl Table {
    /// `order` says which field of a row stands first, second, … in the file; empty means as they come. The header is
    /// given in the order of the file.
    pub(super) fn new(dialect: Dialect, header: &[&str], order: &'static [usize]) -> Self {
        let mut table = Self { dialect, order, text: String::new() };
        if dialect.byte_order_mark {
            table.text.push('\u{feff}');
        }
        let header: Vec<String> = header.iter().map(|&name| name.to_owned()).collect();
        table.push(&header);
        table
    }

    pub(super) fn row(&mut self, fields: &[String]) {
        self.push(&self.arranged(fields));
    }

    /// A row whose last fields were lost on the way.
    pub(super) fn ragged_row(&mut self, fields: &[String]) {
        let mut arranged = self.arranged(fields);
        arranged.truncate(fields.len() - 2);
        self.push(&arranged);
    }

    /// A row with more fields than the header.
    pub(super) fn overlong_row(&mut self, fields: &[String]) {
        let mut arranged = self.arranged(fields);
        arranged.extend(["moved".to_owned(), "see above".to_owned()]);
        self.push(&arranged);
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.text.into_bytes()
    }

    fn arranged(&self, fields: &[String]) -> Vec<String> {
        if self.order.is_empty() { fields.to_vec() } else { self.order.iter().map(|&at| fields[at].clone()).collect() }
    }

    fn push(&mut self, fields: &[String]) {
        for (at, field) in fields.iter().enumerate() {
            if at > 0 {
                self.text.push(self.dialect.delimiter);
            }
            if field.contains([self.dialect.delimiter, '"', '\n', '\r']) {
                self.text.push('"');
                self.text.push_str(&field.replace('"', "\"\""));
                self.text.push('"');
            } else {
                self.text.push_str(field);
            }
        }
        self.text.push_str(self.dialect.line_end);
    }
}

/// `1234.50` from 123450 pence.
pub(super) fn pounds(pence: i64) -> String {
    let sign = if pence < 0 { "-" } else { "" };
    format!("{sign}{}.{:02}", pence.abs() / 100, pence.abs() % 100)
}
