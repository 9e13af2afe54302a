//! Argon2id for imported secrets, in a bounded pool of blocking threads: bad secrets cannot starve good ones.

use std::sync::Arc;

use argon2::Argon2;
use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use tokio::sync::Semaphore;

use super::SecretText;
use crate::random;

/// Hashes that may wait for their turn. One takes some 20 ms, so that the last one waits about a second.
const WAITING: usize = 64;

/// The queue is full: the caller should try again later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many secrets wait to be hashed")]
pub struct Busy;

/// The pool. Argon2id with the parameters of RFC 9106's and OWASP's smaller choice: 19 MiB, 2 passes, 1 lane.
pub struct Hashing {
    running: Arc<Semaphore>,
    waiting: Semaphore,
    /// What a wrong secret is compared with where there is nothing to compare it with.
    decoy: Arc<str>,
}

impl Hashing {
    /// A pool that computes `at_once` hashes at a time; each holds 19 MiB.
    pub fn new(at_once: usize) -> Hashing {
        Hashing {
            running: Arc::new(Semaphore::new(at_once.max(1))),
            waiting: Semaphore::new(WAITING),
            decoy: hash("decoy").into(),
        }
    }

    /// The PHC string to keep of `secret`.
    pub async fn hash(&self, secret: &SecretText) -> Result<String, Busy> {
        let text = secret.0.clone();
        self.run(move || hash(&text)).await
    }

    /// Whether `secret` is the one that `phc` was made of.
    pub async fn verify(&self, secret: &SecretText, phc: &str) -> Result<bool, Busy> {
        let (text, phc) = (secret.0.clone(), phc.to_owned());
        self.run(move || verify(&text, &phc)).await
    }

    /// Takes as long as [`Hashing::verify`] when the pool is idle, and no time when it is busy.
    pub async fn burn(&self, secret: &SecretText) {
        let Ok(permit) = Arc::clone(&self.running).try_acquire_owned() else { return };
        let (text, decoy) = (secret.0.clone(), Arc::clone(&self.decoy));
        let burnt = tokio::task::spawn_blocking(move || {
            verify(&text, &decoy);
            drop(permit);
        });
        // It can only fail when the runtime stops; then nobody measures any more.
        let _ = burnt.await;
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Busy> {
        let _place = self.waiting.try_acquire().map_err(|_| Busy)?;
        let permit = Arc::clone(&self.running).acquire_owned().await.map_err(|_| Busy)?;
        let done = tokio::task::spawn_blocking(move || {
            let result = work();
            // Held by the work and not by its caller, who may hang up: the bound is on what runs.
            drop(permit);
            result
        });
        done.await.map_err(|_| Busy)
    }
}

fn hash(text: &str) -> String {
    let salt = SaltString::encode_b64(&random::bytes::<16>()).expect("16 bytes are a salt");
    let phc = Argon2::default().hash_password(text.as_bytes(), &salt);
    phc.expect("the default parameters can hash 256 characters").to_string()
}

fn verify(text: &str, phc: &str) -> bool {
    PasswordHash::new(phc).is_ok_and(|phc| Argon2::default().verify_password(text.as_bytes(), &phc).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_hash_fits_its_secret_only() {
        let hashing = Hashing::new(1);
        let (right, wrong) = (SecretText("pass word".into()), SecretText("pass worD".into()));
        let phc = hashing.hash(&right).await.expect("room in the pool");
        assert!(phc.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{phc}");
        assert_eq!(hashing.verify(&right, &phc).await, Ok(true));
        assert_eq!(hashing.verify(&wrong, &phc).await, Ok(false));
    }
}
