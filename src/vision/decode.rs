//! Packets to sampled frames: one GStreamer pipeline a camera, in software, named decoders only.
//!
//! `appsrc ! parser ! decoder ! (sampling) ! videoconvert ! appsink`. Frames that are not looked at are dropped right
//! behind the decoder, before any conversion or copy. Nothing here ends the process: a pipeline that fails says so and
//! is made anew at the next key frame.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
    },
};

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app::{AppSink, AppSinkCallbacks, AppSrc, AppSrcCallbacks, AppStreamType};
use gstreamer_video::{self as gst_video, prelude::*};

use crate::{
    domain::{frame::Frame, ids::CameraId, packet::Codec, time::MediaTime},
    logic::load,
};

/// The next frame is looked at so much later at the earliest: at most 5 a second, with some slack for uneven times.
pub const SAMPLE_EVERY_US: i64 = load::FULL_US;
/// A step back by more than this is a clock that was set, not a frame out of order.
const BACK_MAX_US: i64 = 10_000_000;
/// The most pixels a picture may have: 4096 × 2304.
const PIXELS_MAX: u64 = 4096 * 2304;

/// Why a stream cannot be decoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// GStreamer itself or one of its elements is not there.
    #[error("GStreamer lacks {0}: install gstreamer1.0-plugins-{{base,good,bad}} and gstreamer1.0-libav")]
    Missing(String),
    /// The pipeline failed.
    #[error("decoding failed: {0}")]
    Failed(String),
    /// The file is no video anything here can read.
    #[error("no video this program can decode: {0}")]
    Undecodable(String),
}

/// Starts GStreamer; harmless when it runs.
///
/// # Errors
/// [`DecodeError::Missing`].
pub fn start() -> Result<(), DecodeError> {
    gst::init().map_err(|e| DecodeError::Missing(e.to_string()))
}

/// Key frames on their way through a decoder that are remembered; those that never come out go first.
const KEYS_MAX: usize = 8;

/// What is to be known of a key frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// What it shows; the frames after it come too.
    Shown,
    /// Whether the frames before it are wanted: if so it comes again, after them.
    Asked,
}

/// Chooses the frames that are looked at, by presentation time and, of key frames, by what is wanted of them; survives a
/// new pipeline.
#[derive(Debug)]
pub struct Sampler {
    last: AtomicI64,
    every_us: Arc<AtomicI64>,
    keys: Mutex<VecDeque<(MediaTime, Key)>>,
    /// Frames it was asked about.
    pub decoded: AtomicU64,
    /// Of these were chosen.
    pub chosen: AtomicU64,
    /// Of these were replaced by a newer one; counted by whoever takes the frames.
    pub replaced: AtomicU64,
}

impl Default for Sampler {
    fn default() -> Self {
        Self::paced(Arc::new(AtomicI64::new(SAMPLE_EVERY_US)))
    }
}

impl Sampler {
    /// One that follows a pace that may change, microseconds from frame to frame.
    #[must_use]
    pub fn paced(every_us: Arc<AtomicI64>) -> Self {
        let (decoded, chosen, replaced, keys) = Default::default();
        Self { last: AtomicI64::new(i64::MIN), every_us, keys, decoded, chosen, replaced }
    }
    fn keys(&self) -> MutexGuard<'_, VecDeque<(MediaTime, Key)>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
    /// A key frame of that time goes into the decoder.
    pub fn expect_key(&self, time: MediaTime, key: Key) {
        let mut keys = self.keys();
        if keys.len() >= KEYS_MAX {
            keys.pop_front();
        }
        keys.push_back((time, key));
    }
    /// What is to be known of the frame of that time, if it is an expected key frame. Forgets it.
    pub fn take_key(&self, time: MediaTime) -> Option<Key> {
        let mut keys = self.keys();
        let at = keys.iter().position(|(t, _)| *t == time)?;
        keys.remove(at).map(|(_, key)| key)
    }
    /// Whether the frame of that time is to be looked at; if so, it counts as looked at. A key frame need not wait for
    /// its turn as long as others do; one that is asked about has none.
    pub fn due(&self, time: MediaTime) -> bool {
        self.decoded.fetch_add(1, Ordering::Relaxed);
        let last = MediaTime(self.last.load(Ordering::Relaxed));
        let key = self.keys().iter().find(|(t, _)| *t == time).map(|(_, key)| *key);
        let every_us = self.every_us.load(Ordering::Relaxed);
        let wait_us = if key.is_some() { every_us / 2 } else { every_us };
        let due = last.0 == i64::MIN || !(-BACK_MAX_US..wait_us).contains(&time.since(last));
        if due {
            self.chosen.fetch_add(1, Ordering::Relaxed);
        }
        if due && key != Some(Key::Asked) {
            self.last.store(time.0, Ordering::Relaxed);
        }
        due
    }
}

/// What a camera's decoders share with the rest of the child.
#[derive(Clone)]
pub struct Outlet {
    /// Whose frames they are.
    pub camera: CameraId,
    /// Which of them are looked at.
    pub sampler: Arc<Sampler>,
    /// All frames decoded by this process.
    pub decoded: Arc<AtomicU64>,
    /// Packets the decoder has dealt with.
    pub consumed: Arc<AtomicU64>,
    /// Where the chosen frames go; called in GStreamer's thread, must be quick.
    pub frames: Arc<dyn Fn(Frame) + Send + Sync>,
}

impl std::fmt::Debug for Outlet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outlet").field("camera", &self.camera).finish_non_exhaustive()
    }
}

/// What went wrong in a pipeline, written by its threads.
#[derive(Debug, Default)]
struct Trouble {
    failed: AtomicBool,
    ended: AtomicBool,
    said: Mutex<String>,
}

impl Trouble {
    fn note(&self, text: String) {
        *self.said.lock().unwrap_or_else(PoisonError::into_inner) = text;
        self.failed.store(true, Ordering::Release);
    }
}

/// One camera's pipeline.
#[derive(Debug)]
pub struct Decoder {
    pipeline: gst::Pipeline,
    source: AppSrc,
    trouble: Arc<Trouble>,
}

/// Makes an element.
///
/// # Errors
/// [`DecodeError::Missing`] with its name.
pub fn element(name: &str) -> Result<gst::Element, DecodeError> {
    gst::ElementFactory::make(name).build().map_err(|_| DecodeError::Missing(name.to_owned()))
}

/// The first decoder of a list that is installed, on one thread, giving out no damaged pictures.
///
/// # Errors
/// [`DecodeError::Missing`] with the whole list.
pub fn decoder(names: &[&str]) -> Result<gst::Element, DecodeError> {
    let found = names.iter().find_map(|name| element(name).ok());
    let decoder = found.ok_or_else(|| DecodeError::Missing(names.join(" / ")))?;
    if decoder.has_property("max-threads") {
        decoder.set_property("max-threads", 1i32);
    }
    // Grey pictures after a loss would reach the detector.
    if decoder.has_property("output-corrupt") {
        decoder.set_property("output-corrupt", false);
    }
    Ok(decoder)
}

/// Decoders for each codec, best first: software only.
#[must_use]
pub const fn decoders(codec: Codec) -> &'static [&'static str] {
    match codec {
        Codec::H264 => &["avdec_h264", "openh264dec"],
        Codec::H265 => &["avdec_h265", "libde265dec"],
    }
}

/// Drops the frames nobody looks at as they leave `pad`, counting all of them.
pub fn sample_at(pad: &gst::Pad, sampler: Arc<Sampler>, decoded: Arc<AtomicU64>) {
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        let Some(buffer) = info.buffer() else { return gst::PadProbeReturn::Ok };
        decoded.fetch_add(1, Ordering::Relaxed);
        let due = buffer.pts().is_some_and(|t| sampler.due(media_time(t)));
        if due { gst::PadProbeReturn::Ok } else { gst::PadProbeReturn::Drop }
    });
}

fn media_time(time: gst::ClockTime) -> MediaTime {
    MediaTime(i64::try_from(time.useconds()).unwrap_or(i64::MAX))
}

/// The sink at the end of every pipeline: I420, as fast as frames come.
#[must_use]
pub fn sink(buffers: u32) -> AppSink {
    let caps = gst::Caps::builder("video/x-raw").field("format", "I420").build();
    AppSink::builder().caps(&caps).sync(false).async_(false).qos(false).max_buffers(buffers).build()
}

/// A sample as a frame; `None` when it has no time or an impossible size.
#[must_use]
pub fn frame_of(camera: CameraId, sample: &gst::Sample) -> Option<Frame> {
    let info = gst_video::VideoInfo::from_caps(sample.caps()?).ok()?;
    let buffer = sample.buffer()?;
    let time = media_time(buffer.pts()?);
    let (width, height) = (info.width(), info.height());
    if width < 16 || height < 16 || u64::from(width) * u64::from(height) > PIXELS_MAX {
        return None;
    }
    let picture = gst_video::VideoFrameRef::from_buffer_ref_readable(buffer, &info).ok()?;
    let mut data = Vec::with_capacity(Frame::size_bytes(width, height));
    for plane in 0..3u32 {
        let (across, down) = if plane == 0 { (width, height) } else { (width.div_ceil(2), height.div_ceil(2)) };
        let stride = usize::try_from(*picture.plane_stride().get(plane as usize)?).ok()?;
        let bytes = picture.plane_data(plane).ok()?;
        for row in 0..down as usize {
            data.extend_from_slice(bytes.get(row * stride..row * stride + across as usize)?);
        }
    }
    Some(Frame { camera, time, width, height, data: data.into() })
}

impl Decoder {
    /// A pipeline for a stream with that decoder configuration record; feed it from a key frame on.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn new(codec: Codec, config: &[u8], outlet: Outlet) -> Result<Self, DecodeError> {
        let failed = |e: &dyn std::fmt::Display| DecodeError::Failed(e.to_string());
        let (media, format, parser) = match codec {
            Codec::H264 => ("video/x-h264", "avc", "h264parse"),
            Codec::H265 => ("video/x-h265", "hvc1", "h265parse"),
        };
        let caps = gst::Caps::builder(media)
            .field("stream-format", format)
            .field("alignment", "au")
            .field("codec_data", gst::Buffer::from_slice(config.to_vec()))
            .build();
        // No limit here: the parent lets no more than a few megabytes of a camera be under way.
        let source = AppSrc::builder()
            .caps(&caps)
            .format(gst::Format::Time)
            .stream_type(AppStreamType::Stream)
            .is_live(true)
            .block(false)
            .max_bytes(0)
            .build();
        let (parser, decoder, convert) = (element(parser)?, decoder(decoders(codec))?, element("videoconvert")?);
        let sink = sink(2);
        let pipeline = gst::Pipeline::new();
        let chain = [source.upcast_ref(), &parser, &decoder, &convert, sink.upcast_ref()];
        pipeline.add_many(chain).map_err(|e| failed(&e))?;
        gst::Element::link_many(chain).map_err(|e| failed(&e))?;

        count_consumed(&source, &outlet.consumed);
        if let Some(pad) = decoder.static_pad("src") {
            sample_at(&pad, outlet.sampler.clone(), outlet.decoded.clone());
        }
        let trouble = Arc::new(Trouble::default());
        watch(&pipeline, trouble.clone());
        let at_end = trouble.clone();
        let frames = AppSinkCallbacks::builder()
            .new_sample(move |sink| {
                let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
                if let Some(frame) = frame_of(outlet.camera, &sample) {
                    (outlet.frames)(frame);
                }
                Ok(gst::FlowSuccess::Ok)
            })
            .eos(move |_| at_end.ended.store(true, Ordering::Release))
            .build();
        sink.set_callbacks(frames);
        let decoder = Self { pipeline, source, trouble };
        decoder.pipeline.set_state(gst::State::Playing).map_err(|e| failed(&e))?;
        Ok(decoder)
    }
    /// Hands in one access unit. Times before 1970 are refused.
    ///
    /// # Errors
    /// [`DecodeError::Failed`] when the pipeline takes nothing any more: make a new one at the next key frame.
    pub fn push(&self, time: MediaTime, key: bool, data: bytes::Bytes) -> Result<(), DecodeError> {
        if self.trouble.failed.load(Ordering::Acquire) {
            let said = self.trouble.said.lock().unwrap_or_else(PoisonError::into_inner).clone();
            return Err(DecodeError::Failed(said));
        }
        let us = u64::try_from(time.us()).map_err(|_| DecodeError::Failed("a time before 1970".to_owned()))?;
        let mut buffer = gst::Buffer::from_slice(data);
        if let Some(buffer) = buffer.get_mut() {
            buffer.set_pts(gst::ClockTime::from_useconds(us));
            if !key {
                buffer.set_flags(gst::BufferFlags::DELTA_UNIT);
            }
        }
        self.source.push_buffer(buffer).map(|_| ()).map_err(|e| DecodeError::Failed(format!("{e:?}")))
    }
    /// Tells the decoder that nothing follows, so that it gives out what it holds back.
    pub fn end(&self) {
        // Refused only by a pipeline that has failed, which holds nothing any more.
        let _ = self.source.end_of_stream();
    }
    /// Whether everything handed in has come out, or never will.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.trouble.ended.load(Ordering::Acquire) || self.trouble.failed.load(Ordering::Acquire)
    }
}

impl Drop for Decoder {
    fn drop(&mut self) {
        // Waits for the streaming thread, so that no counter moves afterwards. Going down cannot be refused.
        let _ = self.pipeline.set_state(gst::State::Null);
        if let Some(bus) = self.pipeline.bus() {
            bus.unset_sync_handler();
        }
    }
}

/// Counts the packets that the parser and the decoder have dealt with. The one they are at does not count yet: if it kills
/// the process, the parent must find it among those under way.
fn count_consumed(source: &AppSrc, consumed: &Arc<AtomicU64>) {
    let at_one = Arc::new(AtomicBool::new(false));
    if let Some(pad) = source.static_pad("src") {
        let (at_one, consumed) = (at_one.clone(), consumed.clone());
        pad.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
            if at_one.swap(true, Ordering::Relaxed) {
                consumed.fetch_add(1, Ordering::Relaxed);
            }
            gst::PadProbeReturn::Ok
        });
    }
    // Asked for by the thread that hands them on, when it comes back from the last one and finds no other.
    let consumed = consumed.clone();
    let idle = AppSrcCallbacks::builder().need_data(move |_, _| {
        if at_one.swap(false, Ordering::Relaxed) {
            consumed.fetch_add(1, Ordering::Relaxed);
        }
    });
    source.set_callbacks(idle.build());
}

/// Notes the pipeline's errors as they happen; no message is kept, so none pile up.
fn watch(pipeline: &gst::Pipeline, trouble: Arc<Trouble>) {
    let Some(bus) = pipeline.bus() else { return };
    bus.set_sync_handler(move |_, message| {
        if let gst::MessageView::Error(e) = message.view() {
            trouble.note(e.error().to_string());
        }
        gst::BusSyncReply::Drop
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_most_five_frames_a_second_are_chosen_whatever_the_rate() {
        for fps in [1i64, 4, 5, 10, 15, 25, 30] {
            let sampler = Sampler::default();
            let chosen = (0..fps * 10).filter(|i| sampler.due(MediaTime(1_000_000 + i * 1_000_000 / fps))).count();
            assert!(chosen as i64 <= 51 && chosen as i64 >= fps.min(4) * 10, "{chosen} of {fps} fps");
        }
    }

    #[test]
    fn a_slower_pace_holds_from_the_next_frame_on_and_all_is_counted() {
        let every = Arc::new(AtomicI64::new(SAMPLE_EVERY_US));
        let sampler = Sampler::paced(every.clone());
        let chosen = |from: i64| (from..from + 50).filter(|i| sampler.due(MediaTime(i * 40_000))).count();
        assert_eq!(chosen(0), 10);
        every.store(4 * SAMPLE_EVERY_US, Ordering::Relaxed);
        assert_eq!(chosen(50), 2);
        assert_eq!((sampler.decoded.into_inner(), sampler.chosen.into_inner()), (100, 12));
    }

    #[test]
    fn frames_out_of_order_are_not_chosen_but_a_clock_set_back_is_followed() {
        let sampler = Sampler::default();
        assert!(sampler.due(MediaTime(100_000_000)));
        assert!(!sampler.due(MediaTime(99_900_000)));
        assert!(sampler.due(MediaTime(50_000_000)));
        assert!(sampler.due(MediaTime(50_190_000)));
    }

    #[test]
    fn a_key_frame_that_is_asked_about_takes_no_turn_of_those_before_it() {
        let sampler = Sampler::default();
        sampler.expect_key(MediaTime(0), Key::Shown);
        sampler.expect_key(MediaTime(2_000_000), Key::Asked);
        let due = |ms: i64| sampler.due(MediaTime(ms * 1000));
        assert!(due(0) && due(2000) && due(200) && !due(300) && due(2000));
        assert_eq!(sampler.take_key(MediaTime(0)), Some(Key::Shown));
        assert_eq!(sampler.take_key(MediaTime(200_000)), None);
        assert_eq!(sampler.take_key(MediaTime(2_000_000)), Some(Key::Asked));
        assert_eq!(sampler.take_key(MediaTime(2_000_000)), None);
        sampler.expect_key(MediaTime(2_100_000), Key::Shown);
        assert!(due(2100) && !due(2200), "one that comes a little early is looked at all the same");
    }
}
