//! The socket between the serving process and the vision child: messages and their frame.
//!
//! A frame is the body's length (4 bytes, little endian), the protocol version (1 byte) and the body in postcard
//! (<https://postcard.jamesmunns.com/wire-format>). A body is at most [`MESSAGE_MAX`] bytes. Encoding and decoding are
//! pure; the child reads with blocking calls, the parent asynchronously, both into a [`BytesMut`]. Whatever the bytes,
//! decoding gives a message or an error, never a panic.

use std::io::Read;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::io::{AsyncRead, AsyncReadExt};

use super::{classifier::ClassifierSpec, model::ModelSpec, sandbox::Lack};
use crate::{
    domain::{
        geometry::{NormBox, POLYGON_CORNERS_MAX, Polygon},
        health::{PictureHealth, Reference},
        ids::CameraId,
        look::TrackLook,
        mask::Masks,
        packet::Codec,
        time::MediaTime,
        track::FrameSeen,
    },
    runtime::capacity::PacketGate,
};

/// Grows with every change of a message.
pub const VERSION: u8 = 8;
/// The most bytes a message may take.
pub const MESSAGE_MAX: usize = 4 << 20;
/// Bytes of a model that travel in one message.
pub const MODEL_PART: usize = 1 << 20;
/// A polygon takes at most so many bytes of a message.
pub const POLYGON_BYTES: usize = POLYGON_CORNERS_MAX * 8 + 2;
const HEADER: usize = 5;
/// Bytes read from the socket at once.
const READ_AT_ONCE: usize = 64 << 10;
/// The most regions and objects one frame may carry up.
pub(super) const ITEMS_MAX: usize = 4096;
/// The most bytes of a text that goes up.
pub(super) const TEXT_MAX: usize = 8 << 10;

/// What the parent says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Down {
    /// First message: the time now; track ids are counted up from it.
    Hello {
        /// Media time at the start of this child.
        start: MediaTime,
    },
    /// A camera is there; everything about an earlier one of that id is forgotten.
    Camera {
        /// Which.
        camera: CameraId,
        /// Told back in every `Ack`, so that one of an earlier life is known.
        generation: u32,
    },
    /// A camera is not there any more.
    CameraGone {
        /// Which.
        camera: CameraId,
    },
    /// The masks in force; before the camera's first packet and at each change.
    Masks {
        /// Whose.
        camera: CameraId,
        /// In place of those before.
        masks: Masks,
    },
    /// How a camera usually looks by one light, as learned before.
    Reference {
        /// Which.
        camera: CameraId,
        /// What was learned.
        reference: Reference,
    },
    /// A person says that how a camera looks now is right: what was learned is forgotten.
    ViewAccepted {
        /// Which.
        camera: CameraId,
    },
    /// What the decoder needs to know; before the camera's first packet and at each change.
    Params {
        /// Whose.
        camera: CameraId,
        /// How it is coded.
        codec: Codec,
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// AVC or HEVC decoder configuration record.
        decoder_config: Bytes,
    },
    /// One access unit.
    Packet {
        /// Whose.
        camera: CameraId,
        /// Presentation time.
        time: MediaTime,
        /// Whether decoding can start here.
        key: bool,
        /// NAL units behind 4-byte lengths.
        data: Bytes,
    },
    /// A detector follows in parts.
    Model {
        /// What is known about it.
        spec: ModelSpec,
        /// Bytes in all.
        size: u64,
    },
    /// The next bytes of the detector or the extra classifier.
    ModelPart {
        /// At most [`MODEL_PART`].
        data: Bytes,
    },
    /// A picture of a recent frame is wanted.
    Snapshot {
        /// Told back in the answer.
        id: u64,
        /// Whose.
        camera: CameraId,
        /// Of when.
        time: MediaTime,
        /// What to draw on the boxed one.
        boxes: Vec<NormBox>,
    },
    /// A picture of a key frame is wanted.
    Still {
        /// Told back in the answer.
        id: u64,
        /// How it is coded.
        codec: Codec,
        /// AVC or HEVC decoder configuration record.
        decoder_config: Bytes,
        /// NAL units behind 4-byte lengths.
        data: Bytes,
        /// What of it is never shown.
        privacy: Vec<Polygon>,
    },
    /// No packet follows: finish what is there, say `Done`, end.
    Finish,
    /// Frames of a camera that are looked at lie at least so far apart.
    Pace {
        /// Microseconds.
        every_us: i64,
    },
    /// An extra classifier follows in parts.
    Classifier {
        /// What is known about it.
        spec: ClassifierSpec,
        /// Bytes in all.
        size: u64,
    },
}

/// What the child has done so far, since its own start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Totals {
    /// Frames that came out of the decoders.
    pub frames_decoded: u64,
    /// Frames the gate looked at.
    pub frames_analysed: u64,
    /// Runs of the detector.
    pub inferences: u64,
    /// Frames dropped because the detector's answer held a number that is none.
    pub frames_not_a_number: u64,
    /// Runs of the detector that were wanted.
    pub inferences_asked: u64,
}

/// What one camera's frames went through, since its `Camera`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frames {
    /// Whose.
    pub camera: CameraId,
    /// As given in `Camera`.
    pub generation: u32,
    /// Came out of the decoder.
    pub decoded: u64,
    /// Of these were to be looked at, by their time.
    pub due: u64,
    /// Of these were replaced by a newer one before there was time for them.
    pub replaced: u64,
    /// Packets that the packet gate kept from the decoder.
    pub quiet: u64,
    /// How that does.
    pub gate: PacketGate,
}

/// What the child can do and how much of it is used.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Effort {
    /// How long the analysis thread has worked since the start, microseconds.
    pub busy_us: u64,
    /// What a frame with a run of the detector costs, microseconds; measured when the detector is loaded, and from then
    /// on. 0 without one.
    pub inference_us: u64,
    /// Of each camera.
    pub cameras: Vec<Frames>,
}

/// What the child says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Up {
    /// First message.
    Hello,
    /// How many of a camera's packets have gone into its decoder or away.
    Ack {
        /// Whose.
        camera: CameraId,
        /// As given in `Camera`.
        generation: u32,
        /// In all, since that `Camera`.
        packets: u64,
    },
    /// An analysed frame.
    Seen(FrameSeen),
    /// A camera's picture for the screens.
    Picture {
        /// Whose.
        camera: CameraId,
        /// Of when.
        time: MediaTime,
        /// At most 640 pixels wide.
        jpeg: Bytes,
    },
    /// What is said of a camera's picture: when it changes, and every ten seconds.
    Health(PictureHealth),
    /// How a camera usually looks by one light.
    Reference {
        /// Which.
        camera: CameraId,
        /// What was learned.
        reference: Reference,
    },
    /// A snapshot asked for.
    SnapshotDone {
        /// As asked.
        id: u64,
        /// The time of the frame taken.
        time: MediaTime,
        /// As seen.
        plain: Bytes,
        /// With the boxes drawn.
        boxed: Bytes,
    },
    /// There is no such frame any more.
    SnapshotGone {
        /// As asked.
        id: u64,
    },
    /// A still asked for.
    StillDone {
        /// As asked.
        id: u64,
        /// As decoded; `None` when it could not be.
        jpeg: Option<Bytes>,
    },
    /// Said four times a second whatever happens: the sign of life.
    Totals(Totals),
    /// How loading the detector went.
    Detector {
        /// What it is, for a person.
        name: Option<String>,
        /// Why there is none.
        why: Option<String>,
    },
    /// Something went wrong that a person should read.
    Failure {
        /// What.
        text: String,
    },
    /// Everything is finished.
    Done,
    /// Second message: what the kernel does not do for the sandbox this process is in.
    Sandbox {
        /// Each at most once.
        lacks: Vec<Lack>,
    },
    /// Said once a second.
    Effort(Effort),
    /// What a track looks like; before the `Seen` that ends it.
    Look(TrackLook),
    /// How loading an extra classifier went.
    Classifier {
        /// Its file.
        file: String,
        /// Why it is not used.
        why: Option<String>,
    },
}

/// Why the other side cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// More than [`MESSAGE_MAX`].
    #[error("a message of {0} bytes; the most is {MESSAGE_MAX}")]
    TooLarge(usize),
    /// Another build is at the other end.
    #[error("protocol version {0}; this is {VERSION}: both processes must be of one build")]
    Version(u8),
    /// No message.
    #[error("not a message: {0}")]
    Malformed(String),
    /// A message that says something impossible.
    #[error("a message that cannot be true: {0}")]
    Impossible(&'static str),
}

/// Appends one framed message to `out`.
///
/// # Errors
/// [`LinkError::TooLarge`]; `out` is then as before.
pub fn encode<T: Serialize>(message: &T, out: &mut BytesMut) -> Result<(), LinkError> {
    let body = postcard::to_stdvec(message).map_err(|e| LinkError::Malformed(e.to_string()))?;
    let length = u32::try_from(body.len()).ok().filter(|n| *n as usize <= MESSAGE_MAX);
    let length = length.ok_or(LinkError::TooLarge(body.len()))?;
    out.reserve(HEADER + body.len());
    out.put_u32_le(length);
    out.put_u8(VERSION);
    out.put_slice(&body);
    Ok(())
}

/// Takes one whole message off the front of `buffer`; `None` when more bytes are needed.
///
/// # Errors
/// When the bytes are no message; nothing after them can be trusted.
pub fn decode<T: DeserializeOwned>(buffer: &mut BytesMut) -> Result<Option<T>, LinkError> {
    let Some((header, _)) = buffer.split_first_chunk::<HEADER>() else { return Ok(None) };
    let [a, b, c, d, version] = *header;
    let length = u32::from_le_bytes([a, b, c, d]) as usize;
    if version != VERSION {
        return Err(LinkError::Version(version));
    }
    if length > MESSAGE_MAX {
        return Err(LinkError::TooLarge(length));
    }
    if buffer.len() < HEADER + length {
        return Ok(None);
    }
    let (message, rest) =
        postcard::take_from_bytes(&buffer[HEADER..HEADER + length]).map_err(|e| LinkError::Malformed(e.to_string()))?;
    if !rest.is_empty() {
        return Err(LinkError::Malformed(format!("{} bytes too many", rest.len())));
    }
    buffer.advance(HEADER + length);
    Ok(Some(message))
}

/// Reads with blocking calls until a whole message is there; `None` at the end of the stream.
///
/// # Errors
/// The socket's error, or `InvalidData` around a [`LinkError`].
pub fn read_message<T: DeserializeOwned>(from: &mut impl Read, buffer: &mut BytesMut) -> std::io::Result<Option<T>> {
    loop {
        if let Some(message) = decode(buffer).map_err(invalid)? {
            return Ok(Some(message));
        }
        let filled = buffer.len();
        buffer.resize(filled + READ_AT_ONCE, 0);
        let read = from.read(&mut buffer[filled..]);
        buffer.truncate(filled + *read.as_ref().unwrap_or(&0));
        match read {
            Ok(0) => return Ok(None),
            Ok(_) => {}
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}

/// Reads what is there into `buffer`: the number of bytes, 0 at the end of the stream. Loses nothing when dropped.
///
/// # Errors
/// The socket's.
pub async fn read_some(from: &mut (impl AsyncRead + Unpin), buffer: &mut BytesMut) -> std::io::Result<usize> {
    buffer.reserve(64 << 10);
    from.read_buf(buffer).await
}

fn invalid(error: LinkError) -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::InvalidData, error)
}

/// `text` cut to what a message may carry.
#[must_use]
pub fn cut(text: &str) -> String {
    text.chars().take(TEXT_MAX / 4).collect()
}

#[cfg(test)]
mod tests;
