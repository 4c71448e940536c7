//! The file quantiser alone, timed: `quantise IN OUT TYPE [fast|best] [THREADS]`.

use std::error::Error;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

use yardstick_model::Gguf;
use yardstick_model::quantize::{Effort, Mix, Quantising, quantize};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [input, output, mix, rest @ ..] = arguments.as_slice() else {
        return Err("quantise IN OUT TYPE [fast|best] [THREADS]".into());
    };
    let how = Quantising {
        mix: Mix::from_name(mix).ok_or("no such type")?,
        effort: if rest.first().is_some_and(|e| e == "fast") { Effort::Fast } else { Effort::Best },
        threads: rest.get(1).map_or(Ok(2), |threads| threads.parse())?,
        allow_requantize: false,
        importance: None,
    };
    let source = Gguf::open(Path::new(input))?;
    let start = Instant::now();
    let done = quantize(&source, Path::new(output), &how, &mut |_| ControlFlow::Continue(()))?;
    println!("{} {} bytes in {:.2} s", done.sha256, done.bytes, start.elapsed().as_secs_f64());
    Ok(())
}
