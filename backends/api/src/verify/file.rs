//! Observations and answers as files between workers: little-endian, checked on reading as any untrusted file.
//!
//! `YVER`, VERSION, kind (0 observation, 1 expected), vocab, groups; per group path, count, f32 values;
//! sequences, ids: count, u32; kind 1: as many f64 shortfalls. Every integer is u32.

use std::io::{Read, Write};

use super::expect::Expected;
use super::observe::{Generated, Group, Observation, Path};
use super::script::VERSION;

const MAGIC: [u8; 4] = *b"YVER";
/// No model's vocabulary comes near.
const MAX_VOCAB: u32 = 1 << 22;
/// Logits of one path, 512 MiB; memory is taken only as bytes arrive.
const MAX_VALUES: u32 = 1 << 27;
const MAX_IDS: u32 = 1 << 16;

/// Why a verification file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The operating system refused, or the file is too short.
    #[error("verification file: {0}")]
    Io(#[from] std::io::Error),
    /// Not what we write.
    #[error(
        "verification file: {field}: found {found}, expected {expected}; delete it and verify again"
    )]
    Invalid {
        /// Which field.
        field: &'static str,
        /// What stands there.
        found: u64,
        /// What may.
        expected: String,
    },
}

impl Observation {
    /// Writes the file.
    pub fn write_to(&self, out: &mut impl Write) -> std::io::Result<()> {
        write_head(out, 0, self.vocab, &self.groups, &self.generated)
    }

    /// Reads the file, to its end.
    pub fn read_from(input: &mut impl Read) -> Result<Observation, ReadError> {
        let (vocab, groups, generated) = read_head(input, 0)?;
        read_end(input)?;
        Ok(Observation { vocab, groups, generated })
    }
}

impl Expected {
    /// Writes the file.
    pub fn write_to(&self, out: &mut impl Write) -> std::io::Result<()> {
        write_head(out, 1, self.vocab, &self.groups, &self.generated)?;
        self.shortfalls.iter().try_for_each(|value| out.write_all(&value.to_le_bytes()))
    }

    /// Reads the file, to its end.
    pub fn read_from(input: &mut impl Read) -> Result<Expected, ReadError> {
        let (vocab, groups, generated) = read_head(input, 1)?;
        let bytes = read_bytes(input, generated.ids.len() * 8)?;
        let shortfalls = bytes.as_chunks().0.iter().map(|&b| f64::from_le_bytes(b)).collect();
        read_end(input)?;
        Ok(Expected { vocab, groups, generated, shortfalls })
    }
}

fn write_head(
    out: &mut impl Write,
    kind: u32,
    vocab: usize,
    groups: &[Group],
    generated: &Generated,
) -> std::io::Result<()> {
    out.write_all(&MAGIC)?;
    write_u32(out, VERSION as usize)?;
    write_u32(out, kind as usize)?;
    write_u32(out, vocab)?;
    write_u32(out, groups.len())?;
    for group in groups {
        write_u32(out, group.path as usize)?;
        write_u32(out, group.values.len())?;
        for values in group.values.chunks(1 << 14) {
            let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
            out.write_all(&bytes)?;
        }
    }
    write_u32(out, generated.sequences)?;
    write_u32(out, generated.ids.len())?;
    generated.ids.iter().try_for_each(|&id| write_u32(out, id as usize))
}

fn write_u32(out: &mut impl Write, value: usize) -> std::io::Result<()> {
    let value = u32::try_from(value).map_err(|_| std::io::ErrorKind::InvalidInput)?;
    out.write_all(&value.to_le_bytes())
}

fn read_head(
    input: &mut impl Read,
    kind: u32,
) -> Result<(usize, Vec<Group>, Generated), ReadError> {
    let magic = u32::from_le_bytes(MAGIC);
    read_u32(input, "magic", magic, magic)?;
    read_u32(input, "version", VERSION, VERSION)?;
    read_u32(input, "kind", kind, kind)?;
    let vocab = read_u32(input, "vocab", 1, MAX_VOCAB)?;
    let count = read_u32(input, "groups", 0, Path::ALL.len() as u32)?;
    let groups = (0..count).map(|_| read_group(input)).collect::<Result<_, _>>()?;
    let sequences = read_u32(input, "sequences", 0, 2)? as usize;
    let count = read_u32(input, "ids", 0, MAX_IDS)? as usize;
    let bytes = read_bytes(input, count * 4)?;
    let ids = bytes.as_chunks().0.iter().map(|&b| u32::from_le_bytes(b)).collect();
    Ok((vocab as usize, groups, Generated { sequences, ids }))
}

fn read_group(input: &mut impl Read) -> Result<Group, ReadError> {
    let path = Path::ALL[read_u32(input, "path", 0, Path::ALL.len() as u32 - 1)? as usize];
    let count = read_u32(input, "logits", 0, MAX_VALUES)? as usize;
    let mut values = Vec::new();
    while values.len() < count {
        let block = read_bytes(input, (count - values.len()).min(1 << 16) * 4)?;
        values.extend(block.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)));
    }
    Ok(Group { path, values })
}

fn read_u32(
    input: &mut impl Read,
    field: &'static str,
    least: u32,
    most: u32,
) -> Result<u32, ReadError> {
    let mut bytes = [0; 4];
    input.read_exact(&mut bytes)?;
    let found = u32::from_le_bytes(bytes);
    if (least..=most).contains(&found) {
        return Ok(found);
    }
    let expected = if least == most { least.to_string() } else { format!("{least} to {most}") };
    Err(ReadError::Invalid { field, found: found.into(), expected })
}

/// `length` is at most a few hundred kilobytes by the caps above.
fn read_bytes(input: &mut impl Read, length: usize) -> Result<Vec<u8>, ReadError> {
    let mut bytes = vec![0; length];
    input.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn read_end(input: &mut impl Read) -> Result<(), ReadError> {
    match input.read(&mut [0])? {
        0 => Ok(()),
        _ => Err(ReadError::Invalid { field: "end", found: 1, expected: "no more bytes".into() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expected() -> Expected {
        Expected {
            vocab: 2,
            groups: vec![
                Group { path: Path::Prefill, values: vec![1.0, -2.5, 3.0, f32::NAN] },
                Group { path: Path::Batch, values: vec![] },
            ],
            generated: Generated { sequences: 2, ids: vec![1, 0] },
            shortfalls: vec![0.0, f64::INFINITY],
        }
    }

    fn written() -> Vec<u8> {
        let mut file = Vec::new();
        expected().write_to(&mut file).unwrap();
        file
    }

    #[test]
    fn what_is_written_reads_back_bit_for_bit() {
        let read = Expected::read_from(&mut &written()[..]).unwrap();
        let bits = |e: &Expected| -> Vec<u32> {
            e.groups.iter().flat_map(|g| g.values.iter().map(|v| v.to_bits())).collect()
        };
        assert_eq!(bits(&read), bits(&expected()));
        assert_eq!(
            (read.generated, read.shortfalls),
            (expected().generated, expected().shortfalls)
        );
    }

    #[test]
    fn every_truncation_and_any_surplus_is_an_error() {
        let file = written();
        for length in 0..file.len() {
            assert!(Expected::read_from(&mut &file[..length]).is_err(), "cut to {length}");
        }
        assert!(Expected::read_from(&mut &[&file[..], &[0]].concat()[..]).is_err());
        assert!(Observation::read_from(&mut &file[..]).is_err(), "the other kind");
    }

    #[test]
    fn no_changed_byte_makes_reading_or_comparing_panic() {
        let (file, good) = (written(), expected());
        for at in 0..file.len() {
            for value in [0, 1, 0x7f, 0xff] {
                let mut file = file.clone();
                file[at] = value;
                if let Ok(expected) = Expected::read_from(&mut &file[..]) {
                    let Expected { vocab, groups, generated, .. } = good.clone();
                    let seen = Observation { vocab, groups, generated };
                    let checks = super::super::compare(&seen, &expected, crate::Numerics::A8);
                    assert!(!checks.iter().all(super::super::Check::passed));
                }
            }
        }
    }

    #[test]
    fn a_lying_count_is_refused_before_memory_is_taken() {
        let mut file = written();
        file[24..28].copy_from_slice(&u32::MAX.to_le_bytes());
        let error = Expected::read_from(&mut &file[..]).unwrap_err().to_string();
        assert!(error.contains("logits: found 4294967295"), "{error}");
    }
}
