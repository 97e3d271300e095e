//! The log of who looked at what, and why.

/// One line, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditLine {
    /// 1, 2, 3, …
    pub id: i64,
    /// When, UTC microseconds.
    pub time_us: i64,
    /// The login.
    pub who: String,
    /// The role it was done by.
    pub role: Option<String>,
    /// The right it needed.
    pub action: String,
    /// Method and address, as asked.
    pub what: String,
    /// Whose pictures.
    pub camera: Option<i64>,
    /// From when on, UTC microseconds.
    pub start_us: Option<i64>,
    /// Until when, UTC microseconds.
    pub end_us: Option<i64>,
    /// Why, as its person said.
    pub reason: Option<String>,
    /// From where.
    pub address: String,
    /// Hash of the line before, hex.
    pub before_sha256: String,
    /// Hash of this line, hex.
    pub sha256: String,
}

/// What is to be written; its number and hashes are given by the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// The login.
    pub who: String,
    /// The role it is done by.
    pub role: Option<String>,
    /// The right it needs.
    pub action: String,
    /// Method and address, as asked.
    pub what: String,
    /// Whose pictures.
    pub camera: Option<i64>,
    /// From when on, UTC microseconds.
    pub start_us: Option<i64>,
    /// Until when, UTC microseconds.
    pub end_us: Option<i64>,
    /// Why, as its person said.
    pub reason: Option<String>,
    /// From where.
    pub address: String,
}

impl AuditEntry {
    /// As the line after another.
    #[must_use]
    pub fn after(self, id: i64, time_us: i64, before_sha256: String) -> AuditLine {
        let Self { who, role, action, what, camera, start_us, end_us, reason, address } = self;
        let sha256 = String::new();
        AuditLine {
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
        }
    }
}

/// Which lines a person wants to read; all given ones must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditQuery {
    /// Of this login.
    pub who: Option<String>,
    /// Of this right.
    pub action: Option<String>,
    /// Of this camera.
    pub camera: Option<i64>,
    /// At or after this, UTC microseconds.
    pub from_us: Option<i64>,
    /// Before this, UTC microseconds.
    pub to_us: Option<i64>,
    /// Older than this line.
    pub before: Option<i64>,
}

/// The end of the log at some time, signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seal {
    /// Up to which line.
    pub last: i64,
    /// Its hash, hex.
    pub sha256: String,
    /// When, UTC microseconds.
    pub made_us: i64,
    /// Ed25519, hex.
    pub public_key: String,
    /// Hex.
    pub signature: String,
}

/// The first line of a log that is not what was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// Its number.
    pub line: i64,
    /// What is wrong with it.
    pub why: &'static str,
}
