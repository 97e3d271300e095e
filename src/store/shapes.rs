//! What is drawn on a camera's picture.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::{At, Result, Store, StoreError, cameras, changes::Changed, db::Tx, sql::Sql, to_json};
use crate::domain::{
    camera::NAME_CHARS_MAX,
    geometry::{POLYGON_CORNERS_MAX, Point, Polygon},
    ids::{CameraId, ShapeId},
    mask::Masks,
    query::Actor,
    refusal::Refusal,
    time::WallTime,
};

/// The most shapes in force on one camera; every picture is held against each of its masks.
const SHAPES_MAX: i64 = 200;

/// What a drawn shape is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShapeKind {
    /// A zone of interest.
    Zone,
    /// A line.
    Line,
    /// Never shown.
    PrivacyMask,
    /// Never looked at for motion.
    MotionMask,
    /// A lane with a direction.
    Lane,
}

impl ShapeKind {
    /// Its name, as stored and typed.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Zone => "zone",
            Self::Line => "line",
            Self::PrivacyMask => "privacy_mask",
            Self::MotionMask => "motion_mask",
            Self::Lane => "lane",
        }
    }
    /// The kind with that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Zone, Self::Line, Self::PrivacyMask, Self::MotionMask, Self::Lane].into_iter().find(|k| k.name() == name)
    }
}

/// A shape drawn on a camera's picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Shape {
    /// Its identity; 0 before the store has given one.
    pub id: ShapeId,
    /// Whose picture.
    pub camera: CameraId,
    /// What for.
    pub kind: ShapeKind,
    /// What people call it.
    pub name: String,
    /// Its points, normalised.
    pub points: Vec<Point>,
}

#[derive(sqlx::FromRow)]
struct ShapeRow {
    id: i64,
    camera: i64,
    kind: String,
    name: String,
    points: String,
}

impl ShapeRow {
    fn shape(self) -> Result<Shape> {
        let at = At { table: "shape", row: self.id };
        Ok(Shape {
            id: ShapeId(self.id),
            camera: CameraId(self.camera),
            kind: at.word("kind", &self.kind, ShapeKind::from_name)?,
            name: self.name,
            points: at.json("points", &self.points)?,
        })
    }
}

impl Store {
    /// Adds a shape; its id is not looked at.
    ///
    /// # Errors
    /// `Refused` for a name or points that cannot be, or a retired camera; `NotFound` for a camera that is not there.
    pub async fn add_shape(&self, actor: &Actor, shape: &Shape, now: WallTime) -> Result<ShapeId> {
        let shape = checked(shape)?;
        self.change(actor, "shape.add", now, move |tx| {
            Box::pin(async move {
                cameras::in_use(tx, shape.camera).await?;
                let there = "select count(*) from shape where camera = $1 and removed_us is null";
                if tx.number(Sql::new(there).bind(shape.camera.0)).await? >= SHAPES_MAX {
                    return Err(StoreError::Refused(Refusal::new(
                        "camera",
                        format!("camera này đã có {SHAPES_MAX} hình vẽ; hãy xóa bớt trước khi vẽ thêm"),
                        format!("this camera has {SHAPES_MAX} shapes already; remove some before adding more"),
                    )));
                }
                let text = "insert into shape (camera, kind, name, points) values ($1, $2, $3, $4) returning id";
                let insert = Sql::new(text)
                    .bind(shape.camera.0)
                    .bind(shape.kind.name())
                    .bind(shape.name.as_str())
                    .bind(to_json(&shape.points));
                let id = ShapeId(tx.number(insert).await?);
                let after = Some(logged(&Shape { id, ..shape }));
                Ok(Changed { object: id.0, before: None, after, out: id })
            })
        })
        .await
    }

    /// Changes the shape with `shape.id`; it stays on its camera.
    ///
    /// # Errors
    /// `Refused` for a name or points that cannot be; `NotFound` when there is no such shape on that camera.
    pub async fn update_shape(&self, actor: &Actor, shape: &Shape, now: WallTime) -> Result<()> {
        let shape = checked(shape)?;
        self.change(actor, "shape.update", now, move |tx| {
            Box::pin(async move {
                let before = in_force(tx, shape.id).await?;
                if before.camera != shape.camera {
                    return Err(StoreError::NotFound { what: "shape", id: shape.id.0 });
                }
                let update = Sql::new("update shape set kind = $2, name = $3, points = $4 where id = $1")
                    .bind(shape.id.0)
                    .bind(shape.kind.name())
                    .bind(shape.name.as_str())
                    .bind(to_json(&shape.points));
                tx.execute(update).await?;
                Ok(Changed { object: shape.id.0, before: Some(logged(&before)), after: Some(logged(&shape)), out: () })
            })
        })
        .await
    }

    /// Takes a shape out of force.
    ///
    /// # Errors
    /// `NotFound` when there is no such shape.
    pub async fn remove_shape(&self, actor: &Actor, id: ShapeId, now: WallTime) -> Result<()> {
        self.change(actor, "shape.remove", now, move |tx| {
            Box::pin(async move {
                let before = in_force(tx, id).await?;
                tx.execute(Sql::new("update shape set removed_us = $2 where id = $1").bind(id.0).bind(now.us()))
                    .await?;
                Ok(Changed { object: id.0, before: Some(logged(&before)), after: None, out: () })
            })
        })
        .await
    }

    /// The shapes in force on a camera, by id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn shapes(&self, camera: CameraId) -> Result<Vec<Shape>> {
        let text = "select id, camera, kind, name, points from shape \
                    where camera = $1 and removed_us is null order by id";
        let rows: Vec<ShapeRow> = self.db.rows(Sql::new(text).bind(camera.0)).await?;
        rows.into_iter().map(ShapeRow::shape).collect()
    }
}

impl Store {
    /// The masks in force by camera, also of retired ones; cameras without one are left out.
    ///
    /// # Errors
    /// When the database fails, and for a mask that cannot be read: what may not be shown is then not known.
    pub async fn masks(&self) -> Result<BTreeMap<CameraId, Masks>> {
        let text = "select id, camera, kind, name, points from shape \
                    where removed_us is null and kind in ('privacy_mask', 'motion_mask') order by id";
        masks_of(self.db.rows(Sql::new(text)).await?)
    }

    /// The masks in force on one camera.
    ///
    /// # Errors
    /// As of [`Self::masks`].
    pub async fn masks_of(&self, camera: CameraId) -> Result<Masks> {
        let text = "select id, camera, kind, name, points from shape \
                    where removed_us is null and kind in ('privacy_mask', 'motion_mask') and camera = $1 order by id";
        Ok(masks_of(self.db.rows(Sql::new(text).bind(camera.0)).await?)?.remove(&camera).unwrap_or_default())
    }
}

fn masks_of(rows: Vec<ShapeRow>) -> Result<BTreeMap<CameraId, Masks>> {
    let mut out: BTreeMap<CameraId, Masks> = BTreeMap::new();
    for row in rows {
        let at = At { table: "shape", row: row.id };
        let shape = row.shape()?;
        let polygon = Polygon::new(shape.points).map_err(|refusal| at.corrupt(refusal.en))?;
        let masks = out.entry(shape.camera).or_default();
        match shape.kind {
            ShapeKind::PrivacyMask => masks.privacy.push(polygon),
            ShapeKind::MotionMask => masks.motion.push(polygon),
            ShapeKind::Zone | ShapeKind::Line | ShapeKind::Lane => {}
        }
    }
    Ok(out)
}

async fn in_force(tx: &mut Tx, id: ShapeId) -> Result<Shape> {
    let text = "select id, camera, kind, name, points from shape where id = $1 and removed_us is null";
    let row: Option<ShapeRow> = tx.row(Sql::new(text).bind(id.0)).await?;
    row.ok_or(StoreError::NotFound { what: "shape", id: id.0 })?.shape()
}

fn logged(shape: &Shape) -> Json {
    json!({
        "id": shape.id, "camera": shape.camera, "kind": shape.kind, "name": shape.name, "points": shape.points,
    })
}

fn checked(shape: &Shape) -> Result<Shape> {
    let name = shape.name.trim().to_owned();
    if name.is_empty() || name.chars().count() > NAME_CHARS_MAX || name.chars().any(char::is_control) {
        return Err(StoreError::Refused(Refusal::new(
            "name",
            format!("tên hình vẽ trống hoặc quá dài; cần từ 1 đến {NAME_CHARS_MAX} ký tự"),
            format!("the shape's name is empty or too long; give 1 to {NAME_CHARS_MAX} characters"),
        )));
    }
    match shape.kind {
        ShapeKind::Zone | ShapeKind::PrivacyMask | ShapeKind::MotionMask => {
            Polygon::new(shape.points.clone()).map_err(|refusal| StoreError::Refused(refusal.within("points")))?;
        }
        ShapeKind::Line | ShapeKind::Lane => {
            let inside = |p: &Point| (0.0..=1.0).contains(&p.x) && (0.0..=1.0).contains(&p.y);
            if !(2..=POLYGON_CORNERS_MAX).contains(&shape.points.len()) || !shape.points.iter().all(inside) {
                return Err(StoreError::Refused(Refusal::new(
                    "points",
                    format!("đường cần từ 2 đến {POLYGON_CORNERS_MAX} điểm, tọa độ từ 0 đến 1"),
                    format!("a line has 2 to {POLYGON_CORNERS_MAX} points with coordinates 0 to 1"),
                )));
            }
        }
    }
    Ok(Shape { name, ..shape.clone() })
}
