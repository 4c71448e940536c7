//! A seeded shuffle (SplitMix64 and Fisher-Yates), so that a run's order can be repeated from its record.

/// The generator's state.
pub struct Shuffle(u64);

impl Shuffle {
    /// Starts from a seed.
    pub fn new(seed: u64) -> Shuffle {
        Shuffle(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Shuffles in place. The bias of the modulo is below 2^-40 for any list here.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, (self.next() % (i as u64 + 1)) as usize);
        }
    }
}
