//! GStreamer's list of plugins, made by a process of its own: the child, shut in, may read but not write it.
//!
//! Made anew at each start of the service, which is quick when nothing changed, and so never older than the plugins.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use tokio::process::{Child, Command};

use crate::{
    domain::time::BootTime,
    vision::{detect::runtime::TELEMETRY_OFF, sandbox::REGISTRY},
};

/// The first look at all plugins takes seconds on a slow disk; after so long the child does without, microseconds.
const MAKING_US: i64 = 30_000_000;

#[derive(Debug)]
enum State {
    Wanted,
    Making(Child, PathBuf, BootTime),
    Ready(Option<PathBuf>),
}

/// The list and where it lies.
#[derive(Debug)]
pub(super) struct Registry {
    folder: Option<PathBuf>,
    /// Of a service that was given no folder: only the account may write there, and it goes with the service.
    own: Option<tempfile::TempDir>,
    state: State,
}

impl Registry {
    /// In that folder; without one, in a new one under the system's folder for temporary files.
    pub const fn new(folder: Option<PathBuf>) -> Self {
        Self { folder, own: None, state: State::Wanted }
    }
    /// Whether the child can be started; begins to make the list when it is not there. To be asked again and again.
    pub fn is_ready(&mut self, program: &Path, now: BootTime) -> bool {
        let (file, ended) = match &mut self.state {
            State::Ready(_) => return true,
            State::Wanted => {
                self.state = match self.begin(program) {
                    Ok((child, file)) => State::Making(child, file, now),
                    Err(error) => {
                        tracing::warn!(%error, "the list of GStreamer's plugins cannot be made; the child looks for itself");
                        State::Ready(None)
                    }
                };
                return false;
            }
            State::Making(child, file, since) => match child.try_wait() {
                Ok(None) if now.since(*since) < MAKING_US => return false,
                ended => (file.clone(), ended.ok().flatten()),
            },
        };
        let made = ended.is_some_and(|status| status.success()) && file.is_file();
        if !made {
            tracing::warn!(?ended, "the list of GStreamer's plugins was not made; the child looks for itself");
        }
        // A process that still runs is ended by being dropped.
        self.state = State::Ready(made.then_some(file));
        true
    }
    /// Where the list lies, when it was made.
    pub fn file(&self) -> Option<&Path> {
        if let State::Ready(file) = &self.state { file.as_deref() } else { None }
    }
    fn begin(&mut self, program: &Path) -> std::io::Result<(Child, PathBuf)> {
        let folder = match &self.folder {
            Some(folder) => {
                std::fs::create_dir_all(folder)?;
                folder.canonicalize()?
            }
            None => {
                let own = tempfile::Builder::new().prefix("vonglau-").tempdir()?;
                self.own.insert(own).path().canonicalize()?
            }
        };
        let file = folder.join("gstreamer-registry.bin");
        let child = Command::new(program)
            .args(["vision", "registry"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .env(TELEMETRY_OFF.0, TELEMETRY_OFF.1)
            .env(REGISTRY, &file)
            .env("GST_REGISTRY_FORK", "no")
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        Ok((child, file))
    }
}
