//! A cap on the processor for one run, as the command line names it.

use anyhow::{Context, Result, anyhow, bail};
use yardstick_probes::{Cap, CapKind, Root};

use crate::console;

/// A cap that is in place, and its words in records; none where none was asked for.
pub(crate) struct Capped {
    cap: Option<Cap>,
    pub(crate) words: Option<String>,
}

/// Sets it, or refuses before anything is measured.
pub(crate) fn set(asked: Option<&str>) -> Result<Capped> {
    let Some(text) = asked else { return Ok(Capped { cap: None, words: None }) };
    let (kind, words) = parse(text)?;
    let cap = Cap::set(&Root::default(), kind).map_err(|why| anyhow!("--cap {text}: {why}"))?;
    Ok(Capped { cap: Some(cap), words: Some(words) })
}

impl Capped {
    /// As it was before; what could not be restored is told.
    pub(crate) fn restore(self) {
        if let Some(Err(why)) = self.cap.map(Cap::restore) {
            console::tell(format!("warning: the cap was not lifted: {why}"));
        }
    }
}

fn parse(text: &str) -> Result<(CapKind, String)> {
    let (name, value) = text
        .split_once('=')
        .with_context(|| format!("--cap {text}: write clock=MHZ or power=WATTS"))?;
    let number = value.parse::<f64>().ok();
    match (name, number) {
        ("clock", Some(mhz)) if (100.0..=20_000.0).contains(&mhz) => {
            Ok((CapKind::Clock(mhz), format!("clock {mhz} MHz")))
        }
        ("power", Some(watts)) if (1.0..=2000.0).contains(&watts) => {
            Ok((CapKind::Power(watts), format!("power {watts} W")))
        }
        _ => bail!("--cap {text}: expected clock=100 to 20000 (MHz) or power=1 to 2000 (W)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn caps_are_a_kind_and_a_plausible_number() {
        assert_eq!(parse("clock=2000").unwrap(), (CapKind::Clock(2000.0), "clock 2000 MHz".into()));
        assert_eq!(parse("power=25").unwrap().0, CapKind::Power(25.0));
        for text in ["clock", "clock=", "clock=nan", "clock=1", "power=9999", "volts=1", "power=-5"]
        {
            assert!(parse(text).unwrap_err().to_string().starts_with("--cap "), "{text}");
        }
        assert!(set(None).unwrap().words.is_none());
    }
}
