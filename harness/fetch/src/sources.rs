//! Every place named models come from.

use yardstick_model::source::{HubFile, Located, Name, Ollama};

use crate::{Error, Hub, Tell};

/// Every place named models come from.
#[derive(Clone, Debug)]
pub struct Sources {
    /// Ollama's store.
    pub ollama: Ollama,
    /// Hugging Face, its cache first.
    pub hub: Hub,
}

impl Sources {
    /// The file a name means, checked against what its store promises; downloaded if it must be.
    pub fn locate(&self, name: &Name, tell: &mut Tell<'_>) -> Result<Located, Error> {
        match name {
            Name::Ollama { .. } => self.ollama.locate(name, tell)?.ok_or(Error::Stopped),
            Name::Hub { owner, repo, file, revision } => {
                let [owner, repo, file, revision] = [owner, repo, file, revision].map(Clone::clone);
                self.hub.locate(&name.to_string(), &HubFile { owner, repo, file, revision }, tell)
            }
        }
    }
}
