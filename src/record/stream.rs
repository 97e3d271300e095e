//! One stream's packets on their way to the writer.

use std::{
    sync::{Arc, mpsc::Sender},
    time::Duration,
};

use tokio::{
    sync::{Mutex, OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use super::{
    RecordedStream, alarms,
    disk::Job,
    live::Live,
    lost::Lost,
    segmenter::{Fragment, Segmenter},
};
use crate::{
    domain::{alarm::AlarmKind, packet::Packet, segment::GapCause},
    runtime::{board::Board, clock::Clock, counters::Counters, queue::Receiver, tasks::ShortTasks, throttle::Throttle},
};

/// Bytes of fragments that may wait for the disk, all streams together.
pub(super) const QUEUE_BYTES: usize = 256 << 20;
/// When nothing came for so long, what is held back is written.
const IDLE: Duration = Duration::from_secs(2);
/// After so many idle times the camera is gone and its file is finished.
const IDLES_TO_CLOSE: u32 = 45;
/// How long a fragment waits for room before it is given up.
const PATIENCE: Duration = Duration::from_secs(10);

/// What all streams share.
#[derive(Debug)]
pub(super) struct Shared {
    pub jobs: Sender<Job>,
    pub room: Arc<Semaphore>,
    pub clock: Clock,
    pub counters: Arc<Counters>,
    pub board: Arc<Board>,
    pub live: Live,
    pub overload: Throttle,
    pub patience: Duration,
}

impl Shared {
    pub(super) fn new(jobs: Sender<Job>, clock: Clock, counters: Arc<Counters>, board: Arc<Board>) -> Self {
        let room = Arc::new(Semaphore::new(QUEUE_BYTES));
        let live = Live::new(Arc::clone(&counters));
        Self { jobs, room, clock, counters, board, live, overload: Throttle::default(), patience: PATIENCE }
    }
}

/// Takes packets until the last sender is gone. A panic loses what was held back, not the stream.
pub(super) async fn run(
    stream: Arc<RecordedStream>,
    packets: Receiver<Packet>,
    shared: Arc<Shared>,
    tasks: ShortTasks,
) {
    let packets = Arc::new(Mutex::new(packets));
    loop {
        let (stream, packets, mine) = (stream.clone(), packets.clone(), shared.clone());
        let work = async move {
            let mut packets = packets.lock().await;
            Recording { stream, shared: mine, segmenter: Segmenter::default(), shed: None }.run(&mut packets).await;
        };
        if tasks.run(work).await.is_ok() {
            return;
        }
        shared.counters.panics.add(1);
    }
}

struct Recording {
    stream: Arc<RecordedStream>,
    shared: Arc<Shared>,
    segmenter: Segmenter,
    /// What was given up since the disk last kept up.
    shed: Option<Lost>,
}

impl Recording {
    async fn run(mut self, packets: &mut Receiver<Packet>) {
        let mut idles = 0;
        loop {
            let fragments = match timeout(IDLE, packets.recv()).await {
                Ok(Some(packet)) => {
                    idles = 0;
                    self.shared.live.push(&packet);
                    self.segmenter.push(packet)
                }
                Ok(None) => break,
                Err(_) => {
                    idles += 1;
                    if idles == IDLES_TO_CLOSE { self.segmenter.end() } else { self.segmenter.idle() }
                }
            };
            for fragment in fragments {
                self.hand_over(fragment).await;
            }
            if idles == IDLES_TO_CLOSE {
                self.send(Job::Close(self.stream.stream));
            }
        }
        for fragment in self.segmenter.end() {
            self.hand_over(fragment).await;
        }
        self.send(Job::Close(self.stream.stream));
        self.tell_shed();
        self.shared.live.end(self.stream.stream);
    }

    async fn hand_over(&mut self, fragment: Fragment) {
        let Some(room) = self.room_for(&fragment).await else { return self.give_up(&fragment) };
        self.tell_shed();
        let samples = fragment.samples.len() as u64;
        if !self.send(Job::Append { stream: self.stream.clone(), fragment, room }) {
            self.shared.counters.packets_lost.add(samples);
        }
    }

    /// Waits for room, unless it has waited in vain before: then the camera must not be kept waiting too, and what comes
    /// is of use only from a key frame on.
    async fn room_for(&self, fragment: &Fragment) -> Option<OwnedSemaphorePermit> {
        let bytes = u32::try_from(fragment.size_bytes().clamp(1, QUEUE_BYTES)).unwrap_or(u32::MAX);
        let room = self.shared.room.clone();
        if self.shed.is_none() {
            return timeout(self.shared.patience, room.acquire_many_owned(bytes)).await.ok()?.ok();
        }
        if fragment.key { room.try_acquire_many_owned(bytes).ok() } else { None }
    }

    fn give_up(&mut self, fragment: &Fragment) {
        let packets = fragment.samples.len() as u64;
        self.shared.counters.packets_lost.add(packets);
        let seconds = self.shared.patience.as_secs();
        let lost = || Lost::new(self.stream.stream, GapCause::Overload, format!("the disk was behind by {seconds} s"));
        self.shed.get_or_insert_with(lost).add(fragment);
        alarms::shedding(&self.shared.board, &self.stream, self.shared.clock.media());
        if let Some(packets) = self.shared.overload.say(packets, self.shared.clock.boot()) {
            tracing::error!(camera = %self.stream.camera, packets, "the disk cannot keep up; recording has holes");
        }
    }

    fn tell_shed(&mut self) {
        if let Some(shed) = self.shed.take() {
            self.send(Job::Gap(shed.gap()));
            self.shared.board.clear(AlarmKind::Shedding, Some(self.stream.camera));
        }
    }

    fn send(&self, job: Job) -> bool {
        self.shared.jobs.send(job).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::{
        domain::{
            camera::StreamKind,
            ids::{CameraId, StreamId},
            time::Span,
        },
        record::{
            BYTES_WAITING, PACKETS_WAITING,
            testing::{START_US, stream},
        },
        runtime::queue,
        store::Gap,
    };

    fn shared(jobs: Sender<Job>) -> Shared {
        let shared = Shared::new(jobs, Clock::machine(), Arc::default(), Arc::default());
        Shared { patience: Duration::from_millis(20), ..shared }
    }

    fn named() -> Arc<RecordedStream> {
        let (camera, stream, kind) = (CameraId(7), StreamId(70), StreamKind::Main);
        Arc::new(RecordedStream { camera, camera_code: "C07".into(), stream, kind })
    }

    #[tokio::test]
    async fn a_camera_with_huge_pictures_takes_no_more_memory_than_is_said_while_the_disk_is_behind() {
        let (jobs, _work) = mpsc::channel();
        let shared = Arc::new(Shared { patience: Duration::from_secs(600), ..shared(jobs) });
        let _all_room = shared.room.clone().acquire_many_owned(u32::try_from(QUEUE_BYTES).unwrap()).await.unwrap();
        let (sender, packets) = queue::bounded(PACKETS_WAITING, BYTES_WAITING, |packet: &Packet| packet.data.len());
        let tasks = ShortTasks::default();
        tasks.detach(run(named(), packets, shared, tasks.clone()));
        let huge = bytes::Bytes::from(vec![0; 1 << 20]);
        let mut taken = 0;
        for packet in stream(10, 20, 200) {
            let packet = Packet { data: huge.clone(), ..packet };
            if timeout(Duration::from_millis(500), sender.send(packet)).await.is_err() {
                break;
            }
            taken += huge.len();
        }
        assert!(taken <= 2 * BYTES_WAITING + huge.len(), "{taken}");
    }

    #[tokio::test]
    async fn a_disk_that_is_behind_sheds_to_the_next_key_frame_and_says_so_in_a_gap() {
        let (jobs, work) = mpsc::channel();
        let shared = Arc::new(shared(jobs));
        let all_room = shared.room.clone().acquire_many_owned(u32::try_from(QUEUE_BYTES).unwrap()).await.unwrap();
        let (sender, packets) = queue::bounded(1000, usize::MAX, |packet: &Packet| packet.data.len());
        let tasks = ShortTasks::default();
        tasks.detach(run(named(), packets, shared.clone(), tasks.clone()));
        // Ten frames a second, a key frame every two seconds, fragments of a second.
        let all = stream(10, 20, 71);
        for packet in &all[..15] {
            sender.send(packet.clone()).await.unwrap();
        }
        while shared.counters.packets_lost.get() == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let up: Vec<_> = shared.board.alarms().iter().map(|a| (a.kind, a.camera)).collect();
        assert_eq!(up, [(AlarmKind::Shedding, Some(CameraId(7)))]);
        drop(all_room);
        for packet in &all[15..] {
            sender.send(packet.clone()).await.unwrap();
        }
        drop(sender);
        tasks.drain().await;
        assert_eq!(shared.board.alarms(), []);
        drop(shared);
        let mut appended = Vec::new();
        let mut gaps = Vec::<Gap>::new();
        for job in work {
            match job {
                Job::Append { fragment, .. } => appended.push((fragment.start_90k / 90_000, fragment.key)),
                Job::Gap(gap) => gaps.push(gap),
                Job::Close(_) | Job::Folder(_) | Job::Stop => {}
            }
        }
        // The second fragment had room again but no key frame.
        assert_eq!(appended, [(2, true), (3, false), (4, true), (5, false), (6, true), (7, false)]);
        assert_eq!(gaps.len(), 1);
        assert_eq!(gaps[0].span, Span { start_us: START_US, end_us: START_US + 2_000_000 });
        assert_eq!(gaps[0].cause, GapCause::Overload);
    }
}
