//! Sentiment of Chinese texts, simplified and traditional, by a small lexicon of what customers write: longest match, negation
//! and degree words before a word, "but", exclamation marks.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::sentiment::{normal, valences};

/// A word of valence 0 hides one of the lexicon that it contains and does not mean: 快递 (a parcel service) is not 快 (fast),
/// 差不多 (about) not 差 (bad).
static LEXICON: LazyLock<HashMap<&str, f64>> = LazyLock::new(|| valences(include_str!("lexicon/zh.tsv")));

/// What negation and degree words multiply the next word's valence by.
static FACTORS: LazyLock<HashMap<&str, f64>> = LazyLock::new(|| valences(include_str!("lexicon/zh-factors.tsv")));

/// The longest word of any list, in characters.
const LONGEST: usize = 4;

/// How far a negation or degree word reaches, in characters that belong to no list.
const REACH: usize = 3;

const BUT: &[&str] = &["但是", "但", "可是", "不过", "不過", "然而", "只是"];

/// What a place in the text begins with.
enum Word {
    Valence(f64),
    Factor(f64),
    But,
    End,
    Other,
}

/// -1 to 1; 0 where no word of the lexicon stands.
pub(super) fn chinese(text: &str) -> f64 {
    let chars: Vec<char> = text.chars().collect();
    let (mut before, mut sum) = (0.0, 0.0);
    let (mut factor, mut reach) = (1.0, 0);
    let mut at = 0;
    while at < chars.len() {
        let (word, length) = longest(&chars[at..]);
        at += length;
        match word {
            Word::Valence(valence) => {
                sum += valence * factor;
                (factor, reach) = (1.0, 0);
            }
            Word::Factor(by) => {
                factor *= by;
                reach = REACH;
            }
            Word::But => {
                before = 0.5 * (before + sum);
                sum = 0.0;
                (factor, reach) = (1.0, 0);
            }
            Word::End => (factor, reach) = (1.0, 0),
            Word::Other if reach > 1 => reach -= 1,
            Word::Other => (factor, reach) = (1.0, 0),
        }
    }
    let total = if before == 0.0 { sum } else { before + 1.5 * sum };
    let marks = chars.iter().filter(|c| matches!(c, '!' | '！')).take(4).fold(0.0_f64, |n, _| n + 0.292);
    let total = if total == 0.0 { 0.0 } else { total + marks.copysign(total) };
    (normal(total) * 1e4).round() / 1e4
}

fn longest(chars: &[char]) -> (Word, usize) {
    let most = LONGEST.min(chars.len());
    for length in (1..=most).rev() {
        let text: String = chars[..length].iter().collect();
        if let Some(valence) = LEXICON.get(text.as_str()) {
            return (Word::Valence(*valence), length);
        }
        if let Some(factor) = FACTORS.get(text.as_str()) {
            return (Word::Factor(*factor), length);
        }
        if BUT.contains(&text.as_str()) {
            return (Word::But, length);
        }
    }
    let end = matches!(chars[0], '，' | '。' | '！' | '？' | '；' | '、' | ',' | '.' | '!' | '?' | ';' | '\n' | '…');
    (if end { Word::End } else { Word::Other }, 1)
}
