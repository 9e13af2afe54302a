//! `northgate export` and `northgate import`: move an installation from one store to another, its tokens included.

use std::error::Error;
use std::path::PathBuf;

use clap::Args;
use northgate_core::store::Store;
use northgate_store::embedded::{self, DATABASE, EmbeddedStore};
use northgate_store::export::Counts;
use northgate_store::postgres::{self, PostgresSettings, SealedKeyring};
use serde_json::{Value, json};

use super::global_flags::{DatabaseUrl, GlobalFlags};
use super::{output, ownership};
use crate::clock::Clock;
use crate::config::Config;
use crate::config::database::DatabaseSettings;
use crate::export::{Next, Reader, Writer};
use crate::keys::keyring_database::DatabaseKeyringError;
use crate::keys::keyring_file::KeyringFile;
use crate::keys::keyring_key::KeyringKey;
use crate::private_file;

#[derive(Args)]
pub struct Export {
    /// The file to write; it holds the keyring
    file: PathBuf,
    #[command(flatten)]
    database: DatabaseUrl,
}

#[derive(Args)]
pub struct Import {
    /// A file of `northgate export`
    file: PathBuf,
    #[command(flatten)]
    database: DatabaseUrl,
}

impl Export {
    pub async fn run(self, flags: &GlobalFlags) -> Result<(), Box<dyn Error>> {
        let (config, _) = flags.resolve(self.database.setting())?;
        if self.file.try_exists()? {
            return Err(format!("{} is there already: choose another name", self.file.display()).into());
        }
        let counts = match &config.database {
            None => export_embedded(&config, &self.file)?,
            Some(database) => export_postgres(&config, database, &self.file).await?,
        };
        let sentence = format!("{} has {}", self.file.display(), counted(counts));
        output::done(flags.form(), &members(counts), &sentence);
        output::remark("It holds the keyring: who reads it can make tokens. Remove it when it was imported.");
        Ok(())
    }
}

impl Import {
    pub async fn run(self, flags: &GlobalFlags) -> Result<(), Box<dyn Error>> {
        let (config, _) = flags.resolve(self.database.setting())?;
        let reader = Reader::open(&self.file)?;
        let counts = match &config.database {
            None => {
                let counts = import_embedded(&config, reader)?;
                ownership::remark_about(&config.data_dir);
                counts
            }
            Some(database) => import_postgres(&config, database, reader).await?,
        };
        output::done(flags.form(), &members(counts), &format!("{} came in", counted(counts)));
        Ok(())
    }
}

fn members(counts: Counts) -> Value {
    let Counts { applications, secrets, grants, revocations } = counts;
    json!({ "applications": applications, "secrets": secrets, "grants": grants, "revocations": revocations })
}

fn counted(counts: Counts) -> String {
    let Counts { applications, secrets, grants, revocations } = counts;
    format!(
        "{applications} applications with {secrets} secrets, {grants} grants and {revocations} revocations"
    )
}

fn export_embedded(config: &Config, file: &std::path::Path) -> Result<Counts, Box<dyn Error>> {
    if !config.data_dir.join(DATABASE).try_exists()? {
        return Err(format!("there is no embedded store in {}", config.data_dir.display()).into());
    }
    // The lock of the store keeps a server from writing meanwhile. Its writer gets no requests.
    let store = EmbeddedStore::open(&config.data_dir, 1, Box::new(|| Clock::System.now()))?;
    let (_, keyring) = KeyringFile::open_or_create(&config.keyring, Clock::System.now(), true)?;
    let mut writer =
        Writer::begin(file, keyring.record(), store.last_number()?, store.registry().high_water().get())?;
    for holding in store.holdings() {
        writer.add(&holding)?;
    }
    Ok(writer.finish()?)
}

async fn export_postgres(
    config: &Config,
    database: &DatabaseSettings,
    file: &std::path::Path,
) -> Result<Counts, Box<dyn Error>> {
    let mut export = postgres::Export::begin(&database.resolve()?).await?;
    let no_key = || DatabaseKeyringError::NoKey(config.keyring_key.clone());
    let key = KeyringKey::read(&config.keyring_key)?.ok_or_else(no_key)?;
    let SealedKeyring { version, sealed } = export.keyring().await?;
    let keyring = key.open(version, &sealed)?;
    let mut writer =
        Writer::begin(file, keyring.record(), export.last_number().await?, export.high_water().await?)?;
    loop {
        let page = export.page().await?;
        if page.is_empty() {
            return Ok(writer.finish()?);
        }
        page.iter().try_for_each(|holding| writer.add(holding))?;
    }
}

fn import_embedded(config: &Config, mut reader: Reader) -> Result<Counts, Box<dyn Error>> {
    let import = embedded::Import::begin(&config.data_dir)?;
    if config.keyring.try_exists()? {
        let path = config.keyring.display();
        return Err(
            format!("there is a keyring at {path}, but no installation that it is of: move it away").into()
        );
    }
    loop {
        match reader.read()? {
            Next::Application(holding) => import.add(&holding)?,
            Next::End(whole) => {
                // First, so that applications never exist without it; alone it is only in the way.
                KeyringFile::create(&config.keyring, reader.keyring())?;
                // After an error of the disk the import may be complete, and then the keyring must stay.
                import.finish(&whole)?;
                return Ok(whole.counts);
            }
        }
    }
}

async fn import_postgres(
    config: &Config,
    database: &DatabaseSettings,
    mut reader: Reader,
) -> Result<Counts, Box<dyn Error>> {
    let settings = database.resolve()?;
    let import = begin_in_postgres(config, &settings, &reader).await?;
    let mut page = Vec::with_capacity(postgres::PAGE);
    loop {
        match reader.read()? {
            Next::Application(holding) => {
                page.push(*holding);
                if page.len() == postgres::PAGE {
                    import.add(&page).await?;
                    page.clear();
                }
            }
            Next::End(whole) => {
                import.add(&page).await?;
                import.finish(&whole).await?;
                return Ok(whole.counts);
            }
        }
    }
}

/// With the existing key of this node, or a new one.
async fn begin_in_postgres(
    config: &Config,
    settings: &PostgresSettings,
    reader: &Reader,
) -> Result<postgres::Import, Box<dyn Error>> {
    let found = KeyringKey::read(&config.keyring_key)?;
    let is_found = found.is_some();
    let key = match found {
        Some(key) => key,
        None => {
            super::keyring_key::make_parent(&config.keyring_key)?;
            KeyringKey::create(&config.keyring_key)?
        }
    };
    let sealed = SealedKeyring { version: 1, sealed: key.seal(1, reader.keyring()) };
    let import = postgres::Import::begin(settings, &sealed).await;
    match (&import, is_found) {
        (Ok(_), false) => {
            output::remark(&format!("{} was made: every node needs a copy of it.", key.path().display()));
            ownership::remark_about(key.path());
        }
        // A key that has sealed nothing would only be taken for the key of the existing keyring.
        (Err(_), false) => private_file::remove(key.path())?,
        (Ok(_) | Err(_), true) => {}
    }
    Ok(import?)
}
