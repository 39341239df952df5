//! `SplitMix64` (Steele, Lea and Flood 2014), our own so that no crate's next version changes a byte. Integers only: a
//! logarithm may differ in its last digit from machine to machine.

pub(super) struct Random(u64);

impl Random {
    /// A stream of its own for every thing that has a number.
    pub(super) fn stream(seed: u64, number: u64) -> Self {
        let mut random = Self(seed ^ number.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        random.next();
        random
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// From 0 up to, not including, `limit`.
    pub(super) fn below(&mut self, limit: u32) -> u32 {
        // The product's upper half is below `limit`, so it fits.
        u32::try_from((u64::from(limit) * (self.next() >> 32)) >> 32).unwrap_or(0)
    }

    /// From `low` to `high`, both included.
    pub(super) fn between(&mut self, low: u32, high: u32) -> u32 {
        low + self.below(high - low + 1)
    }

    /// True in so many of a million cases.
    pub(super) fn chance(&mut self, per_million: u32) -> bool {
        self.below(1_000_000) < per_million
    }

    pub(super) fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(u32::try_from(items.len()).unwrap_or(u32::MAX)) as usize]
    }
}
