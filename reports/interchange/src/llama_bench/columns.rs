//! llama-bench's columns, in its order, with their types (`test::get_fields` and `get_field_type` of late 2025).

/// A column's type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A whole number.
    Int,
    /// `true` in JSON, `1` in CSV.
    Bool,
    /// A number.
    Float,
    /// Anything else.
    Text,
}

/// The 38 columns.
pub(super) const COLUMNS: &[(&str, Kind)] = &[
    ("build_commit", Kind::Text),
    ("build_number", Kind::Int),
    ("cpu_info", Kind::Text),
    ("gpu_info", Kind::Text),
    ("backends", Kind::Text),
    ("model_filename", Kind::Text),
    ("model_type", Kind::Text),
    ("model_size", Kind::Int),
    ("model_n_params", Kind::Int),
    ("n_batch", Kind::Int),
    ("n_ubatch", Kind::Int),
    ("n_threads", Kind::Int),
    ("cpu_mask", Kind::Text),
    ("cpu_strict", Kind::Bool),
    ("poll", Kind::Int),
    ("type_k", Kind::Text),
    ("type_v", Kind::Text),
    ("n_gpu_layers", Kind::Int),
    ("n_cpu_moe", Kind::Int),
    ("split_mode", Kind::Text),
    ("main_gpu", Kind::Int),
    ("no_kv_offload", Kind::Bool),
    ("flash_attn", Kind::Bool),
    ("devices", Kind::Text),
    ("tensor_split", Kind::Text),
    ("tensor_buft_overrides", Kind::Text),
    ("use_mmap", Kind::Bool),
    ("embeddings", Kind::Bool),
    ("no_op_offload", Kind::Int),
    ("no_host", Kind::Bool),
    ("n_prompt", Kind::Int),
    ("n_gen", Kind::Int),
    ("n_depth", Kind::Int),
    ("test_time", Kind::Text),
    ("avg_ns", Kind::Int),
    ("stddev_ns", Kind::Int),
    ("avg_ts", Kind::Float),
    ("stddev_ts", Kind::Float),
];

/// Columns of samples: JSON and JSON lines only.
pub(super) const SAMPLES: [&str; 2] = ["samples_ns", "samples_ts"];

/// A column's type; `None` for one of a fork or a version we do not know.
pub(super) fn kind(name: &str) -> Option<Kind> {
    COLUMNS.iter().find(|(column, _)| *column == name).map(|(_, kind)| *kind)
}

/// Whether it is a column of samples or one of the 38.
pub(super) fn known(name: &str) -> bool {
    kind(name).is_some() || SAMPLES.contains(&name)
}

/// Settings that our options have no word for, and llama-bench's default, which goes without saying. Those that changed their
/// default between versions have none.
pub(super) const SETTINGS: &[(&str, &str)] = &[
    ("n_batch", "2048"),
    ("cpu_mask", "0x0"),
    ("cpu_strict", "0"),
    ("poll", "50"),
    ("n_gpu_layers", ""),
    ("n_cpu_moe", "0"),
    ("split_mode", "layer"),
    ("main_gpu", "0"),
    ("no_kv_offload", "0"),
    ("flash_attn", ""),
    ("devices", "auto"),
    ("tensor_split", "0.00"),
    ("tensor_buft_overrides", "none"),
    ("use_mmap", "1"),
    ("embeddings", "0"),
    ("no_op_offload", "0"),
    ("no_host", "0"),
    ("model_type", ""),
    ("gpu_info", ""),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_38_columns_and_settings_are_among_them() {
        assert_eq!(COLUMNS.len(), 38);
        for (name, _) in SETTINGS {
            assert!(kind(name).is_some(), "{name}");
        }
    }
}
