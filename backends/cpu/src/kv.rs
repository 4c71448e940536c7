//! The KV cache. Keys lie in blocks of 16 positions, (key_dim, 16), so that 16 scores are one vector sum; values in blocks of 64,
//! (value_dim / 16, 64, 16), so that 16 results are one too: both are read in one order, as lines of 16 that are added up.

use std::sync::atomic::{AtomicBool, Ordering};

use half::slice::{HalfBitsSliceExt, HalfFloatSliceExt};
use yardstick_api::{Error, KvType};
use yardstick_model::Format;
use yardstick_model::arch::Layer;

use crate::buffer::Buffer;
use crate::kernels::Isa;
pub(crate) use crate::kernels::float::{LINE, POSITIONS};
use crate::kernels::float::{widen, widen_columns, widen_lines};

/// Keys and values of all layers.
pub(crate) struct Kv {
    layers: Vec<LayerKv>,
    context: usize,
    /// Positions a sequence has room for: the context in whole blocks.
    room: usize,
    kind: KvType,
}

/// One layer's keys and values.
pub(crate) struct LayerKv {
    /// (sequences, kv_heads, room / 16, key_dim, 16)
    keys: Store,
    /// (sequences, kv_heads, room / 64, value_width / 16, 64, 16)
    values: Store,
    kv_heads: usize,
    key_dim: usize,
    value_dim: usize,
    room: usize,
    /// No infinity and nothing but numbers was ever stored.
    finite: AtomicBool,
}

enum Store {
    F32(Buffer<f32>),
    F16(Buffer<u16>),
    /// Q8_0, taken apart: the 8-bit values where the others have theirs, and the scales of each 32 of a head (f16):
    /// of keys (.., room / 16, key_dim / 32, 16), of values (.., room / 64, value_dim / 32, 64).
    Q8_0 {
        values: Buffer<i8>,
        scales: Buffer<u16>,
    },
}

/// The exponent of f16 that infinities have, and what is not a number.
const HIGHEST: u16 = 0x7C00;

/// Elements of a head that share a scale.
const BLOCK: usize = 32;

/// Encodes 32 elements as GGUF's Q8_0: scale (f16 bits) and values.
fn encode(x: &[f32]) -> (u16, [i8; BLOCK]) {
    let mut bytes = [0; 34];
    if let Some(encode) = Format::Q8_0.layout().encode {
        encode(x, &mut bytes);
    }
    let scale = u16::from_le_bytes([bytes[0], bytes[1]]);
    (scale, std::array::from_fn(|i| bytes[2 + i] as i8))
}

/// Row length of values: whole vectors.
pub(crate) fn value_width(value_dim: usize) -> usize {
    value_dim.next_multiple_of(LINE)
}

impl Kv {
    /// An empty cache.
    pub(crate) fn new(
        layers: &[Layer],
        sequences: usize,
        context: usize,
        kind: KvType,
    ) -> Result<Kv, Error> {
        let room = context.next_multiple_of(POSITIONS);
        let layers = layers.iter().map(|layer| {
            let positions = sequences * layer.kv_heads * room;
            Ok(LayerKv {
                keys: Store::new(positions * layer.key_dim, kind)?,
                values: Store::new(positions * value_width(layer.value_dim), kind)?,
                kv_heads: layer.kv_heads,
                key_dim: layer.key_dim,
                value_dim: layer.value_dim,
                room,
                finite: AtomicBool::new(true),
            })
        });
        Ok(Kv { layers: layers.collect::<Result<_, Error>>()?, context, room, kind })
    }

    /// Bytes of such a cache.
    pub(crate) fn size(layers: &[Layer], sequences: usize, context: usize, kind: KvType) -> u64 {
        let positions = (sequences as u64).saturating_mul(
            context.checked_next_multiple_of(POSITIONS).unwrap_or(usize::MAX) as u64,
        );
        layers.iter().fold(0_u64, |sum, layer| {
            let width = layer.key_dim.saturating_add(value_width(layer.value_dim)) as u64;
            let each = kind.bytes_of(width.saturating_mul(layer.kv_heads as u64));
            sum.saturating_add(positions.saturating_mul(each))
        })
    }

    /// How it stores them.
    pub(crate) fn kind(&self) -> KvType {
        self.kind
    }

    /// Positions a sequence can hold.
    pub(crate) fn context(&self) -> usize {
        self.context
    }

    /// Bytes held.
    pub(crate) fn bytes(&self) -> u64 {
        self.layers.iter().map(|layer| layer.keys.bytes() + layer.values.bytes()).sum()
    }

    /// One layer.
    pub(crate) fn layer(&self, layer: usize) -> &LayerKv {
        &self.layers[layer]
    }

    /// Copies the first `length` positions of a sequence to another.
    pub(crate) fn copy(&mut self, from: usize, to: usize, length: usize) {
        let [lines, blocks] = [LINE, POSITIONS].map(|whole| length.next_multiple_of(whole));
        for layer in &mut self.layers {
            let (key, value) = (layer.key_dim, value_width(layer.value_dim));
            for head in 0..layer.kv_heads {
                let [from, to] = [from, to].map(|s| (s * layer.kv_heads + head) * self.room);
                layer.keys.copy_within(from * key, to * key, lines * key);
                layer.values.copy_within(from * value, to * value, blocks * value);
            }
        }
    }
}

impl LayerKv {
    /// How it stores them.
    pub(crate) fn kind(&self) -> KvType {
        match self.keys {
            Store::F32(_) => KvType::F32,
            Store::F16(_) => KvType::F16,
            Store::Q8_0 { .. } => KvType::Q8_0,
        }
    }

    /// Whether all f16 that were stored so far are finite: what another thread stores meanwhile is not read before the next phase.
    pub(crate) fn finite(&self) -> bool {
        self.finite.load(Ordering::Relaxed)
    }

    /// Stores one head's key of a position.
    ///
    /// # Safety
    /// Nobody else reads or writes this key meanwhile.
    pub(crate) unsafe fn put_key(
        &self,
        sequence: usize,
        head: usize,
        position: usize,
        key: &[f32],
    ) {
        assert!(position < self.room && head < self.kv_heads && key.len() == self.key_dim);
        let first = (sequence * self.kv_heads + head) * self.room + position / LINE * LINE;
        let (line, scales) = (first * self.key_dim, first * self.key_dim / BLOCK);
        let of = |at: usize| at * LINE + position % LINE;
        // SAFETY: the elements are this key's (the caller).
        unsafe { self.keys.put(key, |k| line + of(k), |block| scales + of(block), &self.finite) };
    }

    /// Stores one head's value of a position.
    ///
    /// # Safety
    /// Nobody else reads or writes this value meanwhile.
    pub(crate) unsafe fn put_value(
        &self,
        sequence: usize,
        head: usize,
        position: usize,
        value: &[f32],
    ) {
        assert!(position < self.room && head < self.kv_heads && value.len() == self.value_dim);
        let width = value_width(self.value_dim);
        let first =
            (sequence * self.kv_heads + head) * self.room + position / POSITIONS * POSITIONS;
        let (block, scales) = (first * width, first * width / BLOCK);
        let of = |at: usize| at * POSITIONS + position % POSITIONS;
        let place = |d: usize| block + of(d / LINE) * LINE + d % LINE;
        // SAFETY: the elements are this value's (the caller).
        unsafe { self.values.put(value, place, |at| scales + of(at), &self.finite) };
    }

    /// Keys of `lines` blocks of 16 positions, the first at `position`: (lines, key_dim, 16).
    ///
    /// # Safety
    /// Nobody writes them meanwhile.
    pub(crate) unsafe fn keys(
        &self,
        sequence: usize,
        head: usize,
        position: usize,
        lines: usize,
    ) -> Elements<'_> {
        assert!(position.is_multiple_of(LINE));
        let first = (sequence * self.kv_heads + head) * self.room + position;
        // SAFETY: not written (the caller).
        unsafe { self.keys.read(first * self.key_dim, lines * LINE * self.key_dim) }
    }

    /// Values of so many blocks of 64 positions, the first at `position`: (blocks, value_width / 16, 64, 16). Those behind the last
    /// that was stored are 0, or what another text left there.
    ///
    /// # Safety
    /// Nobody writes them meanwhile.
    pub(crate) unsafe fn values(
        &self,
        sequence: usize,
        head: usize,
        position: usize,
        blocks: usize,
    ) -> Elements<'_> {
        assert!(position.is_multiple_of(POSITIONS));
        let width = value_width(self.value_dim);
        let first = (sequence * self.kv_heads + head) * self.room + position;
        // SAFETY: not written (the caller).
        unsafe { self.values.read(first * width, blocks * POSITIONS * width) }
    }
}

/// A piece of a cache as it is stored.
#[derive(Clone, Copy)]
pub(crate) enum Elements<'a> {
    F32(&'a [f32]),
    F16(&'a [u16]),
    /// Values, and the scale of each 32 of a head.
    Q8_0(&'a [i8], &'a [u16]),
}

impl<'a> Elements<'a> {
    /// As f32: whole blocks of 16 keys (`columns`), or of 64 values.
    pub(crate) fn widen(self, isa: Isa, columns: bool, scratch: &'a mut [f32]) -> &'a [f32] {
        match self {
            Elements::F32(elements) => elements,
            Elements::F16(elements) => {
                let scratch = &mut scratch[..elements.len()];
                widen(isa, elements, scratch);
                scratch
            }
            Elements::Q8_0(values, scales) => {
                let scratch = &mut scratch[..values.len()];
                match columns {
                    true => widen_columns(isa, values, scales, scratch),
                    false => widen_lines(isa, values, scales, scratch),
                }
                scratch
            }
        }
    }
}

impl Store {
    fn new(len: usize, kind: KvType) -> Result<Store, Error> {
        Ok(match kind {
            KvType::F32 => Store::F32(Buffer::zeroed(len)?),
            KvType::F16 => Store::F16(Buffer::zeroed(len)?),
            KvType::Q8_0 => {
                let scales = Buffer::zeroed(len / BLOCK)?;
                Store::Q8_0 { values: Buffer::zeroed(len)?, scales }
            }
        })
    }

    fn bytes(&self) -> u64 {
        match self {
            Store::F32(buffer) => buffer.bytes(),
            Store::F16(buffer) => buffer.bytes(),
            Store::Q8_0 { values, scales } => values.bytes() + scales.bytes(),
        }
    }

    fn copy_within(&mut self, from: usize, to: usize, len: usize) {
        match self {
            Store::F32(buffer) => buffer.all_mut().copy_within(from..from + len, to),
            Store::F16(buffer) => buffer.all_mut().copy_within(from..from + len, to),
            Store::Q8_0 { values, scales } => {
                values.all_mut().copy_within(from..from + len, to);
                let blocks = from / BLOCK..(from + len) / BLOCK;
                scales.all_mut().copy_within(blocks, to / BLOCK);
            }
        }
    }

    /// Stores a head's elements, each at its `place`, and the scales of its blocks. Says so where an f16 is not `finite`.
    ///
    /// # Safety
    /// Nobody else reads or writes these elements meanwhile.
    unsafe fn put(
        &self,
        head: &[f32],
        place: impl Fn(usize) -> usize,
        scale_place: impl Fn(usize) -> usize,
        finite: &AtomicBool,
    ) {
        // SAFETY: the elements are the caller's.
        unsafe {
            match self {
                Store::F32(buffer) => {
                    head.iter().enumerate().for_each(|(d, &x)| buffer.set(place(d), x));
                }
                Store::F16(buffer) => {
                    let mut half = [0; BLOCK];
                    for (b, head) in head.chunks(BLOCK).enumerate() {
                        let half = &mut half[..head.len()];
                        half.reinterpret_cast_mut::<half::f16>().convert_from_f32_slice(head);
                        if half.iter().any(|half| half & HIGHEST == HIGHEST) {
                            finite.store(false, Ordering::Relaxed);
                        }
                        for (i, &half) in half.iter().enumerate() {
                            buffer.set(place(b * BLOCK + i), half);
                        }
                    }
                }
                Store::Q8_0 { values, scales } => {
                    for (b, block) in head.chunks_exact(BLOCK).enumerate() {
                        let (scale, q) = encode(block);
                        scales.set(scale_place(b), scale);
                        for (i, &q) in q.iter().enumerate() {
                            values.set(place(b * BLOCK + i), q);
                        }
                    }
                }
            }
        }
    }

    /// `len` elements from `at` on.
    ///
    /// # Safety
    /// Nobody writes the elements meanwhile.
    unsafe fn read(&self, at: usize, len: usize) -> Elements<'_> {
        // SAFETY: not written (the caller).
        unsafe {
            match self {
                Store::F32(buffer) => Elements::F32(buffer.read(at..at + len)),
                Store::F16(buffer) => Elements::F16(buffer.read(at..at + len)),
                Store::Q8_0 { values, scales } => {
                    let scales = scales.read(at / BLOCK..(at + len) / BLOCK);
                    Elements::Q8_0(values.read(at..at + len), scales)
                }
            }
        }
    }
}
