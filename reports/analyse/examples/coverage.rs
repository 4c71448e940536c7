//! Prints the coverage of intervals on synthetic launches: the table in reports/README.md.

#[path = "../tests/synthetic/mod.rs"]
mod synthetic;

use synthetic::candidates::CANDIDATES;
use synthetic::{GENERATORS, Random, sorted};

const TRIALS: usize = 2000;

fn main() {
    for candidate in CANDIDATES {
        println!("\n{}", candidate.name);
        for g in GENERATORS {
            print!("{:<36}", g.name);
            for n in [6, 10, 24] {
                let mut random = Random(n as u64);
                let (mut hits, mut wide) = (0, Vec::new());
                for _ in 0..TRIALS {
                    let values = sorted((g.draw)(&mut random, n));
                    let (low, high) = (candidate.interval)(&values, &mut random).unwrap();
                    hits += usize::from(low <= 0.0 && 0.0 <= high);
                    wide.push(high - low);
                }
                let wide = sorted(wide);
                print!("  {:5.1} ({:5.2})", 100.0 * hits as f64 / TRIALS as f64, wide[TRIALS / 2]);
            }
            println!();
        }
    }
}
