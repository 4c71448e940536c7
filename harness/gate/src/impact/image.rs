//! A program's functions, its data, and what refers to what. Never executed, only read.

use std::collections::HashMap;
use std::path::Path;

use object::{
    File, Object, ObjectSection, ObjectSymbol, Relocation, RelocationFlags, RelocationTarget,
    SectionKind, SymbolKind,
};

use object::elf::{
    R_X86_64_64, R_X86_64_GOTPCREL, R_X86_64_GOTPCRELX, R_X86_64_PC32, R_X86_64_PLT32,
    R_X86_64_RELATIVE, R_X86_64_REX_GOTPCRELX,
};

/// A function.
pub(super) struct Function {
    /// As the linker knows it, without what differs from build to build.
    pub(super) name: String,
    pub(super) address: u64,
    pub(super) size: u64,
}

/// A place that refers to another.
#[derive(Clone, Debug)]
pub(super) struct Reference {
    /// Where, an address.
    pub(super) at: u64,
    /// Bytes there that are the linker's.
    pub(super) width: u64,
    pub(super) kind: u32,
    pub(super) to: Target,
}

/// What is referred to.
#[derive(Clone, Debug)]
pub(super) enum Target {
    /// An address in the program.
    Address(u64),
    /// Something by name, and a number added: outside the program, or of a thread.
    Name(String, i64),
}

/// A part of the program that is loaded.
pub(super) struct Section {
    pub(super) address: u64,
    /// Empty for memory that is zero at first.
    pub(super) bytes: Vec<u8>,
    pub(super) size: u64,
    /// Data that the program may write.
    pub(super) written: bool,
}

/// A whole program.
pub(super) struct Image {
    /// By address.
    pub(super) functions: Vec<Function>,
    pub(super) sections: Vec<Section>,
    /// By address.
    pub(super) references: Vec<Reference>,
    /// Addresses that something refers to, ascending.
    pub(super) starts: Vec<u64>,
}

impl Image {
    /// Reads a program for x86-64 with its relocations, or says what is missing.
    pub(super) fn read(path: &Path) -> Result<Image, String> {
        let bytes = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let file = File::parse(&*bytes).map_err(|error| format!("{}: {error}", path.display()))?;
        if (file.format(), file.architecture())
            != (object::BinaryFormat::Elf, object::Architecture::X86_64)
        {
            return Err("machine code is told apart in ELF programs for x86-64 only".to_owned());
        }
        let mut image = Image {
            functions: functions(&file),
            sections: Vec::new(),
            references: Vec::new(),
            starts: Vec::new(),
        };
        let fields = Fields::of(&file);
        for section in file.sections().filter(loaded) {
            let bytes =
                section.uncompressed_data().map_err(|error| error.to_string())?.into_owned();
            // `.data.rel.ro` is written by the loader alone.
            let written = section.name().is_ok_and(|name| [".data", ".bss"].contains(&name));
            let (address, size) = (section.address(), section.size());
            let read = Section { address, bytes, size, written };
            for (at, relocation) in section.relocations() {
                image.references.push(fields.reference(&read, at, &relocation)?);
            }
            image.sections.push(read);
        }
        if image.functions.is_empty() || image.references.is_empty() {
            return Err("the program has no symbols or no relocations; link it with --emit-relocs"
                .to_owned());
        }
        image.references.sort_by_key(|reference| reference.at);
        image.starts = image
            .references
            .iter()
            .filter_map(|reference| match reference.to {
                Target::Address(address) => Some(address),
                Target::Name(..) => None,
            })
            .collect();
        image.starts.sort_unstable();
        image.starts.dedup();
        Ok(image)
    }

    /// The function that holds an address.
    pub(super) fn function_at(&self, address: u64) -> Option<usize> {
        let after = self.functions.partition_point(|function| function.address <= address);
        // Aliases begin at one address; the first stands for all.
        let mut index = after.checked_sub(1)?;
        while index > 0 && self.functions[index - 1].address == self.functions[index].address {
            index -= 1;
        }
        let function = &self.functions[index];
        (address < function.address + function.size).then_some(index)
    }

    pub(super) fn section_at(&self, address: u64) -> Option<&Section> {
        self.sections
            .iter()
            .find(|section| (section.address..section.address + section.size).contains(&address))
    }

    /// References from `from` up to `to`.
    pub(super) fn references(&self, from: u64, to: u64) -> &[Reference] {
        let start = self.references.partition_point(|reference| reference.at < from);
        let end = self.references.partition_point(|reference| reference.at < to);
        &self.references[start..end.max(start)]
    }

    /// Functions by name; those that share one, all of them.
    pub(super) fn by_name(&self) -> HashMap<&str, Vec<usize>> {
        let mut all: HashMap<&str, Vec<usize>> = HashMap::new();
        for (index, function) in self.functions.iter().enumerate() {
            all.entry(&function.name).or_default().push(index);
        }
        all
    }
}

fn loaded<'d>(section: &object::Section<'d, '_>) -> bool {
    use SectionKind::{
        Data, ReadOnlyData, ReadOnlyDataWithRel, ReadOnlyString, Text, UninitializedData,
    };
    let kinds = [Data, ReadOnlyData, ReadOnlyDataWithRel, ReadOnlyString, Text, UninitializedData];
    section.address() > 0 && kinds.contains(&section.kind())
}

fn functions(file: &File<'_>) -> Vec<Function> {
    let is_function = |symbol: &object::Symbol<'_, '_>| {
        symbol.kind() == SymbolKind::Text && symbol.is_definition() && symbol.size() > 0
    };
    let of = |symbol: object::Symbol<'_, '_>| {
        let name = symbol.name().ok()?;
        Some(Function { name: stable(name), address: symbol.address(), size: symbol.size() })
    };
    let mut functions: Vec<Function> = file.symbols().filter(is_function).filter_map(of).collect();
    functions.sort_by(|a, b| (a.address, &a.name).cmp(&(b.address, &b.name)));
    functions
}

/// Without what the compiler numbers anew: `.llvm.1234567`.
fn stable(name: &str) -> String {
    name.split_once(".llvm.").map_or(name, |(name, _)| name).to_owned()
}

/// Where a field leads. Symbols say it only where the linker kept them: constants that it merged have none any more. So it is
/// read from what the linker wrote, as the processor and the loader will.
struct Fields<'a> {
    file: &'a File<'a>,
    /// Pointers that the loader moves: where they are, and where they lead before.
    pointers: HashMap<u64, u64>,
}

impl<'a> Fields<'a> {
    fn of(file: &'a File<'a>) -> Fields<'a> {
        let all = file.dynamic_relocations().into_iter().flatten();
        let moved = all.filter_map(|(at, relocation)| match relocation.flags() {
            RelocationFlags::Elf { r_type: R_X86_64_RELATIVE } => {
                Some((at, u64::try_from(relocation.addend()).ok()?))
            }
            _ => None,
        });
        Fields { file, pointers: moved.collect() }
    }

    fn reference(
        &self,
        section: &Section,
        at: u64,
        relocation: &Relocation,
    ) -> Result<Reference, String> {
        let RelocationFlags::Elf { r_type: kind } = relocation.flags() else {
            return Err("relocations of another format".to_owned());
        };
        let symbol = match relocation.target() {
            RelocationTarget::Symbol(index) => {
                Some(self.file.symbol_by_index(index).map_err(|error| error.to_string())?)
            }
            _ => None,
        };
        let outside = symbol.as_ref().is_some_and(|symbol| symbol.is_undefined());
        let field = || {
            let start = usize::try_from(at - section.address).ok()?;
            let bytes = section.bytes.get(start..start + 4)?;
            Some(i64::from(i32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])))
        };
        let address = match kind {
            // Relative to the end of the field, mostly; immediates behind it make it a little more.
            R_X86_64_PC32 | R_X86_64_PLT32 if !outside => {
                field().and_then(|field| (at + 4).checked_add_signed(field))
            }
            R_X86_64_GOTPCREL | R_X86_64_GOTPCRELX | R_X86_64_REX_GOTPCRELX if !outside => {
                symbol.as_ref().map(ObjectSymbol::address)
            }
            R_X86_64_64 => self.pointers.get(&at).copied(),
            _ => None,
        };
        let name = || symbol.as_ref().and_then(|symbol| symbol.name().ok()).unwrap_or_default();
        let to = match address {
            Some(address) => Target::Address(address),
            None => Target::Name(stable(name()), relocation.addend()),
        };
        Ok(Reference { at, width: if kind == R_X86_64_64 { 8 } else { 4 }, kind, to })
    }
}
