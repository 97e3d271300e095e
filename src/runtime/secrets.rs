//! What must not be guessed: tokens from the system's own source, and passwords as hashes that are dear to try.

use std::sync::LazyLock;

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher, PasswordVerifier},
};
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;

use super::tasks;
use crate::domain::camera::Secret;

/// Memory of one hash, KiB, and how often it is gone over.
const MEMORY_KIB: u32 = 64 * 1024;
const PASSES: u32 = 3;
/// Passwords hashed at a time: memory is bounded however many sign in at once.
const AT_ONCE: usize = 2;
const SALT_BYTES: usize = 16;

/// A hash of a password nobody knows: a login that is not there costs the same time as one that is.
const NOBODY: &str =
    "$argon2id$v=19$m=65536,t=3,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

static HASHING: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(AT_ONCE));

/// Why there is no hash or token.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The system has no randomness to give.
    #[error("the system gives no random numbers: {0}")]
    Random(getrandom::Error),
    /// Not enough memory, or a stored hash that is none.
    #[error("the password cannot be hashed: {0}")]
    Hash(String),
}

/// 32 random bytes as text: 64 hex digits.
///
/// # Errors
/// When the system has no randomness to give.
pub fn token() -> Result<String, SecretError> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(SecretError::Random)?;
    Ok(hex::encode(bytes))
}

/// SHA-256 of a token, as text. A token is random enough for a plain hash.
#[must_use]
pub fn token_hash(token: &str) -> String {
    hex::encode(Sha256::digest(token))
}

/// What a page of a session shows to prove that it is one: made from the session's token, which no page can read.
#[must_use]
pub fn page_token(token: &str) -> String {
    hex::encode(Sha256::new().chain_update(b"vonglau page token\0").chain_update(token).finalize())
}

/// Whether two texts are the same, in a time that tells nothing of where they differ.
#[must_use]
pub fn same(a: &str, b: &str) -> bool {
    a.len() == b.len() && a.bytes().zip(b.bytes()).fold(0, |differs, (x, y)| differs | (x ^ y)) == 0
}

fn argon2() -> Result<Argon2<'static>, SecretError> {
    let params = Params::new(MEMORY_KIB, PASSES, 1, None).map_err(|e| SecretError::Hash(e.to_string()))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// Hashes a password for the store.
///
/// # Errors
/// When there is no randomness or no memory.
pub async fn hash(password: Secret) -> Result<String, SecretError> {
    let mut salt = [0; SALT_BYTES];
    getrandom::fill(&mut salt).map_err(SecretError::Random)?;
    dear(move || {
        let hash = argon2()?.hash_password_with_salt(password.expose().as_bytes(), &salt);
        hash.map(|hash| hash.to_string()).map_err(|e| SecretError::Hash(e.to_string()))
    })
    .await
}

/// Whether a password is the one of a hash; without a hash it is not, after the same time.
///
/// # Errors
/// When there is no memory.
pub async fn verify(password: Secret, hash: Option<String>) -> Result<bool, SecretError> {
    dear(move || {
        let known = hash.is_some();
        let hash = hash.as_deref().unwrap_or(NOBODY);
        let fits = argon2()?.verify_password(password.expose().as_bytes(), hash);
        Ok(known && fits.is_ok())
    })
    .await
}

async fn dear<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SecretError> + Send + 'static,
) -> Result<T, SecretError> {
    let gone = |why: String| SecretError::Hash(why);
    let permit = HASHING.acquire().await.map_err(|e| gone(e.to_string()))?;
    // The permit goes along: work goes on though its client left.
    let held = move || {
        let done = work();
        drop(permit);
        done
    };
    tasks::blocking(held).await.map_err(|e| gone(e.to_string()))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_is_hashed_dearly_and_is_found_again() {
        let password = || Secret::new("bờ ao nón lá thứ tư");
        let hashed = hash(password()).await.unwrap();
        assert!(hashed.starts_with("$argon2id$v=19$m=65536,t=3,p=1$"), "{hashed}");
        assert!(verify(password(), Some(hashed.clone())).await.unwrap());
        assert!(!verify(Secret::new("bờ ao nón lá thứ năm"), Some(hashed.clone())).await.unwrap());
        assert_ne!(hash(password()).await.unwrap(), hashed, "the same salt twice");
    }

    #[tokio::test]
    async fn a_login_that_is_not_there_costs_the_same_work() {
        let nobody = argon2::password_hash::phc::PasswordHash::new(NOBODY).unwrap();
        assert_eq!(nobody.params.get_decimal("m"), Some(MEMORY_KIB));
        assert_eq!(nobody.params.get_decimal("t"), Some(PASSES));
        assert!(!verify(Secret::new("x"), None).await.unwrap());
        assert!(!verify(Secret::new("x"), Some("no hash".to_owned())).await.unwrap());
    }

    #[test]
    fn tokens_are_long_and_never_the_same_and_a_page_token_says_nothing_of_its_session() {
        let (a, b) = (token().unwrap(), token().unwrap());
        assert!(a.len() == 64 && a != b);
        assert!(page_token(&a) != token_hash(&a) && page_token(&a) != page_token(&b));
        assert!(same("ab", "ab") && !same("ab", "ac") && !same("ab", "abc"));
    }
}
