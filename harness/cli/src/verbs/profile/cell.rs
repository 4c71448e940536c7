//! A cell in words: `MODEL,device=D,test=T,threads=N,kv=K`, the model left out where another cell's is meant.

use anyhow::{Context, Result, bail, ensure};
use yardstick_api::KvType;
use yardstick_record::Test;

use crate::args::Profile;

/// What is profiled.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Cell {
    /// Model's name; empty until one is named.
    pub(crate) model: String,
    pub(crate) device: String,
    pub(crate) test: Test,
    pub(crate) threads: Option<usize>,
    pub(crate) kv: KvType,
}

const KEYS: &str = "device, test, threads, kv";

impl Cell {
    /// Without a model yet.
    pub(crate) fn new(device: &str, test: &str, threads: Option<usize>) -> Result<Cell> {
        Ok(Cell {
            model: String::new(),
            device: device.to_owned(),
            test: test_of(test).context("--test")?,
            threads,
            kv: KvType::F16,
        })
    }

    /// As the flags of `profile` say.
    pub(crate) fn of_flags(model: &str, args: &Profile) -> Result<Cell> {
        let mut cell = Cell::new(&args.device, &args.test, args.threads)?;
        model.clone_into(&mut cell.model);
        Ok(cell)
    }

    /// The same but for what the words say.
    pub(crate) fn but(&self, words: &str) -> Result<Cell> {
        let mut cell = self.clone();
        let mut rest = words;
        // From the end, since a file's name may hold commas and equals signs.
        loop {
            let (head, last) = match rest.rsplit_once(',') {
                Some((head, last)) => (Some(head), last),
                None => (None, rest),
            };
            let pair = last.split_once('=').filter(|(key, _)| KEYS.split(", ").any(|k| k == *key));
            let Some((key, value)) = pair else { break };
            cell.set(key, value).with_context(|| format!("{words:?}"))?;
            match head {
                Some(head) => rest = head,
                None => {
                    rest = "";
                    break;
                }
            }
        }
        if !rest.is_empty() {
            rest.clone_into(&mut cell.model);
        }
        ensure!(
            !cell.model.is_empty(),
            "{words:?} names no model: expected MODEL, then any of {KEYS} as ,KEY=VALUE"
        );
        Ok(cell)
    }

    fn set(&mut self, key: &str, value: &str) -> Result<()> {
        match key {
            "device" => value.clone_into(&mut self.device),
            "test" => self.test = test_of(value)?,
            "threads" => {
                let threads = value.parse().ok().filter(|threads| *threads > 0);
                let found = || format!("threads: found {value:?}, expected a number above 0");
                self.threads = Some(threads.with_context(found)?);
            }
            _ => {
                let kinds = KvType::ALL.map(KvType::name).join(", ");
                let found = || format!("kv: found {value:?}, expected one of {kinds}");
                let kind = KvType::ALL.into_iter().find(|kind| kind.name() == value);
                self.kv = kind.with_context(found)?;
            }
        }
        Ok(())
    }

    /// What tells it from another; all of it where nothing does.
    pub(crate) fn label(&self, others: &[Cell]) -> String {
        let differs = |of: &dyn Fn(&Cell) -> String| others.iter().any(|one| of(one) != of(self));
        let mut words = Vec::new();
        let family = |cell: &Cell| cell.model.split(':').next().unwrap_or("").to_owned();
        if differs(&|cell| cell.model.clone()) {
            let short = self.model.split_once(':').filter(|_| !differs(&family));
            words.push(short.map_or(self.model.clone(), |(_, format)| format.to_owned()));
        }
        if differs(&|cell| cell.device.clone()) {
            words.push(self.device.clone());
        }
        if differs(&|cell| cell.test.to_string()) {
            words.push(self.test.to_string());
        }
        if differs(&|cell| format!("{:?}", cell.threads)) {
            words.push(match self.threads {
                Some(1) => "1 thread".to_owned(),
                Some(threads) => format!("{threads} threads"),
                None => "all threads".to_owned(),
            });
        }
        if differs(&|cell| cell.kv.name().to_owned()) {
            words.push(format!("kv {}", self.kv.name()));
        }
        match words.is_empty() {
            true => format!("{} {}", self.model, self.test),
            false => words.join(" "),
        }
    }
}

fn test_of(text: &str) -> Result<Test> {
    let test: Test = text.parse()?;
    match test {
        Test::Prefill { .. } | Test::Generate { .. } => Ok(test),
        _ => bail!("{test}: pp512, tg128 and the like, with @d2048 for a depth"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_another_but_for_what_its_words_say() {
        let all = Cell::new("cpu", "tg64", None).unwrap();
        let one = all.but("smollm-135m:Q4_0,threads=2").unwrap();
        let other = one.but("threads=1,test=tg8@d2048").unwrap();
        assert_eq!((other.model.as_str(), other.threads), ("smollm-135m:Q4_0", Some(1)));
        assert_eq!((other.test.to_string(), other.device.as_str()), ("tg8@d2048".into(), "cpu"));
        let file = all.but("/a,b=c.gguf,kv=q8_0").unwrap();
        assert_eq!((file.model.as_str(), file.kv), ("/a,b=c.gguf", KvType::Q8_0));
        for (words, why) in [
            ("threads=2", "names no model"),
            ("m,threads=0", "a number above 0"),
            ("m,test=load", "pp512, tg128"),
            ("m,kv=q3", "expected one of f32, f16, q8_0"),
        ] {
            let error = format!("{:#}", all.but(words).unwrap_err());
            assert!(error.contains(why), "{words}: {error}");
        }
    }

    #[test]
    fn labels_are_what_differs() {
        let all = Cell::new("cpu", "tg64", None).unwrap();
        let one = all.but("smollm-135m:Q4_0").unwrap();
        let pair = [one.clone(), one.but("smollm-135m:Q8_0,threads=1").unwrap()];
        assert_eq!(pair[0].label(&pair), "Q4_0 all threads");
        assert_eq!(pair[1].label(&pair), "Q8_0 1 thread");
        assert_eq!(one.label(std::slice::from_ref(&one)), "smollm-135m:Q4_0 tg64");
    }
}
