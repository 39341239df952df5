//! `mail:` and `channels:` of `matins.yaml`: who sends, by which server, where posts go, and to whom nothing may go.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::base::ChannelName;

use super::keys::{CHANNEL, DKIM, MAIL, SMTP, TRANSPORT};
use super::model::{Channel, ChannelKind, Dkim, DkimKey, Mail, MailTransport, Secret, Security, Smtp};
use super::project::setting;
use super::shape::{Fields, Reading};
use super::tree::Node;
use super::words::{address, name};

pub(super) fn mail(reading: &mut Reading<'_>, project: Fields<'_>) -> Mail {
    let mut mail = Mail {
        from: "Matins <matins@localhost>".to_owned(),
        transport: MailTransport::Folder(PathBuf::from("mail")),
        allow: None,
        dkim: None,
        unsubscribe: Vec::new(),
        give_up_after_hours: 24,
        bounces: None,
    };
    let Some(node) = project.get("mail") else { return mail };
    let fields = Fields::new(node, &MAIL);
    if let Some(from) = fields.get("from").and_then(|n| address(reading, n)) {
        mail.from = from;
    }
    let transport = fields.get("transport").map(|n| Fields::new(n, &TRANSPORT));
    let smtp = transport.and_then(|t| t.get("smtp"));
    if let Some(folder) = fields.text("folder") {
        mail.transport = MailTransport::Folder(PathBuf::from(folder));
        if let (Some(_), Some(span)) = (smtp, fields.key_span("folder")) {
            let help = "keep `folder` to write files, or `transport` to send";
            reading.error("two-transports", span, "`folder` and `transport` both say where mail goes", help);
        }
    }
    if let Some(smtp) = smtp.and_then(|n| self::smtp(reading, n)) {
        mail.transport = MailTransport::Smtp(smtp);
    }
    mail.allow = fields.get("allow").map(|list| list.items().iter().filter_map(|n| pattern(reading, n)).collect());
    mail.dkim = fields.get("dkim").and_then(|n| dkim(reading, n));
    mail.unsubscribe = unsubscribe(reading, fields);
    mail.give_up_after_hours = fields.whole("give_up_after_hours").unwrap_or(mail.give_up_after_hours);
    mail.bounces = fields.text("bounces").map(PathBuf::from);
    mail
}

fn smtp(reading: &mut Reading<'_>, node: &Node) -> Option<Smtp> {
    let fields = Fields::new(node, &SMTP);
    let host = setting(reading, fields.get("host")?)?;
    let (security, usual) = match fields.text("security") {
        Some("tls") => (Security::Tls, 465),
        Some("none") => (Security::None, 25),
        _ => (Security::StartTls, 587),
    };
    let port = match fields.get("port").and_then(|n| Some((n, n.text()?))) {
        None => usual,
        Some((node, text)) => text.parse().unwrap_or_else(|_| {
            let message = format!("`{}` is not a port", reading.shown(node));
            reading.error("bad-port", &node.span, message, "ports are 1 to 65535");
            usual
        }),
    };
    let user = fields.get("user").and_then(|n| setting(reading, n));
    let password = fields.get("password").and_then(|n| setting(reading, n));
    let login = match (user, password) {
        (Some(user), Some(password)) => Some((user, Secret(password))),
        (None, None) => None,
        _ => {
            let span = reading.first_line(&node.span);
            let message = "`user` and `password` go together";
            reading.error("half-a-login", &span, message, "give both, or neither");
            None
        }
    };
    let near = host.as_ref().is_ok_and(|h| matches!(h.as_str(), "localhost" | "127.0.0.1" | "::1"));
    if let (true, Some(span)) = (login.is_some() && security == Security::None && !near, fields.key_span("password")) {
        let message = "with `security: none` the password would travel in the clear";
        reading.error("password-in-the-clear", span, message, "use `starttls` or `tls`");
    }
    Some(Smtp {
        host,
        port,
        security,
        login,
        connections: fields.whole("connections").unwrap_or(4).clamp(1, 64),
        timeout_s: fields.whole("timeout_s").unwrap_or(60),
        ca: fields.text("ca").map(PathBuf::from),
    })
}

pub(super) fn channels(reading: &mut Reading<'_>, project: Fields<'_>) -> BTreeMap<ChannelName, Channel> {
    let mut channels = BTreeMap::new();
    for entry in project.get("channels").map(Node::entries).unwrap_or_default() {
        let name = name::<ChannelName>(reading, &entry.key, &entry.key_span);
        let fields = Fields::new(&entry.node, &CHANNEL);
        let secret = fields.get("secret").and_then(|n| setting(reading, n)).map(Secret);
        if let (Some(_), Some(_), Some(span)) = (&secret, fields.get("slack"), fields.key_span("secret")) {
            let message = "a Slack-compatible webhook takes no signature";
            reading.error("unused-key", span, message, "remove `secret`: its address is the secret");
        }
        let kind = if fields.get("slack").is_some() { ChannelKind::Slack } else { ChannelKind::Webhook { secret } };
        let Some(node) = fields.get("slack").or_else(|| fields.get("webhook")) else { continue };
        let Some(url) = setting(reading, node) else { continue };
        if url.as_ref().is_ok_and(|u| !is_web(u)) {
            let message = "this is no address that takes a post";
            reading.error("bad-url", &node.span, message, "write `https://…`; `http://` only for this machine");
        }
        let timeout_s = fields.whole("timeout_s").unwrap_or(30);
        if let Some(name) = name {
            channels.insert(name, Channel { kind, url: Secret(url), timeout_s });
        }
    }
    channels
}

/// Posts hold figures, so they travel in the clear to this machine only.
fn is_web(url: &str) -> bool {
    let host = |rest: &str| rest.split(['/', '?']).next().unwrap_or_default().to_owned();
    let near = |host: &str| {
        ["localhost", "127.0.0.1", "[::1]"].iter().any(|n| host == *n || host.starts_with(&format!("{n}:")))
    };
    let clean = !url.contains(|c: char| c.is_whitespace() || c.is_control());
    clean
        && (url.strip_prefix("https://").is_some_and(|r| !host(r).is_empty())
            || url.strip_prefix("http://").is_some_and(|r| near(&host(r))))
}

/// The address of the archive, without a slash at its end.
pub(super) fn site(reading: &mut Reading<'_>, project: Fields<'_>) -> Option<String> {
    let node = project.get("site")?;
    let text = node.text()?;
    let known = text.starts_with("https://") || text.starts_with("http://");
    if !known || text.contains(|c: char| c.is_whitespace() || c.is_control() || matches!(c, '<' | '>' | '"')) {
        let message = format!("`{}` is not the address of a site", reading.shown(node));
        reading.error("bad-url", &node.span, message, "write it like `https://reports.example.com`");
        return None;
    }
    Some(text.trim_end_matches('/').to_owned())
}

/// An address, or `*@` and a domain.
fn pattern(reading: &mut Reading<'_>, node: &Node) -> Option<String> {
    let text = node.text()?;
    let domain = text.strip_prefix("*@").filter(|d| !d.is_empty() && !d.contains(['*', '@', ' ']));
    if domain.is_none() && text.contains('*') {
        let message = format!("`{}` is not a pattern of addresses", reading.shown(node));
        reading.error("bad-pattern", &node.span, message, "write an address, or `*@example.com` for a whole domain");
        return None;
    }
    let address = if domain.is_some() { text.to_owned() } else { address(reading, node)? };
    Some(address.to_lowercase())
}

fn dkim(reading: &mut Reading<'_>, node: &Node) -> Option<Dkim> {
    let fields = Fields::new(node, &DKIM);
    let file = fields.text("key_file").map(|f| DkimKey::File(PathBuf::from(f)));
    let text = fields.get("key").and_then(|n| setting(reading, n)).map(|s| DkimKey::Text(Secret(s)));
    let (domain, selector) = (fields.text("domain")?.to_owned(), fields.text("selector")?.to_owned());
    Some(Dkim { domain, selector, key: file.or(text)? })
}

fn unsubscribe(reading: &mut Reading<'_>, fields: Fields<'_>) -> Vec<String> {
    let mut ways = Vec::new();
    for node in fields.get("unsubscribe").map(Node::items).unwrap_or_default() {
        let Some(text) = node.text() else { continue };
        let known = text.starts_with("mailto:") || text.starts_with("https://");
        if !known || text.contains(|c: char| c.is_control() || c.is_whitespace() || matches!(c, '<' | '>')) {
            let message = format!("`{}` is no way to unsubscribe", reading.shown(node));
            let help = "write `mailto:someone@example.com`, or `https://…` that takes a POST";
            reading.error("bad-unsubscribe", &node.span, message, help);
            continue;
        }
        ways.push(text.to_owned());
    }
    ways
}
