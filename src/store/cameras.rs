//! Cameras, their streams and clusters. A camera's row is never deleted.

use serde_json::{Value as Json, json};

use super::{
    At, Result, Store, StoreError,
    changes::{Changed, log, take_turn},
    db::Tx,
    sql::Sql,
};
use crate::domain::{
    camera::{Camera, CheckedCamera, RtspUrl, Secret, Stream, StreamKind, no_sub_to_record},
    ids::{CameraId, ClusterId, StreamId},
    query::Actor,
    refusal::Refusal,
    time::WallTime,
};

/// A camera with one of its streams in use; a camera with two gives two rows.
#[derive(sqlx::FromRow)]
struct CameraRow {
    id: i64,
    code: String,
    name: String,
    cluster: Option<i64>,
    cluster_name: Option<String>,
    hamlet: String,
    enabled_us: i64,
    retired_us: Option<i64>,
    main_off_us: Option<i64>,
    stream: Option<i64>,
    kind: Option<String>,
    url: Option<String>,
    username: Option<String>,
    password: Option<String>,
}

const CAMERAS: &str = "select c.id, c.code, c.name, c.cluster, k.name as cluster_name, c.hamlet, c.enabled_us, \
                       c.retired_us, c.main_off_us, s.id as stream, s.kind, s.url, s.username, s.password from camera c \
                       left join cluster k on k.id = c.cluster \
                       left join stream s on s.camera = c.id and s.retired_us is null";

impl CameraRow {
    fn take_stream(&mut self) -> Result<Option<Stream>> {
        let (Some(id), Some(kind), Some(url)) = (self.stream, self.kind.take(), self.url.take()) else {
            return Ok(None);
        };
        let at = At { table: "stream", row: id };
        Ok(Some(Stream {
            id: StreamId(id),
            camera: CameraId(self.id),
            kind: at.word("kind", &kind, StreamKind::from_name)?,
            url: RtspUrl::parse(&url).map_err(|refusal| at.corrupt(refusal.en))?.0,
            username: self.username.take().unwrap_or_default(),
            password: Secret::new(self.password.take().unwrap_or_default()),
        }))
    }
    fn camera(self, stream: Option<Stream>) -> Camera {
        Camera {
            id: CameraId(self.id),
            code: self.code,
            name: self.name,
            cluster: self.cluster.map(ClusterId),
            cluster_name: self.cluster_name.unwrap_or_default(),
            hamlet: self.hamlet,
            enabled_us: self.enabled_us,
            retired_us: self.retired_us,
            main_off_us: self.main_off_us,
            streams: stream.into_iter().collect(),
        }
    }
}

/// Puts rows of one camera together; they come by camera, main stream first.
fn grouped(rows: Vec<CameraRow>) -> Result<Vec<Camera>> {
    let mut cameras: Vec<Camera> = Vec::new();
    for mut row in rows {
        let stream = row.take_stream()?;
        match cameras.last_mut().filter(|camera| camera.id.0 == row.id) {
            Some(camera) => camera.streams.extend(stream),
            None => cameras.push(row.camera(stream)),
        }
    }
    Ok(cameras)
}

impl Store {
    /// Adds a camera; an empty code becomes the next free `C01`, `C02`, …; its cluster is made when it is new.
    ///
    /// # Errors
    /// `Refused` when its name is in use by another camera, or its code is or was.
    pub async fn add_camera(&self, actor: &Actor, camera: &CheckedCamera, now: WallTime) -> Result<CameraId> {
        let draft = camera.clone();
        self.change(actor, "camera.add", now, move |tx| Box::pin(async move { insert(tx, &draft, now).await })).await
    }

    /// Adds all of a list or, when one of them cannot be added, none.
    ///
    /// # Errors
    /// As [`Store::add_camera`], with the camera's place in the list.
    pub async fn add_cameras(&self, actor: &Actor, cameras: &[CheckedCamera], now: WallTime) -> Result<()> {
        let (actor, drafts) = (actor.name.clone(), cameras.to_vec());
        self.write(move |tx| {
            Box::pin(async move {
                for (i, draft) in drafts.iter().enumerate() {
                    let id = take_turn(tx).await?;
                    let added = insert(tx, draft, now).await.map_err(|error| match error {
                        StoreError::Refused(refusal) => StoreError::Refused(refusal.within(&format!("camera[{i}]"))),
                        other => other,
                    })?;
                    log(tx, id, &actor, "camera.add", now, added).await?;
                }
                Ok(())
            })
        })
        .await
    }

    /// Changes a camera. An empty code and a password of `None` keep what is there. A sub stream that is no longer
    /// given is put out of use, and comes back as itself when given again.
    ///
    /// # Errors
    /// As [`Store::add_camera`]; `NotFound` when there is no such camera, `Refused` when it is retired.
    pub async fn update_camera(
        &self,
        actor: &Actor,
        id: CameraId,
        camera: &CheckedCamera,
        now: WallTime,
    ) -> Result<()> {
        let draft = camera.clone();
        self.change(actor, "camera.update", now, move |tx| {
            Box::pin(async move {
                let before = in_use(tx, id).await?;
                let code = if draft.code.is_empty() { before.code.clone() } else { draft.code.clone() };
                check_free(tx, id.0, &draft.name, &code).await?;
                let cluster = cluster_id(tx, &draft.cluster).await?;
                let main_off = match draft.record_main {
                    None => before.main_off_us,
                    Some(true) => None,
                    Some(false) => Some(before.main_off_us.unwrap_or(now.us())),
                };
                if main_off.is_some() && draft.sub_url.is_none() {
                    return Err(StoreError::Refused(no_sub_to_record()));
                }
                let text = "update camera set code = $2, code_fold = $3, name = $4, name_fold = $5, cluster = $6, \
                            hamlet = $7, main_off_us = $8 where id = $1";
                let update = Sql::new(text)
                    .bind(id.0)
                    .bind(code.as_str())
                    .bind(folded(&code))
                    .bind(draft.name.as_str())
                    .bind(folded(&draft.name))
                    .bind(cluster)
                    .bind(draft.hamlet.as_str())
                    .bind(main_off);
                tx.execute(update).await?;
                let old = before.stream(StreamKind::Main).map(|s| s.password.clone()).unwrap_or_default();
                let password = draft.password.clone().unwrap_or_else(|| old.clone());
                put_streams(tx, id, &draft, &password, now).await?;
                if before.main_off_us.is_some() && main_off.is_none() {
                    // What was not to be recorded is not missing.
                    let since = "update stream set since_us = $2 where camera = $1 and kind = 'main'";
                    tx.execute(Sql::new(since).bind(id.0).bind(now.us())).await?;
                }
                let mut after = logged(&found(tx, id).await?);
                if password != old {
                    // All that may be said about it; without this line nobody could see who changed it.
                    after["password_changed"] = true.into();
                }
                Ok(Changed { object: id.0, before: Some(logged(&before)), after: Some(after), out: () })
            })
        })
        .await
    }

    /// Puts a camera out of use for good; its recordings and events stay, its code is never given again.
    ///
    /// # Errors
    /// `NotFound` when there is no such camera, `Refused` when it is retired already.
    pub async fn retire_camera(&self, actor: &Actor, id: CameraId, now: WallTime) -> Result<()> {
        self.change(actor, "camera.retire", now, move |tx| {
            Box::pin(async move {
                let before = in_use(tx, id).await?;
                tx.execute(Sql::new("update camera set retired_us = $2 where id = $1").bind(id.0).bind(now.us()))
                    .await?;
                let after = Some(logged(&found(tx, id).await?));
                Ok(Changed { object: id.0, before: Some(logged(&before)), after, out: () })
            })
        })
        .await
    }

    /// Not retired ones, by code: C2 before C10.
    ///
    /// # Errors
    /// When the database fails, or a stored address can no longer be read.
    pub async fn cameras(&self) -> Result<Vec<Camera>> {
        let mut sql = Sql::new(CAMERAS);
        sql.push(" where c.retired_us is null order by c.id, s.kind");
        let mut cameras = grouped(self.db.rows(sql).await?)?;
        // Here and not in the database: its order of letters differs between engines and machines.
        cameras.sort_by_cached_key(|camera| natural_key(&camera.code));
        Ok(cameras)
    }

    /// Also a retired one (old events show its name).
    ///
    /// # Errors
    /// When the database fails, or a stored address can no longer be read.
    pub async fn camera(&self, id: CameraId) -> Result<Option<Camera>> {
        Ok(grouped(self.db.rows(one(id)).await?)?.pop())
    }

    /// All clusters, by name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn clusters(&self) -> Result<Vec<(ClusterId, String)>> {
        let rows: Vec<(i64, String)> = self.db.rows(Sql::new("select id, name from cluster order by id")).await?;
        let mut clusters: Vec<_> = rows.into_iter().map(|(id, name)| (ClusterId(id), name)).collect();
        clusters.sort_by_cached_key(|(_, name)| natural_key(name));
        Ok(clusters)
    }
}

async fn insert(tx: &mut Tx, draft: &CheckedCamera, now: WallTime) -> Result<Changed<CameraId>> {
    let code = if draft.code.is_empty() { next_code(tx).await? } else { draft.code.clone() };
    check_free(tx, 0, &draft.name, &code).await?;
    let cluster = cluster_id(tx, &draft.cluster).await?;
    let text = "insert into camera \
                (code, code_fold, name, name_fold, cluster, hamlet, owner, link, enabled_us, main_off_us) \
                values ($1, $2, $3, $4, $5, $6, '', '', $7, $8) returning id";
    let insert = Sql::new(text)
        .bind(code.as_str())
        .bind(folded(&code))
        .bind(draft.name.as_str())
        .bind(folded(&draft.name))
        .bind(cluster)
        .bind(draft.hamlet.as_str())
        .bind(now.us())
        .bind((draft.record_main == Some(false)).then_some(now.us()));
    let id = CameraId(tx.number(insert).await?);
    let password = draft.password.clone().unwrap_or_default();
    put_streams(tx, id, draft, &password, now).await?;
    let after = Some(logged(&found(tx, id).await?));
    Ok(Changed { object: id.0, before: None, after, out: id })
}

fn one(id: CameraId) -> Sql {
    let mut sql = Sql::new(CAMERAS);
    sql.push(" where c.id = ").push_bind(id.0).push(" order by c.id, s.kind");
    sql
}

/// The camera, retired or not.
pub(super) async fn found(tx: &mut Tx, id: CameraId) -> Result<Camera> {
    grouped(tx.rows(one(id)).await?)?.pop().ok_or(StoreError::NotFound { what: "camera", id: id.0 })
}

/// The camera, if it is there and not retired.
pub(super) async fn in_use(tx: &mut Tx, id: CameraId) -> Result<Camera> {
    let camera = found(tx, id).await?;
    if camera.retired_us.is_none() {
        return Ok(camera);
    }
    Err(StoreError::Refused(Refusal::new(
        "camera",
        format!("camera {} «{}» đã ngừng sử dụng; hãy thêm camera mới", camera.code, camera.name),
        format!("camera {} “{}” is retired; add a new camera", camera.code, camera.name),
    )))
}

/// Refuses a name of another camera in use and a code of any other camera.
async fn check_free(tx: &mut Tx, own: i64, name: &str, code: &str) -> Result<()> {
    let by_name = "select code from camera where name_fold = $1 and retired_us is null and id <> $2";
    let other: Option<(String,)> = tx.row(Sql::new(by_name).bind(folded(name)).bind(own)).await?;
    if let Some((other,)) = other {
        return Err(StoreError::Refused(Refusal::new(
            "name",
            format!("tên «{name}» đang dùng cho camera {other}; hãy chọn tên khác"),
            format!("the name “{name}” is in use by camera {other}; choose another name"),
        )));
    }
    let by_code = "select code, name, retired_us from camera where code_fold = $1 and id <> $2";
    let other: Option<(String, String, Option<i64>)> = tx.row(Sql::new(by_code).bind(folded(code)).bind(own)).await?;
    let Some((other, name, retired_us)) = other else { return Ok(()) };
    let (vi, en) = if retired_us.is_some() { (" (đã ngừng)", " (retired)") } else { ("", "") };
    Err(StoreError::Refused(Refusal::new(
        "code",
        format!("mã {other} đã thuộc camera «{name}»{vi}; hãy chọn mã khác, hoặc để trống để lấy mã kế tiếp"),
        format!("the code {other} belongs to camera “{name}”{en}; choose another, or leave it empty for the next one"),
    )))
}

/// The lowest `C01`, `C02`, … that no camera has or had.
async fn next_code(tx: &mut Tx) -> Result<String> {
    let rows: Vec<(String,)> = tx.rows(Sql::new("select code_fold from camera")).await?;
    let taken: std::collections::HashSet<u64> =
        rows.iter().filter_map(|(code,)| code.strip_prefix('c')?.parse().ok()).collect();
    let free = (1..).find(|n| !taken.contains(n)).expect("fewer cameras than numbers");
    Ok(format!("C{free:02}"))
}

async fn cluster_id(tx: &mut Tx, name: &str) -> Result<Option<i64>> {
    if name.is_empty() {
        return Ok(None);
    }
    let known: Option<(i64,)> =
        tx.row(Sql::new("select id from cluster where name_fold = $1").bind(folded(name))).await?;
    if let Some((id,)) = known {
        return Ok(Some(id));
    }
    let insert = Sql::new("insert into cluster (name, name_fold) values ($1, $2) returning id");
    Ok(Some(tx.number(insert.bind(name).bind(folded(name))).await?))
}

/// Brings the camera's streams to what the draft says; rows are never deleted, since segments refer to them.
async fn put_streams(
    tx: &mut Tx,
    camera: CameraId,
    draft: &CheckedCamera,
    password: &Secret,
    now: WallTime,
) -> Result<()> {
    // A stream that comes back is to be recorded from now on, not from when it first was.
    let text = "insert into stream (camera, kind, url, username, password, since_us) values ($1, $2, $3, $4, $5, $6) \
                on conflict (camera, kind) do update set url = excluded.url, username = excluded.username, \
                password = excluded.password, retired_us = null, since_us = case when stream.retired_us is null \
                then stream.since_us else excluded.since_us end";
    for (kind, url) in [(StreamKind::Main, Some(&draft.main_url)), (StreamKind::Sub, draft.sub_url.as_ref())] {
        let sql = match url {
            Some(url) => Sql::new(text)
                .bind(camera.0)
                .bind(kind.name())
                .bind(url.as_str())
                .bind(draft.username.as_str())
                .bind(password.expose())
                .bind(now.us()),
            None => {
                let retire = "update stream set retired_us = $3 where camera = $1 and kind = $2 and retired_us is null";
                Sql::new(retire).bind(camera.0).bind(kind.name()).bind(now.us())
            }
        };
        tx.execute(sql).await?;
    }
    Ok(())
}

/// A camera for the change log, without passwords, also without those that some makers put into the address.
fn logged(camera: &Camera) -> Json {
    let streams: Vec<Json> = camera
        .streams
        .iter()
        .map(|s| {
            json!({
                "id": s.id, "kind": s.kind, "url": s.url.masked(), "username": s.username,
                "has_password": !s.password.is_empty(),
            })
        })
        .collect();
    json!({
        "id": camera.id, "code": camera.code, "name": camera.name, "cluster": camera.cluster_name,
        "hamlet": camera.hamlet, "enabled_us": camera.enabled_us, "retired_us": camera.retired_us,
        "main_off_us": camera.main_off_us,
        "streams": streams,
    })
}

/// For comparing what people typed: lower case, no blanks around, one blank between words.
fn folded(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

/// Sorts texts so that a run of digits counts as a number: pairs of what stands before it and the number.
fn natural_key(text: &str) -> Vec<(String, u64)> {
    let folded = folded(text);
    let (mut rest, mut key) = (folded.as_str(), Vec::new());
    while !rest.is_empty() {
        let digits = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let (before, from_digits) = rest.split_at(digits);
        let end = from_digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(from_digits.len());
        key.push((before.to_owned(), from_digits[..end].parse().unwrap_or(u64::MAX)));
        rest = &from_digits[end..];
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_stand_in_the_order_of_their_numbers() {
        let mut codes = ["C10", "c2", "Cổng 3", "C100", "7", "C1-b"];
        codes.sort_by_cached_key(|code| natural_key(code));
        assert_eq!(codes, ["7", "C1-b", "c2", "C10", "C100", "Cổng 3"]);
    }

    #[test]
    fn names_that_differ_only_in_case_and_blanks_are_one_name() {
        assert_eq!(folded("  CHỢ –  Cổng Bắc "), folded("Chợ – cổng bắc"));
        assert_ne!(folded("Cho"), folded("Chợ"));
    }
}
