//! Points of the search: a model with the settings that may vary, and the space they are taken from.

use serde::Serialize;
use yardstick_api::{KvType, Numerics, Options};

use crate::recommend::Candidate;

/// A model and the settings that a search varies; everything else is as it always is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Point {
    /// As records name it.
    pub model: String,
    /// Threads asked for; `None`: the backend's choice.
    pub threads: Option<usize>,
    /// Storage of keys and values.
    pub kv: KvType,
    /// Numerics class asked for; `None`: the device's default.
    pub numerics: Option<Numerics>,
    /// Sequences generated together.
    pub sequences: usize,
}

impl Point {
    /// Of a model under options.
    pub fn new(model: &str, options: &Options) -> Point {
        Point {
            model: model.to_owned(),
            threads: options.threads,
            kv: options.kv,
            numerics: options.numerics,
            sequences: options.sequences,
        }
    }

    /// What a candidate was measured as; none of one that was not measured.
    pub fn of(candidate: &Candidate) -> Option<Point> {
        let (model, options) = candidate.measured_as.as_ref()?;
        Some(Point::new(model, options))
    }

    /// `threads 2, kv f16, sequences 1`
    pub fn words(&self) -> String {
        self.told_apart_from(&[])
    }

    /// Words of the settings in which these points differ; of all settings where none are given.
    pub fn told_apart_from(&self, among: &[Point]) -> String {
        let differs = |same: &dyn Fn(&Point) -> bool| among.is_empty() || !among.iter().all(same);
        let mut words = Vec::new();
        if differs(&|other| other.threads == self.threads) {
            words.extend(self.threads.map(|threads| format!("threads {threads}")));
        }
        if differs(&|other| other.kv == self.kv) {
            words.push(format!("kv {}", self.kv.name()));
        }
        if differs(&|other| other.numerics == self.numerics) {
            words.extend(self.numerics.map(|class| format!("numerics {}", numerics_name(class))));
        }
        if differs(&|other| other.sequences == self.sequences) {
            words.push(format!("sequences {}", self.sequences));
        }
        words.join(", ")
    }
}

/// As flags and suites write it.
pub fn numerics_name(numerics: Numerics) -> &'static str {
    match numerics {
        Numerics::F32 => "f32",
        Numerics::F16 => "f16",
        Numerics::Bf16 => "bf16",
        Numerics::A8 => "a8",
        Numerics::Requantised => "requantised",
    }
}

/// Values of every setting. The first of each list is where the search starts; none is empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Space {
    /// Threads.
    pub threads: Vec<Option<usize>>,
    /// Keys and values.
    pub kv: Vec<KvType>,
    /// Numerics.
    pub numerics: Vec<Option<Numerics>>,
    /// Sequences.
    pub sequences: Vec<usize>,
}

impl Space {
    /// Where the search starts with a model.
    pub fn start(&self, model: &str) -> Point {
        let default = Options::default();
        Point {
            model: model.to_owned(),
            threads: self.threads.first().copied().unwrap_or(default.threads),
            kv: self.kv.first().copied().unwrap_or(default.kv),
            numerics: self.numerics.first().copied().unwrap_or(default.numerics),
            sequences: self.sequences.first().copied().unwrap_or(default.sequences),
        }
    }

    /// Settings in which a point differs from where the search started with its model.
    pub fn changes(&self, point: &Point) -> usize {
        let start = self.start(&point.model);
        let changed = [
            point.threads != start.threads,
            point.kv != start.kv,
            point.numerics != start.numerics,
            point.sequences != start.sequences,
        ];
        changed.into_iter().filter(|changed| *changed).count()
    }

    /// Every point that differs from this one in one setting.
    pub fn neighbours(&self, of: &Point) -> Vec<Point> {
        let mut all = Vec::new();
        let mut add = |point: Point| {
            if point != *of && !all.contains(&point) {
                all.push(point);
            }
        };
        self.threads.iter().for_each(|&threads| add(Point { threads, ..of.clone() }));
        self.kv.iter().for_each(|&kv| add(Point { kv, ..of.clone() }));
        self.numerics.iter().for_each(|&numerics| add(Point { numerics, ..of.clone() }));
        self.sequences.iter().for_each(|&sequences| add(Point { sequences, ..of.clone() }));
        all
    }
}
