//! Conversations: each is replayed on kept keys and values, and then turn by turn from scratch.

use std::time::Instant;

use yardstick_record::{Chat, ChatTurn, Phase, Workload};

use super::{Measured, Measuring, Trouble, flaw};
use crate::child::Child;
use crate::protocol::{Answer, Call, Turn};
use crate::runner::Event;
use crate::workload::Conversation;

impl Measuring<'_, '_, '_> {
    pub(super) fn chat(
        &mut self,
        child: &mut Child,
        measured: &mut Measured,
    ) -> Result<Workload, Trouble> {
        let workloads = &self.run.plan.workloads;
        let all = workloads.chat.as_ref().ok_or_else(|| Trouble::failed("no conversations"))?;
        let words = self.words()?;
        let mut chat = Chat { tokens: words.describe(), turns: Vec::new() };
        let total = all.all.len() as u64;
        for (done, conversation) in all.all.iter().enumerate() {
            self.output.event(Event::Progress { done: done as u64, total });
            let turns =
                conversation.tokens(&words, workloads.most_tokens).map_err(Trouble::failed)?;
            if done == 0 {
                // The first conversation once outside of the record: caches and clocks come up.
                self.replay(child, &turns, true)?;
            }
            // Alternating, so that neither way always follows the other.
            let ways = if done % 2 == 0 { [true, false] } else { [false, true] };
            let mut answers = ways.map(|reuse| (reuse, Vec::new()));
            let mut kept = Vec::new();
            for (reuse, ids) in &mut answers {
                let (samples, generated) = self.replay(child, &turns, *reuse)?;
                kept.push((*reuse, samples));
                *ids = generated;
            }
            let [(_, one), (_, other)] = answers;
            let same: Vec<u64> = one.iter().zip(&other).map(|(a, b)| shared(a, b)).collect();
            for (reuse, samples) in kept {
                chat.turns.extend(describe(conversation, &turns, reuse, &same));
                measured.samples.extend(samples);
            }
        }
        Ok(Workload::Chat(chat))
    }

    fn replay(
        &self,
        child: &mut Child,
        turns: &[Turn],
        reuse: bool,
    ) -> Result<(Vec<yardstick_record::Sample>, Vec<Vec<u32>>), Trouble> {
        let call = Call::Chat { turns: turns.to_vec(), reuse };
        let start = Instant::now();
        let answer = child.call(call, Phase::Sample, self.run.cancel, &mut |_| {})?;
        let elapsed = start.elapsed();
        let (samples, ids) = match answer {
            Answer::Chatted { samples, ids } => (samples, ids),
            other => return Err(child.unexpected(Phase::Sample, &other).into()),
        };
        let (n, found) = (turns.len(), samples.len());
        if found != n || ids.len() != n {
            return Err(Trouble::Flaw(format!("answered {found} turns, expected {n}")));
        }
        let total: u64 = samples.iter().fold(0, |sum, s| sum.saturating_add(s.nanoseconds));
        if u128::from(total) > elapsed.as_nanos() {
            let message = format!("its turns add up to {total} ns, the call took {elapsed:?}");
            return Err(Trouble::Flaw(message));
        }
        for (at, ((sample, ids), turn)) in samples.iter().zip(&ids).zip(turns).enumerate() {
            let wrong = flaw(sample, turn.n as u64, elapsed)
                .or_else(|| (ids.len() != turn.n).then(|| "has other ids than it counts".into()))
                .or_else(|| (sample.nanoseconds == 0).then(|| "took no time at all".into()));
            if let Some(wrong) = wrong {
                return Err(Trouble::Flaw(format!("turn {} {wrong}", at + 1)));
            }
        }
        Ok((samples, ids))
    }
}

/// Tokens that two answers begin with.
fn shared(one: &[u32], other: &[u32]) -> u64 {
    one.iter().zip(other).take_while(|(a, b)| a == b).count() as u64
}

fn describe<'a>(
    conversation: &'a Conversation,
    turns: &'a [Turn],
    reuse: bool,
    same: &'a [u64],
) -> impl Iterator<Item = ChatTurn> + 'a {
    let mut before = 0;
    turns.iter().zip(same).enumerate().map(move |(index, (turn, same))| {
        let new = turn.prompt.len() as u64;
        let held = if reuse { before } else { 0 };
        let prompt = before + new - held;
        before += new + turn.reply.len() as u64;
        ChatTurn {
            conversation: conversation.name.clone(),
            turn: index as u32 + 1,
            reused: reuse,
            held,
            prompt,
            same: (!reuse).then_some(*same),
        }
    })
}
