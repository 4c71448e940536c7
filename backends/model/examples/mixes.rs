//! The format of every tensor of a file under every mix, to be compared with another quantiser's choice:
//! `mixes FILE...` prints `file mix tensor format`.

use std::error::Error;
use std::path::Path;

use yardstick_model::Gguf;
use yardstick_model::quantize::{Mix, network};

fn main() -> Result<(), Box<dyn Error>> {
    for file in std::env::args().skip(1) {
        let gguf = Gguf::open(Path::new(&file))?;
        let network = network(&gguf)?;
        for (name, mix) in Mix::all() {
            for tensor in gguf.tensors() {
                let format = mix.format_of(&tensor.name, &tensor.shape, &network);
                println!("{file} {name} {} {}", tensor.name, format.name());
            }
        }
    }
    Ok(())
}
