//! A record of ours in llama-bench's fields. What has no value here gets the neutral value of the format and is named.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use yardstick_api::{DeviceKind, Known};
use yardstick_record::{Outcome, Record, Test, VerificationStatus};

/// A result in llama-bench's fields.
pub(super) struct Fields {
    /// By name.
    pub(super) values: BTreeMap<String, Value>,
    /// Those that say nothing.
    pub(super) neutral: BTreeSet<&'static str>,
}

/// Why a record cannot be written as a result of llama-bench.
pub(super) fn obstacle(record: &Record) -> Option<String> {
    if let Some(origin) = &record.origin {
        return Some(format!("imported from {}", origin.format));
    }
    match &record.outcome {
        Outcome::Ok => {}
        Outcome::Failed { .. } => return Some("failed".to_owned()),
        Outcome::Skipped { .. } => return Some("skipped".to_owned()),
        Outcome::Invalid { .. } => return Some("invalid".to_owned()),
    }
    if record.verification.status == VerificationStatus::Failed {
        return Some("its answers are wrong".to_owned());
    }
    let Some(tokens) = record.cell.test.tokens() else {
        return Some(format!("llama-bench has no test {}", record.cell.test));
    };
    if record.samples.is_empty() {
        return Some("no samples".to_owned());
    }
    // Several sequences at once have no field: the speed would contradict n_prompt and n_gen.
    let one = |tokens: usize| record.samples.iter().all(|sample| sample.tokens == tokens as u64);
    (!one(tokens)).then(|| "llama-bench has no batched decode".to_owned())
}

/// The fields of a record without an [`obstacle`].
pub(super) fn fields(record: &Record) -> Fields {
    let mut fields = Fields { values: BTreeMap::new(), neutral: BTreeSet::new() };
    program(record, &mut fields);
    model(record, &mut fields);
    options(record, &mut fields);
    result(record, &mut fields);
    fields
}

impl Fields {
    fn set(&mut self, name: &'static str, value: impl Into<Value>) {
        self.values.insert(name.to_owned(), value.into());
    }

    fn neutral(&mut self, name: &'static str, value: impl Into<Value>) {
        self.set(name, value);
        self.neutral.insert(name);
    }

    fn known<T: Clone + Into<Value>>(
        &mut self,
        name: &'static str,
        value: &Known<T>,
        neutral: impl Into<Value>,
    ) {
        match value.value() {
            Some(value) => self.set(name, value.clone()),
            None => self.neutral(name, neutral),
        }
    }
}

fn program(record: &Record, fields: &mut Fields) {
    fields.known("build_commit", &record.tool.commit, "unknown");
    fields.neutral("build_number", 0);
    match record.environment.text("cpu.model") {
        Some(cpu) => fields.set("cpu_info", cpu),
        None => fields.neutral("cpu_info", ""),
    }
    let device = record.device.value();
    let gpu = device.filter(|device| device.kind != DeviceKind::Cpu).map(|d| d.name.as_str());
    fields.set("gpu_info", gpu.unwrap_or(""));
    // Ours, and where it really ran.
    let ran = record.facts.value().map_or(&record.cell.device, |facts| &facts.device);
    let backend = ran.split(':').next().unwrap_or(ran);
    fields.set("backends", format!("{}:{backend}", record.tool.name));
    fields.set("devices", ran.as_str());
}

fn model(record: &Record, fields: &mut Fields) {
    let model = &record.cell.model;
    let words = [model.architecture.value(), model.quantisation.value()];
    let kind: Vec<&str> = words.into_iter().flatten().map(String::as_str).collect();
    fields.set("model_filename", model.name.as_str());
    match kind.is_empty() {
        true => fields.neutral("model_type", ""),
        false => fields.set("model_type", kind.join(" ")),
    }
    fields.known("model_size", &model.tensor_bytes, 0);
    fields.known("model_n_params", &model.parameters, 0);
}

fn options(record: &Record, fields: &mut Fields) {
    let (facts, options) = (record.facts.value(), &record.cell.options);
    fields.set("n_ubatch", facts.map_or(options.chunk, |facts| facts.chunk));
    match facts.and_then(|facts| facts.threads.value().copied()).or(options.threads) {
        Some(threads) => fields.set("n_threads", threads),
        None => fields.neutral("n_threads", 0),
    }
    let kv = facts.map_or(options.kv, |facts| facts.kv).name();
    fields.set("type_k", kv);
    fields.set("type_v", kv);
    match record.device.value().map(|device| device.kind) {
        Some(DeviceKind::Cpu) => fields.set("n_gpu_layers", 0),
        _ => fields.neutral("n_gpu_layers", 0),
    }
    match facts {
        Some(facts) => fields.set("use_mmap", facts.mapped_bytes > 0),
        None => fields.neutral("use_mmap", false),
    }
    for (name, value) in [
        ("n_batch", json!(0)),
        ("cpu_mask", json!("0x0")),
        ("cpu_strict", json!(false)),
        ("poll", json!(0)),
        ("n_cpu_moe", json!(0)),
        ("split_mode", json!("none")),
        ("main_gpu", json!(0)),
        ("no_kv_offload", json!(false)),
        ("flash_attn", json!(false)),
        ("tensor_split", json!("0.00")),
        ("tensor_buft_overrides", json!("none")),
        ("embeddings", json!(false)),
        ("no_op_offload", json!(0)),
        ("no_host", json!(false)),
    ] {
        fields.neutral(name, value);
    }
}

fn result(record: &Record, fields: &mut Fields) {
    let test = record.cell.test;
    let tokens = test.tokens().unwrap_or(0);
    let prefill = matches!(test, Test::Prefill { .. });
    fields.set("n_prompt", if prefill { tokens } else { 0 });
    fields.set("n_gen", if prefill { 0 } else { tokens });
    fields.set("n_depth", test.depth());
    match record.started.parse::<jiff::Timestamp>() {
        Ok(time) => fields.set("test_time", time.strftime("%FT%TZ").to_string()),
        Err(_) => fields.neutral("test_time", ""),
    }
    let ns: Vec<u64> = record.samples.iter().map(|sample| sample.nanoseconds).collect();
    let ts: Vec<f64> = ns.iter().map(|&ns| 1e9 * tokens as f64 / ns as f64).collect();
    let total: u128 = ns.iter().map(|&ns| u128::from(ns)).sum();
    let (_, deviation) = mean_and_deviation(&ns.iter().map(|&ns| ns as f64).collect::<Vec<_>>());
    fields.set("avg_ns", (total / ns.len().max(1) as u128) as u64);
    fields.set("stddev_ns", deviation as u64);
    let (mean, deviation) = mean_and_deviation(&ts);
    fields.set("avg_ts", mean);
    fields.set("stddev_ts", deviation);
    fields.set("samples_ns", ns);
    fields.set("samples_ts", ts);
}

/// The mean, and the standard deviation of a sample (n − 1); 0 where there is but one value.
fn mean_and_deviation(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    if values.len() < 2 {
        return (mean, 0.0);
    }
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (mean, (squares / (n - 1.0)).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deviation_is_of_a_sample() {
        assert_eq!(mean_and_deviation(&[2.0, 4.0, 6.0]), (4.0, 2.0));
        assert_eq!(mean_and_deviation(&[7.0]), (7.0, 0.0));
    }
}
