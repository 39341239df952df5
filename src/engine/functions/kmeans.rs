//! k-means in plain numbers: Lloyd's rounds from seeds that lie apart, as many clusters as give the widest silhouettes.
//!
//! Rows are sorted, sums run in that order and lots have fixed seeds: the same rows give the same digits however they came.

use std::cmp::Ordering;

/// Where more points are different, an even sample of so many rows says how many clusters there are and about where
/// they lie, since silhouettes measure every pair.
const SAMPLE: usize = 2_000;

/// Of the divisions from so many seeds the tightest is kept.
const STARTS: u64 = 10;

/// A bound: a sample of customers settles within sixty.
const ROUNDS: usize = 300;

/// Over all rows, from where the sample settled.
const ROUNDS_OVER_ALL: usize = 30;

/// Over all rows a round has to make the clusters tighter by this share, or it was the last.
const WORTH_A_ROUND: f64 = 1e-4;

/// What was found.
#[derive(Debug)]
pub(super) struct Clusters {
    /// Centres one after another: by their last number, the greatest first, then by the one before it.
    pub centres: Vec<f64>,
    /// Rows of each.
    pub sizes: Vec<f64>,
    /// Sum of the rows' squared distances from their centres.
    pub within: f64,
    /// The mean width of the number of clusters that was taken.
    pub silhouette: f64,
    /// Every number of clusters that was tried, with its mean silhouette width.
    pub tried: Vec<(usize, f64)>,
}

/// Divides rows of `width` numbers, which stand one after another, into `least` to `most` clusters; or says why not.
pub(super) fn fit(width: usize, values: &[f64], least: usize, most: usize) -> Result<Clusters, String> {
    let width = width.max(1);
    let mut rows: Vec<&[f64]> = values.chunks_exact(width).collect();
    rows.sort_unstable_by(|one, other| compare(one.iter(), other.iter()));
    let all = Points::of(width, &rows);
    let sampled = (all.counts.len() > SAMPLE).then(|| {
        let sample = Points::of(width, &evenly(&rows));
        // Where nearly all rows are alike, hardly another point is among so few of them.
        if sample.counts.len() > most { sample } else { all.spread() }
    });
    let sample = sampled.as_ref().unwrap_or(&all);
    let different = sample.counts.len();
    let mut tried = Vec::new();
    let mut best: Option<(Division, f64)> = None;
    for k in least..=most.min(different) {
        let division = tightest(sample, k);
        let silhouette = mean_silhouette(sample, &division.labels, k);
        tried.push((k, silhouette));
        if best.as_ref().is_none_or(|(_, widest)| silhouette > *widest) {
            best = Some((division, silhouette));
        }
    }
    let Some((chosen, silhouette)) = best else {
        return Err(format!("{different} different points are fewer than {least} clusters"));
    };
    let Division { centres, mut labels, .. } = settle(&all, chosen.centres, ROUNDS_OVER_ALL, WORTH_A_ROUND);
    let mut ordered: Vec<&[f64]> = centres.chunks_exact(width).collect();
    ordered.sort_unstable_by(|one, other| compare(other.iter().rev(), one.iter().rev()));
    let centres = ordered.concat();
    // By their new numbers, and what is as near to two by the lower of them.
    let (within, _) = assign(&all, &centres, &mut labels);
    if !within.is_finite() || !silhouette.is_finite() {
        return Err("distances between these points are too great or too small to be squared".to_owned());
    }
    let sizes = sizes(&all, &labels, ordered.len());
    Ok(Clusters { centres, sizes, within, silhouette, tried })
}

/// Of two points as long as each other.
pub(super) fn squared_distance(one: &[f64], other: &[f64]) -> f64 {
    one.iter().zip(other).map(|(a, b)| (a - b) * (a - b)).sum()
}

fn compare<'n>(one: impl Iterator<Item = &'n f64>, other: impl Iterator<Item = &'n f64>) -> Ordering {
    one.zip(other).map(|(a, b)| a.total_cmp(b)).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}

/// Rows as far from each other in the order as can be.
fn evenly<'r>(rows: &[&'r [f64]]) -> Vec<&'r [f64]> {
    places(rows.len()).map(|at| rows[at]).collect()
}

/// `SAMPLE` places of so many.
fn places(of: usize) -> impl Iterator<Item = usize> {
    (0..SAMPLE).map(move |at| (2 * at + 1) * of / (2 * SAMPLE))
}

/// Different points in order.
#[derive(Debug)]
struct Points {
    width: usize,
    /// One after another.
    values: Vec<f64>,
    /// Rows at each.
    counts: Vec<f64>,
}

impl Points {
    fn of(width: usize, sorted: &[&[f64]]) -> Self {
        let mut points = Self { width, values: Vec::new(), counts: Vec::new() };
        for same in sorted.chunk_by(|one, other| compare(one.iter(), other.iter()).is_eq()) {
            points.values.extend_from_slice(same[0]);
            #[expect(clippy::cast_precision_loss, reason = "rows are fewer than 2^53")]
            points.counts.push(same.len() as f64);
        }
        points
    }

    /// As many as a sample has, as far from each other as can be, with the rows at each.
    fn spread(&self) -> Self {
        let mut points = Self { width: self.width, values: Vec::new(), counts: Vec::new() };
        for at in places(self.counts.len()) {
            points.values.extend_from_slice(self.get(at));
            points.counts.push(self.counts[at]);
        }
        points
    }

    fn get(&self, at: usize) -> &[f64] {
        &self.values[at * self.width..(at + 1) * self.width]
    }

    /// From this one on, with how many rows are at each.
    fn each_from(&self, at: usize) -> impl Iterator<Item = (&[f64], f64)> {
        self.values[at * self.width..].chunks_exact(self.width).zip(self.counts[at..].iter().copied())
    }
}

/// Centres, and the place of the nearest for each point.
#[derive(Debug)]
struct Division {
    centres: Vec<f64>,
    labels: Vec<usize>,
    within: f64,
}

fn tightest(points: &Points, k: usize) -> Division {
    let from = |start: u64| settle(points, seeds(points, k, start), ROUNDS, 0.0);
    let mut best = from(0);
    for start in 1..STARTS {
        let next = from(start);
        if next.within < best.within {
            best = next;
        }
    }
    best
}

/// Points drawn by lot, each the likelier the more rows are there and the farther, in squares, it lies from those before
/// it.
fn seeds(points: &Points, k: usize, start: u64) -> Vec<f64> {
    let mut lots = Lots(start);
    let mut centres = Vec::with_capacity(k * points.width);
    let mut apart = vec![f64::INFINITY; points.counts.len()];
    let mut weights = points.counts.clone();
    for _ in 0..k {
        let drawn = lots.draw() * weights.iter().sum::<f64>();
        let mut through = 0.0;
        let before = weights.iter().take_while(|weight| {
            through += **weight;
            through <= drawn
        });
        let at = before.count().min(weights.len() - 1);
        let centre = points.get(at);
        centres.extend_from_slice(centre);
        for (((point, rows), nearest), weight) in points.each_from(0).zip(&mut apart).zip(&mut weights) {
            *nearest = nearest.min(squared_distance(point, centre));
            *weight = rows * *nearest;
        }
    }
    centres
}

/// Lloyd's rounds, until no point changes its cluster or one makes them tighter by no more than this share.
fn settle(points: &Points, mut centres: Vec<f64>, rounds: usize, worth: f64) -> Division {
    let mut labels = vec![0; points.counts.len()];
    let (mut within, _) = assign(points, &centres, &mut labels);
    for _ in 0..rounds {
        move_to_means(points, &labels, &mut centres);
        let (next, changed) = assign(points, &centres, &mut labels);
        let gained = within - next;
        within = next;
        if !changed || gained <= worth * within {
            break;
        }
    }
    Division { centres, labels, within }
}

/// Gives each point to its nearest centre, the first of two as near: the sum of the rows' squared distances, and whether
/// a point changed.
fn assign(points: &Points, centres: &[f64], labels: &mut [usize]) -> (f64, bool) {
    let (mut within, mut changed) = (0.0, false);
    for ((point, rows), label) in points.each_from(0).zip(labels) {
        let (mut nearest, mut least) = (0, f64::INFINITY);
        for (at, centre) in centres.chunks_exact(points.width).enumerate() {
            let apart = squared_distance(centre, point);
            if apart < least {
                (nearest, least) = (at, apart);
            }
        }
        changed |= nearest != *label;
        *label = nearest;
        within += rows * least;
    }
    (within, changed)
}

/// A centre without points stays where it is.
fn move_to_means(points: &Points, labels: &[usize], centres: &mut [f64]) {
    let width = points.width;
    let sizes = sizes(points, labels, centres.len() / width);
    let mut sums = vec![0.0; centres.len()];
    for ((point, rows), label) in points.each_from(0).zip(labels) {
        for (sum, value) in sums[label * width..].iter_mut().zip(point) {
            *sum += rows * value;
        }
    }
    for ((centre, sums), size) in centres.chunks_exact_mut(width).zip(sums.chunks_exact(width)).zip(sizes) {
        if size > 0.0 {
            for (value, sum) in centre.iter_mut().zip(sums) {
                *value = sum / size;
            }
        }
    }
}

fn sizes(points: &Points, labels: &[usize], k: usize) -> Vec<f64> {
    let mut sizes = vec![0.0; k];
    for (label, rows) in labels.iter().zip(&points.counts) {
        sizes[*label] += rows;
    }
    sizes
}

/// Of each row (b - a) ÷ the greater of both, a being its mean distance from the others of its cluster and b that from
/// the rows of the nearest other one; 0 for a row that is alone in its cluster.
fn mean_silhouette(points: &Points, labels: &[usize], k: usize) -> f64 {
    // From each point to all rows of each cluster.
    let mut distances = vec![0.0; labels.len() * k];
    for (i, (one, rows)) in points.each_from(0).enumerate() {
        for (j, (other, others)) in (i + 1..).zip(points.each_from(i + 1)) {
            let apart = squared_distance(one, other).sqrt();
            distances[i * k + labels[j]] += others * apart;
            distances[j * k + labels[i]] += rows * apart;
        }
    }
    let sizes = sizes(points, labels, k);
    let mut total = 0.0;
    for ((distances, label), rows) in distances.chunks_exact(k).zip(labels).zip(&points.counts) {
        let others = (0..k).filter(|at| at != label && sizes[*at] > 0.0);
        let b = others.map(|at| distances[at] / sizes[at]).fold(f64::INFINITY, f64::min);
        if sizes[*label] > 1.0 {
            let a = distances[*label] / (sizes[*label] - 1.0);
            total += rows * (b - a) / a.max(b);
        }
    }
    total / points.counts.iter().sum::<f64>()
}

/// `SplitMix64` (Steele, Lea and Flood 2014).
struct Lots(u64);

impl Lots {
    /// From 0 up to, not including, 1.
    fn draw(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^= z >> 31;
        f64::from(u32::try_from(z >> 32).unwrap_or(0)) / 4_294_967_296.0
    }
}
