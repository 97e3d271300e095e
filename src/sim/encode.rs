//! The GStreamer pipelines that encode, run to their end on the calling thread.

use std::{
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use gstreamer::{self as gst, prelude::*};
use gstreamer_app as gst_app;

use super::{
    clip::{Settings, Source, VIDEO_S_MAX, frames_in},
    draw::Painter,
    scene::Scene,
};
use crate::domain::{packet::Codec, refusal::Refusal};

/// One access unit as it left the encoder, Annex B.
#[derive(Debug)]
pub(crate) struct Coded {
    pub(crate) pts_ns: u64,
    pub(crate) bytes: Bytes,
}

/// Which Debian package has which of the elements used here.
const ELEMENTS: [(&str, &str); 12] = [
    ("appsrc", "gstreamer1.0-plugins-base"),
    ("appsink", "gstreamer1.0-plugins-base"),
    ("videoconvert", "gstreamer1.0-plugins-base"),
    ("videoscale", "gstreamer1.0-plugins-base"),
    ("videorate", "gstreamer1.0-plugins-base"),
    ("decodebin", "gstreamer1.0-plugins-base"),
    ("x264enc", "gstreamer1.0-plugins-ugly"),
    ("x265enc", "gstreamer1.0-plugins-bad"),
    ("h264parse", "gstreamer1.0-plugins-bad"),
    ("mp4mux", "gstreamer1.0-plugins-good"),
    ("filesrc", "libgstreamer1.0-0"),
    ("filesink", "libgstreamer1.0-0"),
];

/// Frames that may wait for the encoder.
const WAITING_MAX: u64 = 8;

/// Encodes a whole source.
pub(crate) fn access_units(
    source: &Source,
    settings: &Settings,
    cancelled: &dyn Fn() -> bool,
) -> Result<Vec<Coded>, Refusal> {
    let codec = settings.codec.name();
    let tail = format!(
        "{} ! video/x-{codec},stream-format=byte-stream,alignment=au ! appsink name=out sync=false",
        encoder(settings)
    );
    match source {
        Source::Drawn(scene) => {
            let run = Run::new("sim", &format!("{} ! {tail}", drawn_input(settings)))?;
            let out = run.collect()?;
            run.play()?;
            run.paint(scene, settings, frames_in(scene.loop_us(), settings.fps), cancelled)?;
            run.wait(cancelled)?;
            Ok(std::mem::take(&mut *lock(&out)))
        }
        Source::File(path) => {
            let Settings { width, height, fps, .. } = settings;
            let frames = VIDEO_S_MAX * fps;
            let place = format!("--video {}", path.display());
            let input = format!(
                "filesrc name=in ! decodebin ! videoconvert ! videoscale ! videorate ! \
                 video/x-raw,format=I420,width={width},height={height},framerate={fps}/1,pixel-aspect-ratio=1/1 ! \
                 identity eos-after={frames}"
            );
            let run = Run::new(&place, &format!("{input} ! {tail}"))?;
            run.set_location("in", path)?;
            let out = run.collect()?;
            run.play()?;
            run.wait(cancelled)?;
            Ok(std::mem::take(&mut *lock(&out)))
        }
    }
}

/// Encodes `frames` frames of a scene into an MP4 file.
pub(crate) fn mp4(scene: &Scene, settings: &Settings, frames: u64, path: &Path) -> Result<(), Refusal> {
    let line = format!("{} ! {} ! h264parse ! mp4mux ! filesink name=file", drawn_input(settings), encoder(settings));
    let run = Run::new(&path.display().to_string(), &line)?;
    run.set_location("file", path)?;
    run.play()?;
    run.paint(scene, settings, frames, &|| false)?;
    run.wait(&|| false)
}

fn drawn_input(settings: &Settings) -> String {
    let Settings { width, height, fps, .. } = settings;
    format!(
        "appsrc name=in format=time max-bytes=0 caps=video/x-raw,format=I420,width={width},height={height},\
         framerate={fps}/1,pixel-aspect-ratio=1/1,interlace-mode=progressive,colorimetry=bt601"
    )
}

/// One thread an encoder, so that a clip is the same on every machine; no scene cuts, so that key frames stand where
/// they are expected; no delimiters, so that there is no doubt what a recorder keeps.
fn encoder(settings: &Settings) -> String {
    let Settings { bitrate_kbps, gop, b_frames, codec, .. } = settings;
    let tune = if *b_frames == 0 { "tune=zerolatency" } else { "" };
    if *codec == Codec::H265 {
        format!(
            "x265enc speed-preset=ultrafast {tune} bitrate={bitrate_kbps} key-int-max={gop} option-string=\
             \"keyint={gop}:min-keyint={gop}:scenecut=0:open-gop=0:bframes={b_frames}:b-adapt=0:pools=none:\
             frame-threads=1:wpp=0:repeat-headers=1:aud=0:info=0\""
        )
    } else {
        format!(
            "x264enc speed-preset=ultrafast {tune} bitrate={bitrate_kbps} key-int-max={gop} bframes={b_frames} \
             b-adapt=false threads=1 aud=false option-string=\"scenecut=0:open-gop=0:keyint={gop}:min-keyint={gop}\""
        )
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// x265 fills tables of the whole process when its first encoder is opened, and nothing keeps a second encoder from
/// using them half filled: one encoder at a time.
static X265: Mutex<()> = Mutex::new(());

/// A pipeline that is taken down when dropped.
struct Run {
    place: String,
    pipeline: gst::Pipeline,
    bus: gst::Bus,
    /// Given back after the pipeline is down.
    _x265: Option<MutexGuard<'static, ()>>,
}

impl Drop for Run {
    fn drop(&mut self) {
        // Going down cannot fail in a way that matters to anybody.
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

impl Run {
    fn new(place: &str, line: &str) -> Result<Self, Refusal> {
        check_elements(line)?;
        let broken = |why: &dyn std::fmt::Display| failed(place, &why.to_string());
        let pipeline = gst::parse::launch(line).map_err(|e| broken(&e))?;
        let pipeline = pipeline.downcast::<gst::Pipeline>().map_err(|_| broken(&"no pipeline"))?;
        let bus = pipeline.bus().ok_or_else(|| broken(&"no bus"))?;
        let _x265 = line.contains("x265enc").then(|| lock(&X265));
        Ok(Self { place: place.to_owned(), pipeline, bus, _x265 })
    }
    fn element<T: IsA<gst::Element>>(&self, name: &str) -> Result<T, Refusal> {
        let found = self.pipeline.by_name(name).and_then(|e| e.downcast::<T>().ok());
        found.ok_or_else(|| failed(&self.place, &format!("no element {name}")))
    }
    fn set_location(&self, element: &str, path: &Path) -> Result<(), Refusal> {
        self.element::<gst::Element>(element)?.set_property("location", path);
        Ok(())
    }
    /// Keeps what comes out of the `appsink` named `out`.
    fn collect(&self) -> Result<Arc<Mutex<Vec<Coded>>>, Refusal> {
        let all = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&all);
        let keep = move |sink: &gst_app::AppSink| {
            let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
            let buffer = sample.buffer().ok_or(gst::FlowError::Error)?;
            let pts_ns = buffer.pts().ok_or(gst::FlowError::Error)?.nseconds();
            let map = buffer.map_readable().map_err(|_| gst::FlowError::Error)?;
            lock(&kept).push(Coded { pts_ns, bytes: Bytes::copy_from_slice(&map) });
            Ok(gst::FlowSuccess::Ok)
        };
        let sink = self.element::<gst_app::AppSink>("out")?;
        sink.set_callbacks(gst_app::AppSinkCallbacks::builder().new_sample(keep).build());
        Ok(all)
    }
    fn play(&self) -> Result<(), Refusal> {
        match self.pipeline.set_state(gst::State::Playing) {
            Ok(_) => Ok(()),
            // The bus says why.
            Err(error) => self.poll(1000).and(Err(failed(&self.place, &error.to_string()))),
        }
    }
    /// Draws the frames into the `appsrc` named `in`.
    fn paint(
        &self,
        scene: &Scene,
        settings: &Settings,
        frames: u64,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<(), Refusal> {
        let source = self.element::<gst_app::AppSrc>("in")?;
        let mut painter = Painter::new(scene, settings.width, settings.height);
        let second_ns = 1_000_000_000;
        for i in 0..frames {
            let at = |frame: u64| gst::ClockTime::from_nseconds(frame * second_ns / u64::from(settings.fps));
            let pixels = painter.frame(super::clip::frame_us(i, settings.fps)).to_vec();
            let mut buffer = gst::Buffer::from_mut_slice(pixels);
            if let Some(buffer) = buffer.get_mut() {
                buffer.set_pts(at(i));
                buffer.set_duration(at(i + 1) - at(i));
            }
            source.push_buffer(buffer).map_err(|e| failed(&self.place, &e.to_string()))?;
            // Not `block=true`: a pipeline that has failed would never let go.
            self.poll(0)?;
            while source.current_level_buffers() > WAITING_MAX {
                self.poll(2)?;
                refuse_when(cancelled())?;
            }
        }
        source.end_of_stream().map_err(|e| failed(&self.place, &e.to_string()))?;
        Ok(())
    }
    /// Waits for the end.
    fn wait(&self, cancelled: &dyn Fn() -> bool) -> Result<(), Refusal> {
        while !self.poll(100)? {
            refuse_when(cancelled())?;
        }
        Ok(())
    }
    /// Waits that long for the end (`true`) or an error.
    fn poll(&self, wait_ms: u64) -> Result<bool, Refusal> {
        let wanted = [gst::MessageType::Eos, gst::MessageType::Error];
        let message = self.bus.timed_pop_filtered(gst::ClockTime::from_mseconds(wait_ms), &wanted);
        match message.as_ref().map(|m| m.view()) {
            Some(gst::MessageView::Error(error)) => Err(failed(&self.place, &error.error().to_string())),
            Some(_) => Ok(true),
            None => Ok(false),
        }
    }
}

fn refuse_when(stopped: bool) -> Result<(), Refusal> {
    let refusal = || Refusal::new("sim", "đã dừng khi đang chuẩn bị", "was stopped while it was getting ready");
    if stopped { Err(refusal()) } else { Ok(()) }
}

fn failed(place: &str, why: &str) -> Refusal {
    Refusal::new(
        place,
        format!("không mã hóa được ({why}); kiểm tra tệp có phải video không và đường dẫn có ghi được không"),
        format!("cannot be encoded ({why}); check that the file is a video and that the path can be written"),
    )
}

/// Starts GStreamer and looks for every element named in `line`.
fn check_elements(line: &str) -> Result<(), Refusal> {
    gst::init().map_err(|e| {
        Refusal::new(
            "gstreamer",
            format!("không khởi động được ({e}); cài gói libgstreamer1.0-0"),
            format!("does not start ({e}); install the package libgstreamer1.0-0"),
        )
    })?;
    let used = line.split([' ', '!']).filter(|word| !word.is_empty());
    for (element, package) in used.filter_map(|word| ELEMENTS.into_iter().find(|(name, _)| *name == word)) {
        if gst::ElementFactory::find(element).is_none() {
            return Err(Refusal::new(
                format!("gstreamer {element}"),
                format!("thiếu thành phần này; cài gói {package}"),
                format!("this element is missing; install the package {package}"),
            ));
        }
    }
    Ok(())
}
