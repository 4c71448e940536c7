//! Mutated files: reading never panics, refusals are named, and what is accepted lies inside the file.

use proptest::prelude::*;
use yardstick_model::Error;
use yardstick_model::safetensors::{Dtype, Safetensors, encode};

fn use_whole(bytes: Vec<u8>) -> Result<(), TestCaseError> {
    let length = bytes.len();
    match Safetensors::from_bytes("fuzz", bytes) {
        Ok(file) => {
            let mut covered = 0;
            for entry in file.tensors() {
                let view = file.tensor(&entry.name).expect("listed");
                let elements: usize = view.shape.iter().product();
                prop_assert_eq!(elements * view.dtype.bytes(), view.bytes.len());
                prop_assert!(entry.offset + entry.bytes <= length);
                let mut out = [0.0; 3];
                let _ = view.floats(elements.saturating_sub(2), &mut out);
                let _ = view.floats(usize::MAX, &mut out);
                covered += entry.bytes;
            }
            prop_assert!(covered < length);
            Ok(())
        }
        Err(Error::Io { .. }) => Err(TestCaseError::fail("an I/O error from memory")),
        Err(error) => {
            prop_assert!(!error.to_string().chars().any(char::is_control), "{:?}", error);
            Ok(())
        }
    }
}

fn valid() -> impl Strategy<Value = Vec<u8>> {
    let tensor = ("[a-z.0-9]{1,12}", 0usize..15, proptest::collection::vec(1usize..4, 0..4));
    proptest::collection::vec(tensor, 0..5).prop_map(|tensors| {
        let names = ["BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3", "U16", "I16", "F16", "BF16", "U32"];
        let names = [&names[..], &["I32", "F32", "U64", "I64", "F64"]].concat();
        let dtype = |i: &usize| Dtype::from_name(names[*i]).expect("a name of the table");
        let data: Vec<Vec<u8>> = tensors
            .iter()
            .map(|(_, d, shape)| vec![7; shape.iter().product::<usize>() * dtype(d).bytes()])
            .collect();
        let rows: Vec<_> = tensors
            .iter()
            .zip(&data)
            .map(|((name, d, shape), data)| (name.as_str(), dtype(d), &shape[..], &data[..]))
            .collect();
        encode(&rows)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..Default::default() })]

    #[test]
    fn loose_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        use_whole(bytes)?;
    }

    #[test]
    fn mutated_files_never_panic(
        mut bytes in valid(),
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 0..6),
        cut in any::<Option<proptest::sample::Index>>(),
    ) {
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        use_whole(bytes)?;
    }

    #[test]
    fn headers_with_other_numbers_never_panic(
        bytes in valid(),
        at in any::<proptest::sample::Index>(),
        number in prop_oneof![any::<u64>().prop_map(|n| n.to_string()), "-?[0-9]{1,25}(e[0-9])?", Just("[]".into())],
    ) {
        let length = u64::from_le_bytes(bytes[..8].try_into().expect("eight bytes")) as usize;
        let header = String::from_utf8(bytes[8..8 + length].to_vec()).expect("ASCII");
        let digits: Vec<usize> = header.match_indices(|c: char| c.is_ascii_digit()).map(|m| m.0).collect();
        prop_assume!(!digits.is_empty());
        let at = digits[at.index(digits.len())];
        let header = format!("{}{number}{}", &header[..at], &header[at + 1..]);
        let mut changed = (header.len() as u64).to_le_bytes().to_vec();
        changed.extend_from_slice(header.as_bytes());
        changed.extend_from_slice(&bytes[8 + length..]);
        use_whole(changed)?;
    }
}
