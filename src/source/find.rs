//! Which exports a source has: one listing, matched against the pattern. Reads no export.
//!
//! `*` and `?` stay within a folder, `**` as a whole folder name crosses them, `{date}` is a date. What no pattern
//! should pick up by accident is left out wherever a wildcard stands: hidden names (`.`, `_`) and unfinished uploads.

use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};

use super::SourceError;
use crate::config::{ExportPattern, Source};
use crate::plan::{Export, Inventory};

const UNFINISHED: [&str; 5] = [".tmp", ".part", ".partial", ".crdownload", ".filepart"];

/// The source's exports by date, then path. A folder that does not exist has none.
pub async fn find(store: &Arc<dyn ObjectStore>, store_url: &str, source: &Source) -> Result<Inventory, SourceError> {
    let pattern = Pattern::new(&source.pattern);
    let failed = |cause| SourceError::Store {
        of: source.name.clone(),
        doing: "list",
        path: pattern.folder.clone(),
        cause: Box::new(cause),
    };
    let listed = match list(store, &pattern).await {
        Ok(listed) => listed,
        Err(object_store::Error::NotFound { .. }) => Vec::new(),
        Err(cause) => return Err(failed(cause)),
    };
    let (mut exports, mut beside) = (Vec::new(), Vec::new());
    for meta in listed {
        let path = meta.location.to_string();
        match pattern.matches(&path) {
            Some(date) => exports.push(Export {
                path,
                size_bytes: meta.size,
                e_tag: meta.e_tag,
                modified: meta.last_modified,
                date,
            }),
            None if is_meant_to_be_left_out(&path) => {}
            None => beside.push(path),
        }
    }
    exports.sort_by(|a, b| (a.date, &a.path).cmp(&(b.date, &b.path)));
    beside.sort_unstable();
    Ok(Inventory { source: Some(source.name.clone()), store_url: store_url.to_owned(), exports, beside })
}

/// Of these paths those that are an export of none of the sources.
pub fn of_none<'a>(mut paths: Vec<String>, sources: impl Iterator<Item = &'a Source>) -> Vec<String> {
    if !paths.is_empty() {
        let patterns: Vec<Pattern> = sources.map(|source| Pattern::new(&source.pattern)).collect();
        paths.retain(|path| patterns.iter().all(|pattern| pattern.matches(path).is_none()));
    }
    paths
}

fn is_meant_to_be_left_out(path: &str) -> bool {
    is_unfinished(path) || path.split('/').any(is_hidden)
}

/// Since when the source has an export of a date, as its store says; nothing where it has none. One request where the date is
/// all that its name leaves open, otherwise one listing of its folder.
pub async fn arrival_of(
    store: &Arc<dyn ObjectStore>,
    source: &Source,
    date: NaiveDate,
) -> Result<Option<DateTime<Utc>>, SourceError> {
    let pattern = Pattern::new(&source.pattern);
    let failed = |path: &str, cause| SourceError::Store {
        of: source.name.clone(),
        doing: "look for",
        path: path.to_owned(),
        cause: Box::new(cause),
    };
    let looked = match pattern.name_on(date) {
        Some(path) => match Path::parse(&path) {
            Ok(parsed) => store.head(&parsed).await.map(|meta| Some(meta.last_modified)),
            Err(cause) => return Err(failed(&path, cause.into())),
        },
        None => list(store, &pattern).await.map(|all| {
            let dated = all.iter().filter(|meta| pattern.matches(meta.location.as_ref()).flatten() == Some(date));
            dated.map(|meta| meta.last_modified).min()
        }),
    };
    match looked {
        Err(object_store::Error::NotFound { .. }) => Ok(None),
        Err(cause) => Err(failed(&pattern.folder, cause)),
        Ok(found) => Ok(found),
    }
}

async fn list(store: &Arc<dyn ObjectStore>, pattern: &Pattern) -> object_store::Result<Vec<ObjectMeta>> {
    let folder = Path::parse(&pattern.folder)?;
    let folder = (!pattern.folder.is_empty()).then_some(&folder);
    match pattern.segments.as_slice() {
        // One name: asking for it costs less than listing its folder.
        [only] if only.is_literal() => {
            let path =
                if pattern.folder.is_empty() { only.text.clone() } else { format!("{}/{}", pattern.folder, only.text) };
            store.head(&Path::parse(path)?).await.map(|meta| vec![meta])
        }
        // The folders below are none of ours.
        [only] if only.text != "**" => Ok(store.list_with_delimiter(folder).await?.objects),
        _ => store.list(folder).try_collect().await,
    }
}

/// A pattern in parts: the folder every match lies in, and what the rest of the path must look like.
struct Pattern {
    folder: String,
    segments: Vec<Segment>,
}

/// One part of a path, between two slashes.
struct Segment {
    text: String,
    pieces: Vec<Piece>,
}

enum Piece {
    Literal(String),
    /// `*`
    Any,
    /// `?`
    One,
    /// A chrono format.
    Date(String),
}

impl Pattern {
    fn new(pattern: &ExportPattern) -> Self {
        let default = pattern.date_format.as_deref().unwrap_or("%Y-%m-%d");
        let mut segments: Vec<Segment> = split_folders(pattern.text.trim_start_matches('/'))
            .into_iter()
            .map(|text| Segment { pieces: pieces(&text, default), text })
            .collect();
        let literal = segments.iter().take(segments.len().saturating_sub(1)).take_while(|s| s.is_literal()).count();
        let folder = segments.drain(..literal).map(|s| s.text).collect::<Vec<_>>().join("/");
        Self { folder, segments }
    }

    /// The one path that an export of this date can have, where there is only one.
    fn name_on(&self, date: NaiveDate) -> Option<String> {
        let mut path = self.folder.clone();
        for segment in &self.segments {
            if !path.is_empty() {
                path.push('/');
            }
            for piece in &segment.pieces {
                match piece {
                    Piece::Literal(text) => path.push_str(text),
                    Piece::Date(format) => path.push_str(&date.format(format).to_string()),
                    Piece::Any | Piece::One => return None,
                }
            }
        }
        Some(path)
    }

    /// `None` when the path does not match; otherwise what `{date}` stands for in it.
    #[expect(clippy::option_option, reason = "no match, a match without a date, a match with one")]
    fn matches(&self, path: &str) -> Option<Option<NaiveDate>> {
        let rest = if self.folder.is_empty() { path } else { path.strip_prefix(&self.folder)?.strip_prefix('/')? };
        let names: Vec<&str> = rest.split('/').collect();
        let mut date = None;
        folders_match(&self.segments, &names, &mut date).then_some(date)
    }
}

/// Slashes inside `{date:%Y/%m/%d}` separate nothing here: such a date spans folders, which is not supported as one
/// name, so the braces are kept whole and never match.
fn split_folders(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut braces = 0usize;
    for c in text.chars() {
        match c {
            '{' => braces += 1,
            '}' => braces = braces.saturating_sub(1),
            '/' if braces == 0 => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        if let Some(part) = parts.last_mut() {
            part.push(c);
        }
    }
    parts.retain(|part| !part.is_empty());
    parts
}

fn pieces(text: &str, default_date: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut literal = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let date = rest.strip_prefix("{date").and_then(|r| r.split_once('}'));
        let piece = match (c, date) {
            ('{', Some((format, after))) => {
                rest = after;
                Piece::Date(format.strip_prefix(':').unwrap_or(default_date).to_owned())
            }
            ('*' | '?', _) => {
                rest = &rest[1..];
                if c == '*' { Piece::Any } else { Piece::One }
            }
            _ => {
                literal.push(c);
                rest = &rest[c.len_utf8()..];
                continue;
            }
        };
        if !literal.is_empty() {
            pieces.push(Piece::Literal(std::mem::take(&mut literal)));
        }
        pieces.push(piece);
    }
    if !literal.is_empty() {
        pieces.push(Piece::Literal(literal));
    }
    pieces
}

fn folders_match(segments: &[Segment], names: &[&str], date: &mut Option<NaiveDate>) -> bool {
    let Some((segment, later)) = segments.split_first() else { return names.is_empty() };
    if segment.text == "**" {
        let crossable = names.iter().take_while(|name| !is_hidden(name)).count();
        return (0..=crossable).any(|skip| {
            // At the end of a pattern `**` means every file below.
            (later.is_empty() && skip == names.len() && names.last().is_some_and(|n| !is_unfinished(n)))
                || (!later.is_empty() && folders_match(later, &names[skip..], date))
        });
    }
    let Some((name, below)) = names.split_first() else { return false };
    let before = *date;
    if segment.matches(name, date) && folders_match(later, below, date) {
        return true;
    }
    *date = before;
    false
}

fn is_hidden(name: &str) -> bool {
    name.starts_with(['.', '_'])
}

fn is_unfinished(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    UNFINISHED.iter().any(|ending| name.ends_with(ending))
}

impl Segment {
    fn is_literal(&self) -> bool {
        self.pieces.iter().all(|piece| matches!(piece, Piece::Literal(_)))
    }

    fn matches(&self, name: &str, date: &mut Option<NaiveDate>) -> bool {
        let hidden = is_hidden(name) && !matches!(self.pieces.first(), Some(Piece::Literal(_)));
        let unfinished = is_unfinished(name) && !is_unfinished(&self.text);
        (self.is_literal() || !(hidden || unfinished)) && pieces_match(&self.pieces, name, date)
    }
}

fn pieces_match(pieces: &[Piece], name: &str, date: &mut Option<NaiveDate>) -> bool {
    let Some((piece, later)) = pieces.split_first() else { return name.is_empty() };
    let ends = || name.char_indices().map(|(at, c)| at + c.len_utf8());
    match piece {
        Piece::Literal(text) => name.strip_prefix(text.as_str()).is_some_and(|rest| pieces_match(later, rest, date)),
        Piece::One => ends().next().is_some_and(|end| pieces_match(later, &name[end..], date)),
        Piece::Any => std::iter::once(0).chain(ends()).any(|end| pieces_match(later, &name[end..], date)),
        Piece::Date(format) => ends().any(|end| {
            let Some(read) = read_date(&name[..end], format) else { return false };
            if pieces_match(later, &name[end..], date) {
                *date = Some(read);
                return true;
            }
            false
        }),
    }
}

/// A date written exactly as the format writes it; the first of the month where the format has no day.
fn read_date(text: &str, format: &str) -> Option<NaiveDate> {
    let date = NaiveDate::parse_from_str(text, format)
        .or_else(|_| NaiveDate::parse_from_str(&format!("{text} 01"), &format!("{format} %d")))
        .ok()?;
    // chrono reads `2024-1-5` where it would write `2024-01-05`: only what it would write is a date here, so that a
    // name has one meaning.
    let mut written = String::new();
    std::fmt::Write::write_fmt(&mut written, format_args!("{}", date.format(format))).ok()?;
    (written == text).then_some(date)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::option_option, reason = "as in `Pattern::matches`")]
    fn date_of(pattern: &str, path: &str) -> Option<Option<String>> {
        Pattern::new(&ExportPattern { text: pattern.to_owned(), date_format: None })
            .matches(path)
            .map(|date| date.map(|d| d.to_string()))
    }

    fn matched(pattern: &str, path: &str) -> bool {
        date_of(pattern, path).is_some()
    }

    #[test]
    fn wildcards_stay_within_a_folder_unless_they_are_two() {
        assert!(matched("crm/customers-*.csv", "crm/customers-7.csv"));
        assert!(!matched("crm/*.csv", "crm/old/customers.csv"));
        assert!(matched("crm/**/*.csv", "crm/old/2020/customers.csv"));
        assert!(matched("crm/**/*.csv", "crm/customers.csv"));
        assert!(matched("a?.csv", "a1.csv") && !matched("a?.csv", "a.csv"));
        assert!(matched("订单/*.csv", "订单/一月.csv"));
        assert!(!matched("crm/*.csv", "crmx/a.csv"));
    }

    #[test]
    fn dates_are_read_as_written() {
        let some = |text: &str| Some(Some(text.to_owned()));
        assert_eq!(date_of("erp/orders/{date}.csv", "erp/orders/2024-01-31.csv"), some("2024-01-31"));
        assert_eq!(date_of("{date:%Y%m%d}_*.csv", "20240131_part1.csv"), some("2024-01-31"));
        assert_eq!(date_of("*-{date}.csv", "a-b-2024-01-31.csv"), some("2024-01-31"));
        assert_eq!(date_of("{date:%Y-%m}.csv", "2024-02.csv"), some("2024-02-01"));
        assert_eq!(date_of("{date}/orders.csv", "2024-01-31/orders.csv"), some("2024-01-31"));
        assert_eq!(date_of("{date}.csv", "2024-1-31.csv"), None);
        assert_eq!(date_of("{date}.csv", "2024-02-30.csv"), None);
    }

    #[test]
    fn what_is_beside_the_exports_is_known_unless_it_is_meant_to_be() {
        for path in ["orders/_SUCCESS", "orders/.x.csv", "orders/2024-01-01.csv.part", "_old/2024-01-01.csv"] {
            assert!(is_meant_to_be_left_out(path), "{path}");
        }
        assert!(!is_meant_to_be_left_out("orders/2024-1-01.csv"));
    }

    #[test]
    fn hidden_names_and_unfinished_uploads_never_match_a_wildcard() {
        for name in ["_orders.csv", ".orders.csv", "orders.csv.tmp", "orders.csv.PART", "orders.crdownload"] {
            assert!(!matched("*", name), "{name}");
            assert!(!matched("**", name), "{name}");
        }
        assert!(!matched("**/*.csv", "_staging/orders.csv"));
        assert!(matched("_*.csv", "_orders.csv") && matched("*.tmp", "orders.tmp"));
    }
}
