//! The command line of the process, from where the kernel put it: at the beginning of the stack.
//!
//! From the stack's end downwards there are texts, then what the kernel tells the program
//! (`getauxval(3)`), then pointers to the variables of its environment, 0, pointers to its
//! arguments, 0 before these and how many they are (System V ABI, "Initial Process Stack").

use super::notes::Auxiliary;
use crate::cpython::memory::Memory;

/// What the kernel tells is looked for within so many bytes below the texts.
const SEARCHED: u64 = 4096;

/// More arguments and variables than this are not looked at.
const MOST: u64 = 1 << 14;

/// The most bytes of a command line that are read.
const LONGEST: u64 = 4096;

/// The words of the command line, parted by blanks. `None` if they are not where they should be.
pub(super) fn command_line<M: Memory>(memory: &M, auxiliary: &Auxiliary) -> Option<String> {
    let random = auxiliary.random?;
    let begin = random.checked_sub(SEARCHED)? & !7;
    let block = memory.read_bytes(begin, (random - begin) as usize).ok()?;
    let head = auxiliary.head.as_slice();
    let starts = |at: &usize| block.get(*at..).is_some_and(|rest| rest.starts_with(head));
    let found = (0..block.len()).step_by(8).find(starts).filter(|_| !head.is_empty())?;

    let (first_variable, end) = pointers_below(memory, begin + found as u64, |_| 0)?;
    let (first, _) = pointers_below(memory, end + 8, |count| count)?;
    let (first, end) = (first?, first_variable.or(auxiliary.file_name)?);
    let length = end.checked_sub(first)?.min(LONGEST);
    let bytes = memory.read_bytes(first, length as usize).ok()?;
    let words = bytes.split(|byte| *byte == 0).filter(|word| !word.is_empty());
    Some(words.map(String::from_utf8_lossy).collect::<Vec<_>>().join(" "))
}

/// The lowest of the pointers that lie below a 0 at the end of a list, and where the word is
/// that stands before them all: `before` of how many they are.
fn pointers_below<M: Memory>(
    memory: &M,
    end: u64,
    before: impl Fn(u64) -> u64,
) -> Option<(Option<u64>, u64)> {
    let word = |number: u64| {
        let at = end.checked_sub((number + 2) * 8)?;
        Some((at, memory.read::<u64>(at).ok()?))
    };
    if memory.read::<u64>(end.checked_sub(8)?) != Ok(0) {
        return None;
    }
    let mut lowest = None;
    for count in 0..MOST {
        let (at, pointer) = word(count)?;
        if pointer == before(count) {
            return Some((lowest, at));
        }
        lowest = Some(pointer);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpython::memory::fake::FakeMemory;

    const STACK: u64 = 0x7ffe_0000;

    /// A stack with these arguments and variables.
    fn stack(arguments: &[&str], variables: &[&str]) -> (FakeMemory, Auxiliary) {
        let mut memory = FakeMemory::new();
        memory.write(STACK - 0x2000, &[0; 0x3000]);
        let random = STACK + 0x100;
        let mut place = STACK + 0x200;
        let mut texts = |texts: &[&str]| -> Vec<u64> {
            let put = |text: &&str| {
                memory.write(place, text.as_bytes());
                place += text.len() as u64 + 1;
                place - text.len() as u64 - 1
            };
            texts.iter().map(put).collect()
        };
        let (arguments, variables) = (texts(arguments), texts(variables));
        let told = [33, 0x7000, 25, random, 0, 0];
        let mut words = vec![arguments.len() as u64];
        words.extend(arguments);
        words.push(0);
        words.extend(variables);
        words.push(0);
        let length = words.len() as u64;
        words.extend(told);
        for (word, at) in words.iter().zip((STACK - 8 * length..).step_by(8)) {
            memory.write_word(at, *word);
        }
        let head: Vec<u8> = told.iter().flat_map(|word: &u64| word.to_le_bytes()).collect();
        let file_name = Some(place);
        (memory, Auxiliary { random: Some(random), head, file_name, ..Auxiliary::default() })
    }

    #[test]
    fn the_command_line_is_that_of_the_stack() {
        let (memory, auxiliary) = stack(&["python3", "-c", "", "a b"], &["A=1", "B=2"]);
        assert_eq!(command_line(&memory, &auxiliary).as_deref(), Some("python3 -c a b"));
        let (memory, auxiliary) = stack(&["python3", "app.py"], &[]);
        assert_eq!(command_line(&memory, &auxiliary).as_deref(), Some("python3 app.py"));
    }

    #[test]
    fn what_is_not_there_is_not_made_up() {
        let (memory, auxiliary) = stack(&["python3"], &["A=1"]);
        let other = Auxiliary { head: vec![1; 32], ..auxiliary.clone() };
        assert_eq!(command_line(&memory, &other), None);
        let nowhere = Auxiliary { random: Some(8), ..auxiliary.clone() };
        assert_eq!(command_line(&memory, &nowhere), None);
        assert_eq!(command_line(&FakeMemory::new(), &auxiliary), None);
        let (mut memory, auxiliary) = stack(&["python3"], &["A=1"]);
        memory.write_word(STACK - 8, 1); // Before what the kernel tells there is a 0.
        assert_eq!(command_line(&memory, &auxiliary), None);
    }
}
