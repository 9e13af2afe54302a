//! Documentation checks that need no network: links, anchors, the table of contents.

// A test that panics has said what is wrong; clippy knows that for test functions, not for what they lean on.
#![allow(clippy::unwrap_used)]

mod links;
mod markdown;
mod named_files;
mod phrases;
mod summary;
mod tree;
mod units;
