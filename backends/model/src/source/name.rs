//! Names as they are written on the command line and in suites, checked before any of them becomes a path.

/// Where a named model is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Name {
    /// `ollama:NAME[:TAG]`
    Ollama {
        /// Host, namespace and name, each a folder of Ollama's store.
        folders: Vec<String>,
        /// `latest` unless named.
        tag: String,
    },
    /// `hf:OWNER/REPO/FILE[@REVISION]`
    Hub {
        /// Owner of the repository.
        owner: String,
        /// Its name.
        repo: String,
        /// A file in it, perhaps in folders.
        file: String,
        /// A branch, tag or commit; `main` unless named.
        revision: String,
    },
}

/// A name that cannot be meant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("model {found:?}: {problem}")]
pub struct NameError {
    /// As written.
    pub found: String,
    /// What is wrong, and how it is written right.
    pub problem: String,
}

const OLLAMA: &str = "write ollama:NAME[:TAG], as `ollama list` shows it";
const HUB: &str = "write hf:OWNER/REPO/FILE.gguf[@REVISION]";

impl Name {
    /// Reads a name; `None` where it names nothing of the kind.
    pub fn parse(text: &str) -> Option<Result<Name, NameError>> {
        let wrong = |problem: String| NameError { found: text.to_owned(), problem };
        if let Some(rest) = text.strip_prefix("ollama:") {
            return Some(ollama(rest).map_err(wrong));
        }
        text.strip_prefix("hf:").map(|rest| hub(rest).map_err(wrong))
    }
}

fn ollama(text: &str) -> Result<Name, String> {
    // A host may have a port: the tag follows the last slash.
    let after = text.rfind('/').map_or(0, |at| at + 1);
    let (name, tag) = match text[after..].split_once(':') {
        Some((name, tag)) => (format!("{}{name}", &text[..after]), tag),
        None => (text.to_owned(), "latest"),
    };
    let parts: Vec<&str> = name.split('/').collect();
    let folders = match parts[..] {
        [name] => vec!["registry.ollama.ai", "library", name],
        [owner, name] => vec!["registry.ollama.ai", owner, name],
        [host, owner, name] => vec![host, owner, name],
        _ => return Err(format!("{} parts; {OLLAMA}", parts.len())),
    };
    for part in folders.iter().copied().chain([tag]) {
        component(part, OLLAMA)?;
    }
    Ok(Name::Ollama { folders: folders.into_iter().map(str::to_owned).collect(), tag: tag.into() })
}

fn hub(text: &str) -> Result<Name, String> {
    let (path, revision) = text.split_once('@').unwrap_or((text, "main"));
    let mut parts = path.splitn(3, '/');
    let (Some(owner), Some(repo), Some(file)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(format!("no file is named; {HUB}"));
    };
    for part in [owner, repo].into_iter().chain(file.split('/')).chain(revision.split('/')) {
        component(part, HUB)?;
    }
    let [owner, repo, file, revision] = [owner, repo, file, revision].map(str::to_owned);
    Ok(Name::Hub { owner, repo, file, revision })
}

/// A part of a name is a file name of its own: it leads neither up nor elsewhere, on any system.
fn component(part: &str, how: &str) -> Result<(), String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.+= ()".contains(c);
    if part.is_empty() {
        return Err(format!("an empty part; {how}"));
    }
    // A port stands in the host of a registry of one's own.
    let digits = part.split_once(':').is_none_or(|(host, port)| {
        !host.is_empty() && !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit())
    });
    let named = part.chars().all(|c| plain(c) || c == ':') && digits && part.len() <= 255;
    if !named || part.starts_with('.') || part.ends_with(['.', ' ']) {
        return Err(format!("{part:?} is not a name; {how}"));
    }
    Ok(())
}

impl std::fmt::Display for Name {
    /// As it is written.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Name::Ollama { folders, tag } => {
                let skip = match folders.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
                    ["registry.ollama.ai", "library", _] => 2,
                    ["registry.ollama.ai", ..] => 1,
                    _ => 0,
                };
                write!(f, "ollama:{}:{tag}", folders[skip..].join("/"))
            }
            Name::Hub { owner, repo, file, revision } if revision == "main" => {
                write!(f, "hf:{owner}/{repo}/{file}")
            }
            Name::Hub { owner, repo, file, revision } => {
                write!(f, "hf:{owner}/{repo}/{file}@{revision}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_written_back() {
        for (text, written) in [
            ("ollama:llama3.2", "ollama:llama3.2:latest"),
            ("ollama:llama3.2:1b-q4_0", "ollama:llama3.2:1b-q4_0"),
            ("ollama:me/mine:v1", "ollama:me/mine:v1"),
            ("ollama:hf.co/a/b-GGUF:Q4_K_M", "ollama:hf.co/a/b-GGUF:Q4_K_M"),
            ("ollama:localhost:5000/a/b", "ollama:localhost:5000/a/b:latest"),
            ("hf:a/b/c.gguf", "hf:a/b/c.gguf"),
            ("hf:a/b/q4/c.gguf@v1.0", "hf:a/b/q4/c.gguf@v1.0"),
            ("hf:a/b/c.gguf@refs/pr/1", "hf:a/b/c.gguf@refs/pr/1"),
        ] {
            let name = Name::parse(text).unwrap().unwrap();
            assert_eq!(name.to_string(), written);
            assert_eq!(Name::parse(written).unwrap().unwrap(), name, "{text}");
        }
        for text in ["smollm-135m:Q4_0", "model.gguf", "hf", "HF:a/b/c", "./hf:a/b/c"] {
            assert_eq!(Name::parse(text), None, "{text}");
        }
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        for text in [
            "ollama:",
            "ollama:a/b/c/d",
            "ollama:..",
            "ollama:../../x",
            "ollama:a:..",
            "ollama:a:",
            "ollama:/etc/passwd",
            "ollama:a\\b",
            "ollama:a:b:c",
            "ollama:.hidden",
            "hf:",
            "hf:a",
            "hf:a/b",
            "hf:a/b/",
            "hf:a/b/../c",
            "hf:../b/c",
            "hf:a/../c/d",
            "hf:a/b//c",
            "hf:a/b/c@",
            "hf:a/b/c@../x",
            "hf:a/b/c@/x",
            "hf:a/b/c\\d",
            "hf:a/b/c\0",
            "hf:a/b/c?x=1",
            "hf:a/b/c%2e%2e",
            "hf:a/b/c#x",
            "hf:a:b/c/d",
            "hf:a/b/c.",
            "hf:a/b/c ",
        ] {
            let error = Name::parse(text).unwrap().unwrap_err().to_string();
            assert!(error.contains("write "), "{text:?}: {error}");
        }
    }
}
