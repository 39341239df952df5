//! A user's mistake as a value: what is wrong, where it stands, what to do. Collected, and shown once.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

/// A file of the project and what was in it.
#[derive(Debug, PartialEq, Eq)]
pub struct SourceText {
    /// Relative to the project's root, as it is shown.
    pub path: PathBuf,
    pub text: String,
    /// Where each line begins.
    lines: Vec<usize>,
}

impl SourceText {
    pub fn new(path: impl Into<PathBuf>, text: impl Into<String>) -> Arc<Self> {
        let text = text.into();
        let ends = memchr::memchr_iter(b'\n', text.as_bytes());
        let lines = std::iter::once(0).chain(ends.map(|end| end + 1)).collect();
        Arc::new(Self { path: path.into(), text, lines })
    }

    /// One-based line and column (in characters) of a byte offset.
    pub fn line_column(&self, offset: usize) -> (usize, usize) {
        let offset = offset.min(self.text.len());
        let line = self.lines.partition_point(|start| *start <= offset);
        let start = line.checked_sub(1).map_or(0, |before| self.lines[before]);
        let before = String::from_utf8_lossy(&self.text.as_bytes()[start..offset]);
        (line, before.chars().count() + 1)
    }

    /// The byte offset of a one-based line and column (in characters).
    pub fn offset(&self, line: usize, column: usize) -> usize {
        let start = self.lines.get(line.saturating_sub(1)).copied().unwrap_or(self.text.len());
        let rest = &self.text[start..];
        start + rest.char_indices().nth(column.saturating_sub(1)).map_or(rest.len(), |(at, _)| at)
    }
}

/// A range of bytes in a file of the project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub file: Arc<SourceText>,
    pub span: Range<usize>,
}

impl Place {
    pub fn new(file: &Arc<SourceText>, span: Range<usize>) -> Self {
        Self { file: Arc::clone(file), span }
    }

    /// The whole file, for a mistake that has no narrower place.
    pub fn file(file: &Arc<SourceText>) -> Self {
        Self::new(file, 0..0)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (line, column) = self.file.line_column(self.span.start);
        write!(f, "{}:{line}:{column}", self.file.path.display())
    }
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Worth knowing, and no mistake.
    Note,
    Warning,
    Error,
}

/// One mistake, for the reader. Messages are lower-case fragments with no full stop, and never hold a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    pub level: Level,
    /// Stable and searchable, as in `unknown-key`.
    pub code: &'static str,
    pub message: String,
    pub place: Option<Place>,
    /// What to do.
    pub help: Option<String>,
}

impl Diagnostic {
    pub fn error(code: &'static str, message: impl Into<String>) -> Self {
        Self { level: Level::Error, code, message: message.into(), place: None, help: None }
    }

    pub fn warning(code: &'static str, message: impl Into<String>) -> Self {
        Self { level: Level::Warning, ..Self::error(code, message) }
    }

    pub fn note(code: &'static str, message: impl Into<String>) -> Self {
        Self { level: Level::Note, ..Self::error(code, message) }
    }

    #[must_use]
    pub fn at(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }

    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds "did you mean …", or all candidates where none is near: for names of which there are few.
    #[must_use]
    pub fn one_of<'a>(self, wrong: &str, candidates: impl IntoIterator<Item = &'a str>) -> Self {
        let all: Vec<&str> = candidates.into_iter().collect();
        match closest(wrong, all.iter().copied()) {
            Some(near) => self.help(format!("did you mean `{near}`?")),
            None if all.is_empty() => self,
            None => self.help(format!("there is {}", all.join(", "))),
        }
    }

    /// Adds "did you mean …" when one of the candidates is near.
    #[must_use]
    pub fn did_you_mean<'a>(self, wrong: &str, candidates: impl IntoIterator<Item = &'a str>) -> Self {
        match closest(wrong, candidates) {
            Some(near) => self.help(format!("did you mean `{near}`?")),
            None => self,
        }
    }
}

/// All mistakes found so far, in the order they were found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diagnostics(pub Vec<Diagnostic>);

impl Diagnostics {
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.0.push(diagnostic);
    }

    pub fn extend(&mut self, more: Diagnostics) {
        self.0.extend(more.0);
    }

    pub fn has_errors(&self) -> bool {
        self.0.iter().any(|d| d.level == Level::Error)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<Diagnostic> for Diagnostics {
    fn from(one: Diagnostic) -> Self {
        Self(vec![one])
    }
}

/// The candidate a person most likely meant, if any is near enough to say so.
pub fn closest<'a>(wrong: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|c| (strsim::damerau_levenshtein(&wrong.to_lowercase(), &c.to_lowercase()), c))
        .filter(|(distance, c)| *distance <= 1 + c.len().max(wrong.len()) / 4)
        .min()
        .map(|(_, c)| c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_one_based_and_count_characters() {
        let file = SourceText::new("a.yaml", "é: 1\nkey: 2\n");
        assert_eq!(file.line_column(0), (1, 1));
        assert_eq!(file.line_column(2), (1, 2));
        assert_eq!(file.line_column(6), (2, 1));
        assert_eq!(file.offset(2, 4), 9);
        assert_eq!(Place::new(&file, 9..10).to_string(), "a.yaml:2:4");
    }

    #[test]
    fn near_words_are_offered_and_far_ones_are_not() {
        assert_eq!(closest("soruces", ["sources", "packs"]), Some("sources"));
        assert_eq!(closest("xyz", ["sources", "packs"]), None);
        let help = |wrong: &str| Diagnostic::error("x", "y").one_of(wrong, ["shop", "web"]).help;
        assert_eq!(help("shopp").as_deref(), Some("did you mean `shop`?"));
        assert_eq!(help("nothing").as_deref(), Some("there is shop, web"));
    }
}
