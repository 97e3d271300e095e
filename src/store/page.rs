//! One page of a newest-first list of what happened at cameras: a keyset over (start, id).

use super::{Result, StoreError, sql::Sql};
use crate::domain::{ids::CameraId, refusal::Refusal};

/// The most rows one call gives.
const ROWS_MAX: u32 = 1000;
/// Up to this many cameras are searched each by its own index; more are nearly all, and the list by time is shorter.
const CAMERAS_APART_MAX: usize = 64;
/// The most cameras one question may name.
const CAMERAS_MAX: usize = 1000;

const NEWEST_FIRST: &str = " order by start_us desc, id desc limit ";

/// What is asked for.
pub(super) struct Page<'a> {
    /// `select … from table`.
    pub(super) select: &'static str,
    /// `select * from (select id, start_us from table where camera = `.
    pub(super) of_camera: &'static str,
    /// Of these cameras; empty means any.
    pub(super) cameras: &'a [CameraId],
    /// Behind this start and id.
    pub(super) after: Option<(i64, i64)>,
    /// At most so many rows.
    pub(super) limit: u32,
}

impl Page<'_> {
    /// Refuses a question about too many cameras.
    pub(super) fn check(&self) -> Result<()> {
        if self.cameras.len() <= CAMERAS_MAX {
            return Ok(());
        }
        Err(StoreError::Refused(Refusal::new(
            "cameras",
            format!("quá nhiều camera trong một câu hỏi; tối đa {CAMERAS_MAX}"),
            format!("too many cameras in one question; at most {CAMERAS_MAX}"),
        )))
    }
    /// The statement. For a few cameras each one's newest are taken by its own index and merged: looking through
    /// everybody's rows for those of one quiet camera could read the whole table. `filters` adds ` and …`.
    pub(super) fn sql(&self, filters: impl Fn(&mut Sql)) -> Sql {
        let mut cameras = self.cameras.to_vec();
        cameras.sort_unstable();
        cameras.dedup();
        let limit = self.limit.min(ROWS_MAX);
        let filters = |sql: &mut Sql| {
            filters(sql);
            if let Some((start_us, id)) = self.after {
                sql.push(" and (start_us, id) < ").push_list([start_us, id]);
            }
        };
        let mut sql = Sql::new(self.select);
        if cameras.len() < 2 || cameras.len() > CAMERAS_APART_MAX {
            sql.push(" where true");
            match cameras.as_slice() {
                [] => {}
                [one] => {
                    sql.push(" and camera = ").push_bind(one.0);
                }
                many => {
                    sql.push(" and camera in ").push_list(many.iter().map(|camera| camera.0));
                }
            }
            filters(&mut sql);
        } else {
            sql.push(" where id in (select id from (");
            for (i, camera) in cameras.iter().enumerate() {
                sql.push(if i == 0 { "" } else { " union all " });
                sql.push(self.of_camera).push_bind(camera.0);
                filters(&mut sql);
                sql.push(NEWEST_FIRST).push_bind(limit).push(") as one");
            }
            sql.push(") as each").push(NEWEST_FIRST).push_bind(limit).push(")");
        }
        sql.push(NEWEST_FIRST).push_bind(limit);
        sql
    }
}
