//! Seals the audit log once a day, and says whether the log is what was written.
//!
//! The key lies beside the database in a file of its own, and each seal is kept in a file as well as in the database: a
//! table put back to an earlier state no longer fits the file. Whoever can write both can still bend both; the
//! fingerprint and the newest line on paper or at the upper unit stand against that.

use std::{
    fs::{File, OpenOptions},
    io::{Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
    time::Duration,
};

use anyhow::Context;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};

use crate::{
    domain::{
        audit::{Broken, Seal},
        refusal::Refusal,
        time::WallTime,
    },
    logic::audit::{Reading, sealed},
    runtime::{clock::Clock, secrets, stop::Stop},
    store::Store,
};

const KEY: &str = "audit.key";
const SEALS: &str = "audit.seals";
/// How often it is looked whether a day is over, and how long a day is.
const LOOK_EVERY: Duration = Duration::from_secs(600);
const DAY_US: i64 = 86_400_000_000;
/// The commune's midnight, microseconds before UTC's.
const EAST_US: i64 = 7 * 3_600_000_000;

/// The key's fingerprint, as it is printed and compared: groups of four.
#[must_use]
pub fn fingerprint(public_key: &[u8; 32]) -> String {
    let hex = hex::encode(&Sha256::digest(public_key)[..16]);
    hex.as_bytes().chunks(4).map(|group| String::from_utf8_lossy(group).into_owned()).collect::<Vec<_>>().join(" ")
}

/// The site's key; made when there is none yet.
fn key(data: &Path) -> anyhow::Result<SigningKey> {
    let path = data.join(KEY);
    if !path.try_exists()? {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        file.write_all(secrets::token()?.as_bytes())?;
        file.sync_all()?;
    }
    let mut text = String::new();
    File::open(&path)?.read_to_string(&mut text)?;
    let bytes: Option<[u8; 32]> = hex::decode(text.trim()).ok().and_then(|bytes| bytes.try_into().ok());
    let bytes = bytes.ok_or_else(|| {
        Refusal::new(
            path.display().to_string(),
            "không phải khóa niêm phong nhật ký; khôi phục tệp này từ bản sao lưu",
            "is no key of the audit log; put the file back from a backup",
        )
    })?;
    Ok(SigningKey::from_bytes(&bytes))
}

/// Seals what there is, unless nothing was written since the last seal. The seal of the end of the log, if any.
///
/// # Errors
/// When key, file or database fail.
pub async fn seal(store: &Store, data: &Path, now: WallTime) -> anyhow::Result<Option<Seal>> {
    let (last, sha256) = store.audit_head().await?;
    let newest = store.audit_seals().await?.pop();
    if last == 0 || newest.as_ref().is_some_and(|seal| seal.last >= last) {
        return Ok(newest);
    }
    let key = key(data).context(data.join(KEY).display().to_string())?;
    let signature = key.sign(&sealed(last, &sha256, now.us()));
    let public_key = hex::encode(key.verifying_key().to_bytes());
    let seal = Seal { last, sha256, made_us: now.us(), public_key, signature: hex::encode(signature.to_bytes()) };
    let Seal { last, sha256, made_us, public_key, signature } = &seal;
    let line = serde_json::json!({
        "last": last, "sha256": sha256, "made_us": made_us, "public_key": public_key, "signature": signature,
    });
    let mut file = OpenOptions::new().create(true).append(true).mode(0o600).open(data.join(SEALS))?;
    writeln!(file, "{line}")?;
    file.sync_all()?;
    store.keep_audit_seal(&seal).await?;
    Ok(Some(seal))
}

/// Seals once a day, and when the program stops.
pub(super) async fn run(store: Store, data: std::path::PathBuf, clock: Clock, stop: Stop) {
    let day = |us: i64| (us + EAST_US).div_euclid(DAY_US);
    loop {
        let stopping = tokio::select! {
            () = stop.asked() => true,
            () = tokio::time::sleep(LOOK_EVERY) => false,
        };
        let now = WallTime(clock.media().us());
        let sealed_us = store.audit_seals().await.ok().and_then(|seals| seals.last().map(|seal| seal.made_us));
        let is_due = stopping || sealed_us.is_none_or(|us| day(us) != day(now.us()));
        if is_due && let Err(error) = seal(&store, &data, now).await {
            tracing::error!(error = %format!("{error:#}"), "the audit log could not be sealed");
        }
        if stopping {
            return;
        }
    }
}

/// What a look at the whole log found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// How many lines, or the first bad one.
    pub lines: Result<i64, Broken>,
    /// How many seals.
    pub seals: usize,
    /// Of the key that made them; `None`: there is no seal.
    pub fingerprint: Option<String>,
}

/// Goes through the whole log.
///
/// # Errors
/// When it cannot be read.
pub async fn verify(store: &Store, data: &Path) -> anyhow::Result<Verified> {
    let mut seals = store.audit_seals().await?;
    for seal in outside(data)? {
        if !seals.contains(&seal) {
            seals.push(seal);
        }
    }
    let keys: Vec<_> = seals.iter().map(signed).collect();
    let fingerprint = keys.iter().flatten().next().map(fingerprint);
    let one_key = keys.windows(2).all(|pair| pair[0] == pair[1]);
    let forged = seals.iter().zip(&keys).find(|(_, key)| key.is_none()).map(|(seal, _)| seal.last);
    let count = seals.len();
    let mut reading = Reading::new(seals);
    let mut last = 0;
    let lines = loop {
        let lines = store.audit_after(last).await?;
        if lines.is_empty() {
            let (head, sha256) = store.audit_head().await?;
            break reading.end(head, &sha256);
        }
        last = lines.last().map_or(last, |line| line.id);
        if let Err(broken) = lines.iter().try_for_each(|line| reading.line(line)) {
            break Err(broken);
        }
    };
    let lines = match (lines, forged) {
        (Ok(_), Some(line)) => Err(Broken { line, why: "its seal is not signed by the key it names" }),
        (Ok(n), None) if !one_key => Err(Broken { line: n, why: "the seals were made by different keys" }),
        (lines, _) => lines,
    };
    Ok(Verified { lines, seals: count, fingerprint })
}

/// The key a seal is signed by; `None`: it is not.
fn signed(seal: &Seal) -> Option<[u8; 32]> {
    let key: [u8; 32] = hex::decode(&seal.public_key).ok()?.try_into().ok()?;
    let signature: [u8; 64] = hex::decode(&seal.signature).ok()?.try_into().ok()?;
    let verifying = VerifyingKey::from_bytes(&key).ok()?;
    let bytes = sealed(seal.last, &seal.sha256, seal.made_us);
    verifying.verify_strict(&bytes, &Signature::from_bytes(&signature)).ok().map(|()| key)
}

/// The seals in the file beside the database.
fn outside(data: &Path) -> anyhow::Result<Vec<Seal>> {
    let path = data.join(SEALS);
    if !path.try_exists()? {
        return Ok(Vec::new());
    }
    let text = std::fs::read_to_string(&path)?;
    let mut seals = Vec::new();
    for (n, line) in text.lines().enumerate() {
        // The last line may have been cut off by a power failure; the database has that seal.
        let Ok(json) = serde_json::from_str::<serde_json::Value>(line) else {
            tracing::warn!(line = n + 1, file = %path.display(), "is no seal");
            continue;
        };
        let text = |key: &str| json[key].as_str().unwrap_or_default().to_owned();
        let number = |key: &str| json[key].as_i64().unwrap_or_default();
        seals.push(Seal {
            last: number("last"),
            sha256: text("sha256"),
            made_us: number("made_us"),
            public_key: text("public_key"),
            signature: text("signature"),
        });
    }
    Ok(seals)
}
