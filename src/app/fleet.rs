//! Which streams run: follows the camera list in the database and starts, stops and restarts sessions to match.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use tokio::sync::watch;

use crate::{
    camera,
    domain::{
        camera::{Camera, Stream, StreamClock, StreamKind, StreamStatus},
        ids::{CameraId, StreamId},
        mask::Masks,
    },
    record::{RecordedStream, Recorder},
    runtime::{board::Board, clock::Clock, counters::Counters, stop::Stop, tasks::Tasks},
    vision::Vision,
};

/// The running sessions.
pub struct Fleet {
    recorder: Recorder,
    vision: Option<Vision>,
    clock: Clock,
    counters: Arc<Counters>,
    board: Arc<Board>,
    stop: Stop,
    tasks: Tasks,
    running: HashMap<StreamId, Running>,
    /// Whether what may not be shown is known; until then nothing is analysed.
    masked: bool,
    /// Streams whose old session has not ended yet: their new one waits for it, so that no two write at once.
    ending: HashMap<String, StreamId>,
}

struct Running {
    wanted: Wanted,
    stop: Stop,
}

/// All that a session depends on; a change of any of it restarts the session.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Wanted {
    stream: Stream,
    code: String,
    /// Whether this stream is the one analysed.
    seen: bool,
}

impl Fleet {
    /// Nothing runs yet. Without `vision` streams are only recorded.
    #[must_use]
    pub fn new(
        recorder: Recorder,
        vision: Option<Vision>,
        clock: Clock,
        counters: Arc<Counters>,
        board: Arc<Board>,
        stop: Stop,
    ) -> Self {
        let (tasks, running, ending) = (Tasks::new(), HashMap::new(), HashMap::new());
        let masked = false;
        Self { recorder, vision, clock, counters, board, stop, tasks, running, masked, ending }
    }

    /// Puts these masks in force.
    pub fn mask(&mut self, masks: BTreeMap<CameraId, Masks>) {
        self.masked = true;
        if let Some(vision) = &self.vision {
            vision.masks(masks);
        }
    }

    /// Makes the running sessions those of `cameras`. Recording waits for no mask, analysis does.
    pub fn follow(&mut self, cameras: &[Camera]) {
        let seen = |w: Wanted| Wanted { seen: w.seen && self.masked, ..w };
        let all = cameras.iter().flat_map(wanted_of).map(seen);
        let wanted: HashMap<StreamId, Wanted> = all.map(|w| (w.stream.id, w)).collect();
        let gone: Vec<StreamId> =
            self.running.iter().filter(|(id, r)| wanted.get(id) != Some(&r.wanted)).map(|(id, _)| *id).collect();
        for id in gone {
            if let Some(running) = self.running.remove(&id) {
                running.stop.ask();
                self.ending.insert(task_name(&running.wanted.stream), id);
                if !cameras.iter().any(|c| c.id == running.wanted.stream.camera) {
                    self.board.forget(running.wanted.stream.camera);
                }
            }
        }
        for (id, wanted) in wanted {
            let waits = self.ending.values().any(|ending| *ending == id);
            if !waits && !self.running.contains_key(&id) {
                self.start(wanted);
            }
        }
    }

    fn start(&mut self, wanted: Wanted) {
        let stop = self.stop.child();
        let stream = wanted.stream.clone();
        let (status, mut statuses) = watch::channel(StreamStatus::Connecting);
        let (clock, mut clocks) = watch::channel(StreamClock::default());
        let out = camera::Outputs {
            record: self.recorder.stream(RecordedStream {
                camera: stream.camera,
                camera_code: wanted.code.clone(),
                stream: stream.id,
                kind: stream.kind,
            }),
            vision: self.vision.as_ref().filter(|_| wanted.seen).map(|vision| vision.camera(stream.camera)),
            status,
            clock,
        };
        let (board, board_of_clocks) = (Arc::clone(&self.board), Arc::clone(&self.board));
        let (camera_id, kind) = (stream.camera, stream.kind);
        board.set_status(camera_id, kind, StreamStatus::Connecting);
        let session = camera::run(stream.clone(), out, self.clock.clone(), Arc::clone(&self.counters), stop.clone());
        self.tasks.spawn(task_name(&stream), async move {
            let mirror = async {
                while statuses.changed().await.is_ok() {
                    let status = statuses.borrow_and_update().clone();
                    board.set_status(camera_id, kind, status);
                }
            };
            let clocks = async {
                while clocks.changed().await.is_ok() {
                    let clock = *clocks.borrow_and_update();
                    board_of_clocks.set_clock(camera_id, kind, clock);
                }
            };
            tokio::join!(session, mirror, clocks);
        });
        self.running.insert(stream.id, Running { wanted, stop });
    }

    /// Waits until a session has ended (one that was told to, or one that should not have).
    pub async fn session_ended(&mut self) {
        let Some(ended) = self.tasks.next_ended().await else {
            return std::future::pending().await;
        };
        if ended.panicked {
            self.counters.panics.add(1);
        }
        if self.ending.remove(&ended.name).is_none() {
            // A session ends by itself only by a panic outside its own guard: forget it, so that `follow` starts it anew.
            self.running.retain(|_, r| task_name(&r.wanted.stream) != ended.name);
        }
    }

    /// Waits until every session has ended; `stop` must have been asked.
    pub async fn drain(mut self) {
        self.tasks.drain().await;
    }
}

fn task_name(stream: &Stream) -> String {
    format!("camera {} {}", stream.camera, stream.kind.name())
}

/// The sub stream is analysed; a camera that has none is analysed on its main stream.
fn wanted_of(camera: &Camera) -> impl Iterator<Item = Wanted> + '_ {
    let seen = if camera.stream(StreamKind::Sub).is_some() { StreamKind::Sub } else { StreamKind::Main };
    // On a thin line the main stream is left alone altogether: even a session nobody records would take the line.
    let wanted = |s: &&Stream| s.kind == StreamKind::Sub || camera.main_off_us.is_none();
    camera.streams.iter().filter(wanted).map(move |stream| Wanted {
        stream: stream.clone(),
        code: camera.code.clone(),
        seen: stream.kind == seen,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        camera::{RtspUrl, Secret},
        ids::CameraId,
    };

    #[test]
    fn on_a_thin_line_only_the_sub_stream_is_fetched_and_it_is_the_one_analysed() {
        let stream = |id, kind| Stream {
            id: StreamId(id),
            camera: CameraId(1),
            kind,
            url: RtspUrl::parse("rtsp://10.0.0.1/1").unwrap().0,
            username: String::new(),
            password: Secret::default(),
        };
        let camera = |main_off_us| Camera {
            id: CameraId(1),
            code: "C01".into(),
            name: "a".into(),
            cluster: None,
            cluster_name: String::new(),
            hamlet: String::new(),
            enabled_us: 1,
            retired_us: None,
            main_off_us,
            streams: vec![stream(1, StreamKind::Main), stream(2, StreamKind::Sub)],
        };
        let wanted = |off| wanted_of(&camera(off)).map(|w| (w.stream.id.0, w.seen)).collect::<Vec<_>>();
        assert_eq!(wanted(None), [(1, false), (2, true)]);
        assert_eq!(wanted(Some(5)), [(2, true)]);
    }
}
