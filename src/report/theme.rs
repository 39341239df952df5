//! The company's brand in its reports (`report-templates/theme.yaml`): its name and colours, each checked to be readable where
//! it is used.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use super::chart::contrast;
use crate::base::{Diagnostic, Diagnostics, SourceText};
use crate::config::phrases;

pub(super) const FILE: &str = "theme.yaml";
/// What a reader needs to tell letters, and marks, from what lies behind them (WCAG 2.2, 1.4.3 and 1.4.11).
const LETTERS: f64 = 4.5;
const MARKS: f64 = 3.0;

/// What stands where nothing is said. Blue and orange are of Okabe and Ito: the same to all eyes, and neither red nor green.
const DEFAULTS: [(&str, &str); 18] = [
    ("brand", ""),
    ("logo", ""),
    ("accent", "#14324d"),
    ("page", "#fdfdfb"),
    ("around", "#f0efea"),
    ("panel", "#f4f6f7"),
    ("ink", "#1c2126"),
    ("muted", "#59636d"),
    ("good", "#00639c"),
    ("bad", "#a04a00"),
    ("up", "#0072b2"),
    ("down", "#c97500"),
    ("dark_page", "#191d21"),
    ("dark_ink", "#e6e9ec"),
    ("dark_muted", "#a7b1ba"),
    ("dark_good", "#6cbdf0"),
    ("dark_bad", "#f2ab4a"),
    ("dark_accent", "#9cc9ec"),
];
/// What is written or drawn on what, and how clear it must be.
const PAIRS: [(&str, &str, f64); 16] = [
    ("ink", "page", LETTERS),
    ("ink", "panel", LETTERS),
    ("muted", "page", LETTERS),
    ("muted", "panel", LETTERS),
    ("muted", "around", LETTERS),
    ("accent", "page", LETTERS),
    ("accent", "panel", LETTERS),
    ("good", "page", LETTERS),
    ("bad", "page", LETTERS),
    ("up", "page", MARKS),
    ("down", "page", MARKS),
    ("dark_ink", "dark_page", LETTERS),
    ("dark_muted", "dark_page", LETTERS),
    ("dark_good", "dark_page", LETTERS),
    ("dark_bad", "dark_page", LETTERS),
    ("dark_accent", "dark_page", LETTERS),
];

/// Each setting by its name.
#[derive(Debug, Clone, Serialize)]
#[serde(transparent)]
pub(super) struct Theme(BTreeMap<&'static str, String>);

impl Theme {
    /// The theme as far as it can be read, and every mistake in it.
    pub fn of(files: &BTreeMap<String, Arc<SourceText>>) -> (Self, Diagnostics) {
        let mut theme: BTreeMap<&'static str, String> = DEFAULTS.iter().map(|(k, v)| (*k, (*v).to_owned())).collect();
        let (given, mut found) = files.get(FILE).map(phrases).unwrap_or_default();
        for (key, (text, place)) in &given {
            let Some((name, _)) = DEFAULTS.iter().find(|(name, _)| name == key) else {
                let unknown = Diagnostic::error("unknown-key", format!("a theme has no `{key}`")).at(place.clone());
                found.push(unknown.did_you_mean(key, DEFAULTS.iter().map(|(name, _)| *name)));
                continue;
            };
            if !matches!(*name, "brand" | "logo") && colour(text).is_none() {
                let wrong = Diagnostic::error("bad-colour", format!("`{text}` is not a colour")).at(place.clone());
                found.push(wrong.help("write it as `\"#14324d\"`: six digits, in quotes"));
                continue;
            }
            theme.insert(name, super::number::tame(text));
        }
        for (front, back, least) in PAIRS {
            let (Some(a), Some(b)) = (colour(&theme[front]), colour(&theme[back])) else { continue };
            let ratio = contrast(a, b);
            let place = given.get(front).or_else(|| given.get(back)).map(|(_, place)| place.clone());
            if let (true, Some(place)) = (ratio < least, place) {
                let message = format!("`{front}` on `{back}` has a contrast of {ratio:.1}, and readers need {least}");
                let help = format!(
                    "take a {} for `{front}`",
                    if front.starts_with("dark") { "lighter one" } else { "darker one" }
                );
                found.push(Diagnostic::error("low-contrast", message).at(place).help(help));
            }
        }
        (Self(theme), found)
    }
}

fn colour(text: &str) -> Option<[f64; 3]> {
    let digits = text.strip_prefix('#').filter(|d| d.len() == 6 && d.bytes().all(|b| b.is_ascii_hexdigit()))?;
    let channel = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).map(f64::from).ok();
    Some([channel(0)?, channel(2)?, channel(4)?])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistakes(text: &str) -> Vec<String> {
        let files = BTreeMap::from([(FILE.to_owned(), SourceText::new("report-templates/theme.yaml", text))]);
        Theme::of(&files).1.0.into_iter().map(|d| format!("{} {}", d.code, d.message)).collect()
    }

    #[test]
    fn colours_that_cannot_be_read_are_mistakes() {
        assert!(mistakes("brand: A & B\naccent: \"#003057\"\n").is_empty());
        assert_eq!(
            mistakes("muted: \"#9aa4ad\"\n").first().map(String::as_str),
            Some("low-contrast `muted` on `page` has a contrast of 2.5, and readers need 4.5")
        );
        assert!(mistakes("acent: \"#003057\"\n")[0].starts_with("unknown-key a theme has no `acent`"));
        assert!(mistakes("accent: blue\n")[0].starts_with("bad-colour"));
        // The shipped ones hold against each other without being named.
        let (theme, _) = Theme::of(&BTreeMap::new());
        for (front, back, least) in PAIRS {
            let ratio = contrast(colour(&theme.0[front]).expect("a colour"), colour(&theme.0[back]).expect("a colour"));
            assert!(ratio >= least, "{front} on {back}: {ratio:.2}");
        }
    }
}
