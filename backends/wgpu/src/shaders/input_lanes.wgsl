// Activations through a uniform binding, read once for the eight lanes of a panel, which are a subgroup: each lane reads one
// vec4 of eight and hands it to the others. For software adapters, whose lanes are the elements of a vector: they take
// any load apart lane by lane, where an element handed to all is one instruction.
@group(0) @binding(4) var<uniform> x: array<vec4<f32>, 4096>;

fn hold(at: u32, lane: u32) -> vec4<f32> {
    return x[at + lane];
}

fn held0(h: vec4<f32>, at: u32) -> vec4<f32> {
    return subgroupBroadcast(h, 0u);
}

fn held1(h: vec4<f32>, at: u32) -> vec4<f32> {
    return subgroupBroadcast(h, 1u);
}

fn held2(h: vec4<f32>, at: u32) -> vec4<f32> {
    return subgroupBroadcast(h, 2u);
}

fn held3(h: vec4<f32>, at: u32) -> vec4<f32> {
    return subgroupBroadcast(h, 3u);
}

fn held4(h: vec4<f32>, at: u32) -> vec4<f32> {
    return subgroupBroadcast(h, 4u);
}

fn held5(h: vec4<f32>, at: u32) -> vec4<f32> {
    return subgroupBroadcast(h, 5u);
}

fn held6(h: vec4<f32>, at: u32) -> vec4<f32> {
    return subgroupBroadcast(h, 6u);
}

fn held7(h: vec4<f32>, at: u32) -> vec4<f32> {
    return subgroupBroadcast(h, 7u);
}
