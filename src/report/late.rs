//! Says of a report that it comes late, in the message that carries it and nowhere else: the page is the same at any time.

use chrono::DateTime;
use chrono_tz::Tz;

use super::Rendered;
use crate::config::Locale;

/// The same report with a subject and a first line that say since when it was due.
pub fn late(rendered: Rendered, locale: Locale, due: &DateTime<Tz>) -> Rendered {
    let when = due.format("%Y-%m-%d %H:%M %Z");
    let (mark, line) = match locale {
        Locale::En => ("Late", format!("This report is late: it was due at {when}.")),
        Locale::ZhHans => ("迟到", format!("本报告迟到：应于 {when} 发出。")),
    };
    let notice = format!("<p style=\"padding:8px;border:1px solid #b45309\">{line}</p>");
    let body = rendered.mail_html.find("<body").and_then(|at| Some(at + rendered.mail_html[at..].find('>')? + 1));
    let at = body.unwrap_or(0);
    let mail_html = format!("{}{notice}{}", &rendered.mail_html[..at], &rendered.mail_html[at..]);
    Rendered {
        mail_html,
        subject: format!("{mark}: {}", rendered.subject),
        text: format!("{line}\n\n{}", rendered.text),
        ..rendered
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_says_it_and_the_page_does_not() {
        let html = "<html><body class=\"a\"><h1>Figures</h1></body></html>".to_owned();
        let rendered = Rendered {
            mail_html: html.clone(),
            html,
            images: vec![],
            text: "Figures".into(),
            subject: "Figures".into(),
        };
        let due = crate::base::AsOf::parse("2027-01-02T02:30", chrono_tz::Europe::Berlin).expect("a time").0;
        let marked = late(rendered.clone(), Locale::En, &due);
        let line = "This report is late: it was due at 2027-01-02 02:30 CET.";
        assert_eq!((marked.subject.as_str(), marked.html == rendered.html), ("Late: Figures", true));
        assert!(marked.text.starts_with(line));
        assert!(marked.mail_html.starts_with("<html><body class=\"a\"><p") && marked.mail_html.contains(line));
    }
}
