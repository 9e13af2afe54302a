//! Exposure of secret files: whether users other than this one and root can read them.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;

use northgate_store::embedded::is_own_group;

/// The excess rights of group and others, if there are any. Others may have none, and the group none unless the file belongs to
/// root and the group is one of this process, which may read it then. So Kubernetes (0440) and packages (0640) give secrets to a
/// service that does not run as root.
pub fn of(found: &Metadata) -> Option<u32> {
    let mode = found.mode() & 0o777;
    let is_for_our_group = found.uid() == 0 && mode & 0o030 == 0 && is_own_group(found.gid());
    let is_private = mode & 0o007 == 0 && (mode & 0o070 == 0 || is_for_our_group);
    (!is_private).then_some(mode)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt, chown};

    /// Any right of others exposes a file.
    #[test]
    fn a_file_is_private_if_only_its_owner_has_rights() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        for (mode, is_private) in [
            (0o600, true),
            (0o400, true),
            (0o604, false),
            (0o602, false),
            (0o601, false),
            (0o660, false),
            (0o620, false),
            (0o610, false),
            (0o444, false),
            (0o644, false),
        ] {
            fs::set_permissions(file.path(), Permissions::from_mode(mode)).expect("mode");
            assert_eq!(of(&file.path().metadata().expect("it")).is_none(), is_private, "{mode:o}");
        }
    }

    /// Only root can give files away; other users cannot test files of root.
    #[test]
    fn a_group_may_read_a_file_of_root_if_it_is_a_group_of_this_process() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let ours = file.path().metadata().expect("it").gid();
        for (owner, group, mode, is_private) in [
            (0, ours, 0o440, true),
            (0, ours, 0o640, true),
            (0, ours, 0o644, false),
            (0, ours, 0o660, false),
            (0, 54_321, 0o440, false),
            (54_321, ours, 0o440, false),
            (54_321, ours, 0o640, false),
        ] {
            fs::set_permissions(file.path(), Permissions::from_mode(mode)).expect("mode");
            if chown(file.path(), Some(owner), Some(group)).is_err() {
                return;
            }
            let found = file.path().metadata().expect("it");
            assert_eq!(of(&found).is_none(), is_private, "{owner} {group} {mode:o}");
        }
    }
}
