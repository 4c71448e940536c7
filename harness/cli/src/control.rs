//! Moves all code behind it. The gate's control copy of the base is built with it (feature `control`), so that where the linker
//! puts a function is part of what the control shows.

use std::hint::black_box;

#[inline(never)]
fn unused(seed: u64) -> u64 {
    let mut state = seed;
    macro_rules! step {
        ($($n:literal)*) => {
            $(state = black_box(state.rotate_left($n).wrapping_mul(0x9E37_79B9_7F4A_7C15 ^ $n));)*
        };
    }
    step!(1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32);
    state
}

#[used]
static UNUSED: fn(u64) -> u64 = unused;
