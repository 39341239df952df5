//! What may be shown of a person, and what stands in their place.

use std::fmt::Write;

use ring::hmac;

use super::text::{Call, Text};

pub(super) const FUNCTIONS: &[Text] = &[
    Text { name: "mask_name", arguments: 1, call: Call::Text(|v| Ok(name(v[0]))) },
    Text { name: "mask_email", arguments: 1, call: Call::Text(|v| Ok(email(v[0]))) },
    Text { name: "mask_phone", arguments: 1, call: Call::Text(|v| Ok(phone(v[0]))) },
    Text { name: "pseudonym", arguments: 2, call: Call::Text(|v| pseudonym(v[0], v[1])) },
];

/// The first character of a name, which is the family name's where that comes first.
fn name(text: &str) -> String {
    text.trim().chars().next().map_or_else(String::new, |first| format!("{first}**"))
}

fn email(text: &str) -> String {
    let text = text.trim();
    match text.rsplit_once('@').map(|(local, domain)| (local.chars().next(), domain)) {
        Some((Some(first), domain)) if !domain.is_empty() => format!("{first}***@{domain}"),
        _ if text.is_empty() => String::new(),
        _ => "***".to_owned(),
    }
}

/// Of eleven digits the four in the middle are hidden, of eight or nine half, of fewer all.
fn phone(text: &str) -> String {
    const FULL_WIDTH_ZERO: u32 = '０' as u32;
    let digit = |c: char| c.to_digit(10).or_else(|| u32::from(c).checked_sub(FULL_WIDTH_ZERO).filter(|d| *d < 10));
    let digits: String = text.chars().filter_map(digit).filter_map(|d| char::from_digit(d, 10)).collect();
    let national = digits.strip_prefix("00").unwrap_or(&digits);
    let national = national.strip_prefix("86").filter(|rest| rest.len() == 11).unwrap_or(&digits);
    let count = national.len();
    let (front, back) = match count {
        10.. => (3, 4),
        8.. => (2, 2),
        _ => (0, 0),
    };
    if text.trim().is_empty() {
        return String::new();
    }
    format!("{}****{}", &national[..front], &national[count - back..])
}

/// Keyed, because a phone number's plain hash is found by trying all phone numbers.
fn pseudonym(value: &str, key: &str) -> Result<String, String> {
    if key.is_empty() {
        return Err("the key is empty".to_owned());
    }
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes());
    let tag = hmac::sign(&key, value.as_bytes());
    Ok(tag.as_ref().iter().take(5).fold(String::with_capacity(10), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    }))
}
