//! Instructions of each parser of unauthenticated input over adversarial inputs of 16 KiB, counted by callgrind.

mod inputs;

use std::path::Path;
use std::process::{Child, Command, Stdio};

use inputs::Input;
use northgate_server::unauthenticated::{PARSERS, Parser};

/// The size of an input; of the JSON in a token or proof, which may have 8,192 characters, the end is cut off.
const SIZE: usize = 16 * 1024;

/// Millions of instructions that each parser may execute for one input, in the build of the tests: about three times the
/// present maximum. One comparison of each member with all before it takes 745 million.
const MILLIONS_MAX: [(&str, u64); 29] = [
    ("application API, JSON", 22),
    ("application API, form", 22),
    ("OAuth form", 15),
    ("OAuth scope", 15),
    ("Authorization: Basic", 6),
    ("Authorization: Basic, decoded", 15),
    ("assertion", 1),
    ("assertion header", 27),
    ("assertion claims", 23),
    ("access token", 1),
    ("access token header", 3),
    ("access token claims", 4),
    ("DPoP proof", 1),
    ("DPoP header", 10),
    ("DPoP key", 16),
    ("DPoP claims", 20),
    ("/verify headers", 24),
    ("/verify path", 19),
    ("/verify query", 33),
    ("/verify uri", 19),
    ("/revocations query", 52),
    ("Forwarded", 41),
    ("X-Forwarded-For", 33),
    ("Client-Cert", 18),
    ("Client-Cert-Chain", 18),
    ("Host and Origin", 6),
    ("traceparent", 20),
    ("tracestate", 20),
    ("PROXY protocol", 2),
];

/// Names the half of the parsers that a counted process runs.
const HALF: &str = "NORTHGATE_PARSING_HALF";

// 5,461 form parameters, each compared with all before it, cost 93 ms before the client was known: five requests a second
// held logins up for 3 s.
#[test]
fn no_parser_exceeds_its_instructions_for_16_kib() {
    assert_eq!(PARSERS.map(|(name, _)| name), MILLIONS_MAX.map(|(name, _)| name));
    install_valgrind();
    let folder = tempfile::tempdir().expect("a folder");
    let counted = halves().map(|(half, parsers)| {
        let counts = folder.path().join(half);
        (count(half, &counts), counts, parsers)
    });
    let inputs = inputs();
    let mut exceeding = Vec::new();
    for (process, counts, parsers) in counted {
        let output = process.wait_with_output().expect("valgrind runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let counts = totals(&counts);
        // The first part ends where the first case begins; the last one ends with the process.
        assert_eq!(counts.len(), parsers.len() * inputs.len() + 2);
        let cases = parsers.iter().flat_map(|(parser, _)| inputs.iter().map(move |input| (*parser, input)));
        for ((parser, input), count) in cases.zip(&counts[1..]) {
            let most =
                MILLIONS_MAX.iter().find(|(name, _)| *name == parser).map(|(_, most)| most * 1_000_000);
            if most.is_none_or(|most| *count > most) {
                exceeding.push(format!("{parser}: {count} instructions for {}", input.name));
            }
        }
    }
    assert!(exceeding.is_empty(), "{exceeding:#?}");
}

#[test]
#[ignore = "no_parser_exceeds_its_instructions_for_16_kib runs it under valgrind"]
// A test has no configuration to take it from.
#[allow(clippy::disallowed_methods)]
fn run_half_of_the_parsers_over_every_input() {
    let wanted = std::env::var(HALF);
    let inputs = inputs();
    for (_, parsers) in
        halves().iter().filter(|(half, _)| wanted.as_deref().is_ok_and(|wanted| wanted == *half))
    {
        // Keys and tables that are made once do not count.
        parsers.iter().for_each(|(_, parse)| parse(b"a.b.c"));
        for (_, parse) in *parsers {
            for input in &inputs {
                next_case();
                parse(&input.bytes);
            }
        }
        next_case();
    }
}

/// One for each core of a small machine.
fn halves() -> [(&'static str, &'static [Parser]); 2] {
    let (first, second) = PARSERS.split_at(10);
    [("first", first), ("second", second)]
}

/// `PARSING_CASES` is for the long run. A test has no configuration to take it from.
#[allow(clippy::disallowed_methods)]
fn inputs() -> Vec<Input> {
    let random = std::env::var("PARSING_CASES").ok().and_then(|cases| cases.parse().ok());
    inputs::all(SIZE, random.unwrap_or(8))
}

/// callgrind writes its count and begins a new one whenever this function is entered.
#[inline(never)]
fn next_case() {
    std::hint::black_box(());
}

fn count(half: &str, counts: &Path) -> Child {
    let mut run = Command::new("valgrind");
    run.args(["--tool=callgrind", "--combine-dumps=yes", "--dump-line=no", "--dump-before=*next_case*"])
        .arg(format!("--callgrind-out-file={}", counts.display()))
        .arg(std::env::current_exe().expect("this program"))
        .args(["--ignored", "--exact", "run_half_of_the_parsers_over_every_input", "--test-threads=1"])
        .env(HALF, half);
    run.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("valgrind starts")
}

/// The instructions of each part of a combined dump.
fn totals(dump: &Path) -> Vec<u64> {
    let dump = std::fs::read_to_string(dump).expect("counts");
    let counts = dump.lines().filter_map(|line| line.strip_prefix("totals: "));
    counts.map(|count| count.trim().parse().expect("a count")).collect()
}

fn install_valgrind() {
    northgate_testkit::packages::debian("valgrind");
}
