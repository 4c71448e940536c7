//! Any bytes: opening never panics, and what is accepted can be described, read and copied.
#![no_main]

use libfuzzer_sys::fuzz_target;
use yardstick_model::gguf::Header;
use yardstick_model::{Gguf, Model};

fuzz_target!(|bytes: &[u8]| {
    let Ok(gguf) = Gguf::from_bytes("fuzz", bytes.to_vec()) else { return };
    let _ = gguf.summary();
    let mut header = Header::new("again");
    header.copy_metadata(&gguf);
    for tensor in gguf.tensors() {
        assert_eq!(gguf.bytes(tensor).len(), tensor.bytes);
        header.tensor(&tensor.name, tensor.format, &tensor.shape).expect("it was accepted before");
    }
    let mut data = header.start(Vec::new()).expect("the header was accepted before");
    for tensor in gguf.tensors() {
        data.write(gguf.bytes(tensor)).expect("the data have the length of the tensor");
    }
    let copy = data.finish().expect("every tensor was written");
    let again = Gguf::from_bytes("again", copy).expect("a copy of an accepted file");
    assert_eq!(again.tensors().len(), gguf.tensors().len());
    let _ = Model::from_gguf(gguf);
});
