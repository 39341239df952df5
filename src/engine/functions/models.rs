//! What the models say of a customer, as functions of numbers.

use super::beta_geometric::{Lost, Model};
use super::numeric::{Answer, Gives, Numeric, of};
use super::{gamma_gamma, pareto, shifted_geometric};

const BETA_GEOMETRIC: &[&str] = &["r", "alpha", "a", "b"];
const PARETO: &[&str] = &["r", "alpha", "s", "beta"];
const GAMMA_GAMMA: &[&str] = &["p", "q", "gamma"];
const SHIFTED: &[&str] = &["alpha", "beta"];

const fn model(
    name: &'static str,
    model: &'static [&'static str],
    count: usize,
    call: fn(&[f64]) -> Answer,
) -> Numeric {
    Numeric { name, model, few: count, many: count, gives: Gives::Double, takes_null: false, call }
}

pub(super) const FUNCTIONS: &[Numeric] = &[
    model("bgnbd_expected", BETA_GEOMETRIC, 4, |v| beta_expected(Lost::AfterRepeats, v)),
    model("bgnbd_alive", BETA_GEOMETRIC, 3, |v| beta_alive(Lost::AfterRepeats, v)),
    model("bgnbd_unconditional", BETA_GEOMETRIC, 1, |v| beta_unconditional(Lost::AfterRepeats, v)),
    model("bgnbd_probability", BETA_GEOMETRIC, 2, |v| beta_probability(Lost::AfterRepeats, v)),
    model("bgnbd_clv", BETA_GEOMETRIC, 7, |v| beta_clv(Lost::AfterRepeats, v)),
    model("mbgnbd_expected", BETA_GEOMETRIC, 4, |v| beta_expected(Lost::AfterAny, v)),
    model("mbgnbd_alive", BETA_GEOMETRIC, 3, |v| beta_alive(Lost::AfterAny, v)),
    model("mbgnbd_unconditional", BETA_GEOMETRIC, 1, |v| beta_unconditional(Lost::AfterAny, v)),
    model("mbgnbd_probability", BETA_GEOMETRIC, 2, |v| beta_probability(Lost::AfterAny, v)),
    model("mbgnbd_clv", BETA_GEOMETRIC, 7, |v| beta_clv(Lost::AfterAny, v)),
    model("pareto_nbd_expected", PARETO, 4, |v| {
        let (model, h) = (pareto::Model::of(&v[..4])?, horizon(v[4])?);
        let [x, last, end] = history(&v[5..])?;
        Ok(Some(model.expected(h, x, last, end)))
    }),
    model("pareto_nbd_alive", PARETO, 3, |v| {
        let [x, last, end] = history(&v[4..])?;
        Ok(Some(pareto::Model::of(&v[..4])?.alive(x, last, end)))
    }),
    model("pareto_nbd_unconditional", PARETO, 1, |v| {
        Ok(Some(pareto::Model::of(&v[..4])?.unconditional(horizon(v[4])?)))
    }),
    model("pareto_nbd_probability", PARETO, 2, |v| {
        Ok(pareto::Model::of(&v[..4])?.probability(horizon(v[4])?, purchases(v[5])?))
    }),
    model("pareto_nbd_clv", PARETO, 7, |v| {
        let model = pareto::Model::of(&v[..4])?;
        let [x, last, end] = history(&v[4..7])?;
        clv(&v[7..], |h| model.expected(h, x, last, end))
    }),
    Numeric {
        takes_null: true,
        ..model("gamma_gamma_mean", GAMMA_GAMMA, 2, |v| {
            if v[3].is_nan() || (v[4].is_nan() && v[3] > 0.0) {
                Ok(None)
            } else {
                gamma_gamma::mean(&v[..3], v[3], v[4])
            }
        })
    },
    model("sbg_survival", SHIFTED, 1, |v| shifted_geometric::survival(&v[..2], v[2]).map(Some)),
    of("clv_multiple", 2, |v| {
        let (retention, rate) = (v[0], v[1]);
        if !(0.0..=1.0).contains(&retention) {
            return Err("retention lies between 0 and 1".to_owned());
        }
        Ok((1.0 + rate > retention).then(|| retention / (1.0 + rate - retention)))
    }),
];

fn beta_expected(lost: Lost, v: &[f64]) -> Answer {
    let (model, h) = (Model::of(lost, &v[..4])?, horizon(v[4])?);
    let [x, last, end] = history(&v[5..])?;
    Ok(Some(model.expected(h, x, last, end)))
}

fn beta_alive(lost: Lost, v: &[f64]) -> Answer {
    let [x, last, end] = history(&v[4..])?;
    Ok(Some(Model::of(lost, &v[..4])?.alive(x, last, end)))
}

fn beta_unconditional(lost: Lost, v: &[f64]) -> Answer {
    Ok(Some(Model::of(lost, &v[..4])?.unconditional(horizon(v[4])?)))
}

fn beta_probability(lost: Lost, v: &[f64]) -> Answer {
    Ok(Some(Model::of(lost, &v[..4])?.probability(horizon(v[4])?, purchases(v[5])?)))
}

fn beta_clv(lost: Lost, v: &[f64]) -> Answer {
    let model = Model::of(lost, &v[..4])?;
    let [x, last, end] = history(&v[4..7])?;
    clv(&v[7..], |h| model.expected(h, x, last, end))
}

/// Σ mean·(E[Y(k)] - E[Y(k-1)])/(1 + rate)^k over the periods, each of this length in the model's unit of time.
fn clv(v: &[f64], expected: impl Fn(f64) -> f64) -> Answer {
    let [mean, periods, length, rate] = v else {
        return Err("a value wants mean, periods, length and rate".to_owned());
    };
    if !(*periods >= 0.0 && periods.fract() == 0.0 && *periods <= 10_000.0 && *length > 0.0 && *rate > -1.0) {
        return Err("periods are 0, 1, 2, …, at most 10000; a length is above 0 and a rate above -1".to_owned());
    }
    let (mut total, mut before, mut k) = (0.0, 0.0, 1.0);
    while k <= *periods {
        let by_now = expected(k * length);
        total += (by_now - before) / (1.0 + rate).powf(k);
        before = by_now;
        k += 1.0;
    }
    Ok(Some(mean * total))
}

fn history(v: &[f64]) -> Result<[f64; 3], String> {
    match v {
        [x, last, end] if *x >= 0.0 && 0.0 <= *last && last <= end => Ok([*x, *last, *end]),
        _ => Err("a history needs x ≥ 0 and 0 ≤ t_x ≤ t".to_owned()),
    }
}

fn horizon(t: f64) -> Result<f64, String> {
    if t >= 0.0 && t.is_finite() { Ok(t) } else { Err("a time ahead is not below 0".to_owned()) }
}

fn purchases(n: f64) -> Result<f64, String> {
    if n >= 0.0 && n.fract() == 0.0 && n <= 100_000.0 {
        Ok(n)
    } else {
        Err("n is 0, 1, 2, …, at most 100000".to_owned())
    }
}
