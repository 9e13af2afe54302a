//! A remark about what root has made: the service, which runs as another user, cannot open it.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::unistd::geteuid;

use super::output;

/// Files and directories that root makes get the owner of the directory that they lie in. Where that is root, only the operator
/// knows the user of the service.
pub fn remark_about(path: &Path) {
    let is_of_root = fs::metadata(path).is_ok_and(|found| found.uid() == 0);
    if geteuid().is_root() && is_of_root {
        let shown = path.display();
        output::remark(&format!(
            "{shown} belongs to root. Where the server runs as another user, such as northgate: `chown -R northgate: {shown}`."
        ));
    }
}
