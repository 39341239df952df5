//! One parsed statement and what it says about itself.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;

use datafusion::sql::sqlparser::ast::{
    Expr, Ident, Query as Ast, SetExpr, Spanned, Statement, TableFactor, Value, Visit, Visitor, WindowType,
};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;
use datafusion::sql::sqlparser::tokenizer::{Location, Span};

use crate::base::{Diagnostic, Diagnostics, ParamName, Place, SourceText, TableName, on_all_cores};
use crate::sql::columns::{ColumnUse, output, uses};
use crate::sql::refuse;

/// A stage's statement: one query, with everything a plan needs to know about it.
#[derive(Debug, Clone)]
pub struct Query {
    pub(super) statement: Statement,
    /// Without comments, with one white space between words and upper-case keywords: equal for statements that mean the same text.
    pub canonical: String,
    /// The tables it reads, each with the first place it is named at.
    pub reads: BTreeMap<TableName, Reference>,
    pub params: BTreeMap<ParamName, Place>,
    /// Names of the functions it calls, lower-case.
    pub functions: BTreeSet<String>,
    /// The columns it gives, each where it is named; none where only planning can tell.
    pub output: Option<Vec<(String, Place)>>,
    /// The columns it names.
    pub uses: Vec<ColumnUse>,
    /// Whether a window looks at all rows at once: that work has one core, whatever the statement is given.
    pub one_core: bool,
}

/// Where a table is named.
#[derive(Debug, Clone)]
pub struct Reference {
    pub place: Place,
}

impl Query {
    /// The parsed statement, for the engine.
    pub fn statement(&self) -> &Statement {
        &self.statement
    }

    /// Whether it says in which order its rows are.
    pub fn is_ordered(&self) -> bool {
        matches!(&self.statement, Statement::Query(query) if query.order_by.is_some())
    }
}

/// The statements of files that were parsed already, so that a file which many pipelines use is parsed once.
#[derive(Debug, Default)]
pub struct Statements(HashMap<PathBuf, (Arc<SourceText>, Parsed)>);

type Parsed = Result<Arc<Query>, Diagnostics>;

impl Statements {
    /// Parses those that were not yet.
    pub fn parse_all<'f>(&mut self, files: impl Iterator<Item = &'f Arc<SourceText>>) {
        let unknown =
            |file: &&Arc<SourceText>| self.0.get(&file.path).is_none_or(|(known, _)| !Arc::ptr_eq(known, file));
        let files: Vec<&Arc<SourceText>> = files.filter(unknown).collect();
        let parsed = on_all_cores(&files, |file| parse(file).map(Arc::new));
        let parsed = files.into_iter().zip(parsed);
        self.0.extend(parsed.map(|(file, parsed)| (file.path.clone(), (Arc::clone(file), parsed))));
    }

    pub fn parse(&mut self, file: &Arc<SourceText>) -> Result<Arc<Query>, Diagnostics> {
        match self.0.get(&file.path) {
            Some((known, parsed)) if Arc::ptr_eq(known, file) => parsed.clone(),
            _ => {
                let parsed = parse(file).map(Arc::new);
                self.0.insert(file.path.clone(), (Arc::clone(file), parsed.clone()));
                parsed
            }
        }
    }
}

/// Parses one stage. Syntax errors, refusals and badly named tables come back together.
pub fn parse(file: &Arc<SourceText>) -> Result<Query, Diagnostics> {
    let mut statements =
        Parser::parse_sql(&GenericDialect {}, &file.text).map_err(|e| syntax_error(file, &e.to_string()))?;
    if statements.len() != 1 {
        return Err(Diagnostic::error(
            "one-statement",
            format!("a stage is one SELECT, this file has {} statements", statements.len()),
        )
        .at(Place::file(file))
        .help("make one `.sql` file a table")
        .into());
    }
    let statement = statements.remove(0);
    let mut found = Collector {
        file,
        tables: vec![],
        ctes: BTreeSet::new(),
        params: vec![],
        functions: BTreeSet::new(),
        one_core: false,
        refused: Diagnostics::default(),
    };
    if let Statement::Query(query) = &statement {
        if !matches!(
            *query.body,
            SetExpr::Select(_) | SetExpr::Query(_) | SetExpr::SetOperation { .. } | SetExpr::Values(_)
        ) {
            found.refused.push(not_a_select(file));
        }
        let _: ControlFlow<()> = statement.visit(&mut found);
    } else {
        return Err(not_a_select(file).into());
    }
    let mut diagnostics = std::mem::take(&mut found.refused);
    let mut reads = BTreeMap::new();
    for (names, place) in &found.tables {
        match names.as_slice() {
            [one] if found.ctes.contains(one) => {}
            [schema, table] => match TableName::new(schema, table) {
                Ok(name) => {
                    reads.entry(name).or_insert_with(|| Reference { place: place.clone() });
                }
                Err(bad) => diagnostics.push(Diagnostic::error("table-name", bad.to_string()).at(place.clone())),
            },
            _ => diagnostics.push(
                Diagnostic::error("table-name", format!("`{}` is not a table a stage can read", names.join(".")))
                    .at(place.clone())
                    .help("name a table with its schema, as in `core.orders` or `raw.orders`"),
            ),
        }
    }
    let mut params = BTreeMap::new();
    for (text, place) in &found.params {
        match text.trim_start_matches('$').parse::<ParamName>() {
            Ok(name) if text.starts_with('$') => {
                params.entry(name).or_insert_with(|| place.clone());
            }
            _ => diagnostics.push(
                Diagnostic::error("parameter-name", format!("`{text}` is not a parameter"))
                    .at(place.clone())
                    .help("parameters are named, as in `$as_of`"),
            ),
        }
    }
    if diagnostics.has_errors() {
        return Err(diagnostics);
    }
    let (functions, one_core) = (found.functions, found.one_core);
    let (output, uses) = match &statement {
        Statement::Query(query) => (output(file, query), uses(query)),
        _ => (None, Vec::new()),
    };
    Ok(Query { canonical: statement.to_string(), statement, reads, params, functions, output, uses, one_core })
}

fn not_a_select(file: &Arc<SourceText>) -> Diagnostic {
    Diagnostic::error("not-a-select", "a stage is one SELECT")
        .at(Place::file(file))
        .help("a stage may only read; Matins writes its table")
}

/// sqlparser says where in words: "… at Line: 3, Column: 14".
pub(super) fn syntax_error(file: &Arc<SourceText>, message: &str) -> Diagnostics {
    let (text, place) = match message.rsplit_once(" at Line: ") {
        Some((text, at)) => {
            let mut numbers = at.split(", Column: ").map(|n| n.trim().parse::<usize>().unwrap_or(1));
            let (line, column) = (numbers.next().unwrap_or(1), numbers.next().unwrap_or(1));
            let start = file.offset(line, column);
            (text, Place::new(file, start..end_of_word(&file.text, start)))
        }
        // What is wanting at the very end has no place of its own.
        None => {
            let end = file.text.trim_end().len();
            let last = file.text[..end].char_indices().next_back().map_or(end, |(at, _)| at);
            (message, Place::new(file, last..end))
        }
    };
    let text = text.trim_start_matches("sql parser error: ").trim_end_matches('.');
    Diagnostic::error("sql-syntax", text.replace("found: EOF", "found: the end")).at(place).into()
}

fn end_of_word(text: &str, start: usize) -> usize {
    text[start..].find(|c: char| !c.is_alphanumeric() && c != '_').map_or(text.len(), |n| start + n.max(1))
}

/// A sqlparser span as a place in the file.
pub(super) fn place(file: &Arc<SourceText>, span: Span) -> Place {
    let at = |l: Location| {
        #[expect(clippy::cast_possible_truncation, reason = "lines and columns of a file in memory")]
        file.offset(l.line as usize, l.column as usize)
    };
    if span.start.line == 0 { Place::file(file) } else { Place::new(file, at(span.start)..at(span.end)) }
}

struct Collector<'a> {
    file: &'a Arc<SourceText>,
    tables: Vec<(Vec<String>, Place)>,
    ctes: BTreeSet<String>,
    params: Vec<(String, Place)>,
    functions: BTreeSet<String>,
    one_core: bool,
    refused: Diagnostics,
}

pub(super) fn normal(ident: &Ident) -> String {
    if ident.quote_style.is_some() { ident.value.clone() } else { ident.value.to_lowercase() }
}

impl Visitor for Collector<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Ast) -> ControlFlow<()> {
        if let Some(with) = &query.with {
            self.ctes.extend(with.cte_tables.iter().map(|cte| normal(&cte.alias.name)));
        }
        if let Some(refusal) = refuse::limit_without_order(query) {
            self.refused.push(refusal.at(place(self.file, query.span())));
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        if let TableFactor::Table { name, args: None, .. } = factor {
            let names = name.0.iter().filter_map(|part| part.as_ident()).map(normal).collect();
            self.tables.push((names, place(self.file, name.span())));
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        match expr {
            Expr::Value(value) => {
                if let Value::Placeholder(text) = &value.value {
                    self.params.push((text.clone(), place(self.file, value.span)));
                }
            }
            Expr::Function(function) => {
                let name = function
                    .name
                    .0
                    .last()
                    .and_then(|p| p.as_ident())
                    .map(|i| i.value.to_lowercase())
                    .unwrap_or_default();
                if let Some(refusal) = refuse::function(&name, function) {
                    self.refused.push(refusal.at(place(self.file, function.name.span())));
                }
                self.functions.insert(name);
                self.one_core |= matches!(&function.over,
                    Some(WindowType::WindowSpec(spec)) if spec.partition_by.is_empty() && spec.window_name.is_none());
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Query {
        parse(&SourceText::new("s.sql", text)).expect("good SQL")
    }

    fn codes(text: &str) -> Vec<&'static str> {
        parse(&SourceText::new("s.sql", text)).expect_err("bad SQL").0.iter().map(|d| d.code).collect()
    }

    #[test]
    fn comments_white_space_and_keyword_case_do_not_change_the_canonical_form() {
        let one = parsed("/* matins\ndescription: x\n*/\nselect a, -- why\n  b from core.orders where a > $as_of");
        let other = parsed("SELECT a, b\nFROM core.orders\nWHERE a > $as_of");
        assert_eq!(one.canonical, other.canonical);
        assert_ne!(one.canonical, parsed("SELECT a, b FROM core.orders WHERE a >= $as_of").canonical);
    }

    #[test]
    fn reads_leaves_common_table_expressions_and_table_functions_out() {
        let query = parsed(
            "WITH recent AS (SELECT * FROM raw.orders) SELECT * FROM recent JOIN core.Customers USING (id), generate_series(1, 3) g WHERE EXISTS (SELECT 1 FROM core.refunds)",
        );
        let names: Vec<_> = query.reads.keys().map(ToString::to_string).collect();
        assert_eq!(names, ["core.customers", "core.refunds", "raw.orders"]);
    }

    #[test]
    fn columns_given_and_columns_used() {
        let query = parsed(
            "WITH a AS (SELECT customer_key, cost FROM core.orders)
             SELECT a.customer_key, c.city, upper(c.name) AS label, (SELECT max(net) FROM core.lines l WHERE l.k = c.k) AS net
             FROM a JOIN core.customers AS c ON c.customer_key = a.customer_key WHERE segment = 'x'",
        );
        let given: Vec<_> = query.output.expect("all are named").into_iter().map(|(name, _)| name).collect();
        assert_eq!(given, ["customer_key", "city", "label", "net"]);
        let of = |name: &str| -> Vec<String> {
            let uses = query.uses.iter().filter(|u| u.name == name);
            uses.flat_map(|u| u.of.iter().map(move |t| format!("{t}{}", if u.elsewhere { "?" } else { "" }))).collect()
        };
        assert_eq!(of("cost"), ["core.orders"]);
        assert_eq!(of("city"), ["core.customers"]);
        // An inner query's column of an outer table, and a column that may be of the common table expression.
        assert_eq!(of("k"), ["core.lines", "core.customers"]);
        assert_eq!(of("segment"), ["core.customers?"]);
        assert!(parsed("SELECT * FROM core.orders").output.is_none());
        assert!(parsed("SELECT 1 + 1 FROM core.orders").output.is_none());
    }

    #[test]
    fn clock_randomness_and_unordered_choices_are_refused() {
        assert_eq!(codes("SELECT now()"), ["clock"]);
        assert_eq!(codes("SELECT current_date"), ["clock"]);
        assert_eq!(codes("SELECT random() FROM core.t"), ["randomness"]);
        assert_eq!(codes("SELECT approx_distinct(a) FROM core.t"), ["approximate"]);
        assert_eq!(codes("SELECT array_agg(a) FROM core.t"), ["unordered"]);
        assert_eq!(codes("SELECT first_value(a) OVER (PARTITION BY b) FROM core.t"), ["unordered"]);
        assert_eq!(codes("SELECT a FROM core.t LIMIT 3"), ["unordered"]);
        parsed(
            "SELECT array_agg(a ORDER BY a), first_value(a) OVER (PARTITION BY b ORDER BY c) FROM core.t GROUP BY b, a, c ORDER BY 1 LIMIT 3",
        );
    }

    #[test]
    fn a_window_over_all_rows_has_one_core() {
        assert!(parsed("SELECT ntile(5) OVER (ORDER BY a) AS r FROM core.t").one_core);
        assert!(!parsed("SELECT ntile(5) OVER (PARTITION BY b ORDER BY a) AS r FROM core.t").one_core);
        assert!(!parsed("SELECT b, count(DISTINCT a) AS n FROM core.t GROUP BY b").one_core);
    }

    #[test]
    fn mistakes_have_places() {
        let file = SourceText::new("s.sql", "SELECT a\nFROM orders");
        let found = parse(&file).expect_err("no schema");
        assert_eq!(found.0[0].place.as_ref().map(ToString::to_string), Some("s.sql:2:6".to_owned()));
        let file = SourceText::new("s.sql", "SELECT a\nFORM core.orders x y");
        let found = parse(&file).expect_err("syntax");
        assert_eq!(found.0[0].code, "sql-syntax");
        assert!(found.0[0].place.as_ref().is_some_and(|p| p.to_string().starts_with("s.sql:2:")), "{found:?}");
        let file = SourceText::new("s.sql", "SELECT a\nFROM core.orders WHERE\n");
        let found = parse(&file).expect_err("no condition");
        assert_eq!(found.0[0].place.as_ref().map(ToString::to_string), Some("s.sql:2:22".to_owned()));
        assert_eq!(found.0[0].message, "Expected: an expression, found: the end");
    }

    #[test]
    fn only_one_select_is_a_stage() {
        assert_eq!(codes("DELETE FROM core.t"), ["not-a-select"]);
        assert_eq!(codes("SELECT 1; SELECT 2"), ["one-statement"]);
        assert_eq!(codes("COPY core.t TO 'x'"), ["not-a-select"]);
        assert_eq!(codes("WITH a AS (SELECT 1) INSERT INTO core.t SELECT * FROM a"), ["not-a-select"]);
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "[ -~\n]{0,200}") {
            let _ = parse(&SourceText::new("s.sql", text));
        }
    }
}
