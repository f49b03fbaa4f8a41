//! A terminal that tmux provides, with keys pressed and the screen looked at.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::process::wait_until;
use super::target::new_file;
use super::{Context, Outcome, expect};

/// A terminal in which a shell script runs. It is closed, and all in it ended, when it goes
/// out of scope.
pub(crate) struct Terminal {
    /// Where the script runs: a folder of its own.
    pub folder: PathBuf,
}

impl Terminal {
    /// Makes the folder for one.
    pub(crate) fn prepare() -> Outcome<Self> {
        let folder = new_file("terminal");
        fs::create_dir(&folder).context(|| folder.display().to_string())?;
        Ok(Self { folder })
    }

    /// Runs a script in it.
    pub(crate) fn run(&self, script: &str) -> Outcome {
        let session = ["new-session", "-d", "-x", "100", "-y", "30", "sh", "-c", script];
        self.tmux(&session).map(|_| ())
    }

    /// What tmux says to this.
    pub(crate) fn tmux(&self, arguments: &[&str]) -> Outcome<String> {
        let output = Command::new("tmux")
            .args(["-S", "socket", "-f", "/dev/null"])
            .args(arguments)
            .current_dir(&self.folder)
            .env_remove("TMUX")
            .env("LC_ALL", "C.UTF-8")
            .output()
            .context(|| "run tmux (Debian: tmux)".into())?;
        let error = || format!("tmux {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        expect(output.status.success(), error)?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// What the screen shows.
    pub(crate) fn text(&self) -> Outcome<String> {
        self.tmux(&["capture-pane", "-p"])
    }

    /// Presses a key.
    pub(crate) fn press(&self, key: &str) -> Outcome {
        self.tmux(&["send-keys", key]).map(|_| ())
    }

    /// Types a text and the Enter key.
    pub(crate) fn enter(&self, text: &str) -> Outcome {
        self.tmux(&["send-keys", "-l", text])?;
        self.press("Enter")
    }

    /// Waits until the screen is as it should be; what it showed last if it never is.
    pub(crate) fn wait(&self, what: &str, is_so: impl Fn(&str) -> bool) -> Outcome<String> {
        let mut last = String::new();
        let waited = wait_until(what, || {
            last = self.text()?;
            Ok(is_so(&last).then(|| last.clone()))
        });
        waited.map_err(|words| format!("{words}; the screen:\n{last}"))
    }

    /// Waits until the screen shows these words.
    pub(crate) fn wait_for(&self, words: &str) -> Outcome<String> {
        self.wait(&format!("the screen shows {words:?}"), |text| text.contains(words))
    }

    /// The content of a file in the folder.
    pub(crate) fn read(&self, name: &str) -> Outcome<String> {
        let path = self.folder.join(name);
        fs::read_to_string(&path).context(|| path.display().to_string())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It may never have started.
        let _ = self.tmux(&["kill-server"]);
        let _ = fs::remove_dir_all(&self.folder);
    }
}
