// Sums and maxima of four values over the 64 invocations of a workgroup, through workgroup memory. Every invocation gets the result.
struct Team {
    @builtin(local_invocation_index) lane: u32,
}

var<workgroup> reduced: array<vec4<f32>, 64>;

fn sum64(value: vec4<f32>, team: Team) -> vec4<f32> {
    let lane = team.lane;
    reduced[lane] = value;
    workgroupBarrier();
    for (var step = 32u; step > 0u; step /= 2u) {
        if (lane < step) {
            reduced[lane] += reduced[lane + step];
        }
        workgroupBarrier();
    }
    let all = workgroupUniformLoad(&reduced[0]);
    return all;
}

fn max64(value: vec4<f32>, team: Team) -> vec4<f32> {
    let lane = team.lane;
    reduced[lane] = value;
    workgroupBarrier();
    for (var step = 32u; step > 0u; step /= 2u) {
        if (lane < step) {
            reduced[lane] = max(reduced[lane], reduced[lane + step]);
        }
        workgroupBarrier();
    }
    let all = workgroupUniformLoad(&reduced[0]);
    return all;
}
