//! Property lists of macOS' `powermetrics -f plist`: one after the other, a NUL between two. Apple's model of the power of
//! the processors, not a meter's.

use crate::probe::Learnt;

/// Keys of the power of all processors, and their unit in watts: Apple's chips, and Intel's package.
const KEYS: [(&str, f64); 2] = [("combined_power", 1e-3), ("package_watts", 1.0)];
/// A longer list is none.
const LONGEST: usize = 4 << 20;

/// A list as it comes, line by line.
#[derive(Default)]
pub(super) struct Document {
    text: String,
}

impl Document {
    /// Takes a line; watts where it ends a list, `None` where it belongs to one. `Err(None)`: it is no part of a list.
    pub(super) fn line(&mut self, line: &str) -> Result<Option<f64>, Option<String>> {
        let line = line.trim_start_matches('\0').trim();
        if self.text.is_empty() && !line.starts_with("<?xml") {
            return Err(None);
        }
        if self.text.len() + line.len() > LONGEST {
            self.text.clear();
            return Err(Some(format!("a property list longer than {} MiB", LONGEST >> 20)));
        }
        self.text.push_str(line);
        if !line.ends_with("</plist>") {
            return Ok(None);
        }
        watts(&std::mem::take(&mut self.text)).map(Some).map_err(Some)
    }
}

fn watts(list: &str) -> Learnt<f64> {
    let found = KEYS.iter().find_map(|(key, unit)| {
        let (_, rest) = list.split_once(&format!("<key>{key}</key>"))?;
        let rest = rest.trim_start();
        let rest = rest.strip_prefix("<real>").or_else(|| rest.strip_prefix("<integer>"))?;
        Some(rest.split_once('<')?.0.trim().parse::<f64>().ok()? * unit)
    });
    match found {
        Some(watts) if (0.0..=super::MOST_WATTS).contains(&watts) => Ok(watts),
        Some(watts) => Err(format!("powermetrics tells {watts} W")),
        None => Err(format!(
            "a property list without {}: start powermetrics with --samplers cpu_power",
            KEYS.map(|(key, _)| key).join(" or ")
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Result<Option<f64>, Option<String>> {
        let mut document = Document::default();
        text.lines().map(|line| document.line(line)).last().unwrap()
    }

    #[test]
    fn the_power_of_all_processors_is_found_in_each_list() {
        let list = |body: &str| {
            format!(
                "\0<?xml version=\"1.0\"?>\n<plist version=\"1.0\">\n<dict>\n<key>elapsed_ns</key><integer>5</integer>\n\
                 <key>processor</key><dict>\n{body}\n</dict></dict>\n</plist>\n"
            )
        };
        let apple = list(
            "<key>cpu_power</key><real>1</real>\n<key>combined_power</key><real>8250.5</real>",
        );
        assert_eq!(told(&apple), Ok(Some(8.2505)));
        assert_eq!(told(&list("<key>package_watts</key><real>12.5</real>")), Ok(Some(12.5)));
        for (body, named) in [
            ("<key>cpu_power</key><real>1</real>", "without combined_power"),
            ("<key>combined_power</key><string>1</string>", "without combined_power"),
            ("<key>combined_power</key><real>-4</real>", "tells -0.004 W"),
            ("<key>combined_power</key><real>nan</real>", "tells NaN W"),
        ] {
            let why = told(&list(body)).unwrap_err().unwrap();
            assert!(why.contains(named), "{body}: {why}");
        }
        assert_eq!(told("1700000000,54"), Err(None));
        assert_eq!(told("<?xml?>\n<plist>"), Ok(None), "not whole yet");
    }
}
