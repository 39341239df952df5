//! Scores by cuts that keep ties: catalogue of RFM, where NTILE would part equal customers.

use super::numeric::{Answer, Gives, Numeric};

const fn score(name: &'static str, call: fn(&[f64]) -> Answer) -> Numeric {
    Numeric { name, model: &[], few: 5, many: 5, gives: Gives::Integer, takes_null: false, call }
}

pub(super) const FUNCTIONS: &[Numeric] = &[
    score("quantile_score", |v| cuts_passed(v, |value, cut| value > cut)),
    score("quantile_score_rfm", |v| cuts_passed(v, |value, cut| value >= cut + 1.0)),
];

fn cuts_passed(v: &[f64], passes: fn(f64, f64) -> bool) -> Answer {
    let (value, cuts) = (v[0], &v[1..]);
    if !cuts.is_sorted() {
        return Err("the cuts must not fall".to_owned());
    }
    Ok(Some(cuts.iter().fold(1.0, |score, cut| if passes(value, *cut) { score + 1.0 } else { score })))
}
