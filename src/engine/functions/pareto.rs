//! Pareto/NBD (Schmittlein, Morrison & Colombo 1987; formulas of Fader & Hardie 2005): customers buy at a rate of their own
//! (gamma: r, alpha) until they are lost at a time of their own (Pareto: s, beta).

use statrs::function::gamma::ln_gamma;

use super::beta_geometric::negative_binomial;
use super::customers::Customers;
use super::fit::{Fitted, Row};
use super::optimum;
use super::special::{falling_series, hyp2f1};

#[derive(Debug, Clone, Copy)]
pub(super) struct Model {
    r: f64,
    alpha: f64,
    s: f64,
    beta: f64,
}

impl Model {
    pub(super) fn of(parameters: &[f64]) -> Result<Self, String> {
        let [r, alpha, s, beta] = parameters else { return Err("a model has r, alpha, s and beta".to_owned()) };
        if parameters.iter().all(|p| *p > 0.0) {
            Ok(Self { r: *r, alpha: *alpha, s: *s, beta: *beta })
        } else {
            Err("r, alpha, s and beta must be above 0".to_owned())
        }
    }

    /// Logarithm of the antiderivative in A0 at t. Euler's transform leaves a series of falling positive terms.
    fn log_part(&self, x: f64, t: f64) -> f64 {
        let Self { r, alpha, s, beta } = *self;
        let c = r + s + x + 1.0;
        let (log_alpha, log_beta) = ((alpha + t).ln(), (beta + t).ln());
        if alpha >= beta {
            -s * log_beta - (r + x) * log_alpha + falling_series(r + x, c, (alpha - beta) / (alpha + t)).ln()
        } else {
            -(s + 1.0) * log_beta
                + (1.0 - r - x) * log_alpha
                + falling_series(s + 1.0, c, (beta - alpha) / (beta + t)).ln()
        }
    }

    /// Logarithms of the likelihood's two parts: alive at the end, lost before it.
    fn log_parts(&self, x: f64, last: f64, end: f64) -> (f64, f64) {
        let Self { r, alpha, s, beta } = *self;
        let alive = -(r + x) * (alpha + end).ln() - s * (beta + end).ln();
        if last >= end {
            return (alive, f64::NEG_INFINITY);
        }
        let (from, to) = (self.log_part(x, last), self.log_part(x, end));
        (alive, (s / (r + s + x)).ln() + from + (-(to - from).exp_m1()).ln())
    }

    pub(super) fn alive(&self, x: f64, last: f64, end: f64) -> f64 {
        let (alive, lost) = self.log_parts(x, last, end);
        1.0 / (1.0 + (lost - alive).exp())
    }

    pub(super) fn expected(&self, horizon: f64, x: f64, last: f64, end: f64) -> f64 {
        let Self { r, alpha, .. } = *self;
        (r + x) / (alpha + end) * self.years(horizon, end) * self.alive(x, last, end)
    }

    pub(super) fn unconditional(&self, t: f64) -> f64 {
        self.r / self.alpha * self.years(t, 0.0)
    }

    /// Expected time alive within `horizon` of one alive at `end`: (β + T)/(s - 1)·[1 - ((β + T)/(β + T + t))^(s - 1)].
    fn years(&self, horizon: f64, end: f64) -> f64 {
        let from = self.beta + end;
        let rest = (from / (from + horizon)).ln();
        let power = self.s - 1.0;
        from * if power == 0.0 { -rest } else { -(power * rest).exp_m1() / power }
    }

    /// Fader & Hardie 2006, equations for P(X(t) = x).
    pub(super) fn probability(&self, time: f64, purchases: f64) -> Option<f64> {
        let Self { r, alpha, s, beta } = *self;
        let never_lost = negative_binomial(r, alpha, time, purchases) * (beta / (beta + time)).powf(s);
        let below = r + s + purchases + 1.0;
        let (greater, apart, above) =
            if alpha >= beta { (alpha, alpha - beta, s + 1.0) } else { (beta, beta - alpha, r + purchases) };
        let mut part = hyp2f1(r + s, above, below, apart / greater)? / greater.powf(r + s);
        let (mut ways, mut fewer) = (1.0, 0.0);
        while fewer <= purchases {
            let power = r + s + fewer;
            part -= ways * hyp2f1(power, above, below, apart / (greater + time))? / (greater + time).powf(power);
            ways *= power / (fewer + 1.0) * time;
            fewer += 1.0;
        }
        let weight = r * alpha.ln() + s * beta.ln() + ln_gamma(r + purchases) + ln_gamma(s + 1.0) + ln_gamma(r + s)
            - ln_gamma(below)
            - ln_gamma(r)
            - ln_gamma(s);
        Some(never_lost + weight.exp() * part)
    }
}

/// Fits r, alpha, s, beta; settings as for BG/NBD.
pub(super) fn fit(rows: &[Row], settings: &[f64]) -> Result<Fitted, String> {
    let customers = Customers::of(rows)?;
    if let Some(why) = customers.too_few(settings[0], settings[1]) {
        return Ok(Fitted::not(4, customers.count, why));
    }
    let end = customers.mean_end();
    let starts = [[0.5, end / 4.0, 0.5, end / 4.0], [1.0, end / 2.0, 1.0, end], [2.0, end, 0.3, end / 8.0]];
    let best = optimum::of_logs(&starts, |p| {
        optimum::with_differences(p, |p| -log_likelihood(&customers, p) / customers.count)
    });
    Ok(Fitted::from(best, customers.count, &["r", "alpha", "s", "beta"]))
}

fn log_likelihood(customers: &Customers, parameters: &[f64; 4]) -> f64 {
    let [r, alpha, s, beta] = *parameters;
    let model = Model { r, alpha, s, beta };
    let fixed = r * alpha.ln() + s * beta.ln() - ln_gamma(r);
    customers
        .groups
        .iter()
        .map(|group| {
            let x = customers.xs[group.x];
            let (alive, lost) = model.log_parts(x, customers.times[group.last], customers.times[group.end]);
            let (greater, apart) = if alive >= lost { (alive, lost - alive) } else { (lost, alive - lost) };
            group.count * (fixed + ln_gamma(r + x) + greater + apart.exp().ln_1p())
        })
        .sum()
}
