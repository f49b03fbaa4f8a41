//! Which of the objects that a process has loaded its program is linked to, itself or by way
//! of others: the dynamic linker goes by the names in their headers.

use std::collections::HashSet;
use std::os::unix::ffi::OsStrExt;

use super::module::Module;

/// The objects of a process, as the dynamic linker knows them.
#[derive(Debug, Default)]
pub(super) struct Objects(Vec<Object>);

#[derive(Debug)]
struct Object {
    file: Vec<u8>,
    /// What it calls itself.
    soname: Option<Vec<u8>>,
    needed: Vec<Vec<u8>>,
}

impl Objects {
    /// Notes an object, and numbers it.
    pub(super) fn add(&mut self, module: &Module) -> usize {
        self.0.push(Object {
            file: file_name(module),
            soname: module.image().soname().map(last_part),
            needed: module.image().needed().map(last_part).collect(),
        });
        self.0.len() - 1
    }

    /// The numbers of all that a program needs.
    pub(super) fn needed_by(&self, program: &Module) -> HashSet<usize> {
        self.all_needed(program.image().needed().map(last_part).collect())
    }

    fn all_needed(&self, names: Vec<Vec<u8>>) -> HashSet<usize> {
        let mut found = HashSet::new();
        let mut open = names;
        while let Some(name) = open.pop() {
            let Some((number, object)) = self.named(&name) else { continue };
            if found.insert(number) {
                open.extend_from_slice(&object.needed);
            }
        }
        found
    }

    /// The one object that a name is about. A copy that was loaded beside it may call itself
    /// the same; where files have the same name too, nothing tells which of them it is.
    fn named(&self, name: &[u8]) -> Option<(usize, &Object)> {
        let only = |is_meant: &dyn Fn(&Object) -> bool| {
            let mut meant = self.0.iter().enumerate().filter(|(_, object)| is_meant(object));
            meant.next().map(|first| (first, meant.next().is_some()))
        };
        let by_file = only(&|object| object.file == name);
        let found = by_file.or_else(|| only(&|object| object.soname.as_deref() == Some(name)));
        found.filter(|(_, is_doubtful)| !is_doubtful).map(|(first, _)| first)
    }
}

/// Whether a program names the file of an object as one that it needs.
pub(super) fn is_needed_by(module: &Module, program: &Module) -> bool {
    let file = file_name(module);
    program.image().needed().any(|name| last_part(name) == file)
}

fn file_name(module: &Module) -> Vec<u8> {
    module.path().file_name().unwrap_or_default().as_bytes().to_vec()
}

/// A program may name what it needs with a path.
fn last_part(name: &[u8]) -> Vec<u8> {
    name.rsplit(|byte| *byte == b'/').next().unwrap_or_default().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(file: &str, soname: &str, needed: &[&str]) -> Object {
        let bytes = |text: &str| text.as_bytes().to_vec();
        Object {
            file: bytes(file),
            soname: (!soname.is_empty()).then(|| bytes(soname)),
            needed: needed.iter().map(|name| bytes(name)).collect(),
        }
    }

    fn needed(objects: Vec<Object>, names: &[&str]) -> Vec<usize> {
        let names = names.iter().map(|name| name.as_bytes().to_vec()).collect();
        let mut found: Vec<usize> = Objects(objects).all_needed(names).into_iter().collect();
        found.sort_unstable();
        found
    }

    #[test]
    fn what_is_needed_by_what_is_needed_counts_too() {
        let objects = vec![
            object("libpython3.9.so.1.0", "libpython3.9.so.1.0", &["libc.so.6"]),
            object("libapp.so", "", &["libpython3.11.so.1.0", "libapp.so"]),
            object("python-3.11.7", "libpython3.11.so.1.0", &["libc.so.6"]),
            object("libc.so.6", "libc.so.6", &[]),
        ];
        assert_eq!(needed(objects, &["libapp.so", "libgone.so"]), [1, 2, 3]);
    }

    #[test]
    fn a_copy_that_calls_itself_the_same_is_not_meant() {
        let own = "libpython3.9.so.1.0";
        let objects = || vec![object("copy.so", own, &[]), object(own, own, &[])];
        assert_eq!(needed(objects(), &[own]), [1]);
        // Nor is one of two that nothing tells apart.
        let twice = objects().into_iter().chain([object(own, own, &[])]).collect();
        assert_eq!(needed(twice, &[own]), [0_usize; 0]);
    }
}
