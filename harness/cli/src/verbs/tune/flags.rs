//! The winner as command lines: ours, and llama.cpp's where it has the same setting.

use yardstick_analyse::recommend::Workload;
use yardstick_analyse::tune::{Point, numerics_name};

use super::variants::Variant;
use crate::words::quoted;

/// What llama.cpp's contexts are rounded up to.
const ROUND: usize = 256;

/// A program and the line it takes.
pub(super) type Line = (&'static str, String);

/// Ours, then llama.cpp's; `file`: where the model lies.
pub(super) fn lines(
    point: &Point,
    variant: &Variant,
    device: &str,
    file: &str,
    work: &Workload,
) -> Vec<Line> {
    let mut ours =
        format!("run -d {device} -m {} --kv {}", quoted(&variant.argument), point.kv.name());
    if let Some(threads) = point.threads {
        ours += &format!(" --threads {threads}");
    }
    if let Some(numerics) = point.numerics {
        ours += &format!(" --numerics {}", numerics_name(numerics));
    }
    if point.sequences > 1 {
        ours += &format!(" --sequences {}", point.sequences);
    }
    vec![("yardstick", ours), ("llama-server", llama_cpp(point, file, work))]
}

/// llama.cpp keeps `-c` positions for all slots together and takes quantised values only with flash attention.
fn llama_cpp(point: &Point, file: &str, work: &Workload) -> String {
    let each = work.prompt_tokens + work.answer_tokens + work.depth as f64;
    let positions = (each as usize).max(1).div_ceil(ROUND) * ROUND * point.sequences.max(1);
    let mut line = format!("-m {} -c {positions} -np {}", quoted(file), point.sequences.max(1));
    if let Some(threads) = point.threads {
        line += &format!(" -t {threads}");
    }
    let kv = point.kv.name();
    line += &format!(" -ctk {kv} -ctv {kv}");
    if kv == "q8_0" {
        line += " -fa on";
    }
    line
}

#[cfg(test)]
mod tests {
    use yardstick_api::{KvType, Numerics};

    use super::*;

    #[test]
    fn settings_that_llama_cpp_has_are_its_flags_and_others_are_ours_alone() {
        let point = Point {
            model: "m.gguf".into(),
            threads: Some(3),
            kv: KvType::Q8_0,
            numerics: Some(Numerics::Requantised),
            sequences: 4,
        };
        let variant = Variant { argument: "a b.gguf".into(), name: "a b.gguf".into() };
        let work = Workload { prompt_tokens: 200.0, answer_tokens: 100.0, ..Workload::default() };
        let all = lines(&point, &variant, "cpu:avx2", "a b.gguf", &work);
        assert_eq!(
            all[0].1,
            "run -d cpu:avx2 -m 'a b.gguf' --kv q8_0 --threads 3 --numerics requantised --sequences 4"
        );
        assert_eq!(all[1].1, "-m 'a b.gguf' -c 2048 -np 4 -t 3 -ctk q8_0 -ctv q8_0 -fa on");
    }
}
