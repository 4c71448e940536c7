//! What every backend asks of options and a model before it promises anything, in the same words.

use yardstick_model::Architecture;

use crate::{Footprint, Known, Options, Unsupported};

/// Positions per sequence when the options leave it open: the model's own, up to this many.
const DEFAULT_CONTEXT: usize = 4096;

impl Unsupported {
    /// Why, and one line that would change that.
    pub fn new(reason: impl Into<String>, fix: impl Into<String>) -> Unsupported {
        Unsupported { reason: reason.into(), fix: Some(fix.into()) }
    }
}

impl Options {
    /// Positions a sequence of this model can hold.
    pub fn context_of(&self, architecture: &Architecture) -> usize {
        self.context.unwrap_or_else(|| architecture.context.clamp(1, DEFAULT_CONTEXT))
    }

    /// Rows of the largest chunk.
    pub fn rows_of(&self, architecture: &Architecture) -> usize {
        self.chunk.min(self.context_of(architecture).saturating_mul(self.sequences))
    }

    /// Refuses counts of 0, and more positions than the model has learned.
    ///
    /// # Errors
    /// [`Unsupported`] with the option's name.
    pub fn check(&self, architecture: &Architecture) -> Result<(), Unsupported> {
        let counts = [
            ("threads", self.threads.unwrap_or(1)),
            ("context", self.context.unwrap_or(1)),
            ("sequences", self.sequences),
            ("chunk", self.chunk),
        ];
        if let Some((name, _)) = counts.into_iter().find(|&(_, count)| count == 0) {
            return Err(Unsupported::new(format!("{name} is 0"), "use at least 1"));
        }
        let context = self.context_of(architecture);
        match architecture.longest().filter(|&longest| longest < context) {
            Some(longest) => Err(Unsupported::new(
                format!("a context of {context}, the model has learned {longest} positions"),
                "ask for a shorter context",
            )),
            None => Ok(()),
        }
    }
}

impl Footprint {
    /// Refuses what is more than the memory that is left. Where nobody knows how much that is, what cannot be addressed.
    /// The mapped file counts too: read over and over from disk it would take hours.
    ///
    /// # Errors
    /// [`Unsupported`] with the numbers.
    pub fn fit(&self, available: &Known<u64>) -> Result<(), Unsupported> {
        let limit = available.value().copied().unwrap_or(isize::MAX as u64);
        if self.total() <= limit {
            return Ok(());
        }
        let mib = |bytes: u64| bytes >> 20;
        let reason = format!(
            "needs {} MiB (weights {}, KV cache {}, scratch {}), {} MiB are available",
            mib(self.total()),
            mib(self.mapped_bytes.saturating_add(self.copied_bytes)),
            mib(self.kv_bytes),
            mib(self.scratch_bytes),
            mib(limit)
        );
        let fix = "use a smaller model, context or number of sequences, or free memory";
        Err(Unsupported::new(reason, fix))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_refused_with_the_numbers() {
        let footprint =
            Footprint { mapped_bytes: 3 << 20, kv_bytes: 1 << 20, ..Default::default() };
        assert!(footprint.fit(&Known::Value(4 << 20)).is_ok());
        assert!(footprint.fit(&Known::unavailable("nobody knows")).is_ok());
        let refused = footprint.fit(&Known::Value((4 << 20) - 1)).expect_err("a byte short");
        assert_eq!(
            refused.reason,
            "needs 4 MiB (weights 3, KV cache 1, scratch 0), 3 MiB are available"
        );
        let endless = Footprint { kv_bytes: u64::MAX, ..footprint };
        assert!(endless.fit(&Known::unavailable("nobody knows")).is_err());
    }
}
