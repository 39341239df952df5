//! Which columns a statement gives, and which ones of the tables it reads it may use, from its text alone.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::Arc;

use datafusion::sql::sqlparser::ast::{Expr, Query as Ast, SelectItem, SetExpr, TableFactor, Visit, Visitor};

use crate::base::{Place, SourceText, TableName};

use super::query::{normal, place};

/// The columns of the outermost SELECT, each where it is named; none where a `*` or a nameless expression is among them.
pub(super) fn output(file: &Arc<SourceText>, query: &Ast) -> Option<Vec<(String, Place)>> {
    let mut body = query.body.as_ref();
    let select = loop {
        match body {
            SetExpr::Select(select) => break select,
            SetExpr::Query(inner) => body = inner.body.as_ref(),
            // The first branch names the columns of all.
            SetExpr::SetOperation { left, .. } => body = left.as_ref(),
            _ => return None,
        }
    };
    let name = |item: &SelectItem| match item {
        SelectItem::ExprWithAlias { alias, .. } => Some((normal(alias), place(file, alias.span))),
        SelectItem::UnnamedExpr(Expr::Identifier(one)) => Some((normal(one), place(file, one.span))),
        SelectItem::UnnamedExpr(Expr::CompoundIdentifier(parts)) => {
            parts.last().map(|last| (normal(last), place(file, last.span)))
        }
        _ => None,
    };
    select.projection.iter().map(name).collect()
}

/// A column that is named in a query, and the tables it may be of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnUse {
    pub name: String,
    /// It is of one of these, unless `elsewhere`.
    pub of: BTreeSet<TableName>,
    /// The query reads from more than tables, and the name may come from there.
    pub elsewhere: bool,
}

/// Every column a query names, as far as it may be one of a table the query reads.
pub(super) fn uses(query: &Ast) -> Vec<ColumnUse> {
    let mut found = Uses::default();
    let _: ControlFlow<()> = query.visit(&mut found);
    found.uses
}

/// One query and what it reads from.
#[derive(Debug, Default)]
struct Scope {
    /// By alias, or by the table's own name.
    tables: BTreeMap<String, TableName>,
    elsewhere: bool,
    /// Qualifier, if any, and name.
    names: BTreeSet<(Option<String>, String)>,
}

#[derive(Debug, Default)]
struct Uses {
    scopes: Vec<Scope>,
    uses: Vec<ColumnUse>,
}

impl Visitor for Uses {
    type Break = ();

    fn pre_visit_query(&mut self, _: &Ast) -> ControlFlow<()> {
        self.scopes.push(Scope::default());
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        let Some(scope) = self.scopes.last_mut() else { return ControlFlow::Continue(()) };
        match factor {
            TableFactor::Table { name, alias, args: None, .. } => {
                let parts: Vec<String> = name.0.iter().filter_map(|part| part.as_ident()).map(normal).collect();
                match parts.as_slice() {
                    [schema, table] => {
                        if let Ok(of) = TableName::new(schema, table) {
                            let called = alias.as_ref().map_or_else(|| table.clone(), |a| normal(&a.name));
                            scope.tables.insert(called, of);
                        }
                    }
                    _ => scope.elsewhere = true,
                }
            }
            TableFactor::NestedJoin { .. } => {}
            _ => scope.elsewhere = true,
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        if let Some(scope) = self.scopes.last_mut() {
            match expr {
                Expr::Identifier(one) => drop(scope.names.insert((None, normal(one)))),
                Expr::CompoundIdentifier(parts) => {
                    if let [.., qualifier, name] = parts.as_slice() {
                        scope.names.insert((Some(normal(qualifier)), normal(name)));
                    }
                }
                _ => {}
            }
        }
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &Ast) -> ControlFlow<()> {
        let Some(scope) = self.scopes.pop() else { return ControlFlow::Continue(()) };
        for (qualifier, name) in scope.names {
            match qualifier {
                None if scope.tables.is_empty() => {}
                None => {
                    let of = scope.tables.values().cloned().collect();
                    self.uses.push(ColumnUse { name, of, elsewhere: scope.elsewhere });
                }
                Some(qualifier) => match scope.tables.get(&qualifier) {
                    Some(of) => self.uses.push(ColumnUse { name, of: [of.clone()].into(), elsewhere: false }),
                    // The name of a table outside, for a query inside another.
                    None => {
                        if let Some(outer) = self.scopes.last_mut() {
                            outer.names.insert((Some(qualifier), name));
                        }
                    }
                },
            }
        }
        ControlFlow::Continue(())
    }
}
