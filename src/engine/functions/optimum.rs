//! Finding the least of a smooth function, the same way every time: fixed starts, argmin's L-BFGS, then Nelder–Mead where
//! that got stuck. Functions are scaled to one observation, so that slopes of different sets of data mean the same.

use std::cell::RefCell;
use std::ops::Range;

use argmin::core::{CostFunction, Error, Executor, Gradient};
use argmin::solver::linesearch::MoreThuenteLineSearch;
use argmin::solver::neldermead::NelderMead;
use argmin::solver::quasinewton::LBFGS;

/// The least found.
#[derive(Debug, Clone)]
pub(super) struct Optimum {
    pub at: Vec<f64>,
    pub value: f64,
    /// Length of the gradient there, by the logarithms of the parameters.
    pub slope: f64,
    /// Times the function was asked, from all starts.
    pub asked: u64,
}

/// A slope that counts as none: the value is then flat to 1e-10 and less.
pub(super) const FLAT: f64 = 1e-5;

/// A parameter outside has run away: the function falls for ever in its direction, and there is no least to find.
pub(super) const WITHIN_REASON: Range<f64> = 1e-6..1e6;

/// The best point a solver saw: when a line search gives up in the last digits, what it found still counts.
#[derive(Debug, Default)]
struct Seen {
    best: Option<(f64, Vec<f64>, Vec<f64>)>,
    last: Option<(Vec<f64>, f64, Vec<f64>)>,
    asked: u64,
}

type Function<'a> = &'a dyn Fn(&[f64]) -> (f64, Vec<f64>);

struct Problem<'a> {
    function: Function<'a>,
    seen: &'a RefCell<Seen>,
}

impl Problem<'_> {
    fn ask(&self, at: &[f64]) -> (f64, Vec<f64>) {
        let mut seen = self.seen.borrow_mut();
        if let Some((last, value, slope)) = &seen.last
            && last == at
        {
            return (*value, slope.clone());
        }
        let (value, slope) = (self.function)(at);
        // A solver can step back from a wall, not from what is not a number.
        let (value, slope) = if value.is_finite() && slope.iter().all(|s| s.is_finite()) {
            (value, slope)
        } else {
            (1e100, vec![0.0; at.len()])
        };
        seen.asked += 1;
        if seen.best.as_ref().is_none_or(|(best, ..)| value < *best) {
            seen.best = Some((value, at.to_vec(), slope.clone()));
        }
        seen.last = Some((at.to_vec(), value, slope.clone()));
        (value, slope)
    }
}

impl CostFunction for Problem<'_> {
    type Param = Vec<f64>;
    type Output = f64;

    fn cost(&self, at: &Vec<f64>) -> Result<f64, Error> {
        Ok(self.ask(at).0)
    }
}

impl Gradient for Problem<'_> {
    type Param = Vec<f64>;
    type Gradient = Vec<f64>;

    fn gradient(&self, at: &Vec<f64>) -> Result<Vec<f64>, Error> {
        Ok(self.ask(at).1)
    }
}

/// The least of a function of positive parameters, which are searched by their logarithms. The function gives its value and
/// its derivatives by the parameters themselves.
pub(super) fn of_logs<const N: usize>(
    starts: &[[f64; N]],
    function: impl Fn(&[f64; N]) -> (f64, [f64; N]),
) -> Option<Optimum> {
    let by_logs = |logs: &[f64]| {
        let mut parameters = [0.0; N];
        for (p, log) in parameters.iter_mut().zip(logs) {
            *p = log.exp();
        }
        let (value, slope) = function(&parameters);
        (value, slope.iter().zip(&parameters).map(|(s, p)| s * p).collect())
    };
    let starts: Vec<Vec<f64>> = starts.iter().map(|start| start.iter().map(|p| p.ln()).collect()).collect();
    let best = starts.iter().filter_map(|start| descend(&by_logs, start)).reduce(better)?;
    Some(Optimum { at: best.at.iter().map(|log| log.exp()).collect(), ..best })
}

/// The least of a function whose derivatives nobody has, within a box; a first step is this share of the box.
pub(super) fn within_unit_box<const N: usize>(
    starts: &[[f64; N]],
    step: f64,
    function: impl Fn(&[f64; N]) -> f64,
) -> Option<Optimum> {
    let inside = |at: &[f64]| {
        let mut point = [0.0; N];
        let mut outside = 0.0;
        for (p, value) in point.iter_mut().zip(at) {
            *p = value.clamp(0.0, 1.0);
            outside += (value - *p).abs();
        }
        (point, outside)
    };
    let walled = |at: &[f64]| {
        let (point, outside) = inside(at);
        (function(&point) * (1.0 + outside), vec![0.0; N])
    };
    let best = starts.iter().filter_map(|start| simplex(&walled, start, step)).reduce(better)?;
    Some(Optimum { at: inside(&best.at).0.to_vec(), ..best })
}

/// A value with derivatives by central differences, for a function that gives none.
pub(super) fn with_differences<const N: usize>(at: &[f64; N], value: impl Fn(&[f64; N]) -> f64) -> (f64, [f64; N]) {
    let mut slope = [0.0; N];
    for (i, s) in slope.iter_mut().enumerate() {
        let step = at[i] * 1e-5;
        let (mut above, mut below) = (*at, *at);
        above[i] += step;
        below[i] -= step;
        *s = (value(&above) - value(&below)) / (2.0 * step);
    }
    (value(at), slope)
}

/// The lower of two; the earlier when they are equal.
fn better(one: Optimum, other: Optimum) -> Optimum {
    let asked = one.asked + other.asked;
    let best = if other.value < one.value { other } else { one };
    Optimum { asked, ..best }
}

/// By logarithms. A simplex costs thousands of questions, which are wasted on a point that has run away.
fn descend(function: Function, start: &[f64]) -> Option<Optimum> {
    let seen = RefCell::new(Seen::default());
    quasi_newton(function, &seen, start);
    let found = optimum(&seen)?;
    let ran_away = found.at.iter().any(|log| !WITHIN_REASON.contains(&log.exp()));
    if found.slope <= FLAT || ran_away {
        return Some(found);
    }
    nelder_mead(function, &seen, &found.at, 0.1);
    let closer = optimum(&seen)?;
    quasi_newton(function, &seen, &closer.at);
    optimum(&seen)
}

fn simplex(function: Function, start: &[f64], step: f64) -> Option<Optimum> {
    let seen = RefCell::new(Seen::default());
    nelder_mead(function, &seen, start, step);
    // Again from where it stopped: a simplex may have collapsed on the way.
    let found = optimum(&seen)?;
    nelder_mead(function, &seen, &found.at, step / 10.0);
    optimum(&seen)
}

fn optimum(seen: &RefCell<Seen>) -> Option<Optimum> {
    let seen = seen.borrow();
    let (value, at, slope) = seen.best.clone()?;
    Some(Optimum { at, value, slope: slope.iter().map(|s| s * s).sum::<f64>().sqrt(), asked: seen.asked })
}

/// What it finds is in `seen`, also when the line search ends with an error.
fn quasi_newton(function: Function, seen: &RefCell<Seen>, start: &[f64]) {
    let solver = LBFGS::new(MoreThuenteLineSearch::new(), 8).with_tolerance_grad(1e-10);
    if let Ok(solver) = solver {
        let problem = Problem { function, seen };
        let ended = Executor::new(problem, solver)
            .configure(|state| state.param(start.to_vec()).max_iters(500))
            .timer(false)
            .run();
        if let Err(error) = ended {
            tracing::trace!(%error, "a line search ended early");
        }
    }
}

fn nelder_mead(function: Function, seen: &RefCell<Seen>, start: &[f64], step: f64) {
    let mut corners = vec![start.to_vec()];
    for i in 0..start.len() {
        let mut corner = start.to_vec();
        corner[i] += step;
        corners.push(corner);
    }
    if let Ok(solver) = NelderMead::new(corners).with_sd_tolerance(1e-13) {
        let problem = Problem { function, seen };
        let ended = Executor::new(problem, solver).configure(|state| state.max_iters(2000)).timer(false).run();
        if let Err(error) = ended {
            tracing::trace!(%error, "a simplex ended early");
        }
    }
}
