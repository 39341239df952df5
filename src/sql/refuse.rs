//! What a stage may not ask for, because the same step made twice would give other rows.

use datafusion::sql::sqlparser::ast::{Function, FunctionArgumentClause, FunctionArguments, Query, WindowType};

use crate::base::Diagnostic;

const CLOCK: &[&str] = &[
    "now",
    "current_timestamp",
    "current_date",
    "current_time",
    "localtime",
    "localtimestamp",
    "today",
    "getdate",
    "sysdate",
];
const RANDOM: &[&str] = &["random", "rand", "uuid", "gen_random_uuid", "newid"];
const ORDERED: &[&str] =
    &["first_value", "last_value", "nth_value", "array_agg", "string_agg", "listagg", "group_concat"];

pub(super) fn function(name: &str, function: &Function) -> Option<Diagnostic> {
    if CLOCK.contains(&name) {
        return Some(
            Diagnostic::error(
                "clock",
                format!("`{name}` asks for the clock, so the same night made again would differ"),
            )
            .help("use `$as_of`, `$start` or `$end`, the bounds of the run's interval"),
        );
    }
    if RANDOM.contains(&name) {
        return Some(
            Diagnostic::error("randomness", format!("`{name}` is random, so the same night made again would differ"))
                .help("derive the value from a key, as in `pseudonym(order_id, 'sample')`"),
        );
    }
    if name.starts_with("approx_") {
        return Some(
            Diagnostic::error("approximate", format!("`{name}` depends on how rows were spread over cores"))
                .help("use the exact function: `count(DISTINCT …)`, `percentile_cont`, `median`"),
        );
    }
    if ORDERED.contains(&name) && !is_ordered(function) {
        return Some(
            Diagnostic::error("unordered", format!("`{name}` without ORDER BY takes whatever row comes first"))
                .help(format!("say which: `{name}(… ORDER BY …)`, or use min or max")),
        );
    }
    None
}

fn is_ordered(function: &Function) -> bool {
    let in_arguments = matches!(&function.args, FunctionArguments::List(list)
        if list.clauses.iter().any(|c| matches!(c, FunctionArgumentClause::OrderBy(keys) if !keys.is_empty())));
    let in_window = match &function.over {
        Some(WindowType::WindowSpec(spec)) => !spec.order_by.is_empty() || spec.window_name.is_some(),
        Some(WindowType::NamedWindow(_)) => true,
        None => false,
    };
    in_arguments || in_window || !function.within_group.is_empty()
}

pub(super) fn limit_without_order(query: &Query) -> Option<Diagnostic> {
    let limited = query.limit_clause.is_some() || query.fetch.is_some();
    (limited && query.order_by.is_none()).then(|| {
        Diagnostic::error("unordered", "LIMIT without ORDER BY takes whatever rows come first")
            .help("add an ORDER BY that leaves no ties")
    })
}
