//! The profilers as they are installed: `pyflame`, `pyflame2.7` and so on side by
//! side in one folder, made of the files that Cargo built under other names.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::copies::copy_file;
use super::target::new_file;
use super::{Context, Outcome};

/// The ABIs there are, oldest first, each with the executable that Cargo built
/// for it, if its feature is enabled.
pub(crate) const ABIS: [(&str, Option<&str>); 17] = [
    ("2.7", enabled(cfg!(feature = "py27"), option_env!("CARGO_BIN_EXE_pyflame27"))),
    ("2.7d", enabled(cfg!(feature = "py27d"), option_env!("CARGO_BIN_EXE_pyflame27d"))),
    ("3.4", enabled(cfg!(feature = "py34"), option_env!("CARGO_BIN_EXE_pyflame34"))),
    ("3.5", enabled(cfg!(feature = "py35"), option_env!("CARGO_BIN_EXE_pyflame35"))),
    ("3.6", enabled(cfg!(feature = "py36"), option_env!("CARGO_BIN_EXE_pyflame36"))),
    ("3.7", enabled(cfg!(feature = "py37"), option_env!("CARGO_BIN_EXE_pyflame37"))),
    ("3.8", enabled(cfg!(feature = "py38"), option_env!("CARGO_BIN_EXE_pyflame38"))),
    ("3.9", enabled(cfg!(feature = "py39"), option_env!("CARGO_BIN_EXE_pyflame39"))),
    ("3.10", enabled(cfg!(feature = "py310"), option_env!("CARGO_BIN_EXE_pyflame310"))),
    ("3.11", enabled(cfg!(feature = "py311"), option_env!("CARGO_BIN_EXE_pyflame311"))),
    ("3.12", enabled(cfg!(feature = "py312"), option_env!("CARGO_BIN_EXE_pyflame312"))),
    ("3.13", enabled(cfg!(feature = "py313"), option_env!("CARGO_BIN_EXE_pyflame313"))),
    ("3.13t", enabled(cfg!(feature = "py313t"), option_env!("CARGO_BIN_EXE_pyflame313t"))),
    ("3.14", enabled(cfg!(feature = "py314"), option_env!("CARGO_BIN_EXE_pyflame314"))),
    ("3.14t", enabled(cfg!(feature = "py314t"), option_env!("CARGO_BIN_EXE_pyflame314t"))),
    ("3.15", enabled(cfg!(feature = "py315"), option_env!("CARGO_BIN_EXE_pyflame315"))),
    ("3.15t", enabled(cfg!(feature = "py315t"), option_env!("CARGO_BIN_EXE_pyflame315t"))),
];

/// Cargo names the files of all profilers, those that it does not build included.
const fn enabled(feature: bool, file: Option<&'static str>) -> Option<&'static str> {
    if feature { file } else { None }
}

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
        for (abi, built) in ABIS {
            if let Some(built) = built.filter(|_| wanted(abi)) {
                link(Path::new(built), &folder.join(format!("pyflame{abi}")))?;
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
