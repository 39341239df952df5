//! BG/NBD (Fader, Hardie & Lee 2005) and MBG/NBD (Batislam et al. 2007): customers buy at a rate of their own, gamma over
//! all of them (r, alpha), until they are lost with a chance of their own after a purchase, beta over all (a, b).

use statrs::function::gamma::{digamma, ln_gamma};

use super::customers::Customers;
use super::fit::{Fitted, Row};
use super::optimum::{self, Optimum};

/// When a customer may be lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lost {
    /// After each repeat purchase: BG/NBD.
    AfterRepeats,
    /// After the first purchase too: MBG/NBD.
    AfterAny,
}

impl Lost {
    /// Chances there were to be lost at x repeat purchases.
    fn chances(self, x: f64) -> f64 {
        match self {
            Self::AfterRepeats => x,
            Self::AfterAny => x + 1.0,
        }
    }
}

/// One customer's history, and the model's parameters.
#[derive(Debug, Clone, Copy)]
pub(super) struct Model {
    pub lost: Lost,
    pub r: f64,
    pub alpha: f64,
    pub a: f64,
    pub b: f64,
}

impl Model {
    pub(super) fn of(lost: Lost, parameters: &[f64]) -> Result<Self, String> {
        let [r, alpha, a, b] = parameters else { return Err("a model has r, alpha, a and b".to_owned()) };
        if parameters.iter().all(|p| *p > 0.0) {
            Ok(Self { lost, r: *r, alpha: *alpha, a: *a, b: *b })
        } else {
            Err("r, alpha, a and b must be above 0".to_owned())
        }
    }

    pub(super) fn alive(&self, x: f64, last: f64, end: f64) -> f64 {
        let chances = self.lost.chances(x);
        if chances == 0.0 {
            return 1.0;
        }
        let waited = (self.r + x) * ((self.alpha + end) / (self.alpha + last)).ln();
        1.0 / (1.0 + self.a / (self.b + chances - 1.0) * waited.exp())
    }

    /// E[Y(t)], purchases in `horizon` after `end`.
    pub(super) fn expected(&self, horizon: f64, x: f64, last: f64, end: f64) -> f64 {
        self.while_alive(horizon, x, self.lost.chances(x), end) * self.alive(x, last, end)
    }

    /// E[X(t)], repeat purchases of a new customer.
    pub(super) fn unconditional(&self, t: f64) -> f64 {
        self.while_alive(t, 0.0, self.lost.chances(0.0), 0.0) * self.alive(0.0, 0.0, 0.0)
    }

    /// Expected purchases of one who is alive. The papers give, with c = a + b + chances - 1 and z = t/(alpha + T + t),
    ///
    ///   c/(a - 1) · [1 - (1 - z)^(r + x) ₂F₁(r + x, b + chances; c; z)]
    ///
    /// which is 0/0 at a = 1 and overflows for large x. Euler's transform makes it (1 - z)^(a - 1) ₂F₁(c - r - x, a - 1; c; z),
    /// a series of which every term but the first has the factor a - 1, so that it cancels.
    fn while_alive(&self, horizon: f64, x: f64, chances: f64, end: f64) -> f64 {
        let rest = (self.alpha + end) / (self.alpha + end + horizon);
        let (z, log_rest) = (horizon / (self.alpha + end + horizon), rest.ln());
        let c = self.a + self.b + chances - 1.0;
        let first = c - self.r - x;
        let power = self.a - 1.0;
        let head = if power == 0.0 { -log_rest } else { -(power * log_rest).exp_m1() / power } * c;
        let mut term = first * z;
        let mut sum = term;
        for n in 1..1_000_000_u32 {
            let n = f64::from(n);
            let ratio = (first + n) * (power + n) / ((c + n) * (n + 1.0)) * z;
            term *= ratio;
            sum += term;
            // No later ratio is greater than this: with `first` above 0 each term has (first + n)/(c + n) below 1, so that a
            // `first` of tens of thousands (hardly anybody is ever lost) needs no more terms than any other.
            let bound = if first > 0.0 { z * ((power + n) / (n + 1.0)).max(1.0) } else { ratio.abs().max(z) };
            let settled = first > 0.0 || n > -first;
            if term == 0.0 || (settled && bound < 1.0 && term.abs() / (1.0 - bound) < 1e-17 * head.abs().max(sum.abs()))
            {
                break;
            }
        }
        head - (power * log_rest).exp() * sum
    }

    /// P(X(t) = n) of a new customer.
    pub(super) fn probability(&self, t: f64, n: f64) -> f64 {
        let chances = self.lost.chances(n);
        let still = (ln_gamma(self.b + chances) - ln_gamma(self.b) + ln_gamma(self.a + self.b)
            - ln_gamma(self.a + self.b + chances))
        .exp();
        let stopped = if chances > 0.0 {
            let (mut fewer, mut j) = (0.0, 0.0);
            while j < n {
                fewer += negative_binomial(self.r, self.alpha, t, j);
                j += 1.0;
            }
            self.a / (self.b + chances - 1.0) * still * (1.0 - fewer)
        } else {
            0.0
        };
        still * negative_binomial(self.r, self.alpha, t, n) + stopped
    }
}

/// P(n purchases by t) of customers whom nothing stops.
pub(super) fn negative_binomial(r: f64, alpha: f64, t: f64, n: f64) -> f64 {
    if t == 0.0 {
        return if n == 0.0 { 1.0 } else { 0.0 };
    }
    let ways = ln_gamma(r + n) - ln_gamma(r) - ln_gamma(n + 1.0);
    (ways + r * (alpha / (alpha + t)).ln() + n * (t / (alpha + t)).ln()).exp()
}

/// Fits r, alpha, a, b. Settings are the least numbers of customers and of those who came back.
pub(super) fn fit(lost: Lost, rows: &[Row], settings: &[f64]) -> Result<Fitted, String> {
    let customers = Customers::of(rows)?;
    if let Some(why) = customers.too_few(settings[0], settings[1]) {
        return Ok(Fitted::not(4, customers.count, why));
    }
    let end = customers.mean_end();
    let starts = [[0.3, end / 8.0, 0.8, 2.5], [1.0, end / 2.0, 1.0, 1.0], [2.0, end, 0.3, 3.0]];
    let best: Option<Optimum> = optimum::of_logs(&starts, |p| {
        let (value, gradient) = log_likelihood(lost, &customers, p);
        (-value / customers.count, gradient.map(|g| -g / customers.count))
    });
    Ok(Fitted::from(best, customers.count, &["r", "alpha", "a", "b"]))
}

/// The log-likelihood, and its derivatives by the parameters.
fn log_likelihood(lost: Lost, customers: &Customers, parameters: &[f64; 4]) -> (f64, [f64; 4]) {
    let [r, alpha, a, b] = *parameters;
    // What depends on x alone, and its derivatives by r, a and b.
    let by_x: Vec<[f64; 5]> = customers
        .xs
        .iter()
        .map(|&x| {
            let chances = lost.chances(x);
            let value = ln_gamma(r + x) - ln_gamma(r) + r * alpha.ln() + ln_gamma(a + b) + ln_gamma(b + chances)
                - ln_gamma(b)
                - ln_gamma(a + b + chances);
            let left = digamma(a + b) - digamma(a + b + chances);
            let can_be_lost = if chances > 0.0 { (a / (b + chances - 1.0)).ln() } else { f64::NEG_INFINITY };
            let by_r = digamma(r + x) - digamma(r) + alpha.ln();
            [value, by_r, left, left + digamma(b + chances) - digamma(b), can_be_lost]
        })
        .collect();
    let logs: Vec<f64> = customers.times.iter().map(|t| (alpha + t).ln()).collect();
    let mut total = 0.0;
    let mut slope = [0.0; 4];
    for group in &customers.groups {
        let x = customers.xs[group.x];
        let [value, by_r, by_a, by_b, can_be_lost] = by_x[group.x];
        let alive = -(r + x) * logs[group.end];
        let gone = can_be_lost - (r + x) * logs[group.last];
        let (greater, apart) = if alive >= gone { (alive, gone - alive) } else { (gone, alive - gone) };
        let less = apart.exp();
        total += group.count * (value + greater + less.ln_1p());
        let smaller = less / (1.0 + less);
        let (of_alive, of_gone) = if alive >= gone { (1.0 - smaller, smaller) } else { (smaller, 1.0 - smaller) };
        slope[0] += group.count * (by_r - of_alive * logs[group.end] - of_gone * logs[group.last]);
        slope[1] += group.count
            * (r / alpha
                - (r + x)
                    * (of_alive / (alpha + customers.times[group.end])
                        + of_gone / (alpha + customers.times[group.last])));
        slope[2] += group.count * (by_a + of_gone / a);
        if of_gone > 0.0 {
            slope[3] += group.count * (by_b - of_gone / (b + lost.chances(x) - 1.0));
        } else {
            slope[3] += group.count * by_b;
        }
    }
    (total, slope)
}
