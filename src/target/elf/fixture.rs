//! Makes small ELF files for tests.

use goblin::elf::dynamic::{DT_GNU_HASH, DT_HASH, DT_NEEDED, DT_SONAME, DT_STRTAB, DT_SYMTAB};
use goblin::elf::header::{EM_X86_64, ET_DYN};
use goblin::elf::program_header::{PT_DYNAMIC, PT_LOAD, PT_NOTE};
use goblin::elf::section_header::{SHT_DYNSYM, SHT_STRTAB, SHT_SYMTAB};
use goblin::elf64::gnu_hash;

/// Which hash table over its dynamic symbols a file has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hash {
    Gnu,
    SystemV,
    None,
}

/// A file to be: everything is one loaded segment, and an address is the base
/// plus the offset in the file.
#[derive(Clone, Debug)]
pub(crate) struct ElfFile {
    pub machine: u16,
    pub kind: u16,
    pub base: u64,
    pub hash: Hash,
    /// Exported symbols: name, offset from the base (0: undefined), size.
    pub exported: Vec<(&'static str, u64, u64)>,
    /// Symbols that only `.symtab` has.
    pub local: Vec<(&'static str, u64, u64)>,
    pub needed: Vec<&'static str>,
    pub soname: Option<&'static str>,
    /// Bytes at offsets from [`DATA`] on.
    pub data: Vec<(u64, Vec<u8>)>,
}

/// Where the parts of the file are.
const DYNAMIC: u64 = 0x200;
const SYMBOLS: u64 = 0x400;
const HASH: u64 = 0x1400;
const NOTE: u64 = 0x1c00;
const STRINGS: u64 = 0x2000;
const LOCAL_SYMBOLS: u64 = 0x3000;
const SECTIONS: u64 = 0x3800;
/// The first offset that is free for [`ElfFile::data`].
pub(crate) const DATA: u64 = 0x4000;
/// The size of the file.
pub(crate) const SIZE: u64 = 0x8000;

/// The build id of every file.
pub(crate) const BUILD_ID: [u8; 8] = *b"buildid!";

impl Default for ElfFile {
    fn default() -> Self {
        Self {
            machine: EM_X86_64,
            kind: ET_DYN,
            base: 0,
            hash: Hash::Gnu,
            exported: Vec::new(),
            local: Vec::new(),
            needed: Vec::new(),
            soname: None,
            data: Vec::new(),
        }
    }
}

/// The bytes under construction, and the strings used so far.
struct Builder {
    bytes: Vec<u8>,
    strings: Vec<u8>,
}

impl Builder {
    fn put(&mut self, offset: u64, bytes: &[u8]) {
        let start = offset as usize;
        self.bytes[start..start + bytes.len()].copy_from_slice(bytes);
    }

    fn put_numbers(&mut self, offset: u64, numbers: &[u64]) {
        let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        self.put(offset, &bytes);
    }

    fn put_short_numbers(&mut self, offset: u64, numbers: &[u32]) {
        let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        self.put(offset, &bytes);
    }

    fn string(&mut self, text: &str) -> u64 {
        let offset = self.strings.len() as u64;
        self.strings.extend_from_slice(text.as_bytes());
        self.strings.push(0);
        offset
    }

    fn symbols(&mut self, offset: u64, base: u64, symbols: &[(&str, u64, u64)]) {
        for (index, (name, address, size)) in symbols.iter().enumerate() {
            let at = offset + 24 * (index as u64 + 1);
            let name = self.string(name);
            let (section, value) = if *address == 0 { (0, 0) } else { (1, base + address) };
            // st_info: global object; st_shndx: any section.
            self.put_short_numbers(at, &[name as u32, 0x11 | section << 16]);
            self.put_numbers(at + 8, &[value, *size]);
        }
    }
}

impl ElfFile {
    /// The bytes of the file.
    pub(crate) fn build(&self) -> Vec<u8> {
        let mut file = Builder { bytes: vec![0; SIZE as usize], strings: vec![0] };
        let exported = self.in_hash_order();
        self.header(&mut file);
        file.symbols(SYMBOLS, self.base, &exported);
        file.symbols(LOCAL_SYMBOLS, self.base, &self.local);
        self.hash_table(&mut file, &exported);
        self.dynamic(&mut file);
        self.sections(&mut file, exported.len());
        file.put_short_numbers(NOTE, &[4, BUILD_ID.len() as u32, 3]);
        file.put(NOTE + 12, b"GNU\0");
        file.put(NOTE + 16, &BUILD_ID);
        for (offset, bytes) in &self.data {
            file.put(*offset, bytes);
        }
        let strings = std::mem::take(&mut file.strings);
        file.put(STRINGS, &strings);
        file.bytes
    }

    fn header(&self, file: &mut Builder) {
        file.put(0, b"\x7fELF\x02\x01\x01");
        file.put_short_numbers(16, &[u32::from(self.kind) | u32::from(self.machine) << 16, 1]);
        file.put_numbers(24, &[self.base, 64, SECTIONS]);
        let sizes: [u16; 6] = [64, 56, 3, 64, 5, 4];
        let sizes: Vec<u8> = sizes.iter().flat_map(|size| size.to_le_bytes()).collect();
        file.put(52, &sizes);
        let parts = [
            (PT_LOAD, 7, 0, SIZE),
            (PT_DYNAMIC, 6, DYNAMIC, 0x200),
            (PT_NOTE, 4, NOTE, 16 + BUILD_ID.len() as u64),
        ];
        for (index, (kind, flags, offset, size)) in (0..).zip(parts) {
            file.put_short_numbers(64 + index * 56, &[kind, flags]);
            let address = self.base + offset;
            file.put_numbers(64 + index * 56 + 8, &[offset, address, address, size, size, 0x1000]);
        }
    }

    fn dynamic(&self, file: &mut Builder) {
        let table = match self.hash {
            Hash::Gnu => Some((DT_GNU_HASH, self.base + HASH)),
            Hash::SystemV => Some((DT_HASH, self.base + HASH)),
            Hash::None => None,
        };
        let mut entries = vec![(DT_SYMTAB, self.base + SYMBOLS), (DT_STRTAB, self.base + STRINGS)];
        entries.extend(table);
        entries.extend(self.soname.map(|name| (DT_SONAME, file.string(name))));
        for name in &self.needed {
            entries.push((DT_NEEDED, file.string(name)));
        }
        for (index, (tag, value)) in (0..).zip(entries) {
            file.put_numbers(DYNAMIC + index * 16, &[tag, value]);
        }
    }

    fn hash_table(&self, file: &mut Builder, symbols: &[(&str, u64, u64)]) {
        match self.hash {
            Hash::Gnu => {
                // One word of filter that lets everything pass, two buckets.
                file.put_short_numbers(HASH, &[2, 1, 1, 5]);
                file.put_numbers(HASH + 16, &[u64::MAX]);
                let hashes: Vec<_> =
                    symbols.iter().map(|(name, ..)| gnu_hash::hash(name)).collect();
                for bucket in [0, 1] {
                    let first = hashes.iter().position(|hash| hash % 2 == bucket);
                    let first = first.map_or(0, |index| index as u32 + 1);
                    file.put_short_numbers(HASH + 24 + 4 * u64::from(bucket), &[first]);
                }
                for (index, hash) in hashes.iter().enumerate() {
                    let next = hashes.get(index + 1);
                    let last = next.is_none_or(|next| next % 2 != hash % 2);
                    let link = if last { hash | 1 } else { hash & !1 };
                    file.put_short_numbers(HASH + 32 + 4 * index as u64, &[link]);
                }
            }
            Hash::SystemV => {
                // One bucket: all symbols in one chain, from the last to the first.
                let count = symbols.len() as u32;
                file.put_short_numbers(HASH, &[1, count + 1, count, 0]);
                for index in 1..=count {
                    file.put_short_numbers(HASH + 12 + 4 * u64::from(index), &[index - 1]);
                }
            }
            Hash::None => {}
        }
    }

    fn sections(&self, file: &mut Builder, exported: usize) {
        let size = |count: usize| 24 * (count as u64 + 1);
        let names = [".dynsym", ".dynstr", ".symtab", ".shstrtab"].map(|name| file.string(name));
        let sections = [
            (names[0], SHT_DYNSYM, SYMBOLS, size(exported), 2),
            (names[1], SHT_STRTAB, STRINGS, 0x1000, 0),
            (names[2], SHT_SYMTAB, LOCAL_SYMBOLS, size(self.local.len()), 2),
            (names[3], SHT_STRTAB, STRINGS, 0x1000, 0),
        ];
        for (index, (name, kind, offset, size, link)) in (1..).zip(sections) {
            let at = SECTIONS + 64 * index;
            file.put_short_numbers(at, &[name as u32, kind]);
            file.put_numbers(at + 16, &[self.base + offset, offset, size, link]);
        }
    }

    /// The GNU table wants the symbols of a bucket side by side.
    fn in_hash_order(&self) -> Vec<(&'static str, u64, u64)> {
        let mut symbols = self.exported.clone();
        if self.hash == Hash::Gnu {
            symbols.sort_by_key(|(name, ..)| gnu_hash::hash(name) % 2);
        }
        symbols
    }
}
