//! Files against the index: rows made from files alone, and places in files that went bad.

use super::{
    At, Result, Store, StoreError,
    db::Tx,
    segments::{SEGMENTS, SegmentRow, insert, is_known},
    sql::Sql,
};
use crate::domain::{
    camera::StreamKind,
    ids::{CameraId, SegmentId, StreamId},
    refusal::Refusal,
    segment::Segment,
    time::{Span, WallTime},
};

/// Address of a stream that is known from its files only.
const NO_ADDRESS: &str = "rtsp://khong-ro.invalid/";
/// The most damages one call gives.
const DAMAGES_MAX: i64 = 1000;

/// A place in a file that is not what was written there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// Whose picture.
    pub stream: StreamId,
    /// File under the store folder.
    pub path: String,
    /// What cannot be trusted.
    pub span: Span,
    /// What is wrong, for a person.
    pub what: String,
}

/// Whose a file says it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileStream {
    /// Camera.
    pub camera: CameraId,
    /// Its code when the file was made.
    pub code: String,
    /// Stream.
    pub stream: StreamId,
    /// Main or sub.
    pub kind: StreamKind,
}

impl Store {
    /// Gives a segment another path: its file was renamed.
    ///
    /// # Errors
    /// `NotFound` for a segment that is not there.
    pub async fn move_segment(&self, id: SegmentId, path: &str) -> Result<()> {
        let update = Sql::new("update segment set path = $2 where id = $1").bind(id.0).bind(path);
        self.write(move |tx| {
            Box::pin(async move {
                match tx.execute(update).await? {
                    0 => Err(StoreError::NotFound { what: "segment", id: id.0 }),
                    _ => Ok(()),
                }
            })
        })
        .await
    }

    /// Which of these paths the index does not know, in the order given.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn unknown_paths(&self, paths: &[String]) -> Result<Vec<String>> {
        let mut unknown = Vec::new();
        for some in paths.chunks(500) {
            let mut sql = Sql::new("select path from segment where path in ");
            sql.push_list(some.iter().map(String::as_str));
            let known: Vec<(String,)> = self.db.rows(sql).await?;
            let known: std::collections::HashSet<_> = known.into_iter().map(|(path,)| path).collect();
            unknown.extend(some.iter().filter(|path| !known.contains(*path)).cloned());
        }
        Ok(unknown)
    }

    /// The next segments by id, for a walk over all of them.
    ///
    /// # Errors
    /// When the database fails, or a stored table cannot be read.
    pub async fn segments_from(&self, id: SegmentId, limit: u32) -> Result<Vec<Segment>> {
        let mut sql = Sql::new(SEGMENTS);
        sql.push(" where id >= ").push_bind(id.0).push(" order by id limit ").push_bind(limit);
        let rows: Vec<SegmentRow> = self.db.rows(sql).await?;
        rows.into_iter().map(SegmentRow::segment).collect()
    }

    /// Makes this database that of the site `uuid` when nothing has been entered into it yet: the first thing after a
    /// database was lost.
    ///
    /// # Errors
    /// `Refused` when it holds cameras or recordings and is another site's.
    pub async fn adopt_site(&self, uuid: &str) -> Result<()> {
        let uuid = uuid.to_owned();
        self.write(move |tx| {
            Box::pin(async move {
                let own: Option<(String,)> = tx.row(Sql::new("select uuid from site where id = 1")).await?;
                if own.is_some_and(|(own,)| own == uuid) {
                    return Ok(());
                }
                let cameras: Option<(i64,)> = tx.row(Sql::new("select id from camera limit 1")).await?;
                if cameras.is_some() {
                    return Err(StoreError::Refused(Refusal::new(
                        "store",
                        "thư mục lưu trữ này thuộc về một hệ thống khác; hãy dùng một thư mục dữ liệu mới (--data)",
                        "this store folder belongs to another site; use a new data folder (--data)",
                    )));
                }
                tx.execute(Sql::new("update site set uuid = $1 where id = 1").bind(uuid)).await.map(drop)
            })
        })
        .await
    }

    /// Enters a segment read from its file. A camera or stream that is not there is made: retired, under the ids, code
    /// and kind the file has; its name is its code. `false` when the path is there already.
    ///
    /// # Errors
    /// `Refused` when the file's stream is another's here.
    pub async fn restore_segment(&self, of: &FileStream, segment: &Segment, now: WallTime) -> Result<bool> {
        let (of, segment) = (of.clone(), segment.clone());
        self.write(move |tx| {
            Box::pin(async move {
                if is_known(tx, &segment.path).await? {
                    return Ok(false);
                }
                check_stream(tx, &of, now).await?;
                insert(tx, &segment).await?;
                Ok(true)
            })
        })
        .await
    }

    /// Enters damages; one that is there already is not entered twice. How many were new.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn add_damages(&self, damages: &[Damage], now: WallTime) -> Result<u64> {
        let text = "insert into damage (stream, path, start_us, end_us, found_us, what) values ($1, $2, $3, $4, $5, $6) \
                    on conflict (path, start_us) do nothing";
        let insert = |d: &Damage| {
            Sql::new(text)
                .bind(d.stream.0)
                .bind(d.path.as_str())
                .bind(d.span.start_us)
                .bind(d.span.end_us)
                .bind(now.us())
                .bind(d.what.as_str())
        };
        let inserts: Vec<_> = damages.iter().map(insert).collect();
        self.write(move |tx| {
            Box::pin(async move {
                let mut new = 0;
                for insert in inserts {
                    new += tx.execute(insert).await?;
                }
                Ok(new)
            })
        })
        .await
    }

    /// The newest damages found, newest first, at most 1000.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn damages(&self) -> Result<Vec<Damage>> {
        let sql = Sql::new("select id, stream, path, start_us, end_us, what from damage order by id desc limit $1");
        let rows: Vec<(i64, i64, String, i64, i64, String)> = self.db.rows(sql.bind(DAMAGES_MAX)).await?;
        let damage = |(id, stream, path, start_us, end_us, what): (i64, i64, String, i64, i64, String)| {
            let at = At { table: "damage", row: id };
            let span = Span::new(start_us, end_us).ok_or_else(|| at.corrupt("ends before it starts"))?;
            Ok(Damage { stream: StreamId(stream), path, span, what })
        };
        rows.into_iter().map(damage).collect()
    }

    /// Where the scrub stands: the lowest segment id it has not looked at, and when its pass began.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn scrub_place(&self) -> Result<Option<(SegmentId, WallTime)>> {
        let row: Option<(i64, i64)> = self.db.row(Sql::new("select next_segment, began_us from scrub")).await?;
        Ok(row.map(|(next, began)| (SegmentId(next), WallTime(began))))
    }

    /// Notes where the scrub stands.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn set_scrub_place(&self, next: SegmentId, began: WallTime) -> Result<()> {
        let text = "insert into scrub (id, next_segment, began_us) values (1, $1, $2) \
                    on conflict (id) do update set next_segment = excluded.next_segment, began_us = excluded.began_us";
        let sql = Sql::new(text).bind(next.0).bind(began.us());
        self.write(move |tx| Box::pin(async move { tx.execute(sql).await.map(drop) })).await
    }
}

/// Makes sure that the file's stream is here and is this camera's; makes both, retired, when they are not there.
async fn check_stream(tx: &mut Tx, of: &FileStream, now: WallTime) -> Result<()> {
    let select = "select camera, kind from stream where id = $1";
    if let Some((camera, kind)) = tx.row::<(i64, String)>(Sql::new(select).bind(of.stream.0)).await? {
        if (camera, kind.as_str()) == (of.camera.0, of.kind.name()) {
            return Ok(());
        }
        return Err(other_stream(of));
    }
    let camera: Option<(i64,)> = tx.row(Sql::new("select id from camera where id = $1").bind(of.camera.0)).await?;
    if camera.is_none() {
        make_camera(tx, of, now).await?;
    }
    let taken =
        Sql::new("select id from stream where camera = $1 and kind = $2").bind(of.camera.0).bind(of.kind.name());
    if tx.row::<(i64,)>(taken).await?.is_some() {
        return Err(other_stream(of));
    }
    let columns = "insert into stream (id, camera, kind, url, username, password, retired_us)";
    let insert = tx.with_id(columns, "values ($1, $2, $3, $4, '', '', $5)");
    let insert = insert.bind(of.stream.0).bind(of.camera.0).bind(of.kind.name()).bind(NO_ADDRESS).bind(now.us());
    tx.execute(insert).await?;
    tx.raise_identity("select setval(pg_get_serial_sequence('stream', 'id'), (select max(id) from stream))").await
}

async fn make_camera(tx: &mut Tx, of: &FileStream, now: WallTime) -> Result<()> {
    // The code's folded form is the one thing looked for; a code taken meanwhile gets the id behind it.
    let folded = of.code.to_lowercase();
    let taken = Sql::new("select id from camera where code_fold = $1").bind(folded.as_str());
    let code = match tx.row::<(i64,)>(taken).await? {
        Some(_) => format!("{}-{}", of.code, of.camera),
        None => of.code.clone(),
    };
    let columns =
        "insert into camera (id, code, code_fold, name, name_fold, hamlet, owner, link, enabled_us, retired_us)";
    let insert = tx.with_id(columns, "values ($1, $2, $3, $2, $3, '', '', '', $4, $4)");
    tx.execute(insert.bind(of.camera.0).bind(code.as_str()).bind(code.to_lowercase()).bind(now.us())).await?;
    tx.raise_identity("select setval(pg_get_serial_sequence('camera', 'id'), (select max(id) from camera))").await
}

fn other_stream(of: &FileStream) -> StoreError {
    StoreError::Refused(Refusal::new(
        format!("camera {} ({})", of.camera, of.code),
        format!("luồng {} thuộc camera khác trong cơ sở dữ liệu này; tệp được giữ nguyên", of.stream),
        format!("stream {} is another camera's in this database; the file is left as it is", of.stream),
    ))
}
