//! Sentiment by lexicon, and signs of a wrong encoding. English after VADER (Hutto & Gilbert 2014), rule by rule, with its
//! lexicon (`lexicon/`, MIT licence); emoji are not turned into their names.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use super::sentiment_zh;
use super::text::{Call, Text};

pub(super) const FUNCTIONS: &[Text] = &[
    Text {
        name: "sentiment",
        arguments: 2,
        call: Call::Number(|v| match v[1] {
            "en" => Ok(english(v[0])),
            "zh" => Ok(sentiment_zh::chinese(v[0])),
            other => Err(format!("`{other}` is not a language of the lexicons; give 'en' or 'zh'")),
        }),
    },
    Text { name: "mojibake_score", arguments: 1, call: Call::Number(|v| Ok(mojibake(v[0]))) },
];

/// How much a degree word adds or takes away.
const DEGREE: f64 = 0.293;
const CAPITALS: f64 = 0.733;
const NEGATION: f64 = -0.74;

static LEXICON: LazyLock<HashMap<&str, f64>> = LazyLock::new(|| valences(include_str!("lexicon/vader.tsv")));

/// Lines of a word, a tab and its valence.
pub(super) fn valences(text: &'static str) -> HashMap<&'static str, f64> {
    text.lines().filter_map(|line| line.split_once('\t')).filter_map(|(w, v)| Some((w, v.parse().ok()?))).collect()
}

/// A list with commas.
fn words(text: &'static str) -> HashSet<&'static str> {
    text.split(", ").collect()
}

static NEGATE: LazyLock<HashSet<&str>> = LazyLock::new(|| {
    words(
        "aint, arent, cannot, cant, couldnt, darent, didnt, doesnt, ain't, aren't, can't, couldn't, daren't, didn't, \
    doesn't, dont, hadnt, hasnt, havent, isnt, mightnt, mustnt, neither, don't, hadn't, hasn't, haven't, isn't, \
    mightn't, mustn't, neednt, needn't, never, none, nope, nor, not, nothing, nowhere, oughtnt, shant, shouldnt, \
    uhuh, wasnt, werent, oughtn't, shan't, shouldn't, uh-uh, wasn't, weren't, without, wont, wouldnt, won't, \
    wouldn't, rarely, seldom, despite",
    )
});

static MORE: LazyLock<HashSet<&str>> = LazyLock::new(|| {
    words(
        "absolutely, amazingly, awfully, completely, considerable, considerably, decidedly, deeply, effing, enormous, \
    enormously, entirely, especially, exceptional, exceptionally, extreme, extremely, fabulously, flipping, \
    flippin, frackin, fracking, fricking, frickin, frigging, friggin, fully, fuckin, fucking, fuggin, fugging, \
    greatly, hella, highly, hugely, incredible, incredibly, intensely, major, majorly, more, most, particularly, \
    purely, quite, really, remarkably, so, substantially, thoroughly, total, totally, tremendous, tremendously, \
    uber, unbelievably, unusually, utter, utterly, very",
    )
});

static LESS: LazyLock<HashSet<&str>> = LazyLock::new(|| {
    words(
        "almost, barely, hardly, just enough, kind of, kinda, kindof, kind-of, less, little, marginal, marginally, \
    occasional, occasionally, partly, scarce, scarcely, slight, slightly, somewhat, sort of, sorta, sortof, \
    sort-of",
    )
});

const SPECIAL: &[(&str, f64)] = &[
    ("the shit", 3.0),
    ("the bomb", 3.0),
    ("bad ass", 1.5),
    ("badass", 1.5),
    ("bus stop", 0.0),
    ("yeah right", -2.0),
    ("kiss of death", -1.5),
    ("to die for", 3.0),
    ("beating heart", 3.5),
];

fn degree(words: &str) -> Option<f64> {
    if MORE.contains(words) {
        Some(DEGREE)
    } else if LESS.contains(words) {
        Some(-DEGREE)
    } else {
        None
    }
}

fn special(words: &str) -> Option<f64> {
    SPECIAL.iter().find(|(w, _)| *w == words).map(|(_, v)| *v)
}

fn negates(word: &str) -> bool {
    NEGATE.contains(word) || word.contains("n't")
}

fn is_upper(word: &str) -> bool {
    word.chars().any(char::is_uppercase) && !word.chars().any(char::is_lowercase)
}

/// A text's words, as written and in lower case.
struct Words<'a> {
    written: Vec<&'a str>,
    lower: Vec<String>,
    /// Some words are in capitals and some are not.
    shouts: bool,
}

impl<'a> Words<'a> {
    fn of(text: &'a str) -> Self {
        // What is left of an emoticon without its punctuation is no word.
        let word = |token: &'a str| {
            let bare = token.trim_matches(|c: char| c.is_ascii_punctuation());
            if bare.chars().count() <= 2 { token } else { bare }
        };
        let written: Vec<&str> = text.split_whitespace().map(word).collect();
        let lower = written.iter().map(|w| w.to_lowercase()).collect();
        let capitals = written.iter().filter(|w| is_upper(w)).count();
        let shouts = 0 < capitals && capitals < written.len();
        Self { written, lower, shouts }
    }

    fn known(&self, at: usize) -> Option<f64> {
        LEXICON.get(self.lower[at].as_str()).copied()
    }

    fn pair(&self, from: usize) -> String {
        self.lower[from..from + 2].join(" ")
    }

    fn three(&self, from: usize) -> String {
        self.lower[from..from + 3].join(" ")
    }
}

/// VADER's compound score, rounded to four digits as it is published.
fn english(text: &str) -> f64 {
    let words = Words::of(text.trim());
    let count = words.written.len();
    let mut valences: Vec<f64> = (0..count)
        .map(|at| {
            let word = words.lower[at].as_str();
            let kind_of = word == "kind" && at + 1 < count && words.lower[at + 1] == "of";
            if degree(word).is_some() || kind_of { 0.0 } else { valence(&words, at) }
        })
        .collect();
    contrast(&words, &mut valences);
    let sum: f64 = valences.iter().sum();
    let emphasis = emphasis(text);
    let sum = if sum > 0.0 {
        sum + emphasis
    } else if sum < 0.0 {
        sum - emphasis
    } else {
        sum
    };
    (normal(sum) * 1e4).round() / 1e4
}

/// A sum of valences between -1 and 1.
pub(super) fn normal(sum: f64) -> f64 {
    (sum / (sum * sum + 15.0).sqrt()).clamp(-1.0, 1.0)
}

fn valence(words: &Words, at: usize) -> f64 {
    let Some(own) = words.known(at) else { return 0.0 };
    let lower = |back: usize| at.checked_sub(back).map(|i| words.lower[i].as_str());
    let mut valence = own;
    // "no" before a word of the lexicon turns that word, and says nothing itself.
    if words.lower[at] == "no" && at + 1 < words.lower.len() && words.known(at + 1).is_some() {
        valence = 0.0;
    }
    if lower(1) == Some("no")
        || lower(2) == Some("no")
        || (lower(3) == Some("no") && matches!(lower(1), Some("or" | "nor")))
    {
        valence = own * NEGATION;
    }
    if is_upper(words.written[at]) && words.shouts {
        valence += if valence > 0.0 { CAPITALS } else { -CAPITALS };
    }
    for back in 1..=3 {
        if at < back || words.known(at - back).is_some() {
            continue;
        }
        let far = [1.0, 0.95, 0.9][back - 1];
        valence += degree_of(words, at - back, valence) * far;
        valence = negated(words, at, back, valence);
        if back == 3 {
            valence = idiom(words, at, valence);
        }
    }
    least(words, at, valence)
}

fn degree_of(words: &Words, at: usize, valence: f64) -> f64 {
    let Some(more) = degree(&words.lower[at]) else { return 0.0 };
    let towards = if valence < 0.0 { -more } else { more };
    if is_upper(words.written[at]) && words.shouts {
        towards + if valence > 0.0 { CAPITALS } else { -CAPITALS }
    } else {
        towards
    }
}

fn negated(words: &Words, at: usize, back: usize, valence: f64) -> f64 {
    let before = |n: usize| words.lower[at - n].as_str();
    let so = |n: usize| matches!(before(n), "so" | "this");
    let strengthened = match back {
        2 => before(2) == "never" && so(1),
        3 => (before(3) == "never" && so(2)) || so(1),
        _ => false,
    };
    let without_doubt = match back {
        2 => before(2) == "without" && before(1) == "doubt",
        3 => before(3) == "without" && (before(2) == "doubt" || before(1) == "doubt"),
        _ => false,
    };
    if strengthened {
        valence * 1.25
    } else if without_doubt || !negates(before(back)) {
        valence
    } else {
        valence * NEGATION
    }
}

fn idiom(words: &Words, at: usize, valence: f64) -> f64 {
    let count = words.lower.len();
    let (before_two, before_three) = (words.pair(at - 2), words.three(at - 3));
    let far_two = words.pair(at - 3);
    let sequences =
        [words.pair(at - 1), words.three(at - 2), before_two.clone(), before_three.clone(), far_two.clone()];
    let mut valence = sequences.iter().find_map(|s| special(s)).unwrap_or(valence);
    if at + 1 < count
        && let Some(known) = special(&words.pair(at))
    {
        valence = known;
    }
    if at + 2 < count
        && let Some(known) = special(&words.three(at))
    {
        valence = known;
    }
    valence + [before_three, far_two, before_two].iter().filter_map(|s| degree(s)).sum::<f64>()
}

fn least(words: &Words, at: usize, valence: f64) -> f64 {
    if at == 0 || words.known(at - 1).is_some() || words.lower[at - 1] != "least" {
        return valence;
    }
    let spared = at > 1 && matches!(words.lower[at - 2].as_str(), "at" | "very");
    if spared { valence } else { valence * NEGATION }
}

/// "but" halves what comes before it and raises what comes after. As VADER does it, an equal valence that stands earlier is
/// changed in place of a later one.
fn contrast(words: &Words, valences: &mut [f64]) {
    let Some(but) = words.lower.iter().position(|w| w == "but") else { return };
    for at in 0..valences.len() {
        let value = valences[at];
        let Some(first) = valences.iter().position(|v| (v - value) == 0.0) else { continue };
        match first.cmp(&but) {
            std::cmp::Ordering::Less => valences[first] = value * 0.5,
            std::cmp::Ordering::Greater => valences[first] = value * 1.5,
            std::cmp::Ordering::Equal => {}
        }
    }
}

fn emphasis(text: &str) -> f64 {
    let count = |c: char| text.chars().filter(|t| *t == c).take(5).fold(0.0, |n, _| n + 1.0);
    let exclaimed = 0.292 * f64::min(count('!'), 4.0);
    let asked = match count('?') {
        n if n <= 1.0 => 0.0,
        n if n <= 3.0 => n * 0.18,
        _ => 0.96,
    };
    exclaimed + asked
}

/// UTF-8 read as Windows-1252 (`Ã©`), UTF-8 read as GBK (`锛`), GBK read as UTF-8 (`锟斤拷`), and replacement characters.
fn mojibake(text: &str) -> f64 {
    let chars: Vec<char> = text.chars().collect();
    let (mut bad, mut at) = (0.0, 0);
    while at < chars.len() {
        let many = suspicious(&chars[at..]);
        bad += f64::from(many);
        at += usize::try_from(many).unwrap_or(1).max(1);
    }
    #[expect(clippy::cast_precision_loss, reason = "characters of a text")]
    let all = chars.len() as f64;
    if all == 0.0 { 0.0 } else { bad / all }
}

/// How many characters from here on are one sign of a wrong encoding.
fn suspicious(chars: &[char]) -> u32 {
    let continues = |c: Option<&char>| c.is_some_and(|c| byte_of_1252(*c).is_some_and(|b| (0x80..0xc0).contains(&b)));
    let length = match chars[0] {
        '\u{fffd}' | '\u{80}'..='\u{9f}' => return 1,
        '锟' | '锛' | '銆' | '鈥' | '鐨' | '烫' | '屯' => {
            return match chars {
                ['锟', '斤', '拷', ..] => 3,
                ['烫', '烫', ..] | ['屯', '屯', ..] => 2,
                ['锛' | '銆' | '鈥' | '鐨', ..] => 1,
                _ => 0,
            };
        }
        '\u{c2}'..='\u{df}' => 2,
        '\u{e0}'..='\u{ef}' => 3,
        '\u{f0}'..='\u{f4}' => 4,
        _ => return 0,
    };
    let whole = (1..length).all(|n| continues(chars.get(n)));
    if whole { u32::try_from(length).unwrap_or(0) } else { 0 }
}

/// The byte that Windows-1252 reads as this character.
fn byte_of_1252(c: char) -> Option<u8> {
    const HIGH: &str = "€\u{81}‚ƒ„…†‡ˆ‰Š‹Œ\u{8d}Ž\u{8f}\u{90}‘’“”•–—˜™š›œ\u{9d}žŸ";
    match u8::try_from(u32::from(c)) {
        Ok(byte) => Some(byte),
        Err(_) => HIGH.chars().position(|h| h == c).and_then(|at| u8::try_from(0x80 + at).ok()),
    }
}
