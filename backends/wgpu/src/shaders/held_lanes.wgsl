// Eight of x read once for eight lanes that are a subgroup: each lane reads one vec4 of the eight and hands it to the others.
// For software adapters, whose lanes are the elements of a vector: they take any load apart lane by lane, where an
// element handed to all is one instruction.
fn hold(at: u32, lane: u32) -> vec4<f32> {
    return x[at + lane];
}

// The vec4 `i` (0 to 7) from `at` on.
fn held(h: vec4<f32>, at: u32, i: u32) -> vec4<f32> {
    return subgroupShuffle(h, i);
}
