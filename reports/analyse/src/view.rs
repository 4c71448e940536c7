//! The view: how records are to be set side by side, and which row of each ranking is the baseline.

use yardstick_record::Record;

use crate::{Choice, Comparison, Noise, Ranking, Row, Versus};

/// How records are to be compared.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// The baseline every row is held against: a device (`cpu:avx2`), a backend (`cpu`), or a device with its build
    /// (`cpu:avx2 base`); or a model, and every row is held against the same device and test of that model. Without it: the first that was named of those that took turns, or the fastest. Where
    /// several rows are that, each row is held against the one with its own options, and against the fastest of them if none has.
    pub baseline: Option<String>,
    /// Records of A/A runs, of this machine or others; those among the records compared count as well.
    pub noise: Vec<Record>,
    /// Grams of CO2 a kWh of the grid causes, as the user says: adds an estimate to every row with energy.
    pub grid: Option<f64>,
}

impl View {
    /// Compares records; their order does not matter.
    pub fn compare(&self, records: &[Record]) -> Comparison {
        Comparison::seen(records, self)
    }

    /// Whether the row is what was asked for as the baseline.
    pub fn asks_for(&self, row: &Row) -> bool {
        self.asks_for_device(row) || self.asks_for_model(row)
    }

    fn asks_for_model(&self, row: &Row) -> bool {
        let name = self.baseline.as_deref();
        name.is_some_and(|name| row.model == name || row.cell.model.name == name)
    }

    fn asks_for_device(&self, row: &Row) -> bool {
        self.baseline.as_deref().is_some_and(|name| {
            [row.cell.device.as_str(), row.backend(), &row.member()].contains(&name)
                || row.cell.build.as_deref() == Some(name)
        })
    }

    /// Holds every row of the rankings against its baseline.
    pub(crate) fn hold(&self, rows: &mut [Row], rankings: &[Ranking], noise: &[Noise]) {
        if rows.iter().any(|row| self.asks_for_model(row)) {
            return self.hold_models(rows, rankings, noise);
        }
        for ranking in rankings {
            let noise = noise.iter().find(|noise| noise.machine == ranking.machine);
            let common = self.baseline_of(rows, ranking);
            for &index in &ranking.order {
                let Some((common, choice)) = common else { continue };
                let baseline = self.alike(rows, ranking, index, choice).unwrap_or(common);
                if baseline != index {
                    rows[index].ratio =
                        Versus::between(&rows[index], (&rows[baseline], baseline), choice, noise);
                }
            }
        }
    }

    /// Holds every row against the same cell of the model asked for.
    fn hold_models(&self, rows: &mut [Row], rankings: &[Ranking], noise: &[Noise]) {
        let ranked = || rankings.iter().flat_map(|ranking| &ranking.order).copied();
        for index in ranked() {
            let row = &rows[index];
            let machine = row.settings.get("machine");
            let same = |other: &Row| {
                let (cell, own) = (&other.cell, &row.cell);
                other.settings.get("machine") == machine
                    && (cell.test, &cell.device, &cell.build, &cell.options)
                        == (own.test, &own.device, &own.build, &own.options)
            };
            let mut others = ranked().filter(|&other| self.asks_for_model(&rows[other]));
            let Some(other) = others.find(|&other| same(&rows[other])) else { continue };
            if other != index && !self.asks_for_model(row) {
                let noise = noise.iter().find(|noise| Some(&noise.machine) == machine);
                rows[index].ratio = Versus::across(&rows[index], (&rows[other], other), noise);
            }
        }
    }

    /// Of several baselines, one for each number of threads say, that with a row's own options.
    fn alike(
        &self,
        rows: &[Row],
        ranking: &Ranking,
        index: usize,
        choice: Choice,
    ) -> Option<usize> {
        let stands = |row: &Row| match choice {
            Choice::Asked => self.asks_for_device(row),
            Choice::FirstNamed => is_first_named(row),
            Choice::Fastest => false,
        };
        let options = &rows[index].cell.options;
        let mut others = ranking.order.iter().copied().filter(|&other| stands(&rows[other]));
        if stands(&rows[index]) {
            return None;
        }
        others.find(|&other| rows[other].cell.options == *options)
    }

    fn baseline_of(&self, rows: &[Row], ranking: &Ranking) -> Option<(usize, Choice)> {
        if self.baseline.is_some() {
            let asked = ranking.order.iter().find(|&&row| self.asks_for_device(&rows[row]));
            return asked.map(|&row| (row, Choice::Asked));
        }
        let first_named = ranking.order.iter().find(|&&row| is_first_named(&rows[row]));
        match (first_named, ranking.order.first()) {
            (Some(&row), _) => Some((row, Choice::FirstNamed)),
            (None, Some(&row)) => Some((row, Choice::Fastest)),
            (None, None) => None,
        }
    }
}

/// It took turns with others and was named before them.
fn is_first_named(row: &Row) -> bool {
    row.members.len() > 1 && row.members.first() == Some(&row.member())
}
