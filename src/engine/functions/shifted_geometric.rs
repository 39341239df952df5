//! Shifted beta-geometric (Fader & Hardie 2007): at each renewal a customer leaves with a chance of their own, beta over all.

use super::fit::{Fitted, Row};
use super::optimum;

/// S(t) = B(alpha, beta + t)/B(alpha, beta).
pub(super) fn survival(parameters: &[f64], period: f64) -> Result<f64, String> {
    let [alpha, beta] = parameters else { return Err("a model has alpha and beta".to_owned()) };
    if !(period >= 0.0 && period.fract() == 0.0 && period <= 1e6 && *alpha > 0.0 && *beta > 0.0) {
        return Err("alpha and beta must be above 0, and a period is 0, 1, 2, …".to_owned());
    }
    let (mut left, mut t) = (1.0, 1.0);
    while t <= period {
        left *= (beta + t - 1.0) / (alpha + beta + t - 1.0);
        t += 1.0;
    }
    Ok(left)
}

/// Fits alpha and beta to (period, survivors), ascending.
pub(super) fn fit(rows: &[Row]) -> Result<Fitted, String> {
    for (row, wanted) in rows.iter().zip(0_u32..) {
        if (row.values[0] - f64::from(wanted)).abs() > 0.0 || row.count > 1.0 {
            return Err(format!("period {}: periods are 0, 1, 2, …, each once", row.values[0]));
        }
    }
    let left: Vec<f64> = rows.iter().map(|r| r.values[1]).collect();
    if left.iter().any(|l| *l < 0.0) || !left.is_sorted_by(|before, after| before >= after) {
        return Err("survivors never grow in number, and are never below 0".to_owned());
    }
    let count = left.first().copied().unwrap_or(0.0);
    if left.len() < 3 || count == 0.0 {
        return Ok(Fitted::not(2, count, "a fit wants survivors of two renewals or more".to_owned()));
    }
    let starts = [[1.0, 1.0], [0.5, 3.0], [3.0, 0.5]];
    let best = optimum::of_logs(&starts, |p| {
        optimum::with_differences(p, |&[alpha, beta]| {
            let mut lost = alpha / (alpha + beta);
            let mut still = 1.0 - lost;
            let mut total = 0.0;
            for (t, pair) in (1_u32..).zip(left.windows(2)) {
                let t = f64::from(t);
                if t > 1.0 {
                    lost *= (beta + t - 2.0) / (alpha + beta + t - 1.0);
                    still *= (beta + t - 1.0) / (alpha + beta + t - 1.0);
                }
                total += if pair[0] > pair[1] { (pair[0] - pair[1]) * lost.ln() } else { 0.0 };
            }
            let last = left[left.len() - 1];
            total += if last > 0.0 { last * still.ln() } else { 0.0 };
            -total / count
        })
    });
    Ok(Fitted::from(best, count, &["alpha", "beta"]))
}
