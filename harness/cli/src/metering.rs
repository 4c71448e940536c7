//! External meters and the grid's factor, as the command line names them.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use yardstick_probes::{MeterSource, MeterSpec, Recording};
use yardstick_record::Record;

use crate::args::Metering;
use crate::registry::pair;
use crate::words;

/// A kWh of oil shale, the dirtiest there is, causes about 1,100 g.
const MOST_GRAMS: f64 = 5000.0;
const EXAMPLE: &str = "plug='python3 plug.py'";

/// The meters asked for, each under a name of its own.
pub(crate) fn specs(flags: &Metering) -> Result<Vec<MeterSpec>> {
    let mut specs: Vec<MeterSpec> = Vec::new();
    for text in &flags.meter {
        let (name, command) = pair("--meter", text, EXAMPLE)?;
        if specs.iter().any(|spec| spec.name == name) {
            bail!("--meter {name} is named twice");
        }
        let source = source(name, command)?;
        specs.push(MeterSpec { name: name.to_owned(), source, offset: 0.0 });
    }
    for text in &flags.meter_offset {
        let (name, seconds) = pair("--meter-offset", text, "plug=-1.5")?;
        let spec = specs.iter_mut().find(|spec| spec.name == name);
        let spec =
            spec.with_context(|| format!("--meter-offset {name}: no --meter has that name"))?;
        let offset = seconds.parse().ok().filter(|seconds: &f64| seconds.is_finite());
        spec.offset = offset.with_context(|| {
            format!("--meter-offset {name}: expected seconds, found {seconds:?}")
        })?;
    }
    Ok(specs)
}

/// One word that ends in `.csv` is a recording, everything else a command, never given to a shell.
fn source(name: &str, text: &str) -> Result<MeterSource> {
    let words = words::split(text)
        .with_context(|| format!("--meter {name}: its command has an open quote"))?;
    match words.as_slice() {
        [] => bail!("--meter {name} has no command; write {EXAMPLE}, or {name}=FILE.csv"),
        [file] if file.ends_with(".csv") => Ok(MeterSource::Recording(PathBuf::from(file))),
        _ => Ok(MeterSource::Program(words)),
    }
}

/// Lays recordings over records, in place of what the same meter read while they were made.
pub(crate) fn lay_over(flags: &Metering, records: &mut [Record]) -> Result<()> {
    for MeterSpec { name, source, offset } in specs(flags)? {
        let MeterSource::Recording(path) = source else {
            bail!(
                "--meter {name}: a program measures while a run goes on; give a recording, {name}=FILE.csv"
            );
        };
        let recording = Recording::read(&path, offset)
            .map_err(|reason| anyhow::anyhow!("--meter {name}: {reason}"))?;
        for record in records.iter_mut() {
            let readings = recording.readings(&name, record);
            record.readings.retain(|known| readings.iter().all(|new| new.name != known.name));
            record.readings.extend(readings);
        }
    }
    Ok(())
}

/// Grams of CO2 a kWh.
pub(crate) fn grid(flags: &Metering) -> Result<Option<f64>> {
    match flags.grid {
        Some(grams) if !(0.0..=MOST_GRAMS).contains(&grams) => {
            bail!("--grid {grams}: expected 0 to {MOST_GRAMS} grams of CO2 a kWh")
        }
        grid => Ok(grid),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(meter: &[&str], offset: &[&str]) -> Metering {
        let own = |list: &[&str]| list.iter().map(|&text| text.to_owned()).collect();
        Metering { meter: own(meter), meter_offset: own(offset), grid: None }
    }

    #[test]
    fn a_word_that_ends_in_csv_is_a_recording_and_everything_else_a_command() {
        let found = specs(&flags(&["plug=python3 'a b.py' x.csv", "usb=x.csv"], &["usb=-1.5"]));
        let found = found.unwrap();
        let words = ["python3", "a b.py", "x.csv"].map(str::to_owned).to_vec();
        assert_eq!(found[0].source, MeterSource::Program(words));
        assert_eq!(found[1].source, MeterSource::Recording("x.csv".into()));
        assert_eq!((found[0].offset, found[1].offset), (0.0, -1.5));
        for (meter, offset, why) in [
            (&["x"][..], &[][..], "expected a name"),
            (&["x="], &[], "has no command"),
            (&["x='y"], &[], "open quote"),
            (&["x=y", "x=z"], &[], "named twice"),
            (&["x=y"], &["z=1"], "no --meter has that name"),
            (&["x=y"], &["x=soon"], "expected seconds, found \"soon\""),
            (&["x=y"], &["x=inf"], "expected seconds"),
        ] {
            let error = specs(&flags(meter, offset)).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
        assert!(grid(&Metering { grid: Some(f64::NAN), ..Metering::default() }).is_err());
        assert!(lay_over(&flags(&["x=y"], &[]), &mut []).is_err(), "a program has no past");
    }
}
