// stream[token] (+)= scale * W[id]: a row of the embedding, or of the learned positions, of each token.
// One invocation a unit of 64 columns; workgroups (ceil(units / 64), tokens).
struct Params {
    units: u32,
    supers: u32,
    // Rows of the table in this part.
    first: u32,
    rows: u32,
    // Columns without padding.
    width: u32,
    // Which component of a row names the table's row: 0 token, 1 position.
    by: u32,
    add: u32,
    scale: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
// (tokens): token, position, sequence, step.
@group(0) @binding(4) var<storage, read> rows: array<vec4<u32>>;
@group(0) @binding(5) var<storage, read_write> stream: array<f32>;

fn put(at: u32, column: u32, v: vec4<f32>) {
    for (var i = 0u; i < 4u; i++) {
        if (column + i < p.width) {
            let old = select(0.0, stream[at + column + i], p.add == 1u);
            stream[at + column + i] = fma(v[i], p.scale, old);
        }
    }
}

fn put_half(s: Scales, slot: u32, lane: u32, half: u32, at: u32, column: u32) {
    let w = block(s, slot, lane, half);
    put(at, column, w[0]);
    put(at, column + 4u, w[1]);
    put(at, column + 8u, w[2]);
    put(at, column + 12u, w[3]);
    put(at, column + 16u, w[4]);
    put(at, column + 20u, w[5]);
    put(at, column + 24u, w[6]);
    put(at, column + 28u, w[7]);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let unit = id.x;
    let token = id.y;
    let entry = rows[token];
    let row = select(entry.y, entry.x, p.by == 0u) - p.first;
    if (unit >= p.units || row >= p.rows) {
        return;
    }
    let lane = row % 8u;
    let slot = (row / 8u) * p.units + unit;
    let s = scales(slot, lane);
    let at = token * p.width;
    put_half(s, slot, lane, 0u, at, unit * 64u);
    put_half(s, slot, lane, 1u, at, unit * 64u + 32u);
}
