//! A mail server, spoken to command by command, so that its caller knows when a message begins to be handed over. Retries
//! nothing and waits for nobody: time-outs are the caller's.

use std::path::Path;
use std::time::Duration;

use lettre::Address;
use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt, Rset};
use lettre::transport::smtp::extension::{ClientId, Extension, MailParameter};
use lettre::transport::smtp::response::Response;

use super::DeliverError;
use crate::config::Security;

/// How a server is reached. Making one contacts nobody.
pub struct SmtpServer {
    host: String,
    port: u16,
    security: Security,
    tls: Option<TlsParameters>,
    login: Option<Credentials>,
    hello: ClientId,
    timeout: Duration,
}

/// Why the server did not take a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// It never will (5xx), in its own words.
    Refused(String),
    /// Not now (4xx), in its own words.
    Later(String),
    /// There was no answer: it was not reached, the connection broke, or it answered something else.
    Lost(String),
}

impl Fault {
    pub fn words(&self) -> &str {
        let (Self::Refused(words) | Self::Later(words) | Self::Lost(words)) = self;
        words
    }
}

impl SmtpServer {
    /// `ca` is a PEM file of certificates that are trusted besides the usual ones.
    pub fn new(
        host: &str,
        port: u16,
        security: Security,
        login: Option<(String, String)>,
        ca: Option<&Path>,
        timeout: Duration,
    ) -> Result<Self, DeliverError> {
        let tls = if security == Security::None { None } else { Some(tls(host, ca)?) };
        Ok(Self {
            host: host.to_owned(),
            port,
            security,
            tls,
            login: login.map(|(user, password)| Credentials::new(user, password)),
            hello: ClientId::default(),
            timeout,
        })
    }

    /// Host and port, for messages.
    pub fn name(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// Greets, secures, logs in. Whatever goes wrong here is no fault of any message, so nothing of it is final.
    pub async fn connect(&self) -> Result<SmtpSession, Fault> {
        self.open().await.map_err(|error| Fault::Lost(format!("{}: {}", self.name(), describe(&error))))
    }

    async fn open(&self) -> Result<SmtpSession, SmtpError> {
        let at_once = self.tls.clone().filter(|_| self.security == Security::Tls);
        let to = (self.host.as_str(), self.port);
        let mut connection =
            AsyncSmtpConnection::connect_tokio1(to, Some(self.timeout), &self.hello, at_once, None).await?;
        if let (Security::StartTls, Some(tls)) = (self.security, &self.tls) {
            connection.starttls(tls.clone(), &self.hello).await?;
        }
        if let Some(login) = &self.login {
            connection.auth(DEFAULT_MECHANISMS, login).await?;
        }
        Ok(SmtpSession { connection, broken: false })
    }
}

fn tls(host: &str, ca: Option<&Path>) -> Result<TlsParameters, DeliverError> {
    let failed = |why: SmtpError| DeliverError::Tls { host: host.to_owned(), why: describe(&why) };
    let mut builder = TlsParameters::builder(host.to_owned());
    if let Some(path) = ca {
        let pem = std::fs::read(path).map_err(|source| DeliverError::Folder { path: path.to_owned(), source })?;
        builder = builder.add_root_certificate(Certificate::from_pem(&pem).map_err(failed)?);
    }
    builder.build().map_err(failed)
}

/// One connection, for one message after another.
pub struct SmtpSession {
    connection: AsyncSmtpConnection,
    broken: bool,
}

impl SmtpSession {
    /// Whether another message may follow.
    pub fn is_usable(&self) -> bool {
        !self.broken
    }

    /// Says from whom and to whom. Until `hand_over` nothing of the message is given away.
    pub async fn offer(&mut self, from: &str, to: &str) -> Result<(), Fault> {
        let address = |text: &str| text.parse::<Address>().map_err(|e| Fault::Refused(format!("`{text}`: {e}")));
        let (from, to) = (address(from)?, address(to)?);
        let mut options = vec![];
        if !(AsRef::<str>::as_ref(&from).is_ascii() && AsRef::<str>::as_ref(&to).is_ascii()) {
            if !self.connection.server_info().supports_feature(Extension::SmtpUtfEight) {
                return Err(Fault::Refused("the server takes ASCII addresses only (no SMTPUTF8)".to_owned()));
            }
            options.push(MailParameter::SmtpUtfEight);
        }
        let said = self.connection.command(Mail::new(Some(from), options)).await;
        self.heard(said)?;
        let said = self.connection.command(Rcpt::new(to, vec![])).await;
        self.heard(said).map(drop)
    }

    /// DATA and the bytes. A fault that is `Lost` leaves open whether the message was taken; the others say that it was not.
    pub async fn hand_over(&mut self, eml: &[u8]) -> Result<String, Fault> {
        let said = self.connection.command(Data).await;
        self.heard(said)?;
        let said = self.connection.message(eml).await;
        let response = self.heard(said)?;
        Ok(words(&response))
    }

    /// Forgets an offer that was not taken up.
    pub async fn reset(&mut self) {
        let said = self.connection.command(Rset).await;
        self.broken |= said.is_err();
    }

    pub async fn quit(mut self) {
        if !self.broken {
            self.connection.quit().await.ok();
        }
    }

    fn heard(&mut self, said: Result<Response, SmtpError>) -> Result<Response, Fault> {
        said.map_err(|error| {
            let words = describe(&error);
            // 421 closes the channel, whatever it answers to.
            self.broken |= error.status().is_none_or(|code| code.to_string() == "421");
            match () {
                () if error.is_permanent() => Fault::Refused(words),
                () if error.is_transient() => Fault::Later(words),
                () => Fault::Lost(words),
            }
        })
    }
}

/// The server's words on one line; never long.
fn words(response: &Response) -> String {
    let said: Vec<&str> = response.message().collect();
    clean(&format!("{} {}", response.code(), said.join(" ")))
}

fn describe(error: &SmtpError) -> String {
    let mut text = match error.status() {
        Some(code) => format!("the server said {code}"),
        None => error.to_string(),
    };
    let mut cause = std::error::Error::source(error);
    while let Some(one) = cause {
        let words = one.to_string();
        if !text.contains(&words) {
            text = format!("{text} {words}");
        }
        cause = one.source();
    }
    clean(&text)
}

fn clean(text: &str) -> String {
    let one_line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(400).collect();
    one_line.split_whitespace().collect::<Vec<_>>().join(" ")
}
