//! Geometry and colour: lines with their intervals, the shade of a cell of a heat map, how well two colours can be told
//! apart. A picture holds no text, so that it needs no font; what it says stands beside it. It has no ground of its own either, and
//! colours that can be told from light and from dark ones, because nobody knows on which a mail is shown.

use std::fmt::Write;

use serde::Serialize;

/// At least 3 : 1 against the ground of a page and of its dark mode.
const LINE: &str = "#1b7fc0";
const MUTED: &str = "#7d8791";

/// How large a picture is, and what of it is drawn.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plot {
    width: f64,
    height: f64,
    margin: f64,
    banded: bool,
}

/// A picture, and what it shows for those who do not see it.
#[derive(Debug, Serialize)]
pub(super) struct Drawn {
    pub svg: String,
    pub label: String,
    /// The first and the last period, and the least and the most value, for the words around it.
    from: String,
    to: String,
}

impl Plot {
    pub const SPARK: Self = Self { width: 184.0, height: 40.0, margin: 5.0, banded: false };
    pub const TREND: Self = Self { width: 600.0, height: 150.0, margin: 10.0, banded: true };

    pub fn banded(self) -> bool {
        self.banded
    }

    /// None when there are fewer than two values, or none at the end. What lies at `dashed` and after it is drawn as not yet
    /// certain. Every mark has its colour as an attribute, so that the picture is whole without a style sheet.
    pub fn draw(
        self,
        values: &[Option<f64>],
        bands: &[Option<(f64, f64)>],
        target: Option<f64>,
        dashed: usize,
        label: &str,
        (from, to): (String, String),
    ) -> Option<Drawn> {
        let known = || values.iter().flatten().copied().filter(|v| v.is_finite());
        let last = values.last().copied().flatten().filter(|v| v.is_finite())?;
        if known().count() < 2 {
            return None;
        }
        let bands = if self.banded { bands } else { &[] };
        let reached = || known().chain(bands.iter().flatten().flat_map(|(a, b)| [*a, *b])).chain(target);
        let (least, most) = (reached().fold(f64::INFINITY, f64::min), reached().fold(f64::NEG_INFINITY, f64::max));
        let x = |i: usize| {
            #[expect(clippy::cast_precision_loss, reason = "a handful of points")]
            let along = i as f64 / (values.len() - 1) as f64;
            self.margin + along * (self.width - 2.0 * self.margin)
        };
        let y = |value: f64| {
            // A line that never moves runs through the middle.
            let up = if most > least { (value - least) / (most - least) } else { 0.5 };
            self.height - self.margin - up * (self.height - 2.0 * self.margin)
        };
        let (w, h) = (self.width, self.height);
        let mut svg = format!(
            "<svg viewBox=\"0 0 {w} {h}\" width=\"{w}\" height=\"{h}\" role=\"img\" aria-label=\"{}\">\
             <rect class=\"c-bg\" width=\"{w}\" height=\"{h}\" fill=\"none\"/>",
            escaped(label)
        );
        self.band(&mut svg, bands, &x, &y);
        if let Some(target) = target {
            let at = y(target);
            let _ = write!(
                svg,
                "<line class=\"c-tg\" x1=\"0\" x2=\"{w}\" y1=\"{at:.1}\" y2=\"{at:.1}\" stroke=\"{MUTED}\" \
                 stroke-width=\"1\" stroke-dasharray=\"2 4\"/>"
            );
        }
        for (points, certain) in stretches(values, dashed) {
            let path: Vec<String> = points.iter().map(|(i, v)| format!("{:.1},{:.1}", x(*i), y(*v))).collect();
            let dash = if certain { "" } else { " stroke-dasharray=\"5 4\"" };
            let _ = write!(
                svg,
                "<polyline class=\"c-ln\" points=\"{}\" fill=\"none\" stroke=\"{LINE}\" stroke-width=\"2\" \
                 stroke-linecap=\"round\" stroke-linejoin=\"round\"{dash}/>",
                path.join(" ")
            );
        }
        let _ = write!(
            svg,
            "<circle class=\"c-en\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"3.5\" fill=\"{LINE}\"/></svg>",
            x(values.len() - 1),
            y(last)
        );
        Some(Drawn { svg, label: label.to_owned(), from, to })
    }

    /// The intervals, as one surface for each stretch that has them.
    fn band(self, svg: &mut String, bands: &[Option<(f64, f64)>], x: &dyn Fn(usize) -> f64, y: &dyn Fn(f64) -> f64) {
        let numbered: Vec<(usize, Option<(f64, f64)>)> = bands.iter().copied().enumerate().collect();
        for stretch in numbered.split(|(_, b)| b.is_none()).filter(|s| s.len() > 1) {
            let edge = |at: &(usize, Option<(f64, f64)>), upper: bool| {
                let (low, high) = at.1.unwrap_or_default();
                format!("{:.1},{:.1}", x(at.0), y(if upper { high } else { low }))
            };
            let upper = stretch.iter().map(|p| edge(p, true));
            let around: Vec<String> = upper.chain(stretch.iter().rev().map(|p| edge(p, false))).collect();
            let _ = write!(
                svg,
                "<polygon class=\"c-bd\" points=\"{}\" fill=\"#56b4e9\" fill-opacity=\"0.3\"/>",
                around.join(" ")
            );
        }
    }
}

/// The lines between gaps, parted where what is certain ends; the point they part at belongs to both.
fn stretches(values: &[Option<f64>], dashed: usize) -> Vec<(Vec<(usize, f64)>, bool)> {
    let numbered: Vec<(usize, Option<f64>)> = values.iter().map(|v| v.filter(|v| v.is_finite())).enumerate().collect();
    let mut all = Vec::new();
    for line in numbered.split(|(_, v)| v.is_none()).filter(|s| !s.is_empty()) {
        let line: Vec<(usize, f64)> = line.iter().filter_map(|(i, v)| Some((*i, (*v)?))).collect();
        let parts = line.iter().position(|(i, _)| *i >= dashed).unwrap_or(line.len());
        if parts > 0 {
            all.push((line[..parts].to_vec(), true));
        }
        if parts < line.len() {
            all.push((line[parts.saturating_sub(1)..].to_vec(), false));
        }
    }
    all
}

pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
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
pub(super) fn contrast(one: [f64; 3], other: [f64; 3]) -> f64 {
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
        let draw = |values: &[Option<f64>]| Plot::SPARK.draw(values, &[], None, 99, "a<b", Default::default());
        let broken = draw(&[Some(1.0), None, Some(2.0), Some(3.0)]).expect("a line");
        assert_eq!(broken.svg.matches("<polyline").count(), 2);
        assert!(broken.svg.contains("aria-label=\"a&lt;b\"") && !broken.svg.contains("<text"));
        let flat = draw(&[Some(5.0), Some(5.0)]).expect("a line");
        assert!(flat.svg.contains("cy=\"20.0\""), "{}", flat.svg);
        assert!(draw(&[Some(1.0), None]).is_none());
    }

    #[test]
    fn what_is_not_yet_certain_is_dashed_and_joined_to_what_is() {
        let values = [Some(1.0), Some(2.0), Some(3.0), Some(2.5)];
        let lines = stretches(&values, 2);
        assert_eq!(lines, [(vec![(0, 1.0), (1, 2.0)], true), (vec![(1, 2.0), (2, 3.0), (3, 2.5)], false)]);
        let bands = [None, None, Some((2.0, 4.0)), Some((1.0, 4.0))];
        let drawn = Plot::TREND.draw(&values, &bands, None, 2, "", Default::default()).expect("a picture");
        assert_eq!(drawn.svg.matches("<polygon").count(), 1);
    }

    #[test]
    fn lines_are_seen_on_light_and_on_dark() {
        let channels =
            |hex: &str| [1, 3, 5].map(|at| f64::from(u8::from_str_radix(&hex[at..at + 2], 16).expect("a colour")));
        for mark in [LINE, MUTED] {
            for ground in ["#fdfdfb", "#ffffff", "#191d21", "#000000"] {
                let ratio = contrast(channels(mark), channels(ground));
                assert!(ratio >= 3.0, "{mark} on {ground}: {ratio:.2}");
            }
        }
    }
}
