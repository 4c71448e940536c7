//! Where other programs keep models, by their own variables: Ollama's store, Hugging Face's cache, token and server.

use std::env;
use std::path::PathBuf;

use yardstick_fetch::{Hub, Sources};
use yardstick_model::source::{HubCache, Ollama};

const ENDPOINT: &str = "https://huggingface.co";

/// Every place named models come from.
pub(crate) fn sources() -> Sources {
    let endpoint = text("HF_ENDPOINT").unwrap_or_else(|| ENDPOINT.to_owned());
    let cache = HubCache { folder: hub_cache() };
    Sources {
        ollama: Ollama { folders: ollama() },
        hub: Hub::new(cache, &endpoint, token(), offline()),
    }
}

/// Ollama's own, or where its installers put it.
fn ollama() -> Vec<PathBuf> {
    if let Some(folder) = folder("OLLAMA_MODELS") {
        return vec![folder];
    }
    let home = home().map(|home| home.join(".ollama/models"));
    let service = ["/usr/share/ollama/.ollama/models", "/var/lib/ollama/models"];
    home.into_iter().chain(service.map(PathBuf::from)).collect()
}

fn hub_cache() -> PathBuf {
    folder("HF_HUB_CACHE")
        .or_else(|| folder("HUGGINGFACE_HUB_CACHE"))
        .unwrap_or_else(|| hf_home().join("hub"))
}

fn hf_home() -> PathBuf {
    let cache = || folder("XDG_CACHE_HOME").or_else(|| home().map(|home| home.join(".cache")));
    folder("HF_HOME").unwrap_or_else(|| cache().unwrap_or_default().join("huggingface"))
}

/// A token set, or the one that logging in left.
fn token() -> Option<String> {
    let stated = text("HF_TOKEN").or_else(|| text("HUGGING_FACE_HUB_TOKEN"));
    stated.or_else(|| {
        let path = folder("HF_TOKEN_PATH").unwrap_or_else(|| hf_home().join("token"));
        let token = std::fs::read_to_string(path).ok()?.trim().to_owned();
        // It becomes a header.
        (!token.is_empty() && token.chars().all(|c| c.is_ascii_graphic())).then_some(token)
    })
}

fn offline() -> bool {
    let yes = |text: String| ["1", "on", "yes", "true"].contains(&text.to_lowercase().as_str());
    text("HF_HUB_OFFLINE").is_some_and(yes)
}

fn home() -> Option<PathBuf> {
    folder("HOME").or_else(|| folder("USERPROFILE"))
}

fn folder(name: &str) -> Option<PathBuf> {
    env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

fn text(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}
