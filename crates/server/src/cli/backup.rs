//! `northgate backup`: a consistent copy of the running server's database.

use std::error::Error;
use std::path::PathBuf;

use clap::Args;
use northgate_store::embedded::check_room;
use serde_json::json;

use super::global_flags::GlobalFlags;
use super::output;
use crate::private_file::Draft;

#[derive(Args)]
pub struct Backup {
    /// The file to write
    file: PathBuf,
    /// Replace the file if it exists
    #[arg(long)]
    force: bool,
}

impl Backup {
    pub async fn run(self, flags: &GlobalFlags) -> Result<(), Box<dyn Error>> {
        let shown = self.file.display();
        if !self.force && self.file.try_exists()? {
            return Err(
                format!("{shown} is there already: choose another name, or replace it with --force").into()
            );
        }
        let unwritable = |cause| format!("could not write {shown}: {cause}");
        let client = flags.client()?;
        let mut draft = Draft::create(&self.file).map_err(unwritable)?;
        let directory = draft.directory().to_owned();
        let begun = |length| Ok(check_room("the backup", &directory, length)?);
        let written = |piece: &[u8]| draft.write(piece).map_err(|cause| unwritable(cause).into());
        let length = client.download("/admin/v1/backup", begun, written).await?;
        draft.publish().map_err(unwritable)?;
        let members = json!({ "file": self.file, "bytes": length });
        output::done(flags.form(), &members, &format!("{shown} has the database, {length} bytes"));
        output::remark(
            "The keyring is not in it: back that file up as well, and keep it apart from this one.",
        );
        Ok(())
    }
}
