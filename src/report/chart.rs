//! Geometry and colour: the line of a sparkline, the shade of a cell of a heat map.

use serde::Serialize;

pub(super) const SPARK_WIDTH: f64 = 180.0;
pub(super) const SPARK_HEIGHT: f64 = 36.0;
/// Room for the dot at the end of the line.
const MARGIN: f64 = 4.0;

/// A sparkline as its template draws it: a line for every stretch without a gap, and a dot for the last value.
#[derive(Debug, Serialize)]
pub(super) struct Spark {
    width: f64,
    height: f64,
    /// Each the `points` of an SVG polyline; a value alone between two gaps is a line of no length.
    lines: Vec<String>,
    dot: (String, String),
    /// What the line shows, for those who do not see it.
    pub label: String,
}

/// None when there are fewer than two values, or none at the end.
pub(super) fn spark(values: &[Option<f64>], label: String) -> Option<Spark> {
    let known = || values.iter().flatten().copied().filter(|v| v.is_finite());
    if known().count() < 2 || !values.last().copied().flatten()?.is_finite() {
        return None;
    }
    let (least, most) = (known().fold(f64::INFINITY, f64::min), known().fold(f64::NEG_INFINITY, f64::max));
    let at = |i: usize, value: f64| {
        #[expect(clippy::cast_precision_loss, reason = "a handful of points")]
        let along = i as f64 / (values.len() - 1) as f64;
        // A line that never moves runs through the middle.
        let up = if most > least { (value - least) / (most - least) } else { 0.5 };
        let x = MARGIN + along * (SPARK_WIDTH - 2.0 * MARGIN);
        let y = SPARK_HEIGHT - MARGIN - up * (SPARK_HEIGHT - 2.0 * MARGIN);
        (format!("{x:.1}"), format!("{y:.1}"))
    };
    let mut lines: Vec<String> = Vec::new();
    let mut dot = Default::default();
    let mut joined = false;
    for (i, value) in values.iter().enumerate() {
        let Some(value) = value.filter(|v| v.is_finite()) else {
            joined = false;
            continue;
        };
        let (x, y) = at(i, value);
        match lines.last_mut() {
            Some(line) if joined => line.extend([" ", &x, ",", &y]),
            _ => lines.push(format!("{x},{y}")),
        }
        joined = true;
        dot = (x, y);
    }
    Some(Spark { width: SPARK_WIDTH, height: SPARK_HEIGHT, lines, dot, label })
}

/// Cividis: even in lightness, and the same to people who see colours differently (Nuñez, Anderton & Renslow 2018).
const CIVIDIS: [[f64; 3]; 9] = [
    [0.0, 34.0, 78.0],
    [18.0, 53.0, 112.0],
    [59.0, 73.0, 108.0],
    [87.0, 93.0, 109.0],
    [112.0, 113.0, 115.0],
    [138.0, 134.0, 120.0],
    [165.0, 156.0, 116.0],
    [195.0, 179.0, 105.0],
    [254.0, 232.0, 56.0],
];

/// The background and the text of a cell, as `#rrggbb`, for a level between 0 and 1.
pub(super) fn shade(level: f64) -> (String, &'static str) {
    let level = if level.is_finite() { level.clamp(0.0, 1.0) } else { 0.0 };
    let steps = CIVIDIS.len() - 1;
    #[expect(clippy::cast_precision_loss, reason = "eight steps")]
    let along = level * steps as f64;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 8")]
    let below = (along.floor() as usize).min(steps - 1);
    #[expect(clippy::cast_precision_loss, reason = "eight steps")]
    let part = along - below as f64;
    let mixed: Vec<f64> =
        (0..3).map(|c| (CIVIDIS[below][c] * (1.0 - part) + CIVIDIS[below + 1][c] * part).round()).collect();
    let colour = [mixed[0], mixed[1], mixed[2]];
    let text = if contrast(colour, [255.0; 3]) >= contrast(colour, [0.0; 3]) { "#ffffff" } else { "#000000" };
    (format!("#{:02x}{:02x}{:02x}", byte(colour[0]), byte(colour[1]), byte(colour[2])), text)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a channel between 0 and 255")]
fn byte(channel: f64) -> u8 {
    channel as u8
}

/// The contrast ratio of WCAG 2.2, 1 to 21.
fn contrast(one: [f64; 3], other: [f64; 3]) -> f64 {
    let (a, b) = (luminance(one), luminance(other));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

fn luminance(colour: [f64; 3]) -> f64 {
    let linear =
        |c: f64| if c / 255.0 <= 0.04045 { c / 255.0 / 12.92 } else { ((c / 255.0 + 0.055) / 1.055).powf(2.4) };
    0.2126 * linear(colour[0]) + 0.7152 * linear(colour[1]) + 0.0722 * linear(colour[2])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shade_has_text_that_can_be_read_on_it() {
        for step in 0..=100 {
            let (back, text) = shade(f64::from(step) / 100.0);
            let channel = |at: usize| f64::from(u8::from_str_radix(&back[at..at + 2], 16).expect("hex"));
            let ink = if text == "#ffffff" { [255.0; 3] } else { [0.0; 3] };
            let ratio = contrast([channel(1), channel(3), channel(5)], ink);
            assert!(ratio >= 4.5, "level {step}: {back} on {text} has {ratio:.2}");
        }
        assert!((contrast([0.0; 3], [255.0; 3]) - 21.0).abs() < 1e-9);
    }

    #[test]
    fn a_gap_breaks_the_line_and_a_flat_one_stays_in_the_middle() {
        let line = spark(&[Some(1.0), None, Some(2.0), Some(3.0)], String::new()).expect("a line");
        assert_eq!(line.lines.len(), 2);
        let flat = spark(&[Some(5.0), Some(5.0)], String::new()).expect("a line");
        assert_eq!(flat.dot.1, "18.0");
        assert!(spark(&[Some(1.0), None], String::new()).is_none());
    }
}
