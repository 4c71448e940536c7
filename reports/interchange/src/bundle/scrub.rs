//! Scrubbing: names of this machine and its people, paths, addresses and numbers that tell one machine from all others.

use std::borrow::Cow;

use regex::{Captures, Regex};

/// What is taken out of texts, and what stands in its place.
pub struct Scrub {
    patterns: Vec<(Regex, &'static str)>,
    /// Lower case.
    names: Vec<String>,
    paths: Regex,
}

/// Names that tell nothing of who uses them, and that texts of ours hold as words.
const COMMON: [&str; 14] = [
    "root",
    "user",
    "admin",
    "test",
    "cuda",
    "wgpu",
    "null",
    "cpu",
    "debian",
    "ubuntu",
    "localhost",
    "yardstick",
    "home",
    "linux",
];
/// Shorter names are parts of other words.
const SHORTEST: usize = 3;

/// What stands for something that was taken out.
const NAME: &str = "[name]";
const PATH: &str = "[path]";

impl Scrub {
    /// `names`: the machine's, the user's and the like.
    pub fn new(names: &[String]) -> Scrub {
        let pattern = |text: &str| Regex::new(text).expect("a fixed pattern, tested");
        let patterns = [
            (r"\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+\b", "[address]"),
            (r"(?i)\b(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2}\b", "[address]"),
            (r"\b\d{1,3}(?:\.\d{1,3}){3}\b", "[address]"),
            (
                r"(?i)\b(?:[0-9a-f]{1,4}:){3,7}[0-9a-f]{1,4}\b|(?i)\b(?:[0-9a-f]{1,4}:){1,6}:[0-9a-f:]*",
                "[address]",
            ),
            (r"(?i)\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "[number]"),
            (r"(?i)\b[0-9a-f]{32}\b", "[number]"),
            (r"(?i)\b(?:serial|s/n|uuid)\b(?:[ _-]?(?:number|no\.?))?[\s:=#]+[\w-]+", "[number]"),
        ];
        let mut names: Vec<String> = names
            .iter()
            .map(|name| name.trim().to_lowercase())
            .filter(|name| name.chars().count() >= SHORTEST && !COMMON.contains(&name.as_str()))
            .collect();
        // The longest first: a name may hold another.
        names.sort_by_key(|name| std::cmp::Reverse(name.len()));
        names.dedup();
        Scrub {
            patterns: patterns.map(|(text, instead)| (pattern(text), instead)).into(),
            names,
            // A word with a slash or a backslash in it, `~`, or a drive.
            paths: pattern(r#"[^\s"'`,;()<>|=\[\]{}]*[/\\][^\s"'`,;()<>|=\[\]{}]*"#),
        }
    }

    /// A text without them.
    pub fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut out = self.paths.replace_all(text, |found: &Captures<'_>| {
            // What ends a sentence is not the path's.
            let word = found[0].trim_end_matches([':', '.', '!', '?']);
            match is_path(word) {
                true => format!("{PATH}{}", &found[0][word.len()..]),
                false => found[0].to_owned(),
            }
        });
        for (pattern, instead) in &self.patterns {
            if pattern.is_match(&out) {
                out = Cow::Owned(pattern.replace_all(&out, *instead).into_owned());
            }
        }
        for name in &self.names {
            if out.to_lowercase().contains(name.as_str()) {
                out = Cow::Owned(without(&out, name));
            }
        }
        out
    }
}

/// Files of this machine, not units (`tokens/s`), alternatives (`and/or`) or the kernel's own files, which are everywhere.
fn is_path(word: &str) -> bool {
    if ["/proc/", "/sys/", "/dev/"].iter().any(|known| word.starts_with(known)) {
        return false;
    }
    let drive = word.as_bytes().get(1) == Some(&b':') && word.contains('\\');
    let begins = ["/", "~", "./", "../", "\\\\", "file:", "http:", "https:"];
    let begins = begins.iter().any(|begin| word.starts_with(begin)) && word.len() > 1;
    let ends_in_name = word.rsplit(['/', '\\']).next().is_some_and(|last| last.contains('.'));
    drive || begins || ends_in_name || word.matches(['/', '\\']).count() > 1
}

/// The text without a name, as a word of its own or a part of one, in any case.
fn without(text: &str, name: &str) -> String {
    let found = Regex::new(&format!("(?i){}", regex::escape(name)));
    match found {
        Ok(found) => found.replace_all(text, NAME).into_owned(),
        // Too large to compile: no text is better than one with the name.
        Err(_) => NAME.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_tells_who_and_where_goes_and_the_rest_stays() {
        let scrub = Scrub::new(&["Grete-PC".into(), "grete".into(), "cpu".into(), "ab".into()]);
        for (text, left) in [
            ("cannot open /home/x/m.gguf: no such file", "cannot open [path]: no such file"),
            ("run -m models/secret.gguf -d cpu", "run -m [path] -d cpu"),
            ("run --store=/srv/a.sqlite", "run --store=[path]"),
            (r"C:\Users\x\m.gguf is gone", "[path] is gone"),
            (r"\\nas\share\m.gguf", "[path]"),
            ("~/m.gguf ./a ../b", "[path] [path] [path]"),
            ("from https://example.com/a?b", "from [path]"),
            ("GRETE on grete-pc", "[name] on [name]"),
            ("margrete2", "mar[name]2"),
            ("me@example.org from 10.0.0.12", "[address] from [address]"),
            ("aa:bb:cc:dd:ee:0f and fe80:0:0:1:2:3:4:5", "[address] and [address]"),
            ("fe80::1 is up", "[address] is up"),
            ("123e4567-e89b-12d3-a456-426614174000", "[number]"),
            ("0123456789abcdef0123456789ABCDEF", "[number]"),
            ("Serial: XK-77 here", "[number] here"),
        ] {
            assert_eq!(scrub.text(text), left, "{text}");
        }
        for kept in [
            "/proc/PID/status VmHWM",
            "/sys/class/powercap does not exist",
            "41.20 tokens/s, g/Mtoken",
            "yardstick run --device cpu:avx2 -m smollm-135m:Q4_0 --test tg128@d512",
            "2026-11-29T00:00:00Z",
            "0123456789abcdef0123456789abcdef01234567",
            "rustc 1.95.0, x86_64-unknown-linux-gnu, release",
            "AMD EPYC 9354P 32-Core Processor",
            "tab",
        ] {
            assert_eq!(scrub.text(kept), kept);
        }
    }
}
