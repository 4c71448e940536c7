//! Workloads: what tests of what people do with a model are asked on: conversations, and requests that arrive. Runs nothing.

mod chat;
mod load;

use serde::{Deserialize, Serialize};
use yardstick_record::{Arrivals, Objective, Subject, TOGETHER_TOKENS, Test};

use crate::quality::data::hash;

pub(crate) use chat::{Conversation, Conversations, Words};
pub(crate) use load::arriving;

/// Positions that tests of hard inputs fill to the last.
pub(crate) const ROBUST_CONTEXT: usize = 256;
/// Tokens of the longest answer of a conversation.
const MOST_TOKENS: u32 = 32;

/// What workloads are asked on, as a suite and a flag say it. Each key may be left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// A file of conversations, or the ones that are built in.
    pub conversations: Option<String>,
    /// Tokens of the longest answer in a conversation.
    pub most_tokens: Option<u32>,
    /// How requests arrive.
    pub arrivals: Option<Arrivals>,
    /// Requests per second of `serve`.
    pub rate: Option<f64>,
    /// Requests of a trial.
    pub requests: Option<u32>,
    /// Shortest and longest prompt, tokens.
    pub prompt: Option<(u32, u32)>,
    /// Shortest and longest answer, tokens.
    pub answer: Option<(u32, u32)>,
    /// Requests that may wait.
    pub queue: Option<u32>,
    /// Seconds after which a request is given up.
    pub timeout: Option<f64>,
    /// Longest time to the first token of a good request, milliseconds.
    pub ttft_ms: Option<f64>,
    /// Longest mean time between its tokens, milliseconds.
    pub itl_ms: Option<f64>,
    /// Share of requests that must be good, percent.
    pub percent: Option<f64>,
    /// Trials of the search for the capacity.
    pub trials: Option<u32>,
    /// Seed of arrivals and lengths.
    pub seed: Option<u32>,
}

impl Asked {
    /// These, and `under` where these say nothing.
    pub fn over(self, under: Asked) -> Asked {
        Asked {
            conversations: self.conversations.or(under.conversations),
            most_tokens: self.most_tokens.or(under.most_tokens),
            arrivals: self.arrivals.or(under.arrivals),
            rate: self.rate.or(under.rate),
            requests: self.requests.or(under.requests),
            prompt: self.prompt.or(under.prompt),
            answer: self.answer.or(under.answer),
            queue: self.queue.or(under.queue),
            timeout: self.timeout.or(under.timeout),
            ttft_ms: self.ttft_ms.or(under.ttft_ms),
            itl_ms: self.itl_ms.or(under.itl_ms),
            percent: self.percent.or(under.percent),
            trials: self.trials.or(under.trials),
            seed: self.seed.or(under.seed),
        }
    }

    /// From keys as a flag gives them: what stands between the braces of an inline table of TOML.
    pub fn parse(text: &str) -> Result<Asked, crate::quality::Error> {
        #[derive(Deserialize)]
        struct Wire {
            workload: Asked,
        }
        let wire: Result<Wire, _> = toml::from_str(&format!("workload = {{ {text} }}"));
        let wire = wire.map_err(|error| {
            let message = error.message().replace('\n', "; ");
            crate::quality::Error::new("workload", message)
        })?;
        Ok(wire.workload)
    }

    /// The keys that decide what a test is asked on, as [`Asked::parse`] reads them; none where there are none.
    pub fn keys(&self, test: Test) -> Option<String> {
        let of = match test {
            Test::Chat => Asked {
                conversations: self.conversations.clone(),
                most_tokens: self.most_tokens,
                ..Asked::default()
            },
            _ if test.is_served() => {
                Asked { conversations: None, most_tokens: None, ..self.clone() }
            }
            _ => return None,
        };
        let table = toml::Table::try_from(&of).ok()?;
        let keys: Vec<String> =
            table.iter().map(|(key, value)| format!("{key} = {value}")).collect();
        (!keys.is_empty()).then(|| keys.join(", "))
    }

    /// What is wrong with a value: its key, what was found, what is expected.
    pub(crate) fn flaw(&self) -> Option<(&'static str, String, &'static str)> {
        let whole = |key, value: Option<u32>, most: u32| {
            let value = value.filter(|value| !(1..=most).contains(value))?;
            Some((
                key,
                value.to_string(),
                "a whole number of at least 1, and no more than anyone waits for",
            ))
        };
        let number = |key, value: Option<f64>, most: f64, expected| {
            let value = value.filter(|value| !(*value > 0.0 && *value <= most))?;
            Some((key, value.to_string(), expected))
        };
        let range = |key, value: Option<(u32, u32)>| {
            let (low, high) =
                value.filter(|(low, high)| *low == 0 || low > high || *high > 1 << 20)?;
            Some((
                key,
                format!("[{low}, {high}]"),
                "the shortest and the longest in tokens, at least 1",
            ))
        };
        whole("most_tokens", self.most_tokens, 1 << 20)
            .or_else(|| number("rate", self.rate, 1e6, "requests per second above 0"))
            .or_else(|| whole("requests", self.requests, 100_000))
            .or_else(|| range("prompt", self.prompt))
            .or_else(|| range("answer", self.answer))
            .or_else(|| whole("queue", self.queue, 100_000))
            .or_else(|| number("timeout", self.timeout, 86_400.0, "seconds above 0"))
            .or_else(|| number("ttft_ms", self.ttft_ms, 1e8, "milliseconds above 0"))
            .or_else(|| number("itl_ms", self.itl_ms, 1e8, "milliseconds above 0"))
            .or_else(|| number("percent", self.percent, 100.0, "percent above 0, at most 100"))
            .or_else(|| whole("trials", self.trials, 30))
    }
}

/// Requests that arrive: every value decided.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Load {
    pub(crate) arrivals: Arrivals,
    pub(crate) rate: f64,
    pub(crate) requests: u32,
    pub(crate) prompt: (u32, u32),
    pub(crate) answer: (u32, u32),
    pub(crate) queue: u32,
    pub(crate) timeout: f64,
    pub(crate) objective: Objective,
    pub(crate) trials: u32,
    pub(crate) seed: u32,
}

/// What is asked, as it was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Workloads {
    /// Where a test replays them.
    pub(crate) chat: Option<Conversations>,
    /// Tokens of the longest answer in a conversation.
    pub(crate) most_tokens: usize,
    pub(crate) load: Load,
}

impl Workloads {
    /// Reads what these tests are asked on, and nothing else.
    pub fn read(asked: &Asked, tests: &[Test]) -> Result<Workloads, crate::quality::Error> {
        if let Some((key, found, expected)) = asked.flaw() {
            let message = format!("found {found}, expected {expected}");
            return Err(crate::quality::Error::new(&format!("workload {key}"), message));
        }
        let chat = match tests.contains(&Test::Chat) {
            true => Some(Conversations::read(asked.conversations.as_deref())?),
            false => None,
        };
        let load = Load {
            arrivals: asked.arrivals.unwrap_or(Arrivals::Poisson),
            rate: asked.rate.unwrap_or(4.0),
            requests: asked.requests.unwrap_or(60),
            prompt: asked.prompt.unwrap_or((16, 128)),
            answer: asked.answer.unwrap_or((8, 32)),
            queue: asked.queue.unwrap_or(16),
            timeout: asked.timeout.unwrap_or(30.0),
            objective: Objective {
                ttft_ms: asked.ttft_ms.unwrap_or(1000.0),
                itl_ms: asked.itl_ms.unwrap_or(100.0),
                percent: asked.percent.unwrap_or(90.0),
            },
            trials: asked.trials.unwrap_or(7),
            seed: asked.seed.unwrap_or(1),
        };
        let most_tokens = asked.most_tokens.unwrap_or(MOST_TOKENS) as usize;
        Ok(Workloads { chat, most_tokens, load })
    }

    /// What a test is asked on, for its cell.
    pub(crate) fn subject(&self, test: Test) -> Option<Subject> {
        let subject = |data: String, all: String| {
            Some(Subject { data, sha256: hash(all.as_bytes()), reference: None })
        };
        match test {
            Test::Chat => {
                let chat = self.chat.as_ref()?;
                let all = format!("{} {}", chat.sha256, self.most_tokens);
                subject(chat.name.clone(), all)
            }
            Test::Serve => {
                // Only the search makes several trials.
                let load = Load { trials: 1, ..self.load.clone() };
                let rate = load.rate;
                let data = format!("{rate}/s {}, {}", arrivals(load.arrivals), load.describe());
                subject(data, serde_json::to_string(&load).unwrap_or_default())
            }
            Test::Capacity => {
                let load = Load { rate: 0.0, ..self.load.clone() };
                let data = format!("{}, {}", arrivals(load.arrivals), load.describe());
                subject(data, serde_json::to_string(&load).unwrap_or_default())
            }
            _ => None,
        }
    }

    /// Positions that a test takes in each sequence at most.
    pub(crate) fn room(&self, test: Test) -> usize {
        match test {
            Test::Chat => {
                self.chat.as_ref().map_or(0, |chat| chat.longest_bytes() + self.most_tokens + 4)
            }
            Test::Serve | Test::Capacity => (self.load.prompt.1 + self.load.answer.1) as usize + 1,
            Test::Robust => ROBUST_CONTEXT,
            Test::Together { .. } => TOGETHER_TOKENS + 1,
            _ => 0,
        }
    }
}

impl Load {
    fn describe(&self) -> String {
        let (prompt, answer) = (self.prompt, self.answer);
        format!(
            "{} requests of {}-{} + {}-{} tokens",
            self.requests, prompt.0, prompt.1, answer.0, answer.1
        )
    }
}

fn arrivals(arrivals: Arrivals) -> &'static str {
    match arrivals {
        Arrivals::Poisson => "poisson",
        Arrivals::Constant => "constant",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_of_one_load_are_one_and_of_another_are_not() {
        let tests = [Test::Chat, Test::Serve, Test::Capacity];
        let read = |asked: &Asked| Workloads::read(asked, &tests).unwrap();
        let plain = read(&Asked::default());
        let key = |of: &Workloads, test| of.subject(test).unwrap().sha256;
        let faster = read(&Asked { rate: Some(8.0), ..Asked::default() });
        assert_ne!(key(&plain, Test::Serve), key(&faster, Test::Serve));
        assert_eq!(
            key(&plain, Test::Capacity),
            key(&faster, Test::Capacity),
            "it searches the rate"
        );
        let longer = read(&Asked { trials: Some(9), ..Asked::default() });
        assert_eq!(key(&plain, Test::Serve), key(&longer, Test::Serve));
        assert_ne!(key(&plain, Test::Capacity), key(&longer, Test::Capacity));
        let short = read(&Asked { most_tokens: Some(4), ..Asked::default() });
        assert_ne!(key(&plain, Test::Chat), key(&short, Test::Chat));
        assert_eq!(plain.subject(Test::Cold), None);
    }

    #[test]
    fn keys_are_read_as_they_are_written() {
        let asked = Asked::parse("rate = 4, prompt = [8, 16], arrivals = \"constant\"").unwrap();
        assert_eq!((asked.rate, asked.prompt), (Some(4.0), Some((8, 16))));
        let keys = asked.keys(Test::Serve).unwrap();
        assert_eq!(Asked::parse(&keys).unwrap(), asked, "{keys}");
        assert_eq!((asked.keys(Test::Chat), asked.keys(Test::Cold)), (None, None));
        for (text, expected) in
            [("rte = 4", "unknown field `rte`"), ("rate = \"x\"", "invalid type")]
        {
            let message = Asked::parse(text).unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        }
    }

    #[test]
    fn values_that_make_no_load_are_errors_that_name_their_key() {
        let flaws = [
            ("rate", Asked { rate: Some(0.0), ..Asked::default() }),
            ("rate", Asked { rate: Some(f64::NAN), ..Asked::default() }),
            ("prompt", Asked { prompt: Some((9, 8)), ..Asked::default() }),
            ("answer", Asked { answer: Some((0, 8)), ..Asked::default() }),
            ("requests", Asked { requests: Some(0), ..Asked::default() }),
            ("percent", Asked { percent: Some(101.0), ..Asked::default() }),
            ("timeout", Asked { timeout: Some(-1.0), ..Asked::default() }),
            ("trials", Asked { trials: Some(31), ..Asked::default() }),
        ];
        for (key, asked) in flaws {
            let message = Workloads::read(&asked, &[Test::Serve]).unwrap_err().to_string();
            assert!(message.starts_with(&format!("workload {key}: found")), "{message}");
        }
    }
}
