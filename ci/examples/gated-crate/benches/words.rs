//! What the gate measures.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use gated_crate::{squares, words};

fn benches(criterion: &mut Criterion) {
    let text = "the quick brown fox jumps over the lazy dog\n".repeat(500);
    criterion.bench_function("words", |bencher| bencher.iter(|| words(black_box(&text))));
    let values: Vec<u64> = (0..20_000).collect();
    criterion.bench_function("squares", |bencher| bencher.iter(|| squares(black_box(&values))));
}

criterion_group!(all, benches);
criterion_main!(all);
