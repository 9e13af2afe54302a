//! Adversarial inputs for parsers, each of one size: a fragment repeated, numbered or nested, and random sequences of fragments.

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngSeed, TestRunner};

/// What requests are cut into by one parser or another, and what is costly to some.
const FRAGMENTS: [&str; 36] = [
    "a",
    ".",
    ",",
    ";",
    "&",
    "=",
    "=&",
    "%",
    "%41",
    "%ff",
    "+",
    "/",
    "/a",
    "?",
    "\n",
    " ",
    "[",
    "\"a\\\\\"",
    "{\"a\":",
    "9",
    "a=&",
    "a&",
    "appId=x&",
    "default ",
    "default+",
    "uri=&",
    "style=oauth&",
    "since=1&",
    "10.0.0.1,",
    "10.0.0.1\n",
    "for=10.0.0.1,",
    "for=\"\\[\\:\\:1]\";a=\"b\",",
    ":AAAA:,",
    ":AAAA:;a;b",
    "\u{e9}",
    "\u{2}\0\u{1}\0",
];

/// An input of `size` bytes and what it is.
pub struct Input {
    pub name: String,
    pub bytes: Vec<u8>,
}

/// The fragments, the shapes of JSON and the numbered names, then `random` sequences of fragments, the same in each run.
pub fn all(size: usize, random: u32) -> Vec<Input> {
    let fragments = FRAGMENTS.iter().map(|fragment| repeated("", fragment, "", size));
    let mut inputs: Vec<Input> = fragments.chain(json(size)).chain(numbered(size)).collect();
    let config = Config { rng_seed: RngSeed::Fixed(16), failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new(config);
    let units = prop::collection::vec(prop::sample::select(&FRAGMENTS[..]), 2..6);
    for _ in 0..random {
        let unit = units.new_tree(&mut runner).expect("a sequence").current().concat();
        inputs.push(repeated("", &unit, "", size));
    }
    inputs
}

/// A value of each costly kind, in a member that is looked for and in one that is not.
fn json(size: usize) -> impl Iterator<Item = Input> {
    const VALUES: [(&str, &str, &str); 6] = [
        ("[", "0,", "0]"),
        ("[", "{\"b\":\"\"},", "0]"),
        ("\"", "a", "\""),
        ("\"", "\\u0000", "\""),
        ("1e", "9", ""),
        ("", "[", ""),
    ];
    let names = ["secret", "aud", "exp", "crit"];
    let of_values = names.into_iter().flat_map(move |name| {
        VALUES.iter().map(move |(begin, unit, end)| {
            repeated(&format!("{{\"{name}\":{begin}"), unit, &format!("{end}}}"), size)
        })
    });
    let members = ["\"a\":0,", "\"\":\"\",", "\"secret\":\"\",", "\"\\u0061\":{},"];
    let of_members = members.map(|member| repeated("{", member, "\"b\":0}", size));
    let of_name = [repeated("{\"", "a", "\":0}", size), repeated("{\"", "\\u0000", "\":0}", size)];
    of_values.chain(of_members).chain(of_name)
}

/// Names that all differ.
fn numbered(size: usize) -> impl Iterator<Item = Input> {
    type Shape = (&'static str, fn(usize) -> String, &'static str);
    const SHAPES: [Shape; 4] = [
        ("", |n| format!("{n:x}&"), ""),
        ("", |n| format!("a=1;{n:x}=b;"), ""),
        ("{", |n| format!("\"{n:x}\":0,"), "\"z\":0}"),
        (":AAAA:", |n| format!(";a{n:x}"), ""),
    ];
    SHAPES.into_iter().map(move |(begin, unit, end)| {
        let units: String = (0..size)
            .map(unit)
            .scan(begin.len() + end.len(), |length, unit| {
                *length += unit.len();
                (*length <= size).then_some(unit)
            })
            .collect();
        Input { name: format!("{begin}{}…{end}", unit(0)), bytes: format!("{begin}{units}{end}").into() }
    })
}

fn repeated(begin: &str, unit: &str, end: &str, size: usize) -> Input {
    let count = (size - begin.len() - end.len()) / unit.len();
    Input {
        name: format!("{begin}{unit}…{end}"),
        bytes: format!("{begin}{}{end}", unit.repeat(count)).into(),
    }
}
