//! What was said of cameras' pictures, span by span, and how they usually look.

use super::{
    At, Result, Store, cameras,
    changes::Changed,
    db::Tx,
    segments::{ROWS_MAX, check_bound},
    sql::Sql,
    to_json,
};
use crate::domain::{
    health::{Light, Measured, PictureFault, PictureHealth, Reference},
    ids::CameraId,
    query::Actor,
    time::{MediaTime, Span, WallTime},
};

/// Between two pictures judged alike so much may lie, microseconds; over a longer pause nothing is known.
pub const UNSEEN_US: i64 = 30_000_000;

/// A span in which a picture was judged alike.
#[derive(Debug, Clone, PartialEq)]
pub struct HealthSpan {
    /// `None`: it could be used.
    pub fault: Option<PictureFault>,
    /// From the first to the newest picture that was so.
    pub span: Span,
    /// The numbers it was said by.
    pub measured: Measured,
}

#[derive(sqlx::FromRow)]
struct SpanRow {
    id: i64,
    fault: Option<String>,
    start_us: i64,
    end_us: i64,
    measured: String,
}

impl SpanRow {
    fn span(self) -> Result<HealthSpan> {
        let at = At { table: "picture_health", row: self.id };
        let fault = self.fault.as_deref().map(|word| at.word("fault", word, PictureFault::from_name)).transpose()?;
        let span = Span { start_us: self.start_us, end_us: self.end_us };
        Ok(HealthSpan { fault, span, measured: at.json("measured", &self.measured)? })
    }
}

impl Store {
    /// Enters what is said of cameras' pictures: goes on with the newest span of a camera where that says the same and
    /// no pause lies between, else ends it at the first sign of something else and begins another.
    ///
    /// # Errors
    /// When the database fails, also for a camera that is not there; nothing is entered then.
    pub async fn keep_health(&self, all: &[PictureHealth]) -> Result<()> {
        let all = all.to_vec();
        self.write(|tx| {
            Box::pin(async move {
                for health in all {
                    keep_one(tx, &health).await?;
                }
                Ok(())
            })
        })
        .await
    }

    /// The spans of a camera that share time with one, by start.
    ///
    /// # Errors
    /// `Refused` when they are more than 20 000.
    pub async fn health_spans(&self, camera: CameraId, within: Span) -> Result<Vec<HealthSpan>> {
        let text = "select id, fault, start_us, end_us, measured from picture_health \
                    where camera = $1 and start_us < $2 and end_us > $3 order by start_us, id limit $4";
        let sql = Sql::new(text).bind(camera.0).bind(within.end_us).bind(within.start_us).bind(ROWS_MAX + 1);
        let rows: Vec<SpanRow> = self.db.rows(sql).await?;
        check_bound(rows.len())?;
        rows.into_iter().map(SpanRow::span).collect()
    }

    /// Removes at most `limit` spans that ended before a time; how many.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn remove_health_before(&self, before_us: i64, limit: u32) -> Result<u64> {
        let text = "delete from picture_health where id in (select h.id from camera c cross join picture_health h \
                    where h.camera = c.id and h.start_us < $1 and h.end_us < $1 limit $2)";
        let delete = Sql::new(text).bind(before_us).bind(limit);
        self.write(|tx| Box::pin(async move { tx.execute(delete).await })).await
    }

    /// Keeps how a camera usually looks by a light, in place of what was kept before.
    ///
    /// # Errors
    /// When the database fails, also for a camera that is not there.
    pub async fn keep_reference(&self, camera: CameraId, reference: &Reference) -> Result<()> {
        let text = "insert into picture_reference (camera, light, pictures, time_us, width, height, luma, fine) \
                    values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict (camera, light) do update set \
                    pictures = excluded.pictures, time_us = excluded.time_us, width = excluded.width, \
                    height = excluded.height, luma = excluded.luma, fine = excluded.fine";
        let insert = Sql::new(text)
            .bind(camera.0)
            .bind(reference.light.name())
            .bind(reference.pictures)
            .bind(reference.time.us())
            .bind(i64::from(reference.size.0))
            .bind(i64::from(reference.size.1))
            .bind(reference.luma.clone())
            .bind(to_json(&reference.fine));
        self.write(|tx| Box::pin(async move { tx.execute(insert).await.map(drop) })).await
    }

    /// How cameras usually look: of one, or of all.
    ///
    /// # Errors
    /// When the database fails or holds something that cannot be.
    pub async fn references(&self, camera: Option<CameraId>) -> Result<Vec<(CameraId, Reference)>> {
        type Row = (i64, String, i64, i64, i64, i64, Vec<u8>, String);
        let mut sql =
            Sql::new("select camera, light, pictures, time_us, width, height, luma, fine from picture_reference ");
        if let Some(camera) = camera {
            sql.push("where camera = ").push_bind(camera.0);
        }
        sql.push(" order by camera, light");
        let rows: Vec<Row> = self.db.rows(sql).await?;
        let reference = |(camera, light, pictures, time_us, width, height, luma, fine): Row| {
            let at = At { table: "picture_reference", row: camera };
            let reference = Reference {
                light: at.word("light", &light, Light::from_name)?,
                pictures: at.narrow("pictures", pictures)?,
                time: MediaTime(time_us),
                size: (at.narrow("width", width)?, at.narrow("height", height)?),
                luma,
                fine: at.json("fine", &fine)?,
            };
            if !reference.is_sound() {
                return Err(at.corrupt("is no picture"));
            }
            Ok((CameraId(camera), reference))
        };
        rows.into_iter().map(reference).collect()
    }

    /// Forgets how a camera usually looks: a person takes what it shows now for right.
    ///
    /// # Errors
    /// `NotFound` when there is no such camera in use.
    pub async fn accept_view(&self, actor: &Actor, camera: CameraId, now: WallTime) -> Result<()> {
        self.change(actor, "camera.accept_view", now, move |tx| {
            Box::pin(async move {
                cameras::in_use(tx, camera).await?;
                let delete = Sql::new("delete from picture_reference where camera = $1").bind(camera.0);
                tx.execute(delete).await?;
                Ok(Changed { object: camera.0, before: None, after: None, out: () })
            })
        })
        .await
    }
}

async fn keep_one(tx: &mut Tx, health: &PictureHealth) -> Result<()> {
    let text = "select id, fault, start_us, end_us, measured from picture_health \
                where camera = $1 order by start_us desc, id desc limit 1";
    let last: Option<SpanRow> = tx.row(Sql::new(text).bind(health.camera.0)).await?;
    let (time_us, fault) = (health.time.us(), health.fault.map(PictureFault::name));
    let (measured, mut start_us) = (to_json(&health.measured), health.since.us().min(time_us));
    if let Some(last) = last {
        let goes_on = last.fault.as_deref() == fault && time_us - last.end_us <= UNSEEN_US;
        if goes_on && time_us >= last.start_us {
            let end_us = time_us.max(last.end_us);
            let grow = Sql::new("update picture_health set end_us = $2, measured = $3 where id = $1");
            tx.execute(grow.bind(last.id).bind(end_us).bind(measured)).await?;
            return Ok(());
        }
        // Up to the first sign of something else it was as before; nothing that was said is said again.
        let until = last.start_us..last.end_us + UNSEEN_US;
        if last.fault.as_deref() != fault && until.contains(&start_us) {
            let end = Sql::new("update picture_health set end_us = $2 where id = $1");
            tx.execute(end.bind(last.id).bind(start_us)).await?;
        } else if (start_us..time_us).contains(&last.end_us) {
            start_us = last.end_us;
        }
    }
    let text = "insert into picture_health (camera, fault, start_us, end_us, measured) values ($1, $2, $3, $4, $5)";
    let insert =
        Sql::new(text).bind(health.camera.0).bind(fault.map(str::to_owned)).bind(start_us).bind(time_us).bind(measured);
    tx.execute(insert).await?;
    Ok(())
}
