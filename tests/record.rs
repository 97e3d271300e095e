//! Recording from packets to clips, with real video, a real index and real files.

#[path = "common/ffprobe.rs"]
mod ffprobe;
mod media;
#[path = "common/wait.rs"]
mod wait;

use std::{path::Path, sync::Arc};

use bytes::Bytes;
use ffprobe::probe;
use futures::TryStreamExt;
use media::{Clip, encode, packets};
use tempfile::TempDir;
use vonglau::{
    domain::{
        camera::{CameraDraft, StreamKind},
        ids::SegmentId,
        packet::{Codec, Packet},
        query::Actor,
        segment::{GapCause, Segment},
        time::{Span, WallTime},
    },
    record::{
        RecordedStream, Recorder,
        playback::{Media, PlaybackError},
    },
    runtime::{clock::Clock, counters::Counters, queue, tasks::Tasks},
    store::Store,
};

const START_US: i64 = 1_700_000_000_000_000;
const ALWAYS: Span = Span { start_us: 0, end_us: i64::MAX };

struct House {
    dir: TempDir,
    store: Store,
    counters: Arc<Counters>,
    tasks: Tasks,
    stream: RecordedStream,
}

impl House {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("index.db")).await.unwrap();
        let draft = CameraDraft {
            name: "Chợ".into(),
            code: "C01".into(),
            main_url: "rtsp://127.0.0.1/1".into(),
            ..CameraDraft::default()
        };
        let camera =
            store.add_camera(&Actor { name: "test".into() }, &draft.checked().unwrap(), WallTime(1)).await.unwrap();
        let stream = store.camera(camera).await.unwrap().unwrap().streams[0].id;
        let stream = RecordedStream { camera, camera_code: "C01".into(), stream, kind: StreamKind::Main };
        Self { dir, store, counters: Arc::default(), tasks: Tasks::new(), stream }
    }
    fn folder(&self) -> std::path::PathBuf {
        self.dir.path().join("recordings")
    }
    async fn recorder(&mut self) -> Recorder {
        let (store, counters) = (self.store.clone(), self.counters.clone());
        Recorder::start(self.folder(), store, Clock::machine(), counters, Arc::default(), &mut self.tasks)
            .await
            .unwrap()
    }
    fn packets(&self, clip: &Clip, session: u32, start_us: i64) -> Vec<Packet> {
        packets(clip, self.stream.camera, self.stream.stream, session, start_us)
    }
    async fn record(&mut self, all: Vec<Packet>) {
        let recorder = self.recorder().await;
        let sender = recorder.stream(self.stream.clone());
        send(&sender, all).await;
        drop(sender);
        wait::done(recorder.finish()).await;
        wait::done(self.tasks.drain()).await;
    }
    async fn segments(&self) -> Vec<Segment> {
        self.store.segments_in(self.stream.stream, ALWAYS).await.unwrap()
    }
    async fn plan(&self, span: Span) -> Result<Media, PlaybackError> {
        Media::plan(&self.store, &self.folder(), self.stream.stream, span).await
    }
}

async fn send(sender: &queue::Sender<Packet>, all: Vec<Packet>) {
    for packet in all {
        wait::done(sender.send(packet)).await.unwrap();
    }
}

async fn bytes(media: Media, range: std::ops::Range<u64>) -> Vec<u8> {
    let chunks: Vec<Bytes> = media.read(range).try_collect().await.unwrap();
    chunks.concat()
}

fn h264(frames: u32, gop: u32, bframes: u32) -> Clip {
    let encoder =
        format!("x264enc key-int-max={gop} bframes={bframes} b-adapt=false speed-preset=ultrafast ! h264parse");
    encode(Codec::H264, 320, 240, frames, 25, &encoder)
}

fn write(path: &Path, bytes: &[u8]) -> std::path::PathBuf {
    std::fs::write(path, bytes).unwrap();
    path.to_owned()
}

#[tokio::test]
async fn every_frame_of_a_stream_with_bidirectional_pictures_is_recorded_indexed_and_played() {
    let mut house = House::new().await;
    let clip = h264(250, 50, 2);
    assert!(clip.units.windows(2).any(|w| w[1].pts_90k < w[0].pts_90k), "the encoder made no B-frames");
    house.record(house.packets(&clip, 1, START_US)).await;

    let segments = house.segments().await;
    assert_eq!(segments.len(), 1);
    let segment = &segments[0];
    assert_eq!((segment.open, segment.start_us, segment.end_us), (false, START_US, START_US + 10_000_000));
    assert_eq!(segment.path, format!("2023-11-14/C01-{}/main/{START_US}.mp4", house.stream.camera));
    let file = house.folder().join(&segment.path);
    assert_eq!(std::fs::metadata(&file).unwrap().len(), segment.size_bytes);
    assert_eq!(house.counters.packets_recorded.get(), 250);
    assert_eq!(house.counters.fragments.get(), segment.fragments.len() as u64);
    assert_eq!(house.counters.bytes_written.get(), segment.size_bytes);
    assert_eq!(probe(&file).0, 250);

    let media = house.plan(ALWAYS).await.unwrap();
    assert_eq!(media.span, Span { start_us: START_US, end_us: START_US + 10_000_000 });
    assert_eq!(media.parts.iter().map(|p| p.span).collect::<Vec<_>>(), [media.span]);
    assert!(media.mime.starts_with("video/mp4; codecs=\"avc1."));
    let whole = {
        let len = media.len;
        bytes(media, 0..len).await
    };
    assert_eq!(probe(&write(&house.dir.path().join("clip.mp4"), &whole)), (250, 10.0));
}

#[tokio::test]
async fn a_clip_starts_at_the_key_frame_before_and_any_range_of_it_is_the_same_part_of_the_whole() {
    let mut house = House::new().await;
    house.record(house.packets(&h264(250, 50, 0), 1, START_US)).await;
    // Key frames are at 0, 2, 4, … seconds, fragments end each second.
    let span = Span { start_us: START_US + 3_300_000, end_us: START_US + 5_000_000 };
    let media = house.plan(span).await.unwrap();
    assert_eq!(media.span, Span { start_us: START_US + 2_000_000, end_us: START_US + 5_000_000 });
    let (len, etag) = (media.len, media.etag.clone());
    let whole = bytes(media, 0..len).await;
    assert_eq!(whole.len() as u64, len);
    assert_eq!(probe(&write(&house.dir.path().join("clip.mp4"), &whole)), (75, 3.0));

    let at = |n: u64| usize::try_from(n).unwrap();
    for (from, to) in [(0, 1), (0, len), (len - 1, len), (len, len + 5), (5, 3)] {
        let got = bytes(house.plan(span).await.unwrap(), from..to).await;
        assert_eq!(got, whole[at(from.min(len))..at(to.clamp(from.min(len), len))]);
    }
    for _ in 0..200 {
        let from = fastrand::u64(0..len);
        // Short ones too: a patch may lie at an edge.
        let to = if fastrand::bool() { fastrand::u64(from..=len) } else { (from + fastrand::u64(0..12)).min(len) };
        let media = house.plan(span).await.unwrap();
        assert_eq!(media.etag, etag);
        assert_eq!(bytes(media, from..to).await, whole[at(from)..at(to)], "{from}..{to}");
    }
    let other = house.plan(Span { end_us: span.end_us + 1, ..span }).await.unwrap();
    assert_ne!(other.etag, etag);
}

#[tokio::test]
async fn gaps_are_closed_in_playing_time_and_told_apart_as_parts() {
    let mut house = House::new().await;
    let clip = h264(50, 25, 0);
    let mut all = house.packets(&clip, 1, START_US);
    all.extend(house.packets(&clip, 2, START_US + 100_000_000));
    house.record(all).await;
    let media = house.plan(ALWAYS).await.unwrap();
    let part = |s: i64| Span { start_us: START_US + s * 1_000_000, end_us: START_US + (s + 2) * 1_000_000 };
    assert_eq!(media.parts.iter().map(|p| p.span).collect::<Vec<_>>(), [part(0), part(100)]);
    let len = media.len;
    assert_eq!(probe(&write(&house.dir.path().join("clip.mp4"), &bytes(media, 0..len).await)), (100, 4.0));
    let inside = Span { start_us: START_US + 50_000_000, end_us: START_US + 60_000_000 };
    assert!(matches!(house.plan(inside).await, Err(PlaybackError::Nothing)));
}

#[tokio::test]
async fn other_parameters_are_another_segment_and_do_not_share_a_clip() {
    let mut house = House::new().await;
    let large = encode(Codec::H264, 640, 480, 25, 25, "x264enc key-int-max=25 speed-preset=ultrafast ! h264parse");
    let mut all = house.packets(&h264(50, 25, 0), 1, START_US);
    let more = house.packets(&large, 1, START_US + 2_000_000);
    all.extend(more.into_iter().map(|p| Packet { pts_90k: p.pts_90k + 180_000, ..p }));
    house.record(all).await;
    let segments = house.segments().await;
    assert_eq!(segments.iter().map(|s| (s.width, s.fragments.len())).collect::<Vec<_>>(), [(320, 2), (640, 1)]);
    assert_eq!(segments[0].end_us, segments[1].start_us);
    let Err(PlaybackError::ParametersChange(spans)) = house.plan(ALWAYS).await else { panic!() };
    assert_eq!(spans.len(), 2);
    for span in spans {
        assert_eq!(house.plan(span).await.unwrap().span, span);
    }
}

#[tokio::test]
async fn what_is_being_recorded_can_be_played_already() {
    let mut house = House::new().await;
    let recorder = house.recorder().await;
    let sender = recorder.stream(house.stream.clone());
    send(&sender, house.packets(&h264(100, 25, 0), 1, START_US)).await;
    // Three seconds are complete; the fourth waits for a next packet.
    wait::holds(async || house.plan(ALWAYS).await.is_ok_and(|media| media.span.len_us() >= 3_000_000)).await;
    assert_eq!(house.plan(ALWAYS).await.unwrap().span.start_us, START_US);
    assert!(house.segments().await[0].open);
    // Nothing more comes: the held back frames reach the disk all the same.
    wait::holds(async || house.plan(ALWAYS).await.unwrap().span.len_us() >= 4_000_000).await;
    drop(sender);
    wait::done(recorder.finish()).await;
    assert!(!house.segments().await[0].open);
}

#[tokio::test]
async fn a_second_start_goes_on_and_two_at_once_are_refused() {
    let mut house = House::new().await;
    let clip = h264(25, 25, 0);
    house.record(house.packets(&clip, 1, START_US)).await;
    // The clock was set back: the same name again.
    house.record(house.packets(&clip, 1, START_US)).await;
    let paths: Vec<_> = house.segments().await.into_iter().map(|s| s.path).collect();
    assert!(paths[0].ends_with("0.mp4") && paths[1].ends_with("0-2.mp4"), "{paths:?}");
    let first = house.recorder().await;
    let (store, counters) = (house.store.clone(), house.counters.clone());
    let second =
        Recorder::start(house.folder(), store, Clock::machine(), counters, Arc::default(), &mut house.tasks).await;
    assert!(second.unwrap_err().en.contains("another vonglau process"));
    wait::done(first.finish()).await;
}

#[tokio::test]
async fn a_disk_that_refuses_is_a_gap_and_recording_goes_on_at_the_next_key_frame() {
    let mut house = House::new().await;
    let recorder = house.recorder().await;
    // A file where the day's folder should be.
    let blocked = house.folder().join("2023-11-14");
    std::fs::write(&blocked, "").unwrap();
    let sender = recorder.stream(house.stream.clone());
    let all = house.packets(&h264(100, 25, 0), 1, START_US);
    let (refused, taken) = all.split_at(60);
    send(&sender, refused.to_vec()).await;
    wait::holds(async || house.counters.packets_lost.get() >= 50).await;
    std::fs::remove_file(&blocked).unwrap();
    send(&sender, taken.to_vec()).await;
    drop(sender);
    wait::done(recorder.finish()).await;
    let segments = house.segments().await;
    let second = |n: i64| START_US + n * 1_000_000;
    // The third group was half received when the disk came back, and is complete in the file.
    assert_eq!(segments.iter().map(|s| (s.start_us, s.end_us)).collect::<Vec<_>>(), [(second(2), second(4))]);
    let gaps = house.store.gaps_in(house.stream.stream, ALWAYS).await.unwrap();
    assert_eq!(gaps.len(), 1);
    assert_eq!((gaps[0].span, gaps[0].cause), (Span { start_us: second(0), end_us: second(2) }, GapCause::Disk));
    assert_eq!((house.counters.packets_lost.get(), house.counters.packets_recorded.get()), (50, 50));
}

#[tokio::test]
async fn a_store_that_fails_costs_no_recording() {
    let mut house = House::new().await;
    let recorder = house.recorder().await;
    let sender = recorder.stream(house.stream.clone());
    let all = house.packets(&h264(100, 25, 0), 1, START_US);
    send(&sender, all[..30].to_vec()).await;
    wait::holds(async || !house.segments().await.is_empty()).await;
    house.store.close().await;
    send(&sender, all[30..].to_vec()).await;
    drop(sender);
    wait::done(recorder.finish()).await;
    assert_eq!(house.counters.packets_recorded.get(), 100);

    house.store = Store::open(&house.dir.path().join("index.db")).await.unwrap();
    assert_eq!(house.store.open_segments().await.unwrap().len(), 1);
    wait::done(house.recorder().await.finish()).await;
    let segments = house.segments().await;
    assert_eq!((segments[0].open, segments[0].start_us, segments[0].end_us), (false, START_US, START_US + 4_000_000));
    let media = house.plan(ALWAYS).await.unwrap();
    let len = media.len;
    assert_eq!(probe(&write(&house.dir.path().join("clip.mp4"), &bytes(media, 0..len).await)).0, 100);
}

#[tokio::test]
async fn a_file_left_open_and_torn_is_cut_completed_and_closed() {
    let mut house = House::new().await;
    house.record(house.packets(&h264(100, 25, 0), 1, START_US)).await;
    let whole = house.segments().await.remove(0);
    let path = house.folder().join(&whole.path);
    let file = std::fs::read(&path).unwrap();
    let last = *whole.fragments.last().unwrap();

    // As if the power had gone in the middle of the last fragment, with one fragment indexed.
    let torn = "2023-11-14/torn.mp4";
    std::fs::write(house.folder().join(torn), &file[..usize::try_from(last.offset).unwrap() + 500]).unwrap();
    let fragments = whole.fragments[..1].to_vec();
    let row = Segment { path: torn.into(), open: true, fragments, end_us: START_US + 1_000_000, ..whole.clone() };
    let id = house.store.open_segment(&row).await.unwrap();
    // And one whose file is gone.
    house.store.open_segment(&Segment { path: "gone.mp4".into(), id: SegmentId(0), ..row }).await.unwrap();
    wait::done(house.recorder().await.finish()).await;

    assert!(house.store.open_segments().await.unwrap().is_empty());
    let mended = house.segments().await.into_iter().find(|s| s.id == id).unwrap();
    assert_eq!(mended.fragments, whole.fragments[..whole.fragments.len() - 1]);
    assert_eq!((mended.size_bytes, mended.end_us), (last.offset, START_US + 3_000_000));
    assert_eq!(std::fs::read(house.folder().join(torn)).unwrap(), file[..usize::try_from(last.offset).unwrap()]);
}

#[tokio::test]
async fn a_file_that_vanished_is_named() {
    let mut house = House::new().await;
    let clip = h264(50, 25, 0);
    let mut all = house.packets(&clip, 1, START_US);
    all.extend(house.packets(&clip, 2, START_US + 3_000_000));
    house.record(all).await;
    let segments = house.segments().await;
    let media = house.plan(ALWAYS).await.unwrap();
    std::fs::remove_file(house.folder().join(&segments[1].path)).unwrap();
    let len = media.len;
    let error = media.read(0..len).try_for_each(|_| async { Ok(()) }).await.unwrap_err();
    assert!(error.to_string().contains(&segments[1].path), "{error}");
    std::fs::remove_file(house.folder().join(&segments[0].path)).unwrap();
    let Err(PlaybackError::File { path, .. }) = house.plan(ALWAYS).await else { panic!() };
    assert!(path.ends_with(&segments[0].path));
}
