//! Whatever a text holds, reading it ends with diagnostics whose places lie in their files.

use proptest::prelude::*;

use super::{GOOD, lines, read, with};

/// Pieces that matter to YAML or to us, to be put anywhere.
const PIECES: [&str; 24] = [
    "{", "}", "[", "]", ":", ": ", "- ", "\n", "\n  ", "\"", "'", "#", "*a", "&a ", "!!str ", "${", "${X}", "$${",
    "|\n", "\t", "---\n", "é", "*/", "%",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_it_panic(
        file in 0usize..3,
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0usize..40, 0..PIECES.len() + 1), 1..6),
    ) {
        let (path, text) = GOOD[file];
        let mut chars: Vec<char> = text.chars().collect();
        for (at, remove, piece) in edits {
            let at = at.index(chars.len() + 1);
            let end = (at + remove).min(chars.len());
            let piece = PIECES.get(piece).copied().unwrap_or("");
            chars.splice(at..end, piece.chars());
        }
        let text: String = chars.into_iter().collect();
        let (project, found) = read(&with(&[(path, &text)]));
        prop_assert!(project.is_some());
        for line in lines(&found) {
            prop_assert!(!line.contains("NO HELP"), "{}", line);
        }
    }
}

#[test]
fn depth_and_size_are_bounded() {
    let deep = "[".repeat(100_000);
    let wide = "a: &a [x]\nb: [*a, *a]\n".to_owned();
    for text in [deep, wide, "\u{feff}".to_owned(), "\0".to_owned(), "%YAML 1.2\n---\n".to_owned()] {
        let (project, _) = read(&with(&[("matins.yaml", &text)]));
        assert!(project.is_some());
    }
}
