//! Any bytes as what the vision child says: a message the parent may believe, or an error.

use bytes::{Bytes, BytesMut};
use serde::{Serialize, de::DeserializeOwned};
use vonglau::{
    domain::time::BootTime,
    vision::{
        lane::Lane,
        link::{self, Down, Up},
    },
};

use super::packets;

/// The first byte says which way the bytes go.
pub fn run(bytes: &[u8]) {
    let Some((flags, rest)) = bytes.split_first() else { return };
    let mut buffer = BytesMut::from(rest);
    if flags & 1 == 1 {
        while let Some(message) = next::<Down>(&mut buffer) {
            round_trip(&message);
        }
        return;
    }
    let mut lane = Lane::default();
    for packet in packets::packets(
        &[1, 9, 1, 0, 9, 4, 1, 9, 4],
        &packets::stream(),
        &[packets::params(640), packets::params(320)],
    ) {
        lane.offer(&packet, 1 << 20, BootTime(0));
    }
    let sent = lane.bytes();
    while let Some(message) = next::<Up>(&mut buffer) {
        if message.check().is_err() {
            return;
        }
        round_trip(&message);
        match message {
            Up::Ack { generation, packets, .. } => lane.ack(generation, packets, BootTime(0)),
            Up::Seen(seen) => {
                let admitted = lane.admit(&seen);
                if admitted == Ok(true) {
                    assert!(seen.tracks.iter().all(|t| inside(t.rect.corners())), "{seen:?}");
                    assert!(seen.motion.iter().all(|b| inside(b.corners())), "{seen:?}");
                }
                if admitted.is_err() {
                    return;
                }
            }
            _ => {}
        }
        assert!(lane.bytes() <= sent);
    }
}

fn inside(corners: [f32; 4]) -> bool {
    corners.iter().all(|c| (0.0..=1.0).contains(c)) && corners[0] <= corners[2] && corners[1] <= corners[3]
}

/// The next message; what is left of the buffer is always shorter than before.
fn next<T: DeserializeOwned>(buffer: &mut BytesMut) -> Option<T> {
    let before = buffer.len();
    let message = link::decode(buffer).ok().flatten();
    assert!(message.is_none() || buffer.len() < before);
    message
}

/// What was understood can be said again, and is understood the same.
fn round_trip<T: Serialize + DeserializeOwned>(message: &T) {
    let encoded = |message: &T| {
        let mut out = BytesMut::new();
        link::encode(message, &mut out).expect("it came in one message");
        out.freeze()
    };
    let first: Bytes = encoded(message);
    let again: T = link::decode(&mut BytesMut::from(&first[..])).expect("it is a message").expect("and whole");
    assert_eq!(encoded(&again), first);
}
