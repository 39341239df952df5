//! Notices of non-delivery (RFC 3464) as other mail servers write them: which message, which recipient, and why. Believes
//! nobody: whether the message is one of ours is for its caller to find out.

use mail_parser::{MessageParser, MimeHeaders, PartType};

/// What one notice says of one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The Message-ID of the message that did not arrive, without angle brackets.
    pub message_id: String,
    /// Lower-case.
    pub recipient: String,
    /// The mailbox will not take the next one either (5.x.x). False where the server only gave up trying.
    pub permanent: bool,
    /// In the words of whoever refused it, on one line.
    pub why: String,
}

/// Empty for a mail that is no such notice, and for one that says a message is only late.
pub fn notices(bytes: &[u8]) -> Vec<Notice> {
    let Some(mail) = MessageParser::default().parse(bytes) else { return vec![] };
    let is = |part: &mail_parser::MessagePart<'_>, kind: &str, subkind: &str| {
        part.content_type().is_some_and(|c| {
            c.ctype().eq_ignore_ascii_case(kind) && c.subtype().is_some_and(|s| s.eq_ignore_ascii_case(subkind))
        })
    };
    let original = mail.parts.iter().find_map(|part| match &part.body {
        PartType::Message(inner) => inner.message_id().map(str::to_owned),
        _ if is(part, "text", "rfc822-headers") || is(part, "message", "rfc822-headers") => {
            MessageParser::default().parse(part.contents())?.message_id().map(str::to_owned)
        }
        _ => None,
    });
    let Some(message_id) = original else { return vec![] };
    let status = mail.parts.iter().find(|part| is(part, "message", "delivery-status"));
    let Some(status) = status else { return vec![] };
    let text = String::from_utf8_lossy(status.contents()).replace("\r\n", "\n");
    text.split("\n\n").filter_map(|group| notice(group, &message_id)).collect()
}

/// One group of fields is of one recipient; the first is of the whole message and has none.
fn notice(group: &str, message_id: &str) -> Option<Notice> {
    // A line that begins with a space goes on with the one before it.
    let unfolded = group.replace("\n ", " ").replace("\n\t", " ");
    let field = |name: &str| {
        let line = unfolded.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.trim().eq_ignore_ascii_case(name).then(|| value.trim())
        })?;
        // `rfc822; someone@example.com`, `smtp; 550 5.1.1 …`: the kind of value stands before it.
        Some(line)
    };
    let value = |name: &str| field(name).map(|v| v.split_once(';').map_or(v, |(_, v)| v.trim()));
    if !field("Action")?.eq_ignore_ascii_case("failed") {
        return None;
    }
    let recipient = value("Original-Recipient").or_else(|| value("Final-Recipient"))?;
    let recipient = recipient.trim_matches(['<', '>']).to_lowercase();
    let status = field("Status").unwrap_or_default().to_owned();
    let why = value("Diagnostic-Code").map_or_else(|| status.clone(), str::to_owned);
    let why: String = why.chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect();
    let why = why.split_whitespace().collect::<Vec<_>>().join(" ");
    Some(Notice { message_id: message_id.to_owned(), recipient, permanent: status.starts_with('5'), why })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Postfix writes one, with the names changed.
    const POSTFIX: &str = "\
From: MAILER-DAEMON@mx.example.com (Mail Delivery System)\r
To: matins@example.com\r
Subject: Undelivered Mail Returned to Sender\r
Auto-Submitted: auto-replied\r
MIME-Version: 1.0\r
Content-Type: multipart/report; report-type=delivery-status; boundary=\"B\"\r
\r
--B\r
Content-Type: text/plain; charset=us-ascii\r
\r
I'm sorry to have to inform you that your message could not be delivered.\r
--B\r
Content-Type: message/delivery-status\r
\r
Reporting-MTA: dns; mx.example.com\r
Arrival-Date: Mon, 12 Dec 2011 02:31:00 +0000 (UTC)\r
\r
Final-Recipient: rfc822; Gone@Example.org\r
Original-Recipient: rfc822;Gone@Example.org\r
Action: failed\r
Status: 5.1.1\r
Remote-MTA: dns; mx.example.org\r
Diagnostic-Code: smtp; 550 5.1.1 <gone@example.org>: Recipient address\r
    rejected: User unknown\r
\r
Final-Recipient: rfc822; slow@example.org\r
Action: delayed\r
Status: 4.4.1\r
\r
--B\r
Content-Type: message/rfc822\r
\r
From: matins@example.com\r
Message-ID: <2011-12-10-abc@example.com>\r
Subject: x\r
\r
text\r
--B--\r
";

    #[test]
    fn a_notice_says_which_message_and_why() {
        let why = "550 5.1.1 <gone@example.org>: Recipient address rejected: User unknown".to_owned();
        let expected = Notice {
            message_id: "2011-12-10-abc@example.com".into(),
            recipient: "gone@example.org".into(),
            permanent: true,
            why,
        };
        assert_eq!(notices(POSTFIX.as_bytes()), std::slice::from_ref(&expected));
        // Many servers send the headers only.
        let headers = POSTFIX.replace("message/rfc822\r", "text/rfc822-headers\r");
        assert_eq!(notices(headers.as_bytes()), [expected]);
    }

    #[test]
    fn what_is_no_notice_is_none() {
        assert_eq!(notices(b"Subject: Out of office\r\n\r\nBack on Monday\r\n"), []);
        assert_eq!(notices(b""), []);
        assert_eq!(notices(POSTFIX.replace("Action: failed", "Action: relayed").as_bytes()), []);
    }
}
