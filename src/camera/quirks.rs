//! What is allowed to cameras that do not keep to RFC 2326, and what the streams of a host share: which sessions are
//! still dying, and which logins were refused.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use retina::client::{
    Credentials, InitialSequenceNumberPolicy, InitialTimestampPolicy, PlayOptions, SessionGroup, SessionIdPolicy,
    SessionOptions, SetupOptions, TeardownPolicy, Tool, Transport, UnassignedChannelDataPolicy, UnknownRtcpSsrcPolicy,
};
use retina::codec::FrameFormat;

use super::login::Logins;
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

/// A host's sessions, and whether its server is live555 before 2017.06.04, which sends a closed session's data into the
/// next connection that gets its file descriptor, whichever stream that is.
#[derive(Default)]
pub(super) struct Host {
    /// All sessions with this host.
    pub group: Arc<SessionGroup>,
    /// What was refused here.
    pub logins: Logins,
    leaks: AtomicBool,
}

impl Host {
    /// Takes note of what the server calls itself.
    pub fn note_tool(&self, tool: Option<&Tool>) {
        self.leaks.store(tool.is_some_and(Tool::has_live555_tcp_bug), Ordering::Relaxed);
    }
    /// Waits out dying sessions where they could spoil the next one; the next try shows how it stands.
    pub async fn await_stale(&self) {
        let stale = self.group.stale_sessions();
        if self.leaks.load(Ordering::Relaxed) && stale.num_sessions > 0 {
            let _ = tokio::time::timeout(STALE_MAX, self.group.await_stale_sessions(&stale)).await;
        }
    }
}

/// How long a dying session is waited for; live555 keeps one for 65 s.
const STALE_MAX: Duration = Duration::from_secs(70);

static HOSTS: Mutex<Option<HashMap<String, Weak<Host>>>> = Mutex::new(None);

/// The host at that address; the same one for all its streams.
pub(super) fn host(address: &str) -> Arc<Host> {
    let mut hosts = HOSTS.lock().unwrap_or_else(PoisonError::into_inner);
    let hosts = hosts.get_or_insert_default();
    hosts.retain(|_, host| host.strong_count() > 0);
    if let Some(host) = hosts.get(address).and_then(Weak::upgrade) {
        return host;
    }
    let host = Arc::new(Host::default());
    hosts.insert(address.to_owned(), Arc::downgrade(&host));
    host
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_streams_of_a_host_share_its_sessions_as_long_as_one_is_alive() {
        let main = host("192.0.2.1:554");
        assert!(Arc::ptr_eq(&main, &host("192.0.2.1:554")));
        assert!(!Arc::ptr_eq(&main, &host("192.0.2.2:554")));
    }
}
