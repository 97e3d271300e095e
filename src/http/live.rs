//! What a camera shows now, over a WebSocket, for Media Source Extensions.
//!
//! A text message `{"mime","start_us"}` begins a film (again after each break), a binary message with its `ftyp` and
//! `moov` follows, then one binary message for each fragment. `{"errors":[…]}` says why there is none. The line is closed
//! when the stream ends; the page asks again.

use std::time::Duration;

use axum::{
    extract::{
        State,
        ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade, rejection::WebSocketUpgradeRejection},
    },
    response::{IntoResponse, Response},
};
use serde_json::json;

use super::{
    access::{Lasting, SOCKET_PROTOCOL},
    cameras,
    error::ApiError,
    media::{self, Asked, Purpose},
    params::{Id, Params},
    state::AppState,
    video,
};
use crate::{
    domain::{
        camera::{Camera, StreamKind},
        ids::CameraId,
        query::Actor,
        refusal::Refusal,
        time::Span,
    },
    record::live::{Piece, WATCHERS_MAX, Watcher},
    runtime::stop::Stop,
};

/// A client that takes nothing for so long is dropped.
const SEND_MOST: Duration = Duration::from_secs(20);
/// How often a client is asked whether it is there, and how often it may be silent.
const PING_EVERY: Duration = Duration::from_secs(20);
const SILENCES_MAX: u32 = 3;
/// Clients have nothing to say.
const HEARD_BYTES_MAX: usize = 1024;

pub(super) async fn stream(
    actor: Actor,
    State(state): State<AppState>,
    Id(id): Id,
    params: Params,
    (asked, lasting): (Asked, Lasting),
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, ApiError> {
    let kind = video::stream(&params)?.unwrap_or(StreamKind::Sub);
    let camera = cameras::find(&state, CameraId(id)).await?;
    let upgrade = upgrade.map_err(|_| {
        let vi = "địa chỉ này chỉ dùng qua WebSocket; để lấy một hình, hãy dùng picture.jpg";
        let en = "this address speaks WebSocket only; for one picture use picture.jpg";
        Refusal::new("Upgrade", vi, en)
    })?;
    let now = state.clock.media().us();
    let span = Span { start_us: now, end_us: now };
    media::serve_media(
        &state,
        &actor,
        &asked,
        &camera,
        span,
        Purpose::Watch { upgrade, kind, lasting: Box::new(lasting) },
    )
    .await
}

/// The wanted stream, or the main one of a camera that has no other.
pub(super) fn watch(
    state: &AppState,
    camera: &Camera,
    upgrade: WebSocketUpgrade,
    kind: StreamKind,
    lasting: Box<Lasting>,
) -> Result<Response, ApiError> {
    let stream = camera.stream(kind).or_else(|| camera.stream(StreamKind::Main)).ok_or_else(|| {
        let (vi, en) =
            ("camera không có luồng này; hãy chọn luồng khác", "the camera lacks that stream; choose another");
        ApiError::NotFound(Refusal::new("stream", vi, en))
    })?;
    let watcher = state.live.watch(stream.id, state.clock.boot());
    let (stop, camera) = (state.stop.clone(), camera.id);
    let upgrade = upgrade.protocols([SOCKET_PROTOCOL]);
    let upgrade = upgrade.max_message_size(HEARD_BYTES_MAX).max_frame_size(HEARD_BYTES_MAX);
    Ok(upgrade
        .on_upgrade(async move |mut socket| {
            let why = match watcher {
                Some(watcher) => tokio::select! {
                    why = show(&mut socket, watcher, &stop) => why,
                    () = lasting.ended() => "the session ended",
                },
                None => refuse(&mut socket).await,
            };
            tracing::debug!(%camera, why, "a live view ended");
            // The client may be gone.
            let (code, reason) = (1001, Utf8Bytes::from_static(why));
            let _ = socket.send(Message::Close(Some(CloseFrame { code, reason }))).await;
        })
        .into_response())
}

async fn refuse(socket: &mut WebSocket) -> &'static str {
    let refusal = Refusal::new(
        "live",
        format!("đã có {WATCHERS_MAX} ô đang xem trực tiếp; hãy đóng bớt rồi thử lại"),
        format!("{WATCHERS_MAX} live views are open already; close some and try again"),
    );
    // The client may be gone.
    let _ = socket.send(Message::text(json!({ "errors": [refusal] }).to_string())).await;
    "full"
}

/// Until the client leaves, the stream ends or the program stops; says which.
async fn show(socket: &mut WebSocket, mut watcher: Watcher, stop: &Stop) -> &'static str {
    let mut ping = tokio::time::interval(PING_EVERY);
    let mut silences = 0;
    loop {
        let messages = tokio::select! {
            () = stop.asked() => return "stopping",
            piece = watcher.next() => match piece {
                Some(piece) => messages(piece),
                None => return "the stream ended",
            },
            heard = socket.recv() => match heard {
                Some(Ok(Message::Close(_)) | Err(_)) | None => return "the client left",
                Some(Ok(_)) => {
                    silences = 0;
                    continue;
                }
            },
            _ = ping.tick() => {
                silences += 1;
                if silences > SILENCES_MAX {
                    return "the client is silent";
                }
                vec![Message::Ping(bytes::Bytes::new())]
            }
        };
        for message in messages {
            let sent = tokio::select! {
                () = stop.asked() => return "stopping",
                sent = tokio::time::timeout(SEND_MOST, socket.send(message)) => sent,
            };
            if !matches!(sent, Ok(Ok(()))) {
                return "the client took nothing";
            }
        }
    }
}

fn messages(piece: Piece) -> Vec<Message> {
    match piece {
        Piece::Start { mime, start, init } => {
            let said = json!({ "mime": mime, "start_us": start.us() });
            vec![Message::text(said.to_string()), Message::Binary(init)]
        }
        Piece::Fragment(bytes) => vec![Message::Binary(bytes)],
    }
}
