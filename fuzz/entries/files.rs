//! Files that operators hand in: applications to import, and exports of whole installations.

use std::io::Cursor;
use std::path::Path;
use std::sync::LazyLock;

use northgate_core::application::AppNumber;
use northgate_core::clock::Timestamp;
use northgate_core::high_water::Marks;
use northgate_core::key_id::KeyId;
use northgate_core::keyring::{KeyBytes, KeyRecord, KeyringRecord};
use northgate_server::export::line::{ApplicationLine, Line};
use northgate_server::export::{FileError, Next, Reader, Writer};
use northgate_server::operator_input::import_rows;
use northgate_store::export::{Holding, Whole};
use serde_json::Value;

/// A file is refused, or its rows are objects that are read as the same from a file that is written carefully. The first byte of the
/// input chooses CSV or JSON, the rest is the file.
pub fn import_file(input: &[u8]) {
    let Some((choice, text)) = input.split_first() else { return };
    let Ok(text) = std::str::from_utf8(text) else { return };
    let is_csv = choice % 2 == 0;
    let Some(rows) = import_rows(is_csv, text) else { return };
    assert!(rows.iter().all(Value::is_object), "{rows:?}");
    let again = Value::from(rows.clone()).to_string();
    assert_eq!(import_rows(false, &again).as_ref(), Some(&rows));
    let is_whole = |row: &Value| row["appId"].is_string() && row["secret"].is_string();
    let whole: Vec<Value> =
        rows.into_iter().filter(|row| is_csv && is_whole(row) && is_of_columns(row)).collect();
    let lines: String = whole.iter().map(csv_line).collect();
    assert_eq!(import_rows(true, &format!("appId,secret,name\n{lines}")), Some(whole));
}

fn is_of_columns(row: &Value) -> bool {
    row.as_object()
        .is_some_and(|row| row.keys().all(|key| ["appId", "secret", "name"].contains(&key.as_str())))
}

fn csv_line(row: &Value) -> String {
    let cell = |name: &str| format!("\"{}\"", row[name].as_str().unwrap_or_default().replace('"', "\"\""));
    format!("{},{},{}\n", cell("appId"), cell("secret"), cell("name"))
}

/// A file is refused, or is whole; a changed one is refused. The line of an application is refused, or stays the same when it is
/// written and read again. The input is the file, the line, and the changes to a real file: three bytes each for the place, and one for
/// the bits.
pub fn export_file(input: &[u8]) {
    drop(read(input.to_vec()));
    if let Some(holding) = holding(input) {
        let text = line(&holding);
        let again = self::holding(text.as_bytes()).map(|again| line(&again));
        assert_eq!(again.as_deref(), Some(text.as_str()));
    }
    let mut changed = EXPORT.clone();
    for change in input.chunks_exact(4) {
        let place = change[..3].iter().fold(0, |place, byte| place << 8 | usize::from(*byte));
        let length = changed.len();
        changed[place % length] ^= change[3];
    }
    let is_same = changed == *EXPORT;
    assert_eq!(read(changed).is_ok(), is_same);
}

fn read(file: Vec<u8>) -> Result<Whole, FileError> {
    let mut reader = Reader::of(Path::new("export"), Cursor::new(file))?;
    loop {
        if let Next::End(whole) = reader.read()? {
            return Ok(whole);
        }
    }
}

fn holding(line: &[u8]) -> Option<Holding> {
    match serde_json::from_slice(line).ok()? {
        Line::Application(line) => line.holding().ok(),
        Line::End(_) => None,
    }
}

fn line(holding: &Holding) -> String {
    let line = Line::Application(Box::new(ApplicationLine::of(holding)));
    serde_json::to_string(&line).expect("a line is JSON")
}

/// A file as `northgate export` writes it, with two applications.
static EXPORT: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let now = Timestamp::from_millis(0);
    let bytes = KeyBytes::from_bytes([1; 32]);
    let key = KeyRecord { id: KeyId(1), created_at: now, use_from: now, retire_at: None, bytes };
    let keyring = KeyringRecord { pepper: KeyBytes::from_bytes([2; 32]), keys: vec![key] };
    let path = std::env::temp_dir().join(format!("northgate-fuzz-{}.export", std::process::id()));
    let mut writer = Writer::begin(&path, &keyring, AppNumber(2), Marks::NOTHING).expect("a file");
    for application in APPLICATIONS {
        writer.add(&holding(application.as_bytes()).expect("an application")).expect("a line");
    }
    writer.finish().expect("a whole file");
    let file = std::fs::read(&path).expect("the file");
    std::fs::remove_file(&path).expect("the file");
    file
});

const APPLICATIONS: [&str; 2] = [
    include_str!("../corpus/export_file/application"),
    include_str!("../corpus/export_file/application-owned"),
];
