//! Conversations: a TOML file of turns, each what a user says and what the assistant said.

use serde::Deserialize;
use yardstick_api::{Token, verify};
use yardstick_model::tokenizer::{Encoding, Tokenizer};

use crate::protocol::Turn;
use crate::quality::Error;
use crate::quality::data::{hash, read};
use crate::suite::place::{Place, text};

/// The conversations that are built in, under their name.
const BUILT_IN: &str = "everyday";
const TEXT: &str = include_str!("../../../../suites/prompts/everyday.toml");
/// More conversations, and more turns of one, than anyone waits for.
const MOST: usize = 1000;
/// Characters of a turn's text.
const LONGEST: usize = 1 << 16;
/// Bytes that a made-up token stands for: about what tokenizers make of English.
const BYTES_PER_TOKEN: usize = 4;

/// Conversations of one file.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Conversations {
    /// The file's name without its folders.
    pub(crate) name: String,
    pub(crate) sha256: String,
    /// Never empty.
    pub(crate) all: Vec<Conversation>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Conversation {
    pub(crate) name: String,
    /// What is new in a turn, and what the conversation goes on with; never empty.
    pub(crate) turns: Vec<(String, String)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    conversation: Vec<ConversationWire>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ConversationWire {
    name: toml::Spanned<String>,
    turns: toml::Spanned<Vec<TurnWire>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TurnWire {
    user: toml::Spanned<String>,
    assistant: toml::Spanned<String>,
}

impl Conversations {
    /// Of a file, or the ones that are built in.
    pub(crate) fn read(file: Option<&str>) -> Result<Conversations, Error> {
        match file {
            None | Some(BUILT_IN) => Conversations::parse(BUILT_IN, TEXT, hash(TEXT.as_bytes())),
            Some(file) => {
                let (text, data) = read(file)?;
                Conversations::parse(&data.name, &text, data.sha256)
            }
        }
    }

    fn parse(name: &str, content: &str, sha256: String) -> Result<Conversations, Error> {
        let at = Place { file: name, text: content };
        let failed = |error: crate::suite::Error| {
            let message = error.to_string();
            let message = message.strip_prefix(&format!("{name}:")).unwrap_or(&message).to_owned();
            Error::new(name, message)
        };
        let wire: Wire = at.read().map_err(failed)?;
        let n = wire.conversation.len();
        if n == 0 || n > MOST {
            return Err(Error::new(name, format!("found {n} conversations, expected 1 to {MOST}")));
        }
        let conversation = |wire: ConversationWire| {
            let named = text(&at, wire.name, 64, "a conversation's name")?;
            let turns = wire.turns.into_inner();
            let turn = |turn: TurnWire| {
                let user = text(&at, turn.user, LONGEST, "what a user says")?;
                let assistant = text(&at, turn.assistant, LONGEST, "what the assistant said")?;
                Ok((format!("User: {user}\nAssistant:"), format!(" {assistant}\n")))
            };
            let turns = turns.into_iter().map(turn).collect::<Result<Vec<_>, _>>()?;
            Ok(Conversation { name: named, turns })
        };
        let all = wire.conversation.into_iter().map(conversation);
        let all = all.collect::<Result<Vec<_>, _>>().map_err(failed)?;
        match all.iter().find(|one| one.turns.is_empty() || one.turns.len() > MOST) {
            Some(one) => {
                let (of, n) = (&one.name, one.turns.len());
                let message = format!("conversation {of:?}: found {n} turns, expected 1 to {MOST}");
                Err(Error::new(name, message))
            }
            None => Ok(Conversations { name: name.to_owned(), sha256, all }),
        }
    }

    /// Bytes of the longest conversation: a token is a byte or more.
    pub(crate) fn longest_bytes(&self) -> usize {
        let bytes = |one: &Conversation| {
            one.turns.iter().map(|(user, reply)| user.len() + reply.len()).sum::<usize>()
        };
        self.all.iter().map(bytes).max().unwrap_or(0)
    }
}

/// How texts become tokens.
pub(crate) enum Words {
    /// By the model's own tokenizer.
    Own(Box<Tokenizer>),
    /// Made up from the size of a vocabulary; the model has none, for this reason.
    MadeUp { vocab: usize, why: String },
}

impl Words {
    /// For a record.
    pub(crate) fn describe(&self) -> String {
        match self {
            Words::Own(_) => "the model's own tokenizer; no template of its own, turns are lines of User: and Assistant:".to_owned(),
            Words::MadeUp { why, .. } => format!(
                "made-up ids, one for {BYTES_PER_TOKEN} bytes of the text: {why}"
            ),
        }
    }
}

impl Conversation {
    /// The turns as tokens; answers have as many tokens as the reply, at most `most`.
    pub(crate) fn tokens(&self, words: &Words, most: usize) -> Result<Vec<Turn>, String> {
        let mut made = Made::new(words, self);
        let mut turns = Vec::new();
        for (index, (user, assistant)) in self.turns.iter().enumerate() {
            let prompt = made.tokens(user, index == 0)?;
            let reply = made.tokens(assistant, false)?;
            if prompt.is_empty() || reply.is_empty() {
                return Err(format!("{} turn {} has no tokens", self.name, index + 1));
            }
            turns.push(Turn { prompt, n: reply.len().min(most.max(1)), reply });
        }
        Ok(turns)
    }
}

/// Tokens of one conversation as they are made.
struct Made<'w> {
    words: &'w Words,
    /// Ids to take, where they are made up.
    ids: std::vec::IntoIter<Token>,
}

impl<'w> Made<'w> {
    fn new(words: &'w Words, of: &Conversation) -> Made<'w> {
        let ids = match words {
            Words::Own(_) => Vec::new(),
            Words::MadeUp { vocab, .. } => {
                let bytes = |(user, reply): &(String, String)| length(user) + length(reply);
                verify::prompt(*vocab, of.turns.iter().map(bytes).sum())
            }
        };
        Made { words, ids: ids.into_iter() }
    }

    fn tokens(&mut self, text: &str, first: bool) -> Result<Vec<Token>, String> {
        match self.words {
            Words::MadeUp { .. } => Ok(self.ids.by_ref().take(length(text)).collect()),
            Words::Own(tokenizer) => {
                let how = Encoding { ends: first, control: false };
                let encoded = tokenizer.encode(text.as_bytes(), how);
                let mut ids = encoded.map_err(|error| error.to_string())?;
                // An end of text within a conversation would end it.
                if first && ids.len() > 1 && ids.last() == tokenizer.eos().as_ref() {
                    ids.pop();
                }
                Ok(ids)
            }
        }
    }
}

fn length(text: &str) -> usize {
    text.len().div_ceil(BYTES_PER_TOKEN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_conversations_are_many_of_several_lengths() {
        let built_in = Conversations::read(None).unwrap();
        assert!(built_in.all.len() >= 12);
        let turns: std::collections::BTreeSet<usize> =
            built_in.all.iter().map(|one| one.turns.len()).collect();
        assert!(turns.len() >= 3 && turns.first() >= Some(&2), "{turns:?}");
        let names: std::collections::BTreeSet<&str> =
            built_in.all.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names.len(), built_in.all.len(), "each has its own name");
    }

    #[test]
    fn without_a_tokenizer_lengths_are_kept_and_ids_fit_the_vocabulary() {
        let words = Words::MadeUp { vocab: 50, why: "none".to_owned() };
        let built_in = Conversations::read(None).unwrap();
        let one = &built_in.all[0];
        let turns = one.tokens(&words, 3).unwrap();
        assert_eq!(turns, one.tokens(&words, 3).unwrap(), "the same each time");
        for (turn, (user, reply)) in turns.iter().zip(&one.turns) {
            assert_eq!((turn.prompt.len(), turn.reply.len()), (length(user), length(reply)));
            assert!(turn.n <= 3 && turn.prompt.iter().chain(&turn.reply).all(|id| *id < 50));
        }
    }

    #[test]
    fn what_is_no_conversation_is_an_error_that_says_where() {
        let turn = "turns = [{ user = \"hi\", assistant = \"ho\" }]";
        for (content, expected) in [
            ("", "missing field `conversation`"),
            ("conversation = []", "found 0 conversations"),
            ("[[conversation]]\nname = \"a\"\nturns = []", "conversation \"a\": found 0 turns"),
            (&format!("[[conversation]]\nname = \"\"\n{turn}"), "2:8"),
            (&format!("[[conversation]]\nname = \"a\"\nx = 1\n{turn}"), "unknown field `x`"),
            (
                "[[conversation]]\nname = \"a\"\nturns = [{ user = \"hi\" }]",
                "missing field `assistant`",
            ),
            (
                "[[conversation]]\nname = \"a\"\nturns = [{ user = \"\\u001b\", assistant = \"b\" }]",
                "3:19",
            ),
        ] {
            let error = Conversations::parse("c.toml", content, String::new()).unwrap_err();
            let message = error.to_string();
            assert!(message.starts_with("c.toml: ") && message.contains(expected), "{message}");
        }
    }
}
