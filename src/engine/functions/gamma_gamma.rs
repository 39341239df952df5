//! Gamma-Gamma (Fader & Hardie, note 025): a customer's purchases vary around a mean of their own, gamma over all (q, gamma).

use statrs::function::gamma::{digamma, ln_gamma};

use super::fit::{Fitted, Row};
use super::optimum;

/// E[M | x, m]: between the customer's own mean and the population's. None where that has no mean.
pub(super) fn mean(parameters: &[f64], x: f64, m: f64) -> Result<Option<f64>, String> {
    let [p, q, gamma] = parameters else { return Err("a model has p, q and gamma".to_owned()) };
    if !(x >= 0.0 && parameters.iter().all(|p| *p > 0.0)) {
        return Err("p, q and gamma must be above 0, and x not below".to_owned());
    }
    let spent = if x == 0.0 { 0.0 } else { x * m };
    let below = p * x + q - 1.0;
    Ok((below > 0.0).then(|| p * (gamma + spent) / below))
}

/// Fits p, q, gamma, and says how x and m correlate, which the model wants to be next to nothing.
pub(super) fn fit(rows: &[Row], settings: &[f64]) -> Result<Fitted, String> {
    if let Some(bad) = rows.iter().find(|r| r.values[0] < 0.0 || r.values[0].fract() != 0.0) {
        return Err(format!("x = {}: x counts purchases, 0, 1, 2, …", bad.values[0]));
    }
    let buyers: Vec<&Row> = rows.iter().filter(|r| r.values[0] > 0.0 && r.values[1] > 0.0).collect();
    // The sum of none is −0, and the reason says the number.
    let count = buyers.iter().map(|r| r.count).sum::<f64>() + 0.0;
    let correlation = correlation(&buyers, count);
    let without = |why: String| {
        let mut fitted = Fitted::not(3, count, why);
        fitted.values.push(correlation);
        fitted
    };
    if count < settings[0] {
        return Ok(without(format!("{count} customers with purchases of some value, and a fit wants {}", settings[0])));
    }
    if let Some(c) = correlation.filter(|c| c.abs() >= 0.3) {
        return Ok(without(format!(
            "purchases and their mean value correlate by {c:.3}; the model wants less than 0.3"
        )));
    }
    // Rows are ascending, so equal x stand together.
    let mut xs: Vec<f64> = buyers.iter().map(|r| r.values[0]).collect();
    xs.dedup();
    let spent: f64 = buyers.iter().map(|r| r.count * r.values[1]).sum::<f64>() / count;
    let starts = [[6.0, 4.0, spent / 2.0], [1.0, 2.0, spent], [2.0, 10.0, spent * 4.0]];
    let best = optimum::of_logs(&starts, |&[p, q, gamma]| {
        let by_x: Vec<[f64; 4]> = xs
            .iter()
            .map(|&x| {
                let value = ln_gamma(p * x + q) - ln_gamma(p * x) - ln_gamma(q) + q * gamma.ln();
                [x, value, digamma(p * x + q), digamma(p * x)]
            })
            .collect();
        let mut total = 0.0;
        let mut slope = [0.0; 3];
        let mut at = 0;
        for row in &buyers {
            let [x, m, _] = row.values;
            while by_x[at][0] < x {
                at += 1;
            }
            let [_, value, all, own] = by_x[at];
            let (log_m, log_x, log_sum) = (m.ln(), x.ln(), (gamma + x * m).ln());
            total += row.count * (value + (p * x - 1.0) * log_m + p * x * log_x - (p * x + q) * log_sum);
            slope[0] += row.count * x * (all - own + log_m + log_x - log_sum);
            slope[1] += row.count * (all - digamma(q) + gamma.ln() - log_sum);
            slope[2] += row.count * (q / gamma - (p * x + q) / (gamma + x * m));
        }
        (-total / count, slope.map(|s| -s / count))
    });
    let mut fitted = Fitted::from(best, count, &["p", "q", "gamma"]);
    if let Some(Some(q)) = fitted.values.get(1)
        && *q <= 1.0
    {
        return Ok(without(format!("q is {q:.3}, and only above 1 does the population have a mean")));
    }
    fitted.values.push(correlation);
    Ok(fitted)
}

fn correlation(buyers: &[&Row], count: f64) -> Option<f64> {
    let mean = |of: usize| buyers.iter().map(|r| r.count * r.values[of]).sum::<f64>() / count;
    let means = [mean(0), mean(1)];
    let moment = |i: usize, j: usize| {
        buyers.iter().map(|r| r.count * (r.values[i] - means[i]) * (r.values[j] - means[j])).sum::<f64>()
    };
    let spread = (moment(0, 0) * moment(1, 1)).sqrt();
    (spread > 0.0).then(|| moment(0, 1) / spread)
}
