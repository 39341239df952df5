//! What really happened at Hartwell & Finch: who came, what they ordered, sent back, asked and answered. Grows, has
//! seasons, a change for the better, a month in which many leave, one in which service fails and one in which a campaign brings
//! some of those who left back.

use chrono::{DateTime, Datelike, Days, Duration, NaiveDate, NaiveDateTime, NaiveTime, TimeZone, Timelike, Utc};
use chrono_tz::Europe::London;

use super::Spec;
use super::random::Random;

pub(super) struct Company {
    /// In order of number, which says nothing about when they came.
    pub(super) customers: Vec<Customer>,
    /// In order of time.
    pub(super) orders: Vec<Order>,
    pub(super) refunds: Vec<Refund>,
    pub(super) tickets: Vec<Ticket>,
    pub(super) answers: Vec<Answer>,
    /// Customers who would have bought again when the churn wave came, and of them those who left in it.
    pub(super) there_at_wave: u32,
    pub(super) left_in_wave: u32,
    /// How many customers the campaign reached.
    pub(super) reached: u32,
    /// The numbers of those whom it brought back.
    pub(super) came_back: Vec<u32>,
}

pub(super) struct Customer {
    pub(super) number: u32,
    pub(super) trade: bool,
    pub(super) name: String,
    pub(super) city: &'static str,
    pub(super) created_on: NaiveDate,
}

pub(super) struct Order {
    pub(super) number: u32,
    pub(super) customer: u32,
    /// Wall clock in London.
    pub(super) local: NaiveDateTime,
    pub(super) channel: &'static str,
    /// As the order was first sent, when that differs from how it ended and lies in an earlier drop.
    pub(super) first_status: Option<&'static str>,
    pub(super) status: &'static str,
    /// When it got its last status, wall clock in London.
    pub(super) updated: NaiveDateTime,
    pub(super) lines: Vec<Line>,
}

#[derive(Clone, Copy)]
pub(super) struct Line {
    pub(super) product: &'static Product,
    pub(super) quantity: u32,
    /// Pence, after the discount.
    pub(super) net: i64,
}

pub(super) struct Product {
    pub(super) id: &'static str,
    pub(super) name: &'static str,
    pub(super) price: i64,
    pub(super) cost: i64,
}

pub(super) struct Refund {
    pub(super) number: u32,
    /// Into `Company::orders`.
    pub(super) order: usize,
    pub(super) date: NaiveDate,
    pub(super) amount: i64,
    pub(super) reason: &'static str,
}

pub(super) struct Ticket {
    pub(super) number: u32,
    pub(super) customer: u32,
    pub(super) opened: NaiveDateTime,
    pub(super) replied: NaiveDateTime,
    pub(super) resolved: NaiveDateTime,
    pub(super) topic: &'static str,
    pub(super) channel: &'static str,
    pub(super) due: NaiveDateTime,
    pub(super) contacts: u32,
    pub(super) reopened: bool,
}

pub(super) struct Answer {
    pub(super) number: u32,
    pub(super) customer: u32,
    pub(super) at: NaiveDateTime,
    /// 0 to 10, in the relational survey.
    pub(super) nps: Option<u32>,
    /// 1 to 5, in the transactional one.
    pub(super) csat: Option<u32>,
    pub(super) comment: &'static str,
}

impl Order {
    pub(super) fn gross(&self) -> i64 {
        self.lines.iter().map(|line| i64::from(line.quantity) * line.product.price).sum()
    }

    pub(super) fn net(&self) -> i64 {
        self.lines.iter().map(|line| line.net).sum()
    }

    pub(super) fn cost(&self) -> i64 {
        self.lines.iter().map(|line| i64::from(line.quantity) * line.product.cost).sum()
    }

    /// Whether its last status makes it a sale.
    pub(super) fn counts(&self) -> bool {
        matches!(self.status, "paid" | "shipped" | "completed")
    }
}

/// London's wall clock as UTC. No hour drawn here is one that a clock change repeats or leaves out.
pub(super) fn utc(local: NaiveDateTime) -> DateTime<Utc> {
    London.from_local_datetime(&local).earliest().map_or_else(|| local.and_utc(), |at| at.with_timezone(&Utc))
}

const SEASONS_PER_MILLE: [u32; 12] = [900, 850, 950, 980, 1000, 1000, 920, 880, 1020, 1080, 1300, 1350];
/// Local hours of orders, the small one after midnight included: in summer it is still the day before in UTC.
const ORDER_HOURS: [u32; 20] = [0, 7, 8, 9, 9, 10, 10, 11, 12, 12, 13, 14, 15, 16, 18, 19, 20, 21, 22, 23];

#[rustfmt::skip]
static PRODUCTS: [Product; 16] = [
    Product { id: "HF-1001", name: "Oak breakfast tray", price: 3450, cost: 1710 },
    Product { id: "HF-1002", name: "Linen apron, \"Finch\"", price: 2800, cost: 1150 },
    Product { id: "HF-1003", name: "Stoneware mug", price: 1250, cost: 430 },
    Product { id: "HF-1004", name: "Tea towels, set of 3", price: 1600, cost: 590 },
    Product { id: "HF-1005", name: "Cast-iron pan 26 cm", price: 5900, cost: 3240 },
    Product { id: "HF-1006", name: "Bread knife", price: 4200, cost: 2080 },
    Product { id: "HF-1007", name: "Café cups, box of 6", price: 3900, cost: 1860 },
    Product { id: "HF-1008", name: "Beeswax candles", price: 950, cost: 310 },
    Product { id: "HF-1009", name: "Wool throw", price: 8900, cost: 4650 },
    Product { id: "HF-1010", name: "Glass carafe 1,0 l", price: 2250, cost: 900 },
    Product { id: "HF-1011", name: "Olive-wood board", price: 3100, cost: 1490 },
    Product { id: "HF-1012", name: "Enamel bowl", price: 1450, cost: 520 },
    Product { id: "HF-1013", name: "Recipe notebook", price: 1100, cost: 300 },
    Product { id: "HF-1014", name: "Spice jars, set of 12", price: 2650, cost: 1120 },
    Product { id: "HF-1015", name: "Copper kettle", price: 12_500, cost: 7300 },
    Product { id: "HF-1016", name: "Gift wrap", price: 350, cost: 60 },
];
const FIRST_NAMES: [&str; 16] = [
    "Amelia", "Oliver", "Zoë", "George", "Isla", "Noah", "Siobhán", "Arthur", "Priya", "Leo", "Chloé", "Harry", "Mei",
    "Jack", "Freya", "Oscar",
];
const LAST_NAMES: [&str; 16] = [
    "Ashworth", "O'Neil", "Baker", "Chaudhry", "Davies", "Müller", "Fletcher", "García", "Hughes", "Ito", "Jones",
    "Kowalski", "Lloyd", "Nwosu", "Price", "Shaw",
];
const TRADES: [&str; 6] =
    ["& Sons", "Catering Ltd", "Interiors, London", "Tea Rooms", "Hotels Group", "\"Larder\" Deli"];
const CITIES: [&str; 10] =
    ["London", "Leeds", "Bristol", "Cardiff", "Glasgow", "York", "Bath", "Norwich", "Stoke-on-Trent", "Belfast"];
const COMMENTS: [&str; 8] = [
    "",
    "",
    "",
    "Lovely things, quick delivery",
    "Box was damaged,\nbut the mug survived",
    "As described; would buy again",
    "They said \"tomorrow\" and it took a week",
    "Too slow.\r\n\r\nNobody answered.",
];

/// Lives through every day of the company.
pub(super) fn simulate(spec: &Spec) -> Company {
    let mut company = Company {
        customers: Vec::new(),
        orders: Vec::new(),
        refunds: Vec::new(),
        tickets: Vec::new(),
        answers: Vec::new(),
        there_at_wave: 0,
        left_in_wave: 0,
        reached: 0,
        came_back: Vec::new(),
    };
    for number in 1..=spec.customers {
        let mut random = Random::stream(spec.seed, u64::from(number));
        let customer = new_customer(spec, number, &mut random);
        live(spec, &customer, &mut random, &mut company);
        company.customers.push(customer);
    }
    company.orders.sort_by_key(|order| (order.local, order.customer));
    for (order, number) in company.orders.iter_mut().zip(100_001..) {
        order.number = number;
    }
    follow_orders(spec, &mut company);
    company.refunds.sort_by_key(|refund| (refund.date, refund.order));
    company.tickets.sort_by_key(|ticket| (ticket.opened, ticket.customer));
    company.answers.sort_by_key(|answer| (answer.at, answer.customer));
    for (refund, number) in company.refunds.iter_mut().zip(5001..) {
        refund.number = number;
    }
    for (ticket, number) in company.tickets.iter_mut().zip(20_001..) {
        ticket.number = number;
    }
    for (answer, number) in company.answers.iter_mut().zip(70_001..) {
        answer.number = number;
    }
    company
}

fn new_customer(spec: &Spec, number: u32, random: &mut Random) -> Customer {
    let trade = random.chance(220_000);
    let name = match number {
        // Whoever shows a name must be ready for these two.
        3 => "<script>alert(1)</script>".to_owned(),
        7 => "=cmd()".to_owned(),
        _ if trade => format!("{} {}", random.pick(&LAST_NAMES), random.pick(&TRADES)),
        _ => format!("{} {}", random.pick(&FIRST_NAMES), random.pick(&LAST_NAMES)),
    };
    Customer { number, trade, name, city: random.pick(&CITIES), created_on: arrival(spec, random) }
}

/// A day drawn so that twice as many come at the end as at the beginning, and more before Christmas.
fn arrival(spec: &Spec, random: &mut Random) -> NaiveDate {
    let days = u32::try_from((spec.as_of - spec.start).num_days()).unwrap_or(1).max(1);
    // Some were there before the exports begin; they show up early.
    if random.chance(120_000) {
        return spec.start + Days::new(u64::from(random.below(days.min(30))));
    }
    loop {
        let day = random.below(days);
        let date = spec.start + Days::new(u64::from(day));
        let weight = (1000 + 1000 * day / days) * season(date) / 1000;
        if random.below(2700) < weight {
            return date;
        }
    }
}

fn season(date: NaiveDate) -> u32 {
    SEASONS_PER_MILLE[date.month0() as usize]
}

/// One customer's days: a first order, then another with a constant chance a day, and after each a chance to give up. Whom the
/// campaign brings back lives on like that.
fn live(spec: &Spec, customer: &Customer, random: &mut Random, company: &mut Company) {
    if random.chance(60_000) {
        return;
    }
    let mean_gap = if customer.trade { random.between(12, 30) } else { random.between(25, 60) };
    let mut day = customer.created_on + Days::new(u64::from(random.below(10)));
    let mut surely = true;
    while day < spec.as_of {
        let mut leaves = false;
        let in_wave = !surely && day == spec.churn_wave();
        company.there_at_wave += u32::from(in_wave);
        if in_wave && random.chance(350_000) {
            company.left_in_wave += 1;
            leaves = true;
        } else if surely || random.chance(1000 * season(day) / mean_gap) {
            surely = false;
            company.orders.push(new_order(customer, day, random));
            leaves = random.chance(give_up_per_million(spec, customer, day));
        }
        day = if leaves {
            let Some(back) = comes_back(spec, customer, day, company) else { return };
            surely = true;
            back
        } else {
            day + Days::new(1)
        };
    }
}

/// When the campaign brings back who left on this day, if it does. It reaches those silent for some time.
fn comes_back(spec: &Spec, customer: &Customer, left: NaiveDate, company: &mut Company) -> Option<NaiveDate> {
    let campaign = spec.win_back();
    if campaign.signed_duration_since(left).num_days() < 60 {
        return None;
    }
    company.reached += 1;
    if company.reached % 10 >= COME_BACK_OF_TEN {
        return None;
    }
    company.came_back.push(customer.number);
    let mut random = Random::stream(spec.seed.rotate_left(32), u64::from(customer.number));
    Some(campaign + Days::new(u64::from(random.below(28))))
}

/// So many of ten, counted and not drawn, so that what is found of them varies little.
pub(super) const COME_BACK_OF_TEN: u32 = 3;

pub(super) fn give_up_per_million(spec: &Spec, customer: &Customer, day: NaiveDate) -> u32 {
    let base = if customer.trade { 120_000 } else { 260_000 };
    if day < spec.retention_shift() { base + 100_000 } else { base }
}

fn new_order(customer: &Customer, day: NaiveDate, random: &mut Random) -> Order {
    let local = at_hour(day, random.pick(&ORDER_HOURS), random);
    let mut lines = Vec::new();
    for _ in 0..random.between(1, 3) {
        let product = &PRODUCTS[random.below(16) as usize];
        let quantity = if customer.trade { random.between(2, 12) } else { random.between(1, 3) };
        let gross = i64::from(quantity) * product.price;
        let discount = if random.chance(200_000) { i64::from(random.between(1, 3)) * 5 } else { 0 };
        lines.push(Line { product, quantity, net: gross * (100 - discount) / 100 });
    }
    let status = match random.below(1000) {
        0..30 => "cancelled",
        30..40 => "pending",
        40..70 => "paid",
        70..120 => "shipped",
        _ => "completed",
    };
    // One in eight changes its status so late that it may be sent again with a later drop.
    let changes = matches!(status, "cancelled" | "shipped" | "completed") && random.chance(125_000);
    let updated = if changes { local + Duration::days(i64::from(random.between(1, 12))) } else { local };
    Order {
        number: 0,
        customer: customer.number,
        local,
        channel: if customer.trade { "account" } else { random.pick(&["web", "web", "web", "shop", "phone"]) },
        first_status: changes.then_some("paid"),
        status,
        updated,
        lines,
    }
}

fn at_hour(day: NaiveDate, hour: u32, random: &mut Random) -> NaiveDateTime {
    let seconds = hour * 3600 + random.below(3600);
    day.and_time(NaiveTime::MIN) + Duration::seconds(i64::from(seconds))
}

/// What orders lead to: a status that is never learned, refunds, tickets, answers. Nothing after the last day.
fn follow_orders(spec: &Spec, company: &mut Company) {
    let last = spec.last_day();
    for (at, order) in company.orders.iter_mut().enumerate() {
        let mut random = Random::stream(!spec.seed, u64::from(order.number));
        if let Some(first) = order.first_status
            && order.updated.date() > last
        {
            (order.status, order.first_status, order.updated) = (first, None, order.local);
        }
        let day = order.local.date();
        let later = |days: u32| day + Days::new(u64::from(days));

        let refund_date = later(random.between(2, 20));
        if random.chance(40_000) && order.counts() && refund_date <= last {
            let full = random.chance(400_000);
            let share = if full { 100 } else { i64::from(random.between(20, 60)) };
            company.refunds.push(Refund {
                number: 0,
                order: at,
                date: refund_date,
                amount: order.net() * share / 100,
                reason: random.pick(&["damaged", "late", "changed mind; no longer needed", "wrong item"]),
            });
        }
        let opened = at_hour(later(random.below(10)), random.between(8, 15), &mut random);
        if random.chance(120_000) && opened.date() <= last {
            let ticket = new_ticket(spec, order.customer, opened, &mut random);
            if random.chance(500_000) && ticket.resolved.date() < last {
                let happy = ticket.resolved <= ticket.due;
                let csat = if happy { random.pick(&[5, 5, 4, 4, 3]) } else { random.pick(&[1, 2, 2, 3, 4]) };
                let at = ticket.resolved + Duration::minutes(i64::from(random.between(10, 600)));
                company.answers.push(new_answer(order.customer, at, None, Some(csat), &mut random));
            }
            company.tickets.push(ticket);
        }
        let answered = at_hour(later(random.between(1, 7)), random.between(8, 22), &mut random);
        if random.chance(200_000) && answered.date() <= last {
            let nps = recommendation(in_month(answered.date(), spec.nps_drop()), &mut random);
            company.answers.push(new_answer(order.customer, answered, Some(nps), None, &mut random));
        }
    }
}

fn new_ticket(spec: &Spec, customer: u32, opened: NaiveDateTime, random: &mut Random) -> Ticket {
    let sla_hours = random.pick(&[8, 24, 24, 72]);
    let late = random.chance(late_per_million(in_month(opened.date(), spec.nps_drop())));
    let percent_of_sla = if late { random.between(105, 300) } else { random.between(5, 95) };
    let minutes = (sla_hours * 60 * percent_of_sla / 100).max(10);
    let mut resolved = opened + Duration::minutes(i64::from(minutes));
    // Wall-clock arithmetic is fine for a fiction, but no time may fall into the hour that a clock change repeats or skips.
    if resolved.hour() == 1 || resolved.hour() == 2 {
        resolved += Duration::hours(3);
    }
    Ticket {
        number: 0,
        customer,
        opened,
        replied: opened + Duration::minutes(i64::from(random.between(5, minutes.min(240)))),
        resolved,
        topic: random.pick(&["delivery", "damage", "invoice", "complaint", "question"]),
        channel: random.pick(&["e-mail", "phone", "chat"]),
        due: opened + Duration::hours(i64::from(sla_hours)),
        contacts: if random.chance(650_000) { 1 } else { random.between(2, 4) },
        reopened: random.chance(60_000),
    }
}

fn new_answer(customer: u32, at: NaiveDateTime, nps: Option<u32>, csat: Option<u32>, random: &mut Random) -> Answer {
    Answer { number: 0, customer, at, nps, csat, comment: random.pick(&COMMENTS) }
}

/// How many tickets of a million take longer than their service level allows.
pub(super) fn late_per_million(bad: bool) -> u32 {
    if bad { 450_000 } else { 130_000 }
}

/// Promoters and detractors of a hundred who answer: usually, and when service fails.
pub(super) fn promoters_and_detractors(bad: bool) -> (u32, u32) {
    if bad { (22, 48) } else { (52, 18) }
}

fn recommendation(bad: bool, random: &mut Random) -> u32 {
    let (promoters, detractors) = promoters_and_detractors(bad);
    match random.below(100) {
        draw if draw < promoters => random.between(9, 10),
        draw if draw < 100 - detractors => random.between(7, 8),
        _ => random.between(0, 6),
    }
}

fn in_month(date: NaiveDate, month: NaiveDate) -> bool {
    (date.year(), date.month()) == (month.year(), month.month())
}
