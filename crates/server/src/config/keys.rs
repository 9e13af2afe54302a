//! `[keys]`: public keys that are published beside those in use.

use northgate_core::signing::{Algorithm, Algorithms};

use crate::config::ConfigError;
use crate::config::layers::Settings;

/// Algorithms whose keys are published although no policy names them.
pub(super) fn published(settings: &mut Settings) -> Result<Algorithms, ConfigError> {
    settings.value("keys.publish", "a list of \"ES256\" and \"EdDSA\", or []", |value| {
        let mut published = Algorithms::default();
        for word in value.as_array()? {
            let word = word.as_str()?;
            published.insert(Algorithm::ALL.into_iter().find(|algorithm| algorithm.as_str() == word)?);
        }
        Some(published)
    })
}
