//! Tile instructions on processors that have none: each is an illegal instruction, which is caught, decoded as the manual says
//! (Intel SDM, volume 2, chapters 2.3 and 3 to 5) and done on the twin. So tests run the very machine code that is meant for
//! the others. Where the processor has tiles and grants them nothing is caught, and the same tests try those.

use std::cell::RefCell;
use std::ffi::c_int;
use std::sync::OnceLock;

use super::twin::Twin;
use super::unit::{Configuration, ROWS};
use crate::ceilings::amx;

thread_local! {
    /// The tiles of each thread.
    static TILES: RefCell<Twin> = const { RefCell::new(Twin::NEW) };
}

/// From now on tile instructions work.
#[derive(Clone, Copy)]
pub(crate) struct Installed(());

/// Catches illegal instructions, for the whole process.
pub(crate) fn install() -> Installed {
    static ONCE: OnceLock<()> = OnceLock::new();
    ONCE.get_or_init(|| {
        if amx::granted().is_ok() {
            return;
        }
        // SAFETY: the handler is one of three arguments, as SA_SIGINFO says; the rest of the action is zero.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            let handler: extern "C" fn(c_int, *mut libc::siginfo_t, *mut libc::c_void) = caught;
            action.sa_sigaction = handler as usize;
            action.sa_flags = libc::SA_SIGINFO;
            assert_eq!(libc::sigaction(libc::SIGILL, &raw const action, std::ptr::null_mut()), 0);
        }
    });
    Installed(())
}

extern "C" fn caught(_: c_int, _: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: the system hands over a context that is the handler's alone, and the instruction is readable: it was fetched.
    unsafe {
        let context = &mut *context.cast::<libc::ucontext_t>();
        let registers = &mut context.uc_mcontext.gregs;
        let at = registers[libc::REG_RIP as usize] as usize as *const u8;
        match Instruction::decode(at) {
            Some(instruction) => {
                TILES.with_borrow_mut(|tiles| instruction.run(tiles, registers));
                registers[libc::REG_RIP as usize] += instruction.length as i64;
            }
            // Another's: it is raised again, and ends the process.
            None => {
                libc::signal(libc::SIGILL, libc::SIG_DFL);
            }
        }
    }
}

/// One that was caught.
#[derive(Debug, PartialEq)]
struct Instruction {
    operation: Operation,
    /// Bytes.
    length: usize,
}

#[derive(Debug, PartialEq)]
enum Operation {
    Configure(Address),
    Release,
    Zero(u8),
    Load(u8, Address),
    Store(u8, Address),
    /// Sums and factors.
    Multiply([u8; 3]),
    MultiplyBrain([u8; 3]),
}

/// Numbers of registers, as instructions have them.
#[derive(Debug, Default, PartialEq)]
struct Address {
    base: Option<usize>,
    /// And by how many bits it is shifted.
    index: Option<(usize, u8)>,
    displacement: i64,
}

impl Instruction {
    /// What is there, if it is an instruction of tiles.
    ///
    /// # Safety
    /// A whole instruction is readable.
    unsafe fn decode(at: *const u8) -> Option<Instruction> {
        // SAFETY: within the instruction: each byte is read only after those that say that it is there (the caller).
        let byte = |i: usize| unsafe { at.add(i).read() };
        // A VEX prefix of three bytes: the inverted upper bits of registers and the map 0F38; W, the inverted second source, L, prefix.
        if byte(0) != 0xC4 || byte(1) & 0x1F != 2 || byte(2) & 0x84 != 0 {
            return None;
        }
        let (inverted, second) = (byte(1), byte(2));
        let (prefix, source) = (second & 3, !(second >> 3) & 15);
        let (opcode, modrm) = (byte(3), byte(4));
        let (mode, register, low) = (modrm >> 6, modrm >> 3 & 7, modrm & 7);
        // Bits 7 to 5 extend register, index and base; tiles have three bits.
        let high = |bit: u8| usize::from(!inverted >> bit & 1) << 3;
        if mode == 3 {
            let operation = match (opcode, prefix) {
                (0x49, 0) if modrm == 0xC0 => Operation::Release,
                (0x49, 3) if low == 0 => Operation::Zero(register),
                (0x5E, 3) => Operation::Multiply([register, low, source]),
                (0x5C, 2) => Operation::MultiplyBrain([register, low, source]),
                _ => return None,
            };
            return Some(Instruction { operation, length: 5 });
        }
        let (mut address, mut length) = (Address::default(), 5);
        if low == 4 {
            let sib = byte(5);
            length += 1;
            let (index, base) = (usize::from(sib >> 3 & 7) | high(6), usize::from(sib & 7));
            address.index = (index != 4).then_some((index, sib >> 6));
            address.base = (mode != 0 || base != 5).then_some(base | high(5));
        } else if mode == 0 && low == 5 {
            return None;
        } else {
            address.base = Some(usize::from(low) | high(5));
        }
        let wide = || i32::from_le_bytes([0, 1, 2, 3].map(|i| byte(length + i)));
        let (displacement, bytes) = match (mode, address.base) {
            (1, _) => (i64::from(byte(length) as i8), 1),
            (2, _) | (0, None) => (i64::from(wide()), 4),
            _ => (0, 0),
        };
        address.displacement = displacement;
        length += bytes;
        let operation = match (opcode, prefix) {
            (0x49, 0) if register == 0 => Operation::Configure(address),
            (0x4B, 3) if low == 4 => Operation::Load(register, address),
            (0x4B, 2) if low == 4 => Operation::Store(register, address),
            _ => return None,
        };
        Some(Instruction { operation, length })
    }

    /// Does it.
    ///
    /// # Safety
    /// Addresses are good for what it reads and writes: the program that ran it says so.
    unsafe fn run(&self, tiles: &mut Twin, registers: &[i64; 23]) {
        // SAFETY: the caller's.
        unsafe {
            match &self.operation {
                Operation::Configure(at) => {
                    let at = at.first(registers) + at.stride(registers);
                    tiles.reshape(configuration(&(at as *const [u8; 64]).read_unaligned()));
                }
                Operation::Release => *tiles = Twin::NEW,
                Operation::Zero(tile) => tiles.clear(*tile),
                Operation::Load(tile, at) => {
                    let from = at.first(registers) as *const u8;
                    tiles.read(*tile, from, at.stride(registers) as isize);
                }
                Operation::Store(tile, at) => {
                    let to = at.first(registers) as *mut u8;
                    tiles.write(*tile, to, at.stride(registers) as isize);
                }
                Operation::Multiply(all) => tiles.dot_bytes(*all),
                Operation::MultiplyBrain(all) => tiles.dot_brains(*all),
            }
        }
    }
}

impl Address {
    /// Without the index, which for rows of a tile is what lies between them.
    fn first(&self, registers: &[i64; 23]) -> i64 {
        self.base.map_or(0, |base| registers[place(base)]) + self.displacement
    }

    fn stride(&self, registers: &[i64; 23]) -> i64 {
        self.index.map_or(0, |(index, shift)| registers[place(index)] << shift)
    }
}

/// Where the system keeps a register.
fn place(register: usize) -> usize {
    const PLACES: [c_int; 16] = [
        libc::REG_RAX,
        libc::REG_RCX,
        libc::REG_RDX,
        libc::REG_RBX,
        libc::REG_RSP,
        libc::REG_RBP,
        libc::REG_RSI,
        libc::REG_RDI,
        libc::REG_R8,
        libc::REG_R9,
        libc::REG_R10,
        libc::REG_R11,
        libc::REG_R12,
        libc::REG_R13,
        libc::REG_R14,
        libc::REG_R15,
    ];
    PLACES[register] as usize
}

/// What LDTILECFG reads; palette 1 alone has tiles.
fn configuration(bytes: &[u8; 64]) -> Configuration {
    assert_eq!(bytes[0], 1, "the palette");
    let none = |range: std::ops::Range<usize>| bytes[range].iter().all(|&byte| byte == 0);
    assert!(none(1..16) && none(32..48) && none(56..64), "reserved bytes are zero");
    let shape = |tile: usize| {
        let row_bytes = u16::from_le_bytes([bytes[16 + 2 * tile], bytes[17 + 2 * tile]]);
        assert!(row_bytes <= 64 && usize::from(bytes[48 + tile]) <= ROWS, "tile {tile}");
        (row_bytes as u8, bytes[48 + tile])
    };
    Configuration { shapes: std::array::from_fn(shape) }
}

/// Encodings as an assembler wrote them (llvm-mc), every kind of operand.
#[test]
fn instructions_are_told_apart() {
    let decode = |bytes: &[u8]| {
        let mut all = bytes.to_vec();
        all.resize(16, 0);
        // SAFETY: longer than any instruction.
        unsafe { Instruction::decode(all.as_ptr()) }.map(|instruction| {
            assert_eq!(instruction.length, bytes.len(), "{bytes:x?}");
            instruction.operation
        })
    };
    let at = |base, index, displacement| Address { base, index, displacement };
    let expected: [(&[u8], Option<Operation>); 13] = [
        (&[0xC4, 0xE2, 0x78, 0x49, 0xC0], Some(Operation::Release)),
        (&[0xC4, 0xE2, 0x7B, 0x49, 0xE8], Some(Operation::Zero(5))),
        (&[0xC4, 0xE2, 0x4B, 0x5E, 0xC4], Some(Operation::Multiply([0, 4, 6]))),
        (&[0xC4, 0xE2, 0x42, 0x5C, 0xDD], Some(Operation::MultiplyBrain([3, 5, 7]))),
        (&[0xC4, 0xE2, 0x78, 0x49, 0x00], Some(Operation::Configure(at(Some(0), None, 0)))),
        (&[0xC4, 0xC2, 0x78, 0x49, 0x45, 0x10], Some(Operation::Configure(at(Some(13), None, 16)))),
        (
            &[0xC4, 0xE2, 0x78, 0x49, 0x44, 0x24, 0x40],
            Some(Operation::Configure(at(Some(4), None, 64))),
        ),
        (
            &[0xC4, 0xE2, 0x7B, 0x4B, 0x24, 0x0F],
            Some(Operation::Load(4, at(Some(7), Some((1, 0)), 0))),
        ),
        (
            &[0xC4, 0x82, 0x7B, 0x4B, 0x34, 0x48],
            Some(Operation::Load(6, at(Some(8), Some((9, 1)), 0))),
        ),
        (
            &[0xC4, 0xE2, 0x7A, 0x4B, 0x8C, 0x0A, 0x00, 0x04, 0x00, 0x00],
            Some(Operation::Store(1, at(Some(2), Some((1, 0)), 1024))),
        ),
        // VPDPBUSD, an instruction of vectors; UD2; a product of unsigned bytes, which nothing here uses.
        (&[0xC4, 0xE2, 0x79, 0x50, 0xC0], None),
        (&[0x0F, 0x0B], None),
        (&[0xC4, 0xE2, 0x48, 0x5E, 0xC4], None),
    ];
    for (bytes, operation) in expected {
        assert_eq!(decode(bytes), operation, "{bytes:x?}");
    }
}
