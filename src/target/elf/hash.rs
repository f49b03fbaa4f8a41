//! The two kinds of hash table over the dynamic symbols.
//!
//! The GNU table: four numbers (buckets, first hashed symbol, words of the
//! Bloom filter, shift), the filter, the buckets, and one hash for each symbol
//! whose lowest bit ends a chain. The System V table: the numbers of buckets
//! and chains, the buckets, the chains (gABI chapter 5, "Hash Table").

use goblin::elf::Sym;
use goblin::elf::sym::Symtab;
use goblin::elf64::gnu_hash;

use super::bytes::{CONTEXT, text_at, u32_at, u64_at};

/// Where the dynamic symbols and their names begin in the file.
pub(super) struct Tables<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) symbols: u64,
    pub(super) strings: u64,
}

/// No chain of a real table is nearly as long.
const MAX_CHAIN: u32 = 1 << 16;

impl Tables<'_> {
    pub(super) fn by_gnu_hash(&self, table: u64, name: &str) -> Option<Sym> {
        let number = |position: u64| u32_at(self.bytes, table.checked_add(position)?);
        let (buckets, first) = (number(0)?, number(4)?);
        let (filter_words, shift) = (number(8)?, number(12)?);
        let hash = gnu_hash::hash(name);

        let word = u64::from((hash / 64).checked_rem(filter_words)?);
        let filter = u64_at(self.bytes, table.checked_add(16 + word * 8)?)?;
        let bits = 1_u64 << (hash % 64) | 1_u64 << (hash.checked_shr(shift)? % 64);
        if filter & bits != bits {
            return None;
        }
        let bucket_list = 16 + u64::from(filter_words) * 8;
        let chains = bucket_list + u64::from(buckets) * 4;
        let start = number(bucket_list + u64::from(hash.checked_rem(buckets)?) * 4)?;
        for index in start..start.checked_add(MAX_CHAIN)? {
            let link = number(chains + u64::from(index.checked_sub(first)?) * 4)?;
            if link | 1 == hash | 1 {
                if let Some(symbol) = self.named(index, name) {
                    return Some(symbol);
                }
            }
            if link & 1 == 1 {
                return None;
            }
        }
        None
    }

    pub(super) fn by_system_v_hash(&self, table: u64, name: &str) -> Option<Sym> {
        let number = |index: u64| u32_at(self.bytes, table.checked_add(index * 4)?);
        let (buckets, chains) = (number(0)?, number(1)?);
        let bucket = system_v_hash(name).checked_rem(buckets)?;
        let mut index = number(2 + u64::from(bucket))?;
        for _ in 0..chains.min(MAX_CHAIN) {
            if index == 0 || index >= chains {
                return None;
            }
            if let Some(symbol) = self.named(index, name) {
                return Some(symbol);
            }
            index = number(2 + u64::from(buckets) + u64::from(index))?;
        }
        None
    }

    /// The symbol at `index`, if that is its name.
    fn named(&self, index: u32, name: &str) -> Option<Sym> {
        const ENTRY: u64 = 24;
        let offset = self.symbols.checked_add(u64::from(index) * ENTRY)?;
        let offset = usize::try_from(offset).ok()?;
        let symbol = Symtab::parse(self.bytes, offset, 1, CONTEXT).ok()?.get(0)?;
        let found = text_at(self.bytes, self.strings.checked_add(symbol.st_name as u64)?)?;
        (found == name.as_bytes()).then_some(symbol)
    }
}

/// The hash function of gABI chapter 5.
fn system_v_hash(name: &str) -> u32 {
    name.bytes().fold(0_u32, |hash, byte| {
        let hash = (hash << 4).wrapping_add(u32::from(byte));
        let high = hash & 0xf000_0000;
        (hash ^ high >> 24) & !high
    })
}

#[cfg(test)]
mod tests {
    use super::system_v_hash;

    #[test]
    fn system_v_hashes() {
        assert_eq!(system_v_hash(""), 0);
        assert_eq!(system_v_hash("printf"), 0x0779_05a6);
        assert_eq!(system_v_hash("PyInterpreterState_Head") >> 28, 0);
    }
}
