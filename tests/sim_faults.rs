//! What a bare client sees of each fault that the simulator can play.

#[path = "common/wait.rs"]
mod wait;

use std::{io::ErrorKind, path::PathBuf, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{sleep, timeout},
};
use vonglau::{
    runtime::{stop::Stop, tasks::Tasks},
    sim::{self, Options, Sim, ledger},
};

/// Nothing here takes this long unless it hangs.
const HANGS: Duration = Duration::from_secs(60);

async fn started(folder: &std::path::Path, cameras: u32, script: &str) -> (Sim, Tasks, PathBuf) {
    started_at(folder, cameras, script, false).await
}

async fn started_at(
    folder: &std::path::Path,
    cameras: u32,
    script: &str,
    port_per_camera: bool,
) -> (Sim, Tasks, PathBuf) {
    let (faults, list) = (folder.join("faults.toml"), folder.join("ledger.jsonl"));
    std::fs::write(&faults, script).expect("the script is written");
    let options = Options {
        cameras,
        port_per_camera,
        size: (160, 96),
        sub_size: (96, 64),
        loop_s: 2,
        gop: 5,
        ledger: Some(list.clone()),
        faults: Some(faults),
        ..Options::default()
    };
    let mut tasks = Tasks::new();
    let sim = sim::start(options, Stop::new(), &mut tasks).await.expect("the simulator starts");
    (sim, tasks, list)
}

struct Client {
    socket: TcpStream,
    url: String,
    cseq: u32,
}

impl Client {
    async fn to(sim: &Sim, camera: u32) -> Self {
        let socket = TcpStream::connect(("127.0.0.1", sim.port)).await.expect("it listens");
        Self { socket, url: sim.main_url(camera), cseq: 0 }
    }
    async fn ask(&mut self, method: &str, more: &str) {
        self.cseq += 1;
        let text = format!("{method} {} RTSP/1.0\r\nCSeq: {}\r\n{more}\r\n", self.url, self.cseq);
        self.socket.write_all(text.as_bytes()).await.expect("it is taken");
    }
    /// What has come after at most 20 s, or at once the error.
    async fn read(&mut self) -> Result<Vec<u8>, ErrorKind> {
        let mut buffer = vec![0; 4096];
        let read = timeout(HANGS, self.socket.read(&mut buffer)).await.expect("something comes");
        let count = read.map_err(|e| e.kind())?;
        buffer.truncate(count);
        Ok(buffer)
    }
    async fn says_nothing(&mut self) -> bool {
        timeout(Duration::from_millis(700), self.socket.read_u8()).await.is_err()
    }
}

#[tokio::test]
async fn each_fault_is_seen_by_a_client_and_healthy_cameras_answer() {
    let folder = tempfile::tempdir().expect("a folder");
    let kinds = ["silence", "close", "garbage", "slow", "unauthorized", "no_key", "reboot"];
    let one = |(i, kind): (usize, &&str)| {
        format!("[[fault]]\nat = 0\ncamera = {}\nfault = \"{kind}\"\nseconds = 600\n", i + 1)
    };
    let script: String = kinds.iter().enumerate().map(one).collect();
    let (sim, mut tasks, list) = started(folder.path(), 8, &script).await;
    let mut clients = Vec::new();
    for camera in 1..=8 {
        let mut client = Client::to(&sim, camera).await;
        client.ask("DESCRIBE", "").await;
        clients.push(client);
    }
    assert!(clients[0].says_nothing().await, "silence");
    for away in [1, 6] {
        assert_eq!(clients[away].read().await, Err(ErrorKind::ConnectionReset), "{}", kinds[away]);
    }
    let garbage = clients[2].read().await.expect("garbage");
    assert!(garbage.len() > 100 && garbage.iter().all(|b| *b >= 0x80));
    let slow = clients[3].read().await.expect("slow");
    assert!(b"RTSP/1.0 200".starts_with(&slow) && slow.len() < 12, "{slow:?}");
    assert!(clients[4].read().await.expect("an answer").starts_with(b"RTSP/1.0 401"));
    assert!(clients[7].read().await.expect("an answer").starts_with(b"RTSP/1.0 200"));

    // Without key frames: what is sent is sent, the key frames are not.
    let keyless = &mut clients[5];
    assert!(keyless.read().await.expect("an answer").starts_with(b"RTSP/1.0 200"));
    keyless.ask("SETUP", "Transport: RTP/AVP/TCP;interleaved=0-1\r\n").await;
    keyless.read().await.expect("an answer");
    keyless.ask("PLAY", "").await;
    let mut seen = 0;
    while seen < 100_000 {
        seen += keyless.read().await.expect("pictures").len();
    }
    wait::done(sim.finish()).await;
    wait::done(tasks.drain()).await;
    let sent = ledger::read(&list).expect("the ledger");
    assert!(sent.len() > 8 && sent.iter().all(|e| e.camera == 6 && !e.key), "{sent:?}");
}

#[tokio::test]
async fn after_a_reboot_of_all_the_port_opens_again_and_the_pictures_have_another_size() {
    let folder = tempfile::tempdir().expect("a folder");
    let script = "[[fault]]\nat = 0.5\nfault = \"reboot\"\nseconds = 1.5\nparams = true\n";
    let (sim, mut tasks, _) = started(folder.path(), 1, script).await;
    let mut client = Client::to(&sim, 1).await;
    client.ask("DESCRIBE", "").await;
    let before = String::from_utf8(client.read().await.expect("an answer")).expect("text");
    assert_eq!(client.read().await, Err(ErrorKind::ConnectionReset));
    let mut refused = 0;
    let socket = loop {
        match TcpStream::connect(("127.0.0.1", sim.port)).await {
            Ok(socket) => break socket,
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionRefused),
        }
        refused += 1;
        assert!(refused < 6000, "it never comes back");
        sleep(Duration::from_millis(10)).await;
    };
    assert!(refused > 0, "it was never away");
    let mut client = Client { socket, url: sim.main_url(1), cseq: 0 };
    client.ask("DESCRIBE", "").await;
    let after = String::from_utf8(client.read().await.expect("an answer")).expect("text");
    let sets = |text: &str| text.lines().find_map(|l| Some(l.split_once("sprop-parameter-sets=")?.1.to_owned()));
    assert!(sets(&before).is_some() && sets(&after).is_some() && sets(&before) != sets(&after), "{after}");
    wait::done(sim.finish()).await;
    wait::done(tasks.drain()).await;
}

#[tokio::test]
async fn a_camera_with_a_port_of_its_own_closes_it_while_the_others_stay_open() {
    let folder = tempfile::tempdir().expect("a folder");
    let script = "[[fault]]\nat = 0\ncamera = 2\nfault = \"close\"\nseconds = 600\n";
    let (sim, mut tasks, _) = started_at(folder.path(), 3, script, true).await;
    let port = |camera| sim.main_url(camera)[17..].split('/').next().expect("a port").parse::<u16>().expect("a port");
    assert!(port(1) != port(2) && port(2) != port(3) && port(1) == sim.port);
    for camera in [1, 3] {
        let socket = TcpStream::connect(("127.0.0.1", port(camera))).await.expect("it listens");
        let mut client = Client { socket, url: sim.sub_url(camera), cseq: 0 };
        client.ask("DESCRIBE", "").await;
        assert!(client.read().await.expect("an answer").starts_with(b"RTSP/1.0 200"));
    }
    let mut waits = 0;
    while TcpStream::connect(("127.0.0.1", port(2))).await.is_ok() {
        // It listens for an instant before the fault of its first moment closes it.
        waits += 1;
        assert!(waits < 6000, "it never closes");
        sleep(Duration::from_millis(10)).await;
    }
    sim.finish().await;
    tasks.drain().await;
}
