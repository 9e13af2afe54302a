//! The systemd units keep secrets out of files.

use crate::tree::root;

#[test]
fn a_process_that_crashes_leaves_no_memory_with_keys_on_the_disk() {
    for unit in ["deploy/systemd/northgate.service", "deploy/cluster/northgate.service"] {
        let text = std::fs::read_to_string(root().join(unit)).unwrap();
        assert!(text.lines().any(|line| line == "LimitCORE=0"), "{unit}");
    }
}
