//! What is allowed to cameras that do not keep to RFC 2326, and which sessions of a host are still dying.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use retina::client::{
    Credentials, InitialSequenceNumberPolicy, InitialTimestampPolicy, PlayOptions, SessionGroup, SessionIdPolicy,
    SessionOptions, SetupOptions, TeardownPolicy, Transport, UnassignedChannelDataPolicy, UnknownRtcpSsrcPolicy,
};
use retina::codec::FrameFormat;

use crate::domain::camera::Secret;

/// Options of a session. The returned value must never be printed: retina's `Credentials` show the password.
pub(super) fn session(username: &str, password: &Secret, group: Arc<SessionGroup>) -> SessionOptions {
    let creds = (!username.is_empty() || !password.is_empty())
        .then(|| Credentials { username: username.to_owned(), password: password.expose().to_owned() });
    SessionOptions::default()
        .creds(creds)
        .user_agent(concat!("vonglau/", env!("CARGO_PKG_VERSION")).to_owned())
        .session_group(group)
        .teardown(TeardownPolicy::Auto)
        // Hikvision and Dahua send a private track nobody asked for; old live555 sends a dead session's data.
        .unassigned_channel_data(UnassignedChannelDataPolicy::Auto)
        // Some firmware answers each SETUP with another session id.
        .session_id(SessionIdPolicy::UseFirst)
}

/// Options of SETUP: interleaved, NAL units behind 4-byte lengths, parameter sets only in the sample entry.
pub(super) fn setup() -> SetupOptions {
    SetupOptions::default().transport(Transport::Tcp(Default::default())).frame_format(FrameFormat::MP4)
}

/// Options of PLAY: what `RTP-Info` says is not needed for one stream over TCP and is often wrong (Hikvision
/// DS-2CD2032 says seq=0, Tapo C320WS seq=1).
pub(super) fn play() -> PlayOptions {
    PlayOptions::default()
        .initial_timestamp(InitialTimestampPolicy::Permissive)
        .initial_seq(InitialSequenceNumberPolicy::Ignore)
        .unknown_rtcp_ssrc(UnknownRtcpSsrcPolicy::DropPackets)
}

static GROUPS: Mutex<Option<HashMap<String, Weak<SessionGroup>>>> = Mutex::new(None);

/// The group of all sessions with one host: live555 before 2017.06.04 sends a closed session's data into the next
/// connection that gets its file descriptor, whichever stream that is.
pub(super) fn group(host: &str) -> Arc<SessionGroup> {
    let mut groups = GROUPS.lock().unwrap_or_else(PoisonError::into_inner);
    let groups = groups.get_or_insert_default();
    groups.retain(|_, group| group.strong_count() > 0);
    if let Some(group) = groups.get(host).and_then(Weak::upgrade) {
        return group;
    }
    let group = Arc::new(SessionGroup::default().named(host.to_owned()));
    groups.insert(host.to_owned(), Arc::downgrade(&group));
    group
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_streams_of_a_host_share_a_group_as_long_as_one_is_alive() {
        let main = group("192.0.2.1");
        assert!(Arc::ptr_eq(&main, &group("192.0.2.1")));
        assert!(!Arc::ptr_eq(&main, &group("192.0.2.2")));
    }
}
