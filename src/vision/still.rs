//! Single key frames to pictures, in the child: one thread, one at a time, so that looking through old recordings never
//! takes more than one core from what is analysed now.

use std::{
    sync::{
        Arc,
        atomic::AtomicU64,
        mpsc::{self, Receiver, RecvTimeoutError, SyncSender},
    },
    time::Duration,
};

use bytes::Bytes;

use super::{
    decode::{DecodeError, Decoder, Outlet, Sampler},
    desk::Uplink,
    link::Up,
    mask::Blackout,
    picture::{Planes, Scaler},
    watch::Watch,
};
use crate::{
    domain::{frame::Frame, geometry::Polygon, ids::CameraId, mask::Masks, packet::Codec, time::MediaTime},
    runtime::{clock::Clock, tasks},
};

/// Key frames that may wait.
const WAITING_MAX: usize = 8;
/// Width of the picture at most.
const WIDTH_MAX: u32 = 1280;
/// A decoder that has given no picture after so long gives none.
const PATIENCE: Duration = Duration::from_secs(3);
/// How often a decoder is asked whether it has given up.
const STEP: Duration = Duration::from_millis(50);

/// A key frame to be decoded.
#[derive(Debug)]
pub struct Negative {
    /// Told back.
    pub id: u64,
    /// How it is coded.
    pub codec: Codec,
    /// Its decoder configuration record.
    pub decoder_config: Bytes,
    /// NAL units behind 4-byte lengths.
    pub data: Bytes,
    /// What of it is never shown.
    pub privacy: Vec<Polygon>,
}

/// Where they are handed in; the thread ends when this is dropped.
#[derive(Debug)]
pub struct Darkroom(SyncSender<Negative>);

impl Darkroom {
    /// Starts the thread; `watch` tells how long it has been at one picture.
    ///
    /// # Errors
    /// The system's when it has no thread left.
    pub fn open(up: Arc<Uplink>, watch: Arc<Watch>, clock: Clock) -> std::io::Result<Self> {
        let (sender, negatives) = mpsc::sync_channel(WAITING_MAX);
        tasks::thread("stills", move || {
            let work = std::panic::AssertUnwindSafe(|| develop_all(&negatives, &up, &watch, &clock));
            if std::panic::catch_unwind(work).is_err() {
                std::process::exit(4);
            }
        })?;
        Ok(Self(sender))
    }
    /// Hands one in; whether there was room.
    #[must_use]
    pub fn take(&self, negative: Negative) -> bool {
        self.0.try_send(negative).is_ok()
    }
}

fn develop_all(negatives: &Receiver<Negative>, up: &Uplink, watch: &Watch, clock: &Clock) {
    let mut scaler = Scaler::default();
    while let Ok(negative) = negatives.recv() {
        watch.at(clock.boot().us());
        let id = negative.id;
        let jpeg = develop(negative, &mut scaler).unwrap_or_else(|error| {
            tracing::warn!(%error, "a key frame cannot be decoded");
            None
        });
        // One too large for a message is none: the asker must hear something.
        let told = jpeg.is_some_and(|jpeg| up.send(&Up::StillDone { id, jpeg: Some(jpeg) }));
        if !told {
            up.send(&Up::StillDone { id, jpeg: None });
        }
        watch.at(0);
    }
}

/// `None` when the decoder gives no picture.
fn develop(negative: Negative, scaler: &mut Scaler) -> Result<Option<Bytes>, DecodeError> {
    let (give, frames) = mpsc::sync_channel(1);
    let outlet = Outlet {
        camera: CameraId(0),
        sampler: Arc::new(Sampler::default()),
        decoded: Arc::new(AtomicU64::new(0)),
        consumed: Arc::new(AtomicU64::new(0)),
        frames: Arc::new(move |frame| {
            // A second picture of one key frame is not looked at.
            let _ = give.try_send(frame);
        }),
    };
    let decoder = Decoder::new(negative.codec, &negative.decoder_config, outlet)?;
    decoder.push(MediaTime(0), true, negative.data)?;
    decoder.end();
    let mut blackout = Blackout::new(Masks { privacy: negative.privacy, motion: Vec::new() });
    let mut print = |mut frame: Frame| {
        blackout.apply(&mut frame);
        Some(Planes::of(&frame, WIDTH_MAX, scaler).jpeg()).filter(|jpeg| !jpeg.is_empty())
    };
    let mut waited = Duration::ZERO;
    loop {
        match frames.recv_timeout(STEP) {
            Ok(frame) => return Ok(print(frame)),
            Err(RecvTimeoutError::Disconnected) => return Ok(None),
            Err(RecvTimeoutError::Timeout) => waited += STEP,
        }
        if decoder.is_over() || waited >= PATIENCE {
            // It may have come between the two questions.
            return Ok(frames.try_recv().ok().and_then(print));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vision::decode;

    #[test]
    fn what_is_no_picture_gives_none_and_nothing_hangs() {
        decode::start().unwrap();
        let mut scaler = Scaler::default();
        for (config, data) in
            [(&b""[..], &b""[..]), (b"\x01garbage", b"\0\0\0\x05\x65abcd"), (b"", b"\xff\xff\xff\xff")]
        {
            for codec in [Codec::H264, Codec::H265] {
                let (decoder_config, data) = (Bytes::from_static(config), Bytes::from_static(data));
                let developed = develop(Negative { id: 1, codec, decoder_config, data, privacy: vec![] }, &mut scaler);
                assert!(!matches!(developed, Ok(Some(_))), "{codec:?}: a picture out of nothing");
            }
        }
    }
}
