//! Devices known by their data sheets only: the share of the stated bandwidth or arithmetic that published measurements reached on
//! devices of the same class, carried over. As wide as those differ.

use serde::{Deserialize, Serialize};
use yardstick_api::{Known, Options};
use yardstick_record::Test;

use super::predictor::Question;
use super::work::{Phase, Work};
use crate::interval::t_quantile;
use crate::{CONFIDENCE, Interval};

/// A number of a data sheet, and where it was read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fact {
    /// In the unit of its key.
    pub value: f64,
    /// Address.
    pub source: String,
    /// The sentence or line it stands in.
    pub quote: String,
}

/// What it cost, when, and where that was read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// In the currency.
    pub value: f64,
    /// ISO 4217.
    pub currency: String,
    /// Day, month or year the price is of: `2024-12-17`, `2024-12`, `2024`.
    pub date: String,
    /// Address.
    pub source: String,
    /// The sentence or line it stands in.
    pub quote: String,
}

/// A speed that someone published of the device.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Published {
    /// Program that ran it.
    pub program: String,
    /// Model, as the source calls it.
    pub model: String,
    /// Format, as the source calls it.
    pub quantisation: String,
    /// Size of the weights, 2^30 bytes.
    pub weights_gib: f64,
    /// Weights, 10^9.
    pub parameters_b: f64,
    /// Test.
    pub test: Test,
    /// Speed.
    pub tokens_per_second: f64,
    /// Address.
    pub source: String,
    /// The sentence or line it stands in.
    pub quote: String,
}

/// A sort of device, whose members turn data sheets into speed about equally well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "the names say it")]
pub enum Class {
    Phone,
    Board,
    Laptop,
    MiniPc,
    Gpu,
}

/// A device as its data sheet has it; what is absent was not found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sheet {
    /// What it is asked for by.
    pub id: String,
    /// What a person calls it.
    pub name: String,
    /// Sort of device.
    pub class: Class,
    /// Memory, 2^30 bytes.
    pub memory_gib: Option<Fact>,
    /// Read bandwidth of that memory, 10^9 bytes per second.
    pub bandwidth_gb_s: Option<Fact>,
    /// 10^12 operations per second on 8-bit integers, dense.
    pub int8_tops: Option<Fact>,
    /// 10^12 operations per second in f16, of the vector units.
    pub f16_tflops: Option<Fact>,
    /// 10^12 operations per second in f32.
    pub f32_tflops: Option<Fact>,
    /// Watts it is built for, or drew at most: the quote says which.
    pub watts: Option<Fact>,
    /// Price.
    pub price: Option<Price>,
    /// Speeds published of it.
    #[serde(default)]
    pub published: Vec<Published>,
}

/// Every data sheet there is.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Sheets {
    /// In the order of the file.
    pub devices: Vec<Sheet>,
}

/// A speed carried over from other devices.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SheetPrediction {
    /// Tokens per second.
    pub tokens_per_second: f64,
    /// Where the measured speed would lie, or why nobody knows.
    pub interval: Known<Interval>,
    /// Share of the data sheet's number that it stands on (0.6 is 60 %).
    pub share: f64,
    /// Of which devices that share was learnt, and whether they are of the device's class.
    pub learnt_from: Vec<String>,
    /// The class, or all of them where it has too few.
    pub class: Option<Class>,
}

/// Fewest devices whose shares have a spread worth stating.
const LEAST_DEVICES: usize = 3;
/// This far outside of the weights of models published, shares still hold.
const NEAR: f64 = 2.0;

impl Sheets {
    /// By id.
    pub fn find(&self, id: &str) -> Option<&Sheet> {
        self.devices.iter().find(|sheet| sheet.id == id)
    }

    /// The speed of a device by its data sheet, or why there is no saying.
    pub fn predict(&self, sheet: &Sheet, question: &Question<'_>) -> Known<SheetPrediction> {
        match self.answer(sheet, question) {
            Ok(prediction) => Known::Value(prediction),
            Err(reason) => Known::unavailable(reason),
        }
    }

    fn answer(&self, sheet: &Sheet, question: &Question<'_>) -> Result<SheetPrediction, String> {
        let Question { model, test, sequences } = *question;
        let work = Work::of(model, test, &Options::default())
            .ok_or_else(|| format!("{test}: only ppN and tgN are predicted"))?;
        if sequences != 1 {
            return Err("no speed of several sequences was published of any device here".to_owned());
        }
        let stated = stated(sheet, work.phase)
            .ok_or_else(|| format!("{}: {} is not stated", sheet.id, unit(work.phase)))?;
        fits(sheet, &work)?;
        let (class, shares) = self.shares(sheet.class, work.phase)?;
        let logs: Vec<f64> = shares.iter().map(|device| device.share.ln()).collect();
        let mean = logs.iter().sum::<f64>() / logs.len() as f64;
        let amount = match work.phase {
            Phase::Decode => (work.weight_bytes() * work.passes + work.kv_bytes) / work.tokens,
            Phase::Prefill => {
                (work.operations.values().sum::<f64>() + work.attention) / work.tokens
            }
        };
        let tokens_per_second = stated / amount * mean.exp();
        Ok(SheetPrediction {
            tokens_per_second,
            interval: interval(tokens_per_second, &logs, mean, &shares, &work),
            share: mean.exp(),
            learnt_from: shares.iter().map(|device| device.id.clone()).collect(),
            class,
        })
    }

    /// Shares that devices of the class reached, or of all classes where too few did.
    fn shares(&self, class: Class, phase: Phase) -> Result<(Option<Class>, Vec<Share>), String> {
        let of = |class: Option<Class>| -> Vec<Share> {
            let devices =
                self.devices.iter().filter(|d| class.is_none_or(|class| d.class == class));
            devices.filter_map(|device| share(device, phase)).collect()
        };
        let (own, all) = (of(Some(class)), of(None));
        match (own.len(), all.len()) {
            (LEAST_DEVICES.., _) => Ok((Some(class), own)),
            (_, LEAST_DEVICES..) => Ok((None, all)),
            (_, n) => Err(format!(
                "{n} devices here state {} and have a published {}, a share needs {LEAST_DEVICES}",
                unit(phase),
                phase.name()
            )),
        }
    }
}

/// What a device reached of its data sheet, the mean of what was published, and the models' weights.
struct Share {
    id: String,
    share: f64,
    bytes: Vec<f64>,
}

fn share(sheet: &Sheet, phase: Phase) -> Option<Share> {
    let stated = stated(sheet, phase)?;
    let of: Vec<&Published> =
        sheet.published.iter().filter(|p| Phase::of(p.test) == Some(phase)).collect();
    let log = |published: &&Published| {
        let amount = match phase {
            Phase::Decode => bytes(published),
            Phase::Prefill => 2.0 * published.parameters_b * 1e9,
        };
        (amount * published.tokens_per_second / stated).ln()
    };
    let mean = of.iter().map(log).sum::<f64>() / of.len() as f64;
    (!of.is_empty()).then(|| Share {
        id: sheet.id.clone(),
        share: mean.exp(),
        bytes: of.iter().map(|published| bytes(published)).collect(),
    })
}

fn bytes(published: &Published) -> f64 {
    published.weights_gib * f64::from(1 << 30)
}

/// What a phase is bound by, per second.
fn stated(sheet: &Sheet, phase: Phase) -> Option<f64> {
    match phase {
        Phase::Decode => sheet.bandwidth_gb_s.as_ref().map(|fact| fact.value * 1e9),
        Phase::Prefill => sheet.f16_tflops.as_ref().map(|fact| fact.value * 1e12),
    }
}

fn unit(phase: Phase) -> &'static str {
    match phase {
        Phase::Decode => "bandwidth_gb_s",
        Phase::Prefill => "f16_tflops",
    }
}

/// Where another device's share would lie: Student's t of the devices' logarithms, with what one more device varies by itself.
fn interval(value: f64, logs: &[f64], mean: f64, shares: &[Share], work: &Work) -> Known<Interval> {
    let sizes = || shares.iter().flat_map(|device| &device.bytes).copied();
    let (least, most) = (sizes().fold(f64::INFINITY, f64::min), sizes().fold(0.0, f64::max));
    let asked = work.weight_bytes();
    if asked * NEAR < least || asked > NEAR * most {
        let gib = |bytes: f64| bytes / f64::from(1 << 30);
        return Known::unavailable(format!(
            "weights of {:.2} GiB; published were models of {:.2} to {:.2} GiB",
            gib(asked),
            gib(least),
            gib(most)
        ));
    }
    let n = logs.len() as f64;
    let variance = logs.iter().map(|log| (log - mean).powi(2)).sum::<f64>() / (n - 1.0);
    let reach = t_quantile(logs.len() - 1, CONFIDENCE) * (variance * (1.0 + 1.0 / n)).sqrt();
    let (low, high) = (value * (-reach).exp(), value * reach.exp());
    Known::Value(Interval { low, high, confidence: CONFIDENCE })
}

/// All of the memory counts, that of the system too: what does not fit then does not fit at all.
fn fits(sheet: &Sheet, work: &Work) -> Result<(), String> {
    let gib = f64::from(1 << 30);
    let memory = sheet.memory_gib.as_ref().ok_or("its memory is not stated")?.value;
    let need = work.held_bytes / gib;
    if need <= memory {
        return Ok(());
    }
    Err(format!("does not fit: weights, keys and values take {need:.1} GiB of {memory:.1} GiB"))
}

#[cfg(test)]
mod tests {
    use yardstick_model::preset::{self, PresetRef};

    use super::*;

    fn fact(value: f64) -> Option<Fact> {
        Some(Fact { value, source: "x".into(), quote: "y".into() })
    }

    fn sheet(id: &str, class: Class, bandwidth: f64, speeds: &[f64]) -> Sheet {
        let published = |speed: &f64| Published {
            program: "llama.cpp".into(),
            model: "m".into(),
            quantisation: "Q4_0".into(),
            weights_gib: 1.0,
            parameters_b: 1.0,
            test: Test::Generate { tokens: 128, depth: 0 },
            tokens_per_second: *speed,
            source: "x".into(),
            quote: "y".into(),
        };
        Sheet {
            id: id.into(),
            name: id.into(),
            class,
            memory_gib: fact(8.0),
            bandwidth_gb_s: fact(bandwidth),
            int8_tops: None,
            f16_tflops: None,
            f32_tflops: None,
            watts: None,
            price: None,
            published: speeds.iter().map(published).collect(),
        }
    }

    /// A third of the devices reach half of their bandwidth, the others more and less.
    fn sheets() -> Sheets {
        let gib = 1.073_741_824;
        let at = |share: f64| 100.0 / gib * share;
        let devices = vec![
            sheet("a", Class::Gpu, 100.0, &[at(0.5)]),
            sheet("b", Class::Gpu, 100.0, &[at(0.4), at(0.4)]),
            sheet("c", Class::Gpu, 100.0, &[at(0.625)]),
            sheet("d", Class::Gpu, 1000.0, &[]),
            sheet("e", Class::Phone, 50.0, &[]),
        ];
        Sheets { devices }
    }

    fn ask(id: &str, model: &str, test: &str, sequences: usize) -> Known<SheetPrediction> {
        let (sheets, test) = (sheets(), test.parse().unwrap());
        let model = preset::info(&PresetRef::parse(model).unwrap()).unwrap();
        let question = Question { model: &model, test, sequences };
        sheets.predict(sheets.find(id).unwrap(), &question)
    }

    #[test]
    fn the_share_of_a_class_carries_over_with_its_spread() {
        let found = ask("d", "llama-3.2-1b:Q4_0", "tg1", 1);
        let found = found.value().unwrap();
        assert!((found.share - 0.5).abs() < 1e-9);
        assert_eq!((found.class, found.learnt_from.len()), (Some(Class::Gpu), 3));
        let interval = found.interval.value().unwrap();
        // ln 0.8 and ln 1.25 about the mean: s = 0.2231; t(2) = 4.3027; times sqrt(4 / 3).
        let reach = (4.302_65 * 0.223_14 * (4.0_f64 / 3.0).sqrt()).exp();
        assert!((interval.high / found.tokens_per_second / reach - 1.0).abs() < 1e-3);
    }

    #[test]
    fn a_class_without_measurements_borrows_from_all_and_says_so() {
        let found = ask("e", "llama-3.2-1b:Q4_0", "tg128", 1);
        assert_eq!(found.value().unwrap().class, None);
    }

    #[test]
    fn what_there_is_no_ground_for_is_refused_with_the_reason() {
        for (id, model, test, sequences, words) in [
            ("d", "llama-3.2-1b:Q4_0", "pp512", 1, "f16_tflops is not stated"),
            ("d", "llama-3.2-1b:Q4_0", "tg128", 4, "several sequences"),
            ("d", "llama-3-70b:Q4_0", "tg128", 1, "does not fit"),
            ("d", "llama-3.2-1b:Q4_0", "load", 1, "only ppN and tgN"),
        ] {
            let found = ask(id, model, test, sequences);
            assert!(found.reason().unwrap().contains(words), "{:?}", found.reason());
        }
        let tiny = ask("d", "smollm-135m:Q4_0", "tg128", 1);
        assert!(tiny.value().unwrap().interval.reason().unwrap().contains("GiB"));
    }
}
