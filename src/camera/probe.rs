//! One look at a camera before it is added, and for `vonglau check`.

use tokio::time::{Duration, timeout};

use super::{
    params, session,
    session::no_key,
    trouble::{panicked, trouble},
};
use crate::{
    domain::{
        camera::{RtspUrl, Secret, Trouble, TroubleCause},
        packet::Codec,
    },
    runtime::tasks::ShortTasks,
};

/// How long the first key frame may take after PLAY.
const KEY_WAIT: Duration = Duration::from_secs(20);

/// What a camera sends at an address.
#[derive(Debug, Clone, PartialEq)]
pub struct Probe {
    /// H.264 or H.265.
    pub codec: Codec,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Frames a second as the camera declares it, if it does.
    pub fps: Option<f64>,
}

/// Opens a session as the service would and waits for its first key frame; at most about 50 s, each phase having its
/// own deadline.
///
/// # Errors
/// The [`Trouble`] a running stream would show.
pub async fn probe(url: &RtspUrl, username: &str, password: &Secret) -> Result<Probe, Trouble> {
    let (url, username, password) = (url.clone(), username.to_owned(), password.clone());
    // In a task of its own: what a camera says may make a library panic.
    let tasks = ShortTasks::default();
    let looked = tasks.run(async move { look(&url, &username, &password).await }).await;
    looked.unwrap_or_else(|_| Err(panicked()))
}

async fn look(url: &RtspUrl, username: &str, password: &Secret) -> Result<Probe, Trouble> {
    let mut opened = session::open(url, username, password).await?;
    let mut seen = false;
    let first_key = async {
        loop {
            let frame = opened.frame().await?;
            seen = true;
            if params::is_key(opened.codec, frame.data()) {
                return Ok(());
            }
        }
    };
    match timeout(KEY_WAIT, first_key).await {
        Ok(Ok(())) => {}
        Ok(Err(trouble)) => return Err(trouble),
        Err(_) if seen => return Err(no_key()),
        Err(_) => {
            let detail = format!("the camera sent no picture within {} s of PLAY", KEY_WAIT.as_secs());
            return Err(trouble(TroubleCause::Camera, detail));
        }
    }
    let mut found = None;
    opened.renew(&mut found);
    let params = found.ok_or_else(|| trouble(TroubleCause::Camera, "the camera sends no parameter sets"))?;
    let fps = opened.framerate.map(f64::from).or_else(|| opened.declared_fps()).filter(|f| (0.01..1000.0).contains(f));
    Ok(Probe { codec: params.codec, width: params.width, height: params.height, fps })
}
