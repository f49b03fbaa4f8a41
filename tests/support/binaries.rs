//! The profilers as they are installed: `pyflame`, `pyflame2.7` and so on side by
//! side in one folder, made of the files that Cargo built under other names.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use pyflame::cpython::abi::{AbiTag, BUILT, SUPPORTED};

use super::copies::copy_file;
use super::target::new_file;
use super::{Context, Outcome};

/// The ABIs there are, oldest first, each with the executable that Cargo built
/// for it, if its feature is enabled.
pub(crate) static ABIS: LazyLock<Vec<(&'static str, Option<PathBuf>)>> = LazyLock::new(|| {
    let launcher = Path::new(env!("CARGO_BIN_EXE_pyflame"));
    let built = |tag| launcher.with_file_name(format!("pyflame{}", AbiTag::abi(tag)));
    let name = |tag: AbiTag| -> &'static str { tag.to_string().leak() };
    SUPPORTED.iter().map(|tag| (name(*tag), BUILT.contains(tag).then(|| built(*tag)))).collect()
});

/// Whether the profiler for an ABI was built.
pub(crate) fn is_built(abi: &str) -> bool {
    ABIS.iter().any(|(name, built)| *name == abi && built.is_some())
}

/// The number of an ABI in the order of versions.
pub(crate) fn age(abi: &str) -> usize {
    ABIS.iter().position(|(name, _)| *name == abi).unwrap_or(usize::MAX)
}

/// The profilers, installed.
pub(crate) struct Binaries {
    folder: PathBuf,
}

impl Binaries {
    /// Installs all that were built into one folder for this set of them. Programs
    /// that do this at the same time do not disturb each other.
    pub(crate) fn install() -> Outcome<Self> {
        let built = ABIS.iter().filter(|(_, built)| built.is_some());
        let names: Vec<&str> = built.map(|(abi, _)| *abi).collect();
        let folder =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("bin-{}", names.join("-")));
        Self::install_in(&folder, |_| true)
    }

    /// Installs the launcher and the profilers that `wanted` accepts.
    pub(crate) fn install_in(folder: &Path, wanted: impl Fn(&str) -> bool) -> Outcome<Self> {
        fs::create_dir_all(folder).context(|| format!("create {}", folder.display()))?;
        link(Path::new(env!("CARGO_BIN_EXE_pyflame")), &folder.join("pyflame"))?;
        for (abi, built) in ABIS.iter() {
            if let Some(built) = built.as_ref().filter(|_| wanted(abi)) {
                link(built, &folder.join(format!("pyflame{abi}")))?;
            }
        }
        Ok(Self { folder: folder.to_owned() })
    }

    /// The profiler for an ABI.
    pub(crate) fn profiler(&self, abi: &str) -> PathBuf {
        self.folder.join(format!("pyflame{abi}"))
    }

    /// The launcher.
    pub(crate) fn launcher(&self) -> PathBuf {
        self.folder.join("pyflame")
    }

    /// The folder that holds them.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }
}

/// Makes `name` a hard link to `file`: a symbolic one would not do, since the
/// launcher looks beside the file that it is. On another file system, a copy.
fn link(file: &Path, name: &Path) -> Outcome {
    let same = |a: fs::Metadata, b: fs::Metadata| (a.dev(), a.ino()) == (b.dev(), b.ino());
    if let (Ok(a), Ok(b)) = (fs::metadata(file), fs::metadata(name)) {
        if same(a, b) {
            return Ok(());
        }
    }
    let words = || format!("install {} as {}", file.display(), name.display());
    // Of its own name, because the tests of one program install at the same time too.
    let temporary = new_file("installed");
    if fs::hard_link(file, &temporary).is_err() {
        copy_file(file, &temporary)?;
    }
    fs::rename(&temporary, name).context(words)?;
    // Where both were links to one file already, rename does nothing.
    let _ = fs::remove_file(&temporary);
    Ok(())
}
