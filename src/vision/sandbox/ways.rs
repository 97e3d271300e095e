//! The ways out of the sandbox, tried from inside: for `vonglau check` and the tests.
//!
//! Each is a thing that hostile code would like to do. On a sound kernel every one of them is refused; what succeeds is
//! undone by the end of the process, which is only started for this.

use std::{
    io::{Error, ErrorKind, Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket},
    os::unix::{
        net::{UnixDatagram, UnixListener},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::Command,
};

use rustix::fs::{MemfdFlags, inotify};
use serde::{Deserialize, Serialize};

use super::{Lack, SandboxError, enter};

/// How one way went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tried {
    /// What was tried.
    pub what: String,
    /// Whether the kernel refused it, as it should.
    pub refused: bool,
    /// What the kernel said.
    pub said: String,
}

fn tried<T>(what: &str, outcome: Result<T, Error>) -> Tried {
    let what = what.to_owned();
    match outcome {
        Ok(_) => Tried { what, refused: false, said: "done".to_owned() },
        Err(e) => {
            // Another error would mean that it failed for a reason of its own, and proves nothing.
            let refused = e.kind() == ErrorKind::PermissionDenied || e.raw_os_error() == Some(libc::EPERM);
            Tried { what, refused, said: e.to_string() }
        }
    }
}

/// Enters the sandbox and tries them all. What the kernel lacks, and how each way went. `private` is a file of the
/// account's in a folder of its own, made for this: where nothing is refused, both are changed.
///
/// # Errors
/// As [`enter`].
pub fn try_all(private: &Path) -> Result<(Vec<Lack>, Vec<Tried>), SandboxError> {
    let folder = private.parent().map_or_else(|| PathBuf::from("/"), Path::to_path_buf);
    let lacks = enter()?;
    let mut all = files(private, &folder);
    all.extend(sockets(&folder));
    all.extend(processes());
    Ok((lacks, all))
}

fn files(private: &Path, folder: &Path) -> Vec<Tried> {
    let read = |path: &Path| std::fs::File::open(path).and_then(|mut f| f.read(&mut [0; 16]));
    let new = |path: &Path| std::fs::File::create(path).and_then(|mut f| f.write(b"x"));
    let append = |path: &Path| std::fs::OpenOptions::new().append(true).open(path);
    vec![
        tried("read a private file", read(private)),
        tried("read /etc/passwd", read(Path::new("/etc/passwd"))),
        tried("read another process's memory map", read(&PathBuf::from(format!("/proc/{}/maps", parent())))),
        tried("read its own environment", read(Path::new("/proc/self/environ"))),
        tried("list the private folder", std::fs::read_dir(folder)),
        tried("list /", std::fs::read_dir("/")),
        tried("list /tmp", std::fs::read_dir("/tmp")),
        tried("write a new file in the private folder", new(&folder.join("vonglau-sandbox-try"))),
        tried("write a new file in /tmp", new(Path::new("/tmp/vonglau-sandbox-try"))),
        tried("write to a private file", append(private)),
        tried("write to /dev/null", append(Path::new("/dev/null"))),
        tried("make a folder", std::fs::create_dir(folder.join("vonglau-sandbox-try"))),
        tried("remove a private file", std::fs::rename(private, folder.join("vonglau-sandbox-try"))),
        tried("change a private file's mode", {
            use std::os::unix::fs::PermissionsExt;
            std::fs::set_permissions(private, std::fs::Permissions::from_mode(0o600))
        }),
        tried("link to a private file", std::fs::hard_link(private, folder.join("vonglau-sandbox-try"))),
        tried("memory as a file", rustix::fs::memfd_create("x", MemfdFlags::CLOEXEC).map_err(Error::from)),
        tried("wait for files to change", inotify::init(inotify::CreateFlags::CLOEXEC).map_err(Error::from)),
    ]
}

fn sockets(folder: &Path) -> Vec<Tried> {
    let here = (Ipv4Addr::LOCALHOST, 9);
    vec![
        tried("connect by TCP", TcpStream::connect(here)),
        tried("listen by TCP", TcpListener::bind((Ipv4Addr::LOCALHOST, 0))),
        tried("send by UDP", UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|s| s.send_to(b"x", here))),
        tried("a Unix datagram socket", UnixDatagram::unbound()),
        tried("a pair of Unix datagram sockets", UnixDatagram::pair()),
        tried("listen on a Unix socket", UnixListener::bind(folder.join("vonglau-sandbox-socket"))),
        tried("talk to the kernel by netlink", {
            use rustix::net::{AddressFamily, SocketType, socket};
            socket(AddressFamily::NETLINK, SocketType::RAW, None).map_err(Error::from)
        }),
    ]
}

fn processes() -> Vec<Tried> {
    use rustix::process::{Pid, PidfdFlags, Signal};
    let parent = Pid::from_raw(parent());
    let parent = || parent.ok_or_else(|| Error::from(ErrorKind::NotFound));
    let limit = rustix::process::Rlimit { current: Some(64), maximum: Some(64) };
    vec![
        tried("start a program", Command::new("/bin/true").status()),
        // Comes back only when it was refused.
        tried("become another program", Err::<(), _>(Command::new("/bin/true").exec())),
        tried("ask for another process", parent().and_then(|p| Ok(rustix::process::test_kill_process(p)?))),
        tried(
            "a signal to another process",
            parent().and_then(|p| Ok(rustix::process::kill_process(p, Signal::CONT)?)),
        ),
        tried("hold another process", parent().and_then(|p| Ok(rustix::process::pidfd_open(p, PidfdFlags::empty())?))),
        tried(
            "another limit",
            rustix::process::setrlimit(rustix::process::Resource::Nofile, limit).map_err(Error::from),
        ),
        tried("leave the folder it is in", std::env::set_current_dir("/")),
        tried("the log of the kernel", std::fs::File::open("/dev/kmsg")),
    ]
}

fn parent() -> i32 {
    rustix::process::getppid().map_or(1, |p| p.as_raw_nonzero().get())
}
