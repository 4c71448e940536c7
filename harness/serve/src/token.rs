//! The token: 128 random bits a start, what an upload (and every request from elsewhere) must show.

use sha2::{Digest, Sha256};

use crate::Error;

/// A secret of one start of the server.
#[derive(Clone)]
pub struct Token {
    text: String,
}

impl Token {
    /// A new one.
    pub fn new() -> Result<Token, Error> {
        let mut bytes = [0_u8; 16];
        getrandom::fill(&mut bytes).map_err(Error::Random)?;
        Ok(Token { text: bytes.iter().map(|byte| format!("{byte:02x}")).collect() })
    }

    /// For whoever started the server.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether a client showed it. Hashes are compared, so that the time taken says nothing of the token.
    pub(crate) fn is(&self, shown: &str) -> bool {
        Sha256::digest(shown.as_bytes()) == Sha256::digest(self.text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_differ_and_know_themselves() {
        let (one, other) = (Token::new().unwrap(), Token::new().unwrap());
        assert_eq!(one.text().len(), 32);
        assert!(
            one.is(one.text())
                && !one.is(other.text())
                && !one.is("")
                && !other.is(&one.text()[1..])
        );
    }
}
