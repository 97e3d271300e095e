//! A video file through the code of the service, as fast as the machine goes, on the file's own times.
//!
//! `filesrc ! parsebin ! decoder ! (sampling) ! videoconvert ! appsink`, then gate → detect → track. Nothing is dropped
//! but what sampling drops in the service too. Containers: whatever GStreamer's demuxers know; decoders: a fixed list.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use gstreamer as gst;
use gstreamer::prelude::*;

use super::{
    classifier::{Classifier, ClassifierModel},
    decode::{self, DecodeError, Sampler},
    detect::Detector,
    model::Model,
    worker::{Engine, Eye, Tally, TrackIds},
};
use crate::{
    domain::{detection::Class, ids::CameraId, refusal::Refusal, track::FrameSeen},
    runtime::clock,
};

/// What a whole file gave.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// Frames decoded.
    pub frames: u64,
    /// Frames the gate looked at.
    pub frames_analysed: u64,
    /// Runs of the detector.
    pub inferences: u64,
    /// From the first frame to the last one decoded, microseconds.
    pub duration_us: i64,
    /// Processor time spent by this process, seconds.
    pub cpu_seconds: f64,
    /// Confirmed tracks by class.
    pub tracks: BTreeMap<Class, u64>,
}

/// A file has no camera; this stands for it.
const CAMERA: CameraId = CameraId(0);
/// How long no frame and no end may come before the file is given up, seconds of the machine's time.
const SILENCE_S: u64 = 60;

/// Decoders by what the parsed stream is called.
const DECODERS: &[(&str, &[&str])] = &[
    ("video/x-h264", decode::decoders(crate::domain::packet::Codec::H264)),
    ("video/x-h265", decode::decoders(crate::domain::packet::Codec::H265)),
    ("video/mpeg,mpegversion=4", &["avdec_mpeg4"]),
    ("video/mpeg", &["avdec_mpeg2video"]),
    ("image/jpeg", &["avdec_mjpeg", "jpegdec"]),
    ("video/x-vp8", &["avdec_vp8", "vp8dec"]),
    ("video/x-vp9", &["avdec_vp9", "vp9dec"]),
];

/// Loads a model in this process and says what it is: what `check` shows. The process must have been started with
/// [`telemetry_is_off`](super::detect::runtime::telemetry_is_off).
///
/// # Errors
/// Why it cannot be used.
pub fn try_model(model: &Model) -> Result<String, Refusal> {
    Detector::load(&model.bytes, &model.spec).map(|d| d.describe())
}

/// What looks at a file.
#[derive(Debug, Clone, Default)]
pub struct Models {
    /// Without one only motion is seen.
    pub detector: Option<Model>,
    /// Looks at what the detector found.
    pub classifiers: Vec<ClassifierModel>,
}

impl From<Option<Model>> for Models {
    fn from(detector: Option<Model>) -> Self {
        Self { detector, classifiers: Vec::new() }
    }
}

/// How a file is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Method {
    /// As the service does: gate, looks where they are due, at most one run of the detector a frame.
    #[default]
    Gated,
    /// Every frame once, whole: what most programs do.
    Whole,
    /// Every frame, whole and in tiles, no gate: the judge of the others.
    Brute,
}

/// Analyses a file; `on_frame` gets every analysed frame, times in microseconds from the file's first frame.
///
/// # Errors
/// A file that is missing or holds no video that can be decoded; a model that cannot be used.
pub fn analyze(
    file: &Path,
    models: impl Into<Models>,
    method: Method,
    on_frame: &mut dyn FnMut(&FrameSeen),
) -> Result<Summary, Refusal> {
    let place = file.display().to_string();
    let spent_before = clock::process_cpu_us();
    if let Err(e) = std::fs::File::open(file)
        .and_then(|f| f.metadata())
        .and_then(|m| if m.is_file() { Ok(()) } else { Err(std::io::Error::other("not a file")) })
    {
        return Err(Refusal::new(
            place,
            format!("không đọc được tệp video ({e}); kiểm tra đường dẫn và quyền đọc"),
            format!("the video file cannot be read ({e}); check its path and permissions"),
        ));
    }
    let mut engine = Engine::new(TrackIds::from(1));
    let Models { detector, classifiers } = models.into();
    if let Some(model) = detector {
        engine.detector = Some(Detector::load(&model.bytes, &model.spec)?);
        for ClassifierModel { bytes, spec } in classifiers {
            engine.voters.add(Classifier::load(&bytes, &spec)?);
        }
    }
    let mut eye = Eye::default();
    let mut tally = Tally::default();
    let undecodable = |e: DecodeError| {
        Refusal::new(
            place.clone(),
            format!("không giải mã được video ({e}); chuyển sang MP4 H.264 hoặc chọn tệp khác"),
            format!("the video cannot be decoded ({e}); convert it to MP4 H.264 or choose another file"),
        )
    };
    let reader = Reader::open(file).map_err(undecodable)?;
    while let Some(mut frame) = reader.next().map_err(undecodable)? {
        frame.time = frame.time.plus_us(-reader.times().0);
        let seen = match method {
            Method::Gated => engine.look(&mut eye, &frame),
            Method::Whole => engine.look_regardless(&mut eye, &frame, false),
            Method::Brute => engine.look_regardless(&mut eye, &frame, true),
        };
        if let Some(seen) = seen {
            tally.add(&seen);
            on_frame(&seen);
        }
        if let Some(said) = engine.problem.take() {
            return Err(Refusal::new(
                place,
                format!("bộ nhận dạng bị lỗi: {said}; dùng mô hình khác"),
                format!("the detector failed: {said}; use another model"),
            ));
        }
    }
    let (first, last) = reader.times();
    Ok(Summary {
        frames: reader.decoded.load(Ordering::Relaxed),
        frames_analysed: engine.totals.frames_analysed,
        inferences: engine.totals.inferences,
        duration_us: last - first,
        cpu_seconds: (clock::process_cpu_us() - spent_before) as f64 / 1e6,
        tracks: tally.by_class(),
    })
}

/// First and last presentation time of the frames decoded so far, microseconds.
#[derive(Debug, Default)]
struct Times(Mutex<Option<(i64, i64)>>);

struct Reader {
    pipeline: gst::Pipeline,
    sink: gstreamer_app::AppSink,
    decoded: Arc<AtomicU64>,
    times: Arc<Times>,
    problem: Arc<Mutex<Option<DecodeError>>>,
}

impl Reader {
    fn open(file: &Path) -> Result<Self, DecodeError> {
        decode::start()?;
        let failed = |e: &dyn std::fmt::Display| DecodeError::Failed(e.to_string());
        let pipeline = gst::Pipeline::new();
        let source = decode::element("filesrc")?;
        source.set_property("location", file);
        let (parse, convert) = (decode::element("parsebin")?, decode::element("videoconvert")?);
        let sink = decode::sink(4);
        pipeline.add_many([&source, &parse, &convert, sink.upcast_ref()]).map_err(|e| failed(&e))?;
        source.link(&parse).map_err(|e| failed(&e))?;
        convert.link(&sink).map_err(|e| failed(&e))?;
        let reader = Self { pipeline, sink, decoded: Arc::default(), times: Arc::default(), problem: Arc::default() };
        reader.link_when_known(&parse, convert);
        reader.pipeline.set_state(gst::State::Playing).map_err(|e| failed(&e))?;
        Ok(reader)
    }
    /// Links the first video stream to a decoder for it, everything else to nothing.
    fn link_when_known(&self, parse: &gst::Element, convert: gst::Element) {
        let (decoded, times, problem) = (self.decoded.clone(), self.times.clone(), self.problem.clone());
        let sampler = Arc::new(Sampler::default());
        let pipeline = self.pipeline.downgrade();
        parse.connect_pad_added(move |_, pad| {
            let Some(pipeline) = pipeline.upgrade() else { return };
            let linked = link(&pipeline, pad, &convert).map(|found| {
                let Some(out) = found else { return };
                let times = times.clone();
                out.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
                    times.note(info.buffer());
                    gst::PadProbeReturn::Ok
                });
                decode::sample_at(&out, sampler.clone(), decoded.clone());
            });
            if let Err(e) = linked {
                *problem.lock().unwrap_or_else(PoisonError::into_inner) = Some(e);
            }
        });
    }
    fn times(&self) -> (i64, i64) {
        self.times.0.lock().unwrap_or_else(PoisonError::into_inner).unwrap_or_default()
    }
    /// The next chosen frame; `None` at the end.
    fn next(&self) -> Result<Option<crate::domain::frame::Frame>, DecodeError> {
        let bus = self.pipeline.bus().ok_or_else(|| DecodeError::Failed("no bus".to_owned()))?;
        for _ in 0..SILENCE_S * 10 {
            if let Some(sample) = self.sink.try_pull_sample(gst::ClockTime::from_mseconds(100)) {
                if let Some(frame) = decode::frame_of(CAMERA, &sample) {
                    return Ok(Some(frame));
                }
                continue;
            }
            if self.decoded.load(Ordering::Relaxed) == 0
                && let Some(e) = self.problem.lock().unwrap_or_else(PoisonError::into_inner).take()
            {
                return Err(e);
            }
            while let Some(message) = bus.pop() {
                if let gst::MessageView::Error(e) = message.view() {
                    // A file cut short has been analysed as far as it goes.
                    return if self.decoded.load(Ordering::Relaxed) > 0 {
                        Ok(None)
                    } else {
                        Err(DecodeError::Undecodable(e.error().to_string()))
                    };
                }
            }
            if self.sink.is_eos() {
                return if self.decoded.load(Ordering::Relaxed) > 0 {
                    Ok(None)
                } else {
                    Err(DecodeError::Undecodable("no video stream in it".to_owned()))
                };
            }
        }
        Err(DecodeError::Failed(format!("nothing came for {SILENCE_S} s")))
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        // Going down cannot be refused.
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

impl Times {
    fn note(&self, buffer: Option<&gst::Buffer>) {
        let Some(us) = buffer.and_then(|b| b.pts()).and_then(|t| i64::try_from(t.useconds()).ok()) else { return };
        let mut times = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (first, last) = times.unwrap_or((us, us));
        *times = Some((first.min(us), last.max(us)));
    }
}

/// Links a parsed stream; gives the decoder's output when it is the first video.
fn link(pipeline: &gst::Pipeline, pad: &gst::Pad, convert: &gst::Element) -> Result<Option<gst::Pad>, DecodeError> {
    let failed = |e: &dyn std::fmt::Display| DecodeError::Failed(e.to_string());
    let caps = pad.current_caps().unwrap_or_else(|| pad.query_caps(None));
    let name = caps.structure(0).map_or_else(String::new, |s| s.name().to_string());
    let free = convert.static_pad("sink").is_some_and(|p| !p.is_linked());
    let video = name.starts_with("video/") || name == "image/jpeg";
    if !(video && free) {
        let sink = decode::element("fakesink")?;
        sink.set_property("sync", false);
        sink.set_property("async", false);
        pipeline.add(&sink).map_err(|e| failed(&e))?;
        sink.sync_state_with_parent().map_err(|e| failed(&e))?;
        let to = sink.static_pad("sink").ok_or_else(|| failed(&"no pad"))?;
        pad.link(&to).map_err(|e| failed(&e))?;
        return Ok(None);
    }
    let fits = |filter: &str| filter.parse::<gst::Caps>().is_ok_and(|f| caps.can_intersect(&f));
    let names = DECODERS.iter().find(|(filter, _)| fits(filter)).map(|(_, names)| *names);
    let decoder = decode::decoder(names.ok_or(DecodeError::Undecodable(name))?)?;
    pipeline.add(&decoder).map_err(|e| failed(&e))?;
    decoder.link(convert).map_err(|e| failed(&e))?;
    decoder.sync_state_with_parent().map_err(|e| failed(&e))?;
    let to = decoder.static_pad("sink").ok_or_else(|| failed(&"no pad"))?;
    pad.link(&to).map_err(|e| failed(&e))?;
    decoder.static_pad("src").map(Some).ok_or_else(|| failed(&"no pad"))
}
