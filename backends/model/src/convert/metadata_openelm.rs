//! OpenELM's config.json: heads and feed-forward widths differ from layer to layer.

use super::config::Config;
use crate::Error;
use crate::gguf::Header;

/// Sets heads and widths; the first layer's heads come back.
pub(super) fn set(
    header: &mut Header,
    config: &Config,
    embedding: u32,
    layers: u32,
) -> Result<u32, Error> {
    let numbers = |key: &str| {
        let list = config.list(key, "a list of whole numbers", |v| {
            v.as_u64().and_then(|n| u32::try_from(n).ok())
        })?;
        one_a_layer(config, key, list, layers)
    };
    let heads = numbers("num_query_heads")?;
    let kv_heads = numbers("num_kv_heads")?;
    let multipliers = config.list("ffn_multipliers", "a list of numbers", |v| {
        v.as_f64().filter(|v| v.is_finite() && *v > 0.0 && *v < 1024.0)
    })?;
    let multipliers = one_a_layer(config, "ffn_multipliers", multipliers, layers)?;
    let divisor = config.unsigned("ffn_dim_divisor")?.unwrap_or(256).max(1);
    let widths: Vec<u32> =
        multipliers.iter().map(|m| width(m * f64::from(embedding), divisor)).collect();
    header.set_array("openelm.attention.head_count", &heads);
    header.set_array("openelm.attention.head_count_kv", &kv_heads);
    header.set_array("openelm.feed_forward_length", &widths);
    Ok(heads.first().copied().unwrap_or(0))
}

/// The nearest multiple of the divisor, not less than nine tenths.
fn width(wanted: f64, divisor: u32) -> u32 {
    let divisor = f64::from(divisor);
    let nearest = ((wanted + divisor / 2.0) / divisor).floor() * divisor;
    let width = nearest.max(divisor);
    (if width < 0.9 * wanted { width + divisor } else { width }) as u32
}

fn one_a_layer<T>(
    config: &Config,
    key: &str,
    list: Option<Vec<T>>,
    layers: u32,
) -> Result<Vec<T>, Error> {
    let expected = format!("{layers} numbers, num_transformer_layers");
    match list {
        Some(list) if list.len() == layers as usize => Ok(list),
        Some(list) => Err(config.invalid(key, format!("{} numbers", list.len()), expected)),
        None => Err(config.invalid(key, "no such key", expected)),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn widths_are_apples() {
        // The first and last layers of OpenELM-270M.
        assert_eq!(super::width(0.5 * 1280.0, 256), 768);
        assert_eq!(super::width(4.0 * 1280.0, 256), 5120);
        assert_eq!(super::width(10.0, 256), 256);
    }
}
