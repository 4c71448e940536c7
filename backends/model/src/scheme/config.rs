//! Which scheme a checkpoint has: `quantization_config` of config.json, and every layout that is not read, by its name.

use std::path::Path;

use serde_json::{Map, Value};

use crate::Error;
use crate::gguf::{Flaw, quote};

/// A scheme, with what its configuration says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// 4-bit codes with a scale and a zero a group of inputs: AWQ (Lin et al. 2023) as AutoAWQ packs it for its GEMM kernel,
    /// GPTQ (Frantar et al. 2022) as AutoGPTQ packs it.
    Groups {
        /// How the codes lie.
        order: Order,
        /// Inputs that share a scale and a zero.
        group: usize,
        /// Inputs are in groups in another order than their own (`desc_act`), which `g_idx` tells.
        act_order: bool,
    },
    /// bitsandbytes' 4-bit NormalFloat (Dettmers et al. 2023), blocks of the largest magnitude's scale.
    Nf4,
}

/// How codes of 4 bits lie in words of 32.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// `qweight` (in, out / 8): eight outputs a word, in the order 0, 2, 4, 6, 1, 3, 5, 7.
    Awq,
    /// `qweight` (in / 8, out): eight inputs a word; zeros are stored less one (AutoGPTQ's first format).
    Gptq,
    /// As `Gptq`, zeros as they are (`checkpoint_format` gptq_v2).
    GptqV2,
}

/// What can be read, for messages.
const SUPPORTED: &str = "awq (4 bits, version gemm), gptq (4 bits, checkpoint_format gptq or gptq_v2), bitsandbytes (load_in_4bit, nf4)";
/// Sizes of groups and blocks that are read: whole blocks of GGUF's 32.
const GROUPS: [u64; 3] = [32, 64, 128];

impl Scheme {
    /// The scheme of a config.json; `None` where weights are plain floats. `path` stands in messages.
    pub fn of_config(config: &Map<String, Value>, path: &Path) -> Result<Option<Scheme>, Error> {
        let keys = match config.get("quantization_config") {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::Object(keys)) => Keys { keys, path },
            Some(other) => {
                let found = quote(&other.to_string());
                return Err(flaw(path, "quantization_config", found, "an object"));
            }
        };
        let method = keys.text("quant_method")?;
        match method.unwrap_or("") {
            "awq" => keys.awq().map(Some),
            "gptq" => keys.gptq().map(Some),
            "bitsandbytes" => keys.nf4().map(Some),
            "" if keys.flag("load_in_4bit")? => keys.nf4().map(Some),
            "" => Err(keys.wrong("quant_method", "no such key".to_owned(), SUPPORTED)),
            other => Err(keys.unsupported(format!("quant_method {}", quote(other)))),
        }
    }
}

/// The object and where it stands.
struct Keys<'a> {
    keys: &'a Map<String, Value>,
    path: &'a Path,
}

impl Keys<'_> {
    fn awq(&self) -> Result<Scheme, Error> {
        self.four_bits()?;
        // AutoAWQ writes "GEMM" or "gemm"; other versions pack for other kernels.
        let version = self.text("version")?.unwrap_or("gemm");
        if !version.eq_ignore_ascii_case("gemm") {
            return Err(self.unsupported(format!("awq version {}", quote(version))));
        }
        if self.keys.get("zero_point") == Some(&Value::Bool(false)) {
            return Err(self.unsupported("awq without zero_point".to_owned()));
        }
        Ok(Scheme::Groups { order: Order::Awq, group: self.group()?, act_order: false })
    }

    fn gptq(&self) -> Result<Scheme, Error> {
        self.four_bits()?;
        for packing in ["is_marlin_format", "use_marlin"] {
            if self.flag(packing)? {
                return Err(self.unsupported("gptq packed for marlin".to_owned()));
            }
        }
        let order = match self.text("checkpoint_format")?.unwrap_or("gptq") {
            "gptq" => Order::Gptq,
            "gptq_v2" => Order::GptqV2,
            other => {
                return Err(self.unsupported(format!("gptq checkpoint_format {}", quote(other))));
            }
        };
        Ok(Scheme::Groups { order, group: self.group()?, act_order: self.flag("desc_act")? })
    }

    fn nf4(&self) -> Result<Scheme, Error> {
        for (key, wanted) in [("load_in_8bit", false), ("load_in_4bit", true)] {
            if self.flag(key)? != wanted {
                return Err(self.unsupported(format!("bitsandbytes with {key} = {}", !wanted)));
            }
        }
        let kind = self.text("bnb_4bit_quant_type")?.unwrap_or("fp4");
        if kind != "nf4" {
            return Err(self.unsupported(format!("bitsandbytes type {}", quote(kind))));
        }
        let storage = self.text("bnb_4bit_quant_storage")?.unwrap_or("uint8");
        if storage != "uint8" {
            return Err(self.unsupported(format!("bitsandbytes storage {}", quote(storage))));
        }
        Ok(Scheme::Nf4)
    }

    fn four_bits(&self) -> Result<(), Error> {
        match self.keys.get("bits").and_then(Value::as_u64) {
            Some(4) => Ok(()),
            Some(bits) => Err(self.unsupported(format!("weights of {bits} bits"))),
            None => Err(self.wrong("bits", "no such number".to_owned(), "4")),
        }
    }

    fn group(&self) -> Result<usize, Error> {
        match self.keys.get("group_size") {
            Some(size) => match size.as_u64().filter(|size| GROUPS.contains(size)) {
                Some(size) => Ok(size as usize),
                None => Err(self.wrong("group_size", quote(&size.to_string()), "32, 64 or 128")),
            },
            None => Err(self.wrong("group_size", "no such key".to_owned(), "32, 64 or 128")),
        }
    }

    fn text(&self, key: &str) -> Result<Option<&str>, Error> {
        match self.keys.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(self.wrong(key, quote(&other.to_string()), "a text")),
        }
    }

    /// Absent is false.
    fn flag(&self, key: &str) -> Result<bool, Error> {
        match self.keys.get(key) {
            None | Some(Value::Null) => Ok(false),
            Some(Value::Bool(value)) => Ok(*value),
            Some(other) => Err(self.wrong(key, quote(&other.to_string()), "true or false")),
        }
    }

    fn wrong(&self, key: &str, found: String, expected: &str) -> Error {
        flaw(self.path, &format!("quantization_config.{key}"), found, expected)
    }

    fn unsupported(&self, what: String) -> Error {
        let path = self.path.display().to_string();
        Flaw::Unsupported { what, supported: SUPPORTED.to_owned() }.of(&path)
    }
}

fn flaw(path: &Path, field: &str, found: String, expected: &str) -> Error {
    Flaw::invalid(field, found, expected).of(&path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Option<Scheme>, String> {
        let config: Map<String, Value> =
            serde_json::from_str(&format!("{{\"quantization_config\": {json}}}")).unwrap();
        Scheme::of_config(&config, Path::new("config.json")).map_err(|error| error.to_string())
    }

    #[test]
    fn published_configurations_are_read() {
        let groups = |order, act_order| Ok(Some(Scheme::Groups { order, group: 128, act_order }));
        let awq = r#"{"quant_method":"awq","bits":4,"group_size":128,"version":"gemm","zero_point":true,"modules_to_not_convert":null}"#;
        assert_eq!(read(awq), groups(Order::Awq, false));
        let gptq = r#"{"quant_method":"gptq","bits":4,"group_size":128,"desc_act":true,"sym":true,"damp_percent":0.1}"#;
        assert_eq!(read(gptq), groups(Order::Gptq, true));
        assert_eq!(
            read(&gptq.replace("\"sym\"", "\"checkpoint_format\":\"gptq_v2\",\"sym\"")),
            groups(Order::GptqV2, true)
        );
        let nf4 = r#"{"quant_method":"bitsandbytes","load_in_4bit":true,"load_in_8bit":false,"bnb_4bit_quant_type":"nf4","bnb_4bit_use_double_quant":true,"bnb_4bit_quant_storage":"uint8"}"#;
        assert_eq!(read(nf4), Ok(Some(Scheme::Nf4)));
        assert_eq!(read("null"), Ok(None));
    }

    #[test]
    fn other_layouts_are_refused_by_name() {
        let awq =
            |more: &str| format!(r#"{{"quant_method":"awq","bits":4,"group_size":128{more}}}"#);
        let gptq =
            |more: &str| format!(r#"{{"quant_method":"gptq","bits":4,"group_size":128{more}}}"#);
        let bnb = |keys: &str| format!(r#"{{"quant_method":"bitsandbytes",{keys}}}"#);
        for (json, words) in [
            (awq(r#","version":"gemv""#), "awq version \"gemv\" is not supported"),
            (awq(r#","version":"exllama""#), "awq version \"exllama\""),
            (awq(r#","version":"marlin""#), "awq version \"marlin\""),
            (awq(r#","zero_point":false"#), "awq without zero_point"),
            (
                awq("").replace("128", "-1"),
                "quantization_config.group_size: found \"-1\", expected 32, 64 or 128",
            ),
            (awq("").replace("128", "100"), "group_size: found \"100\""),
            (awq("").replace("\"bits\":4", "\"bits\":3"), "weights of 3 bits"),
            (gptq("").replace("\"bits\":4", "\"bits\":8"), "weights of 8 bits"),
            (gptq(r#","checkpoint_format":"marlin""#), "gptq checkpoint_format \"marlin\""),
            (gptq(r#","checkpoint_format":"bitblas""#), "gptq checkpoint_format \"bitblas\""),
            (gptq(r#","is_marlin_format":true"#), "gptq packed for marlin"),
            (gptq(r#","desc_act":"yes""#), "desc_act: found"),
            (bnb(r#""load_in_8bit":true"#), "bitsandbytes with load_in_8bit = true"),
            (
                bnb(r#""load_in_4bit":true,"bnb_4bit_quant_type":"fp4""#),
                "bitsandbytes type \"fp4\"",
            ),
            (
                bnb(
                    r#""load_in_4bit":true,"bnb_4bit_quant_type":"nf4","bnb_4bit_quant_storage":"bfloat16""#,
                ),
                "storage \"bfloat16\"",
            ),
            (
                r#"{"quant_method":"hqq","bits":4}"#.to_owned(),
                "quant_method \"hqq\" is not supported; supported: awq",
            ),
            (r#"{"quant_method":"fp8"}"#.to_owned(), "\"fp8\""),
            ("{}".to_owned(), "quant_method: found no such key"),
            ("3".to_owned(), "quantization_config: found \"3\", expected an object"),
        ] {
            let error = read(&json).unwrap_err();
            assert!(error.contains(words), "{json}\n{error}");
        }
    }
}
