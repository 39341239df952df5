//! `${VAR}` and `${VAR:-default}`, the only substitution there is. `$${` is a `${` that stays.

use crate::system::Environment;

/// A text after substitution.
pub(super) struct Replaced {
    pub(super) text: String,
    pub(super) substituted: bool,
    /// The first variable that is not set and has no default.
    pub(super) unset: Option<String>,
}

/// Anything that only looks like a variable (`${1}`, `${a b}`, `$x`) stays as it is.
pub(super) fn substitute(text: &str, environment: &Environment) -> Replaced {
    let mut out = Replaced { text: String::with_capacity(text.len()), substituted: false, unset: None };
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let (before, from) = rest.split_at(at);
        if let Some(before) = before.strip_suffix('$') {
            out.text.push_str(before);
            out.text.push_str("${");
            rest = &from[2..];
            continue;
        }
        out.text.push_str(before);
        let Some((name, default, after)) = variable(&from[2..]) else {
            out.text.push_str("${");
            rest = &from[2..];
            continue;
        };
        match (environment.get(name), default) {
            (Some(value), _) | (None, Some(value)) => {
                out.substituted = true;
                out.text.push_str(value);
            }
            (None, None) => out.unset = out.unset.or_else(|| Some(name.to_owned())),
        }
        rest = after;
    }
    out.text.push_str(rest);
    out
}

/// The name, the default and what follows the brace.
fn variable(text: &str) -> Option<(&str, Option<&str>, &str)> {
    let (inside, after) = text.split_once('}')?;
    let (name, default) = inside.split_once(":-").map_or((inside, None), |(name, default)| (name, Some(default)));
    let first = name.chars().next()?;
    let is_name =
        (first.is_ascii_alphabetic() || first == '_') && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    is_name.then_some((name, default, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_two_forms_are_replaced() {
        let environment = Environment([("A".to_owned(), "1".to_owned()), ("E".to_owned(), String::new())].into());
        for (text, expected) in [
            ("x${A}y", Ok("x1y")),
            ("${A:-2}${B:-3}", Ok("13")),
            ("${E:-empty counts as unset}", Ok("empty counts as unset")),
            ("${B:-}", Ok("")),
            ("$${A} $A ${1} ${ A } ${A", Ok("${A} $A ${1} ${ A } ${A")),
            ("${B}/${C}", Err("B")),
        ] {
            let replaced = substitute(text, &environment);
            let got = replaced.unset.as_deref().map_or(Ok(replaced.text.as_str()), Err);
            assert_eq!(got, expected, "{text}");
        }
    }
}
