//! Shapes drawn on a camera's picture.

use axum::{Json, extract::State, http::StatusCode, response::Response};
use serde::{Deserialize, Serialize};

use super::{
    body::{Given, created},
    cameras,
    error::ApiError,
    params::{Id, Params},
    state::AppState,
};
use crate::{
    domain::{
        camera::NAME_CHARS_MAX,
        geometry::{POLYGON_CORNERS_MAX, Point, Polygon},
        ids::{CameraId, ShapeId},
        query::Actor,
        refusal::Refusal,
    },
    store::{Shape, ShapeKind},
};

#[derive(Serialize)]
pub(super) struct ShapeList {
    shapes: Vec<ShapeJson>,
}

#[derive(Serialize)]
pub(super) struct ShapeJson {
    id: ShapeId,
    camera: CameraId,
    kind: ShapeKind,
    name: String,
    points: Vec<Point>,
}

impl From<Shape> for ShapeJson {
    fn from(shape: Shape) -> Self {
        let Shape { id, camera, kind, name, points } = shape;
        Self { id, camera, kind, name, points }
    }
}

/// A shape as a page gives it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ShapeDraft {
    camera: CameraId,
    kind: ShapeKind,
    name: String,
    points: Vec<Point>,
}

impl ShapeDraft {
    fn checked(self, id: ShapeId) -> Result<Shape, Vec<Refusal>> {
        let mut wrong = Vec::new();
        let name = self.name.trim().to_owned();
        if name.is_empty() || name.chars().count() > NAME_CHARS_MAX || name.chars().any(char::is_control) {
            wrong.push(Refusal::new(
                "name",
                format!("trống, quá dài hoặc có ký tự lạ; cần từ 1 đến {NAME_CHARS_MAX} ký tự"),
                format!("is empty, too long or has control characters; give 1 to {NAME_CHARS_MAX} characters"),
            ));
        }
        let points = match self.kind {
            ShapeKind::Zone | ShapeKind::PrivacyMask | ShapeKind::MotionMask => {
                Polygon::new(self.points).map(|polygon| polygon.corners().to_vec())
            }
            ShapeKind::Line | ShapeKind::Lane => stroke(self.points),
        };
        match points {
            Ok(points) if wrong.is_empty() => Ok(Shape { id, camera: self.camera, kind: self.kind, name, points }),
            Ok(_) => Err(wrong),
            Err(refusal) => {
                wrong.push(refusal.within("points"));
                Err(wrong)
            }
        }
    }
}

/// A line from point to point: at least two different ones, inside the picture.
fn stroke(points: Vec<Point>) -> Result<Vec<Point>, Refusal> {
    let inside = |p: &Point| (0.0..=1.0).contains(&p.x) && (0.0..=1.0).contains(&p.y);
    let moves = points.windows(2).all(|pair| pair[0] != pair[1]);
    if (2..=POLYGON_CORNERS_MAX).contains(&points.len()) && points.iter().all(inside) && moves {
        return Ok(points);
    }
    Err(Refusal::new(
        "",
        format!("cần từ 2 đến {POLYGON_CORNERS_MAX} điểm khác nhau, tọa độ từ 0 đến 1; hãy vẽ lại"),
        format!("2 to {POLYGON_CORNERS_MAX} different points with coordinates 0 to 1 are needed; draw it again"),
    ))
}

pub(super) async fn list(_: Actor, State(state): State<AppState>, params: Params) -> Result<Json<ShapeList>, ApiError> {
    let camera = params.int("camera", 0..=i64::MAX)?;
    let camera = camera.ok_or_else(|| Refusal::new("camera", "chưa chọn camera", "say which camera"))?;
    let camera = cameras::find(&state, CameraId(camera)).await?;
    let shapes = state.store.shapes(camera.id).await?;
    Ok(Json(ShapeList { shapes: shapes.into_iter().map(ShapeJson::from).collect() }))
}

pub(super) async fn add(
    actor: Actor,
    State(state): State<AppState>,
    Given(draft): Given<ShapeDraft>,
) -> Result<Response, ApiError> {
    let shape = checked(&state, draft, ShapeId(0)).await?;
    let (store, now, new) = (state.store.clone(), state.clock.wall(), shape.clone());
    let id = state.change(async move { store.add_shape(&actor, &new, now).await }).await?;
    Ok(created("/api/v1/shapes", id, ShapeJson::from(Shape { id, ..shape })))
}

pub(super) async fn change(
    actor: Actor,
    State(state): State<AppState>,
    Id(id): Id,
    Given(draft): Given<ShapeDraft>,
) -> Result<Json<ShapeJson>, ApiError> {
    let shape = checked(&state, draft, ShapeId(id)).await?;
    let (store, now, new) = (state.store.clone(), state.clock.wall(), shape.clone());
    state.change(async move { store.update_shape(&actor, &new, now).await }).await?;
    Ok(Json(shape.into()))
}

pub(super) async fn remove(actor: Actor, State(state): State<AppState>, Id(id): Id) -> Result<StatusCode, ApiError> {
    let (store, now) = (state.store.clone(), state.clock.wall());
    state.change(async move { store.remove_shape(&actor, ShapeId(id), now).await }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A usable shape of a camera that is there.
async fn checked(state: &AppState, draft: ShapeDraft, id: ShapeId) -> Result<Shape, ApiError> {
    let shape = draft.checked(id)?;
    if state.store.camera(shape.camera).await?.is_none() {
        let (vi, en) =
            ("không có camera này; hãy chọn trong danh sách", "there is no such camera; take one of the list");
        return Err(Refusal::new("camera", vi, en).into());
    }
    Ok(shape)
}
