//! The columns of every export, and what happened as the fields of its rows.

use chrono::{Datelike, NaiveDate, NaiveDateTime};

use super::company::{Answer, Customer, Order, Refund, Ticket, utc};
use super::table::pounds;

pub(super) const CUSTOMERS: [&str; 10] = [
    "customer_id",
    "name",
    "email",
    "phone",
    "segment",
    "city",
    "country",
    "created_at",
    "marketing_consent",
    "updated_at",
];
pub(super) const ORDERS: [&str; 12] = [
    "order_id",
    "customer_id",
    "ordered_at",
    "status",
    "channel",
    "currency",
    "gross",
    "discount",
    "freight",
    "tax",
    "cost",
    "updated_at",
];
/// The ERP was upgraded half-way; since then its columns stand in another order.
pub(super) const ORDERS_SINCE_UPGRADE: [usize; 12] = [0, 2, 1, 11, 4, 3, 5, 10, 6, 7, 9, 8];
pub(super) const LINES: [&str; 7] = ["order_id", "line_no", "product_id", "description", "qty", "unit_price", "net"];
pub(super) const LINES_SINCE_UPGRADE: [&str; 7] =
    ["order_id", "line_no", "product_id", "description", "quantity", "unit_price", "net"];
pub(super) const REFUNDS: [&str; 5] = ["refund_id", "order_id", "refunded_on", "amount", "reason"];
pub(super) const TICKETS: [&str; 11] = [
    "ticket_id",
    "customer_id",
    "opened_at",
    "first_reply_at",
    "resolved_at",
    "topic",
    "channel",
    "due_at",
    "contacts",
    "reopened",
    "updated_at",
];
pub(super) const ANSWERS: [&str; 7] = ["response_id", "customer_id", "answered_at", "survey", "nps", "csat", "comment"];

/// Numbers of these ranges are set aside for fiction by Ofcom, a thousand each.
const FICTION: [&str; 16] = [
    "01632 960",
    "020 7946 0",
    "0113 496 0",
    "0114 496 0",
    "0115 496 0",
    "0116 496 0",
    "0117 496 0",
    "0118 496 0",
    "0121 496 0",
    "0131 496 0",
    "0141 496 0",
    "0151 496 0",
    "0161 496 0",
    "0191 498 0",
    "028 9649 6",
    "029 2018 0",
];

pub(super) fn customer_id(number: u32) -> String {
    format!("HF{number:06}")
}

pub(super) fn utc_text(local: NaiveDateTime) -> String {
    utc(local).format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

pub(super) fn customer_fields(customer: &Customer) -> Vec<String> {
    let created = customer.created_on.format("%d/%m/%Y").to_string();
    vec![
        customer_id(customer.number),
        customer.name.clone(),
        if customer.number.is_multiple_of(25) {
            String::new()
        } else {
            format!("customer{}@example.com", customer.number)
        },
        match customer.number % 10 {
            1 => "NULL".to_owned(),
            2 => "n/a".to_owned(),
            3 => "-".to_owned(),
            _ => {
                let range = FICTION[customer.number as usize / 1000 % FICTION.len()];
                format!("{range}{:03}", customer.number % 1000)
            }
        },
        if customer.trade { "trade" } else { "consumer" }.to_owned(),
        customer.city.to_owned(),
        "United Kingdom".to_owned(),
        created.clone(),
        if customer.created_on.day().is_multiple_of(3) { "N" } else { "Y" }.to_owned(),
        created,
    ]
}

pub(super) fn order_fields(order: &Order, id: &str, customer: &str, last_word: bool) -> Vec<String> {
    let (gross, net) = (order.gross(), order.net());
    let (status, updated) = match order.first_status {
        Some(first) if !last_word => (first, order.local),
        _ => (order.status, order.updated),
    };
    vec![
        id.to_owned(),
        customer.to_owned(),
        utc_text(order.local),
        status.to_owned(),
        order.channel.to_owned(),
        "GBP".to_owned(),
        pounds(gross),
        pounds(gross - net),
        pounds(if net < 5000 { 395 } else { 0 }),
        pounds(net / 5),
        pounds(order.cost()),
        utc_text(updated),
    ]
}

pub(super) fn line_fields<'a>(order: &'a Order, id: &'a str) -> impl Iterator<Item = Vec<String>> + 'a {
    order.lines.iter().zip(1..).map(move |(line, number)| {
        vec![
            id.to_owned(),
            number.to_string(),
            line.product.id.to_owned(),
            line.product.name.to_owned(),
            line.quantity.to_string(),
            pounds(line.product.price),
            pounds(line.net),
        ]
    })
}

pub(super) fn refund_fields(refund: &Refund, order: &Order) -> Vec<String> {
    vec![
        format!("RF-{}", refund.number),
        format!("SO-{}", order.number),
        refund.date.format("%d.%m.%Y").to_string(),
        pounds(refund.amount).replace('.', ","),
        refund.reason.to_owned(),
    ]
}

/// A ticket as it stood at the end of a day.
pub(super) fn ticket_fields(ticket: &Ticket, date: NaiveDate) -> Vec<String> {
    let text = |at: NaiveDateTime| at.format("%d/%m/%Y %H:%M:%S").to_string();
    let known = |at: NaiveDateTime| if at.date() <= date { text(at) } else { String::new() };
    let resolved = ticket.resolved.date() <= date;
    vec![
        format!("T-{}", ticket.number),
        customer_id(ticket.customer),
        text(ticket.opened),
        known(ticket.replied),
        known(ticket.resolved),
        ticket.topic.to_owned(),
        ticket.channel.to_owned(),
        text(ticket.due),
        ticket.contacts.to_string(),
        if resolved && ticket.reopened { "Y" } else { "N" }.to_owned(),
        text(if resolved { ticket.resolved } else { ticket.opened }),
    ]
}

pub(super) fn answer_fields(answer: &Answer) -> Vec<String> {
    let score = |score: Option<u32>| score.map_or_else(|| "-".to_owned(), |score| score.to_string());
    vec![
        format!("V-{}", answer.number),
        customer_id(answer.customer),
        utc_text(answer.at),
        if answer.nps.is_some() { "relational" } else { "transactional" }.to_owned(),
        score(answer.nps),
        score(answer.csat),
        answer.comment.to_owned(),
    ]
}
