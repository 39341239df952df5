//! From a URL or a folder to a store rooted there. Knows where credentials come from, never shows one.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::http::HttpBuilder;
use object_store::local::LocalFileSystem;
use object_store::path::Path as StorePath;
use object_store::prefix::PrefixStore;
use object_store::{ClientConfigKey, ClientOptions, ObjectStore, ObjectStoreScheme, RetryConfig};

use crate::system::Environment;

use super::error::LakeError;
use super::near::Near;

/// The crate's 30 s would break off a large part on a slow line; a dead server is known by `connect_timeout`.
const REQUEST_TIMEOUT: &str = "300s";
const CONNECT_TIMEOUT: &str = "10s";

/// A store whose paths are relative to the place that was opened.
#[derive(Debug, Clone)]
pub struct RootedStore {
    pub store: Arc<dyn ObjectStore>,
    /// Normalised, and without user, password or query: it may be shown, and is part of fingerprints.
    pub url: String,
    /// Set when it is a folder of this machine.
    pub local: Option<PathBuf>,
}

/// What to do with a folder that is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Absent {
    Create,
    Refuse,
}

/// Opens a store of exports. `location` is a folder relative to `root`, or `file:///…`, `s3://bucket/prefix`, `az://…`,
/// `gs://…`, `http(s)://…` (which lists only over `WebDAV`). A folder must exist.
///
/// Options are those of `object_store` (`endpoint`, `region`, `access_key_id`, `allow_http`, …). What they do not say is
/// taken from variables as the clouds' own tools read them: `AWS_…`, `AZURE_…`, `GOOGLE_…`.
pub fn open_store(
    location: &str,
    root: &Path,
    options: &BTreeMap<String, String>,
    environment: &Environment,
) -> Result<RootedStore, LakeError> {
    open(location, root, options, environment, Absent::Refuse)
}

pub(super) fn open(
    location: &str,
    root: &Path,
    options: &BTreeMap<String, String>,
    environment: &Environment,
    absent: Absent,
) -> Result<RootedStore, LakeError> {
    let location = location.trim();
    let shown = shown(location);
    let bad = |why: String| LakeError::BadLocation { location: shown.clone(), why };
    if location.is_empty() {
        return Err(bad("it is empty".to_owned()));
    }
    if !location.contains("://") {
        return folder(&root.join(location), absent);
    }
    let (scheme, path) = parsed(location, ObjectStoreScheme::parse).map_err(bad)?.map_err(|e| bad(e.to_string()))?;
    if scheme == ObjectStoreScheme::Local {
        return folder(&Path::new("/").join(path.as_ref()), absent);
    }
    let store = remote(&scheme, location, &shown, options, environment)?;
    Ok(RootedStore { store: Arc::new(PrefixStore::new(store, path)), url: shown, local: None })
}

fn folder(path: &Path, absent: Absent) -> Result<RootedStore, LakeError> {
    let text = path.display().to_string();
    let bad = |why: String| LakeError::BadLocation { location: text.clone(), why };
    // A link that leads nowhere as well.
    if path.symlink_metadata().is_ok() && !path.is_dir() {
        return Err(bad("it is a file".to_owned()));
    }
    if absent == Absent::Create {
        std::fs::create_dir_all(path).map_err(|source| LakeError::Disk {
            operation: "create",
            path: text.clone(),
            location: "this machine".to_owned(),
            source,
        })?;
    }
    if !path.is_dir() {
        return Err(LakeError::NoFolder { path: text.clone() });
    }
    let real = path.canonicalize().map_err(|e| bad(e.to_string()))?;
    let store = LocalFileSystem::new_with_prefix(&real).map_err(|e| bad(e.to_string()))?;
    Ok(RootedStore { store: Arc::new(Near::new(store)), url: format!("file://{}", real.display()), local: Some(real) })
}

fn remote(
    scheme: &ObjectStoreScheme,
    location: &str,
    shown: &str,
    options: &BTreeMap<String, String>,
    environment: &Environment,
) -> Result<Arc<dyn ObjectStore>, LakeError> {
    let settings = |prefixes| Settings { prefixes, options, environment, shown };
    let built: Result<Arc<dyn ObjectStore>, object_store::Error> = match scheme {
        ObjectStoreScheme::AmazonS3 => settings(&["AWS_"])
            .apply(AmazonS3Builder::new(), |b, key: AmazonS3ConfigKey, value| b.with_config(key, value))?
            .with_url(location)
            .with_retry(retry())
            .build()
            .map(|s| Arc::new(s) as _),
        ObjectStoreScheme::MicrosoftAzure => settings(&["AZURE_"])
            .apply(MicrosoftAzureBuilder::new(), |b, key: AzureConfigKey, value| b.with_config(key, value))?
            .with_url(location)
            .with_retry(retry())
            .build()
            .map(|s| Arc::new(s) as _),
        ObjectStoreScheme::GoogleCloudStorage => settings(&["GOOGLE_", "SERVICE_ACCOUNT"])
            .apply(GoogleCloudStorageBuilder::new(), |b, key: GoogleConfigKey, value| b.with_config(key, value))?
            .with_url(location)
            .with_retry(retry())
            .build()
            .map(|s| Arc::new(s) as _),
        ObjectStoreScheme::Http => {
            let client = settings(&[])
                .apply(ClientOptions::new(), |c, key: ClientConfigKey, value| c.with_config(key, value))?;
            HttpBuilder::new()
                .with_url(without_path(location))
                .with_client_options(client)
                .with_retry(retry())
                .build()
                .map(|s| Arc::new(s) as _)
        }
        other => {
            return Err(LakeError::BadLocation {
                location: shown.to_owned(),
                why: format!("{other:?} is not supported"),
            });
        }
    };
    built.map_err(|e| LakeError::BadLocation { location: shown.to_owned(), why: e.to_string() })
}

/// Where a store's settings come from: our time-outs, then the environment, then the options, the last one winning.
struct Settings<'a> {
    /// Of the variables that concern this kind of store.
    prefixes: &'a [&'a str],
    options: &'a BTreeMap<String, String>,
    environment: &'a Environment,
    shown: &'a str,
}

impl Settings<'_> {
    fn apply<B, K: FromStr>(&self, builder: B, set: impl Fn(B, K, String) -> B) -> Result<B, LakeError> {
        let mut builder = builder;
        for (name, value) in [("timeout", REQUEST_TIMEOUT), ("connect_timeout", CONNECT_TIMEOUT)] {
            if let Ok(key) = name.parse() {
                builder = set(builder, key, value.to_owned());
            }
        }
        for (name, value) in &self.environment.0 {
            let ours = !value.is_empty() && self.prefixes.iter().any(|p| name.starts_with(p));
            // A variable meant for another tool, as `AWS_PROFILE`, is no mistake.
            if let (true, Ok(key)) = (ours, name.to_ascii_lowercase().parse()) {
                builder = set(builder, key, value.clone());
            }
        }
        for (name, value) in self.options {
            let key = name.to_ascii_lowercase().parse().map_err(|_| LakeError::BadOption {
                option: name.clone(),
                location: self.shown.to_owned(),
                why: "this kind of store has no such option".to_owned(),
            })?;
            builder = set(builder, key, value.clone());
        }
        Ok(builder)
    }
}

/// A minute or so of patience inside one call; longer outages are the run's to wait for.
fn retry() -> RetryConfig {
    RetryConfig { max_retries: 6, retry_timeout: Duration::from_mins(2), ..RetryConfig::default() }
}

/// Parses a text as whatever a function takes: the type of a URL is not ours to name.
fn parsed<T: FromStr<Err: Display>, R>(text: &str, then: impl FnOnce(&T) -> R) -> Result<R, String> {
    text.parse().map(|value| then(&value)).map_err(|e| e.to_string())
}

/// A URL without password, query or trailing slash. The user stays where it names an Azure container.
fn shown(location: &str) -> String {
    let Some((scheme, rest)) = location.split_once("://") else { return location.to_owned() };
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let authority = match authority.rsplit_once('@') {
        Some((user, host)) if user.contains(':') || scheme.starts_with("http") => host,
        _ => authority,
    };
    let path = StorePath::from(path);
    if path.as_ref().is_empty() { format!("{scheme}://{authority}") } else { format!("{scheme}://{authority}/{path}") }
}

fn without_path(location: &str) -> String {
    let (scheme, rest) = location.split_once("://").unwrap_or(("https", location));
    format!("{scheme}://{}", rest.split(['/', '?', '#']).next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(location: &str, options: &[(&str, &str)], variables: &[(&str, &str)]) -> Result<RootedStore, LakeError> {
        let map = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        open_store(location, Path::new("/nowhere"), &map(options), &Environment(map(variables)))
    }

    #[test]
    fn no_secret_is_shown() {
        assert_eq!(shown("https://me:pw@host/a/?sig=secret"), "https://host/a");
        assert_eq!(shown("s3://bucket/a//b/"), "s3://bucket/a/b");
        assert_eq!(
            shown("abfss://container@account.dfs.core.windows.net/x"),
            "abfss://container@account.dfs.core.windows.net/x"
        );
    }

    #[test]
    fn every_kind_of_store_opens() {
        let keys = [("AWS_ACCESS_KEY_ID", "k"), ("AWS_SECRET_ACCESS_KEY", "s"), ("AWS_PROFILE", "x")];
        let s3 = opened("s3://bucket/a/", &[("region", "eu-west-1")], &keys);
        assert_eq!(s3.expect("s3").url, "s3://bucket/a");
        let azure = opened("az://container/a", &[("account_name", "me"), ("use_emulator", "true")], &[]);
        assert!(azure.expect("azure").local.is_none());
        assert!(opened("gs://bucket/a", &[("skip_signature", "true")], &[]).is_ok());
        assert_eq!(opened("http://host/a", &[("allow_http", "true")], &[]).expect("http").url, "http://host/a");
    }

    #[test]
    fn mistakes_are_said_plainly() {
        let error = |location: &str, options| opened(location, options, &[]).expect_err("refused").to_string();
        assert_eq!(error("missing", &[]), "the folder `/nowhere/missing` does not exist");
        assert_eq!(
            error("s3://bucket", &[("regoin", "x")]),
            "option `regoin` of s3://bucket: this kind of store has no such option"
        );
        assert!(error("ftp://me:pw@host/x", &[]).starts_with("`ftp://host/x` is not a folder or a URL of a store"));
        assert!(error(" ", &[]).ends_with("it is empty"));
    }

    #[test]
    fn a_file_is_no_place_for_a_lake() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("matins.yaml"), "").expect("written");
        let opened = open("matins.yaml", folder.path(), &BTreeMap::new(), &Environment::default(), Absent::Create);
        assert!(opened.expect_err("refused").to_string().ends_with("it is a file"));
    }

    #[test]
    fn a_file_url_is_a_folder() {
        let folder = tempfile::tempdir().expect("a folder");
        let inside = folder.path().join("with space");
        std::fs::create_dir(&inside).expect("made");
        let url = format!("file://{}/with%20space", folder.path().display());
        assert_eq!(opened(&url, &[], &[]).expect("opened").local, inside.canonicalize().ok());
    }
}
