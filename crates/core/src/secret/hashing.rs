//! Argon2id for imported secrets, in a bounded pool of blocking threads: wrong secrets cannot starve right ones.

use std::sync::{Arc, Mutex, PoisonError};

use argon2::password_hash::{Output, ParamsString, PasswordHash, Salt, SaltString};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use aws_lc_rs::constant_time;
use tokio::sync::Semaphore;

use super::SecretText;
use crate::random;

/// The most hashes that wait. One takes some 20 ms, so that the last one waits about a second.
const WAITING: usize = 64;

/// A hash to compare with where the application has none.
const DECOY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$bm9ydGhnYXRlIGRlY295IQ$dmVyaWZpZXMgbm8gc2VjcmV0IGF0IGFsbCwgZXZlciE";

/// The queue is full; the client should retry later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many secrets wait to be hashed")]
pub struct Busy;

/// The hashing pool. Argon2id with OWASP's parameters, where RFC 9106's cost too much: 19 MiB, 2 passes, 1 lane.
pub struct Hashing {
    running: Arc<Semaphore>,
    waiting: Semaphore,
    memory: Arc<Memory>,
}

/// The memory of hashes, reused from one to the next: an allocator may take minutes to return 19 MiB for each thread that ever
/// hashed.
#[derive(Default)]
struct Memory(Mutex<Vec<Vec<Block>>>);

impl Hashing {
    /// A pool that computes `at_once` hashes at a time; each holds 19 MiB.
    pub fn new(at_once: usize) -> Hashing {
        Hashing {
            running: Arc::new(Semaphore::new(at_once.max(1))),
            waiting: Semaphore::new(WAITING),
            memory: Arc::default(),
        }
    }

    /// The PHC string of `secret`, to be stored.
    pub async fn hash(&self, secret: &SecretText) -> Result<String, Busy> {
        let text = secret.0.clone();
        self.run(move |memory| hash(&text, memory)).await
    }

    /// Whether `phc` was made of `secret`.
    pub async fn verify(&self, secret: &SecretText, phc: &str) -> Result<bool, Busy> {
        let (text, phc) = (secret.0.clone(), phc.to_owned());
        self.run(move |memory| verify(&text, &phc, memory)).await
    }

    /// Takes as long as [`Hashing::verify`] when the pool is idle, and no time when it is busy.
    pub async fn burn(&self, secret: &SecretText) {
        if self.running.available_permits() > 0 {
            // Neither the result nor a full queue matters.
            let _ = self.verify(secret, DECOY).await;
        }
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Memory) -> T + Send + 'static,
    ) -> Result<T, Busy> {
        let _place = self.waiting.try_acquire().map_err(|_| Busy)?;
        let permit = Arc::clone(&self.running).acquire_owned().await.map_err(|_| Busy)?;
        let memory = Arc::clone(&self.memory);
        let done = tokio::task::spawn_blocking(move || {
            let result = work(&memory);
            // The work holds the permit and not its caller, who may hang up: the bound is on running hashes.
            drop(permit);
            result
        });
        done.await.map_err(|_| Busy)
    }
}

fn hash(text: &str, memory: &Memory) -> String {
    let salt = random::bytes::<16>();
    let output =
        memory.hash(text, &salt, Params::DEFAULT).expect("the default parameters can hash 256 characters");
    let salt = SaltString::encode_b64(&salt).expect("16 bytes are a salt");
    let phc = PasswordHash {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(&Params::DEFAULT).expect("the default parameters can be written"),
        salt: Some(Salt::from(&salt)),
        hash: Some(Output::new(&output).expect("32 bytes are a hash")),
    };
    phc.to_string()
}

fn verify(text: &str, phc: &str, memory: &Memory) -> bool {
    recompute(text, phc, memory).unwrap_or(false)
}

/// `None` where `phc` is not a PHC string of Argon2id.
fn recompute(text: &str, phc: &str, memory: &Memory) -> Option<bool> {
    let phc = PasswordHash::new(phc).ok()?;
    let mut salt = [0; Salt::MAX_LENGTH];
    let salt = phc.salt?.decode_b64(&mut salt).ok()?;
    let output = memory.hash(text, salt, Params::try_from(&phc).ok()?)?;
    Some(constant_time::verify_slices_are_equal(&output, phc.hash?.as_bytes()).is_ok())
}

impl Memory {
    fn hash(&self, text: &str, salt: &[u8], params: Params) -> Option<[u8; 32]> {
        let mut blocks = self.kept().pop().unwrap_or_default();
        blocks.resize(params.block_count(), Block::default());
        let mut output = [0; 32];
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let hashed = argon2.hash_password_into_with_memory(text.as_bytes(), salt, &mut output, &mut blocks);
        self.kept().push(blocks);
        hashed.ok().map(|()| output)
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Vec<Vec<Block>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
        assert_eq!(hashing.verify(&right, DECOY).await, Ok(false));
    }

    #[test]
    fn a_hash_is_one_that_other_programs_verify_and_the_decoy_costs_as_much() {
        use argon2::PasswordVerifier;
        let phc = hash("pass word", &Memory::default());
        let phc = PasswordHash::new(&phc).expect("a PHC string");
        assert!(Argon2::default().verify_password(b"pass word", &phc).is_ok());
        let params = Params::try_from(&PasswordHash::new(DECOY).expect("a PHC string"));
        assert_eq!(params.expect("parameters").block_count(), Params::DEFAULT.block_count());
        assert_eq!(recompute("decoy", DECOY, &Memory::default()), Some(false));
    }
}
