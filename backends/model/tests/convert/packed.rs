//! Checkpoints of other weight schemes, packed here by the schemes' own formulas: decoded exactly, refused by name.

use std::ops::ControlFlow;
use std::path::Path;

use half::{bf16, f16};
use serde_json::{Value, json};
use yardstick_model::convert::{Converted, Converting, convert};
use yardstick_model::quantize::{Error, Mix};
use yardstick_model::safetensors::{Dtype, encode};
use yardstick_model::{Format, Model};

const WIDE: usize = 128;
const INNER: usize = 256;
const GROUP: usize = 128;

/// Name, type, shape, data.
type Stored = (String, Dtype, Vec<usize>, Vec<u8>);

/// A matrix by its codes: `(code - zero) * scale`.
struct Matrix {
    out: usize,
    inputs: usize,
    /// The group of each input.
    index: Vec<usize>,
    symmetric: bool,
    seed: u32,
}

impl Matrix {
    fn mixed(&self, a: usize, b: usize) -> u32 {
        let x = (a as u32).wrapping_mul(0x9E37_79B1) ^ (b as u32).wrapping_mul(0x85EB_CA77);
        (x ^ self.seed).wrapping_mul(0xC2B2_AE3D) >> 16
    }

    fn code(&self, out: usize, input: usize) -> u32 {
        self.mixed(out, input + 1000) % 16
    }

    fn zero(&self, group: usize, out: usize) -> u32 {
        if self.symmetric { 8 } else { 1 + self.mixed(out + 7, group) % 15 }
    }

    fn scale(&self, group: usize, out: usize) -> f16 {
        f16::from_f32(0.001 + self.mixed(out + 99, group) as f32 / 1e6)
    }

    fn weight(&self, out: usize, input: usize) -> f32 {
        let group = self.index[input];
        let steps = self.code(out, input) as f32 - self.zero(group, out) as f32;
        steps * self.scale(group, out).to_f32()
    }

    fn weights(&self) -> Vec<f32> {
        (0..self.out).flat_map(|o| (0..self.inputs).map(move |i| self.weight(o, i))).collect()
    }

    fn scales(&self, stem: &str) -> Stored {
        let groups = self.inputs / GROUP;
        let all = (0..groups).flat_map(|g| (0..self.out).map(move |o| (g, o)));
        let data = all.flat_map(|(g, o)| self.scale(g, o).to_le_bytes()).collect();
        (format!("{stem}.scales"), Dtype::F16, vec![groups, self.out], data)
    }

    /// AutoAWQ's packing for its GEMM kernel: `word |= value[order[i]] << 4 i`.
    fn awq(&self, stem: &str) -> Vec<Stored> {
        let order = [0, 2, 4, 6, 1, 3, 5, 7];
        let word = |value: &dyn Fn(usize) -> u32, column: usize| {
            (0..8).fold(0, |word, i| word | value(8 * column + order[i]) << (4 * i))
        };
        let (groups, columns) = (self.inputs / GROUP, self.out / 8);
        let mut weights = Vec::new();
        for input in 0..self.inputs {
            for column in 0..columns {
                weights.extend(word(&|o| self.code(o, input), column).to_le_bytes());
            }
        }
        let mut zeros = Vec::new();
        for group in 0..groups {
            for column in 0..columns {
                zeros.extend(word(&|o| self.zero(group, o), column).to_le_bytes());
            }
        }
        vec![
            (format!("{stem}.qweight"), Dtype::I32, vec![self.inputs, columns], weights),
            (format!("{stem}.qzeros"), Dtype::I32, vec![groups, columns], zeros),
            self.scales(stem),
        ]
    }

    /// AutoGPTQ's packing: inputs low to high in a word, zeros less `less`.
    fn gptq(&self, stem: &str, less: u32) -> Vec<Stored> {
        let (groups, columns) = (self.inputs / GROUP, self.out / 8);
        let mut weights = Vec::new();
        for row in 0..self.inputs / 8 {
            for out in 0..self.out {
                let word = (0..8).fold(0, |w, i| w | self.code(out, 8 * row + i) << (4 * i));
                weights.extend(word.to_le_bytes());
            }
        }
        let mut zeros = Vec::new();
        for group in 0..groups {
            for column in 0..columns {
                let zero = |i: usize| self.zero(group, 8 * column + i) - less;
                let word = (0..8).fold(0, |word, i| word | zero(i) << (4 * i));
                zeros.extend(word.to_le_bytes());
            }
        }
        let index = self.index.iter().flat_map(|&g| (g as u32).to_le_bytes()).collect();
        vec![
            (format!("{stem}.qweight"), Dtype::I32, vec![self.inputs / 8, self.out], weights),
            (format!("{stem}.qzeros"), Dtype::I32, vec![groups, columns], zeros),
            self.scales(stem),
            (format!("{stem}.g_idx"), Dtype::I32, vec![self.inputs], index),
        ]
    }
}

/// The matrices of a llama's layer: GGUF's part, the checkpoint's, outputs, inputs.
const MATRICES: [(&str, &str, usize, usize); 7] = [
    ("attn_q", "self_attn.q_proj", WIDE, WIDE),
    ("attn_k", "self_attn.k_proj", WIDE / 2, WIDE),
    ("attn_v", "self_attn.v_proj", WIDE / 2, WIDE),
    ("attn_output", "self_attn.o_proj", WIDE, WIDE),
    ("ffn_gate", "mlp.gate_proj", INNER, WIDE),
    ("ffn_up", "mlp.up_proj", INNER, WIDE),
    ("ffn_down", "mlp.down_proj", WIDE, INNER),
];

fn matrix(place: usize, symmetric: bool, act_order: bool) -> Matrix {
    let (_, _, out, inputs) = MATRICES[place];
    let groups = inputs / GROUP;
    let of = |i: usize| if act_order { (i * 7 + 3) % inputs / GROUP } else { i / GROUP };
    let index = (0..inputs).map(|i| of(i).min(groups - 1)).collect();
    Matrix { out, inputs, index, symmetric, seed: 31 * place as u32 }
}

/// A llama of one layer, its matrices packed by `pack`.
fn checkpoint(scheme: Value, pack: &dyn Fn(usize, &str) -> Vec<Stored>) -> (Value, Vec<Stored>) {
    let config = json!({"model_type": "llama", "vocab_size": 5, "hidden_size": WIDE, "num_hidden_layers": 1,
        "num_attention_heads": 2, "num_key_value_heads": 1, "intermediate_size": INNER, "rms_norm_eps": 1e-5,
        "max_position_embeddings": 64, "hidden_act": "silu", "rope_theta": 10000.0, "tie_word_embeddings": true,
        "quantization_config": scheme});
    let plain = |name: &str, shape: &[usize]| -> Stored {
        let n: usize = shape.iter().product();
        let data = (0..n).flat_map(|i| f16::from_f32(i as f32 / 64.0).to_le_bytes()).collect();
        (name.to_owned(), Dtype::F16, shape.to_vec(), data)
    };
    let mut tensors = vec![
        plain("model.embed_tokens.weight", &[5, WIDE]),
        plain("model.norm.weight", &[WIDE]),
        plain("model.layers.0.input_layernorm.weight", &[WIDE]),
        plain("model.layers.0.post_attention_layernorm.weight", &[WIDE]),
    ];
    for (place, (_, theirs, ..)) in MATRICES.iter().enumerate() {
        tensors.extend(pack(place, &format!("model.layers.0.{theirs}")));
    }
    (config, tensors)
}

fn write(folder: &Path, (config, tensors): &(Value, Vec<Stored>)) {
    let rows: Vec<_> = tensors
        .iter()
        .map(|(name, dtype, shape, data)| (name.as_str(), *dtype, &shape[..], &data[..]))
        .collect();
    std::fs::write(folder.join("model.safetensors"), encode(&rows)).unwrap();
    std::fs::write(folder.join("config.json"), config.to_string()).unwrap();
}

fn run(folder: &Path, mix: Option<&str>) -> Result<(Model, Converted), Error> {
    let out = folder.join("out/model.gguf");
    let mix = mix.map(|name| Mix::from_name(name).unwrap());
    let how = Converting { mix, lora: None, threads: 2 };
    let done = convert(folder, &out, &how, &mut |_| ControlFlow::Continue(()))?;
    Ok((Model::open(&out).unwrap(), done))
}

fn converted(made: &(Value, Vec<Stored>), mix: Option<&str>) -> (Model, Converted) {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), made);
    run(folder.path(), mix).unwrap_or_else(|error| panic!("{error}"))
}

fn refusal(made: &(Value, Vec<Stored>)) -> String {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), made);
    let error = run(folder.path(), None).err().map(|e| e.to_string()).unwrap_or("accepted".into());
    assert!(!folder.path().join("out/model.gguf").exists(), "{error}");
    error
}

/// Rows as GGUF has them: of queries and keys in heads of 64, row 2i was i and 2i + 1 was i + 32.
fn turned(part: &str, weights: &[f32], cols: usize) -> Vec<f32> {
    if part != "attn_q" && part != "attn_k" {
        return weights.to_vec();
    }
    let from = |row: usize| row / 64 * 64 + row % 2 * 32 + row % 64 / 2;
    (0..weights.len() / cols).flat_map(|r| weights[from(r) * cols..][..cols].to_vec()).collect()
}

fn decoded(model: &Model, part: &str) -> (Format, Vec<f32>) {
    let tensor = model.tensor(&format!("blk.0.{part}.weight")).unwrap();
    let mut values = vec![0.0; tensor.rows * tensor.cols];
    tensor.format.decode(tensor.bytes, &mut values);
    (tensor.format, values)
}

fn awq() -> Value {
    json!({"quant_method": "awq", "bits": 4, "group_size": GROUP, "version": "gemm", "zero_point": true})
}

fn gptq(act_order: bool) -> Value {
    json!({"quant_method": "gptq", "bits": 4, "group_size": GROUP, "desc_act": act_order, "sym": false})
}

fn with(mut config: Value, key: &str, value: Value) -> Value {
    config[key] = value;
    config
}

#[test]
fn awq_and_gptq_are_decoded_exactly() {
    let v2 = with(gptq(false), "checkpoint_format", json!("gptq_v2"));
    for (name, act_order, made) in [
        ("awq", false, checkpoint(awq(), &|p, stem| matrix(p, false, false).awq(stem))),
        ("gptq", false, checkpoint(gptq(false), &|p, stem| matrix(p, false, false).gptq(stem, 1))),
        ("gptq v2", false, checkpoint(v2, &|p, stem| matrix(p, false, false).gptq(stem, 0))),
        (
            "act-order",
            true,
            checkpoint(gptq(true), &|p, stem| matrix(p, false, true).gptq(stem, 1)),
        ),
    ] {
        let (model, done) = converted(&made, Some("F32"));
        for (place, (part, _, _, cols)) in MATRICES.iter().enumerate() {
            let expected = turned(part, &matrix(place, false, act_order).weights(), *cols);
            assert!(decoded(&model, part) == (Format::F32, expected), "{name} {part}");
        }
        let note = done.notes.iter().find(|note| note.contains("packed")).unwrap();
        assert!(note.starts_with("7 matrices were packed; 11 of 11 tensors are exact"), "{note}");
    }
}

#[test]
fn four_bits_keep_their_codes() {
    // Q4_1: code * scale + f16(-zero * scale), the default.
    for made in [
        checkpoint(awq(), &|p, stem| matrix(p, false, false).awq(stem)),
        checkpoint(gptq(false), &|p, stem| matrix(p, false, false).gptq(stem, 1)),
    ] {
        let (model, done) = converted(&made, None);
        assert_eq!(done.mix.name(), "Q4_1");
        for (place, (part, _, _, cols)) in MATRICES.iter().enumerate() {
            let matrix = matrix(place, false, false);
            let weight = |o: usize, i: usize| {
                let (scale, zero) = (matrix.scale(i / GROUP, o), matrix.zero(i / GROUP, o));
                let min = f16::from_f32(-(zero as f32) * scale.to_f32()).to_f32();
                matrix.code(o, i) as f32 * scale.to_f32() + min
            };
            let all: Vec<f32> = (0..matrix.out)
                .flat_map(|o| (0..matrix.inputs).map(move |i| (o, i)))
                .map(|(o, i)| weight(o, i))
                .collect();
            assert!(decoded(&model, part) == (Format::Q4_1, turned(part, &all, *cols)), "{part}");
        }
        let note = done.notes.iter().find(|note| note.contains("residual error")).unwrap();
        let percent: f64 = note
            .split("residual error ")
            .nth(1)
            .unwrap()
            .split(' ')
            .next()
            .unwrap()
            .parse()
            .unwrap();
        assert!(percent > 0.0 && percent < 0.2, "{note}");
    }
    // Zeros that are all 8 are what Q4_0 takes for granted.
    let made = checkpoint(gptq(false), &|p, stem| matrix(p, true, false).gptq(stem, 1));
    let (model, _) = converted(&made, Some("Q4_0"));
    for (place, (part, _, _, cols)) in MATRICES.iter().enumerate() {
        let expected = turned(part, &matrix(place, true, false).weights(), *cols);
        assert!(decoded(&model, part) == (Format::Q4_0, expected), "{part}");
    }
}

/// bitsandbytes' table of NF4.
const NF4: [f32; 16] = [
    -1.0,
    -0.696_192_8,
    -0.525_073_05,
    -0.394_917_5,
    -0.284_441_38,
    -0.184_773_43,
    -0.091_050_036,
    0.0,
    0.079_580_3,
    0.160_930_2,
    0.246_112_3,
    0.337_915_24,
    0.440_709_83,
    0.562_617,
    0.722_956_84,
    1.0,
];

fn floats(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

/// Packed by bitsandbytes' formulas, and the weights it dequantises to.
fn nf4(place: usize, stem: &str, nested: bool) -> (Vec<Stored>, Vec<f32>) {
    let m = matrix(place, false, false);
    let n = m.out * m.inputs;
    let codes: Vec<u8> = (0..n).map(|i| m.code(i / m.inputs, i % m.inputs) as u8).collect();
    let bytes: Vec<u8> = codes.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect();
    let name = format!("{stem}.weight");
    let of = |part: &str| format!("{name}.{part}");
    let blocks = n / 64;
    let mut state = json!({"quant_type": "nf4", "blocksize": 64, "dtype": "bfloat16", "shape": [m.out, m.inputs]});
    let mut stored = vec![
        (name.clone(), Dtype::U8, vec![n / 2, 1], bytes),
        (of("quant_map"), Dtype::F32, vec![16], floats(&NF4)),
    ];
    let largest: Vec<f32> = if nested {
        let codes: Vec<u8> = (0..blocks).map(|i| (i * 37 % 256) as u8).collect();
        let table: Vec<f32> = (0..256).map(|i| (i as f32 - 127.0) / 128.0).collect();
        let scales: Vec<f32> = (0..blocks.div_ceil(256)).map(|i| 0.01 + i as f32 / 300.0).collect();
        state["nested_blocksize"] = json!(256);
        state["nested_dtype"] = json!("float32");
        state["nested_offset"] = json!(0.05);
        let all = codes.iter().enumerate();
        let largest = all.map(|(i, &c)| table[c as usize] * scales[i / 256] + 0.05).collect();
        stored.push((of("absmax"), Dtype::U8, vec![blocks], codes));
        stored.push((of("nested_absmax"), Dtype::F32, vec![scales.len()], floats(&scales)));
        stored.push((of("nested_quant_map"), Dtype::F32, vec![256], floats(&table)));
        largest
    } else {
        let largest: Vec<f32> = (0..blocks).map(|i| 0.02 + i as f32 / 5000.0).collect();
        stored.push((of("absmax"), Dtype::F32, vec![blocks], floats(&largest)));
        largest
    };
    let json = state.to_string().into_bytes();
    stored.push((of("quant_state.bitsandbytes__nf4"), Dtype::U8, vec![json.len()], json));
    let weight =
        |(i, &code): (usize, &u8)| bf16::from_f32(NF4[code as usize] * largest[i / 64]).to_f32();
    (stored, codes.iter().enumerate().map(weight).collect())
}

fn bnb() -> Value {
    json!({"quant_method": "bitsandbytes", "load_in_4bit": true, "load_in_8bit": false, "bnb_4bit_quant_type": "nf4"})
}

#[test]
fn nf4_is_what_bitsandbytes_dequantises_to() {
    for nested in [false, true] {
        let made = checkpoint(bnb(), &|p, stem| nf4(p, stem, nested).0);
        for (mix, format) in [(None, Format::BF16), (Some("F32"), Format::F32)] {
            let (model, done) = converted(&made, mix);
            for (place, (part, _, _, cols)) in MATRICES.iter().enumerate() {
                let expected = turned(part, &nf4(place, "x", nested).1, *cols);
                assert!(decoded(&model, part) == (format, expected), "{part} {nested}");
            }
            assert!(done.notes.iter().any(|note| note.contains("7 matrices were packed")));
        }
    }
}

#[test]
fn layouts_that_lie_are_named() {
    let whole = || checkpoint(gptq(false), &|p, stem| matrix(p, false, false).gptq(stem, 1));
    let without = |end: &str| {
        let (config, mut tensors) = whole();
        tensors.retain(|tensor| !(tensor.0.contains("q_proj") && tensor.0.ends_with(end)));
        (config, tensors)
    };
    let changed = |end: &str, change: &dyn Fn(&mut Stored)| {
        let (config, mut tensors) = whole();
        tensors
            .iter_mut()
            .filter(|t| t.0.contains("q_proj") && t.0.ends_with(end))
            .for_each(change);
        (config, tensors)
    };
    let config = |key: &str, value: Value| {
        (with(whole().0, "quantization_config", with(gptq(false), key, value)), whole().1)
    };
    let q = "self_attn.q_proj";
    for (name, made, words) in [
        ("qzeros", without("qzeros"), vec![q, "qzeros", "no such tensor", "I32 of shape [1, 16]"]),
        ("scales", without("scales"), vec![q, "scales", "no such tensor", "F16 of shape [1, 128]"]),
        ("qweight", without("qweight"), vec!["no such tensor", "q_proj.weight"]),
        (
            "group",
            config("group_size", json!(64)),
            vec!["qzeros", "found I32 of shape [1, 16]", "[2, 16]"],
        ),
        ("bits", config("bits", json!(3)), vec!["weights of 3 bits"]),
        ("eight", config("bits", json!(8)), vec!["weights of 8 bits"]),
        (
            "marlin",
            config("checkpoint_format", json!("marlin")),
            vec!["checkpoint_format \"marlin\""],
        ),
        (
            "type",
            changed("scales", &|t| (t.1, t.3) = (Dtype::F32, vec![0; 512])),
            vec!["scales", "found F32"],
        ),
        (
            "index",
            changed("g_idx", &|t| t.3[0] = 9),
            vec!["g_idx", "group 9 of input 0", "groups 0 to 0"],
        ),
        (
            "order",
            {
                let mut made = without("g_idx");
                made.0 = with(made.0, "quantization_config", gptq(true));
                made
            },
            vec!["g_idx", "desc_act is true"],
        ),
        (
            "plain",
            (
                whole().0,
                checkpoint(awq(), &|p, s| {
                    let m = matrix(p, false, false);
                    vec![(
                        format!("{s}.weight"),
                        Dtype::F32,
                        vec![m.out, m.inputs],
                        floats(&m.weights()),
                    )]
                })
                .1,
            ),
            vec!["none that is packed"],
        ),
    ] {
        let text = refusal(&made);
        assert!(words.iter().all(|word| text.contains(word)), "{name}: {text}");
    }
    let lies = |change: &dyn Fn(&mut Stored)| {
        let (config, mut tensors) = checkpoint(bnb(), &|p, stem| nf4(p, stem, true).0);
        tensors.iter_mut().filter(|t| t.0.contains("q_proj")).for_each(change);
        refusal(&(config, tensors))
    };
    let state = |json: &'static str| {
        move |t: &mut Stored| {
            if t.0.ends_with("nf4") {
                (t.2, t.3) = (vec![json.len()], json.as_bytes().to_vec());
            }
        }
    };
    assert!(lies(&state("{")).contains("quant_state"));
    assert!(lies(&state("{\"shape\": [1]}")).contains("a shape of two dimensions"));
    assert!(
        lies(&state("{\"shape\": [128, 128], \"dtype\": \"bfloat16\", \"blocksize\": 63}"))
            .contains("blocksize")
    );
    assert!(
        lies(&state(
            "{\"shape\": [999999999999, 99999999999], \"dtype\": \"bfloat16\", \"blocksize\": 64}"
        ))
        .contains("weights")
    );
    assert!(
        lies(&|t| if t.0.ends_with("nested_absmax") {
            t.0.push('x')
        })
        .contains("nested_absmax")
    );
}
