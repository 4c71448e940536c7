//! Synthetic launches for tests and for the coverage table: generators whose truth is known, and the candidates for an interval.
#![allow(dead_code, missing_docs, unreachable_pub, clippy::unwrap_used)]

pub mod candidates;
pub mod launches;
pub mod pairs;

/// A small generator, so that trials are the same on every machine.
pub struct Random(pub u64);

impl Random {
    /// Uniform in (0, 1): SplitMix64 (Steele, Lea, Flood 2014).
    pub fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64 + 1e-17
    }

    /// Box and Muller.
    pub fn normal(&mut self) -> f64 {
        (-2.0 * self.uniform().ln()).sqrt() * (std::f64::consts::TAU * self.uniform()).cos()
    }

    pub fn below(&mut self, n: usize) -> usize {
        ((self.uniform() * n as f64) as usize).min(n - 1)
    }

    /// Student's t with few degrees of freedom: a normal over the root of a mean of squares.
    fn student(&mut self, freedom: usize) -> f64 {
        let squares: f64 = (0..freedom).map(|_| self.normal().powi(2)).sum();
        self.normal() / (squares / freedom as f64).sqrt()
    }
}

pub fn sorted(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_by(f64::total_cmp);
    values
}

/// Log ratios of `n` launches in the order of time, whose true median is 0.
pub struct Generator {
    pub name: &'static str,
    /// Any order of the launches is as likely as any other: what intervals take for granted.
    pub exchangeable: bool,
    pub draw: fn(&mut Random, usize) -> Vec<f64>,
}

const fn generator(
    name: &'static str,
    exchangeable: bool,
    draw: fn(&mut Random, usize) -> Vec<f64>,
) -> Generator {
    Generator { name, exchangeable, draw }
}

/// What launches have been seen to do, and worse. One unit is the spread of a launch.
pub const GENERATORS: &[Generator] = &[
    generator("normal", true, |r, n| each(n, || r.normal())),
    generator("heavy tail, t with 3 df", true, |r, n| each(n, || r.student(3))),
    generator("heavy tail, t with 2 df", true, |r, n| each(n, || r.student(2))),
    generator("contaminated, 10 % ten times wider", true, |r, n| {
        each(n, || r.normal() * if r.uniform() < 0.1 { 10.0 } else { 1.0 })
    }),
    generator("two modes, 50:50, 10 apart", true, |r, n| {
        each(n, || r.normal() + if r.uniform() < 0.5 { -5.0 } else { 5.0 })
    }),
    // The median of the mixture lies where 5/8 of the first mode are below it.
    generator("two modes, 80:20, 10 apart", true, |r, n| {
        each(n, || r.normal() - 0.318_639 + if r.uniform() < 0.2 { 10.0 } else { 0.0 })
    }),
    generator("skewed, lognormal", true, |r, n| each(n, || r.normal().exp() - 1.0)),
    generator("AR(1), 0.3", false, |r, n| chain(r, n, 0.3)),
    generator("AR(1), 0.7", false, |r, n| chain(r, n, 0.7)),
    generator("drift, 1 in all", false, |r, n| drift(r, n, 1.0)),
    generator("drift, 4 in all", false, |r, n| drift(r, n, 4.0)),
    // A neighbour who came half-way and stayed.
    generator("step of 4, somewhere", false, |r, n| {
        let at = 1 + r.below(n - 1);
        (0..n).map(|i| r.normal() + if i < at { 0.0 } else { 4.0 }).collect()
    }),
];

fn each(n: usize, mut one: impl FnMut() -> f64) -> Vec<f64> {
    (0..n).map(|_| one()).collect()
}

/// Each launch remembers a share of the one before; the spread of a launch stays 1.
pub fn chain(random: &mut Random, n: usize, share: f64) -> Vec<f64> {
    let fresh = (1.0 - share * share).sqrt();
    let mut last = random.normal();
    each(n, || {
        let now = last;
        last = share * last + fresh * random.normal();
        now
    })
}

/// A slope that starts at the truth: what was measured first was right, the rest is not.
fn drift(random: &mut Random, n: usize, whole: f64) -> Vec<f64> {
    (0..n).map(|i| random.normal() + whole * i as f64 / (n - 1) as f64).collect()
}
