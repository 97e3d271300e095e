//! Tracks: objects followed, kept for search.

use std::collections::BTreeMap;

use super::{At, Result, Store, page::Page, sql::Sql, to_json};
use crate::{
    domain::{
        colour::{Part, PartColours},
        detection::Class,
        ids::{CameraId, TrackId},
        query::{TrackCursor, TrackQuery},
        search::{Heading, Size},
        time::Span,
        track::TrackPoint,
    },
    logic::path,
};

/// The most ways one call gives: a busy camera's week.
pub const WAYS_MAX: u32 = 100_000;

/// Where a track was, and as little else as playing it again takes.
#[derive(Debug, Clone, PartialEq)]
pub struct TrackWay {
    /// Its row.
    pub id: i64,
    /// Its number, as in events.
    pub number: TrackId,
    /// What it was.
    pub class: Class,
    /// Its best score.
    pub score: f32,
    /// Packed (`logic::path`).
    pub path: Vec<u8>,
}

/// A confirmed track as kept.
#[derive(Debug, Clone, PartialEq)]
pub struct TrackRow {
    /// Its number in the store; `None` when it is not there yet.
    pub id: Option<i64>,
    /// Whose.
    pub camera: CameraId,
    /// First and last sighting.
    pub span: Span,
    /// The last sighting's class and identity, best score and box. Identity is 0 when an earlier version did not tell it.
    pub best: TrackPoint,
    /// Sightings.
    pub points: u32,
    /// Whether it is still followed.
    pub open: bool,
    /// Sightings that the detector took for each class.
    pub votes: BTreeMap<Class, u32>,
    /// Its colours by part.
    pub colours: Vec<PartColours>,
    /// Width and height of its largest sighting, pixels of the analysed stream; `None` when not known.
    pub size_px: Option<[u16; 2]>,
    /// Where it was (`logic::path`); not read with the others, see [`Store::track_path`].
    pub path: Vec<u8>,
}

impl TrackRow {
    fn bits(&self, part: Part) -> i64 {
        self.colours.iter().filter(|c| c.part == part).fold(0, |bits, c| bits | c.bits())
    }
    /// Which way it went, by its path; a path that cannot be read tells nothing.
    #[must_use]
    pub fn heading(&self) -> Option<Heading> {
        let (places, _) = path::decode(&self.path).ok()?;
        path::heading(&places)
    }
}

/// A track that may go: nobody has locked its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OldTrack {
    /// Which.
    pub id: i64,
    /// When it began, UTC microseconds.
    pub start_us: i64,
}

#[derive(sqlx::FromRow)]
struct Stored {
    id: i64,
    camera: i64,
    number: i64,
    class: String,
    score: f64,
    #[sqlx(rename = "box")]
    rect: String,
    start_us: i64,
    end_us: i64,
    points: i64,
    open: Option<bool>,
    identity: Option<f64>,
    votes: Option<String>,
    colours: Option<String>,
    width_px: Option<i64>,
    height_px: Option<i64>,
}

const TRACKS: &str = "select id, camera, number, class, score, box, start_us, end_us, points, open, identity, votes, \
                      colours, width_px, height_px from track";

impl Stored {
    fn row(self) -> Result<TrackRow> {
        let at = At { table: "track", row: self.id };
        let best = TrackPoint {
            track: TrackId(self.number),
            class: at.word("class", &self.class, Class::from_label)?,
            score: self.score as f32,
            rect: at.json("box", &self.rect)?,
            confirmed: true,
            held: false,
            identity: self.identity.unwrap_or_default() as f32,
        };
        let side = |name, px: Option<i64>| px.map(|px| at.narrow(name, px)).transpose();
        Ok(TrackRow {
            id: Some(self.id),
            camera: CameraId(self.camera),
            span: Span { start_us: self.start_us, end_us: self.end_us },
            best,
            points: at.narrow("points", self.points)?,
            open: self.open.unwrap_or(false),
            votes: self.votes.map(|votes| at.json("votes", &votes)).transpose()?.unwrap_or_default(),
            colours: self.colours.map(|colours| at.json("colours", &colours)).transpose()?.unwrap_or_default(),
            size_px: side("width_px", self.width_px)?.zip(side("height_px", self.height_px)?).map(|(w, h)| [w, h]),
            path: Vec::new(),
        })
    }
}

impl Store {
    /// Keeps tracks, all in one transaction: those without a number are entered, the others brought up to date. Their
    /// numbers, in the same order; one whose row is gone meanwhile is entered anew.
    ///
    /// # Errors
    /// When the database fails, also for a camera that is not there.
    pub async fn keep_tracks(&self, tracks: &[TrackRow]) -> Result<Vec<i64>> {
        if tracks.is_empty() {
            return Ok(Vec::new());
        }
        let statements: Vec<(Option<Sql>, Sql)> =
            tracks.iter().map(|track| (track.id.map(|id| update(id, track)), insert(track))).collect();
        let over: Vec<i64> = tracks.iter().filter(|track| !track.open).map(|track| track.span.start_us).collect();
        self.write(|tx| {
            Box::pin(async move {
                let mut ids = Vec::with_capacity(statements.len());
                for (update, insert) in statements {
                    let there: Option<(i64,)> = match update {
                        Some(update) => tx.row(update).await?,
                        None => None,
                    };
                    ids.push(match there {
                        Some((id,)) => id,
                        None => tx.number(insert).await?,
                    });
                }
                tx.unpack_hours(over).await?;
                Ok(ids)
            })
        })
        .await
    }

    /// Closes tracks left open by a run that did not end well; how many.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn close_open_tracks(&self) -> Result<u64> {
        let close = Sql::new("update track set open = false where open returning start_us");
        self.change_packed(close).await
    }

    /// One track, without its path.
    ///
    /// # Errors
    /// When the database fails, or the stored track can no longer be read.
    pub async fn track(&self, id: i64) -> Result<Option<TrackRow>> {
        let mut sql = Sql::new(TRACKS);
        sql.push(" where id = ").push_bind(id);
        let row: Option<Stored> = self.db.row(sql).await?;
        row.map(Stored::row).transpose()
    }

    /// Several tracks, without their paths, in any order; those that are gone are left out.
    pub(super) async fn tracks_by_id(&self, ids: &[i64]) -> Result<Vec<TrackRow>> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut sql = Sql::new(TRACKS);
        sql.push(" where id in ").push_list(ids.iter().copied());
        let rows: Vec<Stored> = self.db.rows(sql).await?;
        rows.into_iter().map(Stored::row).collect()
    }

    /// A track's path as it is kept; `None` when there is no such track or it has none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn track_path(&self, id: i64) -> Result<Option<Vec<u8>>> {
        let row: Option<(Option<Vec<u8>>,)> =
            self.db.row(Sql::new("select path from track where id = $1").bind(id)).await?;
        Ok(row.and_then(|(path,)| path))
    }

    /// The ways of a camera's tracks that began in a span, oldest first; those
    /// without a path are left out, and so is what lies behind the first [`WAYS_MAX`].
    ///
    /// # Errors
    /// When the database fails, or a stored class can no longer be read.
    pub async fn track_ways(&self, camera: CameraId, span: Span) -> Result<Vec<TrackWay>> {
        let text = "select id, number, class, score, path from track where camera = $1 and start_us >= $2 and start_us < $3 \
                    and path is not null order by start_us, id limit $4";
        let sql = Sql::new(text).bind(camera.0).bind(span.start_us).bind(span.end_us).bind(WAYS_MAX);
        let rows: Vec<(i64, i64, String, f64, Vec<u8>)> = self.db.rows(sql).await?;
        let one = |(id, number, class, score, path): (i64, i64, String, f64, Vec<u8>)| {
            let class = At { table: "track", row: id }.word("class", &class, Class::from_label)?;
            Ok(TrackWay { id, number: TrackId(number), class, score: score as f32, path })
        };
        rows.into_iter().map(one).collect()
    }

    /// Newest first by (start, id), those after the cursor, at most `limit` (and never more than 1000); without paths.
    ///
    /// # Errors
    /// `Refused` when the question names more than 1000 cameras.
    pub async fn tracks(&self, query: &TrackQuery, after: Option<TrackCursor>, limit: u32) -> Result<Vec<TrackRow>> {
        let page = page(query, after, limit);
        page.check()?;
        let rows: Vec<Stored> = self.db.rows(page.sql(|sql| push_filters(sql, query))).await?;
        rows.into_iter().map(Stored::row).collect()
    }

    /// Tracks behind a place (start and id) that began before a time, oldest first; of one camera, or of all. Those whose
    /// time somebody has locked, and those still followed, are not among them.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn old_tracks(
        &self,
        camera: Option<CameraId>,
        after: (i64, i64),
        before_us: i64,
        limit: u32,
    ) -> Result<Vec<OldTrack>> {
        let rows: Vec<(i64, i64)> = self.db.rows(old_tracks(camera, after, before_us, limit)).await?;
        Ok(rows.into_iter().map(|(id, start_us)| OldTrack { id, start_us }).collect())
    }

    /// Takes tracks out whose pictures are gone, but for those locked at this very moment; how many.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn remove_tracks(&self, ids: &[i64]) -> Result<u64> {
        if ids.is_empty() {
            return Ok(0);
        }
        let mut select = Sql::new("select t.id, t.start_us from track t where t.id in ");
        select.push_list(ids.iter().copied());
        select.push(" and not ").push(LOCKED);
        self.write(|tx| {
            Box::pin(async move {
                let gone: Vec<(i64, i64)> = tx.rows(select).await?;
                if gone.is_empty() {
                    return Ok(0);
                }
                tx.forget_steps(gone.iter().map(|(id, _)| *id)).await?;
                let mut delete = Sql::new("delete from track where id in ");
                delete.push_list(gone.iter().map(|(id, _)| *id));
                let removed = tx.execute(delete).await?;
                tx.unpack_hours(gone.iter().map(|(_, start_us)| *start_us)).await?;
                Ok(removed)
            })
        })
        .await
    }
}

/// A lock that holds over a track `t`.
const LOCKED: &str = "exists (select 1 from lock l where l.camera = t.camera and l.released_us is null \
                      and l.start_us <= t.end_us and l.end_us > t.start_us)";

fn page<'a>(query: &'a TrackQuery, after: Option<TrackCursor>, limit: u32) -> Page<'a> {
    Page {
        select: TRACKS,
        of_camera: "select * from (select id, start_us from track where camera = ",
        cameras: &query.cameras,
        after: after.map(|after| (after.start_us, after.id)),
        limit,
    }
}

fn push_filters(sql: &mut Sql, query: &TrackQuery) {
    if let Some(class) = query.class {
        sql.push(" and class = ").push_bind(class.name());
    }
    if let Some(from_us) = query.from_us {
        sql.push(" and start_us >= ").push_bind(from_us);
    }
    if let Some(to_us) = query.to_us {
        sql.push(" and start_us < ").push_bind(to_us);
    }
    if let Some(least) = query.identity_least {
        sql.push(" and identity >= ").push_bind(f64::from(least));
    }
    for (part, colour) in &query.colours {
        sql.push(match part {
            Some(Part::Upper) => " and (upper_colours & ",
            Some(Part::Lower) => " and (lower_colours & ",
            Some(Part::Body) => " and (body_colours & ",
            None => " and ((upper_colours | lower_colours | body_colours) & ",
        });
        sql.push_bind(colour.bit()).push(") <> 0");
    }
}

const SET: &str = "class = $1, score = $2, box = $3, end_us = $4, points = $5, open = $6, identity = $7, votes = $8, \
                   colours = $9, upper_colours = $10, lower_colours = $11, body_colours = $12, width_px = $13, \
                   height_px = $14, path = $15, heading = $16, size = $17";

/// The values of [`SET`], in order.
fn bound(sql: Sql, track: &TrackRow) -> Sql {
    let [width_px, height_px] = [0, 1].map(|side| track.size_px.map(|px| i64::from(px[side])));
    sql.bind(track.best.class.name())
        .bind(f64::from(track.best.score))
        .bind(to_json(&track.best.rect))
        .bind(track.span.end_us)
        .bind(track.points)
        .bind(track.open)
        .bind(f64::from(track.best.identity))
        .bind(to_json(&track.votes))
        .bind(to_json(&track.colours))
        .bind(track.bits(Part::Upper))
        .bind(track.bits(Part::Lower))
        .bind(track.bits(Part::Body))
        .bind(width_px)
        .bind(height_px)
        .bind(track.path.clone())
        .bind(track.heading().map(|heading| heading.name().to_owned()))
        .bind(Size::of(track.best.rect.area()).name())
}

fn update(id: i64, track: &TrackRow) -> Sql {
    let mut sql = Sql::new("update track set ");
    sql.push(SET).push(" where id = $18 returning id");
    bound(sql, track).bind(id)
}

fn insert(track: &TrackRow) -> Sql {
    let text = "insert into track (class, score, box, end_us, points, open, identity, votes, colours, upper_colours, \
                lower_colours, body_colours, width_px, height_px, path, heading, size, camera, number, start_us) \
                values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20) \
                returning id";
    bound(Sql::new(text), track).bind(track.camera.0).bind(track.best.track.0).bind(track.span.start_us)
}

fn old_tracks(camera: Option<CameraId>, after: (i64, i64), before_us: i64, limit: u32) -> Sql {
    let mut sql = Sql::new("select t.id, t.start_us from track t where ");
    if let Some(camera) = camera {
        sql.push("t.camera = ").push_bind(camera.0);
        sql.push(" and ");
    }
    sql.push("(t.start_us, t.id) > ").push_list([after.0, after.1]);
    sql.push(" and t.start_us < ").push_bind(before_us);
    sql.push(" and t.open is not true and not ").push(LOCKED);
    sql.push(" order by t.start_us, t.id limit ").push_bind(limit);
    sql
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::colour::Colour;

    async fn plan(query: TrackQuery) -> String {
        let store = Store::in_memory().await.unwrap();
        let after = Some(TrackCursor { start_us: 5, id: 5 });
        store.plan(page(&query, after, 50).sql(|sql| push_filters(sql, &query))).await
    }

    #[tokio::test]
    async fn every_usual_question_reads_an_index_in_order() {
        let camera = TrackQuery { cameras: vec![CameraId(1)], ..TrackQuery::default() };
        let class = TrackQuery { class: Some(Class::Person), ..TrackQuery::default() };
        let colours = vec![(Some(Part::Upper), Colour::Red), (None, Colour::Blue)];
        let colour = TrackQuery { colours, from_us: Some(1), to_us: Some(9), ..TrackQuery::default() };
        for (query, index) in [
            (TrackQuery::default(), "track_start"),
            (camera, "track_camera_start (camera=?"),
            (class, "track_class_start (class=?"),
            (colour, "track_start (start_us>? AND start_us<?)"),
        ] {
            let plan = plan(query).await;
            assert!(plan.contains(&format!("USING INDEX {index}")), "{plan}");
            assert!(!plan.contains("TEMP B-TREE"), "{plan}");
        }
    }

    #[tokio::test]
    async fn a_question_for_two_cameras_reads_each_ones_index() {
        let plan = plan(TrackQuery { cameras: vec![CameraId(1), CameraId(2)], ..TrackQuery::default() }).await;
        assert_eq!(plan.matches("track_camera_start (camera=?").count(), 2, "{plan}");
        assert!(!plan.contains("SCAN track"), "{plan}");
    }

    #[tokio::test]
    async fn what_goes_by_age_is_found_by_an_index() {
        let store = Store::in_memory().await.unwrap();
        for (camera, index) in
            [(None, "USING INDEX track_start ("), (Some(CameraId(1)), "track_camera_start (camera=?")]
        {
            let plan = store.plan(old_tracks(camera, (5, 2), 9, 10)).await;
            assert!(plan.contains(index) && !plan.contains("TEMP B-TREE"), "{plan}");
        }
    }
}
