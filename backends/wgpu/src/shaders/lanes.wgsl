// Whether each eight invocations of a workgroup (WIDTH, 1, DEPTH) of 16 are a subgroup, in order, as held_lanes.wgsl takes them
// to be: each counts what the others hand it, and 8 of 8 is right. The count lies at `right[index]`.
override WIDTH: u32 = 8u;
override DEPTH: u32 = 2u;

@group(0) @binding(0) var<storage, read_write> right: array<u32, 16>;

@compute @workgroup_size(WIDTH, 1, DEPTH)
fn main(@builtin(local_invocation_index) index: u32) {
    let first = index / 8u * 8u;
    var count = 0u;
    for (var i = 0u; i < 8u; i++) {
        count += u32(subgroupShuffle(index, i) == first + i);
    }
    right[index] = count;
}
