//! The shaders: which files make which operation, and what each binds. Text is put together from whole files only, so
//! that each can be read (and checked by the validator) as it stands.

use yardstick_model::Format;

macro_rules! text {
    ($name:literal) => {
        include_str!(concat!("shaders/", $name, ".wgsl"))
    };
}

/// How a buffer is bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// Uniform.
    Uniform,
    /// Uniform, at an offset given with the dispatch.
    Window,
    /// A texture of four words a texel.
    Texels,
    /// Storage, read.
    Read,
    /// Storage, read and written.
    Write,
}

/// How a product reads its activations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Input {
    Storage,
    Uniform,
    /// Uniform, and handed from lane to lane.
    Lanes,
    /// In 8 bits (shaders/quantise.wgsl), by products of tiles.
    Quantised,
}

impl Input {
    /// What declares x, and how it is read.
    fn texts(self) -> [&'static str; 2] {
        match self {
            Input::Storage => [text!("x_storage"), held(false)],
            Input::Uniform => [text!("x_uniform"), held(false)],
            Input::Lanes => [text!("x_uniform"), held(true)],
            Input::Quantised => [text!("x_quantised"), text!("tile_int8")],
        }
    }
}

fn held(by_lanes: bool) -> &'static str {
    if by_lanes { text!("held_lanes") } else { text!("held_nowhere") }
}

/// Which of several ways to do the same an adapter's shaders take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Variant {
    /// The codes of weights are in a texture.
    pub(crate) texels: bool,
    /// Sums over a workgroup go through subgroups.
    pub(crate) subgroups: bool,
}

/// An operation. Those over weights exist once a format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Operation {
    Embed,
    Norm,
    /// One token, by f32 or 8-bit arithmetic.
    Product {
        input: Input,
        int8: bool,
    },
    /// Activations of tiles in 8 bits.
    Quantise,
    /// Tiles of tokens.
    ProductTile {
        input: Input,
    },
    /// Rows one by one, each through an expert that the router chose or the only one.
    ProductEach,
    Route,
    Combine,
    Place,
    Attend {
        /// What is read for all is handed from lane to lane.
        lanes: bool,
    },
    Join,
    Best,
    Choose,
    /// Whether lanes are a subgroup.
    Lanes,
    /// Ceilings: reading, and arithmetic of three kinds.
    PeakRead,
    PeakTexels,
    PeakF32,
    PeakF16,
    PeakInt8,
}

use Kind::{Read as R, Uniform as U, Window as D, Write as W};

impl Operation {
    /// What a profile calls it where its user gives no name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Operation::Embed => "embed",
            Operation::Norm => "norm",
            Operation::Product { .. } => "product",
            Operation::Quantise => "quantise",
            Operation::ProductTile { .. } => "product_tile",
            Operation::ProductEach => "product_each",
            Operation::Route => "route",
            Operation::Combine => "combine",
            Operation::Place => "place",
            Operation::Attend { .. } => "attend",
            Operation::Join => "join",
            Operation::Best => "best",
            Operation::Choose => "choose",
            Operation::Lanes => "lanes",
            Operation::PeakRead => "peak_read",
            Operation::PeakTexels => "peak_texels",
            Operation::PeakF32 => "peak_f32",
            Operation::PeakF16 => "peak_f16",
            Operation::PeakInt8 => "peak_int8",
        }
    }

    /// Its bindings, in order.
    pub(crate) fn bindings(self) -> &'static [Kind] {
        match self {
            Operation::Embed => &[U, R, R, R, R, W],
            Operation::Norm => &[U, R, W, R, R],
            Operation::Product { input: Input::Storage, .. } => &[U, R, R, R, R, W, R, W],
            Operation::Product { .. } => &[U, R, R, R, U, W, R, W],
            Operation::Quantise => &[U, R, W],
            Operation::ProductTile { input: Input::Storage | Input::Quantised } => {
                &[U, R, R, R, R, W, R, D]
            }
            Operation::ProductTile { .. } => &[U, R, R, R, D, W, R, D],
            Operation::ProductEach => &[U, R, R, R, R, W, R],
            Operation::Route => &[U, R, W],
            Operation::Combine => &[U, R, R, R, W],
            Operation::Place => &[U, R, R, R, R, W, W, W],
            Operation::Attend { .. } => &[U, R, R, R, R, W, W],
            Operation::Join => &[U, R, W],
            Operation::Best => &[U, R, W],
            Operation::Choose => &[U, R, W, W],
            Operation::Lanes => &[W],
            Operation::PeakRead => &[U, R, W],
            Operation::PeakTexels => &[U, Kind::Texels, W],
            Operation::PeakF32 | Operation::PeakF16 | Operation::PeakInt8 => &[U, W],
        }
    }

    /// Sums over a workgroup are part of it.
    fn reduces(self) -> bool {
        use Operation::{Attend, Norm, Place, Route};
        matches!(self, Norm | Place | Attend { .. } | Route)
    }

    /// Its text; `format` is that of its weights, where it has any.
    pub(crate) fn text(self, format: Option<Format>, variant: Variant) -> String {
        let mut parts = Vec::new();
        if format.is_some() {
            parts.push(if variant.texels { text!("codes_texture") } else { text!("codes_buffer") });
        }
        if let Some(weights) = format.and_then(weights_text) {
            parts.extend([text!("scales"), weights]);
            if !format.is_some_and(is_float) {
                parts.push(text!("dequantise"));
            }
        }
        match self {
            Operation::Product { input, .. } | Operation::ProductTile { input } => {
                parts.extend(input.texts());
                parts.push(text!("epilogue"));
            }
            Operation::ProductEach => parts.push(text!("x_storage")),
            Operation::Attend { lanes } => parts.push(held(lanes)),
            _ => {}
        }
        if self.reduces() {
            parts.push(match variant.subgroups {
                true => text!("reduce_subgroups"),
                false => text!("reduce"),
            });
        }
        if let Operation::Product { int8, .. } = self {
            parts.push(match format {
                Some(format) if is_float(format) => text!("dot_floats"),
                _ if int8 => text!("dot_int8"),
                _ => text!("dot_codes"),
            });
        }
        if matches!(self, Operation::ProductTile { input } if input != Input::Quantised) {
            parts.push(text!("tile_floats"));
        }
        parts.push(match self {
            Operation::Embed => text!("embed"),
            Operation::Norm => text!("norm"),
            Operation::Product { .. } => text!("product"),
            Operation::Quantise => text!("quantise"),
            Operation::ProductTile { .. } => text!("product_tile"),
            Operation::ProductEach => text!("product_each"),
            Operation::Route => text!("route"),
            Operation::Combine => text!("combine"),
            Operation::Place => text!("place"),
            Operation::Attend { .. } => text!("attend"),
            Operation::Join => text!("join"),
            Operation::Best => text!("best"),
            Operation::Choose => text!("choose"),
            Operation::Lanes => text!("lanes"),
            Operation::PeakRead => text!("peak_read"),
            Operation::PeakTexels => text!("peak_texels"),
            Operation::PeakF32 => text!("peak_f32"),
            Operation::PeakF16 => text!("peak_f16"),
            Operation::PeakInt8 => text!("peak_int8"),
        });
        parts.concat()
    }
}

/// Weights stored as they are.
pub(crate) fn is_float(format: Format) -> bool {
    format.block_len() == 1
}

/// The file that reads a format; `None`: there is no shader for it.
pub(crate) fn weights_text(format: Format) -> Option<&'static str> {
    Some(match format {
        Format::F32 => text!("formats/f32"),
        Format::F16 => text!("formats/f16"),
        Format::BF16 => text!("formats/bf16"),
        Format::Q4_0 => text!("formats/q4_0"),
        Format::Q4_1 => text!("formats/q4_1"),
        Format::Q5_0 => text!("formats/q5_0"),
        Format::Q5_1 => text!("formats/q5_1"),
        Format::Q8_0 => text!("formats/q8_0"),
        Format::Q4_K => text!("formats/q4_k"),
        Format::Q5_K => text!("formats/q5_k"),
        Format::Q6_K => text!("formats/q6_k"),
        Format::Q2_K | Format::Q3_K | Format::IQ4_NL => return None,
    })
}

#[cfg(test)]
mod tests {
    use naga::valid::{Capabilities, ValidationFlags, Validator};

    use super::*;

    /// Every operation there is.
    const ALL: &[Operation] = &[
        Operation::Embed,
        Operation::Norm,
        Operation::Product { input: Input::Uniform, int8: false },
        Operation::Product { input: Input::Storage, int8: false },
        Operation::Product { input: Input::Uniform, int8: true },
        Operation::Product { input: Input::Storage, int8: true },
        Operation::ProductTile { input: Input::Uniform },
        Operation::ProductTile { input: Input::Storage },
        QUANTISED,
        Operation::Quantise,
        Operation::ProductEach,
        Operation::Route,
        Operation::Combine,
        Operation::Place,
        Operation::Attend { lanes: false },
        Operation::Join,
        Operation::Best,
        Operation::Choose,
        Operation::PeakRead,
        Operation::PeakTexels,
        Operation::PeakF32,
        Operation::PeakInt8,
    ];

    const QUANTISED: Operation = Operation::ProductTile { input: Input::Quantised };

    fn reads_weights(operation: Operation) -> bool {
        use Operation::{Embed, Product, ProductEach, ProductTile};
        matches!(operation, Embed | Product { .. } | ProductEach | ProductTile { .. })
    }

    /// What a browser has too, no f16, no subgroups, nothing native, besides what `more` allows.
    fn check(name: &str, text: &str, more: Capabilities) {
        let module = naga::front::wgsl::parse_str(text)
            .unwrap_or_else(|error| panic!("{name}: {}", error.emit_to_string(text)));
        let mut validator =
            Validator::new(ValidationFlags::all(), Capabilities::SHADER_FLOAT16_IN_FLOAT32 | more);
        validator
            .validate(&module)
            .unwrap_or_else(|error| panic!("{name}: {}", error.emit_to_string(text)));
    }

    #[test]
    fn every_shader_is_valid_with_nothing_but_the_core_language() {
        let mut checked = 0;
        for &operation in ALL {
            let formats: Vec<Option<Format>> = match reads_weights(operation) {
                true => Format::ALL
                    .into_iter()
                    .filter(|&f| weights_text(f).is_some())
                    .filter(|&f| operation != QUANTISED || !is_float(f))
                    .map(Some)
                    .collect(),
                false => vec![None],
            };
            for format in formats {
                for texels in [false, true] {
                    let text = operation.text(format, Variant { texels, subgroups: false });
                    check(&format!("{operation:?} {format:?}"), &text, Capabilities::empty());
                    checked += usize::from(format.is_some() || !texels);
                }
            }
        }
        assert_eq!(checked, 2 * (8 * 11 + 8) + 13);
    }

    #[test]
    fn sums_through_subgroups_are_valid_where_there_are_some() {
        let subgroups = Variant { texels: false, subgroups: true };
        let attend = Operation::Attend { lanes: false };
        for operation in [Operation::Norm, Operation::Place, attend, Operation::Route] {
            let text = operation.text(None, subgroups);
            assert_ne!(text, operation.text(None, Variant::default()), "{operation:?}");
            check(&format!("{operation:?}"), &text, Capabilities::SUBGROUP);
        }
        let handed = Operation::Attend { lanes: true }.text(None, subgroups);
        check("attend", &handed, Capabilities::SUBGROUP);
        check("lanes", &Operation::Lanes.text(None, subgroups), Capabilities::SUBGROUP);
        for format in Format::ALL.into_iter().filter(|&format| weights_text(format).is_some()) {
            let input = Input::Lanes;
            for operation in
                [Operation::Product { input, int8: false }, Operation::ProductTile { input }]
            {
                let text = operation.text(Some(format), subgroups);
                check(&format!("{operation:?} {format:?}"), &text, Capabilities::SUBGROUP);
            }
        }
    }

    #[test]
    fn every_file_says_what_it_is() {
        for folder in ["src/shaders", "src/shaders/formats"] {
            let folder = format!("{}/{folder}", env!("CARGO_MANIFEST_DIR"));
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.extension().is_some_and(|extension| extension == "wgsl") {
                    let text = std::fs::read_to_string(&path).unwrap();
                    assert!(text.starts_with("// "), "{}", path.display());
                }
            }
        }
    }
}
