//! Numbers that look random, and are the same in every run. `benches/peers` uses this file as well.

/// Everything made up here comes from this.
const SEED: u64 = 0x5eed;

/// A well-mixed number (SplitMix64).
pub fn mix(number: u64) -> u64 {
    let mut mixed = number
        .wrapping_add(SEED)
        .wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// Gives each number below 2^30 another one below 2^30, in no order, and differently for each
/// `kind` (a Feistel cipher of four rounds). So identifiers come in random order and never twice.
pub fn shuffled(number: u64, kind: u64) -> u64 {
    const HALF: u64 = (1 << 15) - 1;
    let (mut left, mut right) = (number >> 15 & HALF, number & HALF);
    for round in 0..4 {
        let mask = mix(right | kind << 32 | round << 40) & HALF;
        (left, right) = (right, left ^ mask);
    }
    left << 15 | right
}
