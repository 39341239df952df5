//! Which language a text is in, by its writing and, of Latin letters, by its small words. Short texts often have none of them.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::text::{Call, Text};

pub(super) const FUNCTIONS: &[Text] =
    &[Text { name: "language", arguments: 1, call: Call::Text(|v| Ok(language(v[0]).to_owned())) }];

/// Undetermined, as ISO 639-2 has it.
const UNDETERMINED: &str = "und";

/// The small words that are most of any text, of each language as many, in lower case. A word that several share counts for each.
const SMALL_WORDS: &[(&str, &str)] = &[
    (
        "en",
        "a an and are as at be been but by did do for had has have he i in is it my no not of on or she so than that the \
         their them they this to too very was we were what when which will with would you your",
    ),
    (
        "de",
        "als am an auch auf aus bei bin bis das dass dem den der des die ein eine einen er es für habe haben hat ich ihr \
         im in ist kein keine leider man mein mit nach nicht noch nur oder sehr sich sie sind und von war wir zu zum",
    ),
    (
        "fr",
        "a au aux avec ce cette dans de des du elle en est et était il ils j'ai je jamais la le les leur ma mais même mon \
         ne nous on ou par pas plus pour que qui sa se ses son sont sur très trop un une vous",
    ),
    (
        "es",
        "a al como con de del el ella en es esta este está fue ha han la las le lo los más me mi muy nada ni no nos nunca \
         o para pero por que se ser si sin su también todo tu un una y ya yo",
    ),
    (
        "it",
        "a al alla anche c'è che ci come con da dal del della di e è gli ha hanno ho i il in io la le lo ma mi mio molto \
         nel nella non o per più poco questa questo se si sono stata stato su tutto un una",
    ),
    (
        "pt",
        "a ao as até com como da das de do dos e é ela ele em esta este eu foi há isso já mais mas me meu minha muito na \
         não no nos nunca o os ou para pela pelo por que se sem ser seu são também um uma",
    ),
    (
        "nl",
        "aan als bij dat de deze die dit door een en er geen goed heb hebben heeft het hij ik in is je maar me met mijn \
         naar niet nog of om ook op over te toch uit van veel voor was wat we wel werd zeer zijn",
    ),
];

/// `en`, `zh`, …, or `und` where it cannot be told.
fn language(text: &str) -> &'static str {
    let any = |of: fn(char) -> bool| text.chars().any(of);
    // Japanese and Korean texts hold Chinese characters too, and so come first.
    if any(|c| matches!(c, '\u{3040}'..='\u{30ff}')) {
        return "ja";
    }
    if any(|c| matches!(c, '\u{1100}'..='\u{11ff}' | '\u{ac00}'..='\u{d7a3}')) {
        return "ko";
    }
    if any(|c| matches!(c, '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{20000}'..='\u{2ffff}')) {
        return "zh";
    }
    // Other writings than Latin are of several languages each.
    let latin = |c: char| matches!(c, 'a'..='z' | 'A'..='Z' | '\u{c0}'..='\u{24f}' | '\u{1e00}'..='\u{1eff}');
    if text.chars().any(|c| c.is_alphabetic() && !latin(c)) {
        return UNDETERMINED;
    }
    of_small_words(text).unwrap_or(UNDETERMINED)
}

/// Each small word, with the places in `SMALL_WORDS` of the languages it is of.
static LANGUAGES_OF: LazyLock<HashMap<&str, Vec<usize>>> = LazyLock::new(|| {
    let mut all: HashMap<&str, Vec<usize>> = HashMap::new();
    for (at, (_, words)) in SMALL_WORDS.iter().enumerate() {
        for word in words.split(' ') {
            all.entry(word).or_default().push(at);
        }
    }
    all
});

/// The language that more words of the text are of than of any other.
fn of_small_words(text: &str) -> Option<&'static str> {
    let lower = text.to_lowercase().replace('’', "'");
    let mut counts = [0_usize; SMALL_WORDS.len()];
    for word in lower.split(|c: char| !c.is_alphabetic() && c != '\'') {
        for at in LANGUAGES_OF.get(word).into_iter().flatten() {
            counts[*at] += 1;
        }
    }
    let most = *counts.iter().max()?;
    let mut first = SMALL_WORDS.iter().zip(counts).filter(|(_, count)| *count == most).map(|((name, _), _)| *name);
    first.next().filter(|_| most > 0 && first.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_are_told_by_their_writing_and_their_small_words() {
        let texts = [
            ("The parcel came too late.", "en"),
            ("Not what I ordered!", "en"),
            ("Das Paket war nicht da, und niemand hat geantwortet.", "de"),
            ("Sehr schlecht", "de"),
            ("Le colis n'est jamais arrivé, très déçu", "fr"),
            ("Muy buen servicio, pero llegó tarde", "es"),
            ("Il pacco non è arrivato", "it"),
            ("A encomenda não chegou", "pt"),
            ("Het pakket is niet aangekomen", "nl"),
            ("物流很快，very good", "zh"),
            ("とても満足です。品質が良い", "ja"),
            ("배송이 빨라요", "ko"),
        ];
        for (text, name) in texts {
            assert_eq!(language(text), name, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_told_is_not_guessed() {
        // One word that is in no list, none at all, another writing, and as many words of one language as of another.
        for text in ["Super!", "", "5/5 :)", "Очень good", "ευχαριστώ", "la de"] {
            assert_eq!(language(text), UNDETERMINED, "{text}");
        }
    }

    #[test]
    fn no_small_word_stands_twice() {
        for (name, small) in SMALL_WORDS {
            let words: Vec<&str> = small.split(' ').collect();
            let all: std::collections::BTreeSet<&&str> = words.iter().collect();
            assert_eq!(all.len(), words.len(), "{name}");
            assert!(words.iter().all(|word| !word.is_empty() && *word == word.to_lowercase()), "{name}");
        }
    }
}
