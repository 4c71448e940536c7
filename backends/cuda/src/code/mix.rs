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
/// Sections alone are read: NVIDIA's symbols and relocations are its own.
pub(super) fn of_machine(code: &[u8]) -> Option<u64> {
    use object::read::elf::{FileHeader, SectionHeader};
    let header = object::elf::FileHeader64::<object::Endianness>::parse(code).ok()?;
    let endian = header.endian().ok()?;
    let sections = header.sections(endian, code).ok()?;
    let is_kernel = |section: &&object::elf::SectionHeader64<object::Endianness>| {
        sections.section_name(endian, section).is_ok_and(|name| name.starts_with(b".text."))
    };
    let bytes: u64 = sections.iter().filter(is_kernel).map(|section| section.sh_size(endian)).sum();
    (bytes > 0).then_some(bytes / WIDTH)
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
        assert_eq!(of_machine(b"not an ELF file"), None);
    }
}
