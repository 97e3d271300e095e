//! Which system calls the child may make: a list of what decoding and inference need; all others fail.
//!
//! A list of what is allowed and not of what is forbidden: calls that a later kernel brings, and the second numbering
//! of x86-64 (x32), are then forbidden too. A call of another architecture ends the process (seccomp(2)). A forbidden
//! one fails with `EPERM`, two with `ENOSYS`, upon which the C library takes an older one that can be looked into.

use std::collections::BTreeMap;

use libc::c_long;
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen::Dword, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule,
};

/// Calls allowed whatever their arguments: memory, threads, time, waiting, reading and writing what is open.
const FREE: &[c_long] = &[
    // Memory. What is mapped was opened, and for that see `opening`.
    libc::SYS_brk,
    libc::SYS_mmap,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_mprotect,
    libc::SYS_madvise,
    libc::SYS_mincore,
    libc::SYS_mlock,
    libc::SYS_munlock,
    libc::SYS_msync,
    libc::SYS_get_mempolicy,
    libc::SYS_membarrier,
    // Files that are open, and names.
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_pread64,
    libc::SYS_preadv,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_lseek,
    libc::SYS_close,
    libc::SYS_dup,
    libc::SYS_dup3,
    libc::SYS_fcntl,
    libc::SYS_fstat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_statfs,
    libc::SYS_fstatfs,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_readlinkat,
    libc::SYS_getdents64,
    libc::SYS_getcwd,
    libc::SYS_fadvise64,
    // Threads.
    libc::SYS_futex,
    libc::SYS_set_robust_list,
    libc::SYS_get_robust_list,
    libc::SYS_set_tid_address,
    libc::SYS_rseq,
    libc::SYS_gettid,
    libc::SYS_getpid,
    libc::SYS_getppid,
    libc::SYS_getpgid,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_setaffinity,
    libc::SYS_sched_getparam,
    libc::SYS_sched_getscheduler,
    libc::SYS_sched_get_priority_max,
    libc::SYS_sched_get_priority_min,
    libc::SYS_getcpu,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_rt_sigpending,
    libc::SYS_rt_sigtimedwait,
    libc::SYS_sigaltstack,
    libc::SYS_restart_syscall,
    // Time.
    libc::SYS_clock_gettime,
    libc::SYS_clock_getres,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_gettimeofday,
    libc::SYS_times,
    // Waiting, within the process.
    libc::SYS_ppoll,
    libc::SYS_pselect6,
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_eventfd2,
    libc::SYS_pipe2,
    // The socket to the parent; a new one cannot be had.
    libc::SYS_recvfrom,
    libc::SYS_shutdown,
    libc::SYS_getsockname,
    libc::SYS_getpeername,
    libc::SYS_getsockopt,
    libc::SYS_setsockopt,
    // What the machine is.
    libc::SYS_uname,
    libc::SYS_sysinfo,
    libc::SYS_getrandom,
    libc::SYS_getrusage,
    libc::SYS_getuid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getegid,
    libc::SYS_getpriority,
];

/// The older calls of x86-64 for the same things.
#[cfg(target_arch = "x86_64")]
const FREE_HERE: &[c_long] = &[
    libc::SYS_arch_prctl,
    libc::SYS_stat,
    libc::SYS_lstat,
    libc::SYS_access,
    libc::SYS_readlink,
    libc::SYS_getdents,
    libc::SYS_dup2,
    libc::SYS_getpgrp,
    libc::SYS_getrlimit,
    libc::SYS_poll,
    libc::SYS_select,
    libc::SYS_epoll_create,
    libc::SYS_epoll_wait,
    libc::SYS_eventfd,
    libc::SYS_pipe,
    libc::SYS_time,
];
#[cfg(not(target_arch = "x86_64"))]
const FREE_HERE: &[c_long] = &[];

/// Calls said not to exist, because what they are to do stands where a filter cannot look.
const UNKNOWN: [c_long; 2] = [libc::SYS_clone3, libc::SYS_openat2];

/// Everything by which opening a file changes one. `O_TMPFILE` needs one of the first two.
const CHANGING: [libc::c_int; 4] = [libc::O_WRONLY, libc::O_RDWR, libc::O_CREAT, libc::O_TRUNC];

fn when(arg: u8, how: SeccompCmpOp, value: u64) -> Result<SeccompCondition, BackendError> {
    SeccompCondition::new(arg, Dword, how, value)
}

/// Allowed when the argument is one of these.
fn one_of(arg: u8, values: &[u64]) -> Result<Vec<SeccompRule>, BackendError> {
    values.iter().map(|v| SeccompRule::new(vec![when(arg, SeccompCmpOp::Eq, *v)?])).collect()
}

/// Allowed when none of the flags that change a file stands in the argument.
fn reading(arg: u8) -> Result<Vec<SeccompRule>, BackendError> {
    let none = |flag: &libc::c_int| when(arg, SeccompCmpOp::MaskedEq(flag.unsigned_abs().into()), 0);
    Ok(vec![SeccompRule::new(CHANGING.iter().map(none).collect::<Result<_, _>>()?)?])
}

/// The filter for a process of that number.
pub(super) fn filter(pid: u32) -> Result<[BpfProgram; 2], BackendError> {
    let mut rules: BTreeMap<c_long, Vec<SeccompRule>> =
        FREE.iter().chain(FREE_HERE).map(|c| (*c, Vec::new())).collect();
    // Another thread, never another process.
    let thread = libc::CLONE_THREAD.unsigned_abs().into();
    let thread = SeccompRule::new(vec![when(0, SeccompCmpOp::MaskedEq(thread), thread)?])?;
    rules.insert(libc::SYS_clone, vec![thread]);
    rules.insert(libc::SYS_openat, reading(2)?);
    #[cfg(target_arch = "x86_64")]
    rules.insert(libc::SYS_open, reading(1)?);
    // To the parent only: a datagram socket could be given another address. GStreamer wakes its threads by such a pair.
    let (unix, stream) = (libc::AF_UNIX.unsigned_abs().into(), libc::SOCK_STREAM.unsigned_abs().into());
    let pair = vec![when(0, SeccompCmpOp::Eq, unix)?, when(1, SeccompCmpOp::MaskedEq(0xf), stream)?];
    rules.insert(libc::SYS_socketpair, vec![SeccompRule::new(pair)?]);
    rules.insert(libc::SYS_sendto, one_of(5, &[0])?);
    // Signals to itself only: that is how a C library aborts.
    rules.insert(libc::SYS_tgkill, one_of(0, &[pid.into()])?);
    let names = [libc::PR_SET_NAME, libc::PR_GET_NAME, libc::PR_SET_VMA, libc::PR_GET_DUMPABLE];
    rules.insert(libc::SYS_prctl, one_of(0, &names.map(|n| n.unsigned_abs().into()))?);
    // Asked for, not set. The pointer to what is to be set has two halves.
    let asked = vec![SeccompCondition::new(2, seccompiler::SeccompCmpArgLen::Qword, SeccompCmpOp::Eq, 0)?];
    rules.insert(libc::SYS_prlimit64, vec![SeccompRule::new(asked)?]);
    // Is it a terminal, how much is there, do not block; nothing that types into a terminal.
    let devices = [libc::TCGETS, libc::FIONREAD, libc::FIONBIO, libc::FIOCLEX];
    rules.insert(libc::SYS_ioctl, one_of(1, &devices)?);
    rules.extend(UNKNOWN.map(|c| (c, Vec::new())));

    let refuse = |errno: libc::c_int| SeccompAction::Errno(errno.unsigned_abs());
    let arch = std::env::consts::ARCH.try_into()?;
    let allowed = SeccompFilter::new(rules, refuse(libc::EPERM), SeccompAction::Allow, arch)?;
    // Of two filters the stricter answer counts.
    let unknown = UNKNOWN.into_iter().map(|c| (c, Vec::new())).collect();
    let unknown = SeccompFilter::new(unknown, SeccompAction::Allow, refuse(libc::ENOSYS), arch)?;
    Ok([allowed.try_into()?, unknown.try_into()?])
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use seccompiler::sock_filter;

    use super::*;

    const PID: u32 = 4711;
    const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;
    const EPERM: u32 = libc::SECCOMP_RET_ERRNO | libc::EPERM as u32;
    const ENOSYS: u32 = libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32;
    const X86_64: u32 = 0xc000_003e;

    /// Runs a filter as the kernel does: `struct seccomp_data` is number, architecture, instruction pointer, arguments.
    fn run(program: &[sock_filter], arch: u32, number: u32, args: [u64; 6]) -> u32 {
        let mut data = [number, arch, 0, 0].to_vec();
        data.extend(args.iter().flat_map(|a| [*a as u32, (*a >> 32) as u32]));
        let (mut at, mut a) = (0usize, 0u32);
        loop {
            let op = &program[at];
            at += 1;
            let jump = |yes: bool| usize::from(if yes { op.jt } else { op.jf });
            match u32::from(op.code) {
                0x20 => a = data[op.k as usize / 4],
                0x54 => a &= op.k,
                0x05 => at += op.k as usize,
                0x15 => at += jump(a == op.k),
                0x25 => at += jump(a > op.k),
                0x35 => at += jump(a >= op.k),
                0x06 => return op.k,
                other => panic!("an instruction this knows not: {other:#x}"),
            }
        }
    }

    /// The stricter of both answers; of two errors that of the filter put in last.
    fn answer_in(arch: u32, number: c_long, args: [u64; 6]) -> u32 {
        let [allowed, unknown] = filter(PID).unwrap();
        let [allowed, unknown] = [&allowed, &unknown].map(|p| run(p, arch, number as u32, args));
        if unknown == ALLOW { allowed } else { unknown }
    }

    fn answer(number: c_long, args: &[u64]) -> u32 {
        let mut all = [0; 6];
        all[..args.len()].copy_from_slice(args);
        answer_in(X86_64, number, all)
    }

    #[test]
    fn all_that_is_not_listed_is_refused_also_in_the_second_numbering_and_in_numbers_to_come() {
        let mut allowed = Vec::new();
        for number in (0..700).chain(0x4000_0000..0x4000_02bc) {
            for first in [0, u64::MAX, 0x10_0000] {
                match answer(number, &[first, first, first, first, first, first]) {
                    EPERM | ENOSYS => {}
                    ALLOW => allowed.push(number),
                    other => panic!("{number}: {other:#x}"),
                }
            }
        }
        allowed.dedup();
        let listed = |n: &c_long| FREE.contains(n) || FREE_HERE.contains(n);
        let partly = [
            libc::SYS_clone,
            libc::SYS_open,
            libc::SYS_openat,
            libc::SYS_sendto,
            libc::SYS_tgkill,
            libc::SYS_prctl,
            libc::SYS_prlimit64,
        ];
        for number in allowed {
            assert!(listed(&number) || partly.contains(&number), "call {number}");
        }
        for never in [
            libc::SYS_execve,
            libc::SYS_execveat,
            libc::SYS_fork,
            libc::SYS_vfork,
            libc::SYS_socket,
            libc::SYS_connect,
            libc::SYS_bind,
            libc::SYS_sendmsg,
            libc::SYS_sendmmsg,
            libc::SYS_recvmsg,
            libc::SYS_ptrace,
            libc::SYS_process_vm_readv,
            libc::SYS_kill,
            libc::SYS_pidfd_getfd,
            libc::SYS_memfd_create,
            libc::SYS_bpf,
            libc::SYS_keyctl,
            libc::SYS_io_uring_setup,
            libc::SYS_mount,
            libc::SYS_unshare,
            libc::SYS_setns,
            libc::SYS_userfaultfd,
            libc::SYS_perf_event_open,
            libc::SYS_unlinkat,
            libc::SYS_ftruncate,
            libc::SYS_chmod,
            libc::SYS_shmget,
            libc::SYS_mq_open,
        ] {
            assert_eq!(answer(never, &[]), EPERM, "call {never}");
        }
        assert_eq!([answer(libc::SYS_clone3, &[]), answer(libc::SYS_openat2, &[])], [ENOSYS; 2]);
        assert_eq!(answer_in(0x4000_0003, 11, [0; 6]), libc::SECCOMP_RET_KILL_PROCESS, "of 32 bits");
    }

    #[test]
    fn threads_but_no_process_reading_but_no_writing_itself_but_nobody_else() {
        let thread = libc::CLONE_THREAD as u64 | libc::CLONE_VM as u64;
        assert_eq!([answer(libc::SYS_clone, &[thread]), answer(libc::SYS_clone, &[17])], [ALLOW, EPERM]);
        for (call, before) in [(libc::SYS_open, 1), (libc::SYS_openat, 2)] {
            let open = |flags: libc::c_int| answer(call, &[&[7, 7][..before], &[flags as u64]].concat());
            assert_eq!(open(libc::O_RDONLY | libc::O_CLOEXEC | libc::O_DIRECTORY), ALLOW);
            for changing in
                [libc::O_WRONLY, libc::O_RDWR, libc::O_CREAT, libc::O_TRUNC, 3, libc::O_RDWR | libc::O_TMPFILE]
            {
                assert_eq!(open(changing), EPERM, "{changing:#o}");
            }
        }
        let pair = |family, kind: i32| answer(libc::SYS_socketpair, &[family as u64, kind as u64]);
        assert_eq!(pair(libc::AF_UNIX, libc::SOCK_STREAM | libc::SOCK_CLOEXEC), ALLOW);
        assert_eq!([pair(libc::AF_UNIX, libc::SOCK_DGRAM), pair(libc::AF_INET, libc::SOCK_STREAM)], [EPERM; 2]);
        assert_eq!(answer(libc::SYS_sendto, &[0, 1, 1, 0, 1, 16]), EPERM, "to an address");
        assert_eq!(answer(libc::SYS_sendto, &[0, 1, 1, 0, 0, 0]), ALLOW);
        assert_eq!([answer(libc::SYS_tgkill, &[PID.into()]), answer(libc::SYS_tgkill, &[1])], [ALLOW, EPERM]);
        assert_eq!(answer(libc::SYS_ioctl, &[0, libc::TIOCSTI]), EPERM);
        assert_eq!(
            [answer(libc::SYS_prlimit64, &[0, 7, 0]), answer(libc::SYS_prlimit64, &[0, 7, 1 << 32])],
            [ALLOW, EPERM]
        );
        assert_eq!(answer(libc::SYS_prctl, &[libc::PR_SET_SECCOMP as u64]), EPERM);
    }
}
