//! Conversations turn by turn: what a user waits for, and what keeping keys and values saves of it.

use yardstick_api::Known;
use yardstick_record::{Chat, ChatTurn, Record, Sample, Workload, mean_gap_ms};

use super::middle;

/// Conversations of a row.
#[derive(Clone, Debug, PartialEq)]
pub struct ChatView {
    /// How texts became tokens.
    pub tokens: String,
    /// Conversations replayed.
    pub conversations: usize,
    /// The turns of one number in all conversations that have so many.
    pub turns: Vec<TurnLine>,
    /// Share of the time to the first token that is saved, over all turns but the first ones, percent.
    pub saving: Known<f64>,
    /// Turns from scratch whose answer is that on kept keys and values, and all of them.
    pub same: (usize, usize),
}

/// The turns of one number: medians over conversations and launches.
#[derive(Clone, Debug, PartialEq)]
pub struct TurnLine {
    /// From 1.
    pub turn: u32,
    /// Turns on kept keys and values.
    pub n: usize,
    /// Positions held before.
    pub held: Known<f64>,
    /// New tokens.
    pub new: Known<f64>,
    /// Time to the first token on kept keys and values, nanoseconds.
    pub kept_ns: Known<f64>,
    /// The same from scratch.
    pub scratch_ns: Known<f64>,
    /// Share of it that is saved, percent: of the sums.
    pub saving: Known<f64>,
    /// Tokens per second after the first one, on kept keys and values.
    pub speed: Known<f64>,
}

/// A turn with its sample.
type Timed<'r> = (&'r ChatTurn, &'r Sample);

fn timed<'r>(chat: &'r Chat, record: &'r Record) -> impl Iterator<Item = Timed<'r>> {
    chat.turns.iter().zip(&record.samples)
}

fn first(sample: &Sample) -> Option<f64> {
    sample.emits_ns.first().map(|ns| *ns as f64)
}

/// Of turns on kept keys and values, the first ones too: they are what a user waits for.
pub(super) fn first_tokens(chat: &Chat, record: &Record) -> Known<Vec<f64>> {
    let values: Vec<f64> = timed(chat, record)
        .filter(|(turn, _)| turn.reused)
        .filter_map(|(_, sample)| first(sample))
        .collect();
    match values.is_empty() {
        true => Known::unavailable("no turn was answered"),
        false => Known::Value(values),
    }
}

pub(super) fn saving(chat: &Chat, record: &Record) -> Known<f64> {
    saved(timed(chat, record).filter(|(turn, _)| turn.turn > 1))
}

/// One less the ratio of the sums.
fn saved<'r>(turns: impl Iterator<Item = Timed<'r>>) -> Known<f64> {
    let (mut kept, mut scratch) = ((0.0, 0), (0.0, 0));
    for (turn, sample) in turns {
        let sum = if turn.reused { &mut kept } else { &mut scratch };
        if let Some(ns) = first(sample) {
            *sum = (sum.0 + ns, sum.1 + 1);
        }
    }
    match kept.1 > 0 && kept.1 == scratch.1 && scratch.0 > 0.0 {
        true => Known::Value(100.0 * (1.0 - kept.0 / scratch.0)),
        false => Known::unavailable("no turn after a first one was answered both ways"),
    }
}

pub(super) fn view(records: &[&Record]) -> Option<ChatView> {
    let chats: Vec<(&Chat, &Record)> = records
        .iter()
        .filter_map(|record| match record.workload.as_deref()? {
            Workload::Chat(chat) => Some((chat, *record)),
            _ => None,
        })
        .collect();
    let (one, _) = chats.first()?;
    let all: Vec<Timed<'_>> = chats.iter().flat_map(|(chat, record)| timed(chat, record)).collect();
    let last = all.iter().map(|(turn, _)| turn.turn).max()?;
    let names: std::collections::BTreeSet<&str> =
        one.turns.iter().map(|turn| turn.conversation.as_str()).collect();
    let compared: Vec<bool> =
        all.iter().filter_map(|(turn, sample)| Some(turn.same? == sample.tokens)).collect();
    Some(ChatView {
        tokens: one.tokens.clone(),
        conversations: names.len(),
        turns: (1..=last).map(|turn| line(turn, &all)).collect(),
        saving: saved(all.iter().copied().filter(|(turn, _)| turn.turn > 1)),
        same: (compared.iter().filter(|same| **same).count(), compared.len()),
    })
}

fn line(number: u32, all: &[Timed<'_>]) -> TurnLine {
    let of = |reused: bool| {
        all.iter().copied().filter(move |(turn, _)| turn.turn == number && turn.reused == reused)
    };
    let values = |reused, value: &dyn Fn(Timed<'_>) -> Option<f64>| {
        of(reused).filter_map(value).collect::<Vec<f64>>()
    };
    let speed = |(_, sample): Timed<'_>| {
        mean_gap_ms(&sample.emits_ns).filter(|gap| *gap > 0.0).map(|gap| 1e3 / gap)
    };
    TurnLine {
        turn: number,
        n: of(true).count(),
        held: middle(&values(true, &|(turn, _)| Some(turn.held as f64)), "turns"),
        new: middle(&values(true, &|(turn, _)| Some(turn.prompt as f64)), "turns"),
        kept_ns: middle(&values(true, &|(_, sample)| first(sample)), "turns"),
        scratch_ns: middle(&values(false, &|(_, sample)| first(sample)), "turns"),
        saving: match number {
            1 => Known::unavailable("nothing is held before a first turn"),
            _ => saved(of(true).chain(of(false))),
        },
        speed: middle(&values(true, &speed), "turns of two tokens or more"),
    }
}
