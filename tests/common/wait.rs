//! Every wait of a test has an end: what never comes fails the test and names the place.
#![allow(dead_code, reason = "each test program waits for a part of it")]

use std::{
    io::Read,
    panic::Location,
    process::{Child, Command, ExitStatus, Output, Stdio},
    thread::{JoinHandle, sleep, spawn},
    time::{Duration, Instant},
};

/// How long a test waits before it is called hanging; nothing is asserted about speed.
pub const HANGING: Duration = Duration::from_secs(120);
/// The same for a whole program, which may have a long film to look at.
const PROGRAM: Duration = Duration::from_secs(900);

/// The result of a future.
#[track_caller]
pub fn done<T>(future: impl Future<Output = T>) -> impl Future<Output = T> {
    let place = Location::caller();
    async move { tokio::time::timeout(HANGING, future).await.unwrap_or_else(|_| panic!("waited in vain at {place}")) }
}

/// Asks again and again until it holds, and lets others run meanwhile.
#[track_caller]
pub fn holds(mut now: impl AsyncFnMut() -> bool) -> impl Future<Output = ()> {
    done(async move {
        while !now().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
}

/// Asks again and again until it holds.
#[track_caller]
pub fn until(now: impl Fn() -> bool) {
    let since = Instant::now();
    while !now() {
        assert!(since.elapsed() < HANGING, "waited in vain");
        sleep(Duration::from_millis(5));
    }
}

/// The end of a process; one that does not end is killed.
#[track_caller]
pub fn ended(child: &mut Child) -> ExitStatus {
    let since = Instant::now();
    loop {
        match child.try_wait().expect("it can be waited for") {
            Some(status) => return status,
            None if since.elapsed() < PROGRAM => sleep(Duration::from_millis(10)),
            None => {
                let _ = child.kill();
                let _ = child.wait();
                panic!("process {} does not end", child.id());
            }
        }
    }
}

/// What a program says and how it ends; with no input unless the command has one.
#[track_caller]
pub fn output(command: &mut Command) -> Output {
    let spawned = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = spawned.unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let (out, err) = (child.stdout.take().map(whole), child.stderr.take().map(whole));
    let status = ended(&mut child);
    let text = |reader: Option<JoinHandle<Vec<u8>>>| reader.map(|r| r.join().expect("it is read")).unwrap_or_default();
    Output { status, stdout: text(out), stderr: text(err) }
}

/// Read beside the waiting: a full pipe would keep the program from ending.
fn whole(mut pipe: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    spawn(move || {
        let mut bytes = Vec::new();
        let _ = pipe.read_to_end(&mut bytes);
        bytes
    })
}
