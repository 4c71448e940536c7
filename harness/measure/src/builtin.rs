//! The suites compiled into the program, so that it measures without a checkout beside it.

/// Name and text of each built-in suite; the first is what `run` measures when none is named.
pub const SUITES: &[(&str, &str)] = &[
    ("quick", include_str!("../../../suites/quick.toml")),
    ("full", include_str!("../../../suites/full.toml")),
    ("noise", include_str!("../../../suites/noise.toml")),
    ("depth", include_str!("../../../suites/depth.toml")),
    ("zeros", include_str!("../../../suites/zeros.toml")),
    ("quantisation", include_str!("../../../suites/quantisation.toml")),
    ("kv", include_str!("../../../suites/kv.toml")),
    ("context", include_str!("../../../suites/context.toml")),
];

/// The text of a built-in suite.
pub fn find(name: &str) -> Option<&'static str> {
    SUITES.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

#[cfg(test)]
mod tests {
    use crate::suite::Suite;

    #[test]
    fn every_built_in_suite_parses_under_its_own_name() {
        for (name, text) in super::SUITES {
            let suite = Suite::parse(name, text).unwrap();
            assert_eq!(suite.name, *name);
            assert!(suite.verify, "{name} measures without proof");
        }
    }
}
