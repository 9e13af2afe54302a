//! The version of the program, and the commit that it was built of.

/// The version of the release.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The commit and the profile of the build, which `deploy/build` names; empty in other builds.
pub const BUILD: &str = match option_env!("NORTHGATE_BUILD") {
    Some(build) => build,
    None => "",
};

/// What `--version` prints after the name: `1.0.0 (commit 0123456789ab, trained)`.
pub fn long() -> String {
    match BUILD {
        "" => VERSION.to_owned(),
        build => format!("{VERSION} ({build})"),
    }
}
