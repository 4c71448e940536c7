//! Tests: what is asked of a session, in llama-bench's words.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use yardstick_api::Limit;

use crate::{ForeignTest, limits};

/// One test. Written `load`, `pp512`, `tg128@d2048`, `ttft`, `ttft64`; a limit `read@64MiB`, `peak-int8`, `barrier`, `wake`;
/// a foreign one `criterion:name`.
///
/// [`FromStr`] reads what can be asked of a model: limits and foreign tests are read from records only.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub enum Test {
    /// From a closed file to a session that answered one token.
    Load,
    /// Prefill: `tokens` at once per sequence, at context depth `depth`; no logits but the last.
    Prefill {
        /// Prompt length.
        tokens: usize,
        /// Positions already held.
        depth: usize,
    },
    /// Greedy generation of `tokens` tokens per sequence, at context depth `depth`.
    Generate {
        /// Tokens generated.
        tokens: usize,
        /// Positions already held.
        depth: usize,
    },
    /// Time to first token: prompt ids in, first id out at the host.
    FirstToken {
        /// Prompt length.
        tokens: usize,
        /// Positions already held.
        depth: usize,
    },
    /// Perplexity of a text, in windows of `window` tokens.
    Perplexity {
        /// Tokens of a window.
        window: usize,
    },
    /// Divergence from a reference's predictions on a text, in windows of `window` tokens.
    Kld {
        /// Tokens of a window.
        window: usize,
    },
    /// Questions with choices, answered by log-likelihood.
    Choice,
    /// Questions answered with text.
    Generation,
    /// Greedy text against a reference's, `tokens` a prompt.
    Divergence {
        /// Tokens generated after each prompt.
        tokens: usize,
    },
    /// A user's own prompts, from text to text.
    Prompts,
    /// Conversations, each turn on kept keys and values and from scratch.
    Chat,
    /// Requests that arrive at one rate.
    Serve,
    /// The highest rate of requests that meets an objective.
    Capacity,
    /// `processes` at once, each generating.
    Together {
        /// How many; two or more.
        processes: usize,
    },
    /// From the start of a fresh process to its first token.
    Cold,
    /// Inputs that are hard, each with what should come of it.
    Robust,
    /// A limit of the device; no model takes part.
    Limit(Limit),
    /// What another program measured and we have no test for. Its time is its result; it is never run here.
    Foreign(ForeignTest),
}

/// Window of a bare `ppl` and `kld`, as llama.cpp's.
const WINDOW: usize = 512;
/// The least window of which half can be scored.
const LEAST_WINDOW: usize = 4;
/// Tokens of a bare `divergence`.
const DIVERGENCE_TOKENS: usize = 128;
/// Tokens of the text that go before what `divergence` generates.
pub const DIVERGENCE_PROMPT: usize = 64;
/// Prompt length of a bare `ttft`.
const TTFT_TOKENS: usize = 512;
/// Processes of a bare `together`.
const PROCESSES: usize = 2;
/// More processes than any machine in reach has room for.
const MOST_PROCESSES: usize = 64;
/// Tokens that each process of `together` generates in a repetition.
pub const TOGETHER_TOKENS: usize = 32;
/// More than any context in use; keeps sums of lengths far from overflow.
const MOST_TOKENS: usize = 1 << 24;

impl Test {
    /// Positions a sequence must hold for this test.
    pub fn positions(self) -> usize {
        match self {
            Test::Load => 1,
            Test::Foreign(_) | Test::Limit(_) => 0,
            // The plan counts what questions take.
            Test::Choice | Test::Generation | Test::Prompts => 0,
            Test::Chat | Test::Serve | Test::Capacity | Test::Robust => 0,
            Test::Together { .. } => TOGETHER_TOKENS,
            Test::Cold => 1,
            Test::Perplexity { window } | Test::Kld { window } => window,
            Test::Divergence { tokens } => DIVERGENCE_PROMPT + tokens,
            Test::Prefill { tokens, depth } | Test::Generate { tokens, depth } => tokens + depth,
            Test::FirstToken { tokens, depth } => tokens + depth + 1,
        }
    }

    /// Tokens whose rate is the test's speed, per sequence; `None` where the time itself is the result.
    pub fn tokens(self) -> Option<usize> {
        match self {
            Test::Prefill { tokens, .. } | Test::Generate { tokens, .. } => Some(tokens),
            _ => None,
        }
    }

    /// Context depth at the start.
    pub fn depth(self) -> usize {
        match self {
            Test::Prefill { depth, .. }
            | Test::Generate { depth, .. }
            | Test::FirstToken { depth, .. } => depth,
            _ => 0,
        }
    }

    /// The same test at another depth.
    pub fn at_depth(self, new: usize) -> Test {
        match self {
            Test::Prefill { tokens, .. } => Test::Prefill { tokens, depth: new },
            Test::Generate { tokens, .. } => Test::Generate { tokens, depth: new },
            Test::FirstToken { tokens, .. } => Test::FirstToken { tokens, depth: new },
            other => other,
        }
    }

    /// It may be asked for at a context depth.
    pub fn has_depth(self) -> bool {
        self.at_depth(usize::MAX).depth() > 0
    }

    /// Its result is what answers are worth, not how fast they come.
    pub fn is_quality(self) -> bool {
        self.reads_text() || matches!(self, Test::Choice | Test::Generation | Test::Prompts)
    }

    /// It is what people do with a model, and has a runner of its own.
    pub fn is_workload(self) -> bool {
        matches!(
            self,
            Test::Chat
                | Test::Serve
                | Test::Capacity
                | Test::Together { .. }
                | Test::Cold
                | Test::Robust
        )
    }

    /// It is a queue of requests.
    pub fn is_served(self) -> bool {
        matches!(self, Test::Serve | Test::Capacity)
    }

    /// It runs on a text.
    pub fn reads_text(self) -> bool {
        matches!(self, Test::Perplexity { .. } | Test::Kld { .. } | Test::Divergence { .. })
    }

    /// It compares with a reference's answers.
    pub fn has_reference(self) -> bool {
        matches!(self, Test::Kld { .. } | Test::Divergence { .. })
    }
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Test::Load => write!(f, "load")?,
            Test::Prefill { tokens, .. } => write!(f, "pp{tokens}")?,
            Test::Generate { tokens, .. } => write!(f, "tg{tokens}")?,
            Test::FirstToken { tokens: TTFT_TOKENS, .. } => write!(f, "ttft")?,
            Test::FirstToken { tokens, .. } => write!(f, "ttft{tokens}")?,
            Test::Perplexity { window: WINDOW } => write!(f, "ppl")?,
            Test::Perplexity { window } => write!(f, "ppl{window}")?,
            Test::Kld { window: WINDOW } => write!(f, "kld")?,
            Test::Kld { window } => write!(f, "kld{window}")?,
            Test::Choice => write!(f, "choice")?,
            Test::Generation => write!(f, "generation")?,
            Test::Divergence { tokens: DIVERGENCE_TOKENS } => write!(f, "divergence")?,
            Test::Divergence { tokens } => write!(f, "divergence{tokens}")?,
            Test::Prompts => write!(f, "prompts")?,
            Test::Chat => write!(f, "chat")?,
            Test::Serve => write!(f, "serve")?,
            Test::Capacity => write!(f, "capacity")?,
            Test::Together { processes: PROCESSES } => write!(f, "together")?,
            Test::Together { processes } => write!(f, "together{processes}")?,
            Test::Cold => write!(f, "cold")?,
            Test::Robust => write!(f, "robust")?,
            Test::Foreign(name) => write!(f, "{name}")?,
            Test::Limit(limit) => write!(f, "{}", limits::name(limit))?,
        }
        match self.depth() {
            0 => Ok(()),
            depth => write!(f, "@d{depth}"),
        }
    }
}

/// A test name that is not one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "test {found:?} is not known; expected load, ppN, tgN or ttft[N], with @dN for a context depth, or ppl[N], kld[N], choice, generation, divergence[N], prompts, or chat, serve, capacity, together[N], cold, robust, N from 1 to {MOST_TOKENS}"
)]
pub struct ParseTestError {
    /// What was written.
    pub found: String,
}

impl FromStr for Test {
    type Err = ParseTestError;

    fn from_str(text: &str) -> Result<Test, ParseTestError> {
        parse(text).ok_or_else(|| ParseTestError { found: text.chars().take(64).collect() })
    }
}

fn parse(text: &str) -> Option<Test> {
    let (name, depth) = match text.split_once("@d") {
        Some((name, depth)) => (name, count(depth, 0)?),
        None => (text, 0),
    };
    if name == "load" {
        return (depth == 0).then_some(Test::Load);
    }
    if name == "ttft" {
        return Some(Test::FirstToken { tokens: TTFT_TOKENS, depth });
    }
    if let Some(tokens) = name.strip_prefix("ttft") {
        return Some(Test::FirstToken { tokens: count(tokens, 1)?, depth });
    }
    if let Some(test) = quality(name).or_else(|| workload(name)) {
        return (depth == 0).then_some(test);
    }
    let tokens = count(name.get(2..)?, 1)?;
    match name.get(..2)? {
        "pp" => Some(Test::Prefill { tokens, depth }),
        "tg" => Some(Test::Generate { tokens, depth }),
        _ => None,
    }
}

fn quality(name: &str) -> Option<Test> {
    let sized = |prefix: &str, bare: usize, least: usize| match name.strip_prefix(prefix)? {
        "" => Some(bare),
        digits => count(digits, least),
    };
    match name {
        "choice" => Some(Test::Choice),
        "generation" => Some(Test::Generation),
        "prompts" => Some(Test::Prompts),
        _ => sized("ppl", WINDOW, LEAST_WINDOW)
            .map(|window| Test::Perplexity { window })
            .or_else(|| sized("kld", WINDOW, LEAST_WINDOW).map(|window| Test::Kld { window }))
            .or_else(|| {
                let tokens = sized("divergence", DIVERGENCE_TOKENS, 1)?;
                Some(Test::Divergence { tokens })
            }),
    }
}

fn workload(name: &str) -> Option<Test> {
    match name {
        "chat" => Some(Test::Chat),
        "serve" => Some(Test::Serve),
        "capacity" => Some(Test::Capacity),
        "cold" => Some(Test::Cold),
        "robust" => Some(Test::Robust),
        "together" => Some(Test::Together { processes: PROCESSES }),
        _ => {
            let processes = count(name.strip_prefix("together")?, 2)?;
            (processes <= MOST_PROCESSES).then_some(Test::Together { processes })
        }
    }
}

fn count(digits: &str, least: usize) -> Option<usize> {
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok().filter(|n| (least..=MOST_TOKENS).contains(n))
}

impl TryFrom<String> for Test {
    type Error = ParseTestError;
    fn try_from(text: String) -> Result<Test, ParseTestError> {
        match (ForeignTest::parse(&text), limits::parse(&text)) {
            (Some(name), _) => Ok(Test::Foreign(name)),
            (None, Some(limit)) => Ok(Test::Limit(limit)),
            (None, None) => text.parse(),
        }
    }
}

impl From<Test> for String {
    fn from(test: Test) -> String {
        test.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for name in
            ["load", "pp512", "tg128", "tg128@d2048", "pp1@d7", "ttft", "ttft64", "ttft@d128"]
        {
            assert_eq!(name.parse::<Test>().unwrap().to_string(), name);
        }
        let quality =
            ["ppl", "ppl256", "kld", "kld4", "choice", "generation", "divergence8", "prompts"];
        for name in quality {
            let test = name.parse::<Test>().unwrap();
            assert_eq!((test.to_string().as_str(), test.is_quality()), (name, true));
            assert!(!test.has_depth() && test.tokens().is_none());
        }
    }

    #[test]
    fn workloads_have_names_and_neither_depth_nor_speed_of_their_own() {
        for name in ["chat", "serve", "capacity", "together", "together4", "cold", "robust"] {
            let test = name.parse::<Test>().unwrap();
            assert_eq!((test.to_string().as_str(), test.is_workload()), (name, true));
            assert!(!test.has_depth() && test.tokens().is_none() && !test.is_quality());
        }
        for name in ["together1", "together65", "chat4", "serve@d8", "togetherx"] {
            assert!(name.parse::<Test>().is_err(), "{name:?} was accepted");
        }
    }

    #[test]
    fn foreign_names_are_read_from_records_and_cannot_be_asked_for() {
        for name in ["criterion:q4_0/dot/4096", "llama-bench:pp512+tg128@d8", "x:pp512"] {
            let test = Test::try_from(name.to_owned()).unwrap();
            assert_eq!((test.to_string().as_str(), test.tokens()), (name, None));
            assert!(matches!(test, Test::Foreign(_)));
            assert!(name.parse::<Test>().is_err(), "{name:?} was accepted");
        }
        let long = format!("x:{}", "y".repeat(200));
        for name in ["X:y", ":y", "x:", "x:\u{1b}", long.as_str()] {
            assert!(Test::try_from(name.to_owned()).is_err(), "{name:?} was accepted");
        }
    }

    #[test]
    fn limits_are_read_from_records_and_cannot_be_asked_of_a_model() {
        for name in ["read@64MiB", "peak-int8", "barrier", "wake"] {
            let test = Test::try_from(name.to_owned()).unwrap();
            assert_eq!((test.to_string().as_str(), test.tokens()), (name, None));
            assert!(matches!(test, Test::Limit(_)));
            assert!(name.parse::<Test>().is_err(), "{name:?} was accepted");
        }
    }

    #[test]
    fn rejects_what_is_not_a_test() {
        for name in [
            "",
            "p",
            "pp",
            "pp0",
            "pp-1",
            "pp+1",
            "tg",
            "tgx",
            "pp512@",
            "pp512@d",
            "pp512@dx",
            "load@d4",
            "päp",
            "pp99999999999999999999",
            "ttft0",
            "warp9",
            "pp16777217",
            "ppl3",
            "ppl512@d8",
            "kldx",
            "choice4",
            "prompts@d1",
        ] {
            assert!(name.parse::<Test>().is_err(), "{name:?} was accepted");
        }
    }
}
