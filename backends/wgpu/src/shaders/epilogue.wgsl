// What becomes of a product: bias, activation, scale and soft cap. Shared by products of one token and of tiles.
const NONE = 0xffffffffu;

struct Params {
    // Units of 64 columns in a row.
    units: u32,
    // Pairs of panels; a pair is 16 rows, or 8 rows of the gate and the 8 of up that go with them.
    pairs: u32,
    // Rows of this part, padding left out; of gate and up together half of them.
    rows: u32,
    // Index of the first row of this part.
    first: u32,
    // Elements from one token to the next in y: row-major, or padded columns where y is tiled.
    stride: u32,
    // Tokens of a tile of y; 0: row-major.
    tile: u32,
    // Offsets into vectors, or NONE: bias of the rows (or of the gate's), of up's.
    bias: u32,
    bias_up: u32,
    // 0 none, 1 SiLU, 2 GELU by its tanh formula.
    activation: u32,
    // Word where super-block scales begin.
    supers: u32,
    // y += scale (W x + b) when 1.
    add: u32,
    scale: f32,
    // cap * tanh(y / cap) unless 0.
    cap: f32,
    // The norm folded into one token's product: elements of the norm's input, of which x carries the sums of squares
    // behind its columns, in so many fours; 0: x is ready.
    fours: u32,
    width: f32,
    eps: f32,
    // What an adding product prepares for the next: offset of the next norm's weight, or NONE.
    gain: u32,
    // Units from .. to of the columns; the bias is added with the last.
    from_unit: u32,
    to_unit: u32,
    // 1: columns before from_unit are in y already.
    resume: u32,
}

// 0, which no compiler knows: main sets it to lane >> 16. Added to every condition that is a uniform and nothing else: for those
// Mesa's software driver clones and compiles the shader anew with every dispatch, as long as that changes enough of it.
var<private> zero: u32;

fn activate(v: f32) -> f32 {
    let activation = p.activation + zero;
    if (activation == 1u) {
        return v / (1.0 + exp(-v));
    }
    if (activation == 2u) {
        let t = 0.7978845608 * v * (1.0 + 0.044715 * v * v);
        return 0.5 * v * (1.0 + tanh(clamp(t, -15.0, 15.0)));
    }
    return v;
}

fn biased(v: f32, offset: u32, row: u32) -> f32 {
    if (offset + zero == NONE) {
        return v;
    }
    return v + vectors[offset + row];
}

fn capped(v: f32) -> f32 {
    if (p.cap + f32(zero) == 0.0) {
        return v;
    }
    return p.cap * tanh(clamp(v / p.cap, -15.0, 15.0));
}
