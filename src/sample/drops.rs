//! What happened, as the weekly drops of five systems tell it: each in its own dialect, none of them quite right.

use std::collections::{BTreeMap, VecDeque};
use std::iter;

use chrono::NaiveDate;

use super::company::{Company, simulate};
use super::faults::{Fault, Planter};
use super::rows::{
    ANSWERS, CUSTOMERS, LINES, LINES_SINCE_UPGRADE, ORDERS, ORDERS_SINCE_UPGRADE, REFUNDS, TICKETS, answer_fields,
    customer_fields, customer_id, line_fields, order_fields, refund_fields, ticket_fields,
};
use super::table::{Dialect, PLAIN, Table};
use super::truth::Truth;
use super::{SampleFile, Spec};

const BAD_CUSTOMERS: &[Fault] = &[Fault::BadDate(7, "31/02/2024"), Fault::Ragged];
const BAD_ORDERS: &[Fault] =
    &[Fault::Ragged, Fault::BadNumber(6, "12,O0"), Fault::BadDate(2, "2024-13-45T09:00:00Z"), Fault::Overlong];
const BAD_LINES: &[Fault] = &[Fault::BadNumber(4, "two"), Fault::Ragged, Fault::BadNumber(6, "#VALUE!")];
const BAD_REFUNDS: &[Fault] = &[Fault::BadNumber(3, "twenty"), Fault::BadDate(2, "yesterday")];
const BAD_TICKETS: &[Fault] = &[Fault::BadDate(2, "32/01/2024 25:00:00"), Fault::Ragged];
const BAD_ANSWERS: &[Fault] = &[Fault::BadNumber(4, "nine"), Fault::Ragged];

/// Customer relations are dumped whole, with every thirteenth drop and the last.
const DROPS_PER_SNAPSHOT: usize = 13;

/// Every export of the company, oldest first, and `truth.json` after them.
pub fn exports(spec: Spec) -> impl Iterator<Item = SampleFile> {
    let mut state = Exporter::new(spec);
    let mut ready = VecDeque::new();
    iter::from_fn(move || {
        if ready.is_empty() {
            ready = state.next_drop();
        }
        ready.pop_front()
    })
}

/// Everything one drop holds, by index into the company's lists.
#[derive(Default)]
struct Week {
    /// An order and whether this is its last word.
    orders: Vec<(usize, bool)>,
    refunds: Vec<usize>,
    tickets: Vec<(usize, bool)>,
    answers: Vec<usize>,
}

struct Exporter {
    spec: Spec,
    company: Company,
    dates: Vec<NaiveDate>,
    drops: Vec<Week>,
    planters: BTreeMap<&'static str, Planter>,
    next: usize,
    files: u64,
    unknown_customer_orders: u64,
    out_of_range_scores: u64,
}

impl Exporter {
    fn new(spec: Spec) -> Self {
        let company = simulate(&spec);
        let dates = spec.drop_dates();
        let drops = sort_into_drops(&company, &dates);
        let planters = [
            ("customers", Planter::new(BAD_CUSTOMERS, 1)),
            ("orders", Planter::new(BAD_ORDERS, 1)),
            ("order_lines", Planter::new(BAD_LINES, 2)),
            ("refunds", Planter::new(BAD_REFUNDS, 1)),
            ("tickets", Planter::new(BAD_TICKETS, 1)),
            ("survey", Planter::new(BAD_ANSWERS, 1)),
        ];
        Self {
            spec,
            company,
            dates,
            drops,
            planters: planters.into(),
            next: 0,
            files: 0,
            unknown_customer_orders: 0,
            out_of_range_scores: 0,
        }
    }

    /// The files of the next drop; after the last one the truth; then nothing.
    fn next_drop(&mut self) -> VecDeque<SampleFile> {
        let at = self.next;
        self.next += 1;
        let Some(&date) = self.dates.get(at) else {
            return if at == self.dates.len() { self.truth() } else { VecDeque::new() };
        };
        let upgraded = at >= self.dates.len() / 2;
        let mut tables = Vec::new();
        if (self.dates.len() - 1 - at).is_multiple_of(DROPS_PER_SNAPSHOT) {
            tables.push(("crm/customers", self.customers(date)));
        }
        let (orders, lines) = self.orders(at, upgraded);
        tables.push(("erp/orders", orders));
        tables.push(("erp/order_lines", lines));
        tables.push(("erp/refunds", self.refunds(at)));
        tables.push(("service/tickets", self.tickets(at, date)));
        tables.push(("voice/survey", self.answers(at)));
        self.files += tables.len() as u64;
        tables
            .into_iter()
            .map(|(folder, table)| SampleFile { path: format!("{folder}/{date}.csv"), bytes: table.into_bytes() })
            .collect()
    }

    fn customers(&mut self, date: NaiveDate) -> Table {
        let mut table = Table::new(Dialect { byte_order_mark: true, ..PLAIN }, &CUSTOMERS, &[]);
        // A dump is everything there is, so only the last one's faults are faults of the whole.
        let mut planter = Planter::new(BAD_CUSTOMERS, 1);
        for customer in self.company.customers.iter().filter(|customer| customer.created_on <= date) {
            let mut fields = customer_fields(customer);
            planter.write(&mut table, &fields);
            if customer.number.is_multiple_of(400) {
                // Two records of one customer that nobody merged: the later one counts.
                "01632 960999".clone_into(&mut fields[3]);
                fields[9] = date.format("%d/%m/%Y").to_string();
                planter.write(&mut table, &fields);
                planter.repeated += 1;
            }
        }
        self.planters.insert("customers", planter);
        table
    }

    fn orders(&mut self, at: usize, upgraded: bool) -> (Table, Table) {
        let order: &'static [usize] = if upgraded { &ORDERS_SINCE_UPGRADE } else { &[] };
        let header: Vec<&str> =
            if upgraded { ORDERS_SINCE_UPGRADE.iter().map(|&at| ORDERS[at]).collect() } else { ORDERS.to_vec() };
        let mut orders = Table::new(PLAIN, &header, order);
        let mut lines = Table::new(PLAIN, if upgraded { &LINES_SINCE_UPGRADE } else { &LINES }, &[]);
        for &(index, last_word) in &self.drops[at].orders {
            let sale = &self.company.orders[index];
            let first_word = self.dates.partition_point(|date| *date < sale.local.date()) == at;
            let id = format!("SO-{}", sale.number);
            let customer = customer_id(sale.customer);
            write(&mut self.planters, "orders", &mut orders, &order_fields(sale, &id, &customer, last_word));
            if !first_word {
                // Sent before with its lines; only its status is new, so its key is here a second time.
                repeat(&mut self.planters, "orders");
                continue;
            }
            for line in line_fields(sale, &id) {
                write(&mut self.planters, "order_lines", &mut lines, &line);
            }
            if sale.number.is_multiple_of(300) {
                let id = format!("SO-{}-U", sale.number);
                let stranger = customer_id(900_000 + sale.number % 1000);
                write(&mut self.planters, "orders", &mut orders, &order_fields(sale, &id, &stranger, true));
                for line in line_fields(sale, &id) {
                    write(&mut self.planters, "order_lines", &mut lines, &line);
                }
                self.unknown_customer_orders += 1;
            }
        }
        (orders, lines)
    }

    fn refunds(&mut self, at: usize) -> Table {
        let mut table = Table::new(Dialect { delimiter: ';', line_end: "\r\n", byte_order_mark: false }, &REFUNDS, &[]);
        for &index in &self.drops[at].refunds {
            let refund = &self.company.refunds[index];
            let fields = refund_fields(refund, &self.company.orders[refund.order]);
            write(&mut self.planters, "refunds", &mut table, &fields);
        }
        table
    }

    fn tickets(&mut self, at: usize, date: NaiveDate) -> Table {
        let byte_order_mark = at.is_multiple_of(4);
        let mut table = Table::new(Dialect { delimiter: ',', line_end: "\r\n", byte_order_mark }, &TICKETS, &[]);
        for &(index, first_word) in &self.drops[at].tickets {
            let fields = ticket_fields(&self.company.tickets[index], date);
            write(&mut self.planters, "tickets", &mut table, &fields);
            if !first_word {
                repeat(&mut self.planters, "tickets");
            }
        }
        table
    }

    fn answers(&mut self, at: usize) -> Table {
        let mut table = Table::new(PLAIN, &ANSWERS, &[]);
        for &index in &self.drops[at].answers {
            let answer = &self.company.answers[index];
            let mut fields = answer_fields(answer);
            write(&mut self.planters, "survey", &mut table, &fields);
            if answer.number.is_multiple_of(400) {
                // Readable, and yet no score: a rule of the table must find it, not the reader.
                fields[0].push('X');
                "relational".clone_into(&mut fields[3]);
                "11".clone_into(&mut fields[4]);
                fields[5].clear();
                write(&mut self.planters, "survey", &mut table, &fields);
                self.out_of_range_scores += 1;
            }
        }
        table
    }

    fn truth(&self) -> VecDeque<SampleFile> {
        let truth = Truth::of(
            &self.spec,
            &self.company,
            &self.planters,
            self.files,
            self.unknown_customer_orders,
            self.out_of_range_scores,
        );
        [SampleFile { path: "truth.json".to_owned(), bytes: truth.to_json() }].into()
    }
}

fn write(planters: &mut BTreeMap<&'static str, Planter>, source: &str, table: &mut Table, fields: &[String]) {
    if let Some(planter) = planters.get_mut(source) {
        planter.write(table, fields);
    }
}

fn repeat(planters: &mut BTreeMap<&'static str, Planter>, source: &str) {
    if let Some(planter) = planters.get_mut(source) {
        planter.repeated += 1;
    }
}

/// A drop holds what happened after the drop before it and up to its own date; what changed later is sent again.
fn sort_into_drops(company: &Company, dates: &[NaiveDate]) -> Vec<Week> {
    let mut drops: Vec<Week> = dates.iter().map(|_| Week::default()).collect();
    let drop_of = |date: NaiveDate| dates.partition_point(|drop| *drop < date);
    for (index, order) in company.orders.iter().enumerate() {
        let (first, last) = (drop_of(order.local.date()), drop_of(order.updated.date()));
        drops[first].orders.push((index, first == last));
        if first != last {
            drops[last].orders.push((index, true));
        }
    }
    for (index, refund) in company.refunds.iter().enumerate() {
        drops[drop_of(refund.date)].refunds.push(index);
    }
    for (index, ticket) in company.tickets.iter().enumerate() {
        let (first, last) = (drop_of(ticket.opened.date()), drop_of(ticket.resolved.date()));
        drops[first].tickets.push((index, true));
        if first != last && last < drops.len() {
            drops[last].tickets.push((index, false));
        }
    }
    for (index, answer) in company.answers.iter().enumerate() {
        drops[drop_of(answer.at.date())].answers.push(index);
    }
    drops
}
