//! Presets: recipes for models of real size, written locally from a seed.
