//! Intervals of shares, their differences and net promoter scores.

use super::numeric::{Answer, Gives, Numeric};
use super::special::normal_quantile;

const fn interval(name: &'static str, counts: usize, call: fn(&[f64]) -> Answer) -> Numeric {
    Numeric { name, model: &[], few: counts, many: counts + 1, gives: Gives::Double, takes_null: false, call }
}

pub(super) const FUNCTIONS: &[Numeric] = &[
    interval("wilson_low", 2, |v| Ok(wilson(v[0], v[1], confidence(v, 2)?)?.map(|(low, _)| low))),
    interval("wilson_high", 2, |v| Ok(wilson(v[0], v[1], confidence(v, 2)?)?.map(|(_, high)| high))),
    interval("newcombe_low", 4, |v| Ok(newcombe(v)?.map(|(low, _)| low))),
    interval("newcombe_high", 4, |v| Ok(newcombe(v)?.map(|(_, high)| high))),
    interval("nps_low", 3, |v| Ok(nps(v)?.map(|(low, _)| low))),
    interval("nps_high", 3, |v| Ok(nps(v)?.map(|(_, high)| high))),
];

type Bounds = Result<Option<(f64, f64)>, String>;

/// The normal deviate of a two-sided interval; 95 % unless the argument after the counts says otherwise.
fn confidence(values: &[f64], counts: usize) -> Result<f64, String> {
    match values.get(counts) {
        None => Ok(1.959_963_984_540_054),
        Some(c) if *c > 0.0 && *c < 1.0 => Ok(normal_quantile(0.5 + c / 2.0)),
        Some(_) => Err("a confidence lies between 0 and 1, as 0.95".to_owned()),
    }
}

/// Wilson's score interval, Newcombe 1998 formula 3, written so that both ends are exact at k = 0 and k = n.
fn wilson(k: f64, n: f64, z: f64) -> Bounds {
    if !(k >= 0.0 && k <= n) {
        return Err("a share needs 0 ≤ k ≤ n".to_owned());
    }
    if n == 0.0 {
        return Ok(None);
    }
    let z2 = z * z;
    let half = z * (k * (n - k) / n + z2 / 4.0).sqrt();
    let low = if k == 0.0 { 0.0 } else { (k + z2 / 2.0 - half) / (n + z2) };
    let high = if k >= n { 1.0 } else { (k + z2 / 2.0 + half) / (n + z2) };
    Ok(Some((low, high)))
}

fn newcombe(v: &[f64]) -> Bounds {
    let z = confidence(v, 4)?;
    let (Some(one), Some(two)) = (wilson(v[0], v[1], z)?, wilson(v[2], v[3], z)?) else { return Ok(None) };
    let (p1, p2) = (v[0] / v[1], v[2] / v[3]);
    let low = p1 - p2 - (p1 - one.0).hypot(two.1 - p2);
    let high = p1 - p2 + (one.1 - p1).hypot(p2 - two.0);
    Ok(Some((low, high)))
}

/// Three quarters of an answer are added to promoters and detractors, one and a half to the others.
fn nps(v: &[f64]) -> Bounds {
    let (promoters, detractors, n) = (v[0], v[1], v[2]);
    let deviate = confidence(v, 3)?;
    if !(promoters >= 0.0 && detractors >= 0.0 && promoters + detractors <= n) {
        return Err("a score needs promoters + detractors ≤ n, none of them negative".to_owned());
    }
    if n == 0.0 {
        return Ok(None);
    }
    let n = n + 3.0;
    let (p, d) = ((promoters + 0.75) / n, (detractors + 0.75) / n);
    let half = deviate * ((p + d - (p - d) * (p - d)) / n).sqrt();
    Ok(Some((100.0 * (p - d - half), 100.0 * (p - d + half))))
}
