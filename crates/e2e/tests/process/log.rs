//! The log when standard error does not take it: nothing waits for it, and what is lost is counted and told.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Read, pipe};
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Command, Stdio};

use crate::bare::{Bare, named_pipe};

const LOST: &str = "northgate_log_dropped_lines_total";
const LOST_AUDIT: &str = "northgate_log_dropped_audit_lines_total";

/// Opens without waiting for the other end, and does not block in writing.
const O_NONBLOCK: i32 = 0o4000;

/// So many requests, each of which writes a line.
fn requests(server: &mut Bare, count: usize) {
    let url = format!("http://{}/no/such/path/[1-{count}]", server.private());
    assert!(Command::new("curl").args(["-sS", "-o", "/dev/null", &url]).status().unwrap().success());
}

// The collector hung and the pipe was full. The server waited for its log for ever, and no signal ended it.
#[test]
fn a_stop_does_not_wait_for_a_full_pipe_that_nobody_reads() {
    let (_unread, full) = pipe().unwrap();
    let mut fill = Command::new("sh");
    fill.args(["-c", "head -c 65536 /dev/zero >&2"]).stderr(full.try_clone().unwrap());
    assert!(fill.status().unwrap().success());
    let mut server = Bare::spawn(tempfile::tempdir().unwrap(), &[], full.try_clone().unwrap());
    requests(&mut server, 100);
    assert_eq!(server.stopped(), 0);
    // Nor does a failed start wait for a reader of its error.
    let home = tempfile::tempdir().unwrap();
    let mut server = Bare::spawn(home, &[("NORTHGATE_DATA_DIR", "/dev/null/data")], full);
    assert_eq!(server.ended().code(), Some(1));
}

// The disk of the log was full: thousands of lines went, audit lines among them, and the counter stood at 0.
#[test]
fn lines_that_a_full_disk_does_not_take_are_counted() {
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut server = Bare::spawn(tempfile::tempdir().unwrap(), &[], full);
    requests(&mut server, 50);
    server.command(&["app", "create", "Meters"]);
    server
        .until("the lines are counted", |server| server.metric(LOST) >= 51 && server.metric(LOST_AUDIT) == 1);
    assert_eq!(server.stopped(), 0);
}

#[test]
fn lines_of_a_server_that_was_started_without_standard_error_are_counted() {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", r#"exec "$0" "$@" 2>&-"#, northgate_testkit::program()]);
    let mut server = Bare::spawn_as(&mut command, tempfile::tempdir().unwrap(), &[], Stdio::null());
    requests(&mut server, 50);
    server.until("the lines are counted", |server| server.metric(LOST) >= 50);
    assert_eq!(server.stopped(), 0);
    // Who discards the log has lost nothing.
    let null = OpenOptions::new().write(true).open("/dev/null").unwrap();
    let mut server = Bare::spawn(tempfile::tempdir().unwrap(), &[], null);
    requests(&mut server, 50);
    assert_eq!(server.metric(LOST), 0);
    assert_eq!(server.stopped(), 0);
}

#[test]
fn when_the_reader_is_back_one_line_says_how_many_lines_of_which_kind_were_lost() {
    let home = tempfile::tempdir().unwrap();
    let log = named_pipe(home.path(), "log");
    let first_reader = OpenOptions::new().read(true).write(true).open(&log).unwrap();
    let writer = OpenOptions::new().write(true).open(&log).unwrap();
    let mut server = Bare::spawn(home, &[("NORTHGATE_LOG_FORMAT", "json")], writer);
    server.get("/health/live");
    drop(first_reader);
    requests(&mut server, 50);
    server.command(&["app", "create", "Meters"]);
    server.until("the lines are counted", |server| server.metric(LOST_AUDIT) == 1);
    let lost = server.metric(LOST);

    let reader = BufReader::new(File::open(log).unwrap());
    let lines = reader.lines().map(|line| serde_json::from_str::<serde_json::Value>(&line.unwrap()).unwrap());
    let told = lines.into_iter().find(|line| line.get("lost").is_some()).unwrap();
    assert!(told["lost"].as_u64().unwrap() >= lost && lost > 50, "{told}");
    assert_eq!(told["audit"], 1);
    assert_eq!(server.stopped(), 0);
}

// Another process on the terminal had made it non-blocking: each line that found it full was gone without a word.
#[test]
fn a_descriptor_that_does_not_block_loses_nothing_while_it_is_full() {
    let home = tempfile::tempdir().unwrap();
    let log = named_pipe(home.path(), "log");
    let mut reader = OpenOptions::new().read(true).custom_flags(O_NONBLOCK).open(&log).unwrap();
    let writer = OpenOptions::new().write(true).custom_flags(O_NONBLOCK).open(&log).unwrap();
    let mut server = Bare::spawn(home, &[], writer);
    requests(&mut server, 2_000);
    server.signal("-TERM");
    let mut text = String::new();
    while !server.has_ended() {
        let _ = reader.read_to_string(&mut text);
    }
    let _ = reader.read_to_string(&mut text);
    assert_eq!(text.lines().filter(|line| line.contains("path=/*/*/*/*")).count(), 2_000);
    assert!(text.contains("INFO stopped\n"), "{text}");
    let printed = fs::read_to_string(server.home.path().join("stdout")).unwrap();
    assert!(printed.contains("appId"), "{printed}");
}
