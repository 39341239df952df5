//! Special functions: what statrs has, and Gauss's hypergeometric function, which it has not.

use statrs::function::erf::erfc_inv;
use statrs::function::gamma::{gamma, gamma_ur, ln_gamma};

use super::numeric::{Numeric, of};

pub(super) const FUNCTIONS: &[Numeric] = &[
    of("lgamma", 1, |v| if v[0] > 0.0 { Ok(Some(ln_gamma(v[0]))) } else { Err("x must be above 0".to_owned()) }),
    of("hyp2f1", 4, |v| Ok(hyp2f1(v[0], v[1], v[2], v[3]))),
    of("normal_cdf", 1, |v| Ok(Some(normal_cdf(v[0])))),
    of("normal_quantile", 1, |v| {
        if v[0] > 0.0 && v[0] < 1.0 {
            Ok(Some(normal_quantile(v[0])))
        } else {
            Err("p lies between 0 and 1".to_owned())
        }
    }),
    of("chi_squared_tail", 2, |v| match *v {
        [x, degrees] if x == 0.0 && degrees > 0.0 => Ok(Some(1.0)),
        [x, degrees] if x > 0.0 && degrees > 0.0 => Ok(Some(gamma_ur(0.5 * degrees, 0.5 * x))),
        _ => Err("x is not below 0, and there are degrees of freedom".to_owned()),
    }),
];

/// By the incomplete gamma function, which statrs has to the last digits where its erfc has eleven of them.
fn normal_cdf(z: f64) -> f64 {
    if z == 0.0 || !z.is_finite() {
        return if z.is_nan() { z } else { 0.5 + 0.5 * z.clamp(-1.0, 1.0) };
    }
    let tail = 0.5 * gamma_ur(0.5, 0.5 * z * z);
    if z < 0.0 { tail } else { 1.0 - tail }
}

/// statrs' inverse, and one Newton step to the last digits.
pub(super) fn normal_quantile(p: f64) -> f64 {
    let z = -std::f64::consts::SQRT_2 * erfc_inv(2.0 * p);
    let density = (-0.5 * z * z).exp() / (2.0 * std::f64::consts::PI).sqrt();
    if density > 0.0 { z - (normal_cdf(z) - p) / density } else { z }
}

/// ₂F₁(a, b; c; z) for real z < 1 (and at 1 where it is finite), none where it has no value.
///
/// Below 0 by Pfaff's transform. Towards 1, where the series stops converging, by the connection formula of Abramowitz &
/// Stegun 15.3.6, or, where c - a - b is nearly whole and that one loses its digits, by Euler's transform, whose series
/// falls faster.
pub(super) fn hyp2f1(a: f64, b: f64, c: f64, z: f64) -> Option<f64> {
    let pole = |x: f64| x <= 0.0 && x.fract() == 0.0;
    if pole(c) || [a, b, c, z].iter().any(|v| !v.is_finite()) {
        return None;
    }
    let rest = c - a - b;
    if z < 0.0 {
        return Some((1.0 - z).powf(-a) * hyp2f1(a, c - b, c, z / (z - 1.0))?);
    }
    if z >= 1.0 {
        return (z <= 1.0 && rest > 0.0).then(|| ratio(&[c, rest], &[c - a, c - b]));
    }
    if pole(a) || pole(b) {
        return Some(series(a, b, c, z));
    }
    if z > 0.9 && (rest - rest.round()).abs() > 0.02 {
        let near = ratio(&[c, rest], &[c - a, c - b]) * series(a, b, 1.0 - rest, 1.0 - z);
        let far = ratio(&[c, -rest], &[a, b]) * series(c - a, c - b, 1.0 + rest, 1.0 - z);
        return Some(near + (1.0 - z).powf(rest) * far);
    }
    if rest < 0.0 {
        return Some((1.0 - z).powf(rest) * series(c - a, c - b, c, z));
    }
    Some(series(a, b, c, z))
}

/// Γ(above…)/Γ(below…); an infinite gamma below makes it 0.
fn ratio(above: &[f64; 2], below: &[f64; 2]) -> f64 {
    if below.iter().any(|x| *x <= 0.0 && x.fract() == 0.0) {
        return 0.0;
    }
    if above.iter().chain(below).all(|x| *x > 0.0) {
        let ln = |all: &[f64]| all.iter().map(|x| ln_gamma(*x)).sum::<f64>();
        return (ln(above) - ln(below)).exp();
    }
    gamma(above[0]) / gamma(below[0]) * (gamma(above[1]) / gamma(below[1]))
}

/// Terms after which the series is given up: it would need more only for z within 1e-5 of 1.
const MOST_TERMS: u32 = 5_000_000;

fn series(a: f64, b: f64, c: f64, z: f64) -> f64 {
    let (mut term, mut sum) = (1.0, 1.0);
    for at in 0..MOST_TERMS {
        let at = f64::from(at);
        term *= (a + at) * (b + at) / ((c + at) * (at + 1.0)) * z;
        sum += term;
        // Terms may still grow while their number is below the parameters.
        let ratio = ((a + at + 1.0) * (b + at + 1.0) / ((c + at + 1.0) * (at + 2.0)) * z).abs();
        if term == 0.0 || (ratio < 1.0 && term.abs() / (1.0 - ratio) < 1e-17 * sum.abs()) {
            return sum;
        }
    }
    f64::NAN
}

/// ₂F₁(1, q; c; z) for 0 ≤ z < 1 and 0 < q < c: all terms are positive and fall.
pub(super) fn falling_series(q: f64, c: f64, z: f64) -> f64 {
    let (mut term, mut sum) = (1.0, 1.0);
    for n in 0..MOST_TERMS {
        let n = f64::from(n);
        term *= (q + n) / (c + n) * z;
        sum += term;
        if term < 1e-17 * (1.0 - z) * sum {
            return sum;
        }
    }
    sum
}
