//! A program's functions, its data, and what refers to what. Never executed, only read.

use std::collections::HashMap;
use std::path::Path;

use object::{
    File, Object, ObjectSection, ObjectSymbol, Relocation, RelocationFlags, RelocationTarget,
    SectionIndex, SectionKind, SymbolKind,
};

use object::elf::{
    R_X86_64_64, R_X86_64_GOTPCREL, R_X86_64_GOTPCRELX, R_X86_64_PC32, R_X86_64_PLT32,
    R_X86_64_REX_GOTPCRELX,
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
        for section in file.sections().filter(loaded) {
            let bytes =
                section.uncompressed_data().map_err(|error| error.to_string())?.into_owned();
            image.sections.push(Section {
                address: section.address(),
                bytes,
                size: section.size(),
            });
            for (at, relocation) in section.relocations() {
                image.references.push(reference(&file, at, &relocation)?);
            }
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

fn reference(file: &File<'_>, at: u64, relocation: &Relocation) -> Result<Reference, String> {
    let RelocationFlags::Elf { r_type: kind } = relocation.flags() else {
        return Err("relocations of another format".to_owned());
    };
    let RelocationTarget::Symbol(index) = relocation.target() else {
        let to = Target::Name(String::new(), relocation.addend());
        return Ok(Reference { at, width: 4, kind, to });
    };
    let symbol = file.symbol_by_index(index).map_err(|error| error.to_string())?;
    let name = symbol.name().unwrap_or_default();
    let defined = symbol.is_definition() || symbol.kind() == SymbolKind::Section;
    let base = match symbol.kind() {
        SymbolKind::Section => section_address(file, symbol.section_index()),
        _ => symbol.address(),
    };
    let sum = |addend: i64| base.checked_add_signed(addend).unwrap_or(u64::MAX);
    let to = match kind {
        // Relative to the end of the field, mostly; immediates behind it make it a little more.
        R_X86_64_PC32 | R_X86_64_PLT32 if defined => Target::Address(sum(relocation.addend() + 4)),
        R_X86_64_GOTPCREL | R_X86_64_GOTPCRELX | R_X86_64_REX_GOTPCRELX if defined => {
            Target::Address(base)
        }
        R_X86_64_64 if defined => Target::Address(sum(relocation.addend())),
        _ => Target::Name(stable(name), relocation.addend()),
    };
    Ok(Reference { at, width: if kind == R_X86_64_64 { 8 } else { 4 }, kind, to })
}

fn section_address(file: &File<'_>, index: Option<SectionIndex>) -> u64 {
    let section = index.and_then(|index| file.section_by_index(index).ok());
    section.map_or(0, |section| section.address())
}
