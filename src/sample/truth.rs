//! What the exports must come out as: the counts of planted faults, and the facts of the business they tell of.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{Datelike, NaiveDate};
use serde::Serialize;

use super::Spec;
use super::company::{COME_BACK_OF_TEN, Company, give_up_per_million, late_per_million, promoters_and_detractors};
use super::faults::Planter;
use super::table::pounds;

/// `truth.json`. Money is text with two decimals, so that no reader rounds it.
#[derive(Debug, Serialize)]
pub struct Truth {
    pub company: &'static str,
    pub customers: u32,
    pub seed: u64,
    pub start: NaiveDate,
    pub as_of: NaiveDate,
    pub files: u64,
    /// By source.
    pub sources: BTreeMap<&'static str, SourceTruth>,
    /// Orders of customers that the customer register does not know.
    pub unknown_customer_orders: u64,
    /// Survey answers with a score of 11: they land, and a check must take them out.
    pub out_of_range_scores: u64,
    /// Customers whose name is HTML or a spreadsheet formula.
    pub hostile_names: u64,
    pub business: Business,
}

/// The balance of one source: rows = landed + quarantined + deduplicated. Of a full dump, that of the last one.
#[derive(Debug, Serialize)]
pub struct SourceTruth {
    pub rows: u64,
    pub quarantined: u64,
    pub deduplicated: u64,
    pub landed: u64,
    /// The quarantined rows by kind of fault.
    pub faults: BTreeMap<&'static str, u64>,
}

/// Facts, under the rules of `crm/core`.
#[derive(Debug, Serialize)]
pub struct Business {
    /// Orders of known customers with a status that counts, those refunded in full included.
    pub sold_orders: u64,
    pub fully_refunded_orders: u64,
    /// Rows of `core.valid_orders`.
    pub valid_orders: u64,
    pub customers_with_first_order: u64,
    pub repeat_customers: u64,
    /// Sold, less refunds.
    pub net_revenue: String,
    pub churn_wave_month: NaiveDate,
    pub churn_wave_customers: u32,
    /// Of so many who would have bought again.
    pub churn_wave_among: u32,
    /// In this month a campaign brought back this share of those who had left at least 60 days before, each for an order and more.
    pub win_back_month: NaiveDate,
    pub win_back_customers: u32,
    /// Of them, those who have a valid order in that month and had one in an earlier month: the others cannot be seen to come back.
    pub win_back_customers_seen: u64,
    pub win_back_share: f64,
    pub retention_shift_month: NaiveDate,
    pub gives_up_after_an_order_before_the_shift: String,
    pub gives_up_after_an_order_since_the_shift: String,
    /// In this month service failed: tickets were late and customers said so.
    pub nps_drop_month: NaiveDate,
    pub nps_planted: Planted,
    /// The share of tickets that keep their service level.
    pub sla_planted: Planted,
    pub months: Vec<Month>,
}

/// What chance was set to in the month in which service failed, and in every other. What was drawn varies around it.
#[derive(Debug, Serialize)]
pub struct Planted {
    pub usually: f64,
    pub in_the_drop: f64,
}

#[derive(Debug, Serialize)]
pub struct Month {
    #[serde(rename = "month")]
    pub first_day: NaiveDate,
    /// With a valid order in it.
    pub active_customers: u64,
    /// With their first valid order in it.
    pub new_customers: u64,
    /// Sold in the month, less refunds paid in it.
    pub net_revenue: String,
}

impl Truth {
    pub(super) fn of(
        spec: &Spec,
        company: &Company,
        planters: &BTreeMap<&'static str, Planter>,
        files: u64,
        unknown_customer_orders: u64,
        out_of_range_scores: u64,
    ) -> Self {
        Self {
            company: "Hartwell & Finch",
            customers: spec.customers,
            seed: spec.seed,
            start: spec.start,
            as_of: spec.as_of,
            files,
            sources: planters.iter().map(|(source, planter)| (*source, source_truth(planter))).collect(),
            unknown_customer_orders,
            out_of_range_scores,
            hostile_names: company
                .customers
                .iter()
                .filter(|customer| customer.name.contains("()") || customer.name.contains('<'))
                .count() as u64,
            business: business(spec, company),
        }
    }

    pub(super) fn to_json(&self) -> Vec<u8> {
        // Nothing in it can fail to be written: all keys are text.
        let mut bytes = serde_json::to_vec_pretty(self).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }
}

fn source_truth(planter: &Planter) -> SourceTruth {
    let quarantined = planter.planted.values().sum();
    SourceTruth {
        rows: planter.rows,
        quarantined,
        deduplicated: planter.repeated,
        landed: planter.rows - quarantined - planter.repeated,
        faults: planter.planted.clone(),
    }
}

fn business(spec: &Spec, company: &Company) -> Business {
    let mut refunded: BTreeMap<usize, i64> = BTreeMap::new();
    let mut net_by_month: BTreeMap<NaiveDate, i64> = BTreeMap::new();
    for refund in &company.refunds {
        *refunded.entry(refund.order).or_default() += refund.amount;
        *net_by_month.entry(month_of(refund.date)).or_default() -= refund.amount;
    }
    let mut orders_of: BTreeMap<u32, u64> = BTreeMap::new();
    let mut active: BTreeMap<NaiveDate, BTreeSet<u32>> = BTreeMap::new();
    let (mut sold_orders, mut fully_refunded_orders) = (0, 0);
    for (at, order) in company.orders.iter().enumerate().filter(|(_, order)| order.counts()) {
        let month = month_of(order.local.date());
        sold_orders += 1;
        *net_by_month.entry(month).or_default() += order.net();
        if refunded.get(&at).is_some_and(|amount| *amount >= order.net()) {
            fully_refunded_orders += 1;
            continue;
        }
        *orders_of.entry(order.customer).or_default() += 1;
        active.entry(month).or_default().insert(order.customer);
    }
    // Months in order: who was not seen in an earlier one is new.
    let mut seen: BTreeSet<u32> = BTreeSet::new();
    let mut firsts: BTreeMap<NaiveDate, u64> = BTreeMap::new();
    for (month, customers) in &active {
        firsts.insert(*month, customers.iter().filter(|customer| seen.insert(**customer)).count() as u64);
    }
    Business {
        sold_orders,
        fully_refunded_orders,
        valid_orders: sold_orders - fully_refunded_orders,
        customers_with_first_order: orders_of.len() as u64,
        repeat_customers: orders_of.values().filter(|orders| **orders >= 2).count() as u64,
        net_revenue: pounds(net_by_month.values().sum()),
        churn_wave_month: spec.churn_wave(),
        churn_wave_customers: company.left_in_wave,
        churn_wave_among: company.there_at_wave,
        win_back_month: spec.win_back(),
        win_back_customers: u32::try_from(company.came_back.len()).unwrap_or(u32::MAX),
        win_back_customers_seen: seen_again(&company.came_back, spec.win_back(), &active),
        win_back_share: f64::from(COME_BACK_OF_TEN) / 10.0,
        retention_shift_month: spec.retention_shift(),
        gives_up_after_an_order_before_the_shift: give_up_text(spec, company, spec.start),
        gives_up_after_an_order_since_the_shift: give_up_text(spec, company, spec.last_day()),
        nps_drop_month: spec.nps_drop(),
        nps_planted: planted(|bad| {
            let (promoters, detractors) = promoters_and_detractors(bad);
            f64::from(promoters) - f64::from(detractors)
        }),
        sla_planted: planted(|bad| 1.0 - f64::from(late_per_million(bad)) / 1e6),
        months: net_by_month
            .into_iter()
            .map(|(month, net)| Month {
                first_day: month,
                active_customers: active.get(&month).map_or(0, |customers| customers.len() as u64),
                new_customers: firsts.get(&month).copied().unwrap_or(0),
                net_revenue: pounds(net),
            })
            .collect(),
    }
}

/// How many of these customers are active in the month, and were in an earlier one.
fn seen_again(customers: &[u32], month: NaiveDate, active: &BTreeMap<NaiveDate, BTreeSet<u32>>) -> u64 {
    let Some(now) = active.get(&month) else { return 0 };
    let earlier: BTreeSet<u32> = active.range(..month).flat_map(|(_, before)| before.iter().copied()).collect();
    customers.iter().filter(|customer| now.contains(*customer) && earlier.contains(*customer)).count() as u64
}

fn planted(of: impl Fn(bool) -> f64) -> Planted {
    Planted { usually: of(false), in_the_drop: of(true) }
}

/// The chance of a consumer as the company was made, such as `36 %`.
fn give_up_text(spec: &Spec, company: &Company, day: NaiveDate) -> String {
    let consumer = company.customers.iter().find(|customer| !customer.trade);
    consumer.map_or_else(String::new, |customer| format!("{} %", give_up_per_million(spec, customer, day) / 10_000))
}

fn month_of(date: NaiveDate) -> NaiveDate {
    date.with_day(1).unwrap_or(date)
}
