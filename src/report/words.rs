//! What a report says, in one language: the program's own sentences, and those of the project's catalogues, which may say the
//! program's otherwise. A placeholder is a name in braces.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use crate::base::{Diagnostic, Diagnostics, Place, SourceText};
use crate::config::{Kpi, Locale, Phrases, phrases};

/// Below `report-templates/`.
const FOLDER: &str = "locales";

/// The phrases of one language.
#[derive(Debug, Clone)]
pub(super) struct Words {
    pub locale: Locale,
    own: &'static Phrases,
    given: Phrases,
}

/// Read once: an alert asks for them as much as a page does.
fn own(locale: Locale) -> &'static (Phrases, Diagnostics) {
    static EN: LazyLock<(Phrases, Diagnostics)> = LazyLock::new(|| read(Locale::En, include_str!("words/en.yaml")));
    static ZH_HANS: LazyLock<(Phrases, Diagnostics)> =
        LazyLock::new(|| read(Locale::ZhHans, include_str!("words/zh-Hans.yaml")));
    match locale {
        Locale::En => &EN,
        Locale::ZhHans => &ZH_HANS,
    }
}

fn read(locale: Locale, text: &str) -> (Phrases, Diagnostics) {
    phrases(&SourceText::new(format!("{}.yaml", locale.tag()), text))
}

/// The file of a language below `report-templates/`.
pub(super) fn file_of(locale: Locale) -> String {
    format!("{FOLDER}/{}.yaml", locale.tag())
}

impl Words {
    /// With the mistakes of the project's catalogue.
    pub fn of(locale: Locale, files: &BTreeMap<String, Arc<SourceText>>) -> (Self, Diagnostics) {
        let (given, found) = files.get(&file_of(locale)).map(phrases).unwrap_or_default();
        (Self { locale, own: &own(locale).0, given }, found)
    }

    /// The project's word for it, or the program's.
    pub fn find(&self, key: &str) -> Option<&str> {
        self.given.get(key).or_else(|| self.own.get(key)).map(|(text, _)| text.as_str())
    }

    /// One of the program's own phrases; a project's that lacks a placeholder says less, and is not an error.
    pub fn say(&self, key: &str, with: &[(&str, &str)]) -> String {
        let value = |name: &str| with.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
        fill(self.find(key).unwrap_or(key), value).unwrap_or_else(|_| key.to_owned())
    }

    /// What a KPI is called.
    pub fn label(&self, kpi: &Kpi) -> String {
        let given = self
            .find(&format!("kpi.{}.label", kpi.name))
            .or_else(|| kpi.labels.get(self.locale.tag()).map(String::as_str));
        super::number::tame(given.unwrap_or(&kpi.label))
    }

    pub fn definition<'a>(&'a self, kpi: &'a Kpi) -> Option<&'a str> {
        let of_catalogue = self.find(&format!("kpi.{}.definition", kpi.name));
        let of_kpi = kpi.definitions.get(self.locale.tag()).map(String::as_str);
        if kpi.worded { of_kpi.or(of_catalogue) } else { of_catalogue.or(of_kpi) }
    }
}

/// A phrase with its placeholders filled; the name of the first one that nothing is given for, else.
pub(super) fn fill(phrase: &str, value: impl Fn(&str) -> Option<String>) -> Result<String, String> {
    let mut out = String::with_capacity(phrase.len() + 32);
    let mut rest = phrase;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let Some((name, after)) = after.split_once('}') else {
            out.push('{');
            rest = after;
            continue;
        };
        out.push_str(&value(name).ok_or_else(|| name.to_owned())?);
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

/// What the catalogues of a project lack: a phrase that one language has and another has not, and what the KPIs that are shown
/// are called in each language somebody reads.
pub(super) fn check(all: &[Words], kpis: &[Kpi], read: &BTreeSet<Locale>) -> Diagnostics {
    let mut found = Diagnostics::default();
    for words in all.iter().filter(|w| !w.given.is_empty()) {
        for other in all {
            for (key, (_, place)) in other.given.iter().filter(|(key, _)| !one_sided(key)) {
                if words.find(key).is_none() {
                    found.push(missing(words, key, place.clone()));
                }
            }
        }
        for kpi in kpis.iter().filter(|k| k.shown && words.locale != Locale::default() && read.contains(&words.locale))
        {
            let named =
                kpi.labels.contains_key(words.locale.tag()) || words.find(&format!("kpi.{}.label", kpi.name)).is_some();
            if !named {
                found.push(missing(words, &format!("kpi.{}.label", kpi.name), kpi.place.clone()));
            }
            if words.definition(kpi).is_none() {
                found.push(missing(words, &format!("kpi.{}.definition", kpi.name), kpi.place.clone()));
            }
        }
    }
    found
}

/// What a catalogue says of a KPI that there is not, or not of its label or definition: nothing ever shows it. `known` are the
/// KPIs of all packs and pipelines.
pub(super) fn strange(words: &Words, known: &BTreeSet<&str>) -> Diagnostics {
    let mut found = Diagnostics::default();
    let mut told = BTreeSet::new();
    for (key, (_, place)) in &words.given {
        let Some((name, what)) = key.strip_prefix("kpi.").and_then(|rest| rest.split_once('.')) else { continue };
        let warning = if !known.contains(name) {
            if !told.insert(name) {
                continue;
            }
            let message = format!("`{key}` is never shown: no pack and no pipeline has a KPI `{name}`");
            let remove = "remove it, or declare the KPI in `pack.yaml` or in a pipeline";
            Diagnostic::warning("unknown-kpi", message).help(remove).did_you_mean(name, known.iter().copied())
        } else if !SAID_OF_A_KPI.contains(&what) {
            Diagnostic::warning("unknown-phrase", format!("`{key}` is never shown"))
                .help("a catalogue says the `label` and the `definition` of a KPI")
                .did_you_mean(what, SAID_OF_A_KPI)
        } else {
            continue;
        };
        found.push(warning.at(place.clone()));
    }
    found
}

const SAID_OF_A_KPI: [&str; 2] = ["label", "definition"];

/// What may stand in one language only: other words for what packs, pipelines and tables call a thing.
fn one_sided(key: &str) -> bool {
    ["kpi.", "report.", "values.", "workbook."].iter().any(|under| key.starts_with(under))
}

fn missing(words: &Words, key: &str, place: Place) -> Diagnostic {
    let file = file_of(words.locale);
    Diagnostic::error("missing-phrase", format!("`report-templates/{file}` has no phrase `{key}`"))
        .at(place)
        .help(format!("say it in {}: add `{key}` to report-templates/{file}", words.locale.tag()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placeholders(text: &str) -> BTreeSet<String> {
        text.split('{').skip(1).filter_map(|rest| rest.split_once('}').map(|(name, _)| name.to_owned())).collect()
    }

    #[test]
    fn every_language_says_the_same_things_of_the_same_values() {
        let (english, mistakes) = own(Locale::En);
        assert!(mistakes.is_empty() && english.len() > 40, "{mistakes:?}");
        for locale in Locale::ALL {
            let (other, mistakes) = own(locale);
            assert!(mistakes.is_empty(), "{mistakes:?}");
            assert_eq!(english.keys().collect::<Vec<_>>(), other.keys().collect::<Vec<_>>());
            for (key, (text, _)) in english {
                assert_eq!(placeholders(text), placeholders(&other[key].0), "{key}");
            }
        }
    }

    #[test]
    fn what_is_said_of_no_kpi_is_told_once() {
        let text = "kpi:\n  retention: {label: R, definition: D}\n  retenton: {label: R, definition: D}\n  revenue: {lable: Net}\n  far_away: {label: x}\n";
        let files = BTreeMap::from([(file_of(Locale::En), SourceText::new("en.yaml", text))]);
        let (words, mistakes) = Words::of(Locale::En, &files);
        assert!(mistakes.is_empty(), "{mistakes:?}");
        let found = strange(&words, &BTreeSet::from(["retention", "revenue"]));
        let told: Vec<String> =
            found.0.iter().map(|d| format!("{} {}", d.code, d.help.as_deref().unwrap_or("-"))).collect();
        assert_eq!(
            told,
            [
                "unknown-kpi remove it, or declare the KPI in `pack.yaml` or in a pipeline",
                "unknown-kpi did you mean `retention`?",
                "unknown-phrase did you mean `label`?",
            ]
        );
        assert!(!found.has_errors());
    }

    #[test]
    fn a_phrase_wants_all_its_values() {
        let value = |name: &str| (name == "a").then(|| "{b}".to_owned());
        // What is filled in is never read as a placeholder.
        assert_eq!(fill("{a} and {", value), Ok("{b} and {".to_owned()));
        assert_eq!(fill("{a} {c}", value), Err("c".to_owned()));
    }
}
