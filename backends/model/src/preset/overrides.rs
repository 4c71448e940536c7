//! Recipes changed for a study: `smollm-135m?kv_heads=1+layers=10`.

use super::Error;
use super::per_layer::PerLayer;
use super::recipe::{Recipe, RecipeError};

/// Sets one key of a recipe.
type Set = fn(&mut Recipe, u32);

/// The keys that can be overridden.
const KEYS: &[(&str, Set)] = &[
    ("kv_heads", |recipe, n| recipe.kv_heads = PerLayer::All(n)),
    ("layers", |recipe, n| recipe.layers = n),
    ("context", |recipe, n| recipe.context = n),
];

/// The recipe with `key=number` pairs, separated by `+`, put in place of its own; its name says so, its hash is its own.
pub(super) fn apply(mut recipe: Recipe, text: &str) -> Result<Recipe, Error> {
    let base = recipe.name.clone();
    if recipe.trained {
        let expected = "none: its weights are trained for its own shape".to_owned();
        return Err(Error::Override { preset: base, found: text.to_owned(), expected });
    }
    let mut done: Vec<(&str, u32)> = Vec::new();
    for pair in text.split('+') {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let wrong = |expected: String| Error::Override {
            preset: base.clone(),
            found: pair.to_owned(),
            expected,
        };
        let known = || KEYS.iter().map(|row| row.0).collect::<Vec<_>>().join(", ");
        let (name, set) = KEYS
            .iter()
            .find(|row| row.0.eq_ignore_ascii_case(key))
            .ok_or_else(|| wrong(format!("one of {}", known())))?;
        let value: u32 =
            value.parse().map_err(|_| wrong(format!("{name}=NUMBER, as in {name}=1")))?;
        if done.iter().any(|(other, _)| other == name) {
            return Err(wrong(format!("{name} once")));
        }
        set(&mut recipe, value);
        done.push((name, value));
    }
    // In one order, so that one study has one name.
    done.sort_unstable();
    let pairs: Vec<String> = done.iter().map(|(name, value)| format!("{name}={value}")).collect();
    recipe.name = format!("{base}?{}", pairs.join("+"));
    let wrong = |problem| RecipeError { preset: recipe.name.clone(), problem };
    recipe.check().map_err(wrong)?;
    Ok(recipe)
}
