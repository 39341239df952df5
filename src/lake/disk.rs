//! How stored values are written: JSON in an envelope that says what it is and which version. Never guesses.
//!
//! `{"version": 1, "kind": "manifest", "data": {…}}`. The data lies inside, not beside, so that no field of a value can
//! ever be taken for the envelope's own. An older version is read, by `upgrade`; a newer one is refused.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::error::LakeError;

/// A value that is kept. Raise `VERSION` when an older Matins would misread it, and teach `upgrade` the step.
pub trait Stored: Serialize + DeserializeOwned {
    const KIND: &'static str;
    const VERSION: u32 = 1;

    /// Turns the JSON of an older version into this one's.
    fn upgrade(_from: u32, data: serde_json::Value) -> Result<serde_json::Value, String> {
        Ok(data)
    }
}

#[derive(Serialize)]
struct Written<'a, T> {
    version: u32,
    kind: &'static str,
    data: &'a T,
}

/// Read first and alone, so that a newer version is known for what it is whatever its data looks like.
#[derive(Deserialize)]
struct Label {
    version: u32,
    kind: String,
}

#[derive(Deserialize)]
struct Read<T> {
    data: T,
}

pub(super) fn encode<T: Stored>(path: &str, value: &T) -> Result<Vec<u8>, LakeError> {
    serde_json::to_vec(&Written { version: T::VERSION, kind: T::KIND, data: value })
        .map_err(|e| unreadable::<T>(path, e.to_string()))
}

pub(super) fn decode<T: Stored>(path: &str, bytes: &[u8]) -> Result<T, LakeError> {
    let label: Label = serde_json::from_slice(bytes).map_err(|e| unreadable::<T>(path, e.to_string()))?;
    if label.kind != T::KIND {
        return Err(unreadable::<T>(path, format!("it says it is {}", label.kind)));
    }
    if label.version > T::VERSION {
        let (kind, found, known) = (T::KIND, label.version, T::VERSION);
        return Err(LakeError::Newer { path: path.to_owned(), kind, found, known });
    }
    if label.version == T::VERSION {
        return serde_json::from_slice::<Read<T>>(bytes)
            .map(|read| read.data)
            .map_err(|e| unreadable::<T>(path, e.to_string()));
    }
    let old: Read<serde_json::Value> =
        serde_json::from_slice(bytes).map_err(|e| unreadable::<T>(path, e.to_string()))?;
    let data = T::upgrade(label.version, old.data).map_err(|why| unreadable::<T>(path, why))?;
    serde_json::from_value(data).map_err(|e| unreadable::<T>(path, e.to_string()))
}

fn unreadable<T: Stored>(path: &str, why: String) -> LakeError {
    LakeError::Unreadable { path: path.to_owned(), kind: T::KIND, why }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lake::gc::{GcList, GcVerdict};
    use crate::lake::lease::{Beat, Waiting};
    use crate::lake::{
        Bounce, Cancellation, CheckOutcome, Envelope, Landed, Manifest, MessageStep, RawTable, RunFinished,
        RunProgress, RunStarted, TablePart,
    };

    fn still_reads<T: Stored>(sample: &str) {
        let value: T = decode("sample", sample.as_bytes()).expect("an old sample is readable");
        let again = encode("sample", &value).expect("it is written");
        let (old, new): (serde_json::Value, serde_json::Value) =
            (serde_json::from_str(sample).expect("json"), serde_json::from_slice(&again).expect("json"));
        assert_eq!(old, new, "what is stored changed: raise the version, and teach `upgrade` this sample");
    }

    /// What version 1 wrote, for ever: a change that breaks these breaks every lake there is.
    #[test]
    fn files_of_version_1_are_readable() {
        still_reads::<Manifest>(include_str!("samples/manifest.1.json"));
        still_reads::<Manifest>(include_str!("samples/manifest-scheduled.1.json"));
        still_reads::<Landed>(include_str!("samples/landed.1.json"));
        still_reads::<RawTable>(include_str!("samples/raw-table.1.json"));
        still_reads::<TablePart>(include_str!("samples/table-part.1.json"));
        still_reads::<RunStarted>(include_str!("samples/run-started.1.json"));
        still_reads::<RunStarted>(include_str!("samples/run-started-scheduled.1.json"));
        still_reads::<RunFinished>(include_str!("samples/run-finished.1.json"));
        still_reads::<Vec<CheckOutcome>>(include_str!("samples/check-outcomes.1.json"));
        still_reads::<Bounce>(include_str!("samples/bounce.1.json"));
        still_reads::<Envelope>(include_str!("samples/message-envelope.1.json"));
        still_reads::<MessageStep>(include_str!("samples/message-step.1.json"));
        still_reads::<Beat>(include_str!("samples/beat.1.json"));
        still_reads::<Waiting>(include_str!("samples/waiting.1.json"));
        still_reads::<Cancellation>(include_str!("samples/cancellation.1.json"));
        still_reads::<RunProgress>(include_str!("samples/run-progress.1.json"));
        still_reads::<GcList>(include_str!("samples/gc-list.1.json"));
        still_reads::<GcVerdict>(include_str!("samples/gc-verdict.1.json"));
    }

    /// A kind that is added later cannot be forgotten: each `KIND` in this room's files has a sample named after it, which
    /// the test above reads.
    #[test]
    fn every_kind_has_a_sample() {
        let room = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lake");
        let this = std::fs::read_to_string(room.join("disk.rs")).expect("this file");
        let files = std::fs::read_dir(&room).expect("the room").map(|e| e.expect("an entry").path());
        let mut kinds = 0;
        for file in files.filter(|f| f.extension().is_some_and(|e| e == "rs")) {
            let text = std::fs::read_to_string(&file).expect("a file of the room");
            for kind in text.lines().filter_map(|l| l.trim().strip_prefix("const KIND: &'static str = \"")) {
                let kind = kind.trim_end_matches("\";");
                kinds += 1;
                assert!(this.contains(&format!("include_str!(\"samples/{kind}.1.json\")")), "{kind} has no sample");
            }
        }
        assert!(kinds >= 14, "{kinds} kinds found: are they declared in another way now?");
    }

    #[test]
    fn a_newer_version_is_refused_whatever_it_holds() {
        let newer = br#"{"version": 2, "kind": "manifest", "data": {"unheard": "of"}}"#;
        let error = decode::<Manifest>("snapshots/p/1.json", newer).expect_err("refused");
        assert!(error.to_string().contains("newer Matins (manifest version 2, this one reads up to 1)"), "{error}");
    }

    /// No kind has a second version yet, so the step to one is tried on a kind of this test's own.
    #[test]
    fn an_older_version_is_upgraded_or_refused_with_the_reason() {
        #[derive(Debug, PartialEq, Serialize, Deserialize)]
        struct Span {
            seconds: u64,
        }
        impl Stored for Span {
            const KIND: &'static str = concat!("sp", "an");
            const VERSION: u32 = 3;
            fn upgrade(from: u32, mut data: serde_json::Value) -> Result<serde_json::Value, String> {
                if from == 1 {
                    let minutes = data["minutes"].as_u64().ok_or("it has no `minutes`")?;
                    data = serde_json::json!({ "seconds": minutes * 60 });
                }
                Ok(data)
            }
        }
        let read = |text: &str| decode::<Span>("spans/1.json", text.as_bytes());
        let minute = Span { seconds: 60 };
        assert_eq!(read(r#"{"version": 1, "kind": "span", "data": {"minutes": 1}}"#).expect("the first"), minute);
        assert_eq!(read(r#"{"version": 2, "kind": "span", "data": {"seconds": 60}}"#).expect("the second"), minute);
        assert_eq!(decode::<Span>("x", &encode("x", &minute).expect("written")).expect("this one"), minute);
        let wrong = read(r#"{"version": 1, "kind": "span", "data": {"hours": 1}}"#).expect_err("refused").to_string();
        assert!(wrong.contains("spans/1.json") && wrong.contains("it has no `minutes`"), "{wrong}");
    }

    #[test]
    fn another_kind_is_refused() {
        let other = br#"{"version": 1, "kind": "landed", "data": {}}"#;
        assert!(decode::<Manifest>("x", other).is_err());
        assert!(decode::<Manifest>("x", b"").is_err());
    }
}
