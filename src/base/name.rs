//! Names as types that cannot be wrong once made: lower-case words a path, a SQL identifier and a person can share.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Why a text is not a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a {kind}: {why}")]
pub struct BadName {
    kind: &'static str,
    text: String,
    why: &'static str,
}

fn word(kind: &'static str, text: &str, extra: &[char]) -> Result<(), BadName> {
    let bad = |why| Err(BadName { kind, text: text.to_owned(), why });
    if text.is_empty() {
        return bad("it is empty");
    }
    if text.len() > 100 {
        return bad("it is longer than 100 characters");
    }
    if !text.starts_with(|c: char| c.is_ascii_lowercase()) {
        return bad("it must begin with a letter a-z");
    }
    if !text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || extra.contains(&c)) {
        return bad("only a-z, 0-9 and its separators may be used");
    }
    Ok(())
}

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident, $kind:literal, $extra:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl FromStr for $name {
            type Err = BadName;
            fn from_str(text: &str) -> Result<Self, BadName> {
                word($kind, text, $extra)?;
                Ok(Self(text.to_owned()))
            }
        }
        impl TryFrom<String> for $name {
            type Error = BadName;
            fn try_from(text: String) -> Result<Self, BadName> {
                text.parse()
            }
        }
        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

names! {
    /// `customer-health`: the stem of a file in `pipelines/`.
    PipelineName, "pipeline name", &['-', '_'];
    /// `orders` in `raw.orders`.
    SourceName, "source name", &['_'];
    /// `exports` in `exports://erp/orders/{date}.csv`.
    StoreName, "store name", &['-', '_'];
    /// `crm/retention`: a folder under `sql/`.
    PackName, "pack name", &['-', '_', '/'];
    /// `as_of` in `$as_of`.
    ParamName, "parameter name", &['_'];
    /// `ops`: a place that takes posts, in `channels:` of `matins.yaml`.
    ChannelName, "channel name", &['-', '_'];
    /// `england`: business days and holidays, in `calendars:` of `matins.yaml`.
    CalendarName, "calendar name", &['-', '_'];
    ReportName, "report name", &['-', '_'];
    KpiName, "KPI name", &['_'];
    /// Sorts by time: a version 7 UUID with an `r` before it.
    RunId, "run id", &['-'];
}

/// `core.orders`: a schema and a table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TableName {
    schema: String,
    table: String,
}

impl TableName {
    /// The table of the rows a source has landed.
    pub fn raw(source: &SourceName) -> Self {
        Self { schema: "raw".to_owned(), table: source.as_str().to_owned() }
    }

    pub fn new(schema: &str, table: &str) -> Result<Self, BadName> {
        word("table name", schema, &['_'])?;
        word("table name", table, &['_'])?;
        Ok(Self { schema: schema.to_owned(), table: table.to_owned() })
    }

    pub fn schema(&self) -> &str {
        &self.schema
    }

    pub fn table(&self) -> &str {
        &self.table
    }

    /// The source this table is the landed rows of, if it is one.
    pub fn source(&self) -> Option<SourceName> {
        (self.schema == "raw").then(|| self.table.parse().ok()).flatten()
    }
}

impl FromStr for TableName {
    type Err = BadName;
    fn from_str(text: &str) -> Result<Self, BadName> {
        match text.split_once('.') {
            Some((schema, table)) => Self::new(schema, table),
            None => Err(BadName {
                kind: "table name",
                text: text.to_owned(),
                why: "a table is named with its schema, as in `core.orders`",
            }),
        }
    }
}

impl TryFrom<String> for TableName {
    type Error = BadName;
    fn try_from(text: String) -> Result<Self, BadName> {
        text.parse()
    }
}

impl From<TableName> for String {
    fn from(name: TableName) -> String {
        name.to_string()
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.schema, self.table)
    }
}
