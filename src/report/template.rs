//! Templates: compiled once, rendered for one report, with every mistake put back where its author wrote it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tera::{ErrorKind, Tera};

use super::context::{View, context, of_report, view};
use super::input::ReportInput;
use super::number::tame;
use super::theme::Theme;
use super::words::Words;
use super::{filters, mail, plain};
use crate::base::{Diagnostic, Diagnostics, Place, SourceText};
use crate::config::{Locale, Report};

/// Every template of a project, ready to render.
pub struct Templates {
    /// One a language: a filter writes numbers and dates as its readers do.
    tongues: BTreeMap<Locale, Tongue>,
    theme: Theme,
    sources: BTreeMap<String, Arc<SourceText>>,
}

struct Tongue {
    tera: Tera,
    words: Arc<Words>,
}

/// A report as it is read and as it is mailed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    pub html: String,
    /// The page as mail programs can show it.
    pub mail_html: String,
    /// The pictures that `mail_html` names by `cid:`.
    pub images: Vec<Image>,
    /// The same for those who read plain text; complete, not a pointer to the other.
    pub text: String,
    /// One line.
    pub subject: String,
}

/// A picture of a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Its Content-ID, without brackets.
    pub id: String,
    pub png: Vec<u8>,
}

/// Why a report has no page. `check` finds most of these by day.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    #[error("report {report}: there is no template report-templates/{template}")]
    UnknownTemplate { report: String, template: String },
    #[error("report {report}: {}", first_of(.mistakes))]
    Render { report: String, mistakes: Diagnostics },
    #[error("report {report}: {language} is not a language of reports")]
    UnknownLanguage { report: String, language: &'static str },
    #[error("report {report} cannot be a mail: {why}")]
    Mail { report: String, why: String },
}

impl ReportError {
    /// The same template and the same rows fail again.
    pub fn is_transient(&self) -> bool {
        false
    }
}

fn first_of(mistakes: &Diagnostics) -> String {
    let Some(first) = mistakes.0.first() else { return "the template does not render".to_owned() };
    match &first.place {
        Some(place) => format!("{place}: {}", first.message),
        None => first.message.clone(),
    }
}

impl Templates {
    pub(super) fn source(&self, name: &str) -> Option<&Arc<SourceText>> {
        self.sources.get(name)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.sources.keys().map(String::as_str)
    }

    pub(super) fn texts(&self) -> impl Iterator<Item = &Arc<SourceText>> {
        self.sources.values()
    }

    /// What the catalogues lack for these KPIs.
    pub(super) fn unsaid(&self, kpis: &[crate::config::Kpi], read: &BTreeSet<Locale>) -> Diagnostics {
        let all: Vec<Words> = self.tongues.values().map(|t| (*t.words).clone()).collect();
        super::words::check(&all, kpis, read)
    }

    /// Whether the project says anything in a language.
    pub(super) fn speaks(&self, locale: Locale) -> bool {
        locale == Locale::default() || self.sources.contains_key(&super::words::file_of(locale))
    }

    /// A phrase of a language, the project's before the program's.
    pub(super) fn phrase(&self, locale: Locale, key: &str) -> Option<&str> {
        self.tongues.get(&locale)?.words.find(key)
    }

    /// What catalogues say of KPIs that there are not. `known` are those of all packs and pipelines.
    pub fn said_of_no_kpi(&self, known: &BTreeSet<&str>) -> Diagnostics {
        Diagnostics(self.tongues.values().flat_map(|tongue| super::words::strange(&tongue.words, known).0).collect())
    }

    /// The names a template takes from outside, in any of its branches; in order.
    pub(super) fn wants(&self, name: &str) -> Vec<String> {
        let any = self.tongues.values().next().and_then(|t| t.tera.get_template_variables(name).ok());
        let mut names: Vec<String> = any.map(|v| v.into_iter().map(str::to_owned).collect()).unwrap_or_default();
        names.sort_unstable();
        names
    }
}

/// Reads every template, catalogue and theme; syntax errors of all files at once, then unknown filters, components and
/// includes.
pub fn compile(templates: &BTreeMap<String, Arc<SourceText>>) -> Result<Templates, Diagnostics> {
    let (theme, mut mistakes) = Theme::of(templates);
    let pages: BTreeMap<&String, &Arc<SourceText>> =
        templates.iter().filter(|(name, _)| name.rsplit_once('.').is_none_or(|(_, ending)| ending != "yaml")).collect();
    let mut tongues = BTreeMap::new();
    for locale in Locale::ALL {
        let (words, found) = Words::of(locale, templates);
        mistakes.extend(found);
        let words = Arc::new(words);
        let mut tera = Tera::new();
        tera.autoescape_on([".html", ".htm", ".xml", ".svg"]);
        filters::register(&mut tera, &words);
        tongues.insert(locale, Tongue { tera, words });
    }
    if let Some(any) = tongues.values().next() {
        for (name, source) in &pages {
            // Alone, a template's includes and components are unknown: only its syntax is asked about.
            if let Err(error) = any.tera.clone().add_raw_template(name, &source.text)
                && matches!(error.kind(), ErrorKind::SyntaxError(_))
            {
                mistakes.extend(explain(&error, templates));
            }
        }
    }
    for tongue in tongues.values_mut() {
        if mistakes.is_empty()
            && let Err(error) = tongue.tera.add_raw_templates(pages.iter().map(|(name, source)| (*name, &source.text)))
        {
            mistakes.extend(explain(&error, templates));
        }
    }
    if mistakes.is_empty() { Ok(Templates { tongues, theme, sources: templates.clone() }) } else { Err(mistakes) }
}

/// One report of one snapshot, for readers of one language. The same template makes the page and the mail: it is asked for
/// each by its `medium`.
pub fn render(
    templates: &Templates,
    report: &Report,
    input: &ReportInput,
    locale: Locale,
) -> Result<Rendered, ReportError> {
    let named = report.name.to_string();
    if !templates.sources.contains_key(&report.template) {
        return Err(ReportError::UnknownTemplate { report: named, template: report.template.clone() });
    }
    let Some(Tongue { tera, words }) = templates.tongues.get(&locale) else {
        return Err(ReportError::UnknownLanguage { report: named, language: locale.tag() });
    };
    let view = view(report, input, words);
    let rendered = |name: &str, medium: &'static str| {
        let context = context(report, input, &view, words, &templates.theme, medium);
        tera.render(name, &context).map_err(|error| ReportError::Render {
            report: report.name.to_string(),
            mistakes: explain(&error, &templates.sources),
        })
    };
    let beside = report.template.rsplit_once('.').map_or(&*report.template, |(stem, _)| stem);
    let beside = format!("{beside}.txt");
    let text =
        if templates.sources.contains_key(&beside) { rendered(&beside, "text")? } else { plain::text(input, &view) };
    let html = rendered(&report.template, "web")?;
    let (mail_html, images) = mail::body(&rendered(&report.template, "mail")?)
        .map_err(|why| ReportError::Mail { report: report.name.to_string(), why })?;
    Ok(Rendered { mail_html, images, html, text, subject: subject(report, input, &view, words) })
}

/// `Customer health · 2011-12-09 · Net revenue +4.2 % · 2 data remarks`, or where there are alerts
/// `Customer health · 2011-12-09 · Retention 24.0 %, below 35.0 % · 2 alerts`.
fn subject(report: &Report, input: &ReportInput, view: &View, words: &Words) -> String {
    let named = of_report(report, input, words, "subject").unwrap_or_else(|| tame(&report.subject));
    let mut parts = vec![named, tame(&input.interval)];
    if view.quality.state == "unreliable" {
        parts.push(words.say("subject.unreliable", &[]));
    }
    // A subject names one figure: the one people must be told of, else how the first has changed.
    match (&view.gravest, view.kpis.first().filter(|k| k.prior.known)) {
        (Some(gravest), _) => parts.push(gravest.clone()),
        (None, Some(first)) => parts.push(format!("{} {}", first.label, first.prior.text)),
        (None, None) => {}
    }
    // What a reader must look at comes before what the data's keepers must.
    let counted = |one: &str, many: &str, n: usize| match n {
        0 => None,
        1 => Some(words.say(one, &[])),
        n => Some(words.say(many, &[("count", &n.to_string())])),
    };
    let alerts = counted("subject.one_alert", "subject.alerts", view.alerts.len());
    parts.extend(alerts.or_else(|| counted("subject.one_remark", "subject.remarks", view.quality.remarks.len())));
    parts.join(" · ")
}

/// A mistake of tera's as one of ours: what is wrong, where, and what was perhaps meant.
pub(super) fn explain(error: &tera::Error, sources: &BTreeMap<String, Arc<SourceText>>) -> Diagnostics {
    let at_file = |name: &str| sources.get(name).map(Place::file);
    let (message, place) = match error.kind() {
        ErrorKind::SyntaxError(report) | ErrorKind::RenderingError(report) => {
            let code = if matches!(error.kind(), ErrorKind::SyntaxError(_)) { "template-syntax" } else { "template" };
            let place = sources.get(report.filename()).map(|file| Place::new(file, report.span().range.clone()));
            return one(code, report.message(), place, sources).into();
        }
        ErrorKind::Msg(reports) => return Diagnostics(located(reports, sources)),
        ErrorKind::CircularExtend { tpl, .. } => ("a template extends itself in a circle".to_owned(), at_file(tpl)),
        ErrorKind::CircularInclude { tpl, .. } => ("a template includes itself in a circle".to_owned(), at_file(tpl)),
        ErrorKind::MissingParent { current, parent } => {
            (format!("there is no template `{parent}` to extend"), at_file(current))
        }
        other => (other.to_string(), None),
    };
    one("template", &message, place, sources).into()
}

/// Mistakes found while linking templates come as one text, each with a line `--> file:line:column`.
fn located(reports: &str, sources: &BTreeMap<String, Arc<SourceText>>) -> Vec<Diagnostic> {
    let parse = |report: &str| {
        let message = report.lines().next().unwrap_or(report).trim_start_matches("error: ").to_owned();
        let place = report.lines().find_map(|line| {
            let mut parts = line.trim_start().strip_prefix("--> ")?.rsplitn(3, ':');
            let (column, line, file) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?, parts.next()?);
            let source = sources.get(file)?;
            let offset = source.offset(line, column);
            Some(Place::new(source, offset..offset))
        });
        one("template", &message, place, sources)
    };
    reports.split("\n\n").filter(|r| !r.trim().is_empty()).map(parse).collect()
}

/// In our words: a fragment, and the nearest of the names tera says are there.
fn one(
    code: &'static str,
    message: &str,
    place: Option<Place>,
    sources: &BTreeMap<String, Arc<SourceText>>,
) -> Diagnostic {
    let (what, known) = message.split_once(". Available ").unwrap_or((message, ""));
    let mut known: Vec<&str> = known.split_once(": ").map(|(_, names)| names.split(", ").collect()).unwrap_or_default();
    known.sort_unstable();
    let mut letters = what.trim_end_matches('.').chars();
    let what: String = letters.next().into_iter().flat_map(char::to_lowercase).chain(letters).collect();
    let wrong = what.split('`').nth(1).unwrap_or_default().to_owned();
    let mut diagnostic = Diagnostic::error(code, what);
    if known.is_empty() {
        diagnostic = diagnostic.did_you_mean(&wrong, sources.keys().map(String::as_str));
    } else {
        let list = format!("known here: {}", known.join(", "));
        diagnostic = diagnostic.did_you_mean(&wrong, known);
        diagnostic.help = Some(diagnostic.help.map_or(list.clone(), |near| format!("{near} {list}")));
    }
    diagnostic.place = place;
    diagnostic
}
