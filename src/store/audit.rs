//! The audit log: lines are added at its end and never changed.

use super::{Result, Store, sql::Sql};
use crate::{
    domain::{
        audit::{AuditEntry, AuditLine, AuditQuery, Seal},
        time::WallTime,
    },
    logic::audit::hash,
};

/// The most lines one call gives.
const LINES_MAX: u32 = 1000;

#[derive(sqlx::FromRow)]
struct LineRow {
    id: i64,
    time_us: i64,
    who: String,
    role: Option<String>,
    action: String,
    what: String,
    camera: Option<i64>,
    start_us: Option<i64>,
    end_us: Option<i64>,
    reason: Option<String>,
    address: String,
    before_sha256: String,
    sha256: String,
}

const LINES: &str = "select id, time_us, who, role, action, what, camera, start_us, end_us, reason, address, \
                     before_sha256, sha256 from audit";

impl From<LineRow> for AuditLine {
    fn from(row: LineRow) -> Self {
        let LineRow {
            id,
            time_us,
            who,
            role,
            action,
            what,
            camera,
            start_us,
            end_us,
            reason,
            address,
            before_sha256,
            sha256,
        } = row;
        Self { id, time_us, who, role, action, what, camera, start_us, end_us, reason, address, before_sha256, sha256 }
    }
}

#[derive(sqlx::FromRow)]
struct SealRow {
    last: i64,
    sha256: String,
    made_us: i64,
    public_key: String,
    signature: String,
}

impl Store {
    /// Writes a line at the end of the log; its number. What it is about may be done only when this has returned.
    ///
    /// # Errors
    /// When the database fails; then the line does not stand.
    pub async fn audit(&self, entry: AuditEntry, now: WallTime) -> Result<i64> {
        self.write(move |tx| {
            Box::pin(async move {
                // Holding the row of the head makes lines wait for each other.
                let text = "update audit_head set last = last + 1 where id = 1 returning last, sha256";
                let head: Option<(i64, String)> = tx.row(Sql::new(text)).await?;
                let (id, before) = head.ok_or(sqlx::Error::RowNotFound)?;
                let mut line = entry.after(id, now.us(), before);
                line.sha256 = hash(&line);
                let text = "insert into audit (id, time_us, who, role, action, what, camera, start_us, end_us, reason, \
                            address, before_sha256, sha256) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";
                let row = Sql::new(text)
                    .bind(line.id)
                    .bind(line.time_us)
                    .bind(line.who)
                    .bind(line.role)
                    .bind(line.action)
                    .bind(line.what)
                    .bind(line.camera)
                    .bind(line.start_us)
                    .bind(line.end_us)
                    .bind(line.reason)
                    .bind(line.address)
                    .bind(line.before_sha256)
                    .bind(line.sha256.clone());
                tx.execute(row).await?;
                tx.execute(Sql::new("update audit_head set sha256 = $1 where id = 1").bind(line.sha256)).await?;
                Ok(id)
            })
        })
        .await
    }

    /// Lines after one, in their order.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn audit_after(&self, line: i64) -> Result<Vec<AuditLine>> {
        let mut sql = Sql::new(LINES);
        sql.push(" where id > ").push_bind(line).push(" order by id limit ").push_bind(LINES_MAX);
        Ok(self.db.rows::<LineRow>(sql).await?.into_iter().map(AuditLine::from).collect())
    }

    /// Lines somebody wants to read, the newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn audit_lines(&self, query: &AuditQuery, limit: u32) -> Result<Vec<AuditLine>> {
        let mut sql = Sql::new(LINES);
        sql.push(" where 1 = 1");
        for (text, value) in [(" and who = ", &query.who), (" and action = ", &query.action)] {
            if let Some(value) = value {
                sql.push(text).push_bind(value.as_str());
            }
        }
        let numbers = [
            (" and camera = ", query.camera),
            (" and time_us >= ", query.from_us),
            (" and time_us < ", query.to_us),
            (" and id < ", query.before),
        ];
        for (text, value) in numbers {
            if let Some(value) = value {
                sql.push(text).push_bind(value);
            }
        }
        sql.push(" order by id desc limit ").push_bind(limit.min(LINES_MAX));
        Ok(self.db.rows::<LineRow>(sql).await?.into_iter().map(AuditLine::from).collect())
    }

    /// The newest line and its hash; 0 and zeros before the first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn audit_head(&self) -> Result<(i64, String)> {
        let row: Option<(i64, String)> =
            self.db.row(Sql::new("select last, sha256 from audit_head where id = 1")).await?;
        row.ok_or_else(|| sqlx::Error::RowNotFound.into())
    }

    /// All seals, by their line.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn audit_seals(&self) -> Result<Vec<Seal>> {
        let text = "select last, sha256, made_us, public_key, signature from audit_seal order by last";
        let rows: Vec<SealRow> = self.db.rows(Sql::new(text)).await?;
        let seal = |row: SealRow| {
            let SealRow { last, sha256, made_us, public_key, signature } = row;
            Seal { last, sha256, made_us, public_key, signature }
        };
        Ok(rows.into_iter().map(seal).collect())
    }

    /// Keeps a seal; one of that line stays as it is.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn keep_audit_seal(&self, seal: &Seal) -> Result<()> {
        let text = "insert into audit_seal (last, sha256, made_us, public_key, signature) values ($1, $2, $3, $4, $5) \
                    on conflict (last) do nothing";
        let row = Sql::new(text)
            .bind(seal.last)
            .bind(seal.sha256.clone())
            .bind(seal.made_us)
            .bind(seal.public_key.clone())
            .bind(seal.signature.clone());
        self.write(move |tx| Box::pin(async move { tx.execute(row).await.map(drop) })).await
    }
}
