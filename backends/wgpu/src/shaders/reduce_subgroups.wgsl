// As reduce.wgsl, on adapters that have subgroups: they sum by themselves, workgroup memory joins them. Nothing is assumed
// of their size, nor of which invocations are in which.
struct Team {
    @builtin(local_invocation_index) lane: u32,
    @builtin(subgroup_invocation_id) member: u32,
    @builtin(subgroup_id) subgroup: u32,
    @builtin(num_subgroups) subgroups: u32,
}

var<workgroup> reduced: array<vec4<f32>, 64>;

fn sum64(value: vec4<f32>, team: Team) -> vec4<f32> {
    let part = subgroupAdd(value);
    if (team.member == 0u) {
        reduced[team.subgroup] = part;
    }
    workgroupBarrier();
    var sum = vec4(0.0);
    for (var i = 0u; i < team.subgroups; i++) {
        sum += reduced[i];
    }
    // The next call writes again.
    workgroupBarrier();
    return sum;
}

fn max64(value: vec4<f32>, team: Team) -> vec4<f32> {
    let part = subgroupMax(value);
    if (team.member == 0u) {
        reduced[team.subgroup] = part;
    }
    workgroupBarrier();
    var largest = reduced[0];
    for (var i = 1u; i < team.subgroups; i++) {
        largest = max(largest, reduced[i]);
    }
    workgroupBarrier();
    return largest;
}
