//! Names of limits as tests: `read@64MiB`, `peak-int8`, `barrier`, `wake`.

use yardstick_api::Limit;

/// Limits without a size, by name.
const PLAIN: [(&str, Limit); 8] = [
    ("peak-int8", Limit::Int8),
    ("peak-bf16", Limit::Bf16),
    ("peak-f16", Limit::F16),
    ("peak-f32", Limit::F32),
    ("peak-int8-matrix", Limit::Int8Matrix),
    ("peak-bf16-matrix", Limit::Bf16Matrix),
    ("barrier", Limit::Barrier),
    ("wake", Limit::Wake),
];
const UNITS: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

/// The name a record uses.
pub(crate) fn name(limit: Limit) -> String {
    match (limit, PLAIN.iter().find(|(_, plain)| *plain == limit)) {
        (Limit::Read { bytes }, _) => {
            let fits = |(_, factor): &&(&str, u64)| bytes >= *factor && bytes % factor == 0;
            let (unit, factor) = UNITS.iter().find(fits).unwrap_or(&UNITS[3]);
            format!("read@{}{unit}", bytes / factor)
        }
        (_, Some((name, _))) => (*name).to_owned(),
        (_, None) => limit.to_string(),
    }
}

/// The limit of a name; only of names as [`name`] writes them.
pub(crate) fn parse(text: &str) -> Option<Limit> {
    let limit = match text.strip_prefix("read@") {
        None => PLAIN.iter().find(|(name, _)| *name == text)?.1,
        Some(size) => {
            let (digits, factor) =
                UNITS.iter().find_map(|(unit, factor)| Some((size.strip_suffix(unit)?, factor)))?;
            Limit::Read { bytes: digits.parse::<u64>().ok()?.checked_mul(*factor)? }
        }
    };
    (name(limit) == text).then_some(limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for text in ["read@16KiB", "read@64MiB", "read@2GiB", "read@746586113B", "read@0B"] {
            assert_eq!(name(parse(text).unwrap()), text);
        }
        for (text, limit) in PLAIN {
            assert_eq!((name(limit).as_str(), parse(text)), (text, Some(limit)));
        }
    }

    #[test]
    fn other_spellings_are_no_names() {
        for text in
            ["read@", "read@1024KiB", "read@+1B", "read@64MB", "read@99999999999GiB", "peak"]
        {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
