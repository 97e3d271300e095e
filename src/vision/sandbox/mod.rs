//! What the child may still do once it decodes what strangers send: read libraries, talk to its parent, and nothing else.
//!
//! Landlock (<https://docs.kernel.org/userspace-api/landlock.html>) leaves the system's libraries, GStreamer's plugins
//! with their prepared registry and ONNX Runtime readable, nothing writable and no TCP; seccomp (`calls`) leaves the
//! system calls that decoding and inference need: no program, no other process, no socket, no file for writing; limits
//! of resources are loose backstops behind the parent's watch over memory. All of it is one-way.
//!
//! Landlock and seccomp bind the calling thread and what it starts later, so this comes before any other thread. What
//! the kernel lacks of it is no error: it is told ([`Lack`]), and the rest is put up.

use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetError, RulesetStatus, Scope,
    path_beneath_rules,
};
use rustix::process::{Resource, Rlimit, setrlimit};
use serde::{Deserialize, Serialize};

mod calls;
pub mod ways;

use super::detect::runtime;

/// Read-only for the child, as far as they are there: libraries, and what these want to know of the machine.
const SYSTEM: [&str; 12] = [
    "/usr/lib",
    "/usr/lib64",
    "/usr/local/lib",
    "/lib",
    "/lib64",
    "/etc/ld.so.cache",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/sys/devices/system/cpu",
    "/dev/null",
    "/dev/urandom",
    "/dev/random",
];
/// Variables that name further folders with libraries and plugins, with colons between them.
const FOLDERS: [&str; 5] = [
    "LD_LIBRARY_PATH",
    "GST_PLUGIN_PATH",
    "GST_PLUGIN_PATH_1_0",
    "GST_PLUGIN_SYSTEM_PATH",
    "GST_PLUGIN_SYSTEM_PATH_1_0",
];
/// The variable that says where GStreamer's list of plugins lies.
pub const REGISTRY: &str = "GST_REGISTRY";
/// Later additions are not needed: seccomp refuses what they are about.
const ABI_ASKED: ABI = ABI::V6;

/// Address space, bytes: far above what 37 cameras take (1 GiB would be a crash, measured), a stop for what runs wild.
const ADDRESSES_MAX: u64 = 16 << 30;
/// Memory that may be held from being swapped, bytes: a library of ciphers wants a little when it is loaded.
const LOCKED_MAX: u64 = 64 << 10;
/// Open files; a decoder has about six.
const FILES_MAX: u64 = 4096;

/// What this kernel does not do for the sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Lack {
    /// No Landlock: files can be read.
    Landlock,
    /// A Landlock that knows less than asked for; seccomp refuses the rest.
    OldLandlock,
    /// No filter of system calls.
    Seccomp,
    /// Limits of resources could not be set.
    Limits,
}

impl Lack {
    /// For a person, in Vietnamese and English.
    #[must_use]
    pub const fn says(self) -> (&'static str, &'static str) {
        match self {
            Self::Landlock => (
                "nhân Linux này không có Landlock: tiến trình phân tích đọc được mọi tệp của tài khoản; hãy dùng Linux 5.13 trở lên",
                "this kernel has no Landlock: the analysis could read every file of the account; use Linux 5.13 or later",
            ),
            Self::OldLandlock => (
                "Landlock của nhân Linux này còn thiếu (mạng, tín hiệu); nên dùng Linux 6.12 trở lên",
                "this kernel's Landlock lacks a part (network, signals); better use Linux 6.12 or later",
            ),
            Self::Seccomp => (
                "nhân Linux này không lọc lời gọi hệ thống (seccomp): tiến trình phân tích mở được mạng và chạy được chương trình khác",
                "this kernel does not filter system calls (seccomp): the analysis could use the network and run programs",
            ),
            Self::Limits => (
                "không đặt được giới hạn tài nguyên cho tiến trình phân tích",
                "the limits of the analysis process could not be set",
            ),
        }
    }
}

/// Why nothing was put up.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// Another thread would stay outside.
    #[error("the sandbox comes too late: {0} threads are there already")]
    Threads(usize),
    /// The process cannot be looked at.
    #[error("/proc/self/task cannot be read: {0}")]
    Proc(#[from] std::io::Error),
}

/// Puts up the sandbox for this process, for good. What the kernel lacks for it.
///
/// # Errors
/// [`SandboxError`]: this process must not decode anything.
pub fn enter() -> Result<Vec<Lack>, SandboxError> {
    let threads = std::fs::read_dir("/proc/self/task")?.count();
    if threads != 1 {
        return Err(SandboxError::Threads(threads));
    }
    let mut lacks = Vec::new();
    if !limit() {
        lacks.push(Lack::Limits);
    }
    match lock(&readable()) {
        Ok(RulesetStatus::FullyEnforced) => {}
        Ok(RulesetStatus::PartiallyEnforced) => lacks.push(Lack::OldLandlock),
        Ok(RulesetStatus::NotEnforced) | Err(_) => lacks.push(Lack::Landlock),
    }
    // The second, or it would refuse to put up the first.
    let filtered = calls::filter(std::process::id()).is_ok_and(|programs| {
        let [allowed, unknown] = programs;
        // In this order, for putting one up is not among what is allowed.
        [unknown, allowed].iter().all(|program| seccompiler::apply_filter(program).is_ok())
    });
    if !filtered {
        lacks.push(Lack::Seccomp);
    }
    lacks.sort_unstable();
    Ok(lacks)
}

/// All that may be read, whether it is there or not.
fn readable() -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> = SYSTEM.iter().map(PathBuf::from).collect();
    for folders in FOLDERS.iter().filter_map(std::env::var_os) {
        // Somebody's whole disk is no folder of libraries.
        all.extend(std::env::split_paths(&folders).filter(|p| p.is_absolute() && p.parent().is_some()));
    }
    all.extend(std::env::var_os(REGISTRY).map(PathBuf::from));
    all.extend(runtime::library().0);
    all
}

fn lock(readable: &[impl AsRef<Path>]) -> Result<RulesetStatus, RulesetError> {
    let ruleset = Ruleset::default()
        .handle_access(AccessFs::from_all(ABI_ASKED))?
        .handle_access(AccessNet::from_all(ABI_ASKED))?
        .scope(Scope::from_all(ABI_ASKED))?
        .create()?
        .add_rules(path_beneath_rules(readable, AccessFs::ReadFile | AccessFs::ReadDir))?;
    Ok(ruleset.restrict_self()?.ruleset)
}

/// Whether all limits are in force. No core file may hold what the cameras showed.
fn limit() -> bool {
    let mut limits = vec![
        (Resource::Core, 0),
        (Resource::As, ADDRESSES_MAX),
        (Resource::Nofile, FILES_MAX),
        (Resource::Memlock, LOCKED_MAX),
        (Resource::Msgqueue, 0),
    ];
    // A log that is a file would end the process at its next line; the parent gives a pipe.
    let logs_to_file = rustix::fs::fstat(std::io::stderr())
        .is_ok_and(|s| rustix::fs::FileType::from_raw_mode(s.st_mode) == rustix::fs::FileType::RegularFile);
    if !logs_to_file {
        limits.push((Resource::Fsize, 0));
    }
    limits.into_iter().all(|(what, most)| {
        // No more than it is allowed already.
        let most = rustix::process::getrlimit(what).maximum.map_or(most, |now| now.min(most));
        setrlimit(what, Rlimit { current: Some(most), maximum: Some(most) }).is_ok()
    })
}
