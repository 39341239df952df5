//! The core contract: the canonical tables that a company's pack makes from its exports, and that all other packs read.
//!
//! Declared once, here. `check` holds a company's stages to it, `plan` leaves out by name what a company has no data for,
//! and `docs/core-tables.md` is written from it.

use crate::base::TableName;

/// One canonical table, `core.<name>`.
#[derive(Debug)]
pub struct CoreTable {
    pub name: &'static str,
    /// What one row is.
    pub grain: &'static str,
    /// The columns that tell one row from another; never NULL.
    pub key: &'static [&'static str],
    pub columns: &'static [CoreColumn],
}

/// One column of a canonical table.
#[derive(Debug)]
pub struct CoreColumn {
    pub name: &'static str,
    pub kind: CoreType,
    /// A column that is not needed may be left out: then the stages that read it are left out too. As NULLs of its type it
    /// says "not known", and they stay.
    pub needed: bool,
    pub meaning: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CoreType {
    Text,
    Integer,
    /// `DECIMAL(18, 4)`, as all money is.
    Money,
    Boolean,
    Date,
    Timestamp,
}

impl CoreType {
    /// As SQL writes it.
    pub fn sql(self) -> &'static str {
        match self {
            Self::Text => "VARCHAR",
            Self::Integer => "BIGINT",
            Self::Money => "DECIMAL(18, 4)",
            Self::Boolean => "BOOLEAN",
            Self::Date => "DATE",
            Self::Timestamp => "TIMESTAMP",
        }
    }
}

impl CoreTable {
    pub fn table(&self) -> String {
        format!("core.{}", self.name)
    }

    pub fn column(&self, name: &str) -> Option<&'static CoreColumn> {
        self.columns.iter().find(|c| c.name == name)
    }
}

/// The canonical table of that name, if there is one.
pub fn core_table(name: &TableName) -> Option<&'static CoreTable> {
    CORE.iter().find(|t| name.schema() == "core" && t.name == name.table())
}

const fn must(name: &'static str, kind: CoreType, meaning: &'static str) -> CoreColumn {
    CoreColumn { name, kind, needed: true, meaning }
}

const fn may(name: &'static str, kind: CoreType, meaning: &'static str) -> CoreColumn {
    CoreColumn { name, kind, needed: false, meaning }
}

use CoreType::{Boolean, Date, Integer, Money, Text, Timestamp};

/// Every canonical table, in the order a person would read about them.
pub static CORE: &[CoreTable] = &[
    CoreTable {
        name: "customers",
        grain: "one row per customer",
        key: &["customer_key"],
        columns: &[
            must("customer_key", Text, "the person or account; an id such as `17850.0` becomes `17850`"),
            may("name", Text, "PII; reports show it masked"),
            may("email", Text, "PII"),
            may("phone", Text, "PII"),
            may("segment", Text, "the company's own grouping, such as trade or consumer"),
            may("industry", Text, "of a company"),
            may("company_size", Text, "of a company: large, medium or small"),
            may("birth_year", Integer, "of a person; PII"),
            may("gender", Text, "of a person; PII"),
            may("occupation", Text, "of a person; PII"),
            may("education", Text, "of a person; PII"),
            may("income_band", Text, "of a person; PII"),
            may("city", Text, ""),
            may("region", Text, ""),
            may("country", Text, ""),
            may("created_on", Date, "when the customer was entered; the first order where there is no register"),
            may("channel", Text, "through which the customer came"),
            may("referred_by", Text, "the customer_key of who brought the customer; NULL for nobody"),
            may("owner", Text, "who looks after the customer"),
            may("marketing_consent", Boolean, "whether the customer may be written to"),
            may("member_since", Date, "when the customer joined the loyalty programme; NULL when never"),
            may("source", Text, "the system that knows the customer"),
            may("source_id", Text, "the customer's id there"),
        ],
    },
    CoreTable {
        name: "customer_sources",
        grain: "one row per id that a source system knows a customer by (the identity map)",
        key: &["source", "source_id"],
        columns: &[
            must("source", Text, "the system"),
            must("source_id", Text, "the id there"),
            must("customer_key", Text, "the customer it was found to be"),
            may("linked_on", Date, "when that was found"),
            may("rule", Text, "by what: the same id, e-mail or phone, or a person's word"),
            may("survives", Boolean, "whether the customer's attributes are taken from here; never NULL"),
        ],
    },
    CoreTable {
        name: "consents",
        grain: "one row per word of a customer on what may be done with his or her data",
        key: &["consent_id"],
        columns: &[
            must("consent_id", Text, ""),
            must("customer_key", Text, ""),
            must("purpose", Text, "marketing, profiling, sharing, …"),
            must("granted", Boolean, "FALSE when it was refused or withdrawn; never NULL"),
            must("bdate", Date, "the day it was said"),
            may("expires_on", Date, "the first day it no longer holds; NULL when it has no end"),
            may("basis", Text, "consent, contract, legal duty or legitimate interest"),
        ],
    },
    CoreTable {
        name: "orders",
        grain: "one row per order, those that do not count included",
        key: &["order_id"],
        columns: &[
            must("order_id", Text, ""),
            must("customer_key", Text, "NULL where the export does not say"),
            may("ordered_at", Timestamp, ""),
            must("bdate", Date, "business date"),
            may("status", Text, "pending, paid, shipped, completed, cancelled or adjusted"),
            may("gross", Money, "before discount, tax and freight"),
            may("discount", Money, "what was taken off gross"),
            may("tax", Money, ""),
            may("freight", Money, ""),
            must("net", Money, "gross less discount; signed for credit notes"),
            may("cost", Money, "what the goods cost the company"),
            may("channel", Text, "web, store, phone, …"),
            may("currency", Text, ""),
            may("country", Text, ""),
            may("campaign", Text, "the campaign the order is put down to"),
            may("delivered_at", Timestamp, "when the customer had it; NULL while it is under way"),
            may("delivered_on", Date, "business date of being delivered"),
            may("promised_at", Timestamp, "by when it was promised"),
            must("valid", Boolean, "whether its status counts and its customer is known; never NULL"),
        ],
    },
    CoreTable {
        name: "order_lines",
        grain: "one row per line of an order",
        key: &["order_id", "line_id"],
        columns: &[
            must("order_id", Text, ""),
            must("line_id", Integer, "unique within its order"),
            must("customer_key", Text, "NULL where the export does not say"),
            must("product_id", Text, ""),
            may("description", Text, ""),
            may("category", Text, "the product's"),
            may("ordered_at", Timestamp, ""),
            must("bdate", Date, "business date"),
            must("quantity", Integer, "signed"),
            may("unit_price", Money, "what one was sold for"),
            may("list_price", Money, "what one costs without any discount"),
            may("discount", Money, "what was taken off the line"),
            must("net", Money, "after the line's discount, signed"),
            may("cost", Money, "what the line's goods cost the company"),
            may("is_cancelled", Boolean, "its order is a credit note, or cancelled"),
            must(
                "valid",
                Boolean,
                "not cancelled, something was bought for money, and the customer is known; never NULL",
            ),
            may("country", Text, ""),
        ],
    },
    CoreTable {
        name: "products",
        grain: "one row per product",
        key: &["product_id"],
        columns: &[
            must("product_id", Text, ""),
            may("name", Text, ""),
            may("category", Text, ""),
            may("list_price", Money, ""),
            may("cost", Money, "what one costs the company"),
        ],
    },
    CoreTable {
        name: "refunds",
        grain: "one row per refund or credit note",
        key: &["refund_id"],
        columns: &[
            must("refund_id", Text, ""),
            must(
                "order_id",
                Text,
                "the order it takes back; NULL where the export does not say, and then no KPI takes it off a purchase",
            ),
            may("customer_key", Text, ""),
            must("bdate", Date, "when the money went back"),
            must("amount", Money, "positive"),
            may("reason", Text, ""),
        ],
    },
    CoreTable {
        name: "tickets",
        grain: "one row per service ticket",
        key: &["ticket_id"],
        columns: &[
            must("ticket_id", Text, ""),
            must("customer_key", Text, "NULL where the export does not say"),
            may("order_id", Text, "the order it is about"),
            must("opened_at", Timestamp, "UTC, as all its times"),
            may("first_reply_at", Timestamp, "the first answer of a person; NULL while there is none"),
            must("resolved_at", Timestamp, "NULL while it is open, and where only the day is known"),
            may("due_at", Timestamp, "when the service level says it must be resolved"),
            may("reopened_at", Timestamp, "when it was first opened again; NULL when never"),
            must("bdate", Date, "business date of being opened"),
            must("resolved_on", Date, "business date of being resolved, or closed for good; NULL while it is open"),
            may("due_on", Date, "business date of being due"),
            may(
                "sla_met",
                Boolean,
                "whether it was resolved in time, where only the source system knows; NULL where due_at says it",
            ),
            may("topic", Text, ""),
            may("channel", Text, ""),
            may("priority", Text, ""),
            may("agent", Text, "who handled it"),
            may("is_complaint", Boolean, "whether the customer complained, instead of asking"),
            may("contacts", Integer, "how often the customer and the company spoke"),
            may("reopened", Boolean, "whether it was opened again after it was resolved"),
            may("message", Text, "what the customer wrote first; free text, may name people"),
        ],
    },
    CoreTable {
        name: "ticket_events",
        grain: "one row per event in the life of a ticket",
        key: &["ticket_id", "event_no"],
        columns: &[
            must("ticket_id", Text, ""),
            must("event_no", Integer, "in order of time within its ticket"),
            must("happened_at", Timestamp, "UTC"),
            must("bdate", Date, ""),
            must("event", Text, "opened, replied, transferred, resolved, reopened or closed"),
            may("agent", Text, ""),
        ],
    },
    CoreTable {
        name: "survey_invitations",
        grain: "one row per invitation to a survey",
        key: &["invitation_id"],
        columns: &[
            must("invitation_id", Text, ""),
            must("customer_key", Text, ""),
            must("survey", Text, "relational or transactional"),
            must("sent_on", Date, "business date of sending"),
            may("wave", Text, ""),
            must("delivered", Boolean, "FALSE when it bounced; never NULL"),
        ],
    },
    CoreTable {
        name: "survey_responses",
        grain: "one row per answer",
        key: &["response_id"],
        columns: &[
            must("response_id", Text, ""),
            must("customer_key", Text, ""),
            may("invitation_id", Text, "the invitation it answers"),
            must("answered_at", Timestamp, "UTC"),
            must("bdate", Date, "business date of the answer"),
            must("survey", Text, "relational (would you recommend us) or transactional (how was this contact)"),
            may("wave", Text, "which wave of the survey, where waves follow each other; NULL outside of them"),
            may("nps", Integer, "0 to 10, in the relational survey"),
            may("csat", Integer, "1 to 5, in the transactional survey"),
            may("ces", Integer, "1 to 7: the company made it easy"),
            may("csat_score", Integer, "how content, on any scale, one of 1 to 5 included"),
            may("csat_scale", Text, "the scale of csat_score, as in `1-7` or `0-10`; more is better"),
            may("ces_score", Integer, "agreement that the company made it easy, on any scale, one of 1 to 7 included"),
            may("ces_scale", Text, "the scale of ces_score, as in `1-5`"),
            may("touchpoint", Text, "what it was about: delivery, service, …"),
            may("comment", Text, "free text; may name people"),
        ],
    },
    CoreTable {
        name: "interactions",
        grain: "one row per contact between the company and a customer",
        key: &["interaction_id"],
        columns: &[
            must("interaction_id", Text, ""),
            must("customer_key", Text, ""),
            may("happened_at", Timestamp, "UTC"),
            must("bdate", Date, ""),
            must("channel", Text, "phone, e-mail, social, face to face, web, store"),
            may("kind", Text, "visit, call, offer, …"),
            may("inbound", Boolean, "whether the customer began it"),
        ],
    },
    CoreTable {
        name: "events",
        grain: "one row per thing a customer did on the web site or in the app",
        key: &["event_id"],
        columns: &[
            must("event_id", Text, ""),
            must("customer_key", Text, ""),
            may("happened_at", Timestamp, "UTC"),
            must("bdate", Date, ""),
            must("kind", Text, "view, search, basket, …"),
            may("product_id", Text, ""),
            may("term", Text, "what was searched for"),
        ],
    },
    CoreTable {
        name: "opportunities",
        grain: "one row per sale that somebody tries to make",
        key: &["opportunity_id"],
        columns: &[
            must("opportunity_id", Text, ""),
            must("customer_key", Text, "NULL while it is nobody the register knows"),
            must("created_on", Date, ""),
            must("closed_on", Date, "when it was won or lost; NULL while it is open"),
            must("won", Boolean, "FALSE when it was lost; NULL while it is open"),
            may("stage", Text, "how far it has come, as the company calls it"),
            may("amount", Money, "what it is expected to bring, or brought"),
            may("owner", Text, "who tries"),
        ],
    },
    CoreTable {
        name: "referrals",
        grain: "one row per customer or contact that another customer invited",
        key: &["referral_id"],
        columns: &[
            must("referral_id", Text, ""),
            must("referrer_key", Text, "the customer_key of who invited"),
            may("referred_key", Text, "the customer_key of who came; NULL while nobody has"),
            must("bdate", Date, "of the invitation"),
        ],
    },
    CoreTable {
        name: "campaign_contacts",
        grain: "one row per campaign and customer it was meant for",
        key: &["campaign", "customer_key"],
        columns: &[
            must("campaign", Text, ""),
            must("customer_key", Text, ""),
            must("bdate", Date, "when the campaign reached the customer, or would have"),
            must("control", Boolean, "whether the customer was held out for comparison; never NULL"),
            may("opened", Boolean, ""),
            may("clicked", Boolean, ""),
        ],
    },
    CoreTable {
        name: "costs",
        grain: "one row per amount spent on customers",
        key: &["cost_id"],
        columns: &[
            must("cost_id", Text, ""),
            must("bdate", Date, "the day, or the first day of the month, it was spent on"),
            must("kind", Text, "acquisition, service, crm or campaign"),
            may("campaign", Text, ""),
            must("amount", Money, "positive"),
        ],
    },
    CoreTable {
        name: "contracts",
        grain: "one row per contract or subscription and its term",
        key: &["contract_id", "starts_on"],
        columns: &[
            must("contract_id", Text, ""),
            must("customer_key", Text, ""),
            must("starts_on", Date, ""),
            must("ends_on", Date, "the first day it no longer covers; NULL when it has no end"),
            must("renewed", Boolean, "whether another term followed; NULL while that is open"),
            may("monthly", Money, "what it brings a month"),
            may("reason", Text, "why it was not renewed"),
        ],
    },
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_contract_is_sound() {
        let names: BTreeSet<&str> = CORE.iter().map(|t| t.name).collect();
        assert_eq!(names.len(), CORE.len(), "no table stands twice");
        for table in CORE {
            assert!(table.table().parse::<TableName>().is_ok(), "{}", table.name);
            let columns: BTreeSet<&str> = table.columns.iter().map(|c| c.name).collect();
            assert_eq!(columns.len(), table.columns.len(), "{}: no column stands twice", table.name);
            for key in table.key {
                assert!(table.column(key).is_some_and(|c| c.needed), "{}.{key}", table.name);
            }
            for column in table.columns {
                assert!(TableName::new("core", column.name).is_ok(), "{}.{}", table.name, column.name);
            }
        }
        assert!(core_table(&"core.orders".parse().expect("a name")).is_some());
        assert!(core_table(&"crm.orders".parse().expect("a name")).is_none());
        assert!(core_table(&"core.valid_orders".parse().expect("a name")).is_none(), "`crm/core` makes it");
    }
}
