use proptest::prelude::*;

use super::*;
use crate::domain::{
    detection::Class,
    health::{Light, Measured},
    ids::TrackId,
    track::TrackPoint,
};

fn seen(score: f32) -> Up {
    let rect = NormBox::new(0.1, 0.2, 0.3, 0.4).unwrap();
    let (track, class) = (TrackId(7), Class::Car);
    let point = TrackPoint { track, class, score, rect, confirmed: true, held: false, identity: 1.0 };
    Up::Seen(FrameSeen {
        camera: CameraId(3),
        time: MediaTime(1_700_000_000_000_000),
        motion: vec![rect],
        tracks: vec![point],
        ended: vec![TrackId(6)],
        still: Some(vec![rect]),
        labels: Vec::new(),
    })
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..600), framed in any::<bool>()) {
        let mut buffer = BytesMut::new();
        if framed {
            buffer.put_u32_le(bytes.len() as u32);
            buffer.put_u8(VERSION);
        }
        buffer.put_slice(&bytes);
        while let Ok(Some(message)) = decode::<Up>(&mut buffer) {
            let _ = message.check();
        }
    }

    #[test]
    fn a_flipped_bit_is_an_error_or_another_message_but_no_panic(at in 0..60usize, bit in 0..8u8) {
        let mut buffer = BytesMut::new();
        encode(&seen(0.5), &mut buffer).unwrap();
        let at = at % buffer.len();
        buffer[at] ^= 1 << bit;
        if let Ok(Some(message)) = decode::<Up>(&mut buffer) {
            let _ = message.check();
        }
    }

    #[test]
    fn messages_come_out_as_they_went_in_however_the_stream_is_cut(
        data in prop::collection::vec(any::<u8>(), 0..3000), cut in 1..700usize, time in any::<i64>(),
    ) {
        let sent = [
            Down::Packet { camera: CameraId(1), time: MediaTime(time), key: true, data: data.clone().into() },
            Down::Finish,
            Down::ModelPart { data: data.into() },
        ];
        let mut wire = BytesMut::new();
        for message in &sent {
            encode(message, &mut wire).unwrap();
        }
        let (mut buffer, mut got) = (BytesMut::new(), Vec::new());
        for piece in wire.chunks(cut) {
            buffer.put_slice(piece);
            while let Some(message) = decode::<Down>(&mut buffer).unwrap() {
                got.push(message);
            }
        }
        prop_assert_eq!(got.as_slice(), sent.as_slice());
    }
}

#[test]
fn oversized_and_foreign_messages_are_refused_before_they_are_read() {
    let mut large = BytesMut::from(&[0xff, 0xff, 0xff, 0x7f, VERSION][..]);
    assert!(matches!(decode::<Up>(&mut large), Err(LinkError::TooLarge(_))));
    let mut foreign = BytesMut::from(&[1, 0, 0, 0, VERSION + 1, 0][..]);
    assert_eq!(decode::<Up>(&mut foreign), Err(LinkError::Version(VERSION + 1)));
    let mut out = BytesMut::new();
    let data = Bytes::from(vec![0; MESSAGE_MAX]);
    assert!(encode(&Down::ModelPart { data }, &mut out).is_err() && out.is_empty());
}

#[test]
fn a_score_that_is_no_number_is_not_believed() {
    assert!(seen(1.0).check().is_ok());
    assert!(seen(f32::NAN).check().is_err());
    assert!(seen(1.5).check().is_err());
    let text = Up::Picture { camera: CameraId(1), time: MediaTime(0), jpeg: Bytes::from_static(b"<html>") };
    assert!(text.check().is_err());
}

#[test]
fn a_word_on_a_picture_that_cannot_be_measured_is_not_believed() {
    let said = |matching: f32, since: i64| {
        let measured = Measured {
            light: Light::Day,
            mean: 90.0,
            high: 200.0,
            saturated: 0.0,
            edges: 9.5,
            parts: 40,
            matching,
            vanished: 0.0,
            blurred: 0.0,
            still_us: 0,
            shift: None,
        };
        let (camera, time, since) = (CameraId(1), MediaTime(9), MediaTime(since));
        Up::Health(PictureHealth { camera, time, fault: None, since, measured }).check()
    };
    assert!(said(1.0, 9).is_ok());
    assert!(said(f32::NAN, 9).is_err() && said(1.1, 9).is_err() && said(0.5, 10).is_err());
    let learned = |size, cells: usize, fine: f32| {
        let (light, pictures, time) = (Light::Day, 30, MediaTime(9));
        let reference = Reference { light, pictures, time, size, luma: vec![7; cells], fine: vec![fine; 40] };
        Up::Reference { camera: CameraId(1), reference }.check()
    };
    assert!(learned((16, 9), 144, 2.0).is_ok());
    assert!(learned((16, 9), 143, 2.0).is_err() && learned((16, 9), 144, f32::NAN).is_err());
    assert!(learned((0, 0), 0, 2.0).is_err() && learned((1000, 1000), 1_000_000, 2.0).is_err());
}
