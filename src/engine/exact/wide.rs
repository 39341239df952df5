//! A binary number of any size and scale: what a sum of doubles is exactly. Knows no groups and no arrays.
//!
//! Every finite double is an integer times a power of two, so sums, differences and products of doubles are too. Limbs
//! are kept only where the number has digits, which makes a typical one three limbs long.

/// A two's complement integer times `2^(64 * low)`, and how many values were not finite.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Wide {
    limbs: Vec<u64>,
    low: i32,
    /// Counted, not flagged, so that a sliding window can take one out again.
    special: Option<Box<Special>>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Special {
    nan: u64,
    plus: u64,
    minus: u64,
}

/// A finite double: `±mantissa * 2^exponent`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parts {
    pub(super) negative: bool,
    pub(super) mantissa: u64,
    pub(super) exponent: i32,
}

/// None for NaN and the infinities.
#[inline]
pub(super) fn parts(x: f64) -> Option<Parts> {
    let bits = x.to_bits();
    let (biased, fraction) = ((bits >> 52) & 0x7ff, bits & ((1 << 52) - 1));
    let (mantissa, exponent) = match biased {
        0x7ff => return None,
        0 => (fraction, -1074),
        #[expect(clippy::cast_possible_truncation, reason = "eleven bits")]
        _ => (fraction | 1 << 52, biased as i32 - 1075),
    };
    Some(Parts { negative: bits >> 63 == 1, mantissa, exponent })
}

impl Wide {
    pub(super) fn add_double(&mut self, x: f64) {
        match parts(x) {
            Some(p) => self.add_scaled(p.negative, u128::from(p.mantissa), p.exponent),
            None => *self.special_of(x) += 1,
        }
    }

    pub(super) fn subtract_double(&mut self, x: f64) {
        match parts(x) {
            Some(p) => self.add_scaled(!p.negative, u128::from(p.mantissa), p.exponent),
            None => *self.special_of(x) -= 1,
        }
    }

    /// Adds `±magnitude * 2^exponent`.
    pub(super) fn add_scaled(&mut self, negative: bool, magnitude: u128, exponent: i32) {
        if magnitude == 0 {
            return;
        }
        let shift = exponent.rem_euclid(64).unsigned_abs();
        let low = magnitude << shift;
        let high = if shift == 0 { 0 } else { magnitude >> (128 - shift) };
        #[expect(clippy::cast_possible_truncation, reason = "taken apart limb by limb")]
        let limbs = [low as u64, (low >> 64) as u64, high as u64];
        let used = 3 - limbs.iter().rev().take_while(|&&l| l == 0).count();
        self.add_limbs(exponent.div_euclid(64), &limbs[..used], negative);
    }

    pub(super) fn add(&mut self, other: &Self) {
        let (negative, magnitude) = other.magnitude();
        self.add_limbs(other.low, &magnitude, negative);
        if let Some(theirs) = &other.special {
            let ours = self.special.get_or_insert_default();
            ours.nan += theirs.nan;
            ours.plus += theirs.plus;
            ours.minus += theirs.minus;
        }
    }

    /// A double and a power of two whose product is the number rounded once (ties to even),
    /// even where a double would overflow; NaN and infinities as IEEE addition gives them.
    pub(super) fn to_scaled(&self) -> (f64, i32) {
        match self.special.as_deref() {
            Some(s) if s.nan > 0 || (s.plus > 0 && s.minus > 0) => return (f64::NAN, 0),
            Some(s) if s.plus > 0 => return (f64::INFINITY, 0),
            Some(s) if s.minus > 0 => return (f64::NEG_INFINITY, 0),
            _ => {}
        }
        let (negative, magnitude) = self.magnitude();
        let Some((&last, rest)) = magnitude.split_last() else { return (0.0, 0) };
        let lead = last.leading_zeros();
        let below = rest.last().copied().unwrap_or(0);
        let top = if lead == 0 { last } else { last << lead | below >> (64 - lead) };
        let sticky = (below << lead != 0 && lead > 0)
            || (lead == 0 && below != 0)
            || rest.iter().rev().skip(1).any(|&limb| limb != 0);
        // The lowest of 64 bits stands for everything below it: enough to round to 53 as the whole number would.
        #[expect(clippy::cast_precision_loss, reason = "this is the one rounding")]
        let mantissa = (top | u64::from(sticky)) as f64;
        let exponent = 64 * (self.low + limb_count(rest)) - lead.cast_signed();
        (if negative { -mantissa } else { mantissa }, exponent)
    }

    pub(super) fn is_special(&self) -> bool {
        self.special.as_deref().is_some_and(|s| *s != Special::default())
    }

    /// `count * self - sum²`, exactly: what a variance is made of, and never negative.
    pub(super) fn spread(&self, count: u64, sum: &Self) -> Self {
        let mut spread = Self::default();
        let (negative, squares) = self.magnitude();
        spread.add_limbs(self.low, &product(&squares, &[count]), negative);
        let (_, sum_magnitude) = sum.magnitude();
        spread.add_limbs(2 * sum.low, &product(&sum_magnitude, &sum_magnitude), true);
        spread
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.limbs.capacity() * size_of::<u64>() + self.special.as_ref().map_or(0, |_| size_of::<Special>())
    }

    /// `low` (4 bytes), whether special counts follow (1), the counts (24), the limbs; little-endian.
    pub(super) fn write(&self, into: &mut Vec<u8>) {
        into.extend(self.low.to_le_bytes());
        into.push(u8::from(self.special.is_some()));
        if let Some(s) = &self.special {
            for count in [s.nan, s.plus, s.minus] {
                into.extend(count.to_le_bytes());
            }
        }
        for limb in &self.limbs {
            into.extend(limb.to_le_bytes());
        }
    }

    /// The opposite of `write`; none when the bytes are not such a number.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let (low, rest) = bytes.split_first_chunk::<4>()?;
        let (&has_special, rest) = rest.split_first()?;
        let (words, odd) = rest.as_chunks::<8>();
        let words: Vec<u64> = words.iter().map(|w| u64::from_le_bytes(*w)).collect();
        let (special, limbs) = match (has_special, words.as_slice()) {
            (0, limbs) => (None, limbs),
            (1, [nan, plus, minus, limbs @ ..]) => {
                (Some(Box::new(Special { nan: *nan, plus: *plus, minus: *minus })), limbs)
            }
            _ => return None,
        };
        odd.is_empty().then(|| Self { limbs: limbs.to_vec(), low: i32::from_le_bytes(*low), special })
    }

    fn special_of(&mut self, x: f64) -> &mut u64 {
        let special = self.special.get_or_insert_default();
        if x.is_nan() {
            &mut special.nan
        } else if x > 0.0 {
            &mut special.plus
        } else {
            &mut special.minus
        }
    }

    fn add_limbs(&mut self, at: i32, limbs: &[u64], negative: bool) {
        if limbs.is_empty() {
            return;
        }
        self.make_room(at, at + limb_count(limbs));
        let start = (at - self.low).unsigned_abs() as usize;
        let mut carry = false;
        for (i, slot) in self.limbs[start..].iter_mut().enumerate() {
            let addend = limbs.get(i).copied().unwrap_or(0);
            if i >= limbs.len() && !carry {
                return;
            }
            let (once, first) = if negative { slot.overflowing_sub(addend) } else { slot.overflowing_add(addend) };
            let (twice, second) =
                if negative { once.overflowing_sub(carry.into()) } else { once.overflowing_add(carry.into()) };
            *slot = twice;
            carry = first || second;
        }
    }

    /// Makes the limbs cover `from..to` and one more, which then takes at most a carry and so cannot overflow.
    fn make_room(&mut self, from: i32, to: i32) {
        if self.limbs.is_empty() {
            self.low = from;
        }
        if from < self.low {
            let missing = (self.low - from).unsigned_abs() as usize;
            self.limbs.splice(..0, std::iter::repeat_n(0, missing));
            self.low = from;
        }
        let sign = if self.is_negative() { u64::MAX } else { 0 };
        let wanted = (to + 1 - self.low).unsigned_abs() as usize;
        if self.limbs.len() < wanted {
            self.limbs.resize(wanted, sign);
        }
        // The two highest bits differ: the next carry could change the sign.
        if self.limbs.last().is_some_and(|top| (top >> 62) == 1 || (top >> 62) == 2) {
            self.limbs.push(sign);
        }
    }

    fn is_negative(&self) -> bool {
        self.limbs.last().is_some_and(|top| top >> 63 == 1)
    }

    /// Sign and absolute value, without zero limbs at the top.
    fn magnitude(&self) -> (bool, Vec<u64>) {
        let negative = self.is_negative();
        let mut limbs = self.limbs.clone();
        if negative {
            let mut carry = true;
            for limb in &mut limbs {
                (*limb, carry) = (!*limb).overflowing_add(carry.into());
            }
        }
        while limbs.last() == Some(&0) {
            limbs.pop();
        }
        (negative, limbs)
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "a double's range is 70 limbs")]
fn limb_count(limbs: &[u64]) -> i32 {
    limbs.len() as i32
}

fn product(a: &[u64], b: &[u64]) -> Vec<u64> {
    let mut out = vec![0_u64; a.len() + b.len()];
    for (i, &x) in a.iter().enumerate() {
        let mut carry = 0_u128;
        for (j, &y) in b.iter().enumerate() {
            let sum = u128::from(x) * u128::from(y) + u128::from(out[i + j]) + carry;
            #[expect(clippy::cast_possible_truncation, reason = "the rest is the carry")]
            let low = sum as u64;
            out[i + j] = low;
            carry = sum >> 64;
        }
        #[expect(clippy::cast_possible_truncation, reason = "a carry is one limb")]
        let carry = carry as u64;
        out[i + b.len()] = carry;
    }
    while out.last() == Some(&0) {
        out.pop();
    }
    out
}

/// `x * 2^exponent`, exact wherever the result is a normal double or `x` has few enough digits.
pub(super) fn scale(mut x: f64, mut exponent: i32) -> f64 {
    while exponent != 0 && x != 0.0 && x.is_finite() {
        let step = exponent.clamp(-1000, 1000);
        x *= f64::from_bits(u64::from((step + 1023).unsigned_abs()) << 52);
        exponent -= step;
    }
    x
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "exactness is what is tested")]
mod tests {
    use super::*;

    fn scaled(wide: &Wide) -> f64 {
        let (mantissa, exponent) = wide.to_scaled();
        scale(mantissa, exponent)
    }

    fn sum(values: &[f64]) -> f64 {
        let mut wide = Wide::default();
        for &x in values {
            wide.add_double(x);
        }
        scaled(&wide)
    }

    #[test]
    fn published_fsum_examples() {
        // From Python's own tests of math.fsum (Lib/test/test_math.py, testFsum).
        assert_eq!(sum(&[]), 0.0);
        assert_eq!(sum(&[0.0]), 0.0);
        assert_eq!(sum(&[1e100, 1.0, -1e100, 1e-100, 1e50, -1.0, -1e50]), 1e-100);
        assert_eq!(sum(&[9_007_199_254_740_992.0, -0.5, -(2f64.powi(-54))]), 9_007_199_254_740_991.0);
        assert_eq!(sum(&[9_007_199_254_740_992.0, 1.0, 2f64.powi(-100)]), 9_007_199_254_740_994.0);
        assert_eq!(sum(&[9_007_199_254_740_994.0, 1.0, 2f64.powi(-100)]), 9_007_199_254_740_996.0);
        assert_eq!(sum(&[9_007_199_254_740_994.0, -0.5, 2f64.powi(-53), 1.0]), 9_007_199_254_740_994.0);
        assert_eq!(sum(&[1e16, 1.0, 1e-16]), 1e16 + 2.0);
        assert_eq!(sum(&[1e16 - 2.0, 1.0 - 2f64.powi(-53), -(1e16 - 2.0), -(1.0 - 2f64.powi(-53))]), 0.0);
        assert_eq!(sum(&[1e16, 1.0, -1e16]), 1.0);
        assert_eq!(sum(&[0.1; 10]), 1.0);
        assert_eq!(sum(&[1e308, 1e308, -1e308]), 1e308);
        assert_eq!(sum(&[f64::MAX, f64::MAX]), f64::INFINITY);
        assert_eq!(sum(&[f64::MIN_POSITIVE, -f64::from_bits(1)]), f64::from_bits((1 << 52) - 1));
        assert_eq!(sum(&[f64::from_bits(1); 3]), f64::from_bits(3));
        assert_eq!(sum(&[f64::INFINITY, 1.0]), f64::INFINITY);
        assert!(sum(&[f64::INFINITY, f64::NEG_INFINITY]).is_nan());
    }

    #[test]
    fn what_is_subtracted_is_gone() {
        let mut wide = Wide::default();
        for x in [1e308, 3e-320, f64::NAN, f64::INFINITY, -7.25] {
            wide.add_double(x);
        }
        for x in [f64::NAN, 1e308, f64::INFINITY, 3e-320] {
            wide.subtract_double(x);
        }
        assert_eq!(scaled(&wide), -7.25);
    }

    #[test]
    fn written_and_read_back() {
        let mut wide = Wide::default();
        for x in [-1e300, 1e-300, 2.5, f64::NEG_INFINITY] {
            wide.add_double(x);
            let mut bytes = Vec::new();
            wide.write(&mut bytes);
            assert_eq!(Wide::read(&bytes), Some(wide.clone()));
            assert_eq!(Wide::read(&bytes[..bytes.len() - 1]), None);
        }
        assert_eq!(Wide::read(&[]), None);
    }
}
