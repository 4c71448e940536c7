//! What a kernel's instructions are: classes counted in PTX, which is before the assembler's own choices, and the number of
//! instructions of the machine code after it.

use std::collections::BTreeMap;

/// Bytes of an instruction since Volta.
const WIDTH: u64 = 16;

/// Instructions of PTX by class. Counted as written, not as often as they run.
pub(super) fn of_ptx(ptx: &str) -> BTreeMap<&'static str, u64> {
    let mut mix = BTreeMap::new();
    let mut inside = false;
    for line in ptx.lines().map(str::trim) {
        match line {
            "{" => inside = true,
            "}" => inside = false,
            _ if inside => {
                if let Some(class) = class(line) {
                    *mix.entry(class).or_default() += 1;
                }
            }
            _ => {}
        }
    }
    mix
}

/// The class of a line, if it is an instruction.
fn class(line: &str) -> Option<&'static str> {
    // `@%p1 bra $L__BB0_2;`
    let line = match line.strip_prefix('@') {
        Some(guarded) => guarded.split_once(char::is_whitespace)?.1.trim_start(),
        None => line,
    };
    if line.is_empty() || line.starts_with(['.', '/', '$', '{', '}']) || line.ends_with(':') {
        return None;
    }
    let word = line.split(|c: char| c.is_whitespace() || c == ';').next()?;
    let mut parts = word.split('.');
    let name = parts.next()?;
    let rest: Vec<&str> = parts.collect();
    let space = |name: &str| rest.contains(&name);
    let wide = rest
        .iter()
        .any(|part| matches!(*part, "f32" | "f16" | "f16x2" | "bf16" | "bf16x2" | "f64"));
    Some(match name {
        "ld" | "ldu" if space("shared") => "load shared",
        "ld" | "ldu" if space("local") => "load local",
        "ld" | "ldu" if space("param") => "load parameter",
        "ld" | "ldu" => "load global",
        "st" if space("shared") => "store shared",
        "st" if space("local") => "store local",
        "st" => "store global",
        "cp" => "copy to shared",
        "ldmatrix" | "stmatrix" => "load matrix",
        "mma" | "wmma" | "wgmma" => "matrix",
        "dp4a" | "dp2a" => "integer dot",
        "atom" | "red" => "atomic",
        "bar" | "barrier" | "membar" | "fence" => "barrier",
        "shfl" | "vote" | "redux" | "activemask" => "warp",
        "bra" | "brx" | "call" | "ret" | "exit" => "branch",
        "cvt" | "cvta" => "convert",
        "mov" => "move",
        "ex2" | "lg2" | "rcp" | "rsqrt" | "sqrt" | "sin" | "cos" | "tanh" => "special",
        _ if wide => "float",
        _ => "integer",
    })
}

/// Instructions of machine code: an ELF file whose sections `.text.NAME` hold the kernels. `None` for anything else.
/// Read by hand: NVIDIA's compiler puts the table of sections at addresses that are not aligned, which libraries refuse.
pub(super) fn of_machine(code: &[u8]) -> Option<u64> {
    if !code.starts_with(b"\x7fELF\x02\x01") {
        return None;
    }
    let half = |at: usize| Some(usize::from(u16::from_le_bytes(bytes(code, at)?)));
    let (width, count, names) = (half(0x3A)?, half(0x3C)?, half(0x3E)?);
    let table = usize::try_from(word(code, 0x28)?).ok()?;
    let header = |index: usize| index.checked_mul(width)?.checked_add(table);
    let names = usize::try_from(word(code, header(names)?.checked_add(0x18)?)?).ok()?;
    let mut bytes_of_text = 0_u64;
    for index in 0..count {
        let at = header(index)?;
        let name = u32::from_le_bytes(bytes(code, at)?);
        let name = names.checked_add(usize::try_from(name).ok()?)?;
        if code.get(name..)?.starts_with(b".text.") {
            bytes_of_text = bytes_of_text.checked_add(word(code, at.checked_add(0x20)?)?)?;
        }
    }
    (bytes_of_text > 0).then_some(bytes_of_text / WIDTH)
}

fn bytes<const N: usize>(code: &[u8], at: usize) -> Option<[u8; N]> {
    code.get(at..at.checked_add(N)?)?.try_into().ok()
}

fn word(code: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes(code, at)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions_are_counted_by_class_and_directives_are_not() {
        let ptx = ".version 9.0\n.visible .entry f(\n.param .u64 p0\n)\n{\n.reg .b32 %r<4>;\nld.param.u64 %rd1, [p0];\n\
                   ld.global.nc.v4.u32 {%r1, %r2, %r3, %r4}, [%rd1];\n$L__BB0_1:\nfma.rn.f32 %f1, %f2, %f3, %f1;\n\
                   @%p1 bra $L__BB0_1;\nmma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%f1}, {%r1}, {%r2}, {%f1};\n\
                   add.s32 %r1, %r1, 1;\nst.shared.f32 [%r1], %f1;\nret;\n}\n";
        let found: Vec<(&str, u64)> = of_ptx(ptx).into_iter().collect();
        let expected = [
            ("branch", 2),
            ("float", 1),
            ("integer", 1),
            ("load global", 1),
            ("load parameter", 1),
            ("matrix", 1),
            ("store shared", 1),
        ];
        assert_eq!(found, expected);
    }

    /// An ELF file of a table of sections at an odd address: names, and two kernels of 32 and 16 bytes.
    fn file() -> Vec<u8> {
        let names = b"\0.shstrtab\0.text.f\0.text.g\0";
        let mut file = vec![0; 0x40];
        file[..6].copy_from_slice(b"\x7fELF\x02\x01");
        let table = 0x40 + names.len();
        assert!(!table.is_multiple_of(8));
        file[0x28..0x30].copy_from_slice(&(table as u64).to_le_bytes());
        for (at, value) in [(0x3A, 64_u16), (0x3C, 3), (0x3E, 0)] {
            file[at..at + 2].copy_from_slice(&value.to_le_bytes());
        }
        file.extend_from_slice(names);
        for (name, offset, size) in
            [(1_u32, 0x40_u64, names.len() as u64), (11, 0, 32), (19, 0, 16)]
        {
            let mut header = [0; 64];
            header[..4].copy_from_slice(&name.to_le_bytes());
            header[0x18..0x20].copy_from_slice(&offset.to_le_bytes());
            header[0x20..0x28].copy_from_slice(&size.to_le_bytes());
            file.extend_from_slice(&header);
        }
        file
    }

    #[test]
    fn machine_instructions_are_those_of_all_kernels_and_a_damaged_file_has_none() {
        let whole = file();
        assert_eq!(of_machine(&whole), Some(3));
        assert_eq!(of_machine(b"not an ELF file"), None);
        for end in 0..whole.len() - 64 {
            assert_eq!(of_machine(&whole[..end]), None, "{end}");
        }
        for at in 0..0x40 {
            let mut damaged = whole.clone();
            damaged[at] = 0xFF;
            let _ = of_machine(&damaged);
        }
    }
}
