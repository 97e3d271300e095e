//! Opening: which file or server, is it ours, is its schema ours; every "no" says what to do.

use std::{fs::OpenOptions, io::ErrorKind, os::unix::fs::OpenOptionsExt, path::Path, str::FromStr, time::Duration};

use sqlx::{
    Connection, PgConnection,
    migrate::{MigrateError, Migrator},
    pool::PoolOptions,
    postgres::PgConnectOptions,
    sqlite::{Sqlite, SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqliteSynchronous},
};

use super::{Result, Store, StoreError, db::Db, sql::Sql};
use crate::{domain::refusal::Refusal, runtime::tasks::ShortTasks};

static SQLITE: Migrator = sqlx::migrate!("src/store/migrations/sqlite");
static POSTGRES: Migrator = sqlx::migrate!("src/store/migrations/postgres");

/// The first release without the fault that could corrupt a database when its log was reset.
const SQLITE_LEAST: [u32; 3] = [3, 51, 3];
const READERS: u32 = 4;
const POSTGRES_CONNECTIONS: u32 = 8;
/// Rows that the thread which reads may be ahead: with fewer, a day's rows go through in many small steps, and each step
/// waits until a busy machine gives both sides their turn.
const ROWS_AHEAD: usize = 4096;
/// How long one process waits for another that writes to the same file.
const BUSY: Duration = Duration::from_secs(5);
/// Two processes that make the same file at once: SQLite does not wait when the log's mode is set.
const WAL_TRIES: u32 = 50;
const WAL_PAUSE: Duration = Duration::from_millis(100);

impl Store {
    /// Opens the SQLite database at `path`, makes it when absent (mode 0600, it holds the cameras' passwords) and
    /// brings its schema up to date. The folder must be there. Several processes may have it open.
    ///
    /// # Errors
    /// [`StoreError::Refused`] with the path as its place when the file cannot be written, is no database, belongs to
    /// another program or to a newer version of this one.
    pub async fn open(path: &Path) -> Result<Self> {
        let place = path.display().to_string();
        let opened = async {
            create_private(path)?;
            let options = SqliteConnectOptions::new().filename(path).busy_timeout(BUSY).foreign_keys(true);
            look_before_writing(&options).await?;
            let write = connect_writer(&options).await?;
            migrate_sqlite(&write).await?;
            let options = options.read_only(true).row_buffer_size(ROWS_AHEAD);
            let read = sqlite_pool(READERS).connect_with(options).await?;
            Self::settled(Db::Sqlite { read, write }).await
        };
        opened.await.map_err(|error| at_file(place, error))
    }

    /// A SQLite database that lives as long as its last clone; the double for tests.
    ///
    /// # Errors
    /// When SQLite itself fails.
    pub async fn in_memory() -> Result<Self> {
        // Each connection in memory is a database of its own, so reader and writer share one.
        let options = SqliteConnectOptions::new().in_memory(true).foreign_keys(true);
        let pool = sqlite_pool(1).connect_with(options).await?;
        migrate_sqlite(&pool).await?;
        Self::settled(Db::Sqlite { read: pool.clone(), write: pool }).await
    }

    /// Connects to the PostgreSQL database of a `postgres://` address and brings its schema up to date.
    ///
    /// # Errors
    /// [`StoreError::Refused`] naming server and database (never the password) when there is no way in, or when it
    /// belongs to a newer version of this program.
    pub async fn postgres(url: &str) -> Result<Self> {
        let options = PgConnectOptions::from_str(url).map_err(|error| at_server("postgres".into(), error.into()))?;
        let host = options.get_socket().map_or_else(|| options.get_host().into(), |s| s.to_string_lossy());
        let place = format!("postgres {host}:{}/{}", options.get_port(), options.get_database().unwrap_or_default());
        // A connection left inside a transaction would hold its locks for ever.
        let options = options.application_name("vonglau").options([("idle_in_transaction_session_timeout", "60s")]);
        let opened = async {
            // One connection first: a pool hides the reason and tries again until its own time is up.
            let mut first = PgConnection::connect_with(&options).await?;
            let migrated = POSTGRES.run_direct(None, &mut first, false).await;
            first.close().await?;
            migrated?;
            let pool = PoolOptions::new()
                .max_connections(POSTGRES_CONNECTIONS)
                .max_lifetime(Duration::from_secs(600))
                .connect_with(options)
                .await?;
            Self::settled(Db::Postgres(pool)).await
        };
        opened.await.map_err(|error| at_server(place, error))
    }

    /// Waits for every write that has begun, then closes the database. The last thing to do with it.
    pub async fn close(&self) {
        self.writes.drain().await;
        self.db.close().await;
    }

    /// The store with its single rows in place.
    async fn settled(db: Db) -> Result<Self> {
        let store = Self { db, writes: ShortTasks::default() };
        let uuid = uuid::Uuid::new_v4().to_string();
        let settled = store.write(move |tx| {
            Box::pin(async move {
                let site = "insert into site (id, uuid, last_change) values (1, $1, 0) on conflict (id) do nothing";
                tx.execute(Sql::new(site).bind(uuid)).await?;
                let total =
                    "insert into segment_total (id, segments, bytes) values (1, 0, 0) on conflict (id) do nothing";
                tx.execute(Sql::new(total)).await
            })
        });
        match settled.await {
            Ok(_) => Ok(store),
            Err(error) => {
                store.close().await;
                Err(error)
            }
        }
    }
}

/// Makes the file before SQLite does, for its mode and for the system's own words when that fails. SQLite gives the
/// files beside it the same mode.
fn create_private(path: &Path) -> Result<()> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map(drop)
        .map_err(|error| StoreError::Database(sqlx::Error::Io(error)))
}

/// Refuses a SQLite of another program before anything in it is changed, and a SQLite library with a known fault.
async fn look_before_writing(options: &SqliteConnectOptions) -> Result<()> {
    let mut probe = SqliteConnection::connect_with(options).await?;
    let (version,): (String,) = sqlx::query_as("select sqlite_version()").fetch_one(&mut probe).await?;
    let tables: Vec<(String,)> =
        sqlx::query_as("select name from sqlite_schema where type = 'table'").fetch_all(&mut probe).await?;
    probe.close().await?;
    if version_numbers(&version) < SQLITE_LEAST {
        return Err(refused(
            format!("thư viện SQLite {version} quá cũ, có lỗi làm hỏng dữ liệu; cần từ 3.51.3"),
            format!("the SQLite library {version} is too old and can corrupt data; 3.51.3 or later is needed"),
        ));
    }
    if !tables.is_empty() && !tables.iter().any(|(name,)| name == "_sqlx_migrations") {
        return Err(refused(
            "tệp này là cơ sở dữ liệu của chương trình khác; hãy chọn thư mục dữ liệu khác",
            "this file is the database of another program; choose another data folder",
        ));
    }
    Ok(())
}

fn version_numbers(version: &str) -> [u32; 3] {
    let mut numbers = version.split('.').map(|n| n.parse().unwrap_or(0));
    std::array::from_fn(|_| numbers.next().unwrap_or(0))
}

/// No connection is ever replaced by age: opening one anew costs a read of the schema and warms nothing.
fn sqlite_pool(connections: u32) -> PoolOptions<Sqlite> {
    PoolOptions::new().max_connections(connections).max_lifetime(None).idle_timeout(None).test_before_acquire(false)
}

async fn connect_writer(options: &SqliteConnectOptions) -> Result<SqlitePool> {
    // FULL: what was said to be written survives a loss of power, not only a loss of the process.
    let options = options
        .clone()
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        // After a long read the log may be large; it need not stay so.
        .pragma("journal_size_limit", "67108864");
    let mut tries = 0;
    loop {
        match sqlite_pool(1).connect_with(options.clone()).await {
            Err(error) if tries < WAL_TRIES && sqlite_code(&error) == Some(5) => {
                tries += 1;
                tokio::time::sleep(WAL_PAUSE).await;
            }
            connected => return Ok(connected?),
        }
    }
}

/// All in one immediate transaction, so that of two processes the second finds the work done.
async fn migrate_sqlite(pool: &SqlitePool) -> Result<()> {
    let mut tx = pool.begin_with("begin immediate").await?;
    SQLITE.run_direct(None, &mut *tx, false).await?;
    Ok(tx.commit().await?)
}

/// SQLite's primary result code.
fn sqlite_code(error: &sqlx::Error) -> Option<u32> {
    let code = error.as_database_error()?.code()?;
    code.parse::<u32>().ok().map(|extended| extended & 0xff)
}

/// A refusal whose place is filled in by the caller.
fn refused(vi: impl Into<String>, en: impl Into<String>) -> StoreError {
    StoreError::Refused(Refusal::new("", vi, en))
}

/// What a person can mend about a file, said so; anything else as it is.
fn at_file(place: String, error: StoreError) -> StoreError {
    let (vi, en) = match &error {
        StoreError::Refused(refusal) => (refusal.vi.clone(), refusal.en.clone()),
        StoreError::Migration(MigrateError::VersionMissing(version)) => newer(*version),
        StoreError::Database(sqlx::Error::Io(io)) => match io.kind() {
            ErrorKind::NotFound => (
                "không có thư mục này; hãy tạo thư mục dữ liệu trước".into(),
                "there is no such folder; make the data folder first".into(),
            ),
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => no_permission(),
            ErrorKind::IsADirectory => (
                "đây là thư mục, không phải tệp cơ sở dữ liệu; hãy chọn tên khác".into(),
                "this is a folder, not a database file; choose another name".into(),
            ),
            _ => return error,
        },
        StoreError::Database(database) => match sqlite_code(database) {
            Some(3 | 8 | 14) => no_permission(),
            Some(26) => (
                "tệp này không phải là cơ sở dữ liệu; hãy cất nó đi chỗ khác rồi chạy lại".into(),
                "this file is not a database; move it away and start again".into(),
            ),
            Some(11) => (
                "cơ sở dữ liệu bị hỏng; hãy khôi phục từ bản sao lưu".into(),
                "the database is damaged; restore it from a backup".into(),
            ),
            Some(5 | 6) => (
                "chương trình khác đang giữ cơ sở dữ liệu; hãy đóng chương trình đó rồi chạy lại".into(),
                "another program holds the database; close that program and start again".into(),
            ),
            _ => return error,
        },
        _ => return error,
    };
    StoreError::Refused(Refusal::new(place, vi, en))
}

/// The same for a server.
fn at_server(place: String, error: StoreError) -> StoreError {
    let (vi, en) = match &error {
        StoreError::Migration(MigrateError::VersionMissing(version)) => newer(*version),
        StoreError::Database(sqlx::Error::Configuration(why)) => (
            format!("địa chỉ cơ sở dữ liệu sai ({why}); ví dụ postgres://vonglau@localhost:5432/vonglau"),
            format!("the database address is wrong ({why}); for example postgres://vonglau@localhost:5432/vonglau"),
        ),
        StoreError::Database(why @ (sqlx::Error::Io(_) | sqlx::Error::Tls(_))) => (
            format!("không kết nối được máy chủ cơ sở dữ liệu ({why}); kiểm tra máy chủ, cổng và mạng"),
            format!("the database server cannot be reached ({why}); check the server, its port and the network"),
        ),
        // Class 28: login refused; 3D000: no such database.
        StoreError::Database(sqlx::Error::Database(why))
            if why.code().is_some_and(|c| c.starts_with("28") || c == "3D000") =>
        {
            (
                format!("máy chủ cơ sở dữ liệu từ chối ({why}); kiểm tra tên, mật khẩu và tên cơ sở dữ liệu"),
                format!("the database server refused ({why}); check user, password and the database's name"),
            )
        }
        _ => return error,
    };
    StoreError::Refused(Refusal::new(place, vi, en))
}

fn no_permission() -> (String, String) {
    (
        "không ghi được vào thư mục dữ liệu; hãy cấp quyền ghi cho người dùng chạy chương trình này".into(),
        "the data folder cannot be written; give the user who runs this program write permission".into(),
    )
}

fn newer(version: i64) -> (String, String) {
    let known = SQLITE.iter().map(|m| m.version).max().unwrap_or_default();
    (
        format!("cơ sở dữ liệu thuộc bản mới hơn (lược đồ {version}, bản này biết đến {known}); hãy chạy bản mới hơn"),
        format!("the database is of a newer version (schema {version}, this one knows {known}); run the newer version"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_their_numbers() {
        for (version, fine) in [("3.51.3", true), ("3.53", true), ("4.0.0", true), ("3.51.2", false), ("3.9.9", false)]
        {
            assert_eq!(version_numbers(version) >= SQLITE_LEAST, fine, "{version}");
        }
    }

    #[tokio::test]
    async fn the_library_within_is_new_enough_and_the_writer_is_durable() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("vonglau.db")).await.unwrap();
        let Db::Sqlite { read, write } = &store.db else { panic!("not SQLite") };
        for (pool, pragma, expected) in [
            (write, "pragma synchronous", 2),
            (write, "pragma foreign_keys", 1),
            (read, "pragma foreign_keys", 1),
            (write, "pragma busy_timeout", 5000),
        ] {
            let (value,): (i64,) = sqlx::query_as(pragma).fetch_one(pool).await.unwrap();
            assert_eq!(value, expected, "{pragma}");
        }
        let (mode,): (String,) = sqlx::query_as("pragma journal_mode").fetch_one(read).await.unwrap();
        assert_eq!(mode, "wal");
        assert!(sqlx::query("delete from site").execute(read).await.is_err(), "readers cannot write");
        store.close().await;
    }
}
