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
    ("tune", TUNE),
    ("functionality", include_str!("../../../suites/functionality.toml")),
    ("performance", include_str!("../../../suites/performance.toml")),
    ("efficiency", include_str!("../../../suites/efficiency.toml")),
    ("robustness", include_str!("../../../suites/robustness.toml")),
    ("batch", include_str!("../../../suites/batch.toml")),
];

/// Name and text of each platform profile: needs with what `tune` may vary.
pub const PROFILES: &[(&str, &str)] = &[
    ("voice", include_str!("../../../suites/profiles/voice.toml")),
    ("phone", include_str!("../../../suites/profiles/phone.toml")),
    ("laptop", include_str!("../../../suites/profiles/laptop.toml")),
    ("edge", include_str!("../../../suites/profiles/edge.toml")),
    ("server", include_str!("../../../suites/profiles/server.toml")),
];

/// The suite that `tune` measures with; its lists are replaced by those of the search.
pub const TUNE: &str = include_str!("../../../suites/tune.toml");

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

    #[test]
    fn every_profile_has_needs_of_its_name_and_something_to_vary() {
        for (name, text) in super::PROFILES {
            let (needs, search) = crate::needs::parse_profile(name, text).unwrap();
            assert_eq!(needs.name, *name);
            assert!(!needs.requirements.is_empty() && search.quantisations.len() > 1, "{name}");
        }
    }
}
