//! Tracks: objects followed, kept for search.

use super::{Result, Store, sql::Sql, to_json};
use crate::domain::{ids::CameraId, time::Span, track::TrackPoint};

/// A confirmed track as kept.
#[derive(Debug, Clone, PartialEq)]
pub struct TrackRow {
    /// Whose.
    pub camera: CameraId,
    /// First and last sighting.
    pub span: Span,
    /// The last sighting's class, best score and box.
    pub best: TrackPoint,
    /// Sightings.
    pub points: u32,
}

/// Nine values a row and at most 32 000 values a statement.
const ROWS_A_STATEMENT: usize = 1000;

impl Store {
    /// Keeps tracks that are over, all in one transaction.
    ///
    /// # Errors
    /// When the database fails, also for a camera that is not there.
    pub async fn insert_tracks(&self, tracks: &[TrackRow]) -> Result<()> {
        if tracks.is_empty() {
            return Ok(());
        }
        let statements: Vec<Sql> = tracks.chunks(ROWS_A_STATEMENT).map(insert).collect();
        self.write(|tx| {
            Box::pin(async move {
                for statement in statements {
                    tx.execute(statement).await?;
                }
                Ok(())
            })
        })
        .await
    }
}

fn insert(tracks: &[TrackRow]) -> Sql {
    let mut sql = Sql::new("insert into track (camera, number, class, score, box, start_us, end_us, points) values ");
    for (i, track) in tracks.iter().enumerate() {
        sql.push(if i == 0 { "(" } else { ", (" }).push_bind(track.camera.0);
        sql.push(", ").push_bind(track.best.track.0);
        sql.push(", ").push_bind(track.best.class.name());
        sql.push(", ").push_bind(f64::from(track.best.score));
        sql.push(", ").push_bind(to_json(&track.best.rect));
        sql.push(", ").push_bind(track.span.start_us);
        sql.push(", ").push_bind(track.span.end_us);
        sql.push(", ").push_bind(track.points).push(")");
    }
    sql
}
