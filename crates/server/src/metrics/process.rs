//! Metrics of the process, by the names that Prometheus' client libraries have in common.

use std::fmt;
use std::time::UNIX_EPOCH;

use nix::unistd::{SysconfVar, sysconf};
use procfs::process::{LimitValue, Process};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use super::Metrics;
use super::collected::put_as;
use crate::clock::wall;

/// Registers processor time, memory, open files, threads and the start of the process.
pub fn register(metrics: &Metrics) {
    let started = wall().duration_since(UNIX_EPOCH).unwrap_or_default();
    metrics.registry().register_collector(Box::new(OfProcess { start_seconds: started.as_secs_f64() }));
}

#[derive(Debug)]
struct OfProcess {
    /// Since 1970, when the metrics were registered, which is among the first things that a process does.
    start_seconds: f64,
}

/// What `/proc/self` says.
struct Found {
    cpu_seconds: f64,
    resident_bytes: u64,
    virtual_bytes: u64,
    open_files: u64,
    most_files: u64,
    threads: u64,
}

impl Found {
    fn read() -> procfs::ProcResult<Found> {
        let process = Process::myself()?;
        let stat = process.stat()?;
        let most_files = match process.limits()?.max_open_files.soft_limit {
            LimitValue::Value(count) => count,
            LimitValue::Unlimited => u64::MAX,
        };
        Ok(Found {
            cpu_seconds: (stat.utime + stat.stime) as f64 / constant(SysconfVar::CLK_TCK) as f64,
            resident_bytes: stat.rss * constant(SysconfVar::PAGE_SIZE),
            virtual_bytes: stat.vsize,
            open_files: process.fd_count()? as u64,
            most_files,
            threads: stat.num_threads as u64,
        })
    }
}

/// Asked of the C library: procfs' own functions read the auxiliary vector, and abort under valgrind, which hides it.
fn constant(variable: SysconfVar) -> u64 {
    sysconf(variable).ok().flatten().map_or(0, |value| value as u64)
}

impl Collector for OfProcess {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        // Without /proc there are none.
        let Ok(found) = Found::read() else { return Ok(()) };
        let cpu = ConstCounter::new(found.cpu_seconds);
        put_as(&mut encoder, "process_cpu_seconds", "Processor time in user and system mode", &cpu)?;
        let start = ConstGauge::new(self.start_seconds);
        put_as(&mut encoder, "process_start_time_seconds", "Start of the process since 1970", &start)?;
        for (name, help, value) in [
            ("process_resident_memory_bytes", "Resident memory", found.resident_bytes),
            ("process_virtual_memory_bytes", "Virtual memory", found.virtual_bytes),
            ("process_open_fds", "Open files", found.open_files),
            ("process_max_fds", "Limit of open files", found.most_files),
            ("process_threads", "Threads", found.threads),
        ] {
            put_as(&mut encoder, name, help, &ConstGauge::new(value))?;
        }
        Ok(())
    }
}
