//! Puts messages into a folder, one file each, so that nobody is mailed by accident.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use super::DeliverError;
use crate::base::Fingerprint;
use crate::lake::{Envelope, MessageKind};

/// A folder of `.eml` files, which any mail program opens.
#[derive(Debug, Clone)]
pub struct FolderTransport {
    pub folder: PathBuf,
}

/// Where a message lies now, and how it came there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivered {
    pub path: PathBuf,
    pub outcome: Outcome,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Written,
    /// It lay there before, byte for byte.
    Already,
    /// The message of this report, interval, recipient and revision was delivered with other figures and stays as it
    /// is: nobody is told twice unless a person raises the revision.
    Earlier,
}

impl FolderTransport {
    /// `2011-12-10-customer-health-executive-board@example.com.eml`. An address's odder characters become `_`, with a
    /// mark that tells such addresses apart.
    pub fn path_of(&self, envelope: &Envelope) -> PathBuf {
        let Envelope { as_of, pipeline, subject_of, recipient, revision, kind, id, .. } = envelope;
        let as_of = as_of.replace(':', "");
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '@' | '.' | '-' | '_');
        let shown: String = recipient.chars().map(|c| if plain(c) { c } else { '_' }).take(100).collect();
        let mark = if shown == *recipient {
            String::new()
        } else {
            format!("-{}", Fingerprint::of_bytes(id.as_bytes()).short())
        };
        let what = match kind {
            MessageKind::Report => "",
            MessageKind::Delayed => "-delayed",
            MessageKind::Withheld => "-withheld",
            MessageKind::Alert => "-alert",
        };
        let again = if *revision == 0 { String::new() } else { format!("-again-{revision}") };
        self.folder.join(format!("{as_of}-{pipeline}-{subject_of}{what}-{shown}{mark}{again}.eml"))
    }

    /// Create-only, and the whole file or none of it: a message is never seen half written, and never written twice.
    /// Blocks the thread for one small file.
    pub fn deliver(&self, envelope: &Envelope, eml: &[u8]) -> Result<Delivered, DeliverError> {
        let path = self.path_of(envelope);
        let failed = |source| DeliverError::Folder { path: path.clone(), source };
        fs::create_dir_all(&self.folder).map_err(failed)?;
        if let Some(outcome) = there(&path, eml).map_err(failed)? {
            return Ok(Delivered { path, outcome });
        }
        // Written beside its place, under the name of the one message it can be.
        let beside = self.folder.join(format!(".{}.part", envelope.id));
        write(&beside, eml).map_err(failed)?;
        let linked = fs::hard_link(&beside, &path);
        let removed = fs::remove_file(&beside);
        match linked {
            Ok(()) => {
                removed.map_err(failed)?;
                sync_folder(&self.folder).map_err(failed)?;
                Ok(Delivered { path, outcome: Outcome::Written })
            }
            // Somebody was faster: a message is there, and that is what was wanted.
            Err(e) if e.kind() == ErrorKind::AlreadyExists => {
                let outcome = there(&path, eml).map_err(failed)?.unwrap_or(Outcome::Already);
                Ok(Delivered { path, outcome })
            }
            Err(e) => Err(failed(e)),
        }
    }
}

/// What is there already, if anything.
fn there(path: &Path, eml: &[u8]) -> std::io::Result<Option<Outcome>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(if bytes == eml { Outcome::Already } else { Outcome::Earlier })),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// The name of a new file is durable only when its folder is.
fn sync_folder(folder: &Path) -> std::io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}
