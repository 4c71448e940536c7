// Whether the eight invocations of a row of a workgroup (8, 1, 2) are a subgroup, in order, as input_lanes.wgsl takes them to
// be: each counts what the others hand it, and 8 of 8 is right.
@group(0) @binding(0) var<storage, read_write> right: array<u32, 16>;

@compute @workgroup_size(8, 1, 2)
fn main(@builtin(local_invocation_id) id: vec3<u32>) {
    let own = 1u + id.x + 8u * id.z;
    let first = 1u + 8u * id.z;
    var count = 0u;
    count += u32(subgroupBroadcast(own, 0u) == first);
    count += u32(subgroupBroadcast(own, 1u) == first + 1u);
    count += u32(subgroupBroadcast(own, 2u) == first + 2u);
    count += u32(subgroupBroadcast(own, 3u) == first + 3u);
    count += u32(subgroupBroadcast(own, 4u) == first + 4u);
    count += u32(subgroupBroadcast(own, 5u) == first + 5u);
    count += u32(subgroupBroadcast(own, 6u) == first + 6u);
    count += u32(subgroupBroadcast(own, 7u) == first + 7u);
    right[own - 1u] = count;
}
