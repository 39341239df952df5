//! Which field of a file is which column of the contract: by name, file by file, never by position.

use super::SourceError;
use crate::base::closest;
use crate::config::{Column, Source, UnknownColumns};

/// How the records of one file map to the contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layout {
    /// For each column of the contract its field, if the file has it.
    pub fields: Vec<Option<usize>>,
    /// How many fields a record has.
    pub width: usize,
    pub warnings: Vec<String>,
}

/// Maps a header. Names are compared without the spaces around them; in another letter case only where that leaves one
/// meaning.
pub(super) fn layout(source: &Source, path: &str, header: &[String]) -> Result<Layout, SourceError> {
    let mistake = |what: String, help: Option<String>| SourceError::Header {
        of: source.name.clone(),
        path: path.to_owned(),
        what,
        help,
    };
    let mut fields = vec![None; source.columns.len()];
    for (column, field) in source.columns.iter().zip(&mut fields) {
        for name in names(column) {
            let mut same = (0..header.len()).filter(|i| header[*i] == name);
            *field = same.next();
            if same.next().is_some() {
                return Err(mistake(format!("the header has two columns `{name}`"), None));
            }
            if field.is_some() {
                break;
            }
        }
    }
    for (at, column) in source.columns.iter().enumerate() {
        if fields[at].is_some() {
            continue;
        }
        for name in names(column) {
            let name = name.to_lowercase();
            let alike: Vec<usize> = (0..header.len())
                .filter(|i| header[*i].to_lowercase() == name && !fields.contains(&Some(*i)))
                .collect();
            match alike.as_slice() {
                [] => continue,
                [one] => fields[at] = Some(*one),
                [one, other, ..] => {
                    let what = format!(
                        "column `{}` could be `{}` or `{}` of the header",
                        column.name, header[*one], header[*other]
                    );
                    return Err(mistake(what, None));
                }
            }
            break;
        }
    }

    let mut warnings = Vec::new();
    let unmapped = |i: &usize| !fields.contains(&Some(*i)) && !header[*i].is_empty();
    let unknown: Vec<String> = (0..header.len()).filter(unmapped).map(|i| printable(&header[i])).collect();
    for (column, field) in source.columns.iter().zip(&fields) {
        if field.is_some() {
            continue;
        }
        let needed = column.required || source.key.contains(&column.name);
        if needed || fields.iter().all(Option::is_none) {
            let wanted = names(column).collect::<Vec<_>>().join("` or `");
            let near = names(column).find_map(|name| closest(name, unknown.iter().map(String::as_str)));
            let help = match (near, header) {
                (Some(near), _) => Some(format!("did you mean `{near}`?")),
                // A header that is one name was divided by another sign than the contract's.
                (None, [only]) => [';', '\t', '|', ','].iter().find(|sign| only.contains(**sign)).map(|sign| {
                    let sign = if *sign == '\t' { "tab".to_owned() } else { sign.to_string() };
                    format!("its fields seem to be divided by another sign: `format: {{delimiter: \"{sign}\"}}`")
                }),
                (None, _) => None,
            };
            return Err(mistake(format!("there is no column `{wanted}`; it has {}", shown(header)), help));
        }
        warnings.push(format!("no column `{}`: it is empty for these rows", column.name));
    }
    if !unknown.is_empty() {
        match source.unknown_columns {
            UnknownColumns::Ignore => {}
            UnknownColumns::Warn => {
                warnings.push(format!("columns the contract does not name: {}", unknown.join(", ")));
            }
            UnknownColumns::Refuse => {
                return Err(SourceError::UnknownColumns {
                    of: source.name.clone(),
                    path: path.to_owned(),
                    columns: unknown,
                });
            }
        }
    }
    Ok(Layout { fields, width: header.len(), warnings })
}

fn names(column: &Column) -> impl Iterator<Item = &str> {
    let own = column.headers.is_empty().then_some(column.name.as_str());
    column.headers.iter().map(|h| h.trim()).chain(own)
}

fn shown(header: &[String]) -> String {
    const MOST: usize = 40;
    let more = if header.len() > MOST { format!(" and {} more", header.len() - MOST) } else { String::new() };
    let names: Vec<String> = header.iter().take(MOST).map(|h| format!("`{}`", printable(h))).collect();
    format!("{}{more}", names.join(", "))
}

/// What stands in a file must not move the cursor of whoever reads about it.
fn printable(text: &str) -> String {
    text.chars().take(60).map(|c| if c.is_control() { '\u{FFFD}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ColumnKind;
    use crate::source::tests::{column, source};

    fn map(source: &Source, header: &[&str]) -> Result<Layout, String> {
        let header: Vec<String> = header.iter().map(|h| (*h).to_owned()).collect();
        layout(source, "a.csv", &header).map_err(|e| e.to_string())
    }

    fn shop() -> Source {
        let mut id = column("id", ColumnKind::Text);
        id.required = true;
        let mut amount = column("amount", ColumnKind::Integer);
        amount.headers = vec!["Amount".to_owned(), "Betrag".to_owned()];
        source("orders", vec![id, amount])
    }

    #[test]
    fn columns_are_found_by_name_wherever_they_stand() {
        let shop = shop();
        assert_eq!(map(&shop, &["Betrag", "x", "ID"]).map(|l| l.fields), Ok(vec![Some(2), Some(0)]));
        let layout = map(&shop, &["id"]).expect("a layout");
        assert_eq!(layout.fields, vec![Some(0), None]);
        assert_eq!(layout.warnings.len(), 1);
        assert_eq!(map(&shop, &["id", "amount", "new", ""]).expect("a layout").warnings.len(), 1);
    }

    #[test]
    fn a_header_that_cannot_be_right_is_refused() {
        let shop = shop();
        let message = map(&shop, &["idd", "Amount"]).expect_err("no id");
        assert!(message.contains("no column `id`; it has `idd`, `Amount`"), "{message}");
        assert!(message.ends_with("did you mean `idd`?"), "{message}");
        let message = map(&shop, &["id;Amount"]).expect_err("another delimiter");
        assert!(message.ends_with("`format: {delimiter: \";\"}`"), "{message}");
        assert!(map(&shop, &["id", "id", "Amount"]).expect_err("twice").contains("two columns `id`"));
        assert!(map(&shop, &["Id", "iD", "Amount"]).expect_err("either").contains("could be"));
        assert_eq!(map(&shop, &["id", "ID", "Amount"]).map(|l| l.fields[0]), Ok(Some(0)));
        let mut strict = shop.clone();
        strict.unknown_columns = UnknownColumns::Refuse;
        assert!(map(&strict, &["id", "Amount", "new"]).expect_err("new").contains("does not name: new"));
        let mut loose = shop;
        loose.columns[0].required = false;
        assert!(map(&loose, &["1;2;3"]).expect_err("nothing fits").contains("no column"));
    }
}
