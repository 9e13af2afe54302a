//! Laws that only the embedded store keeps: its bounded queue and its backups.

mod backup;
mod busy;
