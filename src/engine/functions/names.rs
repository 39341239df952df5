//! How alike two names are, and the code of how one sounds. Whether two customers are one person is the stages' to say.

use super::text::{Call, Text};

pub(super) const FUNCTIONS: &[Text] = &[
    Text { name: "jaro_winkler", arguments: 2, call: Call::Number(|v| Ok(strsim::jaro_winkler(v[0], v[1]))) },
    Text { name: "soundex", arguments: 1, call: Call::Perhaps(|v| soundex(v[0])) },
];

/// The first letter and three digits of consonants. Letters of one code count once where they are neighbours, the first letter
/// among them, and also where H or W is all that stands between them; a vowel parts them. What is not a Latin letter is passed over.
fn soundex(text: &str) -> Option<String> {
    let mut letters = text.chars().filter_map(latin);
    let first = letters.next()?;
    let mut code = String::with_capacity(4);
    code.push(first);
    let mut before = digit(first);
    for letter in letters {
        if matches!(letter, 'H' | 'W') {
            continue;
        }
        let now = digit(letter);
        if let Some(now) = now.filter(|_| now != before) {
            code.push(now);
            if code.len() == 4 {
                return Some(code);
            }
        }
        before = now;
    }
    while code.len() < 4 {
        code.push('0');
    }
    Some(code)
}

fn digit(letter: char) -> Option<char> {
    match letter {
        'B' | 'F' | 'P' | 'V' => Some('1'),
        'C' | 'G' | 'J' | 'K' | 'Q' | 'S' | 'X' | 'Z' => Some('2'),
        'D' | 'T' => Some('3'),
        'L' => Some('4'),
        'M' | 'N' => Some('5'),
        'R' => Some('6'),
        _ => None,
    }
}

/// The capital that a Latin letter is without its marks, those of Vietnamese and of Pinyin included.
fn latin(letter: char) -> Option<char> {
    if letter.is_ascii() {
        return letter.is_ascii_alphabetic().then(|| letter.to_ascii_uppercase());
    }
    Some(match letter {
        'À'..='Æ' | 'à'..='æ' | '\u{100}'..='\u{105}' | '\u{1cd}'..='\u{1ce}' | '\u{1ea0}'..='\u{1eb7}' => 'A',
        'Ç' | 'ç' | '\u{106}'..='\u{10d}' => 'C',
        'Ð' | 'ð' | '\u{10e}'..='\u{111}' => 'D',
        'È'..='Ë' | 'è'..='ë' | '\u{112}'..='\u{11b}' | '\u{1eb8}'..='\u{1ec7}' => 'E',
        '\u{11c}'..='\u{123}' => 'G',
        '\u{124}'..='\u{127}' => 'H',
        'Ì'..='Ï' | 'ì'..='ï' | '\u{128}'..='\u{133}' | '\u{1cf}'..='\u{1d0}' | '\u{1ec8}'..='\u{1ecb}' => 'I',
        '\u{134}'..='\u{135}' => 'J',
        '\u{136}'..='\u{138}' => 'K',
        '\u{139}'..='\u{142}' => 'L',
        'Ñ' | 'ñ' | '\u{143}'..='\u{14b}' => 'N',
        'Ò'..='Ö' | 'Ø' | 'ò'..='ö' | 'ø' | '\u{14c}'..='\u{153}' | '\u{1a0}'..='\u{1a1}' => 'O',
        '\u{1d1}'..='\u{1d2}' | '\u{1ecc}'..='\u{1ee3}' => 'O',
        '\u{154}'..='\u{159}' => 'R',
        'ß' | '\u{15a}'..='\u{161}' | '\u{17f}' | '\u{218}'..='\u{219}' | '\u{1e9e}' => 'S',
        'Þ' | 'þ' | '\u{162}'..='\u{167}' | '\u{21a}'..='\u{21b}' => 'T',
        'Ù'..='Ü' | 'ù'..='ü' | '\u{168}'..='\u{173}' | '\u{1af}'..='\u{1b0}' => 'U',
        '\u{1d3}'..='\u{1dc}' | '\u{1ee4}'..='\u{1ef1}' => 'U',
        '\u{174}'..='\u{175}' => 'W',
        'Ý' | 'ý' | 'ÿ' | '\u{176}'..='\u{178}' | '\u{1ef2}'..='\u{1ef9}' => 'Y',
        '\u{179}'..='\u{17e}' => 'Z',
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of the National Archives' page on the Soundex system, and Knuth's, The Art of Computer Programming 3, 6.
    #[test]
    fn codes_are_those_of_the_national_archives() {
        let codes = [
            ("Washington", "W252"),
            ("Lee", "L000"),
            ("Gutierrez", "G362"),
            ("Pfister", "P236"),
            ("Jackson", "J250"),
            ("Tymczak", "T522"),
            ("VanDeusen", "V532"),
            ("Ashcraft", "A261"),
            ("Honeyman", "H555"),
            ("Robert", "R163"),
            ("Rupert", "R163"),
            ("Euler", "E460"),
            ("Gauss", "G200"),
            ("Hilbert", "H416"),
            ("Knuth", "K530"),
            ("Lloyd", "L300"),
            ("Lukasiewicz", "L222"),
        ];
        for (name, code) in codes {
            assert_eq!(soundex(name).as_deref(), Some(code), "{name}");
        }
    }

    #[test]
    fn marks_and_what_is_no_letter_change_no_code() {
        for (name, plain) in [
            ("Łukasiewicz", "Lukasiewicz"),
            ("MÜLLER", "muller"),
            ("O'Neil", "ONeil"),
            ("Nguyễn", "Nguyen"),
            ("Zhāng 3", "Zhang"),
            ("Škoda-Ångström", "SkodaAngstrom"),
        ] {
            assert_eq!(soundex(name), soundex(plain), "{name}");
            assert!(soundex(name).is_some_and(|code| code.len() == 4), "{name}");
        }
    }

    #[test]
    fn a_text_without_a_latin_letter_has_no_code() {
        for text in ["", "王小明", "Иван", "12 34", "×÷"] {
            assert_eq!(soundex(text), None, "{text}");
        }
    }
}
