//! Speed of a tokenizer: `cargo run --release -p yardstick-model --example tokenize VOCABULARY.gguf TEXT...`

use std::time::Instant;

use yardstick_model::Gguf;
use yardstick_model::tokenizer::{Encoding, Tokenizer};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let file = arguments.next().ok_or("give a vocabulary and texts")?;
    let start = Instant::now();
    let tokenizer = Tokenizer::from_gguf(&Gguf::open(file.as_ref())?)?;
    println!("loaded in {:.0} ms", start.elapsed().as_secs_f64() * 1e3);
    for path in arguments {
        let text = std::fs::read(&path)?;
        let start = Instant::now();
        let ids = tokenizer.encode(&text, Encoding::default())?;
        let encoding = start.elapsed().as_secs_f64();
        let start = Instant::now();
        let back = tokenizer.decode(&ids, false)?;
        let decoding = start.elapsed().as_secs_f64();
        let rate = |seconds: f64| text.len() as f64 / 1e6 / seconds;
        let same = if back == text { "the same text back" } else { "NOT the same text back" };
        println!(
            "{path}: {} bytes, {} tokens, encoding {:.1} MB/s, decoding {:.0} MB/s, {same}",
            text.len(),
            ids.len(),
            rate(encoding),
            rate(decoding)
        );
    }
    Ok(())
}
