//! What a thing was made from, as one short name. Everything a run makes is stored under its fingerprint.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// 128 bits of a BLAKE3 hash, written as 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Fingerprint([u8; 16]);

impl Fingerprint {
    /// Twelve digits: enough to tell things apart on a screen.
    pub fn short(&self) -> String {
        self.to_string()[..12].to_owned()
    }

    /// The fingerprint of plain bytes, as used for the content hash of a snapshot.
    pub fn of_bytes(bytes: &[u8]) -> Self {
        Recipe::new("bytes/1").bytes("bytes", bytes).finish()
    }
}

/// Collects what a thing is made from. Every field has a name and a length, so two different recipes never run together.
pub struct Recipe(blake3::Hasher);

impl Recipe {
    /// `kind` carries the version of the recipe itself, as in `table/1`: raise it when the meaning of a field changes.
    pub fn new(kind: &str) -> Self {
        Self(blake3::Hasher::new()).bytes("kind", kind.as_bytes())
    }

    #[must_use]
    pub fn bytes(mut self, field: &str, value: &[u8]) -> Self {
        for part in [field.as_bytes(), value] {
            self.0.update(&(part.len() as u64).to_le_bytes());
            self.0.update(part);
        }
        self
    }

    #[must_use]
    pub fn text(self, field: &str, value: &str) -> Self {
        self.bytes(field, value.as_bytes())
    }

    #[must_use]
    pub fn made_from(self, field: &str, value: &Fingerprint) -> Self {
        self.bytes(field, &value.0)
    }

    pub fn finish(self) -> Fingerprint {
        let mut short = [0; 16];
        short.copy_from_slice(&self.0.finalize().as_bytes()[..16]);
        Fingerprint(short)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Fingerprint {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("`{text}` is not a fingerprint of 32 hexadecimal digits");
        if text.len() != 32 || !text.is_ascii() {
            return Err(bad());
        }
        let mut bytes = [0; 16];
        for (i, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * i..2 * i + 2], 16).map_err(|_| bad())?;
        }
        Ok(Self(bytes))
    }
}

impl TryFrom<String> for Fingerprint {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Fingerprint> for String {
    fn from(fingerprint: Fingerprint) -> String {
        fingerprint.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_never_run_together() {
        let one = Recipe::new("t/1").text("a", "bc").finish();
        let other = Recipe::new("t/1").text("ab", "c").finish();
        assert_ne!(one, other);
    }

    #[test]
    fn text_form_round_trips() {
        let one = Fingerprint::of_bytes(b"x");
        assert_eq!(one.to_string().parse::<Fingerprint>(), Ok(one));
        assert!("zz".parse::<Fingerprint>().is_err());
        assert!("é".repeat(16).parse::<Fingerprint>().is_err());
    }
}
