// The plane of codes in a texture of 4096 words of 16 bytes a row. Software adapters fetch a texel's 16 bytes at once
// where they take a buffer's words apart, lane by lane.
@group(0) @binding(1) var code_texels: texture_2d<u32>;

fn code_word(i: u32) -> vec4<u32> {
    return textureLoad(code_texels, vec2(i % 4096u, i / 4096u), 0);
}
