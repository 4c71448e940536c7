//! Weights re-laid for shaders: rows in panels of eight, each panel's codes, upper bits and scales in planes whose
//! loads are aligned and side by side. The heads of shaders/formats/*.wgsl describe each plane.

#[cfg(test)]
mod tests;
mod unit;

use yardstick_model::Format;

/// Rows of a panel: as many as share one load of activations on the narrowest vectors.
pub(crate) const PANEL: usize = 8;
/// Columns of a unit.
pub(crate) const UNIT: usize = 64;

/// Bytes a lane has in each plane per unit: codes, upper bits, scales; and per four units super-block scales.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) codes: usize,
    pub(crate) high: usize,
    pub(crate) scales: usize,
    pub(crate) supers: usize,
}

/// The planes of a format; `None`: there is no shader for it.
pub(crate) fn shape(format: Format) -> Option<Shape> {
    let of = |codes, high, scales, supers| Some(Shape { codes, high, scales, supers });
    match format {
        Format::F32 => of(256, 0, 0, 0),
        Format::F16 | Format::BF16 => of(128, 0, 0, 0),
        Format::Q4_0 => of(32, 0, 4, 0),
        Format::Q4_1 => of(32, 0, 8, 0),
        Format::Q5_0 => of(32, 8, 4, 0),
        Format::Q5_1 => of(32, 8, 8, 0),
        Format::Q8_0 => of(64, 0, 4, 0),
        Format::Q4_K => of(32, 0, 4, 4),
        Format::Q5_K => of(32, 8, 4, 4),
        Format::Q6_K => of(32, 16, 4, 4),
        Format::Q2_K | Format::Q3_K | Format::IQ4_NL => None,
    }
}

impl Shape {
    /// Bytes of `panels` panels of `units` units.
    pub(crate) fn bytes(&self, panels: u64, units: u64) -> u64 {
        let lanes = panels.saturating_mul(units).saturating_mul(PANEL as u64);
        let of_unit = (self.codes + self.high + self.scales) as u64;
        lanes.saturating_mul(of_unit).saturating_add((lanes / 4).saturating_mul(self.supers as u64))
    }
}

/// Units of a row, the last one padded with zeros.
pub(crate) fn units(cols: usize) -> usize {
    cols.div_ceil(UNIT)
}

/// The planes of some panels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Planes {
    pub(crate) codes: Vec<u8>,
    pub(crate) high: Vec<u8>,
    pub(crate) scales: Vec<u8>,
    pub(crate) supers: Vec<u8>,
}

impl Planes {
    /// Gives the second of every eight groups of 32 weights the scale of the first: a fault, made on purpose.
    pub(crate) fn drop_subscale(&mut self, shape: Shape) {
        let lanes = self.scales.chunks_exact_mut(shape.scales.max(1));
        // Lanes of a unit lie side by side; a unit is two groups.
        for (_, lane) in lanes.enumerate().filter(|(i, _)| (i / PANEL).is_multiple_of(4)) {
            let (first, second) = lane.split_at_mut(lane.len() / 2);
            second.copy_from_slice(&first[..second.len()]);
        }
    }
}

/// Re-lays panels: `rows` are as many whole panels, `None` a row of zeros.
pub(crate) fn relay(format: Format, shape: Shape, cols: usize, rows: &[Option<&[u8]>]) -> Planes {
    let (panels, units) = (rows.len() / PANEL, units(cols));
    let slots = panels * units * PANEL;
    let mut planes = Planes {
        codes: vec![0; slots * shape.codes],
        high: vec![0; slots * shape.high],
        scales: vec![0; slots * shape.scales],
        supers: vec![0; slots / 4 * shape.supers],
    };
    for (i, row) in rows.iter().enumerate() {
        let Some(row) = row else { continue };
        let (panel, lane) = (i / PANEL, i % PANEL);
        for unit in 0..units {
            let slot = panel * units + unit;
            let read = unit::read(format, row, unit);
            // Codes lie in pieces of 16 bytes, one lane's beside the next's.
            for (piece, bytes) in read.codes[..shape.codes].chunks_exact(16).enumerate() {
                let at = ((slot * shape.codes / 16 + piece) * PANEL + lane) * 16;
                planes.codes[at..at + 16].copy_from_slice(bytes);
            }
            let at = (slot * PANEL + lane) * shape.high;
            planes.high[at..at + shape.high].copy_from_slice(&read.high[..shape.high]);
            let at = (slot * PANEL + lane) * shape.scales;
            planes.scales[at..at + shape.scales].copy_from_slice(&read.scales[..shape.scales]);
            if shape.supers > 0 && unit % 4 == 0 {
                let at = (slot / 4 * PANEL + lane) * shape.supers;
                planes.supers[at..at + shape.supers].copy_from_slice(&read.supers);
            }
        }
    }
    planes
}
