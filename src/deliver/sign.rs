//! Signs messages so that receivers know whom they come from (DKIM, RFC 6376).

use std::path::Path;

use lettre::message::Message as Mime;
use lettre::message::dkim::{
    DkimCanonicalization, DkimCanonicalizationType, DkimConfig, DkimSigningAlgorithm, DkimSigningKey,
};
use lettre::message::header::HeaderName;

use super::DeliverError;

/// What receivers must find unchanged. Unsubscribing with one click demands that its headers are signed (RFC 8058).
const SIGNED: [&str; 11] = [
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "MIME-Version",
    "Content-Type",
    "Auto-Submitted",
    "List-Id",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
];

/// A domain's key, ready to sign. The signature holds the time it was made, so signed bytes are made once and kept.
#[derive(Debug)]
pub struct Signer {
    domain: String,
    selector: String,
    key: String,
    algorithm: DkimSigningAlgorithm,
}

impl Signer {
    /// The key is RSA as PKCS#1 PEM, or Ed25519 as base64 of its 32 bytes.
    pub fn new(domain: &str, selector: &str, key: &str) -> Result<Self, DeliverError> {
        let key = key.trim();
        let algorithm =
            if key.starts_with("-----BEGIN") { DkimSigningAlgorithm::Rsa } else { DkimSigningAlgorithm::Ed25519 };
        let signer = Self { domain: domain.to_owned(), selector: selector.to_owned(), key: key.to_owned(), algorithm };
        signer.key()?;
        Ok(signer)
    }

    /// From a file, which is read now.
    pub fn from_file(domain: &str, selector: &str, path: &Path) -> Result<Self, DeliverError> {
        let key =
            std::fs::read_to_string(path).map_err(|source| DeliverError::Folder { path: path.to_owned(), source })?;
        Self::new(domain, selector, &key)
    }

    fn key(&self) -> Result<DkimSigningKey, DeliverError> {
        DkimSigningKey::new(&self.key, self.algorithm).map_err(|e| DeliverError::SigningKey {
            domain: self.domain.clone(),
            why: format!(
                "{e}; it must be RSA as PKCS#1 PEM (`openssl rsa -traditional`) or Ed25519 as base64 of its 32 bytes"
            ),
        })
    }

    pub(super) fn sign(&self, mime: &mut Mime) {
        // The key was tried when it was given.
        let Ok(key) = self.key() else { return };
        let there = SIGNED.iter().filter(|name| mime.headers().get_raw(name).is_some());
        let headers = there.map(|name| HeaderName::new_from_ascii_str(name)).collect();
        let relaxed = DkimCanonicalizationType::Relaxed;
        let canonical = DkimCanonicalization { header: relaxed, body: relaxed };
        mime.sign(&DkimConfig::new(self.selector.clone(), self.domain.clone(), key, headers, canonical));
    }
}
