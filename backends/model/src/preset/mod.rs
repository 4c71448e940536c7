//! Presets: recipes for models of real size, written locally from a seed, the same bytes on every machine.
//!
//! ```no_run
//! use std::path::Path;
//! use yardstick_model::preset::{self, Check, PresetRef};
//!
//! let preset = PresetRef::parse("smollm-135m:Q4_0")?;
//! println!("{preset}: {} bytes", preset::file_bytes(&preset)?);
//! let made = preset::make(&preset, Path::new("cache"), 4, Check::Size, &mut |done| {
//!     eprintln!("{} of {}", done.bytes, done.total_bytes);
//!     std::ops::ControlFlow::Continue(())
//! })?;
//! println!("{} {}", made.sha256, made.path.display());
//! # Ok::<(), preset::Error>(())
//! ```
//!
//! * [`names`], [`quantisations`], [`list`] and [`info`] say what there is, with exact sizes, without writing anything.
//! * [`make`] returns a file from the cache, or writes it there: streamed, in parallel, whole or not at all.
//! * [`hash`] computes what the manifest holds, without a disk.
//!
//! `smollm-135m?kv_heads=1+layers=10:Q4_0` is a preset with some of its numbers (kv_heads, layers, context) replaced, for
//! studies: a model of its own, with a hash of its own that the manifest does not have.
//!
//! A new preset is a file in suites/models and a line in `table.rs`.

mod cache;
mod error;
mod list;
mod metadata;
mod overrides;
mod per_layer;
mod plan;
mod random;
mod recipe;
mod reference;
mod table;
mod weights;

pub use cache::{Check, InManifest, Made, cache_path, hash, make};
pub use error::Error;
pub use list::{Listed, file_bytes, info, list, parameters};
pub use per_layer::PerLayer;
pub use recipe::{Recipe, RecipeError};
pub use reference::{PresetRef, quantisations};
pub use table::{Manifest, manifest, names};

pub use crate::quantize::{Progress, Tell};
