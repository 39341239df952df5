//! Holt–Winters: level, trend and season, each smoothed; start values as R's `HoltWinters` takes them from the first two
//! seasons; intervals of Yar & Chatfield (1990); a backtest against the value one season before.

use std::ops::Range;

use super::optimum;

/// Seasons that forecasts of whole seasons are tried on: a quarter of a year, where a season is a week.
pub(super) const TESTED: usize = 13;

/// How a season acts on the level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Season {
    Additive,
    Multiplicative,
}

/// A fitted series.
#[derive(Debug, Clone)]
pub(super) struct Smoothed {
    pub alpha: f64,
    pub beta: f64,
    pub gamma: f64,
    pub sse: f64,
    pub level: f64,
    pub trend: f64,
    /// Of the next season, period by period.
    pub seasonals: Vec<f64>,
    /// Errors one step ahead, and their number.
    errors: Vec<f64>,
    season: Season,
}

/// One period ahead.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ahead {
    pub value: f64,
    /// Standard deviation of its error.
    pub deviation: f64,
}

/// Where smoothing starts: before the second season.
struct Start {
    level: f64,
    trend: f64,
    seasonals: Vec<f64>,
}

/// Fits the three weights to a series of two seasons at least. None where a multiplicative season meets a level of 0.
pub(super) fn fit(series: &[f64], length: usize, season: Season) -> Option<Smoothed> {
    let start = start(series, length, season)?;
    let scale = series.iter().map(|v| v * v).sum::<f64>().max(f64::MIN_POSITIVE);
    let starts = [[0.3, 0.1, 0.1], [0.7, 0.05, 0.7], [0.1, 0.02, 0.9]];
    let best = optimum::within_unit_box(&starts, 0.1, |weights| sse(series, &start, season, *weights) / scale)?;
    let [alpha, beta, gamma] = best.at.as_slice() else { return None };
    let found = smooth(series, &start, season, [*alpha, *beta, *gamma]);
    found.sse.is_finite().then_some(found)
}

/// Classical decomposition of the first two seasons: a centred moving average, its line, and mean distances from it.
fn start(series: &[f64], length: usize, season: Season) -> Option<Start> {
    let first = series.get(..2 * length)?;
    let half = length / 2;
    // An even season is centred by giving half a weight to both its ends.
    let trend: Vec<f64> = (half..2 * length - half)
        .map(|at| {
            let window = &first[at - half..=(at + half).min(2 * length - 1)];
            let sum: f64 = window.iter().sum();
            if length.is_multiple_of(2) {
                (sum - 0.5 * (window[0] + window[length])) / float(length)
            } else {
                sum / float(length)
            }
        })
        .collect();
    let n = float(trend.len());
    let middle = n.midpoint(1.0);
    let mean = trend.iter().sum::<f64>() / n;
    let (mut across, mut along) = (0.0, 0.0);
    for (at, value) in trend.iter().enumerate() {
        let step = float(at + 1) - middle;
        across += step * (value - mean);
        along += step * step;
    }
    let slope = if along > 0.0 { across / along } else { 0.0 };
    let mut figure = vec![(0.0, 0.0); length];
    for (at, value) in trend.iter().enumerate() {
        let apart = match season {
            Season::Additive => first[at + half] - value,
            Season::Multiplicative => first[at + half] / value,
        };
        let (sum, count) = &mut figure[(at + half) % length];
        *sum += apart;
        *count += 1.0;
    }
    let figure: Vec<f64> = figure.iter().map(|(sum, count)| sum / count).collect();
    let centre = figure.iter().sum::<f64>() / float(length);
    let seasonals: Vec<f64> = match season {
        Season::Additive => figure.iter().map(|f| f - centre).collect(),
        Season::Multiplicative => figure.iter().map(|f| f / centre).collect(),
    };
    let finite = seasonals.iter().all(|s| s.is_finite());
    finite.then_some(Start { level: mean - slope * middle, trend: slope, seasonals })
}

fn smooth(series: &[f64], start: &Start, season: Season, weights: [f64; 3]) -> Smoothed {
    let mut errors = Vec::with_capacity(series.len());
    let (level, trend, mut seasonals) = walk(series, start, season, weights, |error| errors.push(error));
    let into_season = series.len() % seasonals.len();
    seasonals.rotate_left(into_season);
    let sse = errors.iter().map(|e| e * e).sum();
    let [alpha, beta, gamma] = weights;
    Smoothed { alpha, beta, gamma, sse, level, trend, seasonals, errors, season }
}

/// The sum of squared errors alone, which is asked for thousands of times a fit.
fn sse(series: &[f64], start: &Start, season: Season, weights: [f64; 3]) -> f64 {
    let mut sum = 0.0;
    walk(series, start, season, weights, |error| sum += error * error);
    sum
}

/// From the second season on: errors one step ahead are told, and what is known in the end is level, trend and seasons.
fn walk(
    series: &[f64],
    start: &Start,
    season: Season,
    [alpha, beta, gamma]: [f64; 3],
    mut tell: impl FnMut(f64),
) -> (f64, f64, Vec<f64>) {
    let (mut level, mut trend, mut seasonals) = (start.level, start.trend, start.seasonals.clone());
    let length = seasonals.len();
    for periods in series[length..].chunks(length) {
        for (value, s) in periods.iter().zip(&mut seasonals) {
            let before = level;
            match season {
                Season::Additive => {
                    tell(value - (level + trend + *s));
                    level = alpha * (value - *s) + (1.0 - alpha) * (level + trend);
                    *s = gamma * (value - level) + (1.0 - gamma) * *s;
                }
                Season::Multiplicative => {
                    tell(value - (level + trend) * *s);
                    level = alpha * (value / *s) + (1.0 - alpha) * (level + trend);
                    *s = gamma * (value / level) + (1.0 - gamma) * *s;
                }
            }
            trend = beta * (level - before) + (1.0 - beta) * trend;
        }
    }
    (level, trend, seasonals)
}

impl Smoothed {
    /// The next periods.
    pub(super) fn ahead(&self, horizon: usize) -> Vec<Ahead> {
        (0..horizon).map(|step| self.total(step..step + 1)).collect()
    }

    /// The next seasons, each as the total of its periods.
    pub(super) fn totals_ahead(&self, seasons: usize) -> Vec<Ahead> {
        let length = self.seasonals.len();
        (0..seasons).map(|season| self.total(season * length..(season + 1) * length)).collect()
    }

    /// The total of some steps ahead. An error to come bears on every step after it, so the steps of a total err together, and
    /// its deviation is more than the root of their summed variances.
    fn total(&self, steps: Range<usize>) -> Ahead {
        let n = float(self.errors.len());
        let mean = self.errors.iter().sum::<f64>() / n;
        let variance = self.errors.iter().map(|e| (e - mean) * (e - mean)).sum::<f64>() / (n - 1.0).max(1.0);
        let bearing = |error: usize| -> f64 {
            steps.clone().filter(|step| *step >= error).map(|step| self.bearing(error, step)).sum()
        };
        let spread: f64 = (0..steps.end).rev().map(|error| bearing(error).powi(2)).sum();
        Ahead { value: steps.map(|step| self.value(step)).sum(), deviation: (variance * spread).sqrt() }
    }

    fn value(&self, step: usize) -> f64 {
        let line = self.level + float(step + 1) * self.trend;
        let s = self.seasonals[step % self.seasonals.len()];
        match self.season {
            Season::Additive => line + s,
            Season::Multiplicative => line * s,
        }
    }

    /// How much of the error of one step ahead is in a later one. A multiplicative season scales it by the ratio of the seasons.
    fn bearing(&self, error: usize, step: usize) -> f64 {
        let length = self.seasonals.len();
        let after = step - error;
        let again = if after.is_multiple_of(length) { self.gamma * (1.0 - self.alpha) } else { 0.0 };
        let weight = if after == 0 { 1.0 } else { self.alpha * (1.0 + float(after) * self.beta) + again };
        match self.season {
            Season::Additive => weight,
            Season::Multiplicative => weight * (self.seasonals[step % length] / self.seasonals[error % length]),
        }
    }
}

/// The value one season before the periods ahead.
pub(super) fn naive(series: &[f64], length: usize, horizon: usize) -> Vec<f64> {
    let last = &series[series.len() - length..];
    (0..horizon).map(|step| last[step % length]).collect()
}

/// Absolute errors over the last season, forecast from each of its periods up to `horizon` ahead with weights fitted anew,
/// relative to those of `naive`. None where two seasons do not come before it, or `naive` makes no error.
pub(super) fn backtest(series: &[f64], length: usize, horizon: usize, season: Season) -> Option<f64> {
    let first = series.len().saturating_sub(length).max(2 * length);
    let (mut ours, mut theirs) = (0.0, 0.0);
    for origin in first..series.len() {
        let (known, coming) = series.split_at(origin);
        let steps = coming.len().min(horizon);
        let forecast = fit(known, length, season)?.ahead(steps);
        for ((ahead, naive), actual) in forecast.iter().zip(naive(known, length, steps)).zip(coming) {
            ours += (ahead.value - actual).abs();
            theirs += (naive - actual).abs();
        }
    }
    (theirs > 0.0).then(|| ours / theirs)
}

/// As `backtest`, of the totals of whole seasons, over the last `TESTED` of them and from the end of each season before.
pub(super) fn backtest_totals(series: &[f64], length: usize, seasons: usize, season: Season) -> Option<f64> {
    let first = series.len().checked_sub(TESTED * length).filter(|first| *first >= 2 * length)?;
    let (mut ours, mut theirs) = (0.0, 0.0);
    for origin in (first..series.len()).step_by(length) {
        let (known, coming) = series.split_at(origin);
        let naive: f64 = known[known.len() - length..].iter().sum();
        let forecast = fit(known, length, season)?.totals_ahead((coming.len() / length).min(seasons));
        for (ahead, actual) in forecast.iter().zip(coming.chunks(length)) {
            let actual: f64 = actual.iter().sum();
            ours += (ahead.value - actual).abs();
            theirs += (naive - actual).abs();
        }
    }
    (theirs > 0.0).then(|| ours / theirs)
}

#[expect(clippy::cast_precision_loss, reason = "periods of a series")]
fn float(n: usize) -> f64 {
    n as f64
}
