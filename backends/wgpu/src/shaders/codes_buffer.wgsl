// The plane of codes in a storage buffer.
@group(0) @binding(1) var<storage, read> code_words: array<vec4<u32>>;

fn code_word(i: u32) -> vec4<u32> {
    return code_words[i];
}
