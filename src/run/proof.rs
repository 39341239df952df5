//! The checks of a table as a step: what was seen while it was made, its rows, what was quarantined, and rows that came late.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use crate::base::{Fingerprint, TableName};
use crate::config::{Check, Severity};
use crate::engine::Tables;
use crate::lake::{CheckOutcome, Late};
use crate::plan::{At, Input, Own, Span, Timed, WantedPart, WantedTable};
use crate::run::RunError;
use crate::run::slots::Slot;
use crate::run::step::{Bench, Made};
use crate::sql::Bindings;
use crate::stage::{self, StageError, Window};

impl Bench {
    pub async fn check(&self, name: &TableName, slot: &Slot) -> Made {
        let shop = &self.shop;
        let mut tables = Tables::new();
        let mut seen = None;
        let whole;
        let (fingerprint, checks_name, checks, bindings): (Fingerprint, Fingerprint, &[Check], &Bindings) =
            match name.source() {
                Some(source) => {
                    let wanted = self.source(&source, At::Run);
                    let checks = &shop.pipeline.sources[&source].checks;
                    whole = Input::Raw(source, wanted.raw);
                    (wanted.raw, wanted.checks, checks, &self.wanted.bindings)
                }
                None => {
                    let table = self.table(name, At::Run)?;
                    for (read, input) in &table.check_reads {
                        tables.insert(read.clone(), self.provider(read, input).await?);
                    }
                    whole = table.whole();
                    if let [part] = table.parts.as_slice() {
                        seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner).remove(&part.fingerprint);
                    }
                    (table.fingerprint, table.checks, &table.node.stage.head.checks, &table.bindings)
                }
            };
        let mut outcomes = Vec::new();
        if !checks.is_empty() {
            tables.insert(name.clone(), self.provider(name, &whole).await?);
            outcomes = stage::check(&shop.engine, name, checks, bindings, &tables, seen).await?;
        }
        outcomes.extend(self.quarantine(name, checks));
        outcomes.extend(self.late_rows(name));
        slot.give_back();
        let outcomes = shop.lake.put_check_outcomes(name, &fingerprint, &checks_name, outcomes).await?;
        let rows = outcomes.first().map_or(0, |o| o.rows);
        self.known(|k| k.checks.insert((fingerprint, checks_name), outcomes));
        Ok((rows, vec![]))
    }

    /// The outcome of what was taken out of the flow: of a source always, of a stage when a check of its moves rows.
    fn quarantine(&self, name: &TableName, checks: &[Check]) -> Option<CheckOutcome> {
        if let Some(source) = name.source() {
            let balance = self.known(|k| k.raws.get(&self.wanted.sources[&source].raw).map(|r| r.balance))?;
            let limit = self.shop.pipeline.sources[&source].quarantine_limit;
            return Some(stage::quarantine_outcome(
                name,
                Some(limit),
                balance.quarantined,
                balance.landed + balance.deduplicated,
            ));
        }
        let moving = checks.iter().find(|c| c.severity == Severity::Quarantine)?;
        let table = self.table(name, At::Run).ok()?;
        let (quarantined, kept) = self.known(|k| {
            let parts = table.parts.iter().filter_map(|p| k.parts.get(&p.fingerprint));
            parts.fold((0, 0), |(q, r), p| (q + p.rows_quarantined, r + p.rows))
        });
        Some(stage::quarantine_outcome(name, moving.limit.share, quarantined, kept))
    }

    /// Counts what the exports dated in a part brought that no part holds.
    pub async fn late(&self, table: &WantedTable, part: &WantedPart) -> Result<Option<Late>, RunError> {
        let mut windows = Vec::new();
        for timed in part.reads.values().filter_map(|input| if let Input::Timed(t) = input { Some(t) } else { None }) {
            // Exports of one part may end and begin to be read by others at different times.
            let mut alike: BTreeMap<Span, Vec<&Own>> = BTreeMap::new();
            for own in &timed.own {
                alike.entry(own.times).or_default().push(own);
            }
            for (times, own) in alike {
                windows.push(self.window(timed, times, &own)?);
            }
        }
        if table.node.stage.head.incremental.as_ref().is_none_or(|i| i.by.is_none()) {
            return Ok(None);
        }
        let failed = |cause| StageError::Check { table: table.node.table().clone(), check: "late".to_owned(), cause };
        Ok(Some(stage::late(&self.shop.engine, windows).await.map_err(failed)?))
    }

    fn window(&self, timed: &Timed, times: Span, own: &[&Own]) -> Result<Window, RunError> {
        let landed: Vec<Fingerprint> = own.iter().map(|o| o.landed).collect();
        Ok(Window {
            source: TableName::raw(&timed.source),
            table: self.landed(&timed.source, &landed)?,
            column: timed.column.clone(),
            times,
            dates: own.iter().map(|o| (o.path.clone(), o.date)).collect(),
        })
    }

    /// The outcome of rows that are in no part, where parts go by a time of the rows.
    fn late_rows(&self, name: &TableName) -> Option<CheckOutcome> {
        let table = self.table(name, At::Run).ok()?;
        let incremental = table.node.stage.head.incremental.as_ref()?;
        let by = incremental.by.as_ref()?;
        let late: Vec<Late> = self.known(|k| {
            let parts = table.parts.iter().filter_map(|p| k.parts.get(&p.fingerprint));
            parts.filter_map(|p| p.late.clone()).collect()
        });
        Some(stage::late_outcome(name, incremental, by, late.iter()))
    }
}
