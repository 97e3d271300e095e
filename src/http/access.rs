//! Who asks, and whether they may.

use std::net::SocketAddr;

use axum::{
    extract::FromRequestParts,
    http::{Extensions, request::Parts},
};

use super::{error::ApiError, routes::Action};
use crate::domain::{query::Actor, refusal::Refusal};

/// The address at the other end of a connection.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub SocketAddr);

/// Who asks, if they may do `action`. Until accounts exist the machine's own user may do everything and nobody else
/// anything, whatever the action; the action is asked for already so that no route can be added without one.
pub(super) fn admit(extensions: &Extensions, _action: Action) -> Result<Actor, ApiError> {
    let peer = extensions.get::<Peer>().map(|peer| peer.0.ip().to_canonical());
    if peer.is_some_and(|ip| ip.is_loopback()) {
        return Ok(Actor { name: "local-admin".to_owned() });
    }
    Err(ApiError::Forbidden(Refusal::new(
        "",
        "chỉ dùng được trên chính máy này vì chưa có tài khoản đăng nhập; hãy mở trang trên máy chạy Vọng Lâu",
        "only this very machine may ask while there are no accounts; open the page on the machine that runs Vọng Lâu",
    )))
}

/// The gate in front of every row has put the actor there; a handler outside the table gets nobody.
impl<S: Sync> FromRequestParts<S> for Actor {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        parts
            .extensions
            .get::<Self>()
            .cloned()
            .ok_or_else(|| ApiError::Internal("a handler outside the table asked who is there".to_owned()))
    }
}
